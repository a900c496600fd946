"""Retargeting: a clip of any skeleton performed by another, by default our humanoid.

1. Bodies meet in roles (:mod:`rlsuite.motion.joint_maps`), rest poses in an anatomical frame (``rest_pose``).
2. Rotations are transferred, limbs scaled one by one, the root's path by the length of the legs (``transfer``).
3. Feet that stand are locked to the ground (:mod:`rlsuite.motion.contacts`, ``foot_locks``).
4. Inverse kinematics over the whole clip meets positions and rotations within the joint limits and above the ground
   (:mod:`rlsuite.motion.inverse_kinematics`); the correction that it makes is smoothed over time and met again.

Units need not be known: the length of the legs sets the scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import body, inverse_kinematics, joint_maps, sampling
from rlsuite.motion import contacts as contacts_
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.joint_maps import ROLES, SIDES
from rlsuite.motion.quality import Limits, solids
from rlsuite.motion.quality import ground as ground_
from rlsuite.motion.retargeting import rates, temporal, transfer
from rlsuite.motion.retargeting.foot_locks import Soles, stood
from rlsuite.motion.retargeting.report import END_EFFECTORS, Report, Spread
from rlsuite.motion.retargeting.rest_pose import RestPose
from rlsuite.motion.skeleton import Skeleton

__all__ = ["Report", "Retargeted", "Spread", "retarget"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Names = Mapping[str, str | None] | str | Path
# weights of position (1) and rotation (metres per radian) by the part of a role
POSITION = {"pelvis": 1.0, "shin": 0.5, "foot": 3.5, "lower_arm": 0.3, "hand": 2.0, "head": 0.5}
ROTATION = {
    "pelvis": 0.3, "torso": 0.3, "head": 0.15, "thigh": 0.02, "shin": 0.02, "foot": 0.05, "toe": 0.05, "upper_arm": 0.02,
    "lower_arm": 0.02, "hand": 0.02,
}  # fmt: skip
LONE = 0.2  # rotation of a foot whose sole has less than two points
SOLE, STANDING = 0.5, 25.0  # of a point of the sole that swings and that stands
FAR = 10.0  # times the ratio of the legs' lengths that a scale may be, or one of it
SEAM = 2.0  # seconds of the neighbouring cycles that a cycle is retargeted with


@dataclass(frozen=True)
class Retargeted:
    """The clip on the target's skeleton, and how well it fits."""

    clip: MotionClip
    report: Report


def retarget(
    clip: MotionClip,
    target: Skeleton | None = None,
    *,
    mapping: Names | None = None,
    target_mapping: Names | None = None,
    scale: float | Literal["auto"] = "auto",
    contacts: Literal["auto", "clip", "none"] = "auto",
    ground: Literal["auto", "keep"] = "auto",
    smoothing: float = 0.03,
) -> Retargeted:
    """The motion of ``clip`` on ``target``.

    Args:
        target: any skeleton with a free root; default: our humanoid.
        mapping: roles of the source's bodies, ``{role: name}`` or a JSON file, where their names do not tell;
            target_mapping: those of the target's. See :mod:`rlsuite.motion.joint_maps`.
        scale: of the root's path; ``auto``: the ratio of the legs' lengths.
        contacts: when feet are locked to the ground: judged from height and speed, as the clip says (its labels by foot),
            or never.
        ground: ``auto`` raises the motion so that feet stand at height 0, ``keep`` leaves it where scaling puts it.
        smoothing: seconds (standard deviation) over which the corrections of inverse kinematics are smoothed; 0: not.

    Raises:
        SkeletonError: roles that must be are not found, or the rest pose shows no left and up.
        MotionError: the target has no free root, a setting is not one, or the clip has no labels where they are asked for.
    """
    target = body.skeleton() if target is None else target
    if not target.has_free_root:
        raise MotionError(f"skeleton {target.name!r} has no free root; a clip can only be retargeted to one that has")
    _check(clip, scale, contacts, ground, smoothing)
    slower = rates.thinned(clip)
    if slower is not clip:
        done = retarget(
            slower, target, mapping=mapping, target_mapping=target_mapping, scale=scale, contacts=contacts,
            ground=ground, smoothing=smoothing,
        )  # fmt: skip
        return Retargeted(rates.filled(done.clip, clip), done.report)
    source_rest = RestPose.of(clip.skeleton, joint_maps.match(clip.skeleton, mapping))
    target_rest = RestPose.of(target, joint_maps.match(target, target_mapping))
    factor = _scale(source_rest, target_rest, scale)
    poses, middle = _with_neighbours(clip)
    goal = transfer.goal(source_rest, target_rest, poses, factor)
    labels = _labels(clip, len(poses), middle.start) if contacts == "clip" else None
    aim, soles = stood(target_rest, goal, clip.fps, level=ground == "auto", label=contacts != "none", given=labels)
    guess = transfer.first_guess(target_rest, aim, clip.fps)
    targets = replace(_targets(target_rest, aim, soles, clip.fps), floor=soles.floor(target, guess, clip.fps))
    solution = temporal.solve(target, guess, targets, clip.fps, smoothing)
    out = solution.qpos[middle].copy()
    for at in target.quaternions:
        quat = rot.continuous(out[:, at : at + 4])
        out[:, at : at + 4] = quat if quat[0, 0] >= 0.0 else -quat
    result = replace(
        clip,
        qpos=out,
        skeleton=target,
        contacts=soles.by_foot[middle] if soles.labelled else None,
        contact_names=target.feet if soles.labelled else (),
        startable=None,
    )
    report = _report(clip, source_rest, target_rest, factor, aim, goal, soles, middle, result, solution)
    result = result.with_step(
        "retarget", source=clip.skeleton.name, target=target.name, scale=factor, height_offset=soles.offset,
        end_effector_error_cm=report.end_effector_error.mean, slide_cm_per_s=report.slide.mean,
    )  # fmt: skip
    return Retargeted(result, report)


