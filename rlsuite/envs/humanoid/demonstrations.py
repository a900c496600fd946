"""How the reference moves, as the policy would see it: transitions for methods that learn what a motion looks like.

Adversarial motion priors (Peng et al. 2021) tell the body's transitions from the reference's. Both are described by the same
pieces of the observation: where the parts are, and how the root moves. Velocities and turns of all parts are left out,
though the paper has them: an exploring body trembles, and by its velocities alone it is told from the reference so surely
that a good walk is rewarded no more than a bad one. How parts move is in the two places of a transition.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.envs.humanoid.mirroring import Reflection
from rlsuite.envs.humanoid.observations import PIECES, Observation, View
from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.state import BodyState
from rlsuite.errors import HyperparameterError

Mirror = tuple[Callable[[BodyState, Array, Rows, NDArray[np.bool_]], None], Reflection]

# Numbers of each piece: of the velocities the root's own, of the short form its rotation and velocities, and the angles.
STYLE = {"height": slice(None), "bodies": slice(None), "velocities": slice(3), "joints": slice(12 + 28)}


class Demonstrations:
    """Transitions of a reference.

    Args:
        dt: seconds of a control step.
        mirror: where bodies are seen in the mirror (written at rows, from state and phase), and how; the two halves of a
            transition may differ in that, here as in what the policy sees.

    Attributes:
        columns: ``(d,)`` of the observation, those that ``STYLE`` names.

    Raises:
        HyperparameterError: the observation holds none of them.
    """

    def __init__(self, reference: Reference, observation: Observation, dt: float, mirror: Mirror | None = None) -> None:
        self.reference, self.observation, self.dt, self.mirror = reference, observation, dt, mirror
        self._names = [name for name in observation.places if name in STYLE]
        if not self._names:
            raise HyperparameterError(f"demonstrations need one of {', '.join(STYLE)} in the observation")
        every = np.arange(observation.size)
        self.columns = np.concatenate([every[observation.places[name]][STYLE[name]] for name in self._names])

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
        every = np.arange(n)
        for name in self._names:
            PIECES[name].write(view, every, out[:, self.observation.places[name]])
        if self.mirror is not None:
            find, reflect = self.mirror
            seen = np.zeros(n, np.bool_)
            find(state, self.reference.phase(times), every, seen)
            out[seen] = reflect(out[seen])
        return out[:, self.columns]
