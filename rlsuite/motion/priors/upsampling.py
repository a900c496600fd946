"""Super-resolution: frames between those of a slow recording, by a conditional flow of what a spline leaves out.

Between coarse frames k and k + 1 there are ``factor`` − 1 missing ones. How far they are from an interpolation is written
in the tangent space of the poses (radians and metres)::

    change     (factor − 1, nv)   difference(interpolated, true)
    condition  (5, nv)            steps between the coarse frames k − 2 … k + 3, seen from the heading of frame k
    event      (factor − 1, nv)   change − K condition

K ``(factor − 1, 5)`` is fitted by least squares, the same for every number: a spline whose shape was learned, and too few
weights to learn noise by. The flow has what it leaves over, e, taken to be as likely as −e (half a minute of motion does not
tell more; a flow that was free to moved the mean away from the truth): it is fitted to both signs, and drawn from with
either. So a draw is lively, and the mean of a pair of draws ± e is the learned spline itself. Coarse frames are kept
exactly. The root is seen from its heading, wherever it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.errors import MotionError, RecordError, RlsuiteError
from rlsuite.generative import registry, storage
from rlsuite.generative.model import GenerativeModel
from rlsuite.motion import editing, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

Array: TypeAlias = NDArray[np.float64]
BASES: tuple[sampling.Method, ...] = ("slerp", "spline")
FPS, FACTOR = 10.0, 6  # from 10 to 60 frames a second
STEPS = 5  # between coarse frames that are seen: two before, that of the interval, two after
SHRINK = 0.1  # ridge of K, relative to the mean square of a step
SHARES = (0.6, 0.2, 0.2)  # of every clip, in this order: for fitting, for stopping early, for testing


@dataclass
class Upsampler:
    """A conditional flow from ``fps`` to ``factor`` times as many frames a second.

    Attributes:
        model: of events ``(factor − 1, nv)`` given conditions ``(5, nv)``. base: the interpolation that it corrects.
        kernel: K ``(factor − 1, 5)``.
        about: JSON values.
    """

    model: GenerativeModel
    skeleton: Skeleton
    fps: float
    factor: int
    base: sampling.Method
    kernel: Array
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        clips: list[MotionClip],
        *,
        fps: float = FPS,
        factor: int = FACTOR,
        base: sampling.Method = "spline",
        name: str = "realnvp",
        steps: int = 1000,
        seed: int = 0,
        mirror: bool = True,
        learning_rate: float = 3e-4,
        **hyperparameters: Any,
    ) -> Upsampler:
        """Fit to the first parts of ``clips``, which are at least as fast as the result is to be; the last fifth of each is
        left for testing. Every offset of the coarse frames within the fine ones is used, both directions of time, and (with
        ``mirror``) mirror images.

        Raises:
            MotionError: no clips, too slow or too short ones, of different skeletons, or without a free root.
        """
        if not clips:
            raise MotionError("no clips were given")
        skeleton = clips[0].skeleton
        if base not in BASES or factor < 2 or not fps > 0.0 or not skeleton.has_free_root:
            raise MotionError(
                "base is slerp or spline, factor at least 2, fps positive, and the skeleton has a free root"
            )
        parts: list[list[tuple[Tensor, Tensor]]] = [[], []]
        for clip in clips:
            if not clip.skeleton.same_tree(skeleton) or clip.fps < fps * factor * 0.99:
                raise MotionError(
                    f"clip {clip.name!r} at {clip.fps:g} Hz: fitting takes clips of one skeleton at {fps * factor:g} Hz"
                )
            for found, piece in zip(parts, split(clip)[:2], strict=True):
                fine = sampling.resample(piece, fps * factor)
                seen = [fine, editing.mirror(fine)] if mirror else [fine]
                for way in [*seen, *map(editing.reverse, seen)]:  # forwards and backwards in time
                    for offset in range(factor):
                        found += _intervals(way, factor, base, offset)
        if not parts[0] or not parts[1]:
            raise MotionError("no clip is long enough to have four coarse frames in each part of it")
        (changes, conditions), (held_changes, held) = (
            [torch.cat(x) for x in zip(*part, strict=True)] for part in parts
        )
        kernel = _kernel(changes, conditions)
        events, held_events = changes - _predicted(kernel, conditions), held_changes - _predicted(kernel, held)
        shape = (factor - 1, skeleton.nv)
        if name == "realnvp":  # small, since clips are few
            hyperparameters = {"layers": 4, "hidden": (64, 64), "linear": True, **hyperparameters}
        events, conditions = torch.cat([events, -events]), torch.cat([conditions, conditions])
        model = registry.create(
            name, seed=seed, event_shape=shape, condition_shape=(STEPS, skeleton.nv), **hyperparameters
        )
        history = model.fit(
            events, conditions, steps=steps, seed=seed, learning_rate=learning_rate, patience=10,
            held_out=(held_events, held),
        )  # fmt: skip
        about = {
            "clips": [clip.name for clip in clips], "seed": seed, "events": len(events), "best_step": history.best_step,
            "seconds": round(history.seconds, 1),
        }  # fmt: skip
        return cls(model.cpu().eval(), skeleton, fps, factor, base, kernel.double().numpy(), about)

    def upsample(self, clip: MotionClip, *, draws: int = 2, seed: int = 0) -> MotionClip:
        """``clip``, whose rate is ``fps`` (else it is resampled to it first), at ``factor`` times that rate.

        Every ``factor``-th frame is one of the clip's. The first and last interval, where the flow lacks a neighbour, are
        interpolated.

        Args:
            draws: whose mean is taken in the tangent space, every other one the opposite of the one before: 2 give the
                learned spline, 1 is a draw, 0 the interpolation alone.

        Raises:
            MotionError: another skeleton, or fewer than two frames.
        """
        if not clip.skeleton.same_tree(self.skeleton) or clip.n_frames < 2 or draws < 0:
            raise MotionError(f"clip {clip.name!r} must be of skeleton {self.skeleton.name!r}, of 2 frames or more")
        coarse = clip if abs(clip.fps - self.fps) * clip.duration < 0.5 else sampling.resample(clip, self.fps)
        poses = _between(coarse, self.factor, self.base)
        if draws and coarse.n_frames >= 4:
            conditions = torch.from_numpy(_conditions(coarse.qpos, self.skeleton).astype(np.float32))
            drawn = _drawn(self.model, draws, conditions, torch.Generator().manual_seed(seed))
            kernel = torch.from_numpy(self.kernel).float()
            change = (drawn.mean(0) + _predicted(kernel, conditions)).double().numpy()  # (n - 3, factor - 1, nv)
            heading = rot.heading(coarse.qpos[1:-2, 3:7])[:, None]
            change[..., :3] = rot.rotate(heading, change[..., :3])
            inner = poses[1:-1, 1:]
            poses[1:-1, 1:] = sampling.integrate(self.skeleton, inner, change)
        qpos = np.concatenate([poses.reshape(-1, poses.shape[-1]), coarse.qpos[-1:]])
        made = replace(
            coarse, qpos=qpos, fps=coarse.fps * self.factor, contacts=None, contact_names=(), confidence=None, startable=None
        )  # fmt: skip
        return made.with_step("upsampled", model=self.model.name, base=self.base, draws=draws, seed=seed)

    def save(self, path: str | Path) -> Path:
        """Write it to one ``.safetensors`` file."""
        about = {
            "skeleton": self.skeleton.to_dict(), "fps": self.fps, "factor": self.factor, "base": self.base,
            "kernel": self.kernel.tolist(), "about": self.about,
        }  # fmt: skip
        return storage.save(self.model, path, about={"motion_upsampler": about})

    @classmethod
    def load(cls, path: str | Path) -> Upsampler:
        """What :meth:`save` wrote.

        Raises:
            RecordError: there is no such file, or it is damaged, or holds something else.
        """
        model, header = storage.load(path), storage.about(path)
        try:
            found = header["about"]["motion_upsampler"]
            skeleton, base = Skeleton.from_dict(found["skeleton"]), found["base"]
            kernel = np.array(found["kernel"], np.float64)
            made = cls(model, skeleton, float(found["fps"]), int(found["factor"]), base, kernel, dict(found["about"]))
            shapes = [(made.factor - 1, skeleton.nv), (STEPS, skeleton.nv), (made.factor - 1, STEPS)]
            if base not in BASES or not made.fps > 0.0 or not np.isfinite(kernel).all():
                raise ValueError("its numbers make no sense")
            if [model.event_shape, model.condition_shape, kernel.shape] != shapes:
                raise ValueError("its numbers make no sense")
        except RlsuiteError as error:
            raise RecordError(f"{path}: {error}") from None
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RecordError(f"{path}: no upsampler, or a damaged one ({type(error).__name__}: {error})") from None
        return made


def split(clip: MotionClip) -> list[MotionClip]:
    """Contiguous parts of a clip for fitting, for stopping early and for testing; each is played once."""
    edges = np.rint(np.cumsum((0.0, *SHARES)) * clip.n_frames).astype(int)
    return [
        replace(
            clip, qpos=clip.qpos[a:b], loop="once", wrap_heading=False, contacts=None, contact_names=(), confidence=None,
            startable=None,
        )
        for a, b in pairwise(edges.tolist())
    ]  # fmt: skip


def _intervals(fine: MotionClip, factor: int, base: sampling.Method, offset: int) -> list[tuple[Tensor, Tensor]]:
    """Changes and conditions, if any, of a fine clip whose coarse frames are every ``factor``-th from ``offset``."""
    n = (fine.n_frames - 1 - offset) // factor + 1
    if n < 4:
        return []
    truth = fine.qpos[offset : offset + (n - 1) * factor + 1]
    coarse = replace(fine, qpos=truth[::factor], fps=fine.fps / factor)
    guess = _between(coarse, factor, base)[1:-1, 1:]
    wanted = truth[:-1].reshape(n - 1, factor, -1)[1:-1, 1:]
    events = sampling.difference(fine.skeleton, guess, wanted)
    heading = rot.heading(coarse.qpos[1:-2, 3:7])[:, None]
    events[..., :3] = rot.rotate(rot.conjugate(heading), events[..., :3])
    conditions = _conditions(coarse.qpos, fine.skeleton)
    return [(torch.from_numpy(events.astype(np.float32)), torch.from_numpy(conditions.astype(np.float32)))]


def _between(coarse: MotionClip, factor: int, base: sampling.Method) -> Array:
    """``(n − 1, factor, nq)``: the interpolation from every coarse frame on."""
    times = (np.arange(coarse.n_frames - 1)[:, None] + np.arange(factor) / factor) / coarse.fps
    poses = sampling.sample(coarse, times, base)
    poses[:, 0] = coarse.qpos[:-1]
    return poses


def _conditions(qpos: Array, skeleton: Skeleton) -> Array:
    """``(n − 3, 5, nv)``: the steps around every inner interval; beyond the ends the last one is repeated."""
    steps = sampling.difference(skeleton, qpos[:-1], qpos[1:])
    around = np.arange(1, len(steps) - 1)[:, None] + np.arange(STEPS) - STEPS // 2
    found = steps[np.clip(around, 0, len(steps) - 1)]
    heading = rot.heading(qpos[1:-2, 3:7])[:, None]
    found[..., :3] = rot.rotate(rot.conjugate(heading), found[..., :3])
    return found


def _drawn(model: GenerativeModel, draws: int, conditions: Tensor, generator: torch.Generator) -> Tensor:
    """``(draws, n, factor − 1, nv)``: e, −e, and so on."""
    pairs = model.sample((draws + 1) // 2, conditions, generator=generator)
    return torch.stack([pairs, -pairs], 1).flatten(0, 1)[:draws]


def _kernel(changes: Tensor, conditions: Tensor) -> Tensor:
    """K ``(factor − 1, 5)`` by ridge regression over all intervals and numbers: K = Σ y cᵀ (Σ c cᵀ + λ I)⁻¹."""
    y, c = (x.movedim(1, 0).flatten(1).double() for x in (changes, conditions))
    square = c @ c.mT
    ridge = SHRINK * square.diagonal().mean() * torch.eye(STEPS, dtype=square.dtype)
    return torch.linalg.solve(square + ridge, c @ y.mT).mT.float()


def _predicted(kernel: Tensor, conditions: Tensor) -> Tensor:
    """K c ``(n, factor − 1, nv)``."""
    return kernel @ conditions
