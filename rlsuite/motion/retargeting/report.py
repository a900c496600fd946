"""What a retargeting did and how well it fits, in centimetres and degrees."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
END_EFFECTORS = ("right_hand", "left_hand", "right_foot", "left_foot", "head")


@dataclass(frozen=True)
class Spread:
    """Mean, 95th percentile and greatest of an error over the frames."""

    mean: float
    p95: float
    max: float

    @classmethod
    def of(cls, values: Array) -> Spread:
        if not values.size:
            return cls(0.0, 0.0, 0.0)
        return cls(float(values.mean()), float(np.percentile(values, 95)), float(values.max()))


@dataclass(frozen=True)
class Report:
    """Attributes:
    source, target: names of the skeletons. frames: number of them. fps: frames per second.
    roles: role to the pair of bodies. unmatched: roles that only one of the skeletons has.
    scale: of the root's path. limb_ratios: length in the target over length in the source, per limb.
    height_offset: metres by which the motion was raised to stand on the ground; height_swing: centimetres by which, at
        most, the body's height differs from that for legs that stand bent, because thighs and shins scale differently.
    position_error: role to centimetres between its joint and the scaled source. rotation_error: role to degrees.
    limit_violations: coordinates times frames out of range; largest_violation: radians.
    slide: centimetres per second of feet that stand, as the quality check measures it; source_slide: of the points of
        their soles before they were locked.
    slide_of_all: also over what touches in the source but slides so far that the foot was let go in between.
    contact_frames: number of frames in which each foot stands.
    unconverged: frames whose search ended before it converged. iterations: mean steps per frame.
    """

    source: str
    target: str
    frames: int
    fps: float
    roles: dict[str, tuple[str, str]]
    unmatched: tuple[str, ...]
    scale: float
    limb_ratios: dict[str, float]
    height_offset: float
    height_swing: float
    position_error: dict[str, Spread]
    rotation_error: dict[str, Spread]
    limit_violations: int
    largest_violation: float
    slide: Spread
    source_slide: Spread
    slide_of_all: Spread
    contact_frames: dict[str, int]
    unconverged: int
    iterations: float

    @property
    def end_effector_error(self) -> Spread:
        """Of hands, feet and head together: mean of the means, greatest 95th percentile, greatest error; centimetres."""
        spreads = [self.position_error[role] for role in END_EFFECTORS if role in self.position_error]
        if not spreads:
            return Spread(0.0, 0.0, 0.0)
        return Spread(
            float(np.mean([s.mean for s in spreads])), max(s.p95 for s in spreads), max(s.max for s in spreads)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        ratios = ", ".join(f"{limb} {ratio:.3f}" for limb, ratio in self.limb_ratios.items())
        lines = [
            f"retargeted {self.source!r} to {self.target!r}: {self.frames} frames at {self.fps:g} Hz",
            f"scaled by {self.scale:.4f} (limbs: {ratios}), raised by {100.0 * self.height_offset:.1f} cm"
            + (
                f" and for bent legs by up to {self.height_swing:.1f} cm more or less"
                if self.height_swing >= 0.05
                else ""
            ),
            f"joint limits: {self.limit_violations} violations"
            + (f", at most {np.degrees(self.largest_violation):.2f} deg" if self.limit_violations else ""),
            f"standing points slide {self.slide.mean:.2f} cm/s (mean; source {self.source_slide.mean:.2f}, all that "
            f"touch in it {self.slide_of_all.mean:.2f}), at most {self.slide.max:.1f} cm/s; frames in contact: "
            + (", ".join(f"{foot} {count}" for foot, count in self.contact_frames.items()) or "not labelled"),
        ]
        if self.unmatched:
            lines.append(f"in only one of the skeletons: {', '.join(self.unmatched)}")
        if self.unconverged:
            lines.append(f"{self.unconverged} frames did not converge")
        for title, unit, errors in (
            ("distance to the scaled source", "cm", self.position_error),
            ("turn away from the source", "deg", self.rotation_error),
        ):
            lines += ["", f"{title + ' (' + unit + ')':<34}{'mean':>8}{'p95':>8}{'max':>8}"]
            lines += [f"  {role:<32}{e.mean:>8.2f}{e.p95:>8.2f}{e.max:>8.2f}" for role, e in errors.items()]
        return "\n".join(lines)
