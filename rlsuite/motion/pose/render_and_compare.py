"""Poses by rendering and comparing: Gaussians on the bodies are drawn, and the pixels that differ push the joints.

The loss of a pose is the squared difference between the pictures and the body drawn over the background, as a share of the
difference that an empty background would leave: 1 explains nothing, 0 everything. Its gradient by the pose is exact
(:func:`.body_gaussians.image_gradient`); Adam walks along it in the tangent space of the poses, joint limits kept. A coarse
stage compares wide blobs with blurred pictures, whose basin is as wide as the blur (Stoll et al. 2011, Fast articulated
motion tracking using a sums of Gaussians body model); then splats are compared with the pictures as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from rlsuite.errors import MotionError
from rlsuite.generative.implicit.splatting import splat
from rlsuite.motion import kinematics, sampling
from rlsuite.motion.cameras import Camera
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.pose.body_gaussians import BodyGaussians, image_gradient
from rlsuite.motion.pose.estimator import Frame, PoseSequence
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]

BETAS, EPSILON = (0.8, 0.95), 1e-8  # of Adam: short memories for few steps
DEPTH_MARGIN = 0.15  # metres that a key point may lie behind the surface that is seen in its pixel


class Stage(NamedTuple):
    """``steps`` of Adam of size ``rate`` (radians and metres, falling to nought), pictures blurred by ``blur`` metres."""

    blur: float
    steps: int
    rate: float


STAGES = (Stage(0.10, 40, 0.03), Stage(0.04, 30, 0.02), Stage(0.0, 30, 0.01))  # from a pose that is far off
TRACKING = (Stage(0.0, 30, 0.01),)  # from the frame before: blobs would be blind to what is known already


@dataclass(frozen=True)
class Refined:
    """A pose ``(nq,)``, and the share of what differs from the background that it explains, from 0 to 1."""

    qpos: Array
    explained: float


class _Sight(NamedTuple):
    """What one camera saw: picture and background ``(height, width, 3)`` in 0 … 1, and the loss of the background alone."""

    camera: Camera
    picture: torch.Tensor
    background: torch.Tensor
    empty: float


@dataclass(frozen=True, eq=False)
class RenderAndCompare:
    """Refines poses so that the body, drawn in them, looks as in the pictures.

    Args:
        gaussians: of the body, in its colours.
        initial: where to begin: a pose ``(nq,)`` of the first frame, or poses ``(T, nq)`` of all, such as another
            estimator's.
        background: of each camera, a picture or a colour in 0 … 255; one for all cameras, or one for each.
        stages: of the first frame and of those that are lost, the coarse one first. tracking: of the others.
        width: pictures are made this many pixels wide, if they are wider.
        stay: strength that holds a pose at its start, which decides what the pictures leave open.
        lost: a frame that tracking explains so much less than the best one is sought with ``stages``.
        enough: a frame that its pose explains less than this is bad: its pose is the start, its confidence 0.
    """

    gaussians: BodyGaussians
    initial: ArrayLike
    background: ArrayLike | Sequence[ArrayLike] = (255.0, 255.0, 255.0)
    stages: Sequence[Stage] = STAGES
    tracking: Sequence[Stage] = TRACKING
    width: int = 96
    stay: float = 1e-3
    lost: float = 0.1
    enough: float = 0.5
    name: str = "render-and-compare"

    @property
    def skeleton(self) -> Skeleton:
        return self.gaussians.skeleton

    def refine(
        self, frames: Sequence[Frame], cameras: Sequence[Camera], qpos: ArrayLike, stages: Sequence[Stage] | None = None
    ) -> Refined:
        """The pose near ``qpos (nq,)`` that explains one picture of each camera best."""
        start = np.array(qpos, np.float64)
        pose = start
        stages = self.stages if stages is None else stages
        sharp = self._sights(frames, cameras, pose, 0.0)
        for stage in stages:
            sights = self._sights(frames, cameras, pose, stage.blur) if stage.blur > 0 else sharp
            pose = self._descend(self.gaussians.widened(stage.blur), sights, pose, start, stage)
        return Refined(pose, 1.0 - min(1.0, self._loss(self.gaussians, sharp, pose)[0]))

    def estimate(
        self, frames: Iterable[Frame], fps: float, camera: Camera | Sequence[Camera] | None = None
    ) -> PoseSequence:
        """Key points in the world (pixels with one camera), and the clip.

        A frame starts from the pose before, moved on as before, or from that of ``initial`` where it has all, if that
        explains more. Bad frames are bridged; the next one starts anew from what is known.

        Raises:
            MotionError: no camera, no frame, or initial poses for fewer frames than there are.
        """
        if camera is None:
            raise MotionError("rendering needs a camera; give the one that took the video")
        cameras = [camera] if isinstance(camera, Camera) else list(camera)
        videos = [frames] if isinstance(camera, Camera) else list(frames)
        initial = np.atleast_2d(np.asarray(self.initial, np.float64))
        poses: list[Array] = []
        explained: list[float] = []
        good: list[tuple[int, Array]] = []
        for t, pictures in enumerate(_together(videos, cameras)):
            if len(initial) > 1 and t >= len(initial):
                raise MotionError(f"there are initial poses of {len(initial)} frames, and the video has more")
            starts = self._starts(good, t)
            if t == 0 or len(initial) > 1:
                starts.append(initial[t])
            sights = self._sights(pictures, cameras, starts[0], 0.0)
            start = min(starts, key=lambda q: self._loss(self.gaussians, sights, q)[0])
            refined = self.refine(pictures, cameras, start, self.tracking) if good else Refined(start, 0.0)
            if refined.explained < max(explained, default=1.0) - self.lost:
                sought = self.refine(pictures, cameras, start)
                refined = sought if sought.explained > refined.explained else refined
            bad = refined.explained < self.enough
            poses.append(start if bad else refined.qpos)
            explained.append(0.0 if bad else refined.explained)
            if not bad:
                good.append((t, refined.qpos))
        if not poses:
            raise MotionError("the video has no frame")
        return self._sequence(np.array(poses), np.array(explained), fps, cameras)

    def _starts(self, good: Sequence[tuple[int, Array]], t: int) -> list[Array]:
        """The last good pose, and where the last two lead if they follow each other."""
        if len(good) < 2:
            return [q for _, q in good]
        (s, before), (u, last) = good[-2:]
        if u - s > 1 or t - u > 1:
            return [last]
        return [last, sampling.integrate(self.skeleton, last, sampling.difference(self.skeleton, before, last))]

    def _sights(self, frames: Sequence[Frame], cameras: Sequence[Camera], qpos: Array, blur: float) -> list[_Sight]:
        """Pictures made small, and blurred as the body's middle would be by ``blur`` metres."""
        sights = []
        backgrounds = self._backgrounds(len(cameras))
        for frame, camera, behind in zip(frames, cameras, backgrounds, strict=True):
            if np.shape(frame) != (camera.height, camera.width, 3):
                raise MotionError(
                    f"a frame of this camera is ({camera.height}, {camera.width}, 3), not {np.shape(frame)}"
                )
            full = np.broadcast_to(behind, frame.shape).astype(np.float32) / 255.0
            factor = max(1, math.ceil(camera.width / self.width))
            K = np.diag([1.0 / factor, 1.0 / factor, 1.0]) @ camera.K
            small = Camera(camera.R, camera.t, K, camera.width // factor, camera.height // factor)
            pixels = blur * small.K[1, 1] / max(float(small.depth(qpos[:3])), 0.1)
            parts = []
            for picture in (np.asarray(frame, np.float32) / np.float32(255.0), full):
                smaller = _shrunk(picture, factor)
                parts.append(gaussian_filter(smaller, (pixels, pixels, 0), mode="nearest") if blur > 0 else smaller)
            seen, empty = (torch.from_numpy(np.ascontiguousarray(part)) for part in parts)
            sights.append(_Sight(small, seen, empty, float((seen - empty).square().mean()) + 1e-6))
        return sights

    def _backgrounds(self, n: int) -> list[Array]:
        if isinstance(self.background, Sequence) and len(self.background) == n and np.ndim(self.background[0]) > 0:
            return [np.asarray(one, np.float64) for one in self.background]
        return [np.asarray(self.background, np.float64)] * n

    def _loss(self, gaussians: BodyGaussians, sights: Sequence[_Sight], qpos: Array) -> tuple[float, Array]:
        """Mean over cameras of the difference, as a share of the background's, and its gradient ``(nv,)``."""
        posed = gaussians.posed(qpos)
        posed.means.requires_grad_()
        posed.quats.requires_grad_()
        total = posed.means.new_zeros(())
        for camera, picture, background, empty in sights:
            seen = splat.render(posed, camera)
            drawn = seen.color + (1.0 - seen.alpha)[..., None] * background
            total = total + (drawn - picture).square().mean() / (empty * len(sights))
        total.backward()
        return total.item(), image_gradient(gaussians, qpos, posed)

    def _descend(
        self, gaussians: BodyGaussians, sights: Sequence[_Sight], qpos: Array, start: Array, stage: Stage
    ) -> Array:
        """Adam in the tangent space; the best pose that was met."""
        low, high, addresses = _limits(self.skeleton)
        mean, square = np.zeros((2, self.skeleton.nv))
        best, least = qpos, math.inf
        for step in range(stage.steps):
            loss, gradient = self._loss(gaussians, sights, qpos)
            away = sampling.difference(self.skeleton, start, qpos)
            loss, gradient = loss + self.stay * float(away @ away), gradient + 2.0 * self.stay * away
            if loss < least:
                best, least = qpos, loss
            mean = BETAS[0] * mean + (1 - BETAS[0]) * gradient
            square = BETAS[1] * square + (1 - BETAS[1]) * gradient**2
            unbiased = mean / (1 - BETAS[0] ** (step + 1))
            scale = np.sqrt(square / (1 - BETAS[1] ** (step + 1))) + EPSILON
            rate = stage.rate * 0.5 * (1.0 + math.cos(math.pi * step / stage.steps))
            qpos = sampling.integrate(self.skeleton, qpos, -rate * unbiased / scale)
            qpos[addresses] = np.clip(qpos[addresses], low, high)
        return best

    def _sequence(self, poses: Array, explained: Array, fps: float, cameras: Sequence[Camera]) -> PoseSequence:
        names = tuple(self.skeleton.keypoints)
        points = kinematics.keypoints(self.skeleton, poses)  # (T, K, 3)
        seen = np.stack([self._seen(poses, points, camera) for camera in cameras]).any(0)
        confidence = explained[:, None] * np.where(seen, 1.0, 0.5)
        clip = MotionClip(
            self.skeleton.follow(poses),
            fps,
            self.skeleton,
            name=self.name,
            confidence=explained,
            provenance=({"step": "estimated", "by": self.name},),
        )
        if len(cameras) == 1:
            points = cameras[0].project(points)
            confidence = np.where(np.isnan(points).any(-1), 0.0, confidence)
        return PoseSequence(points, confidence, names, fps, clip)

    def _seen(self, poses: Array, points: Array, camera: Camera) -> NDArray[np.bool_]:
        """``(T, K)`` whether key points are in the picture, and not behind another part of the body."""
        seen = np.zeros(points.shape[:2], bool)
        for t, qpos in enumerate(poses):
            depth = splat.render(self.gaussians.posed(qpos), camera).depth.numpy()
            pixels = np.nan_to_num(camera.project(points[t]), nan=-1.0)
            column, row = np.floor(pixels).astype(np.int64).T
            inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
            surface = depth[np.clip(row, 0, camera.height - 1), np.clip(column, 0, camera.width - 1)]
            seen[t] = inside & ((surface == 0) | (camera.depth(points[t]) < surface + DEPTH_MARGIN))
        return seen


def _together(videos: Sequence[Iterable[Frame]], cameras: Sequence[Camera]) -> Iterator[Sequence[Frame]]:
    """The frames of one instant after another; ends with the shortest video."""
    if len(videos) != len(cameras):
        raise MotionError(f"{len(videos)} videos and {len(cameras)} cameras: there must be one for each")
    return zip(*videos, strict=False)


def _shrunk(picture: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """``(height // factor, width // factor, 3)``, the means of squares of pixels."""
    if factor == 1:
        return picture
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    cut = picture[: height * factor, : width * factor]
    return cut.reshape(height, factor, width, factor, 3).mean((1, 3))


def _limits(skeleton: Skeleton) -> tuple[Array, Array, NDArray[np.intp]]:
    """Lowest and highest values of the joints that have a range, and where they are in ``qpos``."""
    rows = [
        (joint.range[0], joint.range[1], at)
        for joint, at in zip(skeleton.joints, skeleton.qpos_address, strict=True)
        if joint.range is not None and joint.kind in ("hinge", "slide")
    ]
    low, high, at = np.array(rows).reshape(-1, 3).T
    return low, high, at.astype(np.intp)
