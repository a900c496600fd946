"""Motions on two feet that stay where they are: idling, squatting, bowing, waving; and the step to the side.

The centre of mass stays over the feet: the pelvis moves to where it must for that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import body
from rlsuite.motion.synthesis import poses
from rlsuite.motion.synthesis.curves import Array, ease, moves
from rlsuite.motion.synthesis.poses import SIDES, SIGN, STANCE_WIDTH, Choreography

FPS = 30.0
STANDING = body.rest_height() - 0.007  # of the pelvis: the knees are not locked
BALANCE = 0.03  # of the centre of mass in front of the ankles
RELAXED = (np.radians(9.0), np.radians(-3.0), -0.15, np.radians(-14.0))  # an arm that hangs


def frames(duration: float, fps: float = FPS) -> Array:
    """``(T,)`` times of a motion of this duration, to the nearest whole number of frames."""
    return np.arange(round(duration * fps) + 1) / fps


def stand(
    times: Array,
    *,
    height: Array | float = STANDING,
    tilt: Array | float = 0.0,
    roll: Array | float = 0.0,
    chest: tuple[Array | float, Array | float, Array | float] = (0.0, 0.0, 0.0),
    neck: tuple[Array | float, Array | float, Array | float] = (0.0, 0.0, 0.0),
    arms: dict[str, Array] | None = None,
) -> Choreography:
    """Both feet flat below the hips; everything may be a number or a curve ``(T,)``."""
    one = np.ones(len(times))
    none = 0.0 * one
    return Choreography(
        root=np.stack((none, none, one * height), axis=-1),
        pelvis=poses.turn(x=one * roll, y=one * tilt),
        chest=np.stack([one * angle for angle in chest], axis=-1),
        neck=np.stack([one * angle for angle in neck], axis=-1),
        arms=arms or dict.fromkeys(SIDES, np.tile(RELAXED, (len(times), 1))),
        ankles={
            side: (np.tile((0.0, SIGN[side] * STANCE_WIDTH, body.ANKLE_HEIGHT), (len(times), 1)), poses.turn(x=none))
            for side in SIDES
        },
    )


def balanced(plan: Choreography, aside: Array | float = 0.0) -> Choreography:
    """The pelvis moved so that the centre of mass is above the feet, ``aside`` to the left of the middle."""
    path = np.zeros((len(plan.root), 3))
    path[:, 0], path[:, 1] = BALANCE, aside
    return poses.carry(plan, path, "xy")


def idle(duration: float) -> Choreography:
    """Two breaths, weight from one foot to the other and back, a glance to each side; seamless."""
    times = frames(duration)
    turn = 2.0 * np.pi * times / times[-1]
    breath = np.sin(2.0 * turn)
    arms = {
        side: np.array(RELAXED) + np.outer(breath, (0.01, 0.012, 0.0, -0.02)) + np.outer(np.sin(turn), (0, 0.02, 0, 0))
        for side in SIDES
    }
    plan = stand(
        times,
        height=STANDING - 0.002 * (1.0 - np.cos(2.0 * turn)),
        roll=0.012 * np.sin(turn),
        chest=(-0.02 * np.sin(turn), 0.02 - 0.015 * breath, 0.03 * np.sin(turn)),
        neck=(0.0, -0.02 + 0.01 * breath, 0.14 * np.sin(turn) - 0.04 * np.sin(2.0 * turn)),
        arms=arms,
    )
    return balanced(plan, aside=0.014 * np.sin(turn))


def squat(depth: float) -> Choreography:
    """Down and up again, arms stretched forward for balance, the whole sole on the ground."""
    half = 0.7 + 1.2 * depth
    times = frames(2.0 * half + 0.6)
    down = moves(times, [(0.0, 0.0), (0.15, 0.0), (0.15 + half, 1.0), (0.45 + half, 1.0), (times[-1] - 0.15, 0.0)])
    down = np.where(times >= times[-1] - 0.15, 0.0, down)
    share = depth / 0.45
    arm = np.outer(1.0 - down, RELAXED) + np.outer(
        down, (np.radians(4.0), np.radians(-80.0) * min(1.0, 0.4 + share), 0, -0.15)
    )
    plan = stand(
        times,
        height=STANDING - depth * down,
        tilt=0.40 * share * down,
        chest=(0.0, 0.30 * share * down, 0.0),
        neck=(0.0, -0.40 * share * down, 0.0),
        arms=dict.fromkeys(SIDES, arm),
    )
    return balanced(plan)


def bow(angle: float) -> Choreography:
    """A bow of the trunk by ``angle`` (rad), held, and up again."""
    times = frames(3.4)
    down = moves(times, [(0.0, 0.0), (0.2, 0.0), (1.3, 1.0), (2.0, 1.0), (3.2, 0.0), (3.4, 0.0)])
    lean = angle * down
    arm = np.tile(RELAXED, (len(times), 1))
    arm[:, 1] -= 0.55 * lean
    plan = stand(
        times,
        height=STANDING - 0.03 * (1.0 - np.cos(lean)),
        tilt=0.6 * lean,
        chest=(0.0, 0.4 * lean, 0.0),
        neck=(0.0, 0.2 * lean, 0.0),
        arms=dict.fromkeys(SIDES, arm),
    )
    return balanced(plan)


def wave(hand: str, times_waved: int) -> Choreography:
    """One arm up and out, the forearm waving to and fro."""
    period = 0.62
    begin, end = 0.95, 0.95 + period * times_waved
    times = frames(end + 1.1)
    up = moves(times, [(0.0, 0.0), (0.15, 0.0), (begin, 1.0), (end, 1.0), (end + 0.9, 0.0), (end + 1.1, 0.0)])
    on = ease((times - begin + 0.15) / 0.3) * (1.0 - ease((times - end + 0.15) / 0.3))
    beat = np.sin(2.0 * np.pi * (times - begin) / period) * on
    raised = np.array([np.radians(78.0), np.radians(-18.0), np.radians(76.0), np.radians(-98.0)])
    # elbow first, then the shoulder's twist: the hand comes up in front of the shoulder, not through the body
    arm = np.array(RELAXED) + np.outer(up, raised - np.array(RELAXED))
    arm += np.outer(beat, (np.radians(-4.0), 0.0, 0.0, np.radians(24.0)))
    other = np.array(RELAXED) + np.outer(up, (0.03, 0.0, 0.0, -0.08))
    sign = SIGN[hand]
    plan = stand(
        times,
        roll=-0.02 * sign * up,
        chest=(0.05 * sign * up + 0.012 * sign * beat, 0.02, 0.08 * sign * up),
        neck=(-0.06 * sign * up, -0.02, 0.10 * sign * up),
        arms={side: arm if side == hand else other for side in SIDES},
    )
    return balanced(plan, aside=-0.012 * sign * up)


def sidestep(step: float, side: str) -> tuple[Choreography, NDArray[np.bool_]]:
    """One step to a side, feet together again at the end: a cycle. Also ``(T, 2)`` which foot stands, right and left."""
    sign, other = SIGN[side], "left" if side == "right" else "right"
    times = frames(1.4, 60.0)
    over = 0.5 * STANCE_WIDTH
    # low enough for the leg that stays behind to reach the ground
    dip = 1.4 * (STANDING - body.ANKLE_HEIGHT - np.sqrt(0.815**2 - (step + over) ** 2))
    plan = stand(times, height=STANDING - dip * np.sin(np.pi * times / times[-1]) ** 2)
    swings = {side: (0.25, 0.62), other: (0.88, 1.25)}
    contacts = np.ones((len(times), 2), np.bool_)
    ankles = {}
    for i, s in enumerate(SIDES):
        begin, end = swings[s]
        share = ease((times - begin) / (end - begin))
        u = np.clip((times - begin) / (end - begin), 0.0, 1.0)
        place = plan.ankles[s][0].copy()
        place[:, 1] += sign * step * share
        place[:, 2] += 0.055 * (4.0 * u * (1.0 - u)) ** 3
        ankles[s] = (place, poses.turn(y=0.18 * (4.0 * u * (1.0 - u)) ** 3))
        contacts[:, i] = (u <= 0.0) | (u >= 1.0)
    aside = moves(
        times,
        [(0.0, 0.0), (0.32, -sign * over), (0.95, sign * (step + over)), (1.4, sign * step)],
    )
    plan.root[:, 1] = aside
    arms = {
        s: np.array(RELAXED) + np.outer(np.sin(np.pi * times / times[-1]) ** 2, (0.12, -0.05, 0.0, -0.2)) for s in SIDES
    }
    return balanced(replace(plan, arms=arms, ankles=ankles), aside=aside), contacts
