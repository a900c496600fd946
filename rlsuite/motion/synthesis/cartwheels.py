"""The cartwheel: a wheel in the frontal plane, foot, hand, hand, foot, each planted where it is put.

The pelvis follows key poses by a C2 spline; limbs on the ground are solved for, limbs in the air follow keys, and the two
are joined with position, velocity and acceleration. The second half is the first one, mirrored and backwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from rlsuite.motion import body
from rlsuite.motion.synthesis import poses
from rlsuite.motion.synthesis.curves import Array, bridge, jet, window
from rlsuite.motion.synthesis.poses import SIDES, STANCE_WIDTH, Choreography
from rlsuite.motion.synthesis.standing import RELAXED, STANDING

FPS = 60.0
CONTACTS = ("right_foot", "left_foot", "right_hand", "left_hand")
HALF = 1.5  # seconds
MIDDLE = 1.42  # of the wheel: the hands are planted about it
HANDS = 0.235  # of each hand from the middle
HAND_HEIGHT = 0.04
MOMENT = 0.35  # seconds in which a limb passes from the ground to its way through the air
SHOULDER = (0.18311, 0.2435)  # aside and up from the chest joint
UPPER, LOWER = 0.274788, 0.258947
LEG = body.THIGH + body.SHIN
# first half: time, pelvis along and up (m), its roll and the trunk's further bend (degrees)
_PELVIS = (
    (0.0, -STANCE_WIDTH, STANDING, 0.0, 0.0),
    (0.45, -0.05, STANDING - 0.005, 0.0, 0.0),
    (0.80, 0.12, 0.80, -28.0, -6.0),
    (1.12, 0.485, 0.75, -105.0, -10.0),
    (1.30, 0.95, 0.95, -146.0, -8.0),
    (1.50, MIDDLE, 1.01, -180.0, 0.0),
)
# of the trailing (right) limbs in the air, whole duration: time and degrees outwards from straight down the body
_LEG = ((0.0, 0.0), (0.55, 4.0), (0.80, 30.0), (1.12, 56.0), (1.5, 46.0), (1.75, 45.0), (1.95, 50.0), (3.0, 0.0))
_ARM = (
    (0.0, 9.0),
    (0.10, 9.0),
    (0.62, 155.0),
    (1.1, 160.0),
    (1.5, 165.0),
    (1.9, 150.0),
    (2.35, 150.0),
    (2.9, 9.0),
    (3.0, 9.0),
)
_LEG_ON = ((0.0, 0.60), (2.0 * HALF - 1.10, 2.0 * HALF))
_ARM_ON = ((1.46, 2.0 * HALF - 1.11),)


def cartwheel(side: str) -> tuple[Array, NDArray[np.bool_]]:
    """``(T, nq)`` poses of a cartwheel to this side and ``(T, 4)`` which of :data:`CONTACTS` stand."""
    times = np.arange(round(2.0 * HALF * FPS) + 1) / FPS
    limbs = {"right": _limbs(times), "left": [_mirrored(limb) for limb in _limbs(times)]}
    along, up, roll, bend = _pelvis(times)
    none = np.zeros_like(times)
    arms, ankles, contacts = {}, {}, []
    for s in SIDES:
        (place, turned, pitch, on_foot), (spread, stretch, on_hand) = limbs[s]
        ankles[s] = (np.stack((none, place[:, 0], place[:, 1]), axis=-1), poses.turn(x=turned, y=pitch))
        elbow = np.arccos(np.clip((stretch**2 - UPPER**2 - LOWER**2) / (2.0 * UPPER * LOWER), -1.0, 1.0))
        lag = np.arctan2(LOWER * np.sin(elbow), UPPER + LOWER * np.cos(elbow))
        arms[s] = np.stack((spread, lag, none, -elbow), axis=-1)
        contacts += [on_foot, on_hand]
    plan = Choreography(
        root=np.stack((none, along, up), axis=-1),
        pelvis=poses.turn(x=roll),
        chest=np.stack((bend, none, none), axis=-1),
        neck=np.stack((none, none, none), axis=-1),
        arms=arms,
        ankles=ankles,
    )
    order = (0, 2, 1, 3)
    on = np.stack([contacts[i] for i in order], axis=-1)
    if side == "right":
        plan, on = _other_side(plan), on[:, (1, 0, 3, 2)]
    return poses.assemble(plan), on


def _pelvis(times: Array) -> Array:
    """``(4, T)`` along, up, roll and bend over the whole motion."""
    first = np.array(_PELVIS)
    second = first[-2::-1].copy()
    second[:, 0] = 2.0 * HALF - second[:, 0]
    second[:, 1], second[:, 3], second[:, 4] = 2.0 * MIDDLE - second[:, 1], -360.0 - second[:, 3], -second[:, 4]
    keys = np.concatenate((first, second))
    keys[:, 3:] = np.radians(keys[:, 3:])
    return CubicSpline(keys[:, 0], keys[:, 1:], bc_type="clamped")(times).T


def _frame(times: Array, bent: bool) -> tuple[Array, Array, Array]:
    """``(T, 2)`` each, along and up: an origin, the body's left and its up; of the pelvis, or of the chest."""
    along, up, roll, bend = _pelvis(times)
    rise = np.stack((-np.sin(roll), np.cos(roll)), axis=-1)
    origin = np.stack((along, up), axis=-1)
    if bent:
        origin, roll = origin + body.PELVIS_TO_CHEST * rise, roll + bend
    left = np.stack((np.cos(roll), np.sin(roll)), axis=-1)
    return origin, left, np.stack((-left[:, 1], left[:, 0]), axis=-1)


