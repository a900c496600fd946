"""The single repairs of :mod:`rlsuite.motion.mending`: each takes a clip and its report and returns ``qpos (T, nq)``.

Rows and columns that are not at fault are returned bit for bit.
"""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from rlsuite.motion import inverse_kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.contacts import runs
from rlsuite.motion.quality import Limits, QualityReport, ground, joints
from rlsuite.motion.quality import leaps as quality_leaps
from rlsuite.motion.quality.solids import Soles, Solids, model_of
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
BLEND = 0.15  # seconds over which a correction comes and goes
LONGEST_SLIDE = 0.2  # metres
SMALLEST_SHIFT = 0.002  # metres
_MARGIN = 0.25  # share of the threshold that a correction goes beyond it, so that the next check does not balance on it


# Leaps and jitter -----------------------------------------------------------------------------------------------------


def leaps(clip: MotionClip, report: QualityReport, limits: Limits, model: mujoco.MjModel | None) -> Array:
    """Frames out of place become a cubic through their neighbours; over broken steps both sides lean together.

    Where the root was set down elsewhere on the ground, the rest of the clip is carried along instead.
    """
    qpos = clip.qpos.copy()
    for leap in sorted(quality_leaps.find(clip, limits), key=lambda leap: leap.start):
        if leap.channel == "root position":
            places = qpos[:, :3].copy()
            if leap.spike:
                qpos[leap.start : leap.stop, :3] = _cubic(places, leap.start, leap.stop)
            else:
                jump = _jump(np.diff(places, axis=0), leap.start - 1)
                qpos[leap.start :, :2] -= jump[:2]
                qpos[:, 2] += _lean(clip, leap.start) * jump[2]
            continue
        turns = clip.skeleton.local_rotations(qpos)
        mine = rot.continuous(turns[:, leap.body])
        base = mine[leap.start - 1]
        if leap.spike:
            low, high = max(0, leap.start - 2), min(clip.n_frames, leap.stop + 2)
            near = rot.log(rot.multiply(rot.conjugate(base), mine[low:high]))
            between = _cubic(near, leap.start - low, leap.stop - low)
            turns[leap.start : leap.stop, leap.body] = rot.multiply(base, rot.exp(between))
            rows = slice(leap.start, leap.stop)
        else:
            step = rot.log(rot.multiply(rot.conjugate(mine[:-1]), mine[1:]))
            jump = _jump(step, leap.start - 1)
            lean = _lean(clip, leap.start)
            turns[:, leap.body] = rot.multiply(mine, rot.exp(lean[:, None] * jump))
            rows = slice(*(np.flatnonzero(lean)[[0, -1]] + (0, 1)))
        _write(clip.skeleton, qpos, turns, leap.body, rows)
    return qpos


def _cubic(values: Array, start: int, stop: int) -> Array:
    """``values`` at frames ``start`` to ``stop - 1``, from two neighbours on either side (one where there is no other)."""
    at = np.array([t for t in (start - 2, start - 1, stop, stop + 1) if 0 <= t < len(values)])
    t = np.arange(start, stop)
    out = np.zeros((len(t), values.shape[1]))
    for i in at:  # Lagrange's polynomials
        others = at[at != i]
        out += np.prod((t[:, None] - others) / (i - others), axis=1)[:, None] * values[i]
    return out


def _jump(step: Array, t: int) -> Array:
    """What is too much in step ``t``, by the steps beside it."""
    beside = [step[i] for i in (t - 1, t + 1) if 0 <= i < len(step)]
    return np.array(step[t] - np.mean(beside, axis=0))


def _lean(clip: MotionClip, start: int) -> Array:
    """``(T,)`` half of a jump before frame ``start`` and minus half after it, fading over the blending time."""
    away = np.arange(clip.n_frames) - start + 0.5
    fade = np.clip(1.0 - np.abs(away) / (BLEND * clip.fps + 1.0), 0.0, 1.0)
    return -0.5 * np.sign(away) * fade**2 * (3.0 - 2.0 * fade)


def smoothed(clip: MotionClip, report: QualityReport, limits: Limits, model: mujoco.MjModel | None) -> Array:
    """Trembling turns through a moving parabola of seven frames, twice (Savitzky & Golay 1964)."""
    weights = np.array([-2.0, 3.0, 6.0, 7.0, 6.0, 3.0, -2.0]) / 21.0
    qpos = clip.qpos.copy()
    for finding in report.of("jitter"):
        body = clip.skeleton.body(finding.subject)
        turns = clip.skeleton.local_rotations(qpos)
        rows = finding.frames[(finding.frames > 2) & (finding.frames < clip.n_frames - 3)]
        if len(rows) == 0:
            continue
        for _ in range(2):
            mine = turns[:, body].copy()
            base = rot.conjugate(mine[rows])
            lean = sum(
                w * rot.log(rot.multiply(base, mine[rows + k])) for w, k in zip(weights, range(-3, 4), strict=True)
            )
            turns[rows, body] = rot.multiply(mine[rows], rot.exp(lean))
        _write(clip.skeleton, qpos, turns, body, rows)
    return qpos


