"""A skeleton in flat arrays, and what compiled loops do with a pose of it: place its bodies, move, compare, keep limits.

A hinge of axis ``a`` through ``c`` moves a point ``x`` by ``a × (x - c)`` and turns the bodies below it by ``a``; a slide
moves them by ``a``. Free and ball joints are three such turns about the body's own axes: MuJoCo's degrees of freedom.
"""

from __future__ import annotations

from math import cos, sin, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.compiled.kernels import (
    Quaternion,
    Vector,
    exp,
    inverse,
    kernel,
    log,
    multiply,
    rotate,
    small_kernel,
)
from rlsuite.motion.skeleton import DOF_SIZE, Skeleton

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
FREE, BALL, SLIDE, HINGE = range(4)
KINDS = {"free": FREE, "ball": BALL, "slide": SLIDE, "hinge": HINGE}


class Tree(NamedTuple):
    """Of ``n`` bodies and ``j`` joints, in the order of the skeleton.

    Attributes:
        parent: ``(n,)``. position: ``(n, 3)`` and rotation: ``(n, 4)``, at rest in the parent.
        joints: ``(n + 1,)`` where the joints of each body begin.
        kind: ``(j,)``. axis, anchor: ``(j, 3)``. reference: ``(j,)``. coordinate, dof: ``(j,)`` where it begins in ``qpos``
            and in ``qvel``. low, high: ``(j,)`` of a hinge or slide, infinite without limit; for a ball ``high`` is its
            largest angle.
        turns: ``(nv,)`` whether a degree of freedom turns what is below it, or shifts it.
        chains: ``(n + 1,)`` where the degrees of freedom that move each body begin in chain.
    """

    parent: Indices
    position: Array
    rotation: Array
    joints: Indices
    kind: Indices
    axis: Array
    anchor: Array
    reference: Array
    coordinate: Indices
    dof: Indices
    low: Array
    high: Array
    turns: Mask
    chains: Indices
    chain: Indices


def tree_of(skeleton: Skeleton) -> Tree:
    """Arrays that may be written to, all in row order: so there is one compiled version of every loop."""
    joints = skeleton.joints
    ranges = np.array([joint.range or (-np.inf, np.inf) for joint in joints], np.float64).reshape(-1, 2)
    turns: list[bool] = []
    own: list[list[int]] = [[] for _ in skeleton.parents]
    for joint in joints:
        own[joint.body] += range(len(turns), len(turns) + DOF_SIZE[joint.kind])
        turns += {"free": [False] * 3 + [True] * 3, "ball": [True] * 3, "slide": [False], "hinge": [True]}[joint.kind]
    chains: list[list[int]] = []
    for body, parent in enumerate(skeleton.parents):
        chains.append((chains[parent] if parent >= 0 else []) + own[body])
    return Tree(
        parent=np.array(skeleton.parents, np.int64),
        position=np.array(skeleton.body_pos),
        rotation=np.array(skeleton.body_quat),
        joints=np.cumsum([0, *map(len, skeleton.joints_of)], dtype=np.int64),
        kind=np.array([KINDS[joint.kind] for joint in joints], np.int64),
        axis=np.array([joint.axis for joint in joints], np.float64).reshape(-1, 3),
        anchor=np.array([joint.anchor for joint in joints], np.float64).reshape(-1, 3),
        reference=np.array([joint.reference for joint in joints], np.float64),
        coordinate=np.array(skeleton.qpos_address, np.int64),
        dof=np.array(skeleton.dof_address, np.int64),
        low=ranges[:, 0].copy(),
        high=ranges[:, 1].copy(),
        turns=np.array(turns, bool),
        chains=np.cumsum([0, *map(len, chains)], dtype=np.int64),
        chain=np.array([dof for chain in chains for dof in chain], np.int64),
    )


@small_kernel
def vector_at(row: Array, at: int) -> Vector:
    return row[at], row[at + 1], row[at + 2]


@small_kernel
def quaternion_at(row: Array, at: int) -> Quaternion:
    return row[at], row[at + 1], row[at + 2], row[at + 3]


