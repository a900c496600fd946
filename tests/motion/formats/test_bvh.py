"""BVH: positions agree with matrices multiplied out from the text; units, axes and positions are judged and said."""

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import formats, kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.formats import bvh
from tests.motion.formats.samples import bvh_positions, bvh_text, in_suite

CMU = 0.0254 / 0.45


def written(folder, text, name="a.bvh", **options):
    path = folder / name
    path.write_text(text, **options)
    return path


def test_positions_are_those_of_the_text(tmp_path):
    text = bvh_text(7)
    clip = formats.read(written(tmp_path, text))
    names, expected = bvh_positions(text, list(range(7)))
    assert list(clip.skeleton.body_names) == names
    np.testing.assert_allclose(clip.bodies[0], in_suite(expected, 0.01), atol=1e-9)
    assert clip.fps == 120.0


@pytest.mark.parametrize("name", ["01_01", "131_01"])
def test_positions_of_recordings_are_those_of_the_text(mocap, name):
    path = mocap / f"cmu/bvh/{name}.bvh"
    clip = formats.read(path)
    frames = [0, 1, 2, 100, 500, clip.n_frames - 1]
    names, expected = bvh_positions(path.read_text(), frames)
    assert list(clip.skeleton.body_names) == names
    np.testing.assert_allclose(clip.bodies[0][frames], in_suite(expected, CMU), atol=1e-6)
    step = clip.provenance[0]
    assert (step["unit"], step["up"], step["forward"]) == ("cmu", "y", "z")
    assert 0.9 < clip.bodies[0][50, 0, 2] < 1.05  # hips of a human


def test_kinds_of_joints(tmp_path):
    skeleton = formats.read(written(tmp_path, bvh_text())).skeleton
    kinds = [(joint.name, joint.kind) for joint in skeleton.joints]
    assert kinds[:4] == [("Hips", "free"), ("Spine", "ball"), ("Head", "ball"), ("LeftUpLeg", "ball")]
    assert kinds[4:7] == [("LeftLeg_x", "hinge"), ("LeftFoot_z", "hinge"), ("LeftFoot_x", "hinge")]
    assert skeleton.joints[4].axis == (0.0, 1.0, 0.0)  # the file's x axis points left
    assert skeleton.end_effectors == ("Head", "LeftFoot", "RightFoot")
    assert skeleton.keypoints["LeftFoot_end"] == (5, pytest.approx((0.12, 0.0, -0.05)))
    assert ("LeftLeg", "RightLeg") in skeleton.symmetry_pairs


@pytest.mark.parametrize("compiled", [False, True])
def test_frames_asked_for(tmp_path, compiled, monkeypatch):
    monkeypatch.setattr("rlsuite.motion.formats.number_rows.worth_compiling", lambda size: compiled)
    path = written(tmp_path, bvh_text(20))
    whole, part = formats.read(path), formats.read(path, start=3, stop=17, stride=4)
    np.testing.assert_allclose(part.qpos, whole.qpos[3:17:4], atol=1e-12)
    assert part.fps == 30.0
    assert part.provenance[0]["frames"] == [3, 16, 4]
    with pytest.raises(MotionError, match="20 frames"):
        formats.read(path, start=20)


def test_small_blocks_give_the_same(tmp_path, monkeypatch):
    path = written(tmp_path, bvh_text(50))
    whole = formats.read(path).qpos
    monkeypatch.setattr("rlsuite.motion.formats.number_rows.BLOCK_BYTES", 97)
    np.testing.assert_array_equal(formats.read(path).qpos, whole)


@pytest.mark.parametrize(
    ("unit", "scale"), [("m", 0.01), ("mm", 10.0), ("cm", 1.0), ("inch", 1 / 2.54), ("cmu", 0.01 / CMU)]
)
def test_units_are_seen_in_the_legs(tmp_path, unit, scale):
    head, _, body = bvh_text().partition("MOTION")
    lines = []
    for line in head.splitlines():
        words = line.split()
        if words[0] == "OFFSET":
            line = "OFFSET " + " ".join(f"{float(w) * scale:.9g}" for w in words[1:])
        lines.append(line)
    path = written(tmp_path, "\n".join([*lines, f"MOTION{body}"]))
    clip = formats.read(path)
    assert clip.provenance[0]["unit"] == unit
    assert np.linalg.norm(clip.skeleton.body_pos[4]) == pytest.approx(np.hypot(0.45, 0.01))
    assert formats.read(path, unit="0.5").skeleton.body_pos[4, 2] == pytest.approx(-45.0 * scale * 0.5)
    with pytest.raises(MotionError, match="metres per unit"):
        formats.read(path, unit="ell")