# Joint limits ---------------------------------------------------------------------------------------------------------


def branches(clip: MotionClip, report: QualityReport, limits: Limits, model: mujoco.MjModel | None) -> Array:
    """The same turns, or nearly, in angles that lie within the limits; from frame to frame the nearest of these."""
    qpos = clip.qpos.copy()
    for finding in report.of("hinge_branch"):
        body = clip.skeleton.body(finding.subject)
        columns = joints.hinge_columns(clip.skeleton, body)
        ways, left = joints.ways_in_range(clip.skeleton, body, clip.qpos)
        reachable = left <= left.min(axis=0) + 1e-6
        for t in finding.frames:
            before = qpos[max(t - 1, 0), columns]
            cost = np.where(reachable[:, t], np.abs(ways[:, t] - before).sum(axis=-1), np.inf)
            qpos[t, columns] = ways[int(np.argmin(cost)), t]
    return qpos


def limited(clip: MotionClip, report: QualityReport, limits: Limits, model: mujoco.MjModel | None) -> Array:
    """The nearest turns within the limits; the correction fades into the frames around it."""
    qpos = clip.qpos.copy()
    for finding in report.of("joint_limit"):
        body = clip.skeleton.body(finding.subject)
        columns = joints.hinge_columns(clip.skeleton, body)
        if not columns:
            rows = finding.frames
            qpos[rows] = inverse_kinematics.within_limits(clip.skeleton, qpos[rows])
            continue
        low, high = clip.skeleton.qpos_range[columns].T
        out = np.flatnonzero(((qpos[:, columns] < low) | (qpos[:, columns] > high)).any(axis=1))
        if len(columns) == 1:
            _cap(clip, qpos, columns[0], low[0], high[0])
            continue
        turns = clip.skeleton.local_rotations(qpos)[:, body]
        _project(clip.skeleton, qpos, body, out)
        within = clip.skeleton.local_rotations(qpos)[:, body]
        correction = rot.log(rot.multiply(rot.conjugate(turns), within))
        fade = _fading(clip, out, correction)
        rows = np.flatnonzero(np.linalg.norm(fade, axis=-1) > 1e-4)
        rows = rows[~np.isin(rows, out)]
        whole = clip.skeleton.local_rotations(qpos)
        whole[rows, body] = rot.multiply(turns[rows], rot.exp(fade[rows]))
        _write(clip.skeleton, qpos, whole, body, rows)
        qpos[np.ix_(rows, np.array(columns))] = np.clip(qpos[np.ix_(rows, np.array(columns))], low, high)
    return qpos


def _cap(clip: MotionClip, qpos: Array, column: int, low: float, high: float) -> None:
    """A lone hinge kept within its range by a smooth correction that is nowhere less than what is too much, in place."""
    width = max(1, round(BLEND * clip.fps))
    angle = qpos[:, column]
    down = _envelope(np.maximum(angle - high, 0.0), width)
    up = _envelope(np.maximum(low - angle, 0.0), width)
    rows = (down > 0.0) | (up > 0.0)
    qpos[rows, column] = np.clip(angle - down + up, low, high)[rows]


def _project(skeleton: Skeleton, qpos: Array, body: int, rows: NDArray[np.intp]) -> None:
    """Turns of ``body`` at ``rows`` within its limits, in place: near to what they were, and to the frame before."""
    columns = joints.hinge_columns(skeleton, body)
    ways, left = joints.ways_in_range(skeleton, body, qpos[rows])  # (3, n, hinges), (3, n)
    trial = np.broadcast_to(qpos[rows], (len(ways), len(rows), skeleton.nq)).copy()
    trial[..., columns] = ways
    turns = skeleton.local_rotations(trial)[..., body, :]
    before = skeleton.local_rotations(qpos[max(int(rows[0]) - 1, 0)])[body]
    for n, t in enumerate(rows):
        best = int(np.argmin(left[:, n] + 0.5 * rot.angle_between(before, turns[:, n])))
        qpos[t, columns], before = ways[best, n], turns[best, n]