def _limb(
    times: Array,
    keys: tuple,
    on: tuple,
    plant: float,
    height: float,
    socket: tuple[float, float],
    length: float,
    bent: bool,
) -> tuple[Array, NDArray[np.bool_]]:
    """``(T, 2)`` of a right limb: angle outwards from straight down the body and length; and when it is planted."""

    def planted(t: Array, place: float) -> Array:
        origin, left, rise = _frame(t, bent)
        reach = np.array([place, height]) - (origin - socket[0] * left + socket[1] * rise)
        out, down = -np.sum(reach * left, axis=-1), -np.sum(reach * rise, axis=-1)
        return np.stack((np.unwrap(np.arctan2(out, down)), np.hypot(out, down)), axis=-1)

    angles = CubicSpline([k[0] for k in keys], np.radians([k[1] for k in keys]), bc_type="clamped")

    def free(t: Array) -> Array:
        return np.stack((angles(t), np.full_like(t, length)), axis=-1)

    stands = np.zeros(len(times), np.bool_)
    limb = free(times)
    edges: list[tuple[float, Array]] = []
    for begin, end in on:
        place = plant if begin > 0.0 else -2.0 * STANCE_WIDTH
        here = (times >= begin - 1e-9) & (times <= end + 1e-9)
        limb[here], stands = planted(times[here], place), stands | here
        edges += [(edge, jet(lambda t, p=place: planted(t, p) - free(t), edge, 1e-3)) for edge in (begin, end)]
    nothing, shares = np.zeros((3, 2)), (0.3, 0.3) if bent else (0.2, 0.2)  # hips have less room than shoulders
    for edge, miss in edges:
        if 0.0 < edge < times[-1]:  # from the ground into the air, or back, within a moment
            leaves = any(abs(edge - end) < 1e-9 for _, end in on)
            ends = (edge, edge + MOMENT) if leaves else (edge - MOMENT, edge)
            here = (times > ends[0]) & (times < ends[1]) & ~stands
            start, stop = (miss, nothing) if leaves else (nothing, miss)
            limb[here] += bridge(times[here], ends, start, stop, shares)
    return limb, stands


def _limbs(times: Array) -> list[tuple]:
    """Of the trailing side: the leg as place, roll and pitch of the foot; the arm as spread and stretch."""
    landing = 2.0 * MIDDLE
    leg, on_foot = _limb(times, _LEG, _LEG_ON, landing, body.ANKLE_HEIGHT, (STANCE_WIDTH, 0.0), LEG - 0.006, False)
    leg[:, 1] = np.minimum(leg[:, 1], LEG - 0.002)
    origin, left, rise = _frame(times, False)
    out = -left * np.sin(leg[:, :1]) - rise * np.cos(leg[:, :1])
    place = origin - STANCE_WIDTH * left + leg[:, 1:] * out
    roll = _pelvis(times)[2]
    (_, leaves), (lands, _) = _LEG_ON
    aloft = window(times, (leaves, leaves + 0.3), (lands - 0.3, lands))
    ground = np.where(times < HALF, 0.0, -2.0 * np.pi)
    turned = ground + aloft * (roll - leg[:, 0] - ground)
    arm, on_hand = _limb(times, _ARM, _ARM_ON, MIDDLE + HANDS, HAND_HEIGHT, SHOULDER, UPPER + LOWER - 0.01, True)
    arm[:, 1] = np.minimum(arm[:, 1], UPPER + LOWER - 0.001)
    hanging = 1.0 - window(times, (0.1, 0.6), (2.3, 2.9))
    bent = np.sqrt(UPPER**2 + LOWER**2 + 2.0 * UPPER * LOWER * np.cos(RELAXED[3]))
    arm[:, 1] += hanging * (bent - (UPPER + LOWER - 0.01))
    return [(place, turned, 0.8 * aloft, on_foot), (arm[:, 0], arm[:, 1], on_hand)]


def _mirrored(limb: tuple) -> tuple:
    """The leading side's limb: the trailing one's, backwards and seen in a mirror."""
    backwards = [value[::-1] for value in limb]
    if len(limb) == 4:
        place, turned, pitch, on = backwards
        return np.stack((2.0 * MIDDLE - place[:, 0], place[:, 1]), axis=-1), -2.0 * np.pi - turned, pitch, on
    return tuple(backwards)


def _other_side(plan: Choreography) -> Choreography:
    """The whole motion in the mirror."""
    flip, axial = np.array([1.0, -1.0, 1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    other = {"right": "left", "left": "right"}
    return Choreography(
        root=plan.root * flip,
        pelvis=plan.pelvis * axial,
        chest=plan.chest * -flip,
        neck=plan.neck * -flip,
        arms={s: plan.arms[other[s]] for s in SIDES},
        ankles={s: (plan.ankles[other[s]][0] * flip, plan.ankles[other[s]][1] * axial) for s in SIDES},
    )
