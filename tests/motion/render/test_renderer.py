"""Which back end draws, and that both draw the same; missing drivers end in the ray caster and one line of log."""

import logging
import os
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import body, models
from rlsuite.motion.cameras import Camera
from rlsuite.motion.render import Actor, Label, Mark, Renderer, Scene, renderer
from rlsuite.motion.render.opengl import DriverError, MujocoBackend, working_platform

BODY = """
<mujoco><worldbody>
  <light pos="0 0 5" castshadow="false"/><geom type="plane" size="0 0 1" rgba="0.8 0.8 0.8 1"/>
  <body pos="0 0 1"><joint type="free"/>
    <geom type="capsule" size="0.15 0.3"/><geom type="box" size="0.1 0.4 0.05" pos="0 0 0.2" rgba="0.8 0.2 0.1 1"/>
    <geom type="ellipsoid" size="0.2 0.15 0.25" pos="0 0 0.6"/>
  </body>
</worldbody></mujoco>
"""
PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="LOG %(name)s %(message)s")
import mujoco
from rlsuite.motion.render import Renderer
model = mujoco.MjModel.from_xml_string(sys.argv[1])
for _ in range(2):
    with Renderer(model, 32, 24) as renderer:
        print(renderer.name, renderer.render(model.qpos0).rgb.std() > 5)
"""


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_string(BODY)


def run(**environment):
    """Names of the back ends used by a process of its own, and what it logged."""
    paths = os.pathsep.join([os.getcwd(), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, BODY], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": paths, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:2], [line for line in done.stderr.splitlines() if line.startswith("LOG rlsuite")]


@pytest.mark.parametrize(("value", "why"), [("disable", "MUJOCO_GL=disable"), ("glfw", "MUJOCO_GL=glfw: ")])
def test_without_a_driver_the_ray_caster_draws_and_says_so_once(value, why, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):  # GLFW has no screen to draw on
        monkeypatch.delenv(name, raising=False)
    drawn, logged = run(MUJOCO_GL=value)
    assert drawn == ["software True", "software True"]
    assert len(logged) == 1 and f"software (ray caster); {why}" in logged[0]


def test_a_driver_that_fails_later_gives_way_to_the_ray_caster(model, monkeypatch, caplog):
    def fail(*_):
        raise OSError("the driver\nwent away")

    monkeypatch.setattr(renderer, "working_platform", lambda: ("egl", "for the test"))
    monkeypatch.setattr(MujocoBackend, "_draw", fail)
    renderer._log.cache_clear()
    with caplog.at_level(logging.INFO, "rlsuite"), Renderer(model, 32, 24) as drawing:
        assert drawing.name == "mujoco"
        assert drawing.render(model.qpos0).mask.any()
        assert drawing.name == "software"
    assert "OpenGL failed, OSError: the driver went away" in caplog.text
    with Renderer(model, 32, 24, "mujoco") as strict, pytest.raises(MotionError, match=r"went away.*'software'"):
        strict.render(model.qpos0)
    with pytest.raises(DriverError):
        MujocoBackend("no-such-platform").draw(Scene([Actor(model, model.qpos0)]), None)


def test_mujoco_asked_for_where_it_does_not_work(model, monkeypatch):
    monkeypatch.setattr(renderer, "working_platform", lambda: (None, "MUJOCO_GL=off"))
    with pytest.raises(MotionError, match="MUJOCO_GL=off"):
        Renderer(model, backend="mujoco")
    with pytest.raises(MotionError, match="unknown renderer 'gl'"):
        Renderer(model, backend="gl")


def test_both_back_ends_see_the_same(model):
    platform, reason = working_platform()
    if platform is None:
        pytest.skip(reason)
    qpos = model.qpos0.copy()
    qpos[3:7] = np.array([0.9, 0.1, 0.3, 0.2]) / np.linalg.norm([0.9, 0.1, 0.3, 0.2])
    scene = Scene(
        [Actor(model, qpos), Actor.ghost(model, model.qpos0), Actor(model, qpos, (0, 1, 0), (0.2, 0.7, 0.3))],
        marks=[Mark((0.6, 0, 0.3), 0.1)],
    )
    with Renderer(None, 200, 150, "software") as ours, Renderer(None, 200, 150, "mujoco") as theirs:
        a, b = ours.render_scene(scene), theirs.render_scene(scene)
        assert np.array_equal(ours.frame(scene), a.rgb) and np.array_equal(theirs.frame(scene), b.rgb)
    near = np.isfinite(a.depth) & (a.depth < 20)
    assert near.mean() > 0.4
    assert ((a.geom_id == b.geom_id) & (a.actor == b.actor))[near].mean() > 0.995
    same = near & (a.geom_id == b.geom_id) & (a.actor == b.actor)
    assert np.quantile(abs(a.depth[same] - b.depth[same]), 0.99) < 0.02
    assert a.mask.mean() == pytest.approx(b.mask.mean(), rel=0.02)
    red = (a.geom_id == 2) & (a.actor == 0)  # the box, in both pictures redder than blue
    assert all(picture.rgb[red][:, 0].mean() > 1.3 * picture.rgb[red][:, 2].mean() for picture in (a, b))


def test_shadows_go_along_with_the_bodies():
    """MuJoCo draws them only within a distance of the sun, which our stage has above the origin."""
    platform, reason = working_platform()
    if platform is None:
        pytest.skip(reason)
    body_model = models.model_of(body.skeleton())
    pose = body.skeleton().rest_qpos
    scene = Scene([Actor(body_model, pose), Actor(body_model, pose, (0.0, 6.0, 0.0))])
    camera = Camera.look_at((3.0, 6.0, 3.0), (0.0, 6.0, 0.5), width=160, height=120)
    with Renderer(None, 160, 120, "mujoco") as drawing:
        picture = drawing.render_scene(scene, camera)
    floor = picture.rgb[(picture.mask == 0) & np.isfinite(picture.depth)].mean(axis=1)
    assert (floor < 0.75 * np.median(floor)).mean() > 0.008  # a tenth of that were the sun above the origin


def test_labels_are_drawn_where_their_points_are_seen(model):
    with Renderer(model, 200, 150, "software") as drawing:
        plain = drawing.render(model.qpos0)
        labelled = drawing.render(model.qpos0, labels=[Label("A", (20, 30), 20), Label("hidden", (1e3, -1e3, 5))])
    changed = np.argwhere((plain.rgb != labelled.rgb).any(axis=2))
    assert len(changed) > 20
    assert abs(changed.mean(axis=0) - (30, 20)).max() < 3
    assert abs(changed - (30, 20)).max() < 15


@pytest.mark.parametrize(
    ("qpos", "message"), [(np.zeros(3), r"7 finite numbers, not an array of \(3,\)"), (np.full(7, np.nan), "finite")]
)
def test_poses_that_are_none(model, qpos, message):
    with Renderer(model, 16, 16, "software") as drawing, pytest.raises(MotionError, match=message):
        drawing.render(qpos)
    with Renderer(None, 16, 16, "software") as empty, pytest.raises(MotionError, match="without a model"):
        empty.render(np.zeros(7))
