"""What makes a walk a walk and a run a run, besides the joint angles: contact, step length, arms, how the legs are used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WALK_RATIO = 0.006  # m per (step/min): step length over cadence, constant over speeds (Murakami and Otaka 2017)


@dataclass(frozen=True)
class Style:
    """What differs between walking and running besides the angles.

    Attributes:
        contact: share of the stride that a foot is on the ground. flat: phases between which it lies flat.
        straightest_knee: least flexion of the knee (rad). width: of each foot from the middle (m). toe_out: rad.
        sway: of the pelvis to the side that stands (m). trunk: lean forward (rad). arm, elbow: mean and swing (rad).
        clearance: of the swinging sole (m). joins: shares of the swing in which it passes from, and to, the stance.
        flight: whether there is a phase without contact.
    """

    contact: float
    flat: tuple[float, float]
    straightest_knee: float
    width: float
    toe_out: float
    sway: float
    trunk: float
    arm: tuple[float, float]
    elbow: tuple[float, float]
    clearance: float
    joins: tuple[float, float]
    flight: bool


def walk_style(speed: float) -> Style:
    """Stance is shorter and arms swing further the faster the walk (approximate lines through published means)."""
    contact = float(np.clip(0.64 - 0.036 * speed, 0.55, 0.64))
    return Style(
        contact=contact, flat=(0.11, 0.32), straightest_knee=np.radians(11.0), width=0.05, toe_out=np.radians(6.0),
        sway=0.020, trunk=np.radians(2.0), arm=(np.radians(2.0), np.radians(6.0 + 11.0 * speed)),
        elbow=(np.radians(22.0), np.radians(4.0 + 6.0 * speed)), clearance=0.0158, joins=(0.15, 0.25), flight=False,
    )  # fmt: skip


def run_style(speed: float) -> Style:
    """Contact 0.37 of the stride at 2.7 m/s (Karamanidis and Arampatzis 2005), shorter when faster."""
    contact = float(np.clip(0.366 - 0.03 * (speed - 2.7), 0.25, 0.42))
    return Style(
        contact=contact, flat=(0.22 * contact, 0.5 * contact), straightest_knee=np.radians(24.0), width=0.035,
        toe_out=np.radians(5.0), sway=0.0, trunk=np.radians(7.0),
        arm=(np.radians(-4.0), np.radians(min(34.0, 22.0 + 4.0 * speed))),
        elbow=(np.radians(88.0), np.radians(14.0)), clearance=0.03, joins=(0.12, 0.09), flight=True,
    )  # fmt: skip


def default_step(speed: float, flight: bool) -> float:
    """Walking: constant walk ratio. Running: 1.30 strides a second at 2.7 m/s (Karamanidis and Arampatzis 2005), and
    0.075 more for every m/s."""
    return speed / (2.0 * (1.25 + 0.075 * speed)) if flight else float(np.sqrt(60.0 * WALK_RATIO * speed))