@kernel
def place(tree: Tree, pose: Array, position: Array, rotation: Array, axis: Array, anchor: Array) -> None:
    """Bodies ``(n, 3)`` and ``(n, 4)`` in the world, and axis and anchor ``(nv, 3)`` of every degree of freedom there."""
    for body in range(len(tree.parent)):
        parent = tree.parent[body]
        p = vector_at(tree.position[body], 0)
        q = quaternion_at(tree.rotation[body], 0)
        if parent >= 0:
            above = quaternion_at(rotation[parent], 0)
            x, y, z = rotate(above, p)
            p = (position[parent, 0] + x, position[parent, 1] + y, position[parent, 2] + z)
            q = multiply(above, q)
        for j in range(tree.joints[body], tree.joints[body + 1]):
            kind, at, v = tree.kind[j], tree.coordinate[j], tree.dof[j]
            if kind == FREE:
                p, q = vector_at(pose, at), quaternion_at(pose, at + 3)
                for i in range(3):
                    for k in range(3):
                        axis[v + i, k] = 1.0 if i == k else 0.0
                        anchor[v + i, k] = 0.0
                _turning(q, p, axis, anchor, v + 3)
                continue
            own, arm = vector_at(tree.axis[j], 0), vector_at(tree.anchor[j], 0)
            x, y, z = rotate(q, arm)
            centre = (p[0] + x, p[1] + y, p[2] + z)
            if kind == SLIDE:
                value = pose[at] - tree.reference[j]
                x, y, z = rotate(q, own)
                axis[v, 0], axis[v, 1], axis[v, 2] = x, y, z
                anchor[v, 0], anchor[v, 1], anchor[v, 2] = p
                p = (p[0] + x * value, p[1] + y * value, p[2] + z * value)
                continue
            if kind == BALL:
                q = multiply(q, quaternion_at(pose, at))
                _turning(q, centre, axis, anchor, v)
            else:
                half = 0.5 * (pose[at] - tree.reference[j])
                s = sin(half)
                axis[v, 0], axis[v, 1], axis[v, 2] = rotate(q, own)
                anchor[v, 0], anchor[v, 1], anchor[v, 2] = centre
                q = multiply(q, (cos(half), s * own[0], s * own[1], s * own[2]))
            x, y, z = rotate(q, arm)
            p = (centre[0] - x, centre[1] - y, centre[2] - z)
        position[body, 0], position[body, 1], position[body, 2] = p
        rotation[body, 0], rotation[body, 1], rotation[body, 2], rotation[body, 3] = q


@small_kernel
def _turning(q: Quaternion, centre: Vector, axis: Array, anchor: Array, v: int) -> None:
    """Three turns about the body's own axes: angular velocity is in its frame."""
    axis[v, 0], axis[v, 1], axis[v, 2] = rotate(q, (1.0, 0.0, 0.0))
    axis[v + 1, 0], axis[v + 1, 1], axis[v + 1, 2] = rotate(q, (0.0, 1.0, 0.0))
    axis[v + 2, 0], axis[v + 2, 1], axis[v + 2, 2] = rotate(q, (0.0, 0.0, 1.0))
    for i in range(3):
        anchor[v + i, 0], anchor[v + i, 1], anchor[v + i, 2] = centre


@small_kernel
def on_body(position: Array, rotation: Array, body: int, offset: Array) -> Vector:
    """A point fixed to a body in the world."""
    x, y, z = rotate(quaternion_at(rotation[body], 0), vector_at(offset, 0))
    return position[body, 0] + x, position[body, 1] + y, position[body, 2] + z


@small_kernel
def column(turns: Mask, dof: int, point: Vector, axis: Array, anchor: Array) -> Vector:
    """What a degree of freedom does to a point of a body that it moves."""
    if not turns[dof]:
        return vector_at(axis[dof], 0)
    x, y, z = point[0] - anchor[dof, 0], point[1] - anchor[dof, 1], point[2] - anchor[dof, 2]
    a, b, c = vector_at(axis[dof], 0)
    return b * z - c * y, c * x - a * z, a * y - b * x


@kernel
def move(tree: Tree, pose: Array, step: Array, out: Array) -> None:
    """The pose after one second of the velocity ``step``, within the limits."""
    for j in range(len(tree.kind)):
        kind, at, v = tree.kind[j], tree.coordinate[j], tree.dof[j]
        if kind in (SLIDE, HINGE):
            out[at] = min(max(pose[at] + step[v], tree.low[j]), tree.high[j])
            continue
        if kind == FREE:
            for i in range(3):
                out[at + i] = pose[at + i] + step[v + i]
            at, v = at + 3, v + 3
        w, x, y, z = multiply(quaternion_at(pose, at), exp(vector_at(step, v)))
        scale = 1.0 / sqrt(w * w + x * x + y * y + z * z)  # rounding adds up over many steps
        q = (scale * w, scale * x, scale * y, scale * z)
        if kind == BALL:
            x, y, z = log(q)
            angle = sqrt(x * x + y * y + z * z)
            if angle > tree.high[j]:
                scale = tree.high[j] / angle
                q = exp((scale * x, scale * y, scale * z))
        out[at], out[at + 1], out[at + 2], out[at + 3] = q


@kernel
def difference(tree: Tree, start: Array, end: Array, out: Array) -> None:
    """The velocity that leads from ``start`` to ``end`` in one second."""
    for j in range(len(tree.kind)):
        kind, at, v = tree.kind[j], tree.coordinate[j], tree.dof[j]
        if kind in (SLIDE, HINGE):
            out[v] = end[at] - start[at]
            continue
        if kind == FREE:
            for i in range(3):
                out[v + i] = end[at + i] - start[at + i]
            at, v = at + 3, v + 3
        relative = multiply(inverse(quaternion_at(start, at)), quaternion_at(end, at))
        out[v], out[v + 1], out[v + 2] = log(relative)
