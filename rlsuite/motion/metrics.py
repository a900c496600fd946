"""How far one motion is from another, and how natural a motion is by itself.

Positions are ``(T, K, 3)`` in metres, rotations ``(T, B, 4)``; functions return a float averaged over frames and points,
in the unit that their docstring names. :func:`compare` takes two clips. What each number can and cannot say is in
``docs/motion-metrics.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError, SkeletonError
from rlsuite.motion import contacts, kinematics, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.alignment import procrustes, to_root
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton
from rlsuite.motion.time_warping import dtw

Array = NDArray[np.float64]

SKATE_HEIGHT = 0.033
SUCCESS_DISTANCE = 0.5
UNITS: Mapping[str, str] = {
    "mpjpe": "m",
    "mpjpe_root": "m",
    "mpjpe_heading": "m",
    "mpjpe_procrustes": "m",
    "joint_angle": "rad",
    "velocity_error": "m/s",
    "acceleration_error": "m/s^2",
    "dtw": "m",
    "dtw_total": "m",
    "worst_distance": "m",
    "success": "",
    "foot_skate_a": "m/frame",
    "foot_skate_b": "m/frame",
    "jerk_a": "m/s^3",
    "jerk_b": "m/s^3",
}
_DTW_CELLS = 2_000_000  # pairs of frames whose costs are worked out at once: bounds memory
_DTW_LARGEST = 10_000


# Distances of two motions ---------------------------------------------------------------------------------------------


def distances(a: ArrayLike, b: ArrayLike) -> Array:
    """``(T, K)`` metres between corresponding points.

    Raises:
        MotionError: the arrays do not have one shape ``(T, K, 3)``.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or a.ndim != 3 or a.shape[-1] != 3 or 0 in a.shape:
        raise MotionError(f"positions must be two arrays of one shape (T, K, 3), not {a.shape} and {b.shape}")
    return np.linalg.norm(a - b, axis=-1)


def mpjpe(a: ArrayLike, b: ArrayLike) -> float:
    """Mean per-joint position error in metres, in the world as it is (Ionescu et al. 2014, eq. 8)."""
    return float(distances(a, b).mean())


def mpjpe_procrustes(a: ArrayLike, b: ArrayLike) -> float:
    """PA-MPJPE in metres: after the best similarity of ``a`` onto ``b`` in every frame (Umeyama 1991)."""
    distances(a, b)  # refuses shapes that do not fit
    return mpjpe(procrustes(a, b), b)


def joint_angle_error(a: ArrayLike, b: ArrayLike) -> float:
    """Mean geodesic distance in radians of rotations ``(T, B, 4)``: the angle of the turn between (Huynh 2009, Phi_6)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape != b.shape or a.shape[-1:] != (4,) or 0 in a.shape:
        raise MotionError(f"rotations must be two arrays of one shape (T, B, 4), not {a.shape} and {b.shape}")
    return float(rot.angle_between(a, b).mean())


def velocity_error(a: ArrayLike, b: ArrayLike, fps: float) -> float:
    """Mean distance in m/s of the velocities of points, by differences of successive frames; 0 for a single frame."""
    return _difference_error(a, b, fps, order=1)


def acceleration_error(a: ArrayLike, b: ArrayLike, fps: float) -> float:
    """Mean distance in m/s^2 of the accelerations, ``(x[t+1] - 2 x[t] + x[t-1]) fps^2`` (Kanazawa et al. 2019)."""
    return _difference_error(a, b, fps, order=2)


def _difference_error(a: ArrayLike, b: ArrayLike, fps: float, order: int) -> float:
    distances(a, b)
    change = np.diff(np.asarray(a, np.float64) - np.asarray(b, np.float64), order, axis=0) * fps**order
    return float(np.linalg.norm(change, axis=-1).mean()) if len(change) else 0.0


def success(a: ArrayLike, b: ArrayLike, *, threshold: float = SUCCESS_DISTANCE) -> bool:
    """Whether every body stays within ``threshold`` metres of where it should be, in every frame (Luo et al. 2023, PHC).

    The strict reading, by the worst body; PHC's code ends an episode by the mean over bodies instead.
    """
    return bool(distances(a, b).max() < threshold)


def pose_distances(a: ArrayLike, b: ArrayLike) -> Array:
    """``(T, N)`` mean point distance in metres of every pose of ``a (T, K, 3)`` to every one of ``b (N, K, 3)``."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.shape[1:] != b.shape[1:] or a.ndim != 3:
        raise MotionError(f"poses must be (T, K, 3) and (N, K, 3), not {a.shape} and {b.shape}")
    if len(a) > _DTW_LARGEST or len(b) > _DTW_LARGEST:
        raise MotionError(
            f"dynamic time warping takes up to {_DTW_LARGEST} frames, not {len(a)} and {len(b)}; resample"
        )
    out = np.empty((len(a), len(b)))
    rows = max(1, _DTW_CELLS // (len(b) * a.shape[1]))
    for start in range(0, len(a), rows):
        part = a[start : start + rows, None] - b
        out[start : start + rows] = np.linalg.norm(part, axis=-1).mean(axis=-1)
    return out


# One motion by itself -------------------------------------------------------------------------------------------------


def jerk(points: ArrayLike, fps: float) -> float:
    """Mean size in m/s^3 of the third difference of positions ``(T, K, 3)``; 0 for fewer than 4 frames."""
    third = np.diff(np.asarray(points, np.float64), 3, axis=0) * fps**3
    return float(np.linalg.norm(third, axis=-1).mean()) if len(third) else 0.0


def skate(points: ArrayLike, *, height: float = SKATE_HEIGHT) -> float:
    """Mean foot skate in metres per frame of points ``(T, F, 3)`` of the soles: ``s = d (2 - 2^(h/H))``.

    ``d`` is the way on the ground between two frames and ``h`` the greater of the two heights; the weight is clamped to
    [0, 1], so a point higher than ``H`` counts as 0 (Ling et al. 2020, MotionVAE, section 7; H = 3.3 cm).
    """
    points = np.asarray(points, np.float64)
    if len(points) < 2 or points.shape[1] == 0:
        return 0.0
    way = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)  # (T-1, F)
    h = np.maximum(points[1:, :, 2], points[:-1, :, 2])
    # np.minimum before the power: a point at 40 m must not overflow
    weight = np.clip(2.0 - 2.0 ** (np.minimum(h, height) / height), 0.0, 1.0)
    return float((way * weight).mean())


