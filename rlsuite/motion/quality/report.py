"""What the checks found in a clip: findings, a verdict for every frame and for the clip, as text and as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.clip import MotionClip
from rlsuite.motion.contacts import runs
from rlsuite.motion.quality.findings import Finding

Verdict = Literal["ok", "warn", "bad"]
VERDICTS: tuple[Verdict, ...] = ("ok", "warn", "bad")
UNSTARTABLE = ("penetration", "self_collision", "joint_limit", "hinge_branch", "floating", "velocity", "gimbal")
_WHOLLY = ("hinge_branch", "gimbal")  # however little
_LEAPS = ("spike", "discontinuity")
_MOST_RUNS = 6


@dataclass(frozen=True, eq=False)
class QualityReport:
    """Of one clip.

    Attributes:
        findings: the worst first. left_out: name of a check to the reason why it was not made.
    """

    name: str
    skeleton: str
    n_frames: int
    fps: float
    findings: tuple[Finding, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def frame_verdicts(self) -> NDArray[np.uint8]:
        """``(T,)`` 0 ok, 1 warn, 2 bad."""
        out = np.zeros(self.n_frames, np.uint8)
        for finding in self.findings:
            if not finding.harmless:
                out[finding.frames] = np.maximum(out[finding.frames], 1 + finding.bad.astype(np.uint8))
        return out

    @property
    def verdict(self) -> Verdict:
        """Of the clip: that of its worst frame."""
        return VERDICTS[int(self.frame_verdicts.max())]

    @property
    def startable(self) -> NDArray[np.bool_]:
        """``(T,)`` frames that a simulation can start from.

        Not those that are bad by penetration, self-collision, joint limits, floating or speed, nor those with hinges on a
        branch outside their range or whirling in gimbal lock, nor the frames of a leap and their neighbours, whose
        velocities it spoils.
        """
        unfit = np.zeros(self.n_frames, bool)
        for finding in self.findings:
            if finding.name in UNSTARTABLE:
                unfit[finding.frames[finding.bad | (finding.name in _WHOLLY)]] = True
            elif finding.name in _LEAPS:
                for shift in (-1, 0, 1):
                    unfit[np.clip(finding.frames + shift, 0, self.n_frames - 1)] = True
        return ~unfit

    def of(self, *names: str) -> list[Finding]:
        """Findings of these checks."""
        return [finding for finding in self.findings if finding.name in names]

    def frames_of(self, *names: str) -> list[int]:
        """Frames with a finding of these checks, in order."""
        return sorted({int(frame) for finding in self.of(*names) for frame in finding.frames})

    def marked(self, clip: MotionClip) -> MotionClip:
        """The clip with ``startable`` filled in, and the check in its provenance."""
        clip = replace(clip, startable=self.startable)
        return clip.with_step("check", verdict=self.verdict, findings=sorted({f.name for f in self.findings}))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "skeleton": self.skeleton,
            "n_frames": self.n_frames,
            "fps": self.fps,
            "verdict": self.verdict,
            "frames": [VERDICTS[v] for v in self.frame_verdicts],
            "startable": self.startable.tolist(),
            "findings": [finding.to_dict() for finding in self.findings],
            "left_out": dict(self.left_out),
        }

    def text(self) -> str:
        """A page for people."""
        counts = np.bincount(self.frame_verdicts, minlength=3)
        lines = [
            f"{self.name or 'clip'}: {self.verdict.upper()}",
            f"  {self.n_frames} frames at {self.fps:g} Hz on {self.skeleton!r}: {counts[0]} ok, {counts[1]} warn, "
            f"{counts[2]} bad; a simulation can start from {int(self.startable.sum())}",
        ]
        for finding in self.findings:
            amount = f"{finding.worst:.3g} {finding.unit}".strip()
            limit = "" if finding.harmless else f" (limit {finding.threshold[0]:g})"
            lines.append(
                f"  {finding.severity:<4}  {finding.name:<15} {finding.subject:<28} {amount}{limit}  "
                f"frames {stretches(finding.frames)}"
            )
            if finding.note:
                lines.append(f"        {finding.note}")
        lines += [f"  left out: {name}: {why}" for name, why in self.left_out.items()]
        return "\n".join(lines)


def stretches(frames: Iterable[int]) -> str:
    """``3-7, 19`` for ``[3, 4, 5, 6, 7, 19]``, cut short after a few."""
    frames = np.asarray(list(frames), np.intp)
    mask = np.zeros(int(frames.max(initial=-1)) + 1, bool)
    mask[frames] = True
    parts = [str(start) if stop == start + 1 else f"{start}-{stop - 1}" for start, stop in runs(mask)]
    others = len(parts) - _MOST_RUNS
    more = f", and {others} more stretch{'es' if others > 1 else ''}" if others > 0 else ""
    return ", ".join(parts[:_MOST_RUNS]) + more
