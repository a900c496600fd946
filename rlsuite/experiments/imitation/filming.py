"""What a policy performed, as a film or a strip of poses, the reference beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rlsuite.experiments.imitation.episodes import Episode
from rlsuite.motion import editing, models
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.render.renderer import BackendName
from rlsuite.motion.render.scene import GHOST_TINT
from rlsuite.motion.render.strip import pose_strip, strip_pitch, write_strip
from rlsuite.motion.render.video import Track, write_video

GHOST_ALPHA = 0.55


def film(
    path: Path,
    episode: Episode,
    *,
    seconds: float | None = None,
    width: int = 960,
    height: int = 540,
    backend: BackendName = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The body that the policy moves, with what a goal asks of it, and, transparent beside it, the reference, to ``.mp4``
    or ``.gif``.
    """
    performed, reference = (_beginning(clip, seconds) for clip in (episode.performed, episode.reference))
    model = models.model_of(performed.skeleton)
    marks = (
        [episode.goal.marks(points) for points in episode.points[: performed.n_frames]] if episode.points.size else []
    )
    tracks = [
        Track(model, performed.qpos, "policy", marks=marks),
        Track(model, reference.qpos, "reference", tint=GHOST_TINT, alpha=GHOST_ALPHA),
    ]
    return write_video(path, tracks, performed.fps, width=width, height=height, backend=backend, progress=progress)


def strip(path: Path, episode: Episode, *, seconds: float | None = None, n: int = 8, width: int = 1600) -> Path:
    """Poses of the policy in a row (``.png``), and below them those of the reference at the same times."""
    clips = [_beginning(clip, seconds) for clip in (episode.performed, episode.reference)]
    model = models.model_of(clips[0].skeleton)
    pitch = max(strip_pitch(model, clip.qpos, n=n) for clip in clips)
    above, below = (
        pose_strip(model, clip.qpos, clip.fps, n=n, width=width, pitch=pitch, times=bool(tint), tint=tint)
        for clip, tint in zip(clips, (None, GHOST_TINT), strict=True)
    )
    return write_strip(path, np.concatenate((above, below)))


def _beginning(clip: MotionClip, seconds: float | None) -> MotionClip:
    if seconds is None or seconds >= clip.duration:
        return clip
    return editing.cut(clip, 0.0, seconds)
