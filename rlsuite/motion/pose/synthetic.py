"""Synthetic pictures of a body for training: poses, cameras, light, colours and backgrounds drawn at random.

Everything but the picture is exact: key points are those of the kinematics, seen through the same camera, and a point
counts as seen by what the rays towards it meet. Every picture comes from a seed sequence of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import models
from rlsuite.motion import rotations as rot
from rlsuite.motion.cameras import Camera
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.pose.crops import Square
from rlsuite.motion.pose.synthetic_appearance import Lens, Light, Mask, Variation, occluders, paint, random_look
from rlsuite.motion.pose.synthetic_backgrounds import background
from rlsuite.motion.pose.synthetic_splits import TRAIN, Split
from rlsuite.motion.render.geoms import VISIBLE_GROUPS
from rlsuite.motion.render.look import Look, to_linear
from rlsuite.motion.render.picture import Render
from rlsuite.motion.render.renderer import Renderer
from rlsuite.motion.render.scene import Actor, Scene
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
LINEAR = to_linear(np.arange(256) / 255.0).astype(np.float32)  # light of every value of a picture
SLACK = 0.15  # metres of its own flesh that a key point may lie under and still count as seen
LOWEST = 0.15  # metres above the ground, of a camera
_GROUPS = np.array([group in VISIBLE_GROUPS for group in range(6)], np.uint8)


class Studio:
    """Draws one body, in whatever colours its ``model`` has now, and knows where its key points are and which are seen.

    Args:
        skeleton: of the poses. model: its body, painted over; default the suite's own (:func:`models.model_of`).

    Attributes:
        names: of the ``K`` key points. model: hidden floor; colours may be changed (:func:`paint`).
    """

    def __init__(self, skeleton: Skeleton, model: mujoco.MjModel | None = None) -> None:
        if not skeleton.keypoints:
            raise MotionError(f"skeleton {skeleton.name!r} has no key points to look for")
        self.skeleton, self.model = skeleton, models.model_of(skeleton) if model is None else model
        self.model.geom_rgba[self.model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] = 0.0
        self.names = tuple(skeleton.keypoints)
        self._data = mujoco.MjData(self.model)
        self._renderer = Renderer(backend="software")
        self._body = np.array([body + 1 for body, _ in skeleton.keypoints.values()])
        self._offset = np.array([offset for _, offset in skeleton.keypoints.values()])
        parent = self.model.body_parentid
        own = np.arange(self.model.nbody)
        self._near = (own[:, None] == own) | (parent[:, None] == own) | (own[:, None] == parent)  # (body, body)

    def keypoints(self, qpos: ArrayLike) -> Array:
        """``(K, 3)`` in the world."""
        self._data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, self._data)
        turn = self._data.xmat[self._body].reshape(-1, 3, 3)
        return self._data.xpos[self._body] + np.einsum("kij,kj->ki", turn, self._offset)

    def seen(self, qpos: ArrayLike, camera: Camera) -> NDArray[np.bool_]:
        """``(K,)`` which key points the camera sees: in its picture, and with nothing before them but their own flesh.

        The first surface along the ray to a point must lie behind it, or at most :data:`SLACK` before it on the point's
        own body, its parent or a child.
        """
        points = self.keypoints(qpos)
        vectors = points - camera.t
        n, reach = len(points), np.linalg.norm(vectors, axis=1)
        geoms, hits = np.empty(n, np.int32), np.empty(n)
        directions = np.ascontiguousarray(vectors / reach[:, None]).reshape(-1)
        mujoco.mj_multiRay(
            self.model, self._data, camera.t, directions, _GROUPS, True, -1, geoms, hits, None, n, mujoco.mjMAXVAL
        )
        before = np.where(geoms >= 0, reach - hits, -np.inf)
        near = self._near[self.model.geom_bodyid[geoms], self._body]
        inside = in_picture(camera.project(points), camera)
        return inside & ((before <= 1e-3) | (near & (before <= SLACK)))

    def draw(self, qpos: ArrayLike, camera: Camera, look: Look, behind: Light | None) -> tuple[Light, Render]:
        """Linear light ``(H, W, 3)`` of the body, on the floor of ``look`` or before the picture ``behind``."""
        body = [Actor(self.model, qpos)]
        if behind is None:
            picture = self._renderer.render_scene(Scene(body, look=look), camera)
            return LINEAR[picture.rgb], picture
        dark = replace(look, horizon=(0.0, 0.0, 0.0), zenith=(0.0, 0.0, 0.0))
        picture = self._renderer.render_scene(Scene(body, look=dark, floor=False), camera)
        return LINEAR[picture.rgb] + (1.0 - picture.mask)[..., None] * behind, picture


def in_picture(pixels: ArrayLike, camera: Camera) -> NDArray[np.bool_]:
    """``(...)`` whether ``pixels (..., 2)`` lie in the camera's picture."""
    uv = np.asarray(pixels, np.float64)
    return np.asarray(((uv >= 0.0) & (uv < (camera.width, camera.height))).all(-1))


