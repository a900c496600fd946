"""BVH written: read again it is the same motion, whatever skeleton, order, unit and axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import body, formats
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import euler_channels, number_rows
from rlsuite.motion.skeleton import Joint, Skeleton
from tests.motion.formats.samples import bvh_positions, bvh_text, in_suite


def agree(again, clip, radians=1e-6, metres=1e-6):
    for name in clip.skeleton.body_names:
        a, b = again.skeleton.body(name), clip.skeleton.body(name)
        np.testing.assert_allclose(again.bodies[0][:, a], clip.bodies[0][:, b], atol=metres)
    assert again.fps == pytest.approx(clip.fps, rel=1e-8)
    if again.skeleton.same_tree(clip.skeleton):
        assert rot.angle_between(again.bodies[1], clip.bodies[1]).max() < radians


@pytest.mark.parametrize("options", [{}, {"order": "xyz"}, {"unit": "m", "order": "yzx"}, {"up": "z", "forward": "-y"}])
def test_read_write_read(tmp_path, options):
    (tmp_path / "a.bvh").write_text(bvh_text(30))
    clip = formats.read(tmp_path / "a.bvh")
    formats.write(clip, tmp_path / "b.bvh", **options)
    again = formats.read(tmp_path / "b.bvh", up=options.get("up", "y"), forward=options.get("forward", "z"))
    agree(again, clip)
    if not options:
        assert again.skeleton.same_tree(clip.skeleton)
        assert again.provenance[0]["channels"] == clip.provenance[0]["channels"]


@pytest.mark.parametrize("name", ["01_01", "131_01"])
def test_read_write_read_of_recordings(mocap, tmp_path, name):
    clip = formats.read(mocap / f"cmu/bvh/{name}.bvh", stride=5)
    formats.write(clip, tmp_path / "b.bvh")
    again = formats.read(tmp_path / "b.bvh")
    assert again.skeleton.same_tree(clip.skeleton)
    assert again.provenance[0]["unit"] == "cmu"
    agree(again, clip)


def test_the_humanoid(tmp_path):
    """Hinges in threes become Euler channels; positions agree with those multiplied out from the text."""
    skeleton = body.skeleton()
    generator = np.random.default_rng(4)
    qpos = np.tile(skeleton.rest_qpos, (8, 1))
    qpos[:, :2] += generator.normal(size=(8, 2))
    qpos[:, 3:7] = rot.exp(generator.normal(size=(8, 3)))
    qpos[:, 7:] = generator.uniform(-1.2, 1.2, size=(8, skeleton.nq - 7))
    clip = MotionClip(qpos, 30.0, skeleton)
    formats.write(clip, tmp_path / "a.bvh")
    text = (tmp_path / "a.bvh").read_text()
    names, positions = bvh_positions(text, list(range(8)))
    order = [skeleton.body(name) for name in names]
    np.testing.assert_allclose(in_suite(positions, 0.01), clip.bodies[0][:, order], atol=1e-6)
    again = formats.read(tmp_path / "a.bvh")
    assert (again.provenance[0]["unit"], again.provenance[0]["up"], again.provenance[0]["forward"]) == ("cm", "y", "z")
    agree(again, clip)


def test_bodies_turned_in_the_rest_pose_moving_and_out_of_order(tmp_path):
    """Rest rotations are taken out, slides and anchors become positions, bodies are sorted into a tree's order."""
    skeleton = Skeleton(
        name="machine",
        body_names=("base", "left", "right", "tip"),
        parents=(-1, 0, 0, 1),
        body_pos=np.array([[0, 0, 1], [0, 0.3, 0], [0, -0.3, 0], [0, 0.2, 0.1]]),
        body_quat=rot.exp(np.array([[0, 0, 0], [0.3, -1, 2], [0, 1, 0], [1, 1, 1]])),
        joints=(
            Joint("free", "free", 0),
            Joint("rail", "slide", 1, axis=(0.6, 0.8, 0.0)),
            Joint("arm", "ball", 1),
            Joint("flap", "hinge", 2, axis=(0, 1, 0), anchor=(0.1, 0.0, 0.2), reference=0.3),
            Joint("a", "hinge", 3, axis=(1, 0, 0)),
            Joint("b", "hinge", 3, axis=(0.6, 0.0, 0.8)),
        ),
        keypoints={},
    )
    qpos = np.random.default_rng(1).normal(size=(12, skeleton.nq))
    clip = MotionClip(qpos, 24.0, skeleton)
    formats.write(clip, tmp_path / "a.bvh", unit="m")
    again = formats.read(tmp_path / "a.bvh", unit="m", up="y", forward="z")
    assert again.skeleton.body_names == ("base", "left", "tip", "right")
    agree(again, clip, metres=2e-6)
    _, rest = skeleton.rest_qpos, clip.bodies[1]
    turn = rot.multiply(again.bodies[1][:, 3], rot.conjugate(again.bodies[1][:1, 3]))
    np.testing.assert_allclose(
        rot.to_matrix(turn), rot.to_matrix(rot.multiply(rest[:, 2], rot.conjugate(rest[:1, 2]))), atol=1e-6
    )