def test_another_way_up_is_seen_and_can_be_named(tmp_path):
    """The same figure with Z up and facing -Y, as Blender has it."""
    head, _, body = bvh_text(3).partition("MOTION")
    letters = {"X": "X", "Y": "Z", "Z": "Y"}
    lines = []
    for line in head.splitlines():
        words = line.split()
        if words[0] == "OFFSET":
            x, y, z = (float(w) for w in words[1:])
            line = f"OFFSET {x} {-z} {y}"
        elif words[0] == "CHANNELS":
            line = " ".join(words[:2] + [letters[w[0]] + w[1:] for w in words[2:]])
        lines.append(line)
    text = "\n".join(lines) + "\nMOTION" + body
    clip = formats.read(written(tmp_path, text))
    assert (clip.provenance[0]["up"], clip.provenance[0]["forward"]) == ("z", "-y")
    upright = formats.read(written(tmp_path, bvh_text(3), "b.bvh"))
    np.testing.assert_allclose(clip.skeleton.body_pos, upright.skeleton.body_pos, atol=1e-12)
    named = formats.read(written(tmp_path, text), up="y", forward="z")
    assert named.provenance[0]["axes_source"] == "given"
    assert named.skeleton.body_pos[4] == pytest.approx([-0.45 * 1.0, 0.0, -0.01], abs=1e-9)
    with pytest.raises(MotionError, match="perpendicular"):
        formats.read(tmp_path / "a.bvh", up="y", forward="-y")


def with_positions(offset_in_channels, moving):
    """The sample with six channels on LeftLeg."""
    head, _, body = bvh_text(6).partition("MOTION")
    head = head.replace("CHANNELS 1 Xrotation", "CHANNELS 4 Xposition Yposition Zposition Xrotation", 1)
    rows = [line.split() for line in body.strip().splitlines()]
    place = np.array([0.0, -45.0, 1.0]) if offset_in_channels else np.zeros(3)
    for t, row in enumerate(rows[2:]):
        row[15:15] = [f"{v:.6f}" for v in place + np.array([0.0, moving * t, 0.0])]
    return head + "MOTION\n" + "\n".join(" ".join(row) for row in rows)


@pytest.mark.parametrize("inside", [True, False])
def test_constant_positions_are_the_offset(tmp_path, inside):
    """Whether files write the offset once more (Mixamo, MotionBuilder) or the difference from it."""
    clip = formats.read(written(tmp_path, with_positions(inside, 0.0)))
    plain = formats.read(written(tmp_path, bvh_text(6), "b.bvh"))
    assert clip.skeleton.same_tree(plain.skeleton)
    np.testing.assert_allclose(clip.qpos, plain.qpos, atol=1e-12)


@pytest.mark.parametrize("inside", [True, False])
def test_moving_positions_are_slides(tmp_path, inside):
    clip = formats.read(written(tmp_path, with_positions(inside, 2.0)))
    plain = formats.read(written(tmp_path, bvh_text(6), "b.bvh"))
    assert [joint.kind for joint in clip.skeleton.joints[4:8]] == ["slide", "slide", "slide", "hinge"]
    knee = clip.skeleton.body("LeftLeg")
    hip, quat = clip.bodies[0][:, knee - 1], clip.bodies[1][:, knee - 1]
    shift = np.array([0.0, 0.0, 0.02]) * np.arange(6)[:, None]
    expected = hip + rot.rotate(quat, plain.skeleton.body_pos[knee] + shift)
    np.testing.assert_allclose(clip.bodies[0][:, knee], expected, atol=1e-9)
    assert "slides" in clip.provenance[0]["notes"][-1]


def test_root_positions_with_and_without_the_offset(tmp_path):
    """A root offset at hip height: channels that repeat it replace it, channels near zero are added to it."""
    text = bvh_text(4)
    lifted = text.replace("OFFSET 0.0 0.0 0.0", "OFFSET 0.0 95.0 0.0", 1)
    same = formats.read(written(tmp_path, lifted))
    head, _, body = lifted.partition("MOTION")
    rows = [line.split() for line in body.strip().splitlines()]
    for row in rows[2:]:
        row[1] = f"{float(row[1]) - 95.0:.4f}"
    added = formats.read(written(tmp_path, head + "MOTION\n" + "\n".join(" ".join(row) for row in rows), "b.bvh"))
    np.testing.assert_allclose(added.qpos, same.qpos, atol=1e-9)
    np.testing.assert_allclose(same.qpos, formats.read(written(tmp_path, text, "c.bvh")).qpos, atol=1e-9)
    assert "added" in added.provenance[0]["notes"][0]


