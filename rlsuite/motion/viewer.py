"""Clips side by side in the browser, with a timeline (needs rlsuite[viewer]).

The server listens on 127.0.0.1 only. Where every body is in every frame is computed once; playing only sends poses.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, RlsuiteError
from rlsuite.motion import meshes, models
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

if TYPE_CHECKING:
    import mujoco

Array = NDArray[np.float64]
HOST = "127.0.0.1"
RATE = 30.0  # poses sent to the browser in a second
SPEEDS = {"¼": 0.25, "½": 0.5, "1": 1.0, "2": 2.0}
GHOST_COLOUR, GHOST_OPACITY = (70, 130, 235), 0.35
CONTACT_COLOUR, BONE_COLOUR = (250, 158, 30), (30, 36, 48)
SPACING = 0.6  # metres between two clips, beyond what they reach


def require_viewer() -> Any:
    """The module viser.

    Raises:
        RlsuiteError: it, or trimesh, is not installed.
    """
    try:
        import trimesh  # noqa: F401
        import viser
    except ImportError as error:
        raise RlsuiteError(
            f"the viewer needs {error.name}: pip install 'rlsuite[viewer]'; --video and --strip need no viewer"
        ) from error
    return viser


def start_server(port: int, label: str) -> tuple[Any, str]:
    """A server on 127.0.0.1 and the address of its page; port 0 takes a free one, one that is taken the next.

    Raises:
        MotionError: the port may not be used. RlsuiteError: viser or trimesh is not installed.
    """
    viser = require_viewer()
    _require_port(port)
    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)  # a browser opens connections that it never uses
    with contextlib.redirect_stdout(io.StringIO()):  # it greets, asked or not
        server = viser.ViserServer(host=HOST, port=port or _free_port(), label=label, verbose=False)
    server.scene.set_up_direction("+z")
    return server, f"http://{HOST}:{server.get_port()}"


def stop_server(server: Any) -> None:
    """End it without a word."""
    with contextlib.redirect_stdout(io.StringIO()):
        server.stop()


def add_floor(server: Any, height: float = 0.0) -> None:
    """A grid without end."""
    server.scene.add_grid(
        "/floor", infinite_grid=True, cell_size=0.5, section_size=1.0, cell_color=(214, 218, 224),
        section_color=(176, 184, 194), plane_color=(240, 242, 245), plane_opacity=1.0, fade_distance=40.0,
        shadow_opacity=0.25, position=(0.0, 0.0, height),
    )  # fmt: skip


def add_body(server: Any, name: str, skeleton: Skeleton, model: mujoco.MjModel, *, ghost: bool) -> Any:
    """The frames of a body's parts, to be moved, and what is drawn in them."""
    scene = server.scene
    frames = [scene.add_frame(f"{name}/{b}", show_axes=False) for b in skeleton.body_names]
    parts = [
        scene.add_mesh_simple(
            f"{name}/{skeleton.body_names[part.body]}/part{i}", part.vertices, part.faces,
            color=GHOST_COLOUR if ghost else part.colour, opacity=GHOST_OPACITY if ghost else None,
            cast_shadow=not ghost,
        )
        for i, part in enumerate(meshes.body_parts(model))
    ]  # fmt: skip
    return frames, parts


def side_by_side(clips: Sequence[MotionClip]) -> Array:
    """``(n, 3)`` shifts along Y that keep the clips apart, and along X so that all begin beside the first one."""
    shifts, edge, begin = [], 0.0, float(clips[0].bodies[0][0, 0, 0])
    for i, clip in enumerate(clips):
        y = clip.bodies[0][..., 1]
        shift = 0.0 if i == 0 else edge - SPACING - float(y.max())
        shifts.append((begin - float(clip.bodies[0][0, 0, 0]), shift, 0.0))
        edge = float(y.min()) + shift
    return np.array(shifts)


@dataclass
class _Shown:
    """One clip on the stage: what the browser holds of it."""

    clip: MotionClip
    shift: Array
    positions: Array
    turns: Array
    frames: list[Any]
    parts: list[Any]
    bones: Any
    label: Any
    contacts: list[tuple[int, int, Any]]