def _check(clip: MotionClip, scale: float | str, contacts: str, ground: str, smoothing: float) -> None:
    if scale != "auto" and not (isinstance(scale, int | float) and np.isfinite(scale) and scale > 0.0):
        raise MotionError(f"scale must be 'auto' or a positive number, not {scale!r}")
    if contacts not in ("auto", "clip", "none"):
        raise MotionError(f"contacts must be 'auto', 'clip' or 'none', not {contacts!r}")
    if contacts == "clip" and clip.contacts is None:
        raise MotionError(f"clip {clip.name!r} has no labels of contacts; use contacts='auto'")
    if ground not in ("auto", "keep"):
        raise MotionError(f"ground must be 'auto' or 'keep', not {ground!r}")
    if not (np.isfinite(smoothing) and smoothing >= 0.0):
        raise MotionError(f"smoothing must be 0 or more seconds, not {smoothing!r}")


def _scale(source: RestPose, target: RestPose, scale: float | Literal["auto"]) -> float:
    if min(source.leg_length, target.leg_length) <= 0.0:
        if scale == "auto":
            raise MotionError("the legs of a rest pose have no length; give the scale of the motion (scale=)")
        return float(scale)
    legs = target.leg_length / source.leg_length
    if scale == "auto":
        return legs
    if not 1.0 / FAR <= scale / legs <= FAR:
        raise MotionError(
            f"scale {scale:g} is not that of a body: the ratio of the legs' lengths is {legs:.4g}, so a number from "
            f"{legs / FAR:.3g} to {legs * FAR:.3g} (default: that ratio)"
        )
    return float(scale)


def _with_neighbours(clip: MotionClip) -> tuple[Array, slice]:
    """The poses, for a cycle with some of the cycles before and after, so that its seam is as smooth as the rest."""
    if clip.loop != "wrap":
        return clip.qpos, slice(0, clip.n_frames)
    extra = min(clip.n_frames - 1, round(SEAM * clip.fps))
    before, after = np.arange(-extra, 0) / clip.fps, clip.duration + np.arange(1, extra + 1) / clip.fps
    poses = np.concatenate((sampling.sample(clip, before), clip.qpos, sampling.sample(clip, after)))
    return poses, slice(extra, extra + clip.n_frames)


def _labels(clip: MotionClip, n: int, start: int) -> dict[str, Mask]:
    """Side to ``(n,)`` whether the clip's own labels say that a foot of that side stands. ``start``: of its frame 0."""
    frames = (np.arange(n) - start) % max(1, clip.n_frames - 1) if clip.loop == "wrap" else np.arange(n)
    sides: dict[str, Mask] = {}
    for column, name in enumerate(clip.contact_names):
        side = joint_maps.side_of(name)
        if side is not None and clip.contacts is not None:
            sides[side] = sides.get(side, np.zeros(n, bool)) | clip.contacts[frames, column]
    return sides