def foot_skate(clip: MotionClip, *, height: float = SKATE_HEIGHT) -> float:
    """:func:`skate` of the clip's soles (:func:`sole_points`), in metres per frame: compare at one frame rate."""
    return skate(sole_points(clip), height=height)


def sole_points(clip: MotionClip) -> Array:
    """``(T, F, 3)`` points that the feet stand on (:func:`rlsuite.motion.contacts.sole_points`), as high as they clear it.

    Our humanoid stands on z = 0; for other skeletons the ground is judged from the motion.
    """
    points = contacts.sole_points(clip.skeleton)
    places = contacts.on_bodies(clip.bodies, points)
    places[..., 2] -= np.array([point.clearance for point in points])
    if clip.skeleton.shape is None:
        places[..., 2] -= contacts.ground_height(places[..., 2], contacts.speeds(places, clip.fps))
    return places


# Two clips ------------------------------------------------------------------------------------------------------------


def compare(a: MotionClip, b: MotionClip, *, band: float | None = None) -> dict[str, Any]:
    """All metrics of clip ``a`` against the reference ``b``, as plain JSON values in the units of :data:`UNITS`.

    Both are sampled at the lower of the two frame rates. Frame by frame the time that both last is compared, from their
    beginnings; dynamic time warping compares all of both, every pose relative to its root and heading. What was resampled,
    cut or left out is in ``notes``. On one skeleton the points are its bodies; on two the key points, or else the bodies,
    that both name.

    Args:
        band: seconds that time warping may shift by (``None``: any).

    Returns:
        The metrics (``None`` where one does not apply), ``points``, ``frames``, ``fps``, ``per_point`` (name to MPJPE),
        ``units`` and ``notes``.

    Raises:
        SkeletonError: the two skeletons share fewer than three points.
    """
    notes: list[str] = []
    names, points_a, points_b = _matched(a.skeleton, b.skeleton, notes)
    fps = min(a.fps, b.fps)
    a, b = (_at(clip, fps, which, notes) for clip, which in ((a, "a"), (b, "b")))
    n = min(a.n_frames, b.n_frames)
    if a.n_frames != b.n_frames:
        notes.append(
            f"a lasts {a.duration:.3f} s, b {b.duration:.3f} s: compared frame by frame over the first {n} frames "
            f"({(n - 1) / fps:.3f} s); time warping over all"
        )
    x, y = points_a(a), points_b(b)
    local_x, local_y = _local(a, x), _local(b, y)
    here_x, here_y = x[:n], y[:n]
    errors = distances(here_x, here_y)
    root = [clip.bodies[0][:n, 0] for clip in (a, b)]
    warping = dtw(pose_distances(local_x, local_y), band=None if band is None else round(band * fps))
    result: dict[str, Any] = {
        "mpjpe": float(errors.mean()),
        "mpjpe_root": mpjpe(to_root(here_x, root[0]), to_root(here_y, root[1])),
        "mpjpe_heading": mpjpe(local_x[:n], local_y[:n]),
        "mpjpe_procrustes": mpjpe_procrustes(here_x, here_y),
        "joint_angle": _joint_angles(a, b, n, notes),
        "velocity_error": velocity_error(here_x, here_y, fps),
        "acceleration_error": acceleration_error(here_x, here_y, fps),
        "dtw": warping.mean,
        "dtw_total": warping.total,
        "worst_distance": float(errors.max()),
        "success": success(here_x, here_y),
        "foot_skate_a": foot_skate(a) if a.skeleton.feet else None,
        "foot_skate_b": foot_skate(b) if b.skeleton.feet else None,
        "jerk_a": jerk(x, fps),
        "jerk_b": jerk(y, fps),
    }
    per_point = {name: float(value) for name, value in zip(names, errors.mean(axis=0), strict=True)}
    return result | {
        "per_point": per_point, "points": len(names), "frames": n, "fps": fps, "units": dict(UNITS), "notes": notes,
    }  # fmt: skip


