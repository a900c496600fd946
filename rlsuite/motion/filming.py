"""Clips as films and strips of pictures: several side by side at one pace, a reference as a ghost, contacts marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import models
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.render.renderer import BackendName
from rlsuite.motion.render.strip import pose_strip, write_strip
from rlsuite.motion.render.video import Track, write_video

if TYPE_CHECKING:
    import mujoco

FPS = 30.0
MOST_FRAMES = 108_000  # an hour
LEAST_SECONDS = 3.0  # of a film of cycles, which begin again


def film_clips(
    path: str | Path,
    clips: Sequence[MotionClip],
    *,
    ghost: MotionClip | None = None,
    body: mujoco.MjModel | None = None,
    seconds: float | None = None,
    fps: float = FPS,
    speed: float = 1.0,
    width: int = 960,
    height: int = 540,
    contacts: bool = True,
    follow: bool = True,
    backend: BackendName = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Film ``clips`` side by side to ``.mp4`` or ``.gif``.

    Args:
        ghost: shown transparent over the first clip. body: drawn for the clips that are on it (:mod:`models`), where
            they are not on the suite's humanoid.
        seconds: of motion; default: the longest clip, cycles at least :data:`LEAST_SECONDS`. A cycle goes on, its root
            displaced; other clips hold their last pose.
        fps: frames a second. speed: 0.5 is slow motion. contacts: mark bodies that stand.

    Raises:
        MotionError: no clips, or a setting out of range.
    """
    if not clips:
        raise MotionError("a film needs at least one clip")
    if seconds is not None and not (np.isfinite(seconds) and seconds > 0.0):
        raise MotionError(f"a film lasts a positive number of seconds, not {seconds!r}")
    if not (np.isfinite(fps) and fps > 0.0 and np.isfinite(speed) and speed > 0.0):
        raise MotionError(f"frames a second and speed are numbers above 0, not {fps!r} and {speed!r}")
    if seconds is None:
        cycles = [LEAST_SECONDS for clip in clips if clip.loop == "wrap"]
        seconds = max([*(clip.duration for clip in clips), *cycles])
    if seconds * fps / speed > MOST_FRAMES:
        raise MotionError(
            f"a film of {seconds:g} s at {fps:g} frames a second and speed {speed:g} is too long: "
            f"at most {MOST_FRAMES} frames"
        )
    times = np.arange(int(seconds * fps / speed) + 1, dtype=np.float64) * (speed / fps)
    tracks = [_track(clip, times, clip.name if len(clips) > 1 else "", contacts, body) for clip in clips]
    if body is not None and backend == "auto":
        backend = "software"  # light, sky and floor would be those of the user's file, which may have none
    if ghost is not None:
        tracks.append(Track.reference(models.drawn_as(ghost.skeleton, body), ghost.sample(times)))
    return write_video(path, tracks, fps, width=width, height=height, follow=follow, backend=backend, progress=progress)


def strip_clip(
    path: str | Path, clip: MotionClip, *, n: int = 8, width: int = 1600, body: mujoco.MjModel | None = None
) -> Path:
    """Draw ``n`` poses of ``clip`` in a row to ``.png``; ``body`` as for :func:`film_clips`."""
    return write_strip(path, pose_strip(models.drawn_as(clip.skeleton, body), clip.qpos, clip.fps, n=n, width=width))


def _track(
    clip: MotionClip, times: NDArray[np.float64], label: str, contacts: bool, body: mujoco.MjModel | None
) -> Track:
    qpos = clip.sample(times)
    marks = _contact_points(clip, times, qpos) if contacts and clip.contacts is not None else None
    return Track(models.drawn_as(clip.skeleton, body), qpos, label, contacts=marks)


def _contact_points(clip: MotionClip, times: NDArray[np.float64], qpos: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(T, n, 3)`` points on the floor below the bodies that stand, NaN for those that do not."""
    from rlsuite.motion import kinematics

    assert clip.contacts is not None
    local = times % clip.duration if clip.loop == "wrap" and clip.duration > 0.0 else times
    frames = np.clip(np.rint(local * clip.fps).astype(np.intp), 0, clip.n_frames - 1)
    bodies = [clip.skeleton.body(name) for name in clip.contact_names]
    points = kinematics.forward(clip.skeleton, qpos)[0][:, bodies] * (1.0, 1.0, 0.0)
    return np.where(clip.contacts[frames][..., None], points, np.nan)
