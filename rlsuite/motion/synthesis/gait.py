"""Walking, running and walking in a circle, from the joint angles of normal gait.

1. The angles (:mod:`gait_tables`), their swings scaled by one factor so that the stance foot, rolling on the ground,
   carries the pelvis by just the step that was asked for.
2. Each foot is planned from them: it lands on its heel, lies flat, rises about its toes, all without sliding, and its
   swing is the angles' own, joined to the stance so that position, velocity and acceleration agree.
3. The pelvis: walking, it follows the stance foot of step 1 (its even harmonics); running, the centre of mass is
   ballistic in flight and pushed by half a sine in stance, so acceleration has no jump.
4. Closed-form legs join pelvis and feet (:mod:`poses`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from rlsuite.errors import MotionError
from rlsuite.motion import body
from rlsuite.motion import rotations as rot
from rlsuite.motion.synthesis import gait_tables, poses
from rlsuite.motion.synthesis.curves import Array, bridge, ease, fourier, harmonics_of, jet, window
from rlsuite.motion.synthesis.gait_styles import Style
from rlsuite.motion.synthesis.poses import HEEL, SIGN, TOE, Choreography

FPS = 60.0
_GRID = np.arange(240) / 240.0


def _polar(reach: Array) -> Array:
    """``(..., 2)``: direction of the leg, forward of straight down, and its length in the sagittal plane.

    ``reach``: ``(..., 2)`` from hip to ankle, forward and up.
    """
    return np.stack((np.arctan2(reach[..., 0], -reach[..., 1]), np.linalg.norm(reach, axis=-1)), axis=-1)


def _cartesian(leg: Array) -> Array:
    """Inverse of :func:`_polar`."""
    return leg[..., 1:] * np.stack((np.sin(leg[..., 0]), -np.cos(leg[..., 0])), axis=-1)


def _length(knee: float) -> float:
    """From hip to ankle of a leg whose knee is bent so far."""
    return float(np.sqrt(body.THIGH**2 + body.SHIN**2 + 2.0 * body.THIGH * body.SHIN * np.cos(knee)))


@dataclass(frozen=True)
class Gait:
    """A planned gait: ``frames + 1`` poses of one stride, the last being the first of the next one."""

    plan: Choreography
    contacts: NDArray[np.bool_]
    fps: float
    step_length: float


class _Angles:
    """One leg of a table in the sagittal plane, its swings times ``scale``; ``phase`` is that leg's own."""

    def __init__(self, table: gait_tables.GaitTable, scale: float) -> None:
        self.table, self.scale = table, scale
        self.knee_scale = np.clip(0.5 + 0.5 * scale, 0.4, 1.1)

    def _swing(self, name: str, phase: Array, scale: float) -> Array:
        mean, harmonics = getattr(self.table, name)
        return np.radians(mean + scale * fourier((0.0, harmonics), phase))

    def thigh(self, phase: Array) -> Array:
        """Forward of the vertical."""
        hip = self._swing("hip", phase, self.scale)
        return hip - self._swing("tilt", phase, self.scale)

    def knee(self, phase: Array) -> Array:
        return self._swing("knee", phase, self.knee_scale)

    def pitch(self, phase: Array) -> Array:
        """Of the foot, toes down positive."""
        ankle = self._swing("ankle", phase, self.knee_scale)
        return self.knee(phase) - self.thigh(phase) - ankle

    def leg(self, phase: Array) -> Array:
        """``(..., 2)`` from hip to ankle, forward and up."""
        thigh, knee = self.thigh(phase), self.knee(phase)
        x = body.THIGH * np.sin(thigh) + body.SHIN * np.sin(thigh - knee)
        z = -body.THIGH * np.cos(thigh) - body.SHIN * np.cos(thigh - knee)
        return np.stack((x, z), axis=-1)

    def ankle(self, phase: Array) -> Array:
        """``(..., 2)`` forward and up from the pelvis."""
        leg = self.leg(phase)
        leg[..., 0] += poses.STANCE_WIDTH * np.sin(self.yaw(phase))
        return leg

    def sole(self, phase: Array) -> Array:
        """``(2, ..., 2)`` heel and toe, forward and up from the pelvis."""
        pitch = self.pitch(phase)
        ends = [
            np.stack(
                (np.cos(pitch) * p[0] + np.sin(pitch) * p[2], np.cos(pitch) * p[2] - np.sin(pitch) * p[0]), axis=-1
            )
            for p in (HEEL, TOE)
        ]
        return self.ankle(phase) + np.stack(ends)

    def yaw(self, phase: Array) -> Array:
        return np.radians(self.scale * fourier(self.table.rotation, phase))

    def roll(self, phase: Array) -> Array:
        return -np.radians(fourier(self.table.obliquity, phase))

    def tilt(self, phase: Array) -> Array:
        return np.radians(fourier((0.0, self.table.tilt[1]), phase))

    def support(self) -> tuple[Array, Array]:
        """Of the pelvis over the stride, on the grid: speed (m per stride) and height, the lowest sole point resting."""
        soles = np.concatenate([self.sole(_GRID), np.roll(self.sole(_GRID), len(_GRID) // 2, axis=1)])
        speeds = -(np.roll(soles[..., 0], -1, axis=1) - np.roll(soles[..., 0], 1, axis=1)) / (2.0 / len(_GRID))
        lowest = soles[..., 1].argmin(axis=0)
        return np.take_along_axis(speeds, lowest[None], axis=0)[0], -soles[..., 1].min(axis=0)


def _walking_angles(step: float) -> _Angles:
    """Scaled so that the rolling stance feet carry the pelvis by two steps in a stride."""

    def miss(scale: float) -> float:
        return float(_Angles(gait_tables.WALKING, scale).support()[0].mean()) - 2.0 * step

    return _Angles(gait_tables.WALKING, brentq(miss, 0.15, 2.5, xtol=1e-6))


def _running_angles(step: float, style: Style) -> _Angles:
    """Scaled so that the stance foot goes back under the pelvis as far as the pelvis goes forward over it."""

    def miss(scale: float) -> float:
        angles = _Angles(gait_tables.RUNNING, scale)
        ends = np.array([0.0, style.contact])
        back = -float(np.diff(angles.ankle(ends)[:, 0])[0])
        rolled = float(np.diff(_rolled(_pitch(angles, style)(ends), np.array([HEEL, TOE])))[0]) + TOE[0] - HEEL[0]
        return back + rolled - 2.0 * step * style.contact

    return _Angles(gait_tables.RUNNING, brentq(miss, 0.15, 3.0, xtol=1e-6))


def _rolled(pitch: Array, point: Array) -> Array:
    """How far forward of a resting ``point`` of the sole the ankle is."""
    return -np.cos(pitch) * point[..., 0] - np.sin(pitch) * point[..., 2]


def _pitch(angles: _Angles, style: Style) -> Callable[[Array], Array]:
    """Foot pitch that is exactly level while the foot lies flat."""
    begin, end = style.flat

    def pitch(phase: Array) -> Array:
        phase = np.asarray(phase, np.float64)
        u = phase - np.floor(phase)
        heel = 1.0 - ease(u / begin)
        toe = ease((u - end) / (0.55 * style.contact if style.flight else 0.2))
        return angles.pitch(u) * (heel + toe)

    return pitch


def _sway(style: Style, phase: Array) -> Array:
    """Of the pelvis to the left: over the foot that stands, in the middle of its single support."""
    return -style.sway * np.cos(2.0 * np.pi * (phase - 0.5 * style.contact))


class _Feet:
    """The planned foot of one side in its own stride's coordinates; ``x`` grows by two steps a stride."""

    def __init__(
        self, angles: _Angles, style: Style, step: float, aside: float, root_x: Callable, root_z: Callable
    ) -> None:
        self.style, self.step, self.pitch = style, step, _pitch(angles, style)
        half = poses.STANCE_WIDTH
        self.heel_pivot, self.toe_pivot = HEEL[0], TOE[0]
        headroom = self._stand_tallest(angles, aside, root_x, root_z)
        self.root_z = lambda phase: root_z(phase) + headroom

        def hip(phase: Array) -> Array:
            yaw, roll = np.sin(angles.yaw(phase)), np.sin(angles.roll(phase))
            return np.stack((root_x(phase), self.root_z(phase)), axis=-1) + half * np.stack((yaw, -roll), axis=-1)

        def free(phase: Array) -> Array:
            return _polar(angles.leg(phase))

        ends = (style.contact, 1.0)
        # a leg never becomes quite straight: its length nears this bound without a corner
        longest, soft = float(np.sqrt(_length(np.radians(4.0)) ** 2 - aside**2)), 0.0008
        mend = [jet(lambda p: _polar(self.stance(p) - hip(p)) - free(p), end) for end in ends]

        def swing(phase: Array, lift: float, late: float) -> Array:
            u = (phase - ends[0]) / (ends[1] - ends[0])
            leg = free(phase) + bridge(phase, ends, mend[0], mend[1], style.joins)
            leg[..., 1] -= lift * (4.0 * u * (1.0 - u)) ** 3 + late * window(u, (0.4, 0.8), (0.82, 1.0))
            leg[..., 1] = longest - soft * np.logaddexp(0.0, (longest - leg[..., 1]) / soft)
            return hip(phase) + _cartesian(leg)

        # the knee bends more than the table's where the sole would not clear the ground, in the middle and at the end
        share = np.linspace(*ends, 60)[3:-3]
        u = (share - ends[0]) / (ends[1] - ends[0])
        rise = np.min([self._rise(p, self.pitch(share)) for p in (HEEL, TOE)], axis=0)
        needed = style.clearance * np.minimum(1.0, 2.0 * (4.0 * u * (1.0 - u)) ** 3) - 0.002
        end = (u > 0.6) & (u < 0.87) & (not style.flight)
        needed[end] = style.clearance

        def least(clear: Callable[[float], NDArray[np.bool_]]) -> float:
            return next((float(lift) for lift in np.arange(0.0, 0.4, 0.002) if clear(lift).all()), 0.0)

        late = least(lambda x: (swing(share, 0.0, x)[:, 1] + rise >= needed) | ~end)
        lift = least(lambda x: swing(share, x, late)[:, 1] + rise >= needed)
        self.swing = lambda phase: swing(np.clip(phase, *ends), lift, late)

    def _stand_tallest(self, angles: _Angles, aside: float, root_x: Callable, root_z: Callable) -> float:
        """Place the footprint, forward and back, where the legs in stance let the pelvis be highest; how much higher."""
        longest = _length(self.style.straightest_knee)
        phase = np.linspace(0.0, self.style.contact, 60)
        foot, half = self.stance(phase), poses.STANCE_WIDTH
        hip = root_x(phase) + half * np.sin(angles.yaw(phase))
        bob = root_z(phase) - half * np.sin(angles.roll(phase))
        shifts = np.arange(-0.1, 0.35, 0.004)
        level = (foot[:, 0] + shifts[:, None] - hip) ** 2 + aside**2
        if level.max(axis=1).min() >= longest**2:
            raise MotionError("the step is longer than the legs reach; choose a shorter one, or a slower speed")
        heights = (foot[:, 1] + np.sqrt(np.maximum(longest**2 - level, 0.0)) - bob).min(axis=1)
        best = int(np.argmax(heights))
        self.heel_pivot, self.toe_pivot = self.heel_pivot + shifts[best], self.toe_pivot + shifts[best]
        return float(heights[best])

    @staticmethod
    def _rise(point: Array, pitch: Array) -> Array:
        return np.cos(pitch) * point[2] - np.sin(pitch) * point[0]

    def stance(self, phase: Array) -> Array:
        """``(..., 2)`` ankle while heel or toe rests, of the stride that the phase is of (from -0.25 on the next)."""
        phase = np.asarray(phase, np.float64)
        stride = np.floor(phase + 0.25)
        local = phase - stride
        pitch = self.pitch(phase)
        early = local < 0.5 * sum(self.style.flat)
        pivot = np.where(early, self.heel_pivot, self.toe_pivot) + 2.0 * self.step * stride
        point = np.where(early[..., None], HEEL, TOE)
        z = np.sin(pitch) * point[..., 0] - np.cos(pitch) * point[..., 2]
        return np.stack((pivot + _rolled(pitch, point), z), axis=-1)

    def ankle(self, phase: Array) -> Array:
        stride = np.floor(phase)
        u = phase - stride
        at = np.where((u <= self.style.contact)[..., None], self.stance(u), self.swing(u))
        at[..., 0] += 2.0 * self.step * stride
        return at

    def sideways(self, phase: Array) -> Array:
        """Of the ankle from the middle, outwards: about a pivot a toed-out ankle moves along the foot, not the path."""
        middle = self.heel_pivot - HEEL[0]

        def along(p: Array) -> Array:
            return self.stance(p)[..., 0] - 2.0 * self.step * np.floor(np.asarray(p) + 0.25) - middle

        u, contact = np.mod(phase, 1.0), self.style.contact
        swing = bridge(np.maximum(u, contact), (contact, 1.0), jet(along, contact), jet(along, 1.0), (0.3, 0.3))
        return self.style.width + np.tan(self.style.toe_out) * np.where(u <= contact, along(u), swing)


def bouncing_height(phase: Array, contact: float, period: float) -> Array:
    """Height of the centre of mass of a runner over the stride, up to a constant.

    Two steps a stride: in contact for ``contact * period`` with force ``m g (pi/2) (T/t_c) sin(pi t/t_c)``, whose
    impulse is that of gravity over the step's duration ``T``, otherwise in free fall.
    """
    step, on = 0.5 * period, contact * period
    time = np.mod(phase, 0.5) * period
    down = 0.5 * poses.GRAVITY * (step - on)  # speed at landing and at take-off
    push = 0.5 * np.pi * poses.GRAVITY * step / on
    t = np.minimum(time, on)
    stance = -down * t - 0.5 * poses.GRAVITY * t**2 + push * (on / np.pi) * (t - on / np.pi * np.sin(np.pi * t / on))
    f = np.maximum(time - on, 0.0)
    return stance + down * f - 0.5 * poses.GRAVITY * f**2


def plan_gait(speed: float, step: float, style: Style, rate: float = 0.0) -> Gait:
    """One stride, beginning with the right heel's strike. ``rate``: turning to the left in rad/s, along a circle."""
    period = 2.0 * step / speed
    frames = 2 * max(8, round(0.5 * period * FPS))  # even: half a stride is a whole number of frames
    phase = np.arange(frames + 1) / frames
    angles = _running_angles(step, style) if style.flight else _walking_angles(step)
    contacts = np.stack([_on_ground(phase + offset, style.contact) for offset in (0.0, 0.5)], axis=-1)
    lean = speed * rate / poses.GRAVITY  # towards the centre, so that gravity and the turn balance
    root_x, root_z = _pelvis_path(angles, style, step)
    bounce = bouncing_height(phase, style.contact, period) if style.flight else None
    for _ in range(8 if style.flight else 2):
        plan = _with_feet(phase, angles, style, step, root_x, root_z, lean, rate / speed)
        if bounce is not None:
            off = bounce - poses.centre_of_mass(poses.assemble(plan))[:, 2]
            heights = plan.root[:, 2] + off
            root_z = CubicSpline(phase, np.append(heights[:-1], heights[0]), bc_type="periodic")
    plan = _with_feet(phase, angles, style, step, root_x, root_z, lean, rate / speed)
    if rate:
        plan = _around(plan, speed, rate, period, step, style, phase)
    return Gait(plan, contacts, frames / period, step)


def _with_feet(
    phase: Array,
    angles: _Angles,
    style: Style,
    step: float,
    root_x: Callable,
    root_z: Callable,
    lean: float,
    curvature: float,
) -> Choreography:
    # each ankle is to the side of its hip by the step's width, the lean and the bend of the way
    aside = poses.STANCE_WIDTH - style.width + abs(lean) * body.rest_height() + 0.125 * step**2 * abs(curvature)
    feet = _Feet(angles, style, step, aside, root_x, root_z)
    yaw, roll = angles.yaw(phase), angles.roll(phase)
    root = np.stack((root_x(phase), _sway(style, phase) + lean * body.rest_height(), feet.root_z(phase)), axis=-1)
    ankles = {}
    for side, offset in (("right", 0.0), ("left", 0.5)):
        at, outward = feet.ankle(phase + offset), feet.sideways(phase + offset)
        foot = poses.turn(y=feet.pitch(phase + offset), z=SIGN[side] * style.toe_out)
        ankles[side] = (np.stack((at[:, 0] - 2.0 * step * offset, SIGN[side] * outward, at[:, 1]), axis=-1), foot)
    none = np.zeros_like(phase)
    return Choreography(
        root=root,
        pelvis=poses.turn(x=roll - lean, y=angles.tilt(phase), z=yaw),
        chest=np.stack((-0.9 * roll, style.trunk - angles.tilt(phase), -2.0 * yaw), axis=-1),
        neck=np.stack((none + lean, none - style.trunk, yaw), axis=-1),
        arms={side: _arms(style, phase + offset) for side, offset in (("right", 0.0), ("left", 0.5))},
        ankles=ankles,
    )


def _on_ground(phase: Array, contact: float) -> NDArray[np.bool_]:
    u = np.mod(phase, 1.0)
    return (u <= contact + 1e-9) | (u >= 1.0 - 1e-9)


def _pelvis_path(angles: _Angles, style: Style, step: float) -> tuple[Callable, Callable]:
    """Forward and up as functions of the phase, before the final height is found."""
    if style.flight:
        on = 0.5 * style.contact
        return (lambda p: 2.0 * step * np.asarray(p)), (lambda p: 0.03 * np.cos(4.0 * np.pi * (np.asarray(p) - on)))
    speed, height = angles.support()
    surge = np.cumsum(speed - speed.mean()) / len(speed)
    forward, up = harmonics_of(surge - surge.mean(), (2, 4)), harmonics_of(height, (2, 4))
    return (lambda p: 2.0 * step * np.asarray(p) + fourier((0.0, forward[1]), p)), (lambda p: fourier(up, p))


def _arms(style: Style, phase: Array) -> Array:
    """``(T, 4)`` of one side: furthest back when that side's heel strikes, the elbow more bent in front."""
    swing = -np.cos(2.0 * np.pi * (phase - 0.02))
    elbow = -np.cos(2.0 * np.pi * (phase - 0.08))
    inward = 0.35 if style.flight else 0.15
    return np.stack(
        (
            np.full(len(phase), np.radians(9.0)),
            -(style.arm[0] + style.arm[1] * swing),
            np.full(len(phase), -inward),
            -(style.elbow[0] + style.elbow[1] * elbow),
        ),
        axis=-1,
    )


def _around(
    plan: Choreography, speed: float, rate: float, period: float, step: float, style: Style, phase: Array
) -> Choreography:
    """The straight plan laid along a circle: each footprint as a whole, the pelvis with the heading of its place."""
    radius = speed / rate

    def laid(along: Array, place: Array, rotation: Array) -> tuple[Array, Array]:
        heading = along / radius
        centre = np.stack((radius * np.sin(heading), radius * (1.0 - np.cos(heading)), 0.0 * along), axis=-1)
        about = rot.from_axis_angle((0.0, 0.0, 1.0), heading)
        local = place - np.stack((along, 0.0 * along, 0.0 * along), axis=-1)
        return centre + rot.rotate(about, local), rot.multiply(about, rotation)

    ankles = {}
    for side, offset in (("right", 0.0), ("left", 0.5)):
        stride = np.floor(phase + offset)
        u = phase + offset - stride
        swung = ease((u - style.contact) / (1.0 - style.contact))
        middle = 0.5 * sum(style.flat) - offset
        ankles[side] = laid(2.0 * step * (stride + swung + middle), *plan.ankles[side])
    root, pelvis = laid(2.0 * step * phase, plan.root, plan.pelvis)
    return replace(plan, root=root, pelvis=pelvis, ankles=ankles)