def uncovered(pixels: Array, mask: Mask) -> NDArray[np.bool_]:
    """``(K,)`` whether pixels ``(K, 2)`` are outside the ``mask (H, W)`` of what stands before the body."""
    column, row = (np.clip(pixels[:, i].astype(np.intp), 0, mask.shape[1 - i] - 1) for i in (0, 1))
    return ~mask[row, column]


def camera_towards(points: Array, azimuth: float, elevation: float, distance: float, roll: float = 0.0) -> Camera:
    """A camera of 640 by 640 pixels that looks at the middle of ``points (K, 3)`` from an azimuth in the world."""
    target = (points.min(axis=0) + points.max(axis=0)) / 2
    level = math.cos(elevation)
    back = np.array([math.cos(azimuth) * level, math.sin(azimuth) * level, math.sin(elevation)])
    place = target + distance * back
    place[2] = max(place[2], LOWEST)
    right = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    up = math.cos(roll) * np.array([0.0, 0.0, 1.0]) + math.sin(roll) * right
    return Camera.look_at(place, target, up, width=640, height=640)


class Crops(NamedTuple):
    """Pictures of single poses.

    Attributes:
        images: ``(N, S, S, 3)`` uint8. keypoints: ``(N, K, 2)`` pixels of the crop, also of points that lie outside it.
        seen: ``(N, K)``. positions: ``(N, K, 3)`` metres in the world. qpos: ``(N, nq)``. cameras: of the crops.
    """

    images: NDArray[np.uint8]
    keypoints: Array
    seen: NDArray[np.bool_]
    positions: Array
    qpos: Array
    cameras: tuple[Camera, ...]


