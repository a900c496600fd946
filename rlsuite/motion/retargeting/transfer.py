"""From the poses of one skeleton to where the bodies of another should be: rotations by rest poses, positions by limbs.

A body turned by ``D`` away from its rest pose in the source is turned by ``D A`` in the target, where ``A`` lays the
target's bone along the source's at rest. Positions follow the target's own tree: every segment of a limb has its own
length and the source's direction, hips and shoulders sit on pelvis and torso, and the middle of the hips follows the
source's path, scaled by the length of the legs. So every limb is scaled on its own, and is in reach.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.inverse_kinematics import within_limits
from rlsuite.motion.joint_maps import ARM, LEG, SIDES
from rlsuite.motion.retargeting import hinges
from rlsuite.motion.retargeting.rest_pose import NEXT, RestPose, alignment
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
# segments of limbs, which take the source's direction; toes are carried by their foot
NEXT_OF_LIMB = {f"{side}_{part}" for side in SIDES for part in NEXT}
BENT = np.sin(np.radians(10.0))  # a limb bent less shows no axis
CLEAR = 0.5  # how long the mean of unit directions must be to say one


@dataclass(frozen=True)
class Goal:
    """Where the target's roles should be: ``(T, 3)`` and ``(T, 4)`` in the world, for the roles that both have."""

    position: dict[str, Array]
    rotation: dict[str, Array]

    def raised(self, height: Array) -> Goal:
        """The same, ``height (T,)`` metres higher."""
        up = np.multiply.outer(height, (0.0, 0.0, 1.0))
        return Goal({role: place + up for role, place in self.position.items()}, self.rotation)


def goal(source: RestPose, target: RestPose, qpos: Array, scale: float) -> Goal:
    """What the source's poses ``(T, nq)`` ask of the target."""
    place, quat = kinematics.forward(source.skeleton, qpos)
    turns = alignment(source, target)
    rotation = {}
    for role, turn in turns.items():
        body = source.roles[role]
        away = rot.multiply(quat[:, body], rot.conjugate(source.quat[body]))  # from the anatomical frame to the world
        rotation[role] = rot.multiply(away, rot.multiply(turn, target.quat[target.roles[role]]))
    there = {role: place[:, body] for role, body in source.roles.items()}
    _untwist(target, rotation, there)
    _carry_fixed(target, rotation)
    return Goal(_positions(target, rotation, there, scale), rotation)


def _carry_fixed(target: RestPose, rotation: dict[str, Array]) -> None:
    """Bodies without a joint that turns them go with the nearest one above that has a role."""
    skeleton = target.skeleton
    roles = {body: role for role, body in target.roles.items()}
    for role in rotation:
        body = above = target.roles[role]
        while above >= 0 and (above == body or roles.get(above) not in rotation):
            if any(skeleton.joints[j].kind != "slide" for j in skeleton.joints_of[above]):
                break
            above = skeleton.parents[above]
        if above not in (-1, body) and roles.get(above) in rotation:
            fixed = rot.multiply(rot.conjugate(target.quat[above]), target.quat[body])
            rotation[role] = rot.multiply(rotation[roles[above]], fixed)


def _positions(target: RestPose, rotation: dict[str, Array], there: dict[str, Array], scale: float) -> dict[str, Array]:
    """Origins of the roles, from the hips outwards."""
    at = {role: target.position[body] for role, body in target.roles.items()}
    right, left = (f"{side}_thigh" for side in SIDES)
    middle = scale * 0.5 * (there[right] + there[left])
    position = {"pelvis": middle - _carried(target, rotation, "pelvis", 0.5 * (at[right] + at[left]))}
    for role, anchor in (("torso", "pelvis"), ("head", "torso")):
        if role in rotation:
            anchor = anchor if anchor in position else "pelvis"
            position[role] = position[anchor] + _carried(target, rotation, anchor, at[role])
    chest = "torso" if "torso" in position else "pelvis"
    for side in SIDES:
        for previous, parts in (("pelvis", LEG), (chest, ARM)):
            for role in (f"{side}_{part}" for part in parts):
                body, offset = target.place(role)
                if offset is None or not (role in at or role in there):
                    break
                if role not in at:
                    at[role] = target.position[body] + rot.rotate(target.quat[body], offset)
                if previous in NEXT_OF_LIMB and previous in there and role in there:
                    way = _unit(there[role] - there[previous]) * np.linalg.norm(at[role] - at[previous])
                elif previous in rotation:
                    way = _carried(target, rotation, previous, at[role])
                else:
                    break
                position[role] = position[previous] + way
                previous = role
    return position


def _carried(target: RestPose, rotation: dict[str, Array], role: str, at: Array) -> Array:
    """The way from a role's origin to the point ``at`` of the rest pose, turned with the role."""
    body = target.roles[role]
    local = rot.rotate(rot.conjugate(target.quat[body]), at - target.position[body])
    return rot.rotate(rotation[role], local)


