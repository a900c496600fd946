"""What a model is shown of an environment: events, and the conditions that they are given.

Everything is in rows, one for each environment; a single environment is one row. What needs a past (windows, next frames)
keeps it itself and is told where episodes begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.errors import InvalidEnvironmentError
from rlsuite.generative.model import GenerativeModel

Array: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = NDArray[np.intp]


class Features(Protocol):
    """What a model of events, given conditions or none, is shown."""

    def begin(self, env: Any, rows: Rows) -> None:
        """Episodes have begun at ``rows``."""

    def advance(self, env: Any, rows: Rows) -> None:
        """A step has been made at ``rows``."""

    def events(self, env: Any) -> Tensor:
        """``(n, *event)``, now."""

    def condition(self, env: Any) -> Tensor | None:
        """``(n, *condition)`` that these events are judged under; ``None`` for a model without conditions."""

    def past(self, env: Any) -> Tensor | None:
        """``(n, *condition)`` under which the next event is to be drawn; ``None`` for a model without conditions."""


Read: TypeAlias = Callable[[Any], Any]


class Now:
    """Features without a memory: functions of the environment as it is.

    Args:
        read: of the event: ``(*event)`` of a single environment, ``(n, *event)`` of a vector environment.
        given: of the condition, likewise.
        n: how many environments; 0 for a single one.
    """

    def __init__(self, read: Read | None, given: Read | None, n: int) -> None:
        self._read, self._given, self._n = read, given, n

    def begin(self, env: Any, rows: Rows) -> None:
        pass

    def advance(self, env: Any, rows: Rows) -> None:
        pass

    def events(self, env: Any) -> Tensor:
        if self._read is None:
            raise InvalidEnvironmentError("the model's events are read from the environment: give features")
        return self._rows(self._read(env))

    def condition(self, env: Any) -> Tensor | None:
        return None if self._given is None else self._rows(self._given(env))

    def past(self, env: Any) -> Tensor | None:
        return self.condition(env)

    def _rows(self, values: Any) -> Tensor:
        found = torch.as_tensor(np.asarray(values), dtype=torch.float32)
        return found if self._n else found[None]


def features_of(features: Features | Read | None, model: Any, n: int, given: Read | None = None) -> Features:
    """``features`` as such: they are already, or a function, or what a motion prior looks at on a humanoid.

    Args:
        model: that is to be shown them. n: environments; 0 for a single one. given: function that reads the condition.
    """
    from rlsuite.motion.priors.prior import MotionPrior

    if features is None and isinstance(model, MotionPrior):
        from rlsuite.envs.wrappers.humanoid import PoseHistory

        return PoseHistory(model)
    if hasattr(features, "events"):
        return features  # type: ignore[return-value]
    return Now(features, given, n)


def model_of(model: Any) -> GenerativeModel:
    """The generative model itself, where it comes inside a motion prior."""
    found: GenerativeModel = getattr(model, "model", model)
    return found


def frozen(model: GenerativeModel) -> GenerativeModel:
    """The model, its weights fixed and in evaluation mode: the policy's training never reaches it."""
    return model.requires_grad_(False).eval()


class Luck:
    """The wrapper's own random numbers, from the seed of ``reset``: a stream apart from the environment's."""

    def __init__(self) -> None:
        self.generator = torch.Generator()
        self.generator.manual_seed(_state(np.random.SeedSequence()))

    def reset(self, seed: int | None) -> None:
        """Begin again where ``seed`` is given."""
        if seed is not None:
            self.generator.manual_seed(_state(np.random.SeedSequence(seed, spawn_key=(0,))))


def _state(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


class Episodes:
    """Which rows of a vector environment begin anew in a step, by its autoreset mode.

    Raises:
        InvalidEnvironmentError: it resets within the step that ends an episode (``SameStep``), so that what the body did
            last can no longer be seen from outside.
    """

    def __init__(self, env: Any) -> None:
        self.mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        if self.mode is AutoresetMode.SAME_STEP:
            raise InvalidEnvironmentError(
                "a prior looks at the state after every step, which autoreset_mode='SameStep' replaces; "
                "make the environment with autoreset_mode='NextStep'"
            )
        self.n = int(env.num_envs)
        self.ended = np.zeros(self.n, np.bool_)

    def reset(self, options: dict[str, Any] | None) -> Rows:
        """The rows that ``reset(options=…)`` begins."""
        mask = None if options is None else options.get("reset_mask")
        rows = np.arange(self.n) if mask is None else np.flatnonzero(mask)
        self.ended[rows] = False
        return rows

    def step(self, terminated: Any, truncated: Any) -> tuple[Rows, Rows]:
        """Rows that went on in a step, and rows that began in it."""
        begun = self.ended & (self.mode is AutoresetMode.NEXT_STEP)
        self.ended = np.logical_or(terminated, truncated)
        return np.flatnonzero(~begun), np.flatnonzero(begun)


ONE: Rows = np.zeros(1, np.intp)  # the row of a single environment
