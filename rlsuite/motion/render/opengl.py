"""MuJoCo's own renderer behind the same call: OpenGL in memory, where some driver gives it.

Drivers fail in many ways, and some end the process; so each is tried in a process of its own first, once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from ctypes.util import find_library
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.cameras import Camera
from rlsuite.motion.render.geoms import TINTED, Surfaces
from rlsuite.motion.render.intersections import CYLINDER, HFIELD, PLANE, SPHERE
from rlsuite.motion.render.picture import Render
from rlsuite.motion.render.scene import Actor, Scene
from rlsuite.screen import has_screen

T = TypeVar("T")

SECONDS = 30.0  # that a driver may take for its first picture
MOST_GEOMS = 20000
SHADOWS = 1.2  # metres around the bodies' parts in which shadows are drawn
DISABLED = ("disable", "disabled", "off", "false", "0")  # values of MUJOCO_GL, as MuJoCo reads it
PLATFORMS = {"egl": "EGL", "osmesa": "OSMesa", "glfw": "GL"}  # and the library that each needs
_TRIAL = """
import importlib, sys
import mujoco, numpy
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
context = importlib.import_module("mujoco." + sys.argv[1]).GLContext(16, 16)
context.make_current()
model.vis.global_.offwidth = model.vis.global_.offheight = 16
scene, data, drawn = mujoco.MjvScene(model, 10), mujoco.MjData(model), mujoco.MjrContext(model, 100)
mujoco.mj_forward(model, data)
mujoco.mjr_setBuffer(1, drawn)
camera = mujoco.MjvCamera()
camera.distance = 5.0
mujoco.mjv_updateScene(model, data, mujoco.MjvOption(), None, camera, 7, scene)
image, view = numpy.zeros((16, 16, 3), numpy.uint8), mujoco.MjrRect(0, 0, 16, 16)
mujoco.mjr_render(view, scene, drawn)
mujoco.mjr_readPixels(image, None, view, drawn)
print("contrast", int(numpy.ptp(image)))
"""


class DriverError(Exception):
    """The graphics driver failed; pictures are drawn without it."""


@cache
def working_platform() -> tuple[str | None, str]:
    """The OpenGL platform that draws here (``egl``, ``osmesa``, ``glfw``), or ``None``, and the reason in words.

    ``MUJOCO_GL`` is obeyed: the platform it names is the only one tried, and ``MUJOCO_GL=disable`` means none.
    """
    named = os.environ.get("MUJOCO_GL", "").lower().strip()
    if named in DISABLED:
        return None, f"MUJOCO_GL={named}"
    if named in PLATFORMS:
        failure = _failure(named)
        return (None, f"MUJOCO_GL={named}: {failure}") if failure else (named, f"MUJOCO_GL={named}")
    order = ["egl", "osmesa"] if not has_screen() else ["glfw", "egl", "osmesa"]
    if not sys.platform.startswith("linux"):
        order = ["glfw"]
    failures = []
    for platform in order:
        if sys.platform.startswith("linux") and find_library(PLATFORMS[platform]) is None:
            failures.append(f"{platform}: not installed")
            continue
        failure = _failure(platform)
        if failure is None:
            return platform, f"OpenGL works through {platform}"
        failures.append(f"{platform}: {failure}")
    return None, "no OpenGL works here, " + "; ".join(failures)


def _failure(platform: str) -> str | None:
    """Why ``platform`` draws nothing, tried in another process; ``None`` where it draws."""
    environment = {**os.environ, "MUJOCO_GL": platform}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _TRIAL, platform],
            capture_output=True, text=True, timeout=SECONDS, env=environment, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no picture after {SECONDS:g} seconds"
    except OSError as error:
        return str(error)
    last = done.stdout.strip().rpartition("contrast ")[2]
    if done.returncode == 0 and last.isdigit():
        return None if int(last) > 0 else "its picture is of one colour"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {done.returncode}"


class MujocoBackend:
    """Draws scenes with MuJoCo's OpenGL renderer; light and sky are those of the first actor's model.

    Raises:
        DriverError: by every method, when the driver fails.
    """

    name = "mujoco"

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._surfaces = Surfaces()
        self._key: tuple[int, int, int] | None = None
        self._gl: Any = None
        self._context: Any = None
        self._model: mujoco.MjModel | None = None
        self._scene: Any = None

    def can_draw(self, scene: Scene) -> bool:
        """Whether MuJoCo can: meshes of a second model, and scenes that do not begin with a solid body, it cannot."""
        if not scene.actors or scene.actors[0].alpha < 1:
            return False
        first = scene.actors[0].model
        return all(
            actor.model is first or not np.isin(actor.model.geom_type, (HFIELD, mujoco.mjtGeom.mjGEOM_MESH)).any()
            for actor in scene.actors
        )

    def draw(self, scene: Scene, camera: Camera) -> Render:
        """A picture of the scene; labels are added by the caller."""
        return self._guarded(self._draw, scene, camera)

    def colour(self, scene: Scene, camera: Camera) -> NDArray[np.uint8]:
        """Only the colours of :meth:`draw`, in half the time."""
        return self._guarded(self._colour, scene, camera)

    def _guarded(self, draw: Callable[[Scene, Camera], T], scene: Scene, camera: Camera) -> T:
        try:
            return draw(scene, camera)
        except Exception as error:  # the graphics driver runs here, and can raise anything
            raise DriverError(" ".join(f"{type(error).__name__}: {error}".split())) from error

    def close(self) -> None:
        """Hand back the driver's memory."""
        if self._context is not None:
            self._context.free()
        if self._gl is not None:
            self._gl.free()
        self._key = self._gl = self._context = self._model = self._scene = None

    def _draw(self, scene: Scene, camera: Camera) -> Render:
        drawn = self._prepare(scene.actors[0].model, camera.width, camera.height)
        actors = self._fill(drawn, scene, ghosts=False)
        kinds = np.array([g.type for g in drawn.geoms[: drawn.ngeom]])
        ids = np.array([g.objid for g in drawn.geoms[: drawn.ngeom]])
        for index in range(drawn.ngeom):
            drawn.geoms[index].segid = index
        _aim(drawn, camera)
        depth_buffer = np.empty((camera.height, camera.width), np.float32)
        codes = np.empty((camera.height, camera.width, 3), np.uint8)
        for flag in (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR):
            drawn.flags[flag] = True
        self._read(drawn, codes, depth_buffer)
        for flag in (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR):
            drawn.flags[flag] = False
        rgb = self._colour(scene, camera)
        seen = codes.astype(np.int64) @ (1, 1 << 8, 1 << 16) - 1  # -1 where nothing is
        actor, kind, geom = (np.append(a, -1)[seen] for a in (actors, kinds, ids))
        near, far = drawn.camera[0].frustum_near, drawn.camera[0].frustum_far
        z = depth_buffer.astype(np.float64)  # 1 at the near plane, 0 at the far one and where nothing is
        depth = np.where(z > 0, near * far / (near + z * (far - near)), np.inf).astype(np.float32)
        mask = ((actor >= 0) & (kind != PLANE)).astype(np.float32)
        return Render(rgb, depth, mask, np.where(actor >= 0, geom, -1).astype(np.int32), actor.astype(np.int32))

    def _colour(self, scene: Scene, camera: Camera) -> NDArray[np.uint8]:
        drawn = self._prepare(scene.actors[0].model, camera.width, camera.height)
        self._fill(drawn, scene, ghosts=True)
        _aim(drawn, camera)
        self._context.shadowClip = _shine(drawn)
        rgb = np.empty((camera.height, camera.width, 3), np.uint8)
        self._read(drawn, rgb, None)
        return rgb

    def _prepare(self, model: mujoco.MjModel, width: int, height: int) -> mujoco.MjvScene:
        """A driver's context for the model and the size, kept until another is asked for, and a scene to fill."""
        if self._key == (id(model), width, height):
            self._gl.make_current()
            return self._scene
        self.close()
        size = model.vis.global_
        before = size.offwidth, size.offheight
        self._gl = import_module(f"mujoco.{self._platform}").GLContext(width, height)
        self._gl.make_current()
        try:
            size.offwidth, size.offheight = width, height
            self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        finally:
            size.offwidth, size.offheight = before
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._key, self._model = (id(model), width, height), model
        self._scene = mujoco.MjvScene(model, MOST_GEOMS)
        self._scene.flags[mujoco.mjtRndFlag.mjRND_HAZE] = False
        return self._scene

    def _fill(self, drawn: mujoco.MjvScene, scene: Scene, *, ghosts: bool) -> NDArray[np.int64]:
        """Put the scene's geoms into MuJoCo's; the actor of each, -1 for marks and floor."""
        option, category = mujoco.MjvOption(), mujoco.mjtCatBit
        owners: list[int] = []
        planes = False
        for index, actor in enumerate(scene.actors):
            data = self._surfaces.posed(actor)
            mujoco.mj_camlight(actor.model, data)
            if index == 0:
                bits = category.mjCAT_ALL.value
                mujoco.mjv_updateScene(actor.model, data, option, None, mujoco.MjvCamera(), bits, drawn)
            elif actor.alpha < 1 and not ghosts:
                continue
            else:  # what stands still, such as the floor, is the first actor's
                bits = category.mjCAT_DYNAMIC.value
                mujoco.mjv_addGeoms(actor.model, data, option, mujoco.MjvPerturb(), bits, drawn)
            for g in drawn.geoms[len(owners) : drawn.ngeom]:
                _dress(g, actor, foreign=actor.model is not scene.actors[0].model)
                planes |= g.type == PLANE
                owners.append(index)
        for mark in scene.marks:
            disc = mark.shape == "disc"
            size = (mark.radius, 0.12 * mark.radius, 0.0) if disc else (mark.radius, 0.0, 0.0)
            _add(drawn, CYLINDER if disc else SPHERE, size, mark.position, mark.colour)
            owners.append(-1)
        if scene.floor and not planes:
            _add(drawn, PLANE, (0.0, 0.0, 1.0), (0.0, 0.0, 0.0), scene.look.floor_light)
            owners.append(-1)
        return np.array(owners, np.int64)

    def _read(self, drawn: mujoco.MjvScene, rgb: NDArray[np.uint8], depth: NDArray[np.float32] | None) -> None:
        view = mujoco.MjrRect(0, 0, rgb.shape[1], rgb.shape[0])
        mujoco.mjr_render(view, drawn, self._context)
        mujoco.mjr_readPixels(rgb, depth, view, self._context)
        for buffer in (rgb, depth):
            if buffer is not None:
                buffer[:] = np.flipud(buffer).copy()