@settings(max_examples=60, deadline=None)
@given(st.permutations("xyz").map("".join), st.integers(0, 2**32 - 1))
def test_angles_make_the_rotations_and_do_not_leap(order, seed):
    """A smooth path with angles beyond half a turn, through both families of Euler angles."""
    generator = np.random.default_rng(seed)
    t = np.linspace(0.0, 1.0, 400)[:, None]
    wanted = generator.normal(size=3) * 2.0 + t * generator.normal(size=3) * 6.0
    quat = euler_channels.quaternions(wanted, order)
    np.testing.assert_allclose(quat, rot.from_euler(wanted, order), atol=1e-12)
    found = euler_channels.angles(quat, order)
    assert rot.angle_between(euler_channels.quaternions(found, order), quat).max() < 1e-6
    # the very path, or its other family: both move as fast as the angles that made it
    np.testing.assert_allclose(np.abs(np.diff(found, axis=0)), np.abs(np.diff(wanted, axis=0)), atol=1e-5)


def test_compiled_quaternions_are_the_plain_ones(monkeypatch):
    generator = np.random.default_rng(0)
    channels = generator.uniform(-400, 400, size=(50, 12))
    columns = np.array([[3, 4, 5], [9, 7, 8]])
    for order in ("zyx", "xyz", "yzx"):
        plain, compiled = np.zeros((2, 50, 9))
        monkeypatch.setattr(number_rows, "worth_compiling", lambda size: True)
        euler_channels.write_quaternions(compiled, [0, 5], channels, columns, order, [1.0, -1.0, 1.0])
        monkeypatch.setattr(number_rows, "worth_compiling", lambda size: False)
        euler_channels.write_quaternions(plain, [0, 5], channels, columns, order, [1.0, -1.0, 1.0])
        np.testing.assert_allclose(compiled, plain, atol=1e-14)


def test_deep_trees_are_written(tmp_path):
    """Deeper than Python's stack."""
    n = 1500
    joints = (Joint("free", "free", 0), *(Joint(f"j{i}", "ball", i) for i in range(1, n)))
    parents = tuple(range(-1, n - 1))
    offsets = np.tile([0.0, 0.0, 0.001], (n, 1))
    skeleton = Skeleton(
        "rope", tuple(f"b{i}" for i in range(n)), parents, offsets, np.tile(rot.IDENTITY, (n, 1)), joints, {}
    )
    clip = MotionClip(skeleton.rest_qpos[None], 30.0, skeleton)
    formats.write(clip, tmp_path / "a.bvh", unit="m")
    assert formats.read(tmp_path / "a.bvh", unit="m").skeleton.parents == parents


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "a.bvh").write_text(bvh_text())
    clip = formats.read(tmp_path / "a.bvh")
    for options, words in [
        ({"order": "zzx"}, "order 'zzx'"),
        ({"unit": "ell"}, "unit 'ell'"),
        ({"up": "y", "forward": "-y"}, "perpendicular"),
        ({"colour": "red"}, "no option 'colour'; it takes order, unit"),
    ]:
        with pytest.raises(MotionError, match=words):
            formats.write(clip, tmp_path / "b.bvh", **options)
    with pytest.raises(MotionFormatError, match=r"names no format to write; name one of .*bvh \(\.bvh\)"):
        formats.write(clip, tmp_path / "b.txt2")
    assert not (tmp_path / "b.bvh").exists()
