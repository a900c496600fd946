"""Films of motions: ``.mp4`` for people, ``.gif`` for pages that show it with no player."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.films import Frame, Mp4, write_gif
from rlsuite.motion.cameras import Camera, framing, tracking
from rlsuite.motion.render.extents import checked_motion, geom_corners
from rlsuite.motion.render.look import DAYLIGHT, Colour, Look
from rlsuite.motion.render.renderer import BackendName, Renderer
from rlsuite.motion.render.scene import GHOST_TINT, Actor, Label, Mark, Scene

if TYPE_CHECKING:
    import mujoco

SUFFIXES = (".mp4", ".gif")
GIF_SIDE = 480  # pixels
SPACING = 0.45  # metres left free between bodies side by side
MOST_GIF_FRAMES = 3000


@dataclass(frozen=True, eq=False)
class Track:
    """One body of a film.

    Attributes:
        model: of the body. qpos: ``(T, nq)``; after its last frame a shorter motion stands still.
        label: written above it. tint, alpha: as of :class:`~rlsuite.motion.render.scene.Actor`.
        ghost_of: index of the track that this one is laid over, instead of standing beside it.
        contacts: ``(T, n, 3)`` points of the world with a mark, NaN for none.
        marks: of each frame, where the motion is in the world; the camera has them in view, as many in every frame.
    """

    model: mujoco.MjModel
    qpos: ArrayLike
    label: str = ""
    tint: Colour | None = None
    alpha: float = 1.0
    ghost_of: int | None = None
    contacts: ArrayLike | None = field(default=None)
    marks: Sequence[Sequence[Mark]] = ()

    @classmethod
    def reference(cls, model: mujoco.MjModel, qpos: ArrayLike, of: int = 0, label: str = "") -> Track:
        """A ghost over track ``of``."""
        return cls(model, qpos, label, GHOST_TINT, 0.45, of)


def write_video(
    path: str | Path,
    tracks: Sequence[Track] | Track,
    fps: float,
    *,
    width: int = 640,
    height: int = 480,
    camera: Camera | Sequence[Camera] | None = None,
    follow: bool = True,
    speed: float = 1.0,
    backend: BackendName = "auto",
    look: Look = DAYLIGHT,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Film motions, side by side where there are several, to ``.mp4`` or ``.gif`` by the suffix of ``path``.

    The file is put in place when it is complete. A GIF is at most :data:`GIF_SIDE` pixels wide or high.

    Args:
        fps: frames a second of the motions. speed: at which they are shown; 0.5 is slow motion.
        camera: one, one per frame, or ``None`` for one that goes along (``follow``) or stands where it sees all.
        progress: called with the number of frames done and of all.

    Raises:
        MotionError: an unknown suffix, no motion, or poses that are none of their model.
    """
    target = checked_suffix(path, SUFFIXES)
    if not (np.isfinite(fps) and fps > 0 and np.isfinite(speed) and speed > 0):
        raise MotionError(f"frames a second and speed are numbers above 0, not {fps} and {speed}")
    if target.suffix.lower() == ".gif":
        scale = min(1.0, GIF_SIDE / max(width, height))
        width, height = max(1, round(scale * width)), max(1, round(scale * height))
    scenes, cameras = film_plan(tracks, fps, width, height, camera=camera, follow=follow, look=look)
    with Renderer(None, width, height, backend) as renderer:

        def frames() -> Iterator[Frame]:
            for done, (scene, at) in enumerate(zip(scenes, cameras, strict=True), start=1):
                yield renderer.frame(scene, at)
                if progress is not None:
                    progress(done, len(scenes))

        if target.suffix.lower() == ".mp4":
            with Mp4(target, fps * speed) as film:
                for frame in frames():
                    film.add(frame)
        else:
            if len(scenes) > MOST_GIF_FRAMES:
                raise MotionError(
                    f"{target}: a GIF of {len(scenes)} frames is too large (at most {MOST_GIF_FRAMES}); write an .mp4"
                )
            write_gif(target, list(frames()), fps * speed, last_seconds=1.0 / fps, largest_side=GIF_SIDE, colours=128)
    return target


