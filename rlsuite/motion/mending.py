"""Mending what :mod:`rlsuite.motion.quality` finds: leaps and jitter, joint limits, height, sliding feet.

Every step is tried and checked again. It stays only where it makes its own findings less and none worse than they were in
the clip that came in (:func:`worse`); what was changed, or why it was not, is said. One exchange is allowed: hinge angles
brought into their range, which leaves the poses as they are, may whirl near gimbal lock. A clip without such findings
comes back as the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import mending_steps as steps
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.quality import Limits, QualityReport, check
from rlsuite.motion.quality.limits import DEFAULT

Array = NDArray[np.float64]
Step = Callable[[MotionClip, QualityReport, Limits, mujoco.MjModel | None], Array]
FORCES = ("residual", "torque")
FORCES_MAY_RISE = 1.25
# hinges within their limits may whirl where the others were out of range: the poses are the same
EXCHANGED = ("hinge_branch", "gimbal")
_SLACK = 1e-6
_ROUNDS = 2


@dataclass(frozen=True)
class Change:
    """What one step did.

    Attributes:
        step: its name. findings: those it is for. frames: how many it changed.
        root: largest shift of the root in metres. angle: largest turn of any body, relative to its parent, in radians.
        done: whether it was kept. note: the findings before and after, or why it was not kept.
    """

    step: str
    findings: tuple[str, ...]
    frames: int
    root: float
    angle: float
    done: bool
    note: str

    def text(self) -> str:
        if not self.done:
            return f"{self.step}: left as it was ({self.note})"
        size = f"root by up to {100 * self.root:.1f} cm, joints by up to {np.rad2deg(self.angle):.1f} degrees"
        return f"{self.step}: {self.frames} frames, {size} ({self.note})"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"findings": list(self.findings)}


def mend(
    clip: MotionClip,
    report: QualityReport | None = None,
    *,
    model: mujoco.MjModel | None = None,
    limits: Limits | None = None,
    height: bool = True,
    spikes: bool = True,
    skate: bool = True,
    limbs: bool = False,
) -> tuple[MotionClip, tuple[Change, ...]]:
    """The clip without the faults that can be taken out of it, and what was done.

    Args:
        report: of :func:`rlsuite.motion.quality.check` with the same ``model`` and ``limits`` (default: made here).
        height: shift the whole clip, then stretches of it, onto the floor.
        spikes: interpolate leaps, smooth jitter, bring joints within their limits.
        skate: hold standing feet in place by inverse kinematics of the legs.
        limbs: part limbs that are inside one another, of the suite's humanoid; takes seconds.

    Returns:
        The clip, with ``startable`` marked anew and every change in its provenance, and the changes. Where nothing was
        changed it is ``clip`` itself.

    Raises:
        SkeletonError: ``model`` is not of the clip's skeleton.
    """
    limits = limits or DEFAULT
    original = report = report or check(clip, model=model, limits=limits)
    plan: list[tuple[bool, str, tuple[str, ...], Step]] = [
        (spikes, "interpolate leaps", ("spike", "discontinuity"), steps.leaps),
        (spikes, "choose the branch of hinges", EXCHANGED, steps.branches),
        (spikes, "smooth jitter", ("jitter",), steps.smoothed),
        (height, "shift onto the floor", ("penetration", "floating"), steps.shifted),
        (height, "follow the floor", ("penetration", "floating"), steps.lifted),
        (spikes, "keep joint limits", ("joint_limit",), steps.limited),
        (limbs, "part limbs", ("self_collision",), steps.parted),
    ]
    for foot in clip.skeleton.feet:
        hold: Step = partial(steps.locked, foot=foot)
        plan += [(skate, f"hold the standing {foot}", ("skate",), hold)]
    mended, changes, refused = clip, list[Change](), list[Change]()
    for _ in range(_ROUNDS):  # a step can fail for what a later one takes away
        refused.clear()
        for wanted, name, names, step in plan:
            if not (wanted and report.of(*names)):
                continue
            mended, report, change = _try(mended, original, report, name, names, step, limits, model)
            if change.frames:
                (changes if change.done else refused).append(change)
        if not refused or not changes:
            break
    changes += refused
    if not any(change.done for change in changes):
        return clip, tuple(changes)
    done = [change.to_dict() for change in changes if change.done]
    return replace(mended, startable=report.startable).with_step("mend", changes=done), tuple(changes)


def _try(
    clip: MotionClip,
    original: QualityReport,
    report: QualityReport,
    name: str,
    names: tuple[str, ...],
    step: Step,
    limits: Limits,
    model: mujoco.MjModel | None,
) -> tuple[MotionClip, QualityReport, Change]:
    qpos = step(clip, report, limits, model)
    trial = replace(clip, qpos=qpos)
    after = check(trial, model=model, limits=limits)
    moved = np.abs(trial.qpos - clip.qpos).max(axis=1) > 0.0
    root = (
        float(np.linalg.norm(trial.qpos[:, :3] - clip.qpos[:, :3], axis=1).max())
        if clip.skeleton.has_free_root
        else 0.0
    )
    angle = float(steps.turned(clip, trial).max(initial=0.0))
    reasons = worse(report, after, besides=names) or worse(original, after, besides=EXCHANGED)
    if not better(report, after, names):
        reasons.insert(0, "it does not help")
    if not moved.any() or reasons:
        return clip, report, Change(name, names, int(moved.sum()), root, angle, False, "; ".join(reasons))
    parts = [f"{n}: {_amount(report, n)} -> {_amount(after, n)}" for n in names if report.of(n)]
    return trial, after, Change(name, names, int(moved.sum()), root, angle, True, "; ".join(parts))


def worse(before: QualityReport, after: QualityReport, *, besides: tuple[str, ...] = ()) -> list[str]:
    """What got worse, in words: kinds of findings with more frames, more bad frames, or a greater worst.

    Forces are estimates that move a little with every pose: ``residual`` and ``torque`` are worse with more bad frames, or
    when their worst rises by more than a quarter. Feet that floated could not be seen to slide: ``skate`` counts in the
    other frames.
    """
    floated = before.frames_of("floating")
    kinds = sorted({f.name for f in after.findings if not f.harmless and f.name not in besides})
    out = []
    for kind in kinds:
        hidden = floated if kind == "skate" else []
        old, new = _amount(before, kind, hidden), _amount(after, kind, hidden)
        if kind in FORCES:
            limit = max(old.worst, after.of(kind)[0].threshold[0])
            rises = new.bad > old.bad or new.worst > FORCES_MAY_RISE * limit
        else:
            rises = new.frames > old.frames or new.bad > old.bad or new.worst > old.worst * (1.0 + _SLACK) + _SLACK
        if rises:
            out.append(f"{kind} would rise: {old} -> {new}")
    return out


def better(before: QualityReport, after: QualityReport, names: tuple[str, ...]) -> bool:
    """Whether findings of ``names`` have fewer frames, or as many with less in sum."""
    old, new = (
        (len(report.frames_of(*names)), sum(float(f.magnitude.sum()) for f in report.of(*names)))
        for report in (before, after)
    )
    return new < old


@dataclass(frozen=True)
class _Amount:
    frames: int
    bad: int
    worst: float
    unit: str

    def __str__(self) -> str:
        return f"{self.frames} frames, {self.worst:.3g} {self.unit}".strip() if self.frames else "none"


def _amount(report: QualityReport, kind: str, hidden: Iterable[int] = ()) -> _Amount:
    """Of a kind of finding, leaving out the ``hidden`` frames."""
    findings = report.of(kind)
    # metres a second of the root and radians of joints do not compare: in thresholds, then, if units differ
    mixed = len({finding.unit for finding in findings}) > 1
    unit = "times the limit" if mixed else findings[0].unit if findings else ""
    worst = np.zeros(report.n_frames)
    bad = np.zeros(report.n_frames, bool)
    for f in findings:
        np.maximum.at(worst, f.frames, f.magnitude / f.threshold[0] if mixed else f.magnitude)
        bad[f.frames[f.bad]] = True
    hide = list(hidden)
    worst[hide], bad[hide] = 0.0, False
    return _Amount(int(np.count_nonzero(worst)), int(bad.sum()), float(worst.max()), unit)
