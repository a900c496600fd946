"""How the reference moves, as the policy would see it: transitions for methods that learn what a motion looks like.

Adversarial motion priors (Peng et al. 2021) tell the body's transitions from the reference's. Both are described by the
same pieces of the observation, those that show the body and neither the phase nor the reference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.observations import PIECES, Observation, View
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.errors import HyperparameterError

STYLE = ("height", "bodies", "rotations", "velocities", "joints")


class Demonstrations:
    """Transitions of a reference.

    Args:
        dt: seconds of a control step.

    Attributes:
        columns: ``(d,)`` of the observation, those of the pieces in ``STYLE``.

    Raises:
        HyperparameterError: the observation holds none of them.
    """

    def __init__(self, reference: Reference, observation: Observation, dt: float) -> None:
        self.reference, self.observation, self.dt = reference, observation, dt
        self._names = [name for name in observation.places if name in STYLE]
        if not self._names:
            raise HyperparameterError(f"demonstrations need one of {', '.join(STYLE)} in the observation")
        self.columns = np.concatenate(
            [np.arange(p.start, p.stop) for p in map(observation.places.get, self._names) if p]
        )

    def transitions(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """``(n, 2, d)``: how ``n`` moments of the clip, drawn uniformly, look, and how each looks one step later."""
        latest = self.reference.duration - (0.0 if self.reference.wraps else self.dt)
        times = rng.random(n) * max(latest, 0.0)
        return np.stack([self._look(times), self._look(times + self.dt)], axis=1)

    def _look(self, times: NDArray[np.float64]) -> NDArray[np.float32]:
        n, out = len(times), np.zeros((len(times), self.observation.size), np.float32)
        state = self.reference.states(times)
        none = np.zeros((n, 0))
        view = View(state, (), none, none, none.astype(np.bool_), none, self.observation.ends, state)
        for name in self._names:
            PIECES[name].write(view, np.arange(n), out[:, self.observation.places[name]])
        return out[:, self.columns]