def test_the_rest_frame_of_a_recording(mocap):
    path = mocap / "cmu/bvh/01_01.bvh"
    kept, skipped = formats.read(path), formats.read(path, skip_rest_frame=True)
    assert any("rest pose" in note for note in kept.provenance[0]["notes"])
    np.testing.assert_allclose(skipped.qpos, kept.qpos[1:], atol=1e-12)
    assert not any("rest pose" in note for note in formats.read(mocap / "cmu/bvh/131_01.bvh").provenance[0]["notes"])


@pytest.mark.parametrize(
    ("text", "fps"),
    [(".0083333", 120.0), ("0.033333", 30.0), ("0.0333667", 30 / 1.001), ("0.02", 50.0), ("0.017", 60.0),
     ("0.016666", 60.0), ("8.33333e-3", 120.0), ("0.0123", 1 / 0.0123), ("1", 1.0)],
)  # fmt: skip
def test_rates_that_frame_times_stand_for(tmp_path, text, fps):
    assert formats.read(written(tmp_path, bvh_text(2, time=text))).fps == pytest.approx(fps, rel=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.replace("\n", "\r\n").encode(),
        lambda t: t.encode("utf-8-sig"),
        lambda t: t.encode("utf-16"),
        lambda t: t.replace(" ", "\t").replace("\n", " \n\n").replace("End\tSite", "End Site").encode(),
        lambda t: t.upper().encode(),
        lambda t: t.replace("\n{", " {").replace("\n\t{", "{").encode(),
        lambda t: t.rstrip("\n").encode(),
    ],
    ids=["crlf", "utf-8 mark", "utf-16", "tabs and blank lines", "capitals", "braces on the line", "no last line feed"],
)
def test_ways_to_write_the_same(tmp_path, change):
    path = tmp_path / "a.bvh"
    path.write_bytes(change(bvh_text()))
    assert formats.detect(path) == "bvh"
    same = formats.read(path)
    np.testing.assert_array_equal(same.qpos, formats.read(written(tmp_path, bvh_text(), "b.bvh")).qpos)


def test_names_with_spaces_and_other_alphabets(tmp_path):
    text = bvh_text().replace("LeftUpLeg", "Bip01 L Thigh").replace("Spine", "Rücken")
    assert {"Bip01 L Thigh", "Rücken"} <= set(formats.read(written(tmp_path, text)).skeleton.body_names)
    old = written(tmp_path, text, "b.bvh", encoding="latin-1")
    assert "Rücken" in formats.read(old).skeleton.body_names


def test_two_roots(tmp_path):
    head, _, body = bvh_text(3).partition("MOTION")
    second = head.removeprefix("HIERARCHY\n")
    for name in ("Hips", "Spine", "Head", "UpLeg", "Foot"):
        second = second.replace(name, name + "2")
    second = second.replace("LeftLeg", "LeftLeg2").replace("RightLeg", "RightLeg2")
    rows = body.strip().splitlines()
    text = head + second + "MOTION\n" + "\n".join(rows[:2] + [f"{row} {row}" for row in rows[2:]])
    clip = formats.read(written(tmp_path, text))
    position, _ = kinematics.forward(clip.skeleton, clip.qpos)
    n = clip.skeleton.nbody // 2
    np.testing.assert_array_equal(position[:, :n], position[:, n:])


def test_channels_as_they_stand(tmp_path):
    path = written(tmp_path, bvh_text(4))
    hierarchy, channels = bvh.read_channels(path)
    expected = [[float(w) for w in line.split()] for line in bvh_text(4).splitlines()[-4:]]
    np.testing.assert_array_equal(channels, expected)
    assert hierarchy.joints[0].channels == "XYZzxy"


def test_half_angles_are_those_of_the_mathematical_library():
    from rlsuite.motion.formats import _kernels

    quarters = 180.0 * np.arange(-9.0, 10.0)  # where sine and cosine change places, and just beside
    degrees = np.concatenate(
        (quarters, quarters + 90.0, quarters - 1e-9, np.random.default_rng(0).uniform(-2000.0, 2000.0, 20_000))
    )
    cosines, sines = np.empty((2, len(degrees)))
    _kernels.half_angles(degrees, cosines, sines)
    np.testing.assert_allclose(cosines, np.cos(np.radians(0.5 * degrees)), rtol=0.0, atol=5e-15)
    np.testing.assert_allclose(sines, np.sin(np.radians(0.5 * degrees)), rtol=0.0, atol=5e-15)
    assert np.abs(cosines**2 + sines**2 - 1.0).max() < 1e-15
