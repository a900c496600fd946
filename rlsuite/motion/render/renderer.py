"""One renderer for all pictures of bodies: MuJoCo's where OpenGL works, the ray caster everywhere else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from types import TracebackType
from typing import Literal, Self, TypeVar

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion.cameras import Camera
from rlsuite.motion.render.extents import scene_camera
from rlsuite.motion.render.labels import with_labels
from rlsuite.motion.render.look import DAYLIGHT, Look
from rlsuite.motion.render.opengl import DriverError, MujocoBackend, working_platform
from rlsuite.motion.render.picture import Render
from rlsuite.motion.render.scene import Actor, Label, Mark, Scene
from rlsuite.motion.render.software import SoftwareBackend

logger = logging.getLogger("rlsuite")
T = TypeVar("T")

BackendName = Literal["auto", "mujoco", "software"]


class Renderer:
    """Pictures of one body, or of scenes with several.

    Args:
        model: the body of :meth:`render`; :meth:`render_scene` needs none.
        width, height: of pictures by the default camera.
        backend: ``mujoco`` (OpenGL), ``software`` (the ray caster), or ``auto``: the first where it works, and the second
            where it does not or stops working. Which one draws, and why, is logged once.

    Raises:
        MotionError: ``backend`` is unknown, or it is ``mujoco`` and no OpenGL works here.
    """

    def __init__(
        self, model: mujoco.MjModel | None = None, width: int = 640, height: int = 480, backend: BackendName = "auto"
    ) -> None:
        if backend not in ("auto", "mujoco", "software"):
            raise MotionError(f"unknown renderer {backend!r}; known are auto, mujoco, software")
        self.model, self.width, self.height, self.backend = model, width, height, backend
        self._software = SoftwareBackend()
        self._mujoco: MujocoBackend | None = None
        if backend == "software":
            _log("software", "chosen")
            return
        platform, reason = working_platform()
        if platform is not None:
            self._mujoco = MujocoBackend(platform)
        elif backend == "mujoco":
            raise MotionError(f"MuJoCo's renderer does not work here ({reason}); use the renderer 'software' or 'auto'")
        _log(self.name, reason)

    @property
    def name(self) -> str:
        """Of the back end that draws: ``mujoco`` or ``software``."""
        return self._software.name if self._mujoco is None else self._mujoco.name

    def render(
        self,
        qpos: ArrayLike,
        camera: Camera | None = None,
        *,
        marks: Sequence[Mark] = (),
        labels: Sequence[Label] = (),
        look: Look = DAYLIGHT,
    ) -> Render:
        """The body in pose ``qpos (nq,)``, by default seen by a camera that has the whole of it in view.

        Raises:
            MotionError: the pose does not fit the model, or the renderer has none.
        """
        if self.model is None:
            raise MotionError("this renderer was made without a model; use render_scene")
        return self.render_scene(Scene([Actor(self.model, qpos)], marks, labels, look), camera)

    def render_scene(self, scene: Scene, camera: Camera | None = None) -> Render:
        """All bodies, marks and labels of ``scene``; by default with all bodies in view."""
        at = self._camera(scene, camera)
        picture = self._with(lambda backend: backend.draw(scene, at), scene)
        return replace(picture, rgb=with_labels(picture.rgb, scene.labels, at))

    def frame(self, scene: Scene, camera: Camera | None = None) -> NDArray[np.uint8]:
        """Only the colours ``(H, W, 3)`` of :meth:`render_scene`, which OpenGL gives in half the time."""
        at = self._camera(scene, camera)
        return with_labels(self._with(lambda backend: backend.colour(scene, at), scene), scene.labels, at)

    def _camera(self, scene: Scene, camera: Camera | None) -> Camera:
        return scene_camera(scene, self.width, self.height) if camera is None else camera

    def _with(self, draw: Callable[[MujocoBackend | SoftwareBackend], T], scene: Scene) -> T:
        """What ``draw`` makes with the back end that fits the scene; the ray caster, for good, once OpenGL fails."""
        if self._mujoco is None or (self.backend == "auto" and not self._mujoco.can_draw(scene)):
            return draw(self._software)
        if not self._mujoco.can_draw(scene):
            raise MotionError(
                "MuJoCo's renderer draws scenes that begin with a solid body and have meshes of one model only; "
                "use the renderer 'software' or 'auto'"
            )
        try:
            return draw(self._mujoco)
        except DriverError as error:
            if self.backend == "mujoco":
                raise MotionError(f"MuJoCo's renderer failed ({error}); use the renderer 'software'") from error
            self._mujoco = None
            _log(self.name, f"OpenGL failed, {error}")
            return draw(self._software)

    def close(self) -> None:
        """Hand back the driver's memory; the renderer is not used afterwards."""
        if self._mujoco is not None:
            self._mujoco.close()
        self._software.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@cache
def _log(name: str, reason: str) -> None:
    what = "MuJoCo (OpenGL)" if name == "mujoco" else "software (ray caster)"
    logger.info("renderer: %s; %s", what, reason)
