"""From a file to a clean clip on the humanoid: retarget, check, mend, and say what was done."""

from __future__ import annotations

from dataclasses import dataclass, replace

import mujoco
import numpy as np

from rlsuite.motion import body, editing, quality, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.mending import Change, mend
from rlsuite.motion.quality import QualityReport
from rlsuite.motion.retargeting import Names, Report, retarget
from rlsuite.motion.skeleton import Skeleton

HELD = 1e-9  # metres and quaternion entries by which a held pose may change
LEAP = 1.0  # radians from the first frame to the second that no motion makes


@dataclass(frozen=True)
class Imported:
    """Attributes:
    clip: on the target, with ``startable`` marked. retargeting: how well it fits, ``None`` where nothing was retargeted: the
        clip was on this body already, and mending left nothing bad (or fitting it anew did not help).
    before: the check of the clip as it came to the target. after: of the clip itself. changes: what was mended.
    """

    clip: MotionClip
    retargeting: Report | None
    before: QualityReport
    after: QualityReport
    changes: tuple[Change, ...]


def without_held_poses(clip: MotionClip) -> MotionClip:
    """A clip whose every pose is held for ``k > 1`` frames, as when a recording is written at ``k`` times its rate, at its
    own rate; any other as it is. Played with its held poses it stands and leaps by turns.
    """
    if clip.loop != "once" or clip.n_frames < 4:
        return clip
    change = np.abs(np.diff(clip.qpos, axis=0)).max(axis=1)
    starts = np.append(0, np.flatnonzero(change > HELD) + 1)
    lengths = np.unique(np.diff(starts))
    if len(starts) < 3 or len(lengths) != 1 or lengths[0] < 2:
        return clip
    hold = int(lengths[0])
    return replace(editing.at_frames(clip, starts), fps=clip.fps / hold).with_step("drop held poses", held=hold)


def without_calibration_pose(clip: MotionClip) -> MotionClip:
    """The clip without a first frame that is no part of the motion (CMU's BVH begin with a T-pose); any other as it is."""
    if clip.loop != "once" or clip.n_frames < 3:
        return clip
    turns = clip.skeleton.local_rotations(clip.qpos[:3])
    first, second = (rot.angle_between(turns[i + 1], turns[i]).max() for i in (0, 1))
    if first < LEAP or first < 10.0 * second:
        return clip
    return editing.cut(clip, 1, in_frames=True).with_step("drop calibration pose", turn=float(first))


def import_clip(
    clip: MotionClip,
    target: Skeleton | None = None,
    *,
    mapping: Names | None = None,
    scale: float | None = None,
    fps: float | None = None,
    fix: bool = True,
    model: mujoco.MjModel | None = None,
) -> Imported:
    """``clip`` on ``target`` (default: our humanoid), fit for use.

    Args:
        mapping: roles of the source's bodies where their names do not tell; see :mod:`rlsuite.motion.joint_maps`.
        scale: of the root's path (default: the ratio of the legs' lengths).
        fps: frames per second of the result (default: the source's).
        fix: mend what the check finds.
        model: the compiled body, where ``target`` is not ours: the check needs its solid parts.

    Raises:
        SkeletonError: the source's bodies cannot be matched.
        MotionError: a setting is not one.
    """
    target = target or body.skeleton()
    clip = without_calibration_pose(without_held_poses(clip))
    report = None
    if not clip.skeleton.same_tree(target):
        retargeted = retarget(clip, target, mapping=mapping, scale="auto" if scale is None else scale)
        clip, report = retargeted.clip, retargeted.report
    if fps is not None and abs(fps - clip.fps) > 1e-9:
        clip = sampling.resample(clip, fps)
    before = quality.check(clip, model=model)
    mended, changes, after = _mended(clip, before, model) if fix else (clip, (), before)
    if fix and report is None and after.verdict == "bad":
        # recorded on this very body, but beyond what its joints can do (most of DeepMimic's clips): fitted like any other
        fitted = retarget(clip, target, mapping=mapping, scale=1.0)
        candidate = _mended(fitted.clip, quality.check(fitted.clip, model=model), model)
        if _bad_frames(candidate[2]) < _bad_frames(after):
            report, (mended, changes, after) = fitted.report, candidate
    return Imported(after.marked(mended), report, before, after, changes)


def _mended(
    clip: MotionClip, report: QualityReport, model: mujoco.MjModel | None
) -> tuple[MotionClip, tuple[Change, ...], QualityReport]:
    mended, changes = mend(clip, report, model=model)
    return mended, changes, quality.check(mended, model=model) if mended is not clip else report


def _bad_frames(report: QualityReport) -> int:
    return int(np.count_nonzero(report.frame_verdicts == 2))
