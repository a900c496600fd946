"""All checks of one clip."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.quality import collisions, dynamics, ground, joints, leaps
from rlsuite.motion.quality.findings import Finding
from rlsuite.motion.quality.limits import DEFAULT, Limits
from rlsuite.motion.quality.report import QualityReport
from rlsuite.motion.quality.solids import Soles, Solids, model_of, require_fit

Array = NDArray[np.float64]


def check(
    clip: MotionClip,
    *,
    model: mujoco.MjModel | None = None,
    limits: Limits | None = None,
    raw: ArrayLike | None = None,
) -> QualityReport:
    """Everything that is wrong with a clip, frame by frame.

    Args:
        model: the compiled body, for skeletons that are not ours; its contact flags decide what can collide. Without one the
            checks that need solid parts and masses are left out, and the report says so.
        limits: thresholds (default: :class:`Limits`).
        raw: ``(T, nq)`` as it was read, before quaternions were normalised.

    Raises:
        SkeletonError: ``model`` is not of the clip's skeleton.
        MotionError: ``raw`` is of another size.
    """
    limits = limits or DEFAULT
    left_out = {}
    if raw is None:
        left_out["quaternion_norm"] = "a clip's quaternions are normalised when it is read"
    elif np.shape(raw) != clip.qpos.shape:
        raise MotionError(f"raw must be {clip.qpos.shape}, as the clip's qpos, not {np.shape(raw)}")
    if model is None:
        model = model_of(clip.skeleton, self_collision=True)
    else:
        require_fit(model, clip.skeleton)
    found: list[Finding] = []
    if model is None:
        why = f"needs solid parts and masses; skeleton {clip.skeleton.name!r} has none (import it, or name an MJCF)"
        left_out |= dict.fromkeys(("self_collision", "torque", "residual"), why)
        if clip.skeleton.feet:
            left_out["penetration of other parts than feet"] = why
            found += _ground(clip, Soles(clip), clip.bodies[0][:, 0, 2], limits)
        else:
            left_out |= dict.fromkeys(("penetration", "floating", "skate"), why)
    else:
        solids = Solids(model, clip)
        masses = model.body_mass[1:]
        height = _centre_of_mass(clip, model) if masses.any() else clip.bodies[0][:, 0, 2]
        found += _ground(clip, solids, height, limits)
        found += collisions.self_collision(clip, model, limits)
        if masses.any() and clip.skeleton.has_free_root:
            found += dynamics.plausibility(clip, solids, limits)
        else:
            left_out |= dict.fromkeys(("torque", "residual"), "needs masses and a free root")
        if clip.loop != "wrap" or clip.n_frames < 5:
            left_out["torque and residual of the first and last 0.08 s"] = "no accelerations there"
    found += joints.joint_limits(clip, limits)
    found += joints.speeds(clip, limits)
    found += joints.gimbal(clip, limits)
    found += leaps.leaps(clip, limits, leaps.find(clip, limits))
    found += leaps.jitter(clip, limits)
    found += leaps.quaternions(clip, limits, raw)
    found.sort(key=_urgency)
    return QualityReport(clip.name, clip.skeleton.name, clip.n_frames, clip.fps, tuple(found), left_out)


def _ground(clip: MotionClip, solids: Solids | Soles, height: Array, limits: Limits) -> list[Finding]:
    return [
        *ground.penetration(solids, limits),
        *ground.floating(clip, solids.clearance, height, limits),
        *ground.skate(clip, solids, limits),
    ]


def _centre_of_mass(clip: MotionClip, model: mujoco.MjModel) -> Array:
    """``(T,)`` height."""
    position, quat = clip.bodies
    centres = position + rot.rotate(quat, model.body_ipos[1:])
    return centres[..., 2] @ (model.body_mass[1:] / model.body_mass[1:].sum())


def _urgency(finding: Finding) -> tuple[int, float]:
    order = {"bad": 0, "warn": 1, "info": 2}[finding.severity]
    return order, -finding.worst / max(finding.threshold[0], 1e-12)
