"""Rest poses brought together: which way each skeleton faces at rest, and how its bones lie there.

A rest pose may be a T, an A, arms hanging, legs apart, with any axes along the bones. What is common to all is
anatomy: up from the hips to the chest, left from the right hip to the left one. In that frame the bones of two skeletons
differ by the smallest turns that lay one along the other, which keep the twist of a limb: palms that face down in a T
face the thighs when the arms hang.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import SkeletonError
from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.joint_maps import SIDES
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
SNAP = np.radians(30.0)  # a rest pose that leans less is taken to stand upright
NEXT = {"thigh": "shin", "shin": "foot", "upper_arm": "lower_arm", "lower_arm": "hand"}


@dataclass(frozen=True)
class RestPose:
    """A skeleton at rest, seen in the anatomical frame (X forward, Y left, Z up).

    Attributes:
        roles: role to body. position: ``(nbody, 3)`` metres. quat: ``(nbody, 4)``.
        frame: ``(4,)`` turn from the skeleton's own rest pose to the anatomical frame.
    """

    skeleton: Skeleton
    roles: dict[str, int]
    position: Array
    quat: Array
    frame: Array

    @classmethod
    def of(cls, skeleton: Skeleton, roles: dict[str, int]) -> RestPose:
        """The rest pose, its frame found from hips and chest.

        Raises:
            SkeletonError: the hips are in one place, or chest and hips lie in one line.
        """
        position, quat = kinematics.forward(skeleton, skeleton.rest_qpos)
        frame = _anatomical_frame(skeleton, roles, position)
        return cls(skeleton, roles, rot.rotate(frame, position), rot.multiply(frame, quat), frame)

    def bone(self, role: str) -> Array | None:
        """``(3,)`` from the role's joint to the next one of its limb, or ``None``."""
        side, _, part = role.partition("_")
        following = f"{side}_{NEXT.get(part, '')}"
        if following in self.roles:
            return self.position[self.roles[following]] - self.position[self.roles[role]]
        body, tip = self.place(following)
        return None if tip is None else rot.rotate(self.quat[body], tip)

    def place(self, role: str) -> tuple[int, Array | None]:
        """Body and offset ``(3,)`` of a role's joint: its own origin; of a hand that the skeleton lacks, the free end of
        the forearm, its furthest key point. The offset is ``None`` where there is none of these."""
        if role in self.roles:
            return self.roles[role], np.zeros(3)
        side, _, part = role.partition("_")
        arm = self.roles.get(f"{side}_lower_arm", -1)
        ends = [np.array(at) for b, at in self.skeleton.keypoints.values() if b == arm] if part == "hand" else []
        return arm, max(ends, key=lambda at: float(np.linalg.norm(at)), default=None)

    def where(self, role: str) -> tuple[int, Array]:
        """:meth:`place` of a role that is known to have one."""
        body, offset = self.place(role)
        return body, np.zeros(3) if offset is None else offset

    def length(self, role: str) -> float:
        """Metres of a bone; 0 where it is not known."""
        bone = self.bone(role)
        return 0.0 if bone is None else float(np.linalg.norm(bone))

    def foot_direction(self, side: str) -> Array | None:
        """``(3,)`` from ankle or heel to toe: the toe's body, else key points of the foot, or ``None``."""
        foot = self.roles[f"{side}_foot"]
        points = {n.lower(): at for n, (b, at) in self.skeleton.keypoints.items() if b == foot}
        tip = self.roles.get(f"{side}_toe")
        toes = [at for name, at in points.items() if "toe" in name]
        if tip is not None:
            return self.position[tip] - self.position[foot]
        if not toes:
            return None
        heels = [at for name, at in points.items() if "heel" in name]
        start = np.mean(heels, axis=0) if heels else np.zeros(3)
        return rot.rotate(self.quat[foot], np.mean(toes, axis=0) - start)

    @property
    def leg_length(self) -> float:
        """Metres from hip to ankle along the bones, the mean of both legs."""
        return float(np.mean([self.length(f"{side}_thigh") + self.length(f"{side}_shin") for side in SIDES]))


