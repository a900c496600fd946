"""Whether muscles and ground could make the motion: inverse dynamics against torque limits and contact.

Newton and Euler for every body ``k`` (mass ``m``, centre ``c``, inertia ``I``), over the whole clip at once:
``f = m (a - g)``, ``n = I alpha + omega x I omega``; what is beyond joint ``i`` then needs the torque
``sum_k n_k + (c_k - p_i) x f_k`` (Featherstone 2008, section 5.3, in world coordinates), less what the ground gives. Working
with rotations instead of hinge angles leaves no gimbal lock to stumble over; the inertia of motors (armature) is left out.

Accelerations are those of parabolas fitted to 0.16 s around each frame (Savitzky & Golay 1964): a foot's impact is spread
over as much. Ground forces act at points near the floor that do not swing along it, in pyramids of friction 1, and are those
that leave the least for the root, where nothing can pull, and then the least torques (non-negative least squares, Lawson
& Hanson 1974).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d
from scipy.optimize import nnls
from scipy.signal import savgol_coeffs

from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.quality.findings import Finding, above
from rlsuite.motion.quality.limits import Limits
from rlsuite.motion.quality.solids import Solids

Array = NDArray[np.float64]
HALF_WINDOW = 0.08  # seconds
HIGHEST_RATE = 60.0  # frames a second that are looked at
FRICTION = 1.0
SWINGING = 2.0  # m/s over the floor: feet that land or leave it are slower, those that swing by low are faster
LEVER = 0.3  # metres: turns a moment at the root into a force to compare
_EASE = 0.03  # weight of joint torques beside the root: small, so that they only choose among possible forces
_EDGES = np.array([[FRICTION, 0.0, 1.0], [-FRICTION, 0.0, 1.0], [0.0, FRICTION, 1.0], [0.0, -FRICTION, 1.0]])
_TURNING = np.cross(np.eye(3)[:, None], _EDGES).reshape(3, -1)  # (3, 4 3): a x edge is linear in a


@dataclass(frozen=True)
class Effort:
    """What the motion needs in ``frames (n,)``.

    Attributes:
        torques: ``(n, J)`` joint torques in N m (norm for three axes), of ``bodies (J,)``; limits: ``(J,)``.
        force: ``(n, 3)`` N and moment: ``(n, 3)`` N m about the root that nothing gives. ground: ``(n, 3)`` N.
        weight: N of the body.
    """

    frames: NDArray[np.intp]
    bodies: tuple[int, ...]
    torques: Array
    limits: Array
    force: Array
    moment: Array
    ground: Array
    weight: float

    @property
    def residual(self) -> Array:
        """``(n,)`` share of the body's weight: the force, or the moment over 0.3 m, whichever is greater."""
        moment = np.linalg.norm(self.moment, axis=-1) / LEVER
        return np.maximum(np.linalg.norm(self.force, axis=-1), moment) / self.weight


def plausibility(clip: MotionClip, solids: Solids, limits: Limits) -> list[Finding]:
    """Findings ``residual`` (force from nowhere) and ``torque`` (ratio to the motor's limit)."""
    effort = inverse_dynamics(clip, solids, limits.support_height)
    if effort is None:
        return []
    nearest = np.abs(np.arange(clip.n_frames)[:, None] - effort.frames).argmin(axis=1)
    looked_at = np.abs(np.arange(clip.n_frames) - effort.frames[nearest]) < max(1.0, clip.fps / HIGHEST_RATE)
    note = "force, or moment over 0.3 m, at the root that no contact with the floor could give"
    found = above(
        "residual", "root", np.where(looked_at, effort.residual[nearest], 0.0), "body weights", limits.residual, note
    )
    for j, body in enumerate(effort.bodies):
        ratio = np.where(looked_at, effort.torques[nearest, j] / effort.limits[j], 0.0)
        note = f"limit {effort.limits[j]:g} N m"
        found += above("torque", clip.skeleton.body_names[body], ratio, "of the limit", limits.torque, note)
    return found