def _untwist(target: RestPose, rotation: dict[str, Array], there: dict[str, Array]) -> None:
    """Turn limbs about their own length, by one angle for the whole clip, so that knees and elbows that are single
    hinges bend in the plane in which the source's do.

    Rest poses do not tell how a source turns its palms or knees at rest; the bent limb does. The angle is the mean over
    the frames, weighted by how much the limb is bent; nothing is done where that mean is not clear.
    """
    for side in SIDES:
        for parts in (("thigh", "shin", "foot"), ("upper_arm", "lower_arm", "hand")):
            upper, lower, end = (f"{side}_{part}" for part in parts)
            if not (upper in rotation and lower in rotation and end in there):
                continue
            hinge = hinges.lone_hinge(target.skeleton, target.roles[lower])
            if hinge is None:
                continue
            axis, middle = hinge
            sign = _bending(target, upper, lower, axis, middle)
            if sign == 0.0:
                continue
            from_upper = rot.conjugate(target.quat[target.roles[upper]])
            axis = rot.rotate(rot.multiply(from_upper, target.quat[target.roles[lower]]), axis)
            along = {upper: _unit(there[lower] - there[upper]), lower: _unit(there[end] - there[lower])}
            normal = sign * np.cross(along[upper], along[lower])  # as long as the limb is bent
            bend = np.linalg.norm(normal, axis=-1)
            weight = bend > BENT
            hinge_now = rot.rotate(rotation[upper], axis)
            sine = weight @ np.sum(np.cross(hinge_now, normal) * along[upper], axis=-1)
            cosine = weight @ np.sum(hinge_now * normal, axis=-1)
            if np.hypot(sine, cosine) <= CLEAR * (weight @ bend):
                continue
            angle = np.full(len(normal), np.arctan2(sine, cosine))
            for role, axes in along.items():
                rotation[role] = rot.multiply(rot.from_axis_angle(axes, angle), rotation[role])


def _bending(target: RestPose, upper: str, lower: str, axis: Array, middle: float) -> float:
    """Which way about its axis a hinge bends its limb: as it is bent in the middle of its range; 0 where that is straight.

    A rest pose need not be straight: one with bent elbows may have more range to stretch them than to bend them.
    """
    bones = target.bone(upper), target.bone(lower)
    if bones[0] is None or bones[1] is None:
        return float(np.sign(middle))
    about = rot.rotate(target.quat[target.roles[lower]], axis)
    bent = rot.rotate(rot.from_axis_angle(about, np.asarray(middle)), _unit(bones[1]))
    sine = float(np.cross(_unit(bones[0]), bent) @ about)
    return float(np.sign(sine)) if abs(sine) > BENT else 0.0


def _unit(vector: Array) -> Array:
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-12)


def first_guess(target: RestPose, goal: Goal, fps: float) -> Array:
    """``(T, nq)`` poses within the limits whose bodies turn as the goal says, as far as their joints can.

    From the root outwards: each body takes the turn that is left between its parent, as it has become, and its goal. A
    body without a role in between takes its share of the way to the next one that has.
    """
    skeleton = target.skeleton
    role_of = {body: role for role, body in target.roles.items() if role in goal.rotation}
    wanted = {body: goal.rotation[role] for body, role in role_of.items()}
    n = len(goal.position["pelvis"])
    qpos = np.tile(skeleton.rest_qpos, (n, 1))
    now: list[Array] = []
    for body, parent in enumerate(skeleton.parents):
        start = skeleton.body_quat[body] if parent < 0 else rot.multiply(now[parent], skeleton.body_quat[body])
        start = np.broadcast_to(start, (n, 4))
        joints = skeleton.joints_of[body]
        turn = np.broadcast_to(rot.IDENTITY, (n, 4))
        if joints:
            following, share = _following(skeleton, body, set(wanted))
            if following is not None:
                # where this body would be if all between it and the one with a role stayed at rest
                rest = rot.multiply(rot.conjugate(target.quat[following]), target.quat[body])
                turn = rot.multiply(rot.conjugate(start), rot.multiply(wanted[following], rest))
                turn = rot.slerp(rot.IDENTITY, turn, np.full(n, share)) if share < 1.0 else turn
        if joints and skeleton.joints[joints[0]].kind == "free":
            qpos[:, 3:7] = rot.multiply(start, turn)
            now.append(qpos[:, 3:7])
        else:
            now.append(rot.multiply(start, hinges.set_turn(skeleton, body, turn, qpos, fps)))
    qpos = within_limits(skeleton, qpos)
    place, _ = kinematics.forward(skeleton, qpos)
    qpos[:, :3] += goal.position["pelvis"] - place[:, target.roles["pelvis"]]
    return qpos


def _following(skeleton: Skeleton, body: int, wanted: set[int]) -> tuple[int | None, float]:
    """The body itself or the nearest below it with a goal, and the share of the turn that this body takes: all of it,
    unless several bodies in line can turn freely."""
    queue, line = [body], {body: 1}
    while queue:
        here = queue.pop(0)
        if here in wanted:
            root = bool(skeleton.joints_of[body]) and skeleton.joints[skeleton.joints_of[body][0]].kind == "free"
            return here, 1.0 if root or not hinges.turns_freely(skeleton, body) else 1.0 / line[here]
        for child in skeleton.children(here):
            line[child] = line[here] + int(hinges.turns_freely(skeleton, child))
            queue.append(child)
    return None, 1.0
