"""Motions made from numbers: gaits from published joint angles, other motions from key poses. No recordings.

``make("walk", speed=1.2)`` gives a clip of the default humanoid: feet that stand do not slide and do not sink in, what
flies falls with gravity, cycles close. ``NAMES`` says which motions there are and ``MOTIONS`` what they take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, UnknownNameError
from rlsuite.motion import body
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import Loop, MotionClip
from rlsuite.motion.synthesis import cartwheels, gait, leaping, poses, standing
from rlsuite.motion.synthesis.gait_styles import default_step, run_style, walk_style
from rlsuite.motion.synthesis.parameters import Parameter, check
from rlsuite.motion.synthesis.poses import Array, Choreography

__all__ = ["MOTIONS", "NAMES", "Motion", "Parameter", "make"]

LICENCE = "MIT (made by rlsuite from numbers; no recording)"
DECIMALS = 6  # a micrometre, a microradian: what is shipped and what is made are the same bits
FEET = ("right_foot", "left_foot")
_SPEED = "metres per second"
_SIDE = Parameter("right", "which side", choices=("right", "left"))


@dataclass(frozen=True)
class _Made:
    """What a maker gives: poses, their rate, which bodies stand, and how the motion goes on."""

    qpos: Array
    fps: float
    contacts: NDArray[np.bool_]
    loop: Loop = "wrap"
    contact_names: tuple[str, ...] = FEET
    wrap_heading: bool = False


@dataclass(frozen=True)
class Motion:
    """A kind of motion.

    Attributes:
        help: one line. parameters: by name, with their ranges. maker: from checked parameters to poses.
    """

    help: str
    parameters: Mapping[str, Parameter]
    maker: Callable[..., _Made]


def make(motion: str, /, **parameters: Any) -> MotionClip:
    """The clip of a motion of the default humanoid.

    Args:
        motion: one of :data:`NAMES`. parameters: of the motion, see :data:`MOTIONS`.

    Raises:
        UnknownNameError: there is no such motion.
        MotionError: a parameter is unknown or out of range; the message gives the range.
    """
    if motion not in MOTIONS:
        raise UnknownNameError("motion", motion, MOTIONS, f"they are {', '.join(MOTIONS)}")
    kind = MOTIONS[motion]
    values = check(motion, kind.parameters, parameters)
    made = kind.maker(**values)
    return MotionClip(
        qpos=np.round(made.qpos, DECIMALS),
        fps=made.fps,
        skeleton=body.skeleton(),
        name=motion,
        loop=made.loop,
        wrap_heading=made.wrap_heading,
        contacts=made.contacts,
        contact_names=made.contact_names,
        provenance=({"step": "synthesise", "motion": motion, **{k: v for k, v in values.items() if v is not None}},),
        licence=LICENCE,
    )


def _on_feet(plan: Choreography, contacts: NDArray[np.bool_] | None = None, fps: float = standing.FPS) -> _Made:
    both = np.ones((len(plan.root), 2), np.bool_) if contacts is None else contacts
    return _Made(poses.assemble(plan), fps, both)


def _gait(planned: gait.Gait, turning: bool = False) -> _Made:
    return _Made(poses.assemble(planned.plan), planned.fps, planned.contacts, wrap_heading=turning)


def _walk(speed: float, step_length: float | None) -> _Made:
    step = _step("walk", speed, step_length, (50.0, 190.0), MOTIONS["walk"].parameters["step_length"])
    return _gait(gait.plan_gait(speed, step, walk_style(speed)))


def _run(speed: float, step_length: float | None) -> _Made:
    step = _step("run", speed, step_length, (130.0, 240.0), MOTIONS["run"].parameters["step_length"])
    return _gait(gait.plan_gait(speed, step, run_style(speed)))


def _step(motion: str, speed: float, asked: float | None, cadence: tuple[float, float], known: Parameter) -> float:
    """The step asked for, when it is one that people can take at that speed: so many steps a minute.

    Raises:
        MotionError: it is not.
    """
    if asked is None:
        return default_step(speed, flight=motion == "run")
    low, high = max(known.low, 60.0 * speed / cadence[1]), min(known.high, 60.0 * speed / cadence[0])
    if not low <= asked <= high:
        raise MotionError(
            f"{motion}: step_length at {speed:g} m/s must be from {low:.2f} to {high:.2f} m "
            f"({cadence[0]:g} to {cadence[1]:g} steps a minute), not {asked:g}"
        )
    return asked


def _turn(rate: float, speed: float, angle: float | None) -> _Made:
    """A cycle; with ``angle`` so many whole strides, at about that rate, that the heading changes by just the angle."""
    step = default_step(speed, flight=False)
    if angle is None:
        return _gait(gait.plan_gait(speed, step, walk_style(speed), rate), turning=True)
    period = 2.0 * step / speed
    strides = max(1, round(abs(angle / rate) / period))
    rate = angle / (strides * period)
    made = _gait(gait.plan_gait(speed, step, walk_style(speed), rate), turning=True)
    cycles = []
    for k in range(strides):
        # the plan begins at the origin, heading along x, on a circle about (0, radius)
        about = rot.from_axis_angle((0.0, 0.0, 1.0), np.full(1, k * rate * period))
        centre = np.array([0.0, speed / rate, 0.0])
        cycle = made.qpos if k == strides - 1 else made.qpos[:-1]
        cycle = cycle.copy()
        cycle[:, :3] = centre + rot.rotate(about, cycle[:, :3] - centre)
        cycle[:, 3:7] = rot.multiply(about, cycle[:, 3:7])
        cycles.append(cycle)
    contacts = np.concatenate([made.contacts[:-1]] * strides + [made.contacts[-1:]])
    return _Made(np.concatenate(cycles), made.fps, contacts, "once")


def _jump(height: float) -> _Made:
    plan, contacts = leaping.jump(height)
    return _on_feet(plan, contacts, leaping.FPS)


def _kick(height: float, foot: str) -> _Made:
    plan, contacts = leaping.kick(height, foot)
    return _on_feet(plan, contacts, leaping.FPS)


def _sidestep(step_length: float, side: str) -> _Made:
    plan, contacts = standing.sidestep(step_length, side)
    return _on_feet(plan, contacts, 60.0)


def _cartwheel(side: str) -> _Made:
    qpos, contacts = cartwheels.cartwheel(side)
    return _Made(qpos, cartwheels.FPS, contacts, contact_names=cartwheels.CONTACTS)


MOTIONS: dict[str, Motion] = {
    "walk": Motion(
        "walking, from the joint angles of normal gait",
        {
            "speed": Parameter(1.2, "how fast", "m/s", 0.5, 1.8),
            "step_length": Parameter(
                None, "from heel strike to the other heel's (default: as people do)", "m", 0.25, 0.8
            ),
        },
        _walk,
    ),
    "run": Motion(
        "running, with a flight phase",
        {
            "speed": Parameter(3.0, "how fast", "m/s", 2.2, 4.5),
            "step_length": Parameter(None, "from landing to the other foot's (default: as people do)", "m", 0.6, 1.6),
        },
        _run,
    ),
    "turn": Motion(
        "walking round a curve",
        {
            "rate": Parameter(0.6, "how fast the heading turns, to the left positive", "rad/s", -1.0, 1.0),
            "speed": Parameter(0.9, "how fast", "m/s", 0.5, 1.4),
            "angle": Parameter(None, "turn by this much, once (default: a cycle)", "rad", -2.0 * np.pi, 2.0 * np.pi),
        },
        _turn,
    ),
    "sidestep": Motion(
        "a step to the side",
        {"step_length": Parameter(0.3, "how far", "m", 0.1, 0.3), "side": _SIDE},
        _sidestep,
    ),
    "squat": Motion(
        "down and up again",
        {"depth": Parameter(0.4, "how far the pelvis goes down", "m", 0.05, 0.5)},
        lambda depth: _on_feet(standing.squat(depth)),
    ),
    "jump": Motion(
        "a jump on the spot",
        {"height": Parameter(0.25, "rise of the centre of mass in flight", "m", 0.05, 0.5)},
        _jump,
    ),
    "kick": Motion(
        "a front kick",
        {"height": Parameter(0.8, "of the ankle", "m", 0.45, 1.1), "foot": _SIDE},
        _kick,
    ),
    "wave": Motion(
        "waving with one hand",
        {"hand": _SIDE, "waves": Parameter(3, "how often", "", 1, 20, whole=True)},
        lambda hand, waves: _on_feet(standing.wave(hand, waves)),
    ),
    "bow": Motion(
        "a bow",
        {"angle": Parameter(0.8, "how deep", "rad", 0.1, 1.4)},
        lambda angle: _on_feet(standing.bow(angle)),
    ),
    "idle": Motion(
        "standing at ease",
        {"duration": Parameter(4.0, "of one cycle of two breaths", "s", 2.0, 20.0)},
        lambda duration: _on_feet(standing.idle(duration)),
    ),
    "cartwheel": Motion(
        "a cartwheel over both hands",
        {"side": Parameter("left", "to which side", choices=("left", "right"))},
        _cartwheel,
    ),
}
NAMES = tuple(MOTIONS)
