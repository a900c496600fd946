"""What a clip may do before a check speaks: a threshold to warn at and one to call a frame bad, for every check."""

from __future__ import annotations

from dataclasses import dataclass, fields

from rlsuite.errors import MotionError


@dataclass(frozen=True)
class Limits:
    """Thresholds ``(warn, bad)``; a finding begins above the first.

    Attributes:
        penetration: metres below the floor. self_collision: metres that two bodies overlap.
        floating: metres above the floor, held by nothing. flight: seconds that a jump may last.
        skate: m/s of a sole that should stand. joint_limit: radians from the nearest pose within the limits.
        joint_speed: rad/s, root_speed: m/s. Leaps (spike, discontinuity) are changes of speed from one frame to the next
        that the next ones take back: joint_leap in rad/s, root_leap in m/s.
        jitter: radians of noise on a body's turning. gimbal: rad/s of a hinge beside the turning of its body.
        torque: ratio of the joint torque that the motion needs to the limit of the joint's motor.
        residual: force that nothing could give, as a share of the body's weight.
        norm: distance of quaternions from length 1, as they were read.
        contact_height: metres; lower is on the ground for skate. touch_height: the same for a foot that, as the clip's
            labels say, does not stand. support_height: for forces of the ground.
    """

    penetration: tuple[float, float] = (0.01, 0.05)
    self_collision: tuple[float, float] = (0.02, 0.06)
    floating: tuple[float, float] = (0.03, 0.08)
    flight: float = 1.2
    skate: tuple[float, float] = (0.25, 1.0)
    joint_limit: tuple[float, float] = (0.02, 0.2)
    joint_speed: tuple[float, float] = (25.0, 40.0)
    root_speed: tuple[float, float] = (8.0, 13.0)
    joint_leap: tuple[float, float] = (12.0, 24.0)
    root_leap: tuple[float, float] = (1.5, 3.0)
    jitter: tuple[float, float] = (0.02, 0.08)
    gimbal: tuple[float, float] = (40.0, 80.0)
    torque: tuple[float, float] = (1.0, 2.5)
    residual: tuple[float, float] = (0.5, 1.5)
    norm: tuple[float, float] = (1e-3, 0.1)
    contact_height: float = 0.015
    touch_height: float = 0.005
    support_height: float = 0.05

    def __post_init__(self) -> None:
        for threshold in fields(self):
            value = getattr(self, threshold.name)
            ordered = value if isinstance(value, tuple) else (value, value)
            if len(ordered) != 2 or not 0.0 <= ordered[0] <= ordered[1] < float("inf"):
                raise MotionError(f"limit {threshold.name} must be (warn, bad) with 0 <= warn <= bad, not {value!r}")


DEFAULT = Limits()
