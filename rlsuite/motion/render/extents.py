"""How far bodies reach: the corners of their geoms, which a camera is to have in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.cameras import Camera, framing
from rlsuite.motion.render.geoms import VISIBLE_GROUPS, colours

if TYPE_CHECKING:
    from rlsuite.motion.render.scene import Scene

Array = NDArray[np.float64]


def geom_corners(model: mujoco.MjModel, qpos: ArrayLike) -> Array:
    """``(T, 8 n, 3)`` corners of boxes around the ``n`` visible geoms of the bodies in poses ``qpos (T, nq)``."""
    poses = checked_motion(model, qpos)
    data = mujoco.MjData(model)
    shown = np.isin(model.geom_group, VISIBLE_GROUPS) & (colours(model)[:, 3] > 0) & (model.geom_bodyid > 0)
    shown &= model.geom_type != mujoco.mjtGeom.mjGEOM_PLANE
    signs = np.array(np.meshgrid(*3 * [(-1.0, 1.0)])).reshape(3, 8).T  # (8, 3)
    corners = model.geom_aabb[shown, None, :3] + signs * model.geom_aabb[shown, None, 3:]  # (n, 8, 3)
    found = np.empty((len(poses), 8 * int(shown.sum()), 3))
    for frame, pose in enumerate(poses):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        rotation = data.geom_xmat[shown].reshape(-1, 3, 3)
        found[frame] = (np.einsum("nij,nkj->nki", rotation, corners) + data.geom_xpos[shown, None]).reshape(-1, 3)
    return found


def checked_motion(model: mujoco.MjModel, qpos: ArrayLike) -> Array:
    """``qpos`` as ``(T, nq)`` poses of the model.

    Raises:
        MotionError: they are not, there is none, or one is not finite.
    """
    poses = np.asarray(qpos, np.float64)
    if poses.ndim != 2 or poses.shape[1] != model.nq or len(poses) == 0:
        raise MotionError(f"a motion of this body is an array (frames, {model.nq}), not {poses.shape}")
    if not np.isfinite(poses).all():
        frame = int(np.flatnonzero(~np.isfinite(poses).all(axis=1))[0])
        raise MotionError(f"frame {frame} of the motion is not finite")
    return poses


def scene_camera(scene: Scene, width: int, height: int) -> Camera:
    """A camera that has all bodies of ``scene`` in view."""
    around = [geom_corners(actor.model, np.asarray(actor.qpos)[None])[0] + actor.offset for actor in scene.actors]
    points = np.concatenate([*around, np.zeros((0, 3))])
    return framing(points if len(points) else np.zeros((1, 3)), width, height, pad=0.0 if len(points) else 1.0)