def inverse_dynamics(clip: MotionClip, solids: Solids, support_height: float) -> Effort | None:
    """Torques and residuals of a clip; ``None`` where it is too short to have accelerations.

    The first and last 0.08 s of a clip that is no cycle are left out.

    Args:
        support_height: metres above the floor under which a point may hold the body, unless it swings by.
    """
    half = max(2, round(HALF_WINDOW * clip.fps))
    stride = max(1, int(np.ceil(clip.fps / HIGHEST_RATE - 1e-6)))
    if clip.loop == "wrap":
        frames = np.arange(0, clip.n_frames, stride)
    else:
        frames = np.arange(half, clip.n_frames - half, stride)
    if len(frames) == 0 or clip.n_frames < 2:
        return None
    motion = _Motion(clip, solids.model, frames, half)
    owners, points = solids.points
    size = 2 * (half // 2) + 1
    holds = (points[..., 2] < support_height) & (_sliding(clip, owners, points) < SWINGING)
    return _balance(
        motion, frames, owners, points[frames], maximum_filter1d(holds, size, axis=0, mode="nearest")[frames]
    )


def _sliding(clip: MotionClip, owners: NDArray[np.intp], points: Array) -> Array:
    """``(T, P)`` m/s over the ground of what is now at ``points (T, P, 3)`` of the bodies ``owners (P,)``.

    The body itself moves, not its lowest point: a ball that rolls does not slide.
    """
    position, quat = clip.bodies
    arms = rot.rotate(rot.conjugate(quat[:, owners]), points - position[:, owners])
    now = np.arange(clip.n_frames)
    before, after = np.maximum(now - 1, 0), np.minimum(now + 1, clip.n_frames - 1)
    ends = [position[t][:, owners] + rot.rotate(quat[t][:, owners], arms) for t in (before, after)]
    way = np.linalg.norm((ends[1] - ends[0])[..., :2], axis=-1)
    return np.asarray(way * clip.fps / np.maximum(after - before, 1)[:, None])


class _Motion:
    """Centres, rotations and accelerations of all bodies at ``frames (n,)``."""

    def __init__(self, clip: MotionClip, model: mujoco.MjModel, frames: NDArray[np.intp], half: int) -> None:
        self.skeleton, self.model, self.n = clip.skeleton, model, len(frames)
        poses = clip.qpos
        if clip.loop == "wrap":
            poses = clip.sample(np.arange(-half, clip.n_frames + half) / clip.fps)
            frames = frames + half
        position, quat = kinematics.forward(self.skeleton, poses)
        centre = position + rot.rotate(quat, model.body_ipos[1:])
        self.position, self.quat, self.centre = position[frames], quat[frames], centre[frames]
        window = range(-half, half + 1)
        slope, bend = (savgol_coeffs(2 * half + 1, 2, d, delta=1.0 / clip.fps, use="dot") for d in (1, 2))
        self.acceleration = np.zeros_like(self.centre)
        omega, alpha = np.zeros_like(self.centre), np.zeros_like(self.centre)  # in the body's frame
        for i, k in enumerate(window):
            turn = rot.log(rot.multiply(rot.conjugate(self.quat), quat[frames + k]))
            omega += slope[i] * turn
            alpha += bend[i] * turn
            self.acceleration += bend[i] * centre[frames + k]
        inertial = rot.multiply(self.quat, model.body_iquat[1:])  # world from principal axes
        back = rot.conjugate(model.body_iquat[1:])
        omega, alpha = rot.rotate(back, omega), rot.rotate(back, alpha)
        inertia = model.body_inertia[1:]
        self.moment = rot.rotate(inertial, inertia * alpha + np.cross(omega, inertia * omega))  # (n, nbody, 3)
        self.force = model.body_mass[1:, None] * (self.acceleration - model.opt.gravity)

    @cached_property
    def below(self) -> NDArray[np.bool_]:
        """``(nbody, nbody)`` whether body ``k`` is ``i`` or hangs from it."""
        out = np.eye(self.skeleton.nbody, dtype=bool)
        for k in range(self.skeleton.nbody):
            parent = self.skeleton.parents[k]
            if parent >= 0:
                out[:, k] |= out[:, parent]
        return out

    def wrench(self, body: int, about: Array) -> tuple[Array, Array]:
        """Force and moment about ``about (n, 3)`` that ``body`` and all below it need."""
        part = self.below[body]
        arms = self.centre[:, part] - about[:, None]
        return self.force[:, part].sum(axis=1), (self.moment[:, part] + np.cross(arms, self.force[:, part])).sum(axis=1)


def _balance(
    motion: _Motion, frames: NDArray[np.intp], owners: NDArray[np.intp], points: Array, low: NDArray[np.bool_]
) -> Effort:
    """Ground forces, and what remains for joints and root."""
    skeleton, model = motion.skeleton, motion.model
    weight = float(model.body_mass[1:].sum() * np.linalg.norm(model.opt.gravity)) or 1.0
    bodies, limits = _motors(model, skeleton.nbody)
    root = motion.position[:, 0]
    force, moment = motion.wrench(0, root)
    anchors, needed, projections = [], [], []
    for body in bodies:
        hinges = [skeleton.joints[j] for j in skeleton.joints_of[body]]
        anchor = motion.position[:, body] + rot.rotate(motion.quat[:, body], hinges[0].anchor)
        anchors.append(anchor)
        needed.append(motion.wrench(body, anchor)[1])
        if len(hinges) == 1 and hinges[0].kind == "hinge":
            axis = rot.rotate(motion.quat[:, body], hinges[0].axis)
            projections.append(axis[:, :, None] * axis[:, None, :])
        else:
            projections.append(np.broadcast_to(np.eye(3), (motion.n, 3, 3)))
    carried = np.array([motion.below[body, owners] for body in bodies], np.float64).reshape(len(bodies), len(owners))
    about = np.stack((root, *anchors))  # (1 + J, n, 3)
    share = _EASE / limits
    want = np.concatenate(
        (
            force / weight,
            moment / (weight * LEVER),
            *(w * np.einsum("tij,tj->ti", p, m) for w, p, m in zip(share, projections, needed, strict=True)),
        ),
        axis=1,
    )  # (n, 6 + 3 J)
    left, ground = want.copy(), np.zeros((motion.n, 3))
    for rows, near in _alike(low):
        matrix = _pushes(points[rows][:, near], about[:, rows], carried[:, near], projections, rows, share, weight)
        for t, lever in zip(rows.tolist(), matrix, strict=True):
            push, _ = nnls(lever, want[t])
            left[t] -= lever @ push
            ground[t] = push @ np.tile(_EDGES, (len(near), 1))
    torques = np.linalg.norm(left[:, 6:].reshape(motion.n, -1, 3), axis=-1) * limits / _EASE
    return Effort(
        frames, tuple(bodies), torques, limits, left[:, :3] * weight, left[:, 3:6] * weight * LEVER, ground, weight
    )


def _alike(low: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Frames with the same points near the floor, and these points, leaving out those with none."""
    kinds, which = np.unique(low, axis=0, return_inverse=True)
    for kind, mask in enumerate(kinds):
        if mask.any():
            yield np.flatnonzero(which.reshape(-1) == kind), np.flatnonzero(mask)


def _pushes(
    points: Array, about: Array, carried: Array, projections: list[Array], rows: NDArray[np.intp], share: Array,
    weight: float,
) -> Array:  # fmt: skip
    """``(t, 6 + 3 J, 4 P)`` what unit pushes along the edges of the friction pyramids at ``points (t, P, 3)`` do to the
    root and to the joints, each about its point of ``about (1 + J, t, 3)``."""
    t, count = len(points), points.shape[1]
    moments = ((points[None] - about[:, :, None]) @ _TURNING).reshape(*about.shape[:2], count, len(_EDGES), 3)
    moments = moments.transpose(0, 1, 4, 2, 3)  # (1 + J, t, 3, P, 4)
    out = np.empty((t, 3 * len(about) + 3, count * len(_EDGES)))
    out[:, :3] = np.tile(_EDGES, (count, 1)).T / weight
    out[:, 3:6] = moments[0].reshape(t, 3, -1) / (weight * LEVER)
    for i, projection in enumerate(projections):
        lever = (moments[1 + i] * (share[i] * carried[i])[:, None]).reshape(t, 3, -1)
        out[:, 6 + 3 * i : 9 + 3 * i] = projection[rows] @ lever
    return out


def _motors(model: mujoco.MjModel, nbody: int) -> tuple[list[int], Array]:
    """Bodies whose joints have motors of limited torque, and these limits; of several hinges the strongest."""
    limits = np.zeros(nbody)
    for actuator in range(model.nu):
        if model.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_JOINT and model.actuator_forcelimited[actuator]:
            joint = model.actuator_trnid[actuator, 0]
            strongest = np.abs(model.actuator_forcerange[actuator] * model.actuator_gear[actuator, 0]).max()
            body = model.jnt_bodyid[joint] - 1
            limits[body] = max(limits[body], strongest)
    bodies = np.flatnonzero(limits > 0.0).tolist()
    return bodies, limits[bodies]