def _at(clip: MotionClip, fps: float, which: str, notes: list[str]) -> MotionClip:
    if abs(clip.fps - fps) <= 1e-6 * fps:
        return clip
    notes.append(f"{which} resampled from {clip.fps:g} Hz to {fps:g} Hz")
    times = np.arange(int(np.floor(clip.duration * fps + 1e-9)) + 1) / fps
    once = MotionClip(clip.qpos, clip.fps, clip.skeleton)  # the last frame of a cycle, not the first of the next
    return MotionClip(sampling.sample(once, times), fps, clip.skeleton, clip.name)


def _local(clip: MotionClip, points: Array) -> Array:
    position, quat = clip.bodies
    return to_root(points, position[:, 0], quat[:, 0])


def _joint_angles(a: MotionClip, b: MotionClip, n: int, notes: list[str]) -> float | None:
    if not a.skeleton.same_tree(b.skeleton):
        notes.append("joint angles are not compared: the rest poses of two skeletons are not the same")
        return None
    moving = [
        i for i in range(a.skeleton.nbody) if any(a.skeleton.joints[j].kind != "slide" for j in a.skeleton.joints_of[i])
    ]
    turns = [clip.skeleton.local_rotations(clip.qpos[:n])[:, moving] for clip in (a, b)]
    return joint_angle_error(*turns)


def _matched(a: Skeleton, b: Skeleton, notes: list[str]) -> Any:
    """Names of the common points and, for each skeleton, the function that finds them in its clip."""
    if a.same_tree(b):
        return list(a.body_names), lambda clip: clip.bodies[0], lambda clip: clip.bodies[0]
    for kind, names_a, names_b in (
        ("key points", a.keypoints, b.keypoints),
        ("bodies", a.body_names, b.body_names),
    ):
        other = {_plain(name): name for name in names_b}
        pairs = [(name, other[_plain(name)]) for name in names_a if _plain(name) in other]
        if len(pairs) >= 3:
            notes.append(
                f"skeletons {a.name!r} and {b.name!r} differ in their {_difference(a, b)}: compared at {len(pairs)} "
                f"{kind} of the same name"
            )
            sides = list(zip(*pairs, strict=True))
            return [name for name, _ in pairs], *(_finder(kind, list(side)) for side in sides)
    raise SkeletonError(
        f"skeletons {a.name!r} and {b.name!r} share fewer than 3 key points or bodies of the same name; "
        f"retarget one clip to the other's skeleton first (bodies of a: {', '.join(a.body_names[:8])}; "
        f"of b: {', '.join(b.body_names[:8])})"
    )


def _difference(a: Skeleton, b: Skeleton) -> str:
    """What keeps two skeletons from being the same tree, in words."""
    if a.body_names != b.body_names or a.parents != b.parents:
        return f"bodies or their order ({a.nbody} and {b.nbody})"
    if [(j.kind, j.body) for j in a.joints] != [(j.kind, j.body) for j in b.joints]:
        return f"joints ({len(a.joints)} and {len(b.joints)})"
    apart = np.linalg.norm(a.body_pos - b.body_pos, axis=1)
    if apart.max() > 1e-6:
        widest = int(apart.argmax())
        return f"limbs' lengths (the most at {a.body_names[widest]}: {100.0 * apart[widest]:.2g} cm)"
    return "rest rotations or joint axes"


def _finder(kind: str, names: list[str]) -> Any:
    if kind == "key points":
        return lambda clip: kinematics.keypoints(clip.skeleton, clip.qpos, names)
    return lambda clip: clip.bodies[0][:, [clip.skeleton.body(name) for name in names]]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
