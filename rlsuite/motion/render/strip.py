"""Poses in a row: a motion as one wide picture, its frames evenly spaced in time."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import TYPE_CHECKING

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.files import write_atomically
from rlsuite.films import Frame
from rlsuite.motion.cameras import Camera, calibration
from rlsuite.motion.render.extents import checked_motion, geom_corners
from rlsuite.motion.render.look import PAPER, Colour, Look
from rlsuite.motion.render.renderer import Renderer
from rlsuite.motion.render.scene import Actor, Label, Scene
from rlsuite.motion.render.video import checked_suffix

if TYPE_CHECKING:
    from rlsuite.motion.cameras import Array

GAP = 0.16  # metres left free between neighbours
MOST_POSES = 40
LEAST_SPAN = 2.2  # width of the picture in heights of the body: a single pose does not fill it
TEXT_WIDTH = 4.3  # of a label, in sizes of its letters
ELEVATION = math.radians(9.0)


def pose_strip(
    model: mujoco.MjModel,
    qpos: ArrayLike,
    fps: float,
    *,
    n: int = 8,
    width: int = 1600,
    azimuth: float = math.radians(-68.0),
    look: Look = PAPER,
    times: bool = True,
    pitch: float | None = None,
    tint: Colour | None = None,
) -> Frame:
    """``(H, width, 3)``: ``n`` poses of a motion ``(T, nq)`` from its first frame to its last, left to right.

    Bodies stand at equal distances (their own travel is taken out, heights are kept), turned as a camera far away at
    ``azimuth`` sees them while the motion heads along +X. The height of the picture follows from the bodies. Always drawn
    by the ray caster, so it looks the same everywhere.

    Args:
        pitch: metres from one body to the next (default: :func:`strip_pitch`), so that two strips are of one scale.
        tint: colour that the bodies take on.

    Raises:
        MotionError: the poses are none of the model, ``fps`` is not above 0, or ``n`` is not from 1 to 40.
    """
    if not (1 <= n <= MOST_POSES):
        raise MotionError(f"a strip has 1 to {MOST_POSES} poses, not {n}")
    if not (np.isfinite(fps) and fps > 0):
        raise MotionError(f"frames a second are a number above 0, not {fps}")
    motion = checked_motion(model, qpos)
    frames = _frames(len(motion), n)
    poses = motion[frames]
    corners = geom_corners(model, poses)  # (n, points, 3)
    right = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    back = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
    along, deep = corners @ right, corners @ back
    centres = (along.min(axis=1) + along.max(axis=1)) / 2
    pitch = _widest(along) + GAP if pitch is None else pitch
    places = (np.arange(len(frames)) - (len(frames) - 1) / 2) * pitch
    middle = (deep.min(axis=1) + deep.max(axis=1)) / 2
    offsets = (places - centres)[:, None] * right - middle[:, None] * back
    span = max(pitch * len(frames), LEAST_SPAN * float(np.ptp(corners[..., 2])))
    camera = _far_camera(corners + offsets[:, None], width, span, azimuth, times)
    size = float(np.clip(camera.width / 95, 11, 26))
    every = math.ceil(TEXT_WIDTH * size * span / (pitch * width))  # of many poses only some have room for their time
    labels = []
    for frame, place in list(zip(frames, places, strict=True))[::every] if times else ():
        u = float(camera.project(place * right)[0])
        labels.append(Label(f"{frame / fps:.2f} s", (u, camera.height - 1.3 * size), size))
    actors = [Actor(model, pose, offset, tint) for pose, offset in zip(poses, offsets, strict=True)]
    with Renderer(None, backend="software") as renderer:
        return renderer.frame(Scene(actors, (), labels, look), camera)


def strip_pitch(model: mujoco.MjModel, qpos: ArrayLike, *, n: int = 8, azimuth: float = math.radians(-68.0)) -> float:
    """Metres from one body to the next at which the poses of a strip do not meet."""
    motion = checked_motion(model, qpos)
    right = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    return _widest(geom_corners(model, motion[_frames(len(motion), n)]) @ right) + GAP


def _frames(length: int, n: int) -> NDArray[np.intp]:
    return np.unique(np.round(np.linspace(0, length - 1, n)).astype(np.intp))


def _widest(along: Array) -> float:
    return float((along.max(axis=1) - along.min(axis=1)).max())


def _far_camera(points: Array, width: int, span: float, azimuth: float, text: bool) -> Camera:
    """A camera so far away that the bodies at the ends are seen from the same side as that in the middle.

    Its axis is level in the picture's middle and its calibration cuts out just the bodies and room for the text.
    """
    centre = np.array([0.0, 0.0, float(points[..., 2].max() + min(0.0, points[..., 2].min())) / 2])
    distance = 4.0 * span + 6.0
    direction = np.array(
        [math.cos(azimuth) * math.cos(ELEVATION), math.sin(azimuth) * math.cos(ELEVATION), math.sin(ELEVATION)]
    )
    camera = Camera.look_at(centre + distance * direction, centre, width=width, height=width)
    focal = width * distance / span * 0.985
    straight = Camera(camera.R, camera.t, calibration(focal, width, width), width, width)
    points = points.reshape(-1, 3)
    v = straight.project(np.concatenate([points, points * (1, 1, 0)]))[:, 1]  # the floor below them too
    top, bottom = float(v.min()), float(v.max())
    margin = 0.045 * (bottom - top) + 0.006 * width
    room = 0.034 * width if text else 0.0
    height = max(16, 2 * round((bottom - top + 2 * margin + room) / 2))
    K = calibration(focal, width, height)
    K[1, 2] = width / 2 - top + margin  # the principal point moves, so that verticals stay upright
    return Camera(camera.R, camera.t, K, width, height)


def write_strip(path: str | Path, image: Frame) -> Path:
    """Write a picture to ``.png``, in one step.

    Raises:
        MotionError: another suffix.
    """
    from PIL import Image

    target = checked_suffix(path, (".png",))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", optimize=True)
    write_atomically(target, buffer.getvalue(), durable=False)
    return target
