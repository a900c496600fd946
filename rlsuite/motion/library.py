"""A library of clips as one dataset: windows, splits by contiguous time, start states, normalisation statistics.

All frames of all clips lie in one table ``qpos``; windows and splits are ranges of its rows and never cross from one clip
to another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError, RlsuiteError
from rlsuite.motion import clip_files, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.tracks import Tracks

Array = NDArray[np.float64]
Ranges = Sequence[tuple[int, int]]  # of rows: first, and one past the last


class MotionLibrary:
    """Clips of one skeleton.

    Attributes:
        clips: in the order of the folder's file names, or as given. skeleton: of all of them.
        skipped: what was left out and why: ``file -> error``.
        qpos: ``(N, nq)`` and qvel: ``(N, nv)`` of all frames. starts: ``(n_clips + 1,)`` first row of each clip, and N.
        durations, fps: ``(n_clips,)``. weights: ``(n_clips,)`` shares of the whole duration.
    """

    def __init__(
        self,
        source: str | Path | Iterable[MotionClip],
        *,
        skip_bad: bool = False,
        fps: float | None = None,
        weights: ArrayLike | None = None,
    ) -> None:
        """A folder of ``.npz`` clips (searched to any depth; hidden files, as of writes cut short, are not looked at).

        Args:
            skip_bad: leave out files that cannot be read, and clips of another skeleton, and list them in ``skipped``.
            fps: resample every clip to this rate.
            weights: how often each clip is drawn (default: by duration).

        Raises:
            MotionError: there is no clip, or one is of another skeleton. MotionFormatError: a file is damaged.
        """
        self.skipped: dict[str, RlsuiteError] = {}
        found = self._read(Path(source), skip_bad) if isinstance(source, str | Path) else list(enumerate(source))
        clips: list[MotionClip] = []
        for name, clip in found:
            if clips and not clip.skeleton.same_tree(clips[0].skeleton):
                error = MotionError(
                    f"{name}: clip {clip.name!r} is of another skeleton than {clips[0].name!r}; retarget one of them"
                )
                if not skip_bad:
                    raise error
                self.skipped[str(name)] = error
                continue
            # one skeleton object for all, so that what it caches is worked out once
            same = replace(clip, skeleton=clips[0].skeleton) if clips else clip
            clips.append(same if fps is None or same.fps == fps else sampling.resample(same, fps))
        if not clips:
            raise MotionError(f"no clips in {source}" if isinstance(source, str | Path) else "no clips were given")
        self.clips, self.skeleton = tuple(clips), clips[0].skeleton
        self.starts = np.cumsum([0, *(clip.n_frames for clip in clips)])
        self.durations = np.array([clip.duration for clip in clips])
        self.fps = np.array([clip.fps for clip in clips])
        self.weights = self._checked_weights(weights)

    def _read(self, folder: Path, skip_bad: bool) -> list[tuple[str, MotionClip]]:
        if not folder.is_dir():
            raise MotionError(f"{folder}: no such folder")
        found = []
        for path in sorted(folder.rglob("*.npz")):
            if any(part.startswith(".") for part in path.relative_to(folder).parts):
                continue
            try:
                found.append((str(path), clip_files.load(path)))
            except RlsuiteError as error:
                if not skip_bad:
                    raise
                self.skipped[str(path)] = error
        return found

    def _checked_weights(self, weights: ArrayLike | None) -> Array:
        values = np.asarray(self.durations if weights is None else weights, np.float64)
        if weights is None and not values.any():
            values = np.ones(len(self.clips))  # poses only
        if values.shape != (len(self.clips),) or not ((values >= 0.0).all() and 0.0 < values.sum() < np.inf):
            raise MotionError(f"weights must be {len(self.clips)} numbers of at least 0, not all 0")
        return values / values.sum()

    def __len__(self) -> int:
        return len(self.clips)

    def __repr__(self) -> str:
        return f"MotionLibrary({len(self)} clips, {len(self.qpos)} frames, {self.durations.sum():.1f} s)"

    @cached_property
    def qpos(self) -> Array:
        return np.concatenate([clip.qpos for clip in self.clips])

    @cached_property
    def qvel(self) -> Array:
        return np.concatenate([clip.qvel for clip in self.clips])

    def manifest(self) -> list[dict[str, Any]]:
        """What there is, as plain JSON values."""
        return [
            {
                "name": c.name,
                "frames": c.n_frames,
                "fps": c.fps,
                "seconds": c.duration,
                "loop": c.loop,
                "licence": c.licence,
            }
            for c in self.clips
        ]

    # Rows ---------------------------------------------------------------------------------------------------------------

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """Rows of each clip."""
        return list(zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), strict=True))

    def windows(self, length: int, stride: int = 1, ranges: Ranges | None = None) -> NDArray[np.intp]:
        """``(n, length)`` rows of all windows of ``length`` frames, begun every ``stride`` frames, within ``ranges``."""
        if length < 1 or stride < 1:
            raise MotionError(f"length and stride must be at least 1, not {length} and {stride}")
        parts = [np.arange(a, b - length + 1, stride) for a, b in (self.ranges if ranges is None else ranges)]
        begin = np.concatenate(parts) if parts else np.zeros(0, np.intp)
        return begin[:, None] + np.arange(length)

    def split(self, shares: Mapping[str, float] | None = None, *, gap: float = 0.0) -> dict[str, list[tuple[int, int]]]:
        """Every clip divided in time: the first part of each for the first name, and so on; rows per name.

        Args:
            shares: parts of one, in order of time (default: train 0.8, validation 0.1, test 0.1).
            gap: seconds left out between two parts: as long as a window, and neighbours share no motion at all.

        Raises:
            MotionError: shares do not add up to 1.
        """
        shares = shares or {"train": 0.8, "validation": 0.1, "test": 0.1}
        if min(shares.values()) < 0.0 or abs(sum(shares.values()) - 1.0) > 1e-6 or gap < 0.0:
            raise MotionError(f"shares must be at least 0 and add up to 1 (and gap be at least 0), not {dict(shares)}")
        ends = np.cumsum([0.0, *shares.values()])
        result: dict[str, list[tuple[int, int]]] = {name: [] for name in shares}
        for clip, (first, last) in zip(self.clips, self.ranges, strict=True):
            bounds = np.rint(first + ends * (last - first)).astype(int).tolist()
            left_out = int(np.ceil(gap * clip.fps - 1e-9))
            for i, name in enumerate(shares):
                begin = bounds[i] + (left_out if i > 0 else 0)
                if begin < bounds[i + 1]:
                    result[name].append((begin, bounds[i + 1]))
        return result

    # States -------------------------------------------------------------------------------------------------------------

    def sample(self, rng: np.random.Generator, n: int) -> tuple[NDArray[np.intp], Array]:
        """``n`` clips, drawn by their weights, and a time in each ``(n,)``, uniform over its duration."""
        chosen = rng.choice(len(self.clips), size=n, p=self.weights)
        return chosen, rng.uniform(0.0, 1.0, size=n) * self.durations[chosen]

    def states(self, clips: ArrayLike, times: ArrayLike) -> tuple[Array, Array]:
        """``(..., nq)`` poses and ``(..., nv)`` velocities of ``clips`` ``(...)`` at ``times`` ``(...)``, in one call.

        The same as ``sample`` and ``sample_velocity`` of each clip.
        """
        which, times = np.asarray(clips, np.intp), np.asarray(times, np.float64)
        if not np.isfinite(times).all() or which.min(initial=0) < 0 or which.max(initial=0) >= len(self.clips):
            raise MotionError(f"clips must be numbers from 0 to {len(self.clips) - 1}, times finite seconds")
        t = self._table
        wraps, duration = t.wraps[which], self.durations[which]
        cycles = np.where(wraps, np.floor(times / np.where(wraps, duration, 1.0)), 0.0)
        last = self.starts[which + 1] - self.starts[which] - 1
        frame = np.clip((times - cycles * duration) * self.fps[which], 0.0, last)
        within = np.minimum(frame.astype(np.intp), np.maximum(last - 1, 0))
        share = frame - within
        before = np.minimum(self.starts[which] + within, max(len(self.qpos) - 2, 0))
        share = np.where(last == 0, self.starts[which] - before, share)  # a clip of one pose
        poses = (
            t.tracks.arcs(before, share)
            if len(self.qpos) > 1
            else np.broadcast_to(self.qpos[0], (*times.shape, self.skeleton.nq)).copy()
        )
        after = np.minimum(before + 1, len(self.qpos) - 1)
        velocity = self.qvel[before] + share[..., None] * (self.qvel[after] - self.qvel[before])
        velocity[~wraps & ((times < 0.0) | (times > duration))] = 0.0
        if self.skeleton.has_free_root and cycles.any():
            sampling.displace(poses, cycles, t.first[which], t.shift[which], t.turn[which])
            around = rot.from_axis_angle((0.0, 0.0, 1.0), cycles * t.turn[which])
            velocity[..., :3] = rot.rotate(around, velocity[..., :3])
        return poses, velocity

    @cached_property
    def _table(self) -> _Table:
        moves = [sampling.cycle_displacement(c) if c.loop == "wrap" else (np.zeros(3), 0.0) for c in self.clips]
        return _Table(
            tracks=Tracks(self.skeleton, self.qpos),
            wraps=np.array([clip.loop == "wrap" for clip in self.clips]),
            first=np.array([clip.qpos[0, :3] if self.skeleton.has_free_root else np.zeros(3) for clip in self.clips]),
            shift=np.array([shift for shift, _ in moves]),
            turn=np.array([turn for _, turn in moves]),
        )

    # Statistics ---------------------------------------------------------------------------------------------------------

    def statistics(self, encode: Callable[[MotionClip], Array]) -> Moments:
        """Mean and spread of what ``encode`` makes of each clip ``(T, size)``, one clip in memory at a time."""
        moments = Moments()
        for clip in self.clips:
            moments.add(encode(clip))
        return moments


@dataclass(frozen=True)
class _Table:
    tracks: Tracks
    wraps: NDArray[np.bool_]
    first: Array
    shift: Array
    turn: Array


class Moments:
    """Mean and variance of rows that arrive in batches (Chan, Golub and LeVeque 1979): exact, whatever the batches."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Array = np.zeros(0)
        self._squares: Array = np.zeros(0)

    def add(self, rows: ArrayLike) -> None:
        """Take in rows ``(n, size)``."""
        rows = np.asarray(rows, np.float64)
        if len(rows) == 0:
            return
        mean = rows.mean(axis=0)
        squares = np.sum((rows - mean) ** 2, axis=0)
        if self.count == 0:
            self.count, self.mean, self._squares = len(rows), mean, squares
            return
        total, delta = self.count + len(rows), mean - self.mean
        self._squares = self._squares + squares + delta**2 * (self.count * len(rows) / total)
        self.mean = self.mean + delta * (len(rows) / total)
        self.count = total

    def std(self, floor: float = 1e-6) -> Array:
        """Standard deviations; 1 for numbers that hardly change (less than ``floor``), so that dividing leaves them be."""
        deviation = np.sqrt(self._squares / max(self.count, 1))
        return np.where(deviation > floor, deviation, 1.0)