def film_plan(
    tracks: Sequence[Track] | Track,
    fps: float,
    width: int,
    height: int,
    *,
    camera: Camera | Sequence[Camera] | None = None,
    follow: bool = True,
    look: Look = DAYLIGHT,
) -> tuple[list[Scene], list[Camera]]:
    """The scene and the camera of each frame of :func:`write_video`."""
    tracks = [tracks] if isinstance(tracks, Track) else list(tracks)
    if not tracks:
        raise MotionError("a film needs at least one motion")
    poses = [checked_motion(track.model, track.qpos) for track in tracks]
    length = max(len(q) for q in poses)
    frames = [np.minimum(np.arange(length), len(q) - 1) for q in poses]
    corners = [geom_corners(track.model, q) for track, q in zip(tracks, poses, strict=True)]  # (T, n, 3) each
    offsets = side_by_side(tracks, corners)
    corners = [c[f] + o for c, f, o in zip(corners, frames, offsets, strict=True)]
    if camera is None:
        marked = [
            np.array([[mark.position for mark in track.marks[i]] for i in f]) + o
            for track, f, o in zip(tracks, frames, offsets, strict=True) if track.marks
        ]  # fmt: skip
        every = np.concatenate([*corners, *marked], axis=1)  # (length, n, 3)
        middle = (every.min(axis=1) + every.max(axis=1)) / 2
        points = np.concatenate([middle[:, None], every], axis=1)
        cameras = (
            tracking(points, fps, width, height, pad=0.02)
            if follow
            else [framing(every, width, height, pad=0.02)] * length
        )
    else:
        cameras = [camera] * length if isinstance(camera, Camera) else list(camera)
        if len(cameras) != length:
            raise MotionError(f"{len(cameras)} cameras for {length} frames; give one, or one per frame")
    scenes = []
    for at in range(length):
        actors, marks, labels = [], [], []
        for track, q, f, c, offset in zip(tracks, poses, frames, corners, offsets, strict=True):
            actors.append(Actor(track.model, q[f[at]], offset, track.tint, track.alpha))
            if track.contacts is not None:
                points = np.asarray(track.contacts, np.float64)[f[at]]
                marks += [Mark(p + offset, 0.07, shape="disc") for p in points if np.isfinite(p).all()]
            if track.marks:
                marks += [replace(mark, position=mark.position + offset) for mark in track.marks[f[at]]]
            if track.label and track.ghost_of is None:
                top = np.append((c[at, :, :2].min(axis=0) + c[at, :, :2].max(axis=0)) / 2, c[at, :, 2].max() + 0.12)
                labels.append(Label(track.label, top, max(12.0, height / 30)))
        scenes.append(Scene(actors, marks, labels, look))
    return scenes, cameras


def side_by_side(tracks: Sequence[Track], corners: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """``(n, 3)`` offsets along Y so that no two bodies meet, and along X so that all begin beside the first one.

    Ghosts go with the track they are laid over.
    """
    offsets, free, begin = np.zeros((len(tracks), 3)), None, 0.0
    for index, (track, c) in enumerate(zip(tracks, corners, strict=True)):
        if track.ghost_of is not None:
            if not (0 <= track.ghost_of < len(tracks) and tracks[track.ghost_of].ghost_of is None):
                raise MotionError(f"track {index} is a ghost of {track.ghost_of}, which is no track of its own")
            continue
        low, high = c[..., 1].min(), c[..., 1].max()
        middle = (c[0, :, 0].min() + c[0, :, 0].max()) / 2
        begin = middle if free is None else begin
        offsets[index] = (begin - middle, 0.0 if free is None else free + SPACING - low, 0.0)
        free = high + offsets[index, 1]
    for index, track in enumerate(tracks):
        if track.ghost_of is not None:
            offsets[index] = offsets[track.ghost_of]
    return offsets


def checked_suffix(path: str | Path, known: Sequence[str]) -> Path:
    """``path``, whose suffix is one of ``known``.

    Raises:
        MotionError: it is another.
    """
    if Path(path).suffix.lower() not in known:
        raise MotionError(f"{path}: the file's name must end in {' or '.join(known)}")
    return Path(path)
