"""Forward kinematics of whole clips at once: where every body is, for ``(..., nq)`` poses in vectorised NumPy.

The same arithmetic as MuJoCo's ``mj_kinematics`` (joints of a body act one after another, each about its anchor), for
skeletons that need no compiled model. :mod:`rlsuite.motion.kinematics_torch` is its differentiable twin.

Each of the seven numbers of a body is one array over all poses, so that every operation runs through memory once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
# components of vectors or quaternions: one array over the poses, one number, or None for the number 0, on which no work is
# spent
Part = Array | float | None
Parts = tuple[Part, ...]
BLOCK = 2048  # poses whose intermediate arrays stay in the processor's cache


def forward(skeleton: Skeleton, qpos: ArrayLike) -> tuple[Array, Array]:
    """Positions ``(..., nbody, 3)`` and rotations ``(..., nbody, 4)`` of all bodies in the world."""
    qpos = np.asarray(qpos, np.float64)
    rows = qpos.reshape(-1, skeleton.nq)
    position, quat = np.empty((len(rows), skeleton.nbody, 3)), np.empty((len(rows), skeleton.nbody, 4))
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        _forward(skeleton, rows[part], position[part], quat[part])
    return position.reshape(*qpos.shape[:-1], skeleton.nbody, 3), quat.reshape(*qpos.shape[:-1], skeleton.nbody, 4)


def _forward(skeleton: Skeleton, rows: Array, position: Array, quat: Array) -> None:
    columns = np.ascontiguousarray(rows.T)  # (nq, n)
    hinges = [i for i, joint in enumerate(skeleton.joints) if joint.kind == "hinge"]
    reference = np.array([[skeleton.joints[i].reference] for i in hinges]).reshape(-1, 1)
    half = 0.5 * (columns[[skeleton.qpos_address[i] for i in hinges]] - reference)
    cosine, sine = dict(zip(hinges, np.cos(half), strict=True)), dict(zip(hinges, np.sin(half), strict=True))
    placed: list[tuple[Parts, Parts]] = []
    for body, parent in enumerate(skeleton.parents):
        p, q = _parts(skeleton.body_pos[body].tolist()), _parts(skeleton.body_quat[body].tolist())
        if parent >= 0:
            origin, frame = placed[parent]
            p, q = _add(origin, _rotate(frame, p)), _multiply(frame, q)
        for j in skeleton.joints_of[body]:
            joint, at = skeleton.joints[j], skeleton.qpos_address[j]
            if joint.kind == "free":
                p, q = tuple(columns[at : at + 3]), tuple(rot.normalize(rows[:, at + 3 : at + 7]).T.copy())
            elif joint.kind == "slide":
                shift = columns[at] - joint.reference
                p = _add(p, _rotate(q, tuple(x * shift if x else None for x in joint.axis)))
            else:
                if joint.kind == "ball":
                    turn: Parts = tuple(rot.normalize(rows[:, at : at + 4]).T.copy())
                else:
                    turn = (cosine[j], *(x * sine[j] if x else None for x in joint.axis))
                turned = _multiply(q, turn)
                if any(joint.anchor):
                    back = _rotate(turned, _parts([-x for x in joint.anchor]))
                    p = _add(_add(p, _rotate(q, _parts(joint.anchor))), back)
                q = turned
        placed.append((p, q))
        for i in range(3):
            position[:, body, i] = p[i] if p[i] is not None else 0.0
        for i in range(4):
            quat[:, body, i] = q[i] if q[i] is not None else 0.0


def _parts(numbers: Sequence[float]) -> Parts:
    return tuple(x if x != 0.0 else None for x in numbers)


def _add(a: Parts, b: Parts) -> Parts:
    return tuple(_sum((x, y)) for x, y in zip(a, b, strict=True))


def _multiply(a: Parts, b: Parts) -> Parts:
    """Hamilton product: ``b`` turns first."""
    (aw, ax, ay, az), (bw, bx, by, bz) = a, b
    return (
        _sum((_times(aw, bw),), (_times(ax, bx), _times(ay, by), _times(az, bz))),
        _sum((_times(aw, bx), _times(ax, bw), _times(ay, bz)), (_times(az, by),)),
        _sum((_times(aw, by), _times(ay, bw), _times(az, bx)), (_times(ax, bz),)),
        _sum((_times(aw, bz), _times(ax, by), _times(az, bw)), (_times(ay, bx),)),
    )


def _rotate(q: Parts, v: Parts) -> Parts:
    """``v + w t + u × t`` with ``t = u × 2 v``."""
    (w, x, y, z), (vx, vy, vz) = q, (None if part is None else 2.0 * part for part in v)
    tx = _sum((_times(y, vz),), (_times(z, vy),))
    ty = _sum((_times(z, vx),), (_times(x, vz),))
    tz = _sum((_times(x, vy),), (_times(y, vx),))
    return (
        _sum((v[0], _times(w, tx), _times(y, tz)), (_times(z, ty),)),
        _sum((v[1], _times(w, ty), _times(z, tx)), (_times(x, tz),)),
        _sum((v[2], _times(w, tz), _times(x, ty)), (_times(y, tx),)),
    )


def _times(a: Part, b: Part) -> Part:
    return None if a is None or b is None else a * b


def _sum(plus: Sequence[Part], minus: Sequence[Part] = ()) -> Part:
    """The terms of ``plus`` less those of ``minus``."""
    total: Part = None
    for term in plus:
        if term is not None:
            total = term if total is None else total + term
    for term in minus:
        if term is not None:
            total = -term if total is None else total - term
    return total


def keypoints(skeleton: Skeleton, qpos: ArrayLike, names: Sequence[str] | None = None) -> Array:
    """``(..., n, 3)`` positions of the skeleton's key points (all of them, in its order, or those named)."""
    position, quat = forward(skeleton, qpos)
    chosen = [skeleton.keypoints[name] for name in (skeleton.keypoints if names is None else names)]
    bodies, offsets = [body for body, _ in chosen], np.array([offset for _, offset in chosen]).reshape(-1, 3)
    return position[..., bodies, :] + rot.rotate(quat[..., bodies, :], offsets)