class CropSource:
    """Endless crops of the poses of one split's clips, in random looks.

    Args:
        split: :data:`TRAIN` or :data:`HELD_OUT`. size: of the crops in pixels.
        clips: instead of the split's; all on one skeleton.
    """

    def __init__(
        self,
        split: Split = TRAIN,
        size: int = 64,
        variation: Variation | None = None,
        clips: Sequence[MotionClip] | None = None,
    ) -> None:
        self.split, self.size, self.variation = split, size, variation or Variation()
        self.clips = split.load_clips() if clips is None else list(clips)
        if not self.clips or any(clip.skeleton.nq != self.clips[0].skeleton.nq for clip in self.clips):
            raise MotionError("crops are made from at least one clip, all of one skeleton")
        self.studio = Studio(self.clips[0].skeleton)
        self.names = self.studio.names
        self._subtrees = _subtrees(self.studio.skeleton)

    def batch(self, n: int, seed: np.random.SeedSequence) -> Crops:
        """``n`` crops from the next ``n`` children of ``seed``, which counts them: a second call gives others."""
        return _stacked([self._one(np.random.Generator(np.random.PCG64(child))) for child in seed.spawn(n)])

    def _one(self, rng: np.random.Generator) -> _Crop:
        variation, studio, size = self.variation, self.studio, self.size
        qpos = self._pose(rng)
        points = studio.keypoints(qpos)
        if studio.skeleton.has_free_root and points[:, 2].min() < 0.0:  # a leg of another frame, below the floor
            qpos[2] -= points[:, 2].min()
            points = studio.keypoints(qpos)
        heading = float(rot.heading_angle(qpos[3:7])) if studio.skeleton.has_free_root else 0.0
        wide = camera_towards(
            points,
            self.split.azimuth(rng) + heading,
            rng.uniform(*variation.elevation),
            math.exp(rng.uniform(*np.log(variation.distance))),
            rng.uniform(-variation.roll, variation.roll),
        )
        square = Square.around(wide.project(points))
        shift = square.side * rng.uniform(-variation.shift, variation.shift, 2)
        side = square.side * rng.uniform(*variation.scale)
        camera = Square(square.u + shift[0], square.v + shift[1], side).camera(wide, size)
        paint(studio.model, rng)
        look, name = random_look(rng), self.split.backgrounds[rng.integers(len(self.split.backgrounds))]
        behind = None if name == "floor" else background(name, rng, size, size)
        light, _ = studio.draw(qpos, camera, look, behind)
        pixels = camera.project(points)
        seen = studio.seen(qpos, camera)
        if rng.random() < variation.occluded:
            mask, front = occluders(rng, size, size, (*pixels.min(axis=0), *pixels.max(axis=0)))
            light[mask] = front[mask]
            seen &= uncovered(pixels, mask)
        image = Lens.random(rng, variation, size / 64).develop(light, rng)
        return _Crop(image, pixels, seen, points, qpos, camera)

    def _pose(self, rng: np.random.Generator) -> Array:
        """A frame of a clip, perhaps with a limb of another frame, its hinges shaken within their limits."""
        skeleton, variation = self.studio.skeleton, self.variation
        qpos = self._frame(rng).copy()
        if rng.random() < variation.limbs:
            limb = self._subtrees[rng.integers(len(self._subtrees))]
            qpos[limb] = self._frame(rng)[limb]
        if variation.pose > 0.0:
            hinges = [a for a, j in zip(skeleton.qpos_address, skeleton.joints, strict=True) if j.kind == "hinge"]
            shaken = qpos[hinges] + rng.normal(0.0, variation.pose, len(hinges))
            qpos[hinges] = np.clip(shaken, *skeleton.qpos_range[hinges].T)
        return qpos

    def _frame(self, rng: np.random.Generator) -> Array:
        clip = self.clips[rng.integers(len(self.clips))]
        return clip.qpos[rng.integers(clip.n_frames)]


class _Crop(NamedTuple):
    image: NDArray[np.uint8]
    keypoints: Array
    seen: NDArray[np.bool_]
    positions: Array
    qpos: Array
    camera: Camera


def _stacked(crops: Sequence[_Crop]) -> Crops:
    images, keypoints, seen, positions, qpos, cameras = zip(*crops, strict=True)
    return Crops(
        np.stack(images), np.stack(keypoints), np.stack(seen), np.stack(positions), np.stack(qpos), tuple(cameras)
    )


def _subtrees(skeleton: Skeleton) -> list[NDArray[np.intp]]:
    """Addresses in ``qpos`` of the joints of every body but the root and of all that hangs on it."""
    found = []
    for top in range(1, skeleton.nbody):
        below = {top}
        below |= {body for body in range(top, skeleton.nbody) if _is_under(skeleton, body, top)}
        address = [
            at + i
            for joint, at in zip(skeleton.joints, skeleton.qpos_address, strict=True)
            if joint.body in below
            for i in range({"ball": 4, "free": 7}.get(joint.kind, 1))
        ]
        if address:
            found.append(np.array(address, np.intp))
    return found


def _is_under(skeleton: Skeleton, body: int, top: int) -> bool:
    while body > top:
        body = skeleton.parents[body]
    return body == top
