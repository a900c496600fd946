"""Bodies inside one another, by MuJoCo's own collision detection in every frame."""

from __future__ import annotations

from collections import defaultdict

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.clip import MotionClip
from rlsuite.motion.quality.findings import Finding, above
from rlsuite.motion.quality.limits import Limits

Array = NDArray[np.float64]


def self_collision(clip: MotionClip, model: mujoco.MjModel, limits: Limits) -> list[Finding]:
    """Depth of every pair of bodies that overlap, but for those that do so in the rest pose.

    Which geoms can meet is the model's affair (``contype``, ``conaffinity``, exclusions, parents and their children).
    """
    data = mujoco.MjData(model)
    resting = set(_overlaps(model, data, model.qpos0))
    depth: dict[tuple[int, int], Array] = defaultdict(lambda: np.zeros(clip.n_frames))
    for t, qpos in enumerate(clip.qpos):
        for pair, overlap in _overlaps(model, data, qpos).items():
            if pair not in resting:
                depth[pair][t] = overlap
    found = []
    for pair, depths in sorted(depth.items()):
        first, second = (model.body(body).name for body in pair)
        found += above("self_collision", f"{first} / {second}", depths, "m", limits.self_collision)
    return found


def _overlaps(model: mujoco.MjModel, data: mujoco.MjData, qpos: Array) -> dict[tuple[int, int], float]:
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_collision(model, data)
    found: dict[tuple[int, int], float] = {}
    n = data.ncon
    if n:
        geoms, distance = data.contact.geom[:n], data.contact.dist[:n]
        for (a, b), gap in zip(model.geom_bodyid[geoms].tolist(), distance.tolist(), strict=True):
            if a and b and gap < 0.0:
                pair = (min(a, b), max(a, b))
                found[pair] = max(found.get(pair, 0.0), -gap)
    return found