def _dress(g: mujoco.MjvGeom, actor: Actor, *, foreign: bool) -> None:
    if g.type == PLANE:
        g.castshadow = False  # upon itself, speckled
    else:
        g.pos[:] = g.pos + np.asarray(actor.offset, np.float32)
        if actor.tint is not None:
            g.rgba[:3] = (1 - TINTED) * g.rgba[:3] + TINTED * np.array(actor.tint, np.float32)
        g.rgba[3] *= actor.alpha
        g.transparent |= actor.alpha < 1
    if foreign:
        g.matid = -1  # materials are those of the first model


def _add(drawn: mujoco.MjvScene, kind: int, size: object, position: object, colour: tuple[float, ...]) -> None:
    mujoco.mjv_initGeom(
        drawn.geoms[drawn.ngeom],
        kind,
        np.array(size, np.float64),
        np.array(position, np.float64),
        np.eye(3).ravel(),
        np.array([*colour, 1.0], np.float32),
    )
    drawn.ngeom += 1


def _shine(drawn: mujoco.MjvScene) -> float:
    """Move the sun with the bodies: MuJoCo draws shadows only within a distance of it, which is returned, in metres."""
    solid = [g for g in drawn.geoms[: drawn.ngeom] if g.type != PLANE and not g.transparent]
    centres = np.array([g.pos for g in solid]).reshape(-1, 3)
    if not len(centres):
        return SHADOWS
    middle = (centres.min(axis=0) + centres.max(axis=0)) / 2
    reach = float(np.linalg.norm(centres - middle, axis=1).max()) + SHADOWS
    for light in drawn.lights[: drawn.nlight]:
        if light.castshadow and light.type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL:
            light.pos = middle - 2.0 * reach * np.array(light.dir)
    return reach


def _aim(drawn: mujoco.MjvScene, camera: Camera) -> None:
    """The frustum of ``camera``: ``frustum_width`` is half a width, ``frustum_center`` to the right."""
    (fx, _, cx), (_, fy, cy) = camera.K[0], camera.K[1]
    for g in drawn.camera:
        near = g.frustum_near
        left, right = -near * cx / fx, near * (camera.width - cx) / fx
        g.pos, g.forward, g.up = camera.t, camera.forward, camera.R[:, 1]
        g.frustum_center, g.frustum_width = (left + right) / 2, (right - left) / 2
        g.frustum_top, g.frustum_bottom = near * cy / fy, -near * (camera.height - cy) / fy
    for light in drawn.lights[: drawn.nlight]:
        if light.headlight:
            light.pos, light.dir = camera.t, camera.forward
