"""A policy in the browser, simulated while one looks on, and pushed by button (needs rlsuite[viewer]).

The server listens on 127.0.0.1 only. After a fall the policy goes on trying for a moment, then begins anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from rlsuite.agents.evaluation import tell_where
from rlsuite.experiments.imitation.episodes import Act, clip_names, evaluation_env, without_pushes
from rlsuite.experiments.imitation.pushes import DIRECTIONS, PUSH_SECONDS, Pusher
from rlsuite.motion import models, viewer

SPEEDS = {"¼": 0.25, "½": 0.5, "1": 1.0}
LYING = 1.5  # seconds from a fall to a new beginning
FOREVER = 1e7  # seconds


class LiveViewer:
    """A stage on which a policy acts.

    Args:
        act, env_kwargs: of a :class:`~rlsuite.experiments.imitation.performers.Performer`. name: shown on the page.
        port: as of :class:`rlsuite.motion.viewer.Viewer`. seed: of the time of the clip that the first episode begins at.
        running: whether the clock runs; without it only :meth:`advance` does anything. env: one body that acts by itself.

    Attributes:
        url: address of the page. env: the one simulation. falls, rewards: of this episode on.

    Raises:
        MotionError: the port may not be used. RlsuiteError: viser or trimesh is not installed.
    """

    def __init__(
        self,
        act: Act,
        env_kwargs: Mapping[str, Any],
        name: str,
        *,
        port: int = 8080,
        seed: int = 0,
        running: bool = True,
        env: Any = None,
    ) -> None:
        viewer.require_viewer()
        self.act, self.name = act, name
        if env is None:
            env = evaluation_env({**without_pushes(env_kwargs), "interval": None}, 1, seconds=FOREVER)
        self.env = env
        self.pusher = Pusher(self.env)
        self.server, self.url = viewer.start_server(port, f"rlsuite: {name}")
        viewer.add_floor(self.server, -0.001)
        skeleton = self.env.reference.skeleton
        model = models.model_of(skeleton)
        self.body, _ = viewer.add_body(self.server, "/body", skeleton, model, ghost=False)
        self.ghost, self._ghost_parts = viewer.add_body(self.server, "/ghost", skeleton, model, ghost=True)
        self._lock = threading.Lock()
        self._wanted: tuple[float, float] | None = None  # direction of the push that is asked for
        self._pushing = 0  # control steps that it goes on
        self._anew = False
        self._add_controls()
        self._observations, _ = self.env.reset(seed=seed)
        tell_where(act, self.env)
        self._begin()
        camera = self.server.initial_camera
        at = self.env.physics.state.position[0, 0]
        camera.position, camera.look_at = tuple(at + np.array((0.8, -2.1, 0.35))), tuple(at)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rlsuite-live", daemon=True)
        if running:
            self._thread.start()

    def _add_controls(self) -> None:
        gui = self.server.gui
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="medium")
        self.told = gui.add_markdown(f"**{self.name}**")
        with gui.add_folder("Play"):
            self.playing = gui.add_checkbox("playing", True)
            self.speed = gui.add_button_group("speed", list(SPEEDS))
            self.reset = gui.add_button("begin anew")
            if self.env.multi == "selector":
                names = clip_names(self.env.clips)
                self.clip = gui.add_button_group("clip", names, hint="from the end of the present one on")
                self.clip.on_click(lambda event: self.env.ask(names.index(event.target.value)))
        with gui.add_folder("Push"):
            self.newtons = gui.add_slider("newtons", 0, 600, 10, 150, hint=f"for {PUSH_SECONDS:g} s, on the torso")
            self.push = gui.add_button_group("push", list(DIRECTIONS))
        with gui.add_folder("Show"):
            self.show_ghost = gui.add_checkbox("reference", True, hint="what the policy imitates, as a ghost")
            self.follow = gui.add_checkbox("follow", True, hint="the camera goes along")
        self.rate = 1.0
        self.speed.on_click(lambda event: setattr(self, "rate", SPEEDS[event.target.value]))
        self.reset.on_click(lambda _: setattr(self, "_anew", True))
        self.push.on_click(lambda event: self.push_towards(event.target.value))
        self.show_ghost.on_update(lambda _: self._show())

    def push_towards(self, direction: str) -> None:
        """Push at the next control step, with the newtons of the slider."""
        self._wanted = DIRECTIONS[direction]

    def _begin(self) -> None:
        self.rewards: list[float] = []
        self.fell_for = 0.0  # seconds since the fall
        self._pushing = 0
        self.pusher.release()
        self._show()

    def advance(self) -> None:
        """One control step of 1/30 s."""
        if self._anew or self.fell_for > LYING:
            self._anew = False
            self._observations, _ = self.env.reset()
            tell_where(self.act, self.env)
            self._begin()
            return
        if self._wanted is not None:
            self.pusher.push(np.array([self._wanted]), np.array([float(self.newtons.value)]))
            self._wanted, self._pushing = None, round(PUSH_SECONDS / self.env.dt)
        before = self.env.physics.state.position[0, 0].copy()
        self._observations, rewards, terminated, _, info = self.env.step(self.act(self._observations))
        self._pushing -= 1
        if self._pushing == 0:
            self.pusher.release()
        if info["failed"][0] or self.fell_for:
            self.fell_for += self.env.dt
        elif terminated[0]:
            self._anew = True
        self.rewards.append(0.0 if self.fell_for else float(rewards[0]))
        self._show()
        if self.follow.value:
            step = (self.env.physics.state.position[0, 0] - before) * (1.0, 1.0, 0.0)
            for client in self.server.get_clients().values():
                client.camera.position = client.camera.position + step

    def _show(self) -> None:
        env = self.env
        state, reference = env.physics.state, env.clock.now
        with self._lock, self.server.atomic():
            for frames, shown in ((self.body, state), (self.ghost, reference)):
                for frame, place, turn in zip(frames, shown.position[0], shown.rotation[0], strict=True):
                    frame.position, frame.wxyz = tuple(place), tuple(turn)
            for part in self._ghost_parts:
                part.visible = self.show_ghost.value
            if len(self.rewards) % 10 == 0:
                seconds = len(self.rewards) * env.dt
                acting = f", {clip_names(env.clips)[env.clock.which[0]]}" if env.multi else ""
                mean = f", mean reward {np.mean(self.rewards):.2f}" if self.rewards else ""
                fallen = ", **fallen**" if self.fell_for else ""
                self.told.content = f"**{self.name}** {seconds:.1f} s{acting}{mean}{fallen}"

    def _run(self) -> None:
        due = time.monotonic()
        while not self._closed.wait(max(0.0, due - time.monotonic())):
            if self.playing.value or self._anew:
                self.advance()
            due = max(due + self.env.dt / self.rate, time.monotonic() - self.env.dt)  # never in a hurry to catch up

    def wait(self) -> None:
        """Serve until Ctrl-C."""
        while not self._closed.wait(3600.0):
            pass

    def close(self) -> None:
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        viewer.stop_server(self.server)
        self.env.close()