def _fading(clip: MotionClip, frames: NDArray[np.intp], correction: Array) -> Array:
    """``correction (T, 3)`` of ``frames`` carried on to the frames beside them, falling to nothing."""
    mask = np.zeros(clip.n_frames, bool)
    mask[frames] = True
    out = np.where(mask[:, None], correction, 0.0)
    width = max(1, round(BLEND * clip.fps))
    fall = 0.5 + 0.5 * np.cos(np.pi * (np.arange(width) + 1.0) / (width + 1.0))
    for start, stop in runs(mask):
        for k in range(width):
            for t, edge in ((start - 1 - k, start), (stop + k, stop - 1)):
                if 0 <= t < clip.n_frames and not mask[t]:
                    out[t] += fall[k] * correction[edge]
    return out


# Height ---------------------------------------------------------------------------------------------------------------


def shifted(clip: MotionClip, report: QualityReport, limits: Limits, model: mujoco.MjModel | None) -> Array:
    """The whole clip up or down: what it stands on, the middle of its lower heights, becomes the floor.

    These are the heights of its lowest point that lie within 3 cm of the lowest tenth: a flight does not count, and nor does
    a short dip.
    """
    clearance = _solid(clip, model).clearance
    low = float(np.percentile(clearance, 10.0))
    level = float(np.median(clearance[clearance <= low + limits.floating[0]]))
    qpos = clip.qpos.copy()
    if abs(level) > SMALLEST_SHIFT:
        qpos[:, 2] -= level
    return qpos


def lifted(clip: MotionClip, report: QualityReport, limits: Limits, model: mujoco.MjModel | None) -> Array:
    """Stretches up out of the floor, or down to it, by corrections that come and go smoothly."""
    clearance = _solid(clip, model).clearance
    depth = np.where(clearance < -limits.penetration[0], -clearance - (1.0 - _MARGIN) * limits.penetration[0], 0.0)
    shift = _envelope(depth, max(1, round(BLEND * clip.fps)))
    hanging = np.zeros(clip.n_frames, bool)
    hanging[report.frames_of("floating")] = True
    for start, stop in runs(hanging):
        while start > 0 and clearance[start] > 0.005 and clearance[start - 1] < clearance[start]:
            start -= 1
        while stop < clip.n_frames and clearance[stop - 1] > 0.005 and clearance[stop] < clearance[stop - 1]:
            stop += 1
        shift[start:stop] -= np.maximum(clearance[start:stop], 0.0)
    qpos = clip.qpos.copy()
    rows = shift != 0.0
    qpos[rows, 2] += shift[rows]
    return qpos


def _envelope(values: Array, width: int) -> Array:
    """A smooth curve nowhere below ``values >= 0``: the running maximum, averaged over the same window."""
    padded = np.pad(maximum_filter1d(values, 2 * width + 1, mode="nearest"), width, mode="edge")
    hann = np.hanning(2 * width + 3)[1:-1]
    return np.convolve(padded, hann / hann.sum(), "valid")


def _solid(clip: MotionClip, model: mujoco.MjModel | None) -> Solids | Soles:
    model = model or model_of(clip.skeleton)
    return Soles(clip) if model is None else Solids(model, clip)


# Feet -----------------------------------------------------------------------------------------------------------------


def locked(
    clip: MotionClip, report: QualityReport, limits: Limits, model: mujoco.MjModel | None, *, foot: str
) -> Array:
    """A standing foot held in place by its leg: the way that it slides is taken back, rolling stays.

    While it stands, the slip of its slowest low point is summed up and subtracted; between two stances the correction
    passes smoothly from one to the next. Hip, knee and ankle follow by inverse kinematics within their limits. A slide by
    more than :data:`LONGEST_SLIDE` is left: there the whole body slides, and no leg can make up for it.
    """
    body = clip.skeleton.body(foot)
    offset = _slip(clip, foot, ground.sole(clip, _solid(clip, model), foot), limits)
    qpos = clip.qpos.copy()
    rows = np.flatnonzero(np.linalg.norm(offset, axis=-1) > 1e-6)
    if len(rows) and any(finding.subject == foot for finding in report.of("skate")):
        legs = np.array(_leg(clip.skeleton, body), np.intp)
        qpos[np.ix_(rows, legs)] = _reach(clip, body, offset, rows, legs)[:, legs]
    return qpos