class Viewer:
    """A stage in the browser.

    Args:
        clips: shown side by side. ghosts: shown transparent in the place of the clip of the same index (``None``: none).
        body: drawn for the clips that are on it, where they are not on the suite's humanoid.
        port: where it listens; 0 takes a free one, and where it is taken the next free one serves.

    Attributes:
        url: address of the page.

    Raises:
        MotionError: no clips, more ghosts than clips, or a port that may not be used.
        RlsuiteError: viser or trimesh is not installed.
    """

    def __init__(
        self,
        clips: Sequence[MotionClip],
        *,
        ghosts: Sequence[MotionClip | None] = (),
        body: mujoco.MjModel | None = None,
        port: int = 8080,
    ) -> None:
        if not clips or len(ghosts) > len(clips):
            raise MotionError("a viewer needs at least one clip, and at most one ghost for each")
        self._body = body
        self.server, self.url = start_server(port, "rlsuite motion")
        self.duration = max(clip.duration for clip in clips)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        shifts = side_by_side(clips)
        self.shown = [self._add(f"/clip{i}", clip, shifts[i], ghost=False) for i, clip in enumerate(clips)]
        self.ghosts = [
            self._add(f"/ghost{i}", ghost, shifts[i], ghost=True) for i, ghost in enumerate(ghosts) if ghost is not None
        ]
        self._set_stage()
        self._add_controls()
        self.show(0.0)
        self._thread = threading.Thread(target=self._play, name="rlsuite-viewer", daemon=True)
        self._thread.start()

    # Building the stage --------------------------------------------------------------------------------------------

    def _set_stage(self) -> None:
        everything = np.concatenate([shown.positions.reshape(-1, 3) for shown in self.shown])
        low, high = everything.min(axis=0), everything.max(axis=0)
        centre, size = (low + high) / 2.0, float(np.linalg.norm(high - low))
        add_floor(self.server, min(0.0, float(low[2])) - 0.001)
        camera = self.server.initial_camera
        camera.position = tuple(centre + np.array([0.55, -0.75, 0.32]) * max(2.4, 0.55 * size))
        camera.look_at = tuple(centre)

    def _add(self, name: str, clip: MotionClip, shift: Array, *, ghost: bool) -> _Shown:
        scene, model = self.server.scene, models.drawn_as(clip.skeleton, self._body)
        positions, turns = clip.bodies
        positions = positions + shift
        frames, parts = add_body(self.server, name, clip.skeleton, model, ghost=ghost)
        links = [(i, p) for i, p in enumerate(clip.skeleton.parents) if p >= 0]
        segments = positions[0][np.array(links, np.intp).reshape(-1, 2)]
        bones = scene.add_line_segments(f"{name}/bones", segments, BONE_COLOUR, thickness=0.012, visible=False)
        contacts = []
        for column, body in enumerate(clip.contact_names if clip.contacts is not None and not ghost else ()):
            mark = scene.add_icosphere(f"{name}/contact{column}", radius=0.045, color=CONTACT_COLOUR, visible=False)
            contacts.append((column, clip.skeleton.body(body), mark))
        text = "" if ghost else clip.name or "clip"
        label = scene.add_label(f"{name}/name", text, anchor="bottom-center", visible=not ghost)
        return _Shown(clip, shift, positions, turns, frames, parts, bones, label, contacts)

    def _add_controls(self) -> None:
        gui = self.server.gui
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="medium")
        longest = max(self.shown, key=lambda shown: shown.clip.duration).clip
        step = 1.0 / longest.fps
        with gui.add_folder("Play"):
            self.playing = gui.add_checkbox("playing", True, hint="or drag the timeline")
            self.timeline = gui.add_slider("time (s)", 0.0, max(self.duration, step), round(step, 4), 0.0)
            self.speed = gui.add_button_group("speed", list(SPEEDS))
            self.repeat = gui.add_checkbox("repeat", True)
        with gui.add_folder("Show"):
            self.show_body = gui.add_checkbox("body", True)
            self.show_skeleton = gui.add_checkbox("skeleton", False)
            self.show_contacts = gui.add_checkbox("contacts", True)
            self.show_ghost = gui.add_checkbox("ghost", True, visible=bool(self.ghosts))
            self.follow = gui.add_checkbox("follow", False, hint="the camera moves with the first clip")
        with gui.add_folder("Clips"):
            for shown in self.shown:
                clip = shown.clip
                loop = ", repeats" if clip.loop == "wrap" else ""
                gui.add_markdown(f"**{clip.name or 'clip'}** {clip.n_frames} frames, {clip.duration:.2f} s{loop}")
        self.rate = 1.0
        self.speed.on_click(lambda event: setattr(self, "rate", SPEEDS[event.target.value]))
        self.timeline.on_update(lambda event: self._dragged(event))
        for box in (self.show_body, self.show_skeleton, self.show_contacts, self.show_ghost):
            box.on_update(lambda _: self.show(self.timeline.value))

    # Playing -------------------------------------------------------------------------------------------------------

    def _dragged(self, event: Any) -> None:
        if event.client is not None:  # moved by a person, not by the clock
            self.playing.value = False
            self.show(self.timeline.value)

    def show(self, when: float) -> None:
        """Every clip at ``when`` seconds; beyond its end a clip that repeats goes on, another one holds its last pose."""
        with self._lock, self.server.atomic():
            for shown in self.shown:
                self._pose(shown, when, self.show_body.value, self.show_skeleton.value)
            for ghost in self.ghosts:
                self._pose(ghost, when, self.show_ghost.value, False)

    def _pose(self, shown: _Shown, when: float, body: bool, skeleton: bool) -> None:
        clip = shown.clip
        t = int(np.clip(round(_local_time(clip, when) * clip.fps), 0, clip.n_frames - 1))
        for frame, position, turn in zip(shown.frames, shown.positions[t], shown.turns[t], strict=True):
            frame.position, frame.wxyz = tuple(position), tuple(turn)
        for part in shown.parts:
            part.visible = body
        shown.label.position = (*shown.positions[t, 0, :2], shown.positions[t, :, 2].max() + 0.3)
        shown.bones.visible = skeleton
        if skeleton:
            links = [(i, p) for i, p in enumerate(clip.skeleton.parents) if p >= 0]
            shown.bones.points = shown.positions[t][np.array(links, np.intp).reshape(-1, 2)]
        for column, index, mark in shown.contacts:
            mark.visible = bool(self.show_contacts.value and clip.contacts is not None and clip.contacts[t, column])
            mark.position = tuple(shown.positions[t, index] * (1.0, 1.0, 0.0))

    def _play(self) -> None:
        before = time.monotonic()
        followed = self.shown[0].positions[0, 0]
        while not self._closed.wait(1.0 / RATE):
            now = time.monotonic()
            passed, before = now - before, now
            if not self.playing.value:
                continue
            when = self.timeline.value + passed * self.rate
            if when > self.duration:
                when = when % self.duration if self.repeat.value and self.duration > 0.0 else self.duration
                self.playing.value = self.repeat.value
            self.timeline.value = when
            self.show(when)
            followed = self._follow(followed)

    def _follow(self, before: Array) -> Array:
        first = self.shown[0]
        when = _local_time(first.clip, self.timeline.value)
        now = first.positions[min(round(when * first.clip.fps), first.clip.n_frames - 1), 0]
        if self.follow.value:
            step = (now - before) * (1.0, 1.0, 0.0)
            for client in self.server.get_clients().values():
                client.camera.position = client.camera.position + step
        return now

    def wait(self) -> None:
        """Serve until Ctrl-C."""
        while not self._closed.wait(3600.0):
            pass

    def close(self) -> None:
        self._closed.set()
        self._thread.join(timeout=2.0)
        stop_server(self.server)


def _local_time(clip: MotionClip, when: float) -> float:
    """Seconds from the clip's first frame: a cycle begins again in place."""
    return when % clip.duration if clip.loop == "wrap" and clip.duration > 0.0 else when


def _require_port(port: int) -> None:
    """A port that is taken is no matter, another one serves; one that nobody may use is."""
    import socket

    try:
        with socket.socket() as probe:
            probe.bind((HOST, port))
    except (OverflowError, PermissionError) as error:
        raise MotionError(
            f"port {port} cannot be used ({error}); give one from 1024 to 65535, or 0 for a free one"
        ) from error
    except OSError:
        pass


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
