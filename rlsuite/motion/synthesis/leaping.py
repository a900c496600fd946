"""The jump, with the flight of a thrown body, and the kick, on one leg.

A jump's centre of mass rises by ``h`` in free fall: it leaves and meets the ground at the same height with the same pose
of the legs, so the flight takes ``2 sqrt(2 h / g)``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BPoly

from rlsuite.motion import body
from rlsuite.motion.synthesis import poses
from rlsuite.motion.synthesis.curves import Array, bridge, jet, moves, spline, window
from rlsuite.motion.synthesis.poses import GRAVITY, SIDES, SIGN, STANCE_WIDTH, TOE, Choreography
from rlsuite.motion.synthesis.standing import BALANCE, RELAXED, STANDING, balanced, frames, stand

FPS = 60.0
TIPTOE = np.radians(45.0)


def jump(height: float) -> tuple[Choreography, NDArray[np.bool_]]:
    """Crouch, swing the arms, leap, land on the toes and soften; also ``(T, 2)`` whether each foot stands."""
    speed = np.sqrt(2.0 * GRAVITY * height)
    flight = 2.0 * speed / GRAVITY
    dip = float(np.clip(0.16 + 0.35 * height, 0.16, 0.34))
    crouched, push = 0.75, 2.3 * (dip + 0.08) / (speed + 0.7)
    leave = crouched + push
    land = leave + flight
    low, up = land + 0.24, land + 1.05
    times = frames(up + 0.2, FPS)

    def keyed(*keys: tuple[float, float]) -> Array:
        return spline(times, [(0.0, keys[0][1]), *keys[1:], (up + 0.2, keys[0][1])])

    more = height / 0.25 - 1.0  # who bends forward must straighten up on take-off, and turns in the air if that is late
    tilt = keyed(
        (0, 0.0), (0.2, 0.0), (crouched, 0.25 + 0.17 * more), (leave, 0.03), (land, 0.05),
        (low + 0.05, 0.25 + 0.11 * more), (up, 0.0),
    )  # fmt: skip
    chest = keyed(
        (0, 0.02), (0.2, 0.02), (crouched, 0.22 + 0.16 * more), (leave, 0.0), (land, 0.02),
        (low + 0.05, 0.2 + 0.08 * more), (up, 0.02),
    )  # fmt: skip
    swing = keyed(
        (0, RELAXED[1]), (0.2, 0.1), (crouched - 0.15, 0.45), (leave, -2.3), (leave + 0.5 * flight, -2.1),
        (land, -2.0), (low + 0.1, -0.8), (up, RELAXED[1]),
    )  # fmt: skip
    elbow = keyed((0, RELAXED[3]), (crouched, -0.35), (leave, -0.45), (land, -0.5), (low, -0.6), (up, RELAXED[3]))
    arm = np.stack((np.full(len(times), 0.2), swing, np.full(len(times), -0.15), elbow), axis=-1)
    fade = min(0.3, 0.08 / flight)  # share of the flight in which the feet come to fly with the body
    roll = 0.16  # seconds from the heel's rise to the toe's leaving, ever faster, and the same backwards

    def pitch_at(t: Array) -> Array:
        away = np.where(t < 0.5 * (leave + land), t - leave, land - t)
        return TIPTOE * np.clip(1.0 + away / roll, 0.0, None) ** 3

    turning = [jet(pitch_at, t, 1e-3) * np.array([1.0, 1.0, 0.0]) for t in (leave, land)]
    air = (times > leave) & (times < land)
    pitch = np.where(air, bridge(times, (leave, land), turning[0], turning[1], (fade, fade)), pitch_at(times))
    still = stand(
        times,
        tilt=tilt,
        chest=(0.0, chest, 0.0),
        neck=(0.0, -0.7 * (tilt + chest), 0.0),
        arms=dict.fromkeys(SIDES, arm),
    )

    def foot_at(t: Array) -> Array:
        """``(..., 2)`` of an ankle whose toe rests, forward and up."""
        angle = pitch_at(t)
        x = TOE[0] - np.cos(angle) * TOE[0] - np.sin(angle) * TOE[2]
        return np.stack((x, np.sin(angle) * TOE[0] - np.cos(angle) * TOE[2]), axis=-1)

    # the centre of mass at take-off and landing: knees all but straight, on tiptoe
    tiptoe = foot_at(np.array([leave]))[0]
    start = _mass_height(still, 0, None, 0.0)
    extended = min(_mass_height(still, round(t * FPS), tiptoe, speed) for t in (leave, land))
    nodes = [0.0, 0.2, crouched, leave, land, low, up, up + 0.3]
    rise = BPoly.from_derivatives(
        nodes,
        [(start, 0, 0), (start, 0, 0), (start - dip, 0.0, 9.0), (extended, speed, -GRAVITY),
         (extended, -speed, -GRAVITY), (start - 0.75 * dip, 0.0, 3.0), (start, 0, 0), (start, 0, 0)],
    )  # fmt: skip
    ahead = 0.03 + 0.02 * more  # towards the toes while it stands on them; what presses the ground stays off their edge
    forward = BALANCE + ahead * window(times, (0.2, leave), (land, up))
    mass = np.stack((forward, 0.0 * times, rise(times)), axis=-1)
    # in the air the feet go with the centre of mass, tucked up a little in the middle
    middle = np.array([BALANCE + ahead, 0.0])
    relative = [
        jet(lambda t: foot_at(t) - middle - np.outer(rise(t), (0.0, 1.0)), t, 1e-3) * np.array([[1.0], [1.0], [0.0]])
        for t in (leave, land)
    ]
    path = foot_at(times)
    u = np.clip((times - leave) / flight, 0.0, 1.0)
    free = (
        middle
        + np.outer(rise(times), (0.0, 1.0))
        + bridge(times, (leave, land), relative[0], relative[1], (fade, fade))
    )
    free[:, 1] += min(0.12, 0.4 * height) * (4.0 * u * (1.0 - u)) ** 2
    path = np.where(air[:, None], free, path)
    ankles = {
        side: (
            np.stack((path[:, 0], np.full(len(times), SIGN[side] * STANCE_WIDTH), path[:, 1]), axis=-1),
            poses.turn(y=pitch),
        )
        for side in SIDES
    }
    # begin with legs bent everywhere, within reach, then carry the centre of mass to its path
    root = np.stack((path[:, 0], 0.0 * times, path[:, 1] + 0.7), axis=-1)
    plan = poses.carry(replace(still, root=root, ankles=ankles), mass)
    return plan, np.repeat(~air[:, None], 2, axis=1)


def _mass_height(plan: Choreography, frame: int, ankle: Array | None, speed: float) -> float:
    """Height of the centre of mass with the pose of one frame, standing, or on tiptoe with all but straight knees."""
    one = slice(frame, frame + 1)
    root, ankles = plan.root[one], {side: tuple(a[one] for a in plan.ankles[side]) for side in SIDES}
    if ankle is not None:
        # the body leaves at this speed and takes the feet with it within a moment, while the legs still lengthen
        reach = body.THIGH + body.SHIN - 0.015 - 0.024 * speed
        root = np.array([[ankle[0], 0.0, ankle[1] + reach]])
        ankles = {
            side: (np.array([[ankle[0], SIGN[side] * STANCE_WIDTH, ankle[1]]]), poses.turn(y=np.array([TIPTOE])))
            for side in SIDES
        }
    arms = {side: plan.arms[side][one] for side in SIDES}
    pose = Choreography(root, plan.pelvis[one], plan.chest[one], plan.neck[one], arms, ankles)  # type: ignore[arg-type]
    return float(poses.centre_of_mass(poses.assemble(pose))[0, 2])


def kick(height: float, foot: str) -> tuple[Choreography, NDArray[np.bool_]]:
    """A front kick: weight to the other leg, knee up, the leg stretched out, and back."""
    sign = SIGN[foot]
    times = frames(2.0, FPS)
    # straight up first, so that nothing is dragged; then the thigh forward, the leg out, and the same way back
    forward = moves(times, [(0.0, 0.0), (0.52, 0.0), (0.85, 0.20), (1.05, 0.62), (1.25, 0.22), (1.58, 0.0), (2.1, 0.0)])
    rise = height - body.ANKLE_HEIGHT
    up = moves(times, [(0.0, 0.0), (0.45, 0.0), (0.82, 0.5), (1.05, 1.0), (1.28, 0.5), (1.65, 0.0), (2.1, 0.0)])
    way = np.stack((forward, body.ANKLE_HEIGHT + rise * up), axis=-1)
    off, down = 0.45, 1.65
    pitch = moves(times, [(0.0, 0.0), (0.5, 0.0), (0.78, 0.45), (1.05, -0.7), (1.3, 0.3), (1.55, 0.0), (2.1, 0.0)])
    shift = moves(times, [(0.0, 0.0), (0.05, 0.0), (0.45, 1.0), (1.6, 1.0), (1.95, 0.0), (2.1, 0.0)])
    lift = moves(times, [(0.0, 0.0), (0.45, 0.0), (1.0, 1.0), (1.6, 0.0), (2.1, 0.0)])
    aside = -sign * STANCE_WIDTH * shift
    rest = np.array(RELAXED)
    guard = np.array([0.25, -0.7, -0.3, -1.7])
    arms = {side: rest + np.outer(shift, guard - rest) for side in SIDES}
    arms[foot] = arms[foot] + np.outer(lift, (0.15, 0.7, 0.0, 0.5))
    plan = stand(
        times,
        height=STANDING - 0.025 * shift,
        tilt=-0.22 * lift,
        chest=(0.0, 0.02 + 0.1 * lift, 0.25 * sign * -lift),
        neck=(0.0, 0.1 * lift, 0.2 * sign * lift),
        arms=arms,
    )
    plan.root[:, 1] = aside
    contacts = np.ones((len(times), 2), np.bool_)
    contacts[:, SIDES.index(foot)] = (times <= off) | (times >= down)
    # in the air the kicking foot stays straight in front of its own hip, which has moved over the standing foot
    freed = window(times, (off, off + 0.3), (down - 0.3, down))
    for _ in range(4):
        own = plan.root[:, 1] + sign * STANCE_WIDTH
        y = sign * STANCE_WIDTH + freed * (own - sign * STANCE_WIDTH)
        ankles = {**plan.ankles, foot: (np.stack((way[:, 0], y, way[:, 1]), axis=-1), poses.turn(y=pitch))}
        plan = balanced(replace(plan, ankles=ankles), aside=aside)
    return plan, contacts