def _slip(clip: MotionClip, foot: str, points: Array, limits: Limits) -> Array:
    """``(T, 2)`` shift on the ground that keeps a foot with sole ``points (T, P, 3)`` where it stands."""
    offset, known = np.zeros((clip.n_frames, 2)), np.zeros(clip.n_frames, bool)
    way = np.diff(points[..., :2], axis=0)  # (T-1, P, 2)
    low = np.maximum(points[1:, :, 2], points[:-1, :, 2]) < limits.contact_height
    speed = np.where(low, np.linalg.norm(way, axis=-1), np.inf)
    slowest = np.take_along_axis(way, speed.argmin(axis=1)[:, None, None], axis=1)[:, 0]
    for first, last, values in ground.stance(clip, foot, points, limits):
        known[first : last + 1] = True
        if values.max() <= limits.skate[0]:
            continue
        slid = np.concatenate((np.zeros((1, 2)), -np.cumsum(slowest[first:last], axis=0)))
        slid -= slid[np.linalg.norm(slid - slid.mean(axis=0), axis=-1).argmin()]
        if np.linalg.norm(slid, axis=-1).max() <= LONGEST_SLIDE:
            offset[first : last + 1] = slid
    for start, stop in runs(~known):
        before = offset[start - 1] if start > 0 else np.zeros(2)
        after = offset[stop] if stop < clip.n_frames else np.zeros(2)
        n = stop - start
        ahead, behind = np.arange(1, n + 1)[:, None], np.arange(n, 0, -1)[:, None]
        width = min(n, max(1, round(2.0 * BLEND * clip.fps))) + 1.0
        offset[start:stop] = before * _ease(1.0 - ahead / width) + after * _ease(1.0 - behind / width)
    return offset


def _ease(share: Array) -> Array:
    share = np.clip(share, 0.0, 1.0)
    return share**2 * (3.0 - 2.0 * share)


def _leg(skeleton: Skeleton, foot: int) -> list[int]:
    """Columns of ``qpos`` from the hip to the ankle: the joints of the foot and of up to two moving bodies above it."""
    columns: list[int] = []
    body, links = foot, 0
    while body >= 0 and links < 3 and not any(skeleton.joints[j].kind == "free" for j in skeleton.joints_of[body]):
        for j in skeleton.joints_of[body]:
            at = skeleton.qpos_address[j]
            columns += range(at, at + (4 if skeleton.joints[j].kind == "ball" else 1))
        links += bool(skeleton.joints_of[body])
        body = skeleton.parents[body]
    return columns


def _reach(clip: MotionClip, foot: int, offset: Array, rows: NDArray[np.intp], legs: NDArray[np.intp]) -> Array:
    """Poses ``(n, nq)`` of ``rows`` with the foot moved by ``offset (T, 2)`` and turned as before."""
    skeleton = clip.skeleton
    position, quat = clip.bodies
    targets = inverse_kinematics.Targets(
        point_bodies=(foot,),
        offsets=np.zeros((1, 3)),
        positions=position[rows, foot][:, None] + np.pad(offset[rows], ((0, 0), (0, 1)))[:, None],
        point_weights=np.array([10.0]),
        bodies=(foot,),
        rotations=quat[rows, foot][:, None],
        rotation_weights=np.array([1.0]),
    )
    free = np.full(skeleton.nv, 1e3)
    for joint, q, v in zip(skeleton.joints, skeleton.qpos_address, skeleton.dof_address, strict=True):
        if q in legs:
            free[v : v + (3 if joint.kind == "ball" else 1)] = 0.01
    return inverse_kinematics.solve(skeleton, clip.qpos[rows], targets, reference_weight=free).qpos


# Limbs ----------------------------------------------------------------------------------------------------------------


def parted(clip: MotionClip, report: QualityReport, limits: Limits, model: mujoco.MjModel | None) -> Array:
    """Limbs are led out of one another by the gradient of the body's distances; of other bodies than ours nothing."""
    if clip.skeleton.shape is None:
        return clip.qpos
    from rlsuite.motion.fields.untangling import untangled

    return untangled(clip)


# Reading and writing turns --------------------------------------------------------------------------------------------


def turned(before: MotionClip, after: MotionClip) -> Array:
    """``(T, nbody)`` angle between the turns of bodies relative to their parents."""
    a, b = (clip.skeleton.local_rotations(clip.qpos) for clip in (before, after))
    return rot.angle_between(a, b)


def _write(skeleton: Skeleton, qpos: Array, turns: Array, body: int, rows: NDArray[np.intp] | slice) -> None:
    """Put the turns of one body at ``rows`` into ``qpos``, in place; all else stays bit for bit."""
    rows = np.arange(len(qpos))[rows]
    written = skeleton.with_local_rotations(qpos[rows], turns[rows])
    columns: list[int] = []
    for j in skeleton.joints_of[body]:
        at, kind = skeleton.qpos_address[j], skeleton.joints[j].kind
        columns += {"free": range(at + 3, at + 7), "ball": range(at, at + 4), "hinge": [at], "slide": []}[kind]
    qpos[np.ix_(rows, np.array(columns))] = written[:, columns]