def alignment(source: RestPose, target: RestPose) -> dict[str, Array]:
    """Role to the turn ``(4,)`` in the anatomical frame that lays the target's bone along the source's.

    Feet turn about the vertical only: soles are flat at rest, wherever the skeletons have their ankles and toes. Trunk
    and head stand upright in both.
    """
    turns: dict[str, Array] = {}
    for role in target.roles:
        if role not in source.roles:
            continue
        side, _, part = role.partition("_")
        ours, theirs = target.bone(role), source.bone(role)
        turns[role] = rot.IDENTITY
        if part in ("foot", "toe"):
            ours, theirs = target.foot_direction(side), source.foot_direction(side)
            if ours is not None and theirs is not None:
                flat = all(np.hypot(*v[:2]) > 0.5 * np.linalg.norm(v) for v in (ours, theirs))
                turns[role] = between(ours * [1, 1, 0], theirs * [1, 1, 0]) if flat else between(ours, theirs)
        elif part == "hand":
            turns[role] = turns.get(f"{side}_lower_arm", rot.IDENTITY)
        elif ours is not None and theirs is not None:
            turns[role] = between(ours, theirs)
        elif part == "lower_arm":  # no hand shows its direction: the arm is taken to be straight at rest
            turns[role] = turns.get(f"{side}_upper_arm", rot.IDENTITY)
    return turns


def between(start: ArrayLike, end: ArrayLike) -> Array:
    """The smallest turn ``(..., 4)`` that takes the direction of ``start`` to that of ``end`` ``(..., 3)``; about X where
    they are opposite, no turn where one of them has no length."""
    a, b = (np.asarray(v, np.float64) for v in (start, end))
    a, b = (v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12) for v in (a, b))
    real = 1.0 + np.sum(a * b, axis=-1, keepdims=True)
    turn = rot.normalize(np.concatenate((real, np.cross(a, b)), axis=-1))
    return np.where(real > 1e-9, turn, np.array([0.0, 1.0, 0.0, 0.0]))


def _anatomical_frame(skeleton: Skeleton, roles: dict[str, int], position: Array) -> Array:
    hips = [position[roles[f"{side}_thigh"]] for side in SIDES]
    arms = [position[roles[f"{side}_upper_arm"]] for side in SIDES if f"{side}_upper_arm" in roles]
    if "head" in roles:
        top = position[roles["head"]]
    elif arms:
        top = np.mean(arms, axis=0)
    else:  # legs alone: up from the feet
        top = 2.0 * np.mean(hips, axis=0) - np.mean([position[roles[f"{side}_foot"]] for side in SIDES], axis=0)
    left, up = hips[1] - hips[0], top - np.mean(hips, axis=0)
    forward = np.cross(left, up)
    if np.linalg.norm(forward) <= 1e-6 * float(np.linalg.norm(left) * np.linalg.norm(up)):
        raise SkeletonError(
            f"skeleton {skeleton.name!r}: the rest pose shows no left and up; are its thighs mapped right?"
        )
    forward /= np.linalg.norm(forward)
    left = left / np.linalg.norm(left)
    measured = rot.from_matrix(np.array([forward, left, np.cross(forward, left)]))
    snapped = _RIGHT_ANGLES[np.argmin(rot.angle_between(_RIGHT_ANGLES, measured))]
    return snapped if rot.angle_between(snapped, measured) < SNAP else measured


def _right_angles() -> Array:
    """``(24, 4)`` the rotations of a cube."""
    matrices = [
        np.eye(3)[list(order)] * np.array(signs)[:, None]
        for order in permutations(range(3))
        for signs in product((1.0, -1.0), repeat=3)
    ]
    return rot.from_matrix(np.array([m for m in matrices if np.linalg.det(m) > 0.0]))


_RIGHT_ANGLES = _right_angles()