def _targets(rest: RestPose, goal: transfer.Goal, soles: Soles, fps: float) -> inverse_kinematics.Targets:
    """What inverse kinematics is asked to meet: joints and soles in place, all bodies turned as the source's."""
    n = len(soles.wanted)
    bodies, places, weights = list[int](), list[Array](), list[Array]()
    offsets: list[Array] = []
    for role, place in goal.position.items():
        weight = POSITION.get(joint_maps.part_of(role), 0.0)
        if weight:
            at, offset = rest.where(role)
            standing = soles.of(at)
            if standing.any():  # a foot follows what its sole is held to
                place = place + (soles.locked - soles.wanted)[:, standing].mean(axis=1)
            bodies.append(at)
            offsets.append(offset)
            places.append(place)
            weights.append(np.full(n, weight))
    for i, point in enumerate(soles.points):
        bodies.append(point.body)
        offsets.append(np.array(point.offset))
        places.append(soles.locked[:, i])
        weights.append(SOLE * (STANDING / SOLE) ** soles.hold(i, fps))
    turns = {role: ROTATION[joint_maps.part_of(role)] for role in goal.rotation}
    for side in SIDES:  # without two points that show how a foot lies, its rotation must do
        if f"{side}_foot" in turns and np.count_nonzero(soles.of(rest.roles[f"{side}_foot"])) < 2:
            turns[f"{side}_foot"] = LONE
    return inverse_kinematics.Targets(
        point_bodies=tuple(bodies),
        offsets=np.array(offsets).reshape(-1, 3),
        positions=np.stack(places, axis=1),
        point_weights=np.stack(weights, axis=1),
        bodies=tuple(rest.roles[role] for role in turns),
        rotations=np.stack([goal.rotation[role] for role in turns], axis=1),
        rotation_weights=np.array(list(turns.values())),
    )


def _report(
    clip: MotionClip, source: RestPose, target: RestPose, scale: float, aim: transfer.Goal,
    goal: transfer.Goal, soles: Soles, middle: slice, result: MotionClip, solution: inverse_kinematics.Solution,
) -> Report:  # fmt: skip
    skeleton, qpos = target.skeleton, result.qpos
    place, quat = result.bodies
    shared = [role for role in ROLES if role in source.roles and role in target.roles]
    position = {}
    for role in (role for role in ROLES if role in source.roles and role in aim.position):
        if joint_maps.part_of(role) in POSITION or role in END_EFFECTORS:
            at, offset = target.where(role)
            here = place[:, at] + rot.rotate(quat[:, at], offset)
            position[role] = Spread.of(100.0 * np.linalg.norm(here - aim.position[role][middle], axis=-1))
    rotation = {
        role: Spread.of(np.degrees(rot.angle_between(quat[:, target.roles[role]], goal.rotation[role][middle])))
        for role in shared
        if role in goal.rotation
    }
    beyond = np.abs(inverse_kinematics.within_limits(skeleton, qpos) - qpos)
    stood = contacts_.on_bodies(result.bodies, soles.points) if soles.points else np.zeros((len(qpos), 0, 3))
    touching = soles.touching[middle]
    return Report(
        source=clip.skeleton.name,
        target=skeleton.name,
        frames=len(qpos),
        fps=clip.fps,
        roles={r: (clip.skeleton.body_names[source.roles[r]], skeleton.body_names[target.roles[r]]) for r in shared},
        unmatched=tuple(role for role in ROLES if (role in source.roles) != (role in target.roles)),
        scale=scale,
        limb_ratios=_limb_ratios(source, target),
        height_offset=soles.offset,
        height_swing=float(100.0 * np.abs(soles.rise[middle] - soles.offset).max()),
        position_error=position,
        rotation_error=rotation,
        limit_violations=int(np.count_nonzero(beyond > 1e-9)),
        largest_violation=float(beyond.max(initial=0.0)),
        slide=Spread.of(100.0 * _slide(result)),
        source_slide=Spread.of(100.0 * contacts_.slide(soles.wanted[middle], touching, clip.fps)),
        slide_of_all=Spread.of(100.0 * contacts_.slide(stood, soles.labels[middle], clip.fps)),
        contact_frames=dict(zip(skeleton.feet, soles.by_foot[middle].sum(axis=0).tolist(), strict=True))
        if soles.labelled
        else {},
        unconverged=int(np.count_nonzero(~solution.converged[middle])),
        iterations=float(solution.iterations[middle].mean()),
    )


def _slide(clip: MotionClip) -> Array:
    """``(k,)`` m/s of standing feet, step by step, as :func:`rlsuite.motion.quality.check` measures it."""
    if clip.contacts is None or not clip.skeleton.feet:
        return np.zeros(0)
    model = solids.model_of(clip.skeleton)
    parts = solids.Soles(clip) if model is None else solids.Solids(model, clip)
    speeds = np.concatenate(list(ground_.slide(clip, parts, Limits()).values()))
    return np.asarray(speeds[np.isfinite(speeds)])


def _limb_ratios(source: RestPose, target: RestPose) -> dict[str, float]:
    ratios = {}
    for limb, part in (("thigh", "thigh"), ("shin", "shin"), ("upper arm", "upper_arm"), ("lower arm", "lower_arm")):
        lengths = [(source.length(f"{side}_{part}"), target.length(f"{side}_{part}")) for side in SIDES
                   if f"{side}_{part}" in source.roles and f"{side}_{part}" in target.roles]  # fmt: skip
        if lengths and min(min(pair) for pair in lengths) > 0.0:
            ratios[limb] = float(np.mean([theirs / ours for ours, theirs in lengths]))
    return ratios
