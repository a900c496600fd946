"""A kinematic tree: bodies, joints, rest pose, symmetry and end effectors, as MuJoCo lays them out in ``qpos``.

Every source of motion becomes one: our humanoid, a robot's MJCF, the hierarchy of a BVH file. Joints act in MuJoCo's
order and convention (``mj_kinematics``), so ``qpos`` rows of a clip are rows for MuJoCo, and
:mod:`rlsuite.motion.kinematics` gives the same positions with or without it.

Rotations of bodies relative to their rest pose, ``(..., nbody, 4)``, are the language in which different skeletons meet:
:meth:`Skeleton.local_rotations` and :meth:`Skeleton.with_local_rotations` translate between them and ``qpos``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import SkeletonError
from rlsuite.motion import hinge_angles, sides
from rlsuite.motion import rotations as rot

if TYPE_CHECKING:
    import mujoco

Array = NDArray[np.float64]
Kind = Literal["free", "ball", "hinge", "slide"]
QPOS_SIZE: dict[Kind, int] = {"free": 7, "ball": 4, "hinge": 1, "slide": 1}
DOF_SIZE: dict[Kind, int] = {"free": 6, "ball": 3, "hinge": 1, "slide": 1}


@dataclass(frozen=True)
class Joint:
    """One joint of a body, in the body's rest frame.

    Attributes:
        name: unique in the skeleton. kind: as MuJoCo's joint types. body: index of the body it moves.
        axis: ``(3,)`` unit axis of a hinge or slide. anchor: ``(3,)`` point that a rotation leaves in place.
        range: lowest and highest angle or shift (for a ball 0 and the largest angle), or ``None``.
        reference: the value of ``qpos`` in the rest pose (hinge, slide).
    """

    name: str
    kind: Kind
    body: int
    axis: tuple[float, float, float] = (0.0, 0.0, 1.0)
    anchor: tuple[float, float, float] = (0.0, 0.0, 0.0)
    range: tuple[float, float] | None = None
    reference: float = 0.0


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Bodies in depth-first order, parents before children, the world left out.

    Attributes:
        name: what clips call it. body_names: ``(nbody,)``. parents: ``(nbody,)``, -1 for the world.
        body_pos: ``(nbody, 3)`` and body_quat: ``(nbody, 4)``, the rest pose relative to the parent, in metres.
        joints: in the order of ``qpos``.
        keypoints: named points fixed to bodies: ``name -> (body index, (x, y, z))``.
        end_effectors: names of bodies; feet: those that stand on the ground.
        shape: parameters of our own parametric body (:mod:`rlsuite.motion.body`) where it is one.
    """

    name: str
    body_names: tuple[str, ...]
    parents: tuple[int, ...]
    body_pos: Array
    body_quat: Array
    joints: tuple[Joint, ...]
    keypoints: Mapping[str, tuple[int, tuple[float, float, float]]]
    end_effectors: tuple[str, ...] = ()
    feet: tuple[str, ...] = ()
    shape: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        n = len(self.body_names)
        if n == 0 or len(set(self.body_names)) != n:
            raise SkeletonError(f"skeleton {self.name!r}: body names must be different and at least one")
        if len(self.parents) != n or any(not -1 <= p < i for i, p in enumerate(self.parents)):
            raise SkeletonError(f"skeleton {self.name!r}: every parent must come before its children")
        object.__setattr__(self, "body_pos", _frozen(np.array(self.body_pos, np.float64).reshape(n, 3)))
        object.__setattr__(self, "body_quat", _frozen(rot.normalize(np.reshape(self.body_quat, (n, 4)))))
        if not (np.isfinite(self.body_pos).all() and np.isfinite(self.body_quat).all()):
            raise SkeletonError(f"skeleton {self.name!r}: offsets must be finite numbers")
        bodies = [joint.body for joint in self.joints]
        if bodies != sorted(bodies) or any(not 0 <= body < n for body in bodies):
            raise SkeletonError(f"skeleton {self.name!r}: joints must be listed in the order of their bodies")
        if len({joint.name for joint in self.joints}) != len(self.joints):
            raise SkeletonError(f"skeleton {self.name!r}: joint names must be different")
        for joint in self.joints:
            self._check_joint(joint)
        for point, (body, offset) in self.keypoints.items():
            if not (0 <= body < n and np.isfinite(offset).all()):
                raise SkeletonError(f"key point {point!r}: must be a finite offset on one of the {n} bodies")
        for body_name in (*self.end_effectors, *self.feet):
            self.body(body_name)

    def _check_joint(self, joint: Joint) -> None:
        if joint.kind == "free" and (self.parents[joint.body] >= 0 or len(self.joints_of[joint.body]) > 1):
            raise SkeletonError(f"joint {joint.name!r}: a free joint must be alone on a body without parent")
        numbers = (*joint.axis, *joint.anchor, joint.reference)
        if not np.isfinite(numbers).all() or abs(np.linalg.norm(joint.axis) - 1.0) > 1e-6:
            raise SkeletonError(
                f"joint {joint.name!r}: axis must have length 1, anchor and reference be finite, "
                f"not {joint.axis}, {joint.anchor} and {joint.reference}"
            )
        if joint.range is not None and not joint.range[0] <= joint.range[1]:
            raise SkeletonError(f"joint {joint.name!r}: range must be (lowest, highest), not {joint.range}")

    @cached_property
    def joints_of(self) -> tuple[tuple[int, ...], ...]:
        """Indices of the joints of each body."""
        return tuple(
            tuple(j for j, joint in enumerate(self.joints) if joint.body == body)
            for body in range(len(self.body_names))
        )

    @cached_property
    def qpos_address(self) -> tuple[int, ...]:
        """Where each joint begins in ``qpos``."""
        return tuple(np.cumsum([0, *(QPOS_SIZE[joint.kind] for joint in self.joints)])[:-1].tolist())

    @cached_property
    def dof_address(self) -> tuple[int, ...]:
        """Where each joint begins in ``qvel``."""
        return tuple(np.cumsum([0, *(DOF_SIZE[joint.kind] for joint in self.joints)])[:-1].tolist())

    @property
    def nbody(self) -> int:
        return len(self.body_names)

    @property
    def nq(self) -> int:
        return sum(QPOS_SIZE[joint.kind] for joint in self.joints)

    @property
    def nv(self) -> int:
        return sum(DOF_SIZE[joint.kind] for joint in self.joints)

    @property
    def has_free_root(self) -> bool:
        return bool(self.joints) and self.joints[0].kind == "free"

    @cached_property
    def rest_qpos(self) -> Array:
        """``(nq,)`` of the rest pose, MuJoCo's ``qpos0``."""
        rows: list[Array] = []
        for joint in self.joints:
            if joint.kind == "free":
                rows.append(np.concatenate((self.body_pos[joint.body], self.body_quat[joint.body])))
            elif joint.kind == "ball":
                rows.append(rot.IDENTITY)
            else:
                rows.append(np.array([joint.reference]))
        return _frozen(np.concatenate(rows) if rows else np.zeros(0))

    @cached_property
    def quaternions(self) -> tuple[int, ...]:
        """Addresses in ``qpos`` at which a quaternion begins."""
        starts = {"free": 3, "ball": 0}
        return tuple(
            a + starts[j.kind] for j, a in zip(self.joints, self.qpos_address, strict=True) if j.kind in starts
        )

    @cached_property
    def spherical_hinges(self) -> tuple[int, ...]:
        """Bodies that turn about three orthogonal hinges, in place of a ball joint."""
        found = []
        for body, joints in enumerate(self.joints_of):
            axes = np.array([self.joints[j].axis for j in joints if self.joints[j].kind == "hinge"])
            if len(joints) == len(axes) == 3 and np.allclose(axes @ axes.T, np.eye(3), atol=1e-6):
                found.append(body)
        return tuple(found)

    @cached_property
    def qpos_range(self) -> Array:
        """``(nq, 2)`` lowest and highest values; infinite where there is no limit (and for quaternions)."""
        limits = np.tile([-np.inf, np.inf], (self.nq, 1))
        for joint, address in zip(self.joints, self.qpos_address, strict=True):
            if joint.range is not None and joint.kind in ("hinge", "slide"):
                limits[address] = joint.range
        return _frozen(limits)

    def body(self, name: str) -> int:
        """Index of a body.

        Raises:
            SkeletonError: no body has this name.
        """
        if name not in self.body_names:
            raise SkeletonError(f"skeleton {self.name!r} has no body {name!r}; it has {', '.join(self.body_names)}")
        return self.body_names.index(name)

    def children(self, body: int) -> list[int]:
        return [i for i, parent in enumerate(self.parents) if parent == body]

    @cached_property
    def mirrored_bodies(self) -> tuple[int, ...]:
        """For each body the one on the other side; a body in the middle is its own partner."""
        return sides.partners(self.body_names)

    @property
    def symmetry_pairs(self) -> tuple[tuple[str, str], ...]:
        """Bodies on opposite sides, each pair once."""
        pairs = ((i, j) for i, j in enumerate(self.mirrored_bodies) if i < j)
        return tuple((self.body_names[i], self.body_names[j]) for i, j in pairs)

    # Rotations of bodies and qpos ----------------------------------------------------------------------------------

    def local_rotations(self, qpos: ArrayLike) -> Array:
        """``(..., nbody, 4)`` turn of each body away from its rest pose, in the frame it has there.

        For a body with a free joint the turn is that of ``qpos`` itself, in the world.
        """
        qpos = np.asarray(qpos, np.float64)
        turns = np.empty((*qpos.shape[:-1], self.nbody, 4))
        for body in range(self.nbody):
            turns[..., body, :] = self.local_rotation(qpos, body)
        return turns

    def local_rotation(self, qpos: ArrayLike, body: int) -> Array:
        """``(..., 4)`` of one body; see :meth:`local_rotations`."""
        qpos = np.asarray(qpos, np.float64)
        turns = []
        for j in self.joints_of[body]:
            joint, at = self.joints[j], self.qpos_address[j]
            if joint.kind == "free":
                turns.append(rot.normalize(qpos[..., at + 3 : at + 7]))
            elif joint.kind == "ball":
                turns.append(rot.normalize(qpos[..., at : at + 4]))
            elif joint.kind == "hinge":
                turns.append(rot.from_axis_angle(joint.axis, qpos[..., at] - joint.reference))
        return reduce(rot.multiply, turns) if turns else np.broadcast_to(rot.IDENTITY, (*qpos.shape[:-1], 4))

    def with_local_rotations(self, qpos: ArrayLike, turns: ArrayLike, near: ArrayLike | None = None) -> Array:
        """``qpos`` with its rotations replaced, so that :meth:`local_rotations` of the result is ``turns``.

        Positions of a free joint and of slides are kept. One hinge takes the turn about its axis that is closest; two
        orthogonal hinges the first two angles of the Euler sequence that they begin.

        Args:
            qpos: ``(..., nq)``. turns: ``(..., nbody, 4)``.
            near: ``(..., nq)`` whose branch hinges follow (default: ``qpos``); see :meth:`follow` for a sequence.

        Raises:
            SkeletonError: a body has hinges that are not orthogonal, or more than three, or beside a ball joint.
        """
        qpos, turns = np.asarray(qpos, np.float64), np.asarray(turns, np.float64)
        shape = np.broadcast_shapes(qpos.shape[:-1], turns.shape[:-2])
        out = np.broadcast_to(qpos, (*shape, self.nq)).copy()
        near = out if near is None else np.broadcast_to(np.asarray(near, np.float64), out.shape)
        for body in range(self.nbody):
            turning = [j for j in self.joints_of[body] if self.joints[j].kind != "slide"]
            if not turning:
                continue
            if len(turning) > 1 and any(self.joints[j].kind == "ball" for j in turning):
                raise SkeletonError(
                    f"body {self.body_names[body]!r} turns by more than its ball joint; use qpos itself"
                )
            turn, at = turns[..., body, :], self.qpos_address[turning[0]]
            if self.joints[turning[0]].kind == "free":
                out[..., at + 3 : at + 7] = turn
            elif self.joints[turning[0]].kind == "ball":
                out[..., at : at + 4] = turn
            else:
                addresses = [self.qpos_address[j] for j in turning]
                reference = np.array([self.joints[j].reference for j in turning])
                angles = hinge_angles.angles(self._hinge_axes(turning), turn, near[..., addresses] - reference)
                out[..., addresses] = angles + reference
        return out

    def _hinge_axes(self, joints: list[int]) -> Array:
        axes = np.array([self.joints[j].axis for j in joints])
        if not hinge_angles.are_orthogonal(axes):
            names = ", ".join(self.joints[j].name for j in joints)
            raise SkeletonError(f"hinges {names} of one body are not orthogonal; only qpos itself can be used")
        return axes

    def follow(self, qpos: ArrayLike) -> Array:
        """``(T, nq)`` with the branch of every row's hinges, and the sign of its quaternions, nearest to the row before.

        The rotations are the same; the first row stays as it is.
        """
        qpos = np.array(qpos, np.float64)
        for at in self.quaternions:
            qpos[:, at : at + 4] = rot.continuous(qpos[:, at : at + 4])
        for body in range(self.nbody):
            turning = [j for j in self.joints_of[body] if self.joints[j].kind == "hinge"]
            addresses = [self.qpos_address[j] for j in turning]
            if len(turning) in (1, 2):
                qpos[:, addresses] = np.unwrap(qpos[:, addresses], axis=0)
            elif len(turning) == 3:
                reference = np.array([self.joints[j].reference for j in turning])
                hand = hinge_angles.handedness(self._hinge_axes(turning))
                qpos[:, addresses] = hinge_angles.follow(qpos[:, addresses] - reference, hand) + reference
        return qpos

    def into_range(self, qpos: ArrayLike) -> Array:
        """``(T, nq)`` of :meth:`follow`, each hinge triple in the one of its two branches that keeps best within range.

        The rotations are the same. Where every branch leaves the range, so does the result, rather than leap.
        """
        qpos = self.follow(qpos)
        for body in self.spherical_hinges:
            addresses = [self.qpos_address[j] for j in self.joints_of[body]]
            reference, limits = self.rest_qpos[addresses], self.qpos_range[addresses]
            path = hinge_angles.into_range(qpos[:, addresses] - reference, limits - reference[:, None])
            qpos[:, addresses] = path + reference
        return qpos

    # Made from, made into -------------------------------------------------------------------------------------------

    @classmethod
    def from_model(
        cls,
        model: mujoco.MjModel,
        name: str = "",
        *,
        end_effectors: Iterable[str] | None = None,
        feet: Iterable[str] | None = None,
        shape: Mapping[str, float] | None = None,
    ) -> Skeleton:
        """The tree of a compiled model: every body, also those without joints; sites become key points.

        Args:
            end_effectors: default: the bodies without children. feet: default: those named foot, ankle or toe.
        """
        from rlsuite.motion.skeleton_of_model import skeleton_of

        return skeleton_of(model, name, end_effectors, feet, shape)

    @classmethod
    def from_mjcf(cls, path: str, name: str = "") -> Skeleton:
        """The tree of an MJCF file that the user names.

        Raises:
            SkeletonError: the file is missing or MuJoCo refuses it.
        """
        from rlsuite.motion.skeleton_of_model import skeleton_in

        return skeleton_in(path, name)

    def scaled(self, factor: float | ArrayLike) -> Skeleton:
        """All offsets times ``factor``: one number, or one for each body ``(nbody,)``."""
        scale = np.broadcast_to(np.asarray(factor, np.float64), (self.nbody,))
        joints = tuple(
            replace(joint, anchor=three(np.array(joint.anchor) * scale[joint.body])) for joint in self.joints
        )
        points = {k: (b, three(np.array(p) * scale[b])) for k, (b, p) in self.keypoints.items()}
        return replace(self, body_pos=self.body_pos * scale[:, None], joints=joints, keypoints=points, shape=None)

    def same_tree(self, other: Skeleton) -> bool:
        """Whether rows of ``qpos`` mean the same on both: the same bodies, parents, joints and offsets."""
        return (
            self.body_names == other.body_names
            and self.parents == other.parents
            and [(j.kind, j.body) for j in self.joints] == [(j.kind, j.body) for j in other.joints]
            and np.allclose(
                [(*j.axis, *j.anchor, j.reference) for j in self.joints],
                [(*j.axis, *j.anchor, j.reference) for j in other.joints],
                atol=1e-6,
            )
            and np.allclose(self.body_pos, other.body_pos, atol=1e-6)
            and np.allclose(self.body_quat, other.body_quat, atol=1e-6)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON."""
        from rlsuite.motion.skeleton_description import described

        return described(self)

    @classmethod
    def from_dict(cls, data: Any) -> Skeleton:
        """The skeleton that :meth:`to_dict` described.

        Raises:
            SkeletonError: ``data`` does not describe one.
        """
        from rlsuite.motion.skeleton_description import skeleton_described

        return skeleton_described(data)


def _frozen(array: Array) -> Array:
    """The array made read-only: a skeleton is shared by many clips."""
    array.setflags(write=False)
    return array


def three(values: ArrayLike) -> tuple[float, float, float]:
    """The same numbers as a tuple."""
    x, y, z = (float(v) for v in np.asarray(values, np.float64))
    return x, y, z
