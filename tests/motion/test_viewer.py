"""The viewer: what it sends is where forward kinematics puts the bodies; it listens at home only."""

import socket
import urllib.request
from dataclasses import replace

import mujoco
import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import body, editing, meshes, models, viewer
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Skeleton

pytest.importorskip("viser")


NAMED = """
<mujoco><worldbody><body name="box"><freejoint/><geom type="box" size="0.1 0.2 0.3"/></body></worldbody></mujoco>
"""


def moving(n=11, dy=0.0):
    qpos = np.tile(body.skeleton().rest_qpos, (n, 1))
    qpos[:, 0] = np.linspace(0.0, 1.0, n)
    qpos[:, 1] += dy
    contacts = np.zeros((n, 2), bool)
    contacts[: n // 2, 0] = True
    return MotionClip(
        qpos, 10.0, body.skeleton(), "moving", contacts=contacts, contact_names=("right_foot", "left_foot")
    )


@pytest.fixture
def stage():
    stages = []

    def make(*arguments, **options):
        stages.append(viewer.Viewer(*arguments, port=0, **options))
        stages[-1].playing.value = False
        return stages[-1]

    yield make
    for made in stages:
        made.close()


def test_bodies_stand_where_kinematics_puts_them(stage):
    clip = moving()
    shown = stage(
        [clip, editing.translate(moving(dy=0.3), (5.0, 0.0, 0.0))]
    )  # begins beside the first one all the same
    shown.show(0.7)
    positions, turns = (values[7] for values in clip.bodies)
    np.testing.assert_allclose([frame.position for frame in shown.shown[0].frames], positions, atol=1e-6)
    np.testing.assert_allclose([frame.wxyz for frame in shown.shown[0].frames], turns, atol=1e-6)
    assert shown.shown[1].positions[0, 0, 0] == pytest.approx(0.0) and shown.shown[0].positions[0, 0, 0] == 0.0
    gap = shown.shown[0].positions[..., 1].min() - shown.shown[1].positions[..., 1].max()
    assert gap == pytest.approx(viewer.SPACING)


def test_contacts_show_while_they_last_and_the_end_holds(stage):
    shown = stage([moving()])
    marks = [mark for _, _, mark in shown.shown[0].contacts]
    shown.show(0.2)
    assert [mark.visible for mark in marks] == [True, False]
    shown.show(99.0)
    assert [mark.visible for mark in marks] == [False, False]
    np.testing.assert_allclose(shown.shown[0].frames[0].position[0], 1.0, atol=1e-6)


def test_a_cycle_begins_again(stage):
    shown = stage([replace(moving(), loop="wrap")])
    shown.show(1.3)
    np.testing.assert_allclose(shown.shown[0].frames[0].position[0], 0.3, atol=1e-6)


def test_a_ghost_takes_the_place_of_its_clip(stage):
    shown = stage([moving(), moving(dy=0.2)], ghosts=[None, moving(dy=0.2)])
    shown.show(0.5)
    np.testing.assert_allclose(shown.ghosts[0].frames[3].position, shown.shown[1].frames[3].position)
    with pytest.raises(MotionError, match="one ghost for each"):
        viewer.Viewer([moving()], ghosts=[None, None], port=0)


def test_it_listens_on_this_machine_only(stage):
    shown = stage([moving()])
    assert urllib.request.urlopen(shown.url).status == 200
    assert shown.server.get_host() == "127.0.0.1"


def test_a_taken_port_gives_way_to_the_next(stage):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = viewer.Viewer([moving()], port=port)
        assert other.server.get_port() != port
        other.close()


def test_a_port_that_is_none_is_told_and_nothing_waits():
    with pytest.raises(MotionError, match="port 99999 cannot be used"):
        viewer.Viewer([moving()], port=99999)


def test_it_says_nothing_of_its_own(stage, capsys):
    made = viewer.Viewer([moving()], port=0)
    made.close()
    assert capsys.readouterr().out == ""


def test_a_body_that_is_named_is_drawn(stage):
    named = mujoco.MjModel.from_xml_string(NAMED)
    clip = MotionClip(np.tile(named.qpos0, (3, 1)), 10.0, Skeleton.from_model(named), "box")
    (part,) = stage([clip], body=named).shown[0].parts
    assert np.ptp(part.vertices, axis=0) == pytest.approx([0.2, 0.4, 0.6])
    assert not models.is_body_of(named, body.skeleton()) and models.is_body_of(named, clip.skeleton)


# How far points in a geom's own frame are from its surface (of the ellipsoid a multiple of it).
SURFACES = {
    "sphere": ("0.2", lambda p: np.linalg.norm(p, axis=1) - 0.2),
    "ellipsoid": ("0.1 0.2 0.3", lambda p: np.linalg.norm(p / (0.1, 0.2, 0.3), axis=1) - 1.0),
    "box": ("0.1 0.2 0.3", lambda p: (np.abs(p) - (0.1, 0.2, 0.3)).max(axis=1)),
    "capsule": ("0.1 0.3", lambda p: np.linalg.norm(p - np.clip(p, (0, 0, -0.3), (0, 0, 0.3)), axis=1) - 0.1),
    "cylinder": ("0.1 0.3", lambda p: np.maximum(np.hypot(p[:, 0], p[:, 1]) - 0.1, np.abs(p[:, 2]) - 0.3)),
}


@pytest.mark.parametrize("kind", SURFACES)
def test_triangles_lie_on_the_geom(kind):
    size, distance = SURFACES[kind]
    geom = f'<geom type="{kind}" size="{size}" pos="0.1 0.2 0.3" euler="20 30 40"/>'
    model = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody><body>{geom}</body></worldbody></mujoco>")
    (part,) = meshes.body_parts(model)
    own = rot.rotate(rot.conjugate(model.geom_quat[0]), part.vertices - model.geom_pos[0])
    np.testing.assert_allclose(distance(own), 0.0, atol=1e-9)
    reach = np.abs(own).max(axis=0)
    np.testing.assert_allclose(reach[2], {"sphere": 0.2, "capsule": 0.4}.get(kind, 0.3), atol=1e-9)
    corners = own[part.faces]
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("fi,fi->f", outwards, corners.mean(axis=1)) > -1e-12).all()


def test_every_part_of_the_humanoid_has_its_body():
    model = models.model_of(body.skeleton())
    parts = meshes.body_parts(model)
    assert {part.body for part in parts} == set(range(body.skeleton().nbody))
    assert sum(len(part.faces) for part in parts) < 30_000
