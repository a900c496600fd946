"""From a file to a clean clip on the humanoid: retarget, check, mend, and say what was done."""

from __future__ import annotations

from dataclasses import dataclass

from rlsuite.motion import body, quality, sampling
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.mending import Change, mend
from rlsuite.motion.quality import QualityReport
from rlsuite.motion.retargeting import Names, Report, retarget
from rlsuite.motion.skeleton import Skeleton


@dataclass(frozen=True)
class Imported:
    """Attributes:
    clip: on the target, with ``startable`` marked. retargeting: how well it fits, ``None`` where nothing was retargeted.
    before: the check of the clip as it came to the target. after: of the clip itself. changes: what was mended.
    """

    clip: MotionClip
    retargeting: Report | None
    before: QualityReport
    after: QualityReport
    changes: tuple[Change, ...]


def import_clip(
    clip: MotionClip,
    target: Skeleton | None = None,
    *,
    mapping: Names | None = None,
    scale: float | None = None,
    fps: float | None = None,
    fix: bool = True,
) -> Imported:
    """``clip`` on ``target`` (default: our humanoid), fit for use.

    Args:
        mapping: roles of the source's bodies where their names do not tell; see :mod:`rlsuite.motion.joint_maps`.
        scale: of the root's path (default: the ratio of the legs' lengths).
        fps: frames per second of the result (default: the source's).
        fix: mend what the check finds.

    Raises:
        SkeletonError: the source's bodies cannot be matched.
        MotionError: a setting is not one.
    """
    target = target or body.skeleton()
    report = None
    if not clip.skeleton.same_tree(target):
        retargeted = retarget(clip, target, mapping=mapping, scale="auto" if scale is None else scale)
        clip, report = retargeted.clip, retargeted.report
    if fps is not None and abs(fps - clip.fps) > 1e-9:
        clip = sampling.resample(clip, fps)
    before = quality.check(clip)
    mended, changes = mend(clip, before) if fix else (clip, ())
    after = quality.check(mended) if mended is not clip else before
    return Imported(after.marked(mended), report, before, after, changes)
