"""Start states: at which time of the clip an episode begins.

``fixed`` at its beginning; ``uniform`` anywhere (DeepMimic's reference state initialisation); ``failures`` more often
where episodes have failed, the simple form of SFV's adaptive state initialisation that BeyondMimic uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.humanoid.kernels import Array, Rows
from rlsuite.errors import RecordError, UnknownNameError
from rlsuite.motion.clip import MotionClip


class Start:
    """Maps a number drawn uniformly from [0, 1) to a time of the clip; this one always to its beginning."""

    kept: ClassVar[tuple[str, ...]] = ()  # names of its state's arrays

    def __init__(self, clip: MotionClip) -> None:
        self.clip = clip

    def time(self, u: float) -> float:
        """Seconds from the beginning of the clip."""
        return 0.0

    def failed(self, times: Array) -> None:
        """Episodes have failed at these times."""

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put back what :meth:`state_arrays` gave."""


class UniformStart(Start):
    """Anywhere, all times alike; of a clip that marks which frames are fit for starting, between two such frames."""

    def __init__(self, clip: MotionClip) -> None:
        super().__init__(clip)
        fit = np.ones(clip.n_frames, np.bool_) if clip.startable is None else clip.startable
        steps = np.flatnonzero(fit[:-1] & fit[1:])
        self._steps = steps if len(steps) else np.arange(clip.n_frames - 1)

    def time(self, u: float) -> float:
        at = u * len(self._steps)
        k = min(int(at), len(self._steps) - 1)
        return float((self._steps[k] + at - k) / self.clip.fps)


class FailureStart(UniformStart):
    """Bins of the clip, each as likely as the failures in it and in the bins after it, which a start there leads to.

    Liao et al. (2025): failures of bin s are averaged exponentially (alpha 0.001 per episode), spread backwards over
    ``window`` bins with weights ``decay^u``, and mixed with one tenth of a uniform distribution.
    """

    alpha, decay, window, uniform = 1e-3, 0.8, 3, 0.1
    kept = ("failures",)

    def __init__(self, clip: MotionClip) -> None:
        super().__init__(clip)
        self.n_bins = max(1, round(clip.duration / 0.1))
        self.failures = np.zeros(self.n_bins)

    def probabilities(self) -> Array:
        """``(n_bins,)``."""
        spread = np.zeros(self.n_bins)
        for u in range(self.window):
            ahead = np.roll(self.failures, -u)
            if self.clip.loop == "once" and u:
                ahead[-u:] = 0.0
            spread += self.decay**u * ahead
        total = spread.sum()
        if total <= 0.0:
            return np.full(self.n_bins, 1.0 / self.n_bins)
        return (1.0 - self.uniform) * spread / total + self.uniform / self.n_bins

    def time(self, u: float) -> float:
        edges = np.cumsum(self.probabilities())
        edges /= edges[-1]
        k = min(int(np.searchsorted(edges, u, side="right")), self.n_bins - 1)
        before = edges[k - 1] if k else 0.0
        return super().time((k + (u - before) / (edges[k] - before)) / self.n_bins)

    def failed(self, times: Array) -> None:
        phase = times / self.clip.duration
        phase = phase - np.floor(phase) if self.clip.loop == "wrap" else np.clip(phase, 0.0, 1.0)
        counts = np.bincount(np.minimum((phase * self.n_bins).astype(np.intp), self.n_bins - 1), minlength=self.n_bins)
        keep = (1.0 - self.alpha) ** len(times)
        self.failures = keep * self.failures + (1.0 - keep) * counts / max(1, len(times))

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {"failures": self.failures}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        failures = arrays.get("failures")
        if failures is None or failures.shape != self.failures.shape:
            raise RecordError(f"the state needs the failures of {self.n_bins} bins")
        self.failures = np.array(failures, np.float64)


class Starts:
    """Start states of one clip or several, each clip as likely as the others.

    Raises:
        UnknownNameError: there is no sampler of this name.
    """

    def __init__(self, name: str, clips: Sequence[MotionClip]) -> None:
        self.of = tuple(make_start(name, clip) for clip in clips)

    def draw(self, luck: Array) -> tuple[Rows, Array]:
        """A clip and a time of it for each number drawn uniformly from [0, 1): its first part chooses the clip."""
        scaled = luck * len(self.of)
        which = np.minimum(scaled.astype(np.intp), len(self.of) - 1)
        times = [self.of[k].time(u) for k, u in zip(which.tolist(), (scaled - which).tolist(), strict=True)]
        return which, np.array(times)

    def failed(self, which: Rows, times: Array) -> None:
        """Episodes have failed in these clips, at these times."""
        for k in np.unique(which).tolist():
            self.of[k].failed(times[which == k])

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {self._key(k, name): a for k, start in enumerate(self.of) for name, a in start.state_arrays().items()}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put back what :meth:`state_arrays` gave.

        Raises:
            RecordError: it is of other clips.
        """
        for k, start in enumerate(self.of):
            start.load_state({name: a for name in start.kept if (a := arrays.get(self._key(k, name))) is not None})

    def _key(self, k: int, name: str) -> str:
        return name if len(self.of) == 1 else f"{k}.{name}"


STARTS: dict[str, type[Start]] = {"fixed": Start, "uniform": UniformStart, "failures": FailureStart}


def make_start(name: str, clip: MotionClip) -> Start:
    """The sampler of this name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in STARTS:
        raise UnknownNameError("start", name, STARTS, f"there are {', '.join(STARTS)}")
    return STARTS[name](clip)
