"""ASF/AMC: positions agree with axis and degree-of-freedom matrices multiplied out from the text, and with BVH's."""

import numpy as np
import pytest

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import formats
from tests.motion.formats.samples import axis_matrix, in_suite

CMU = 0.0254 / 0.45

ASF = """# made by hand
:version 1.10
:name figure
:units
  mass 1.0
  length 1.0
  angle deg
:documentation
   three bones and a head
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 2 0
   orientation 10 20 30
:bonedata
  begin
    id 1
    name spine
    direction 0 0.8 0.6
    length 50
    axis 10 -20 30 XYZ
    dof rx ry rz
    limits (-20.0 45.0)
           (-30.0 30.0)
           (-30.0 30.0)
  end
  begin
    name head
    direction 0 1 0
    length 30
    axis 0 0 0 ZYX
  end
  begin
    name lfemur
    direction 0.6 -0.8 0
    length 45
    axis 0 0 20 XYZ
    dof rz rx
    limits (-160.0 20.0)
           (-inf inf)
  end
  begin
    name lfoot
    direction 0 -1 0
    length 40
    axis 40 50 -20 ZXY
    dof rx
    limits (-10.0 170.0)
  end
:hierarchy
  begin
    root lfemur spine
    spine head
    lfemur lfoot
  end
"""
FRAMES = [
    {"root": [1, 90, 3, 10, -20, 35], "spine": [30, -40, 50], "lfemur": [-30, 15], "lfoot": [25]},
    {"root": [2, 91, 5, 15, -25, 30], "spine": [31, -35, 40], "lfemur": [-20, 35], "lfoot": [45]},
    {"root": [3, 92, 9, 25, -20, 20], "spine": [39, -30, 20], "lfemur": [-10, 75], "lfoot": [55]},
]


def amc_text(frames, header=":FULLY-SPECIFIED\n:DEGREES\n"):
    lines = [
        f"{i}\n" + "".join(f"{n} {' '.join(map(str, v))}\n" for n, v in f.items()) for i, f in enumerate(frames, 1)
    ]
    return "#!OML:ASF figure\n" + header + "".join(lines)


def product(degrees, order):
    """Turns about fixed axes, the first of the order first."""
    out = np.eye(3)
    for axis, value in zip(order, degrees, strict=True):
        out = axis_matrix(axis.lower(), value) @ out
    return out


def amc_positions(asf, frames):
    """Begins of the bones ``{name: (T, 3)}`` in the file's axes and units, from the text of the skeleton and frames."""
    bones, parents, root = {}, {}, {"orientation": "0 0 0", "position": "0 0 0"}
    section, bone = "", {}
    for line in asf.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0].startswith(":"):
            section = words[0]
        elif section == ":root":
            root[words[0]] = " ".join(words[1:])
        elif section == ":bonedata" and words[0] == "begin":
            bone = {"dof": []}
        elif section == ":bonedata" and words[0] == "end":
            bones[bone["name"][0]] = bone
        elif section == ":bonedata":
            bone[words[0]] = words[1:]
        elif section == ":hierarchy" and words[0] not in ("begin", "end"):
            parents |= dict.fromkeys(words[1:], words[0])
    out = {name: [] for name in ("root", *parents)}
    c_root = product([float(v) for v in root["orientation"].split()], "xyz")
    for frame in frames:
        values = [float(v) for v in frame["root"]]
        begin = {"root": np.array(values[:3]) + np.array([float(v) for v in root["position"].split()])}
        end = dict(begin)
        turn = {"root": c_root @ product(values[3:], "xyz") @ c_root.T}
        out["root"].append(begin["root"])
        waiting = [name for name, parent in parents.items()]
        while waiting:
            name = next(n for n in waiting if parents[n] in turn)
            waiting.remove(name)
            bone = bones[name]
            c = product([float(v) for v in bone["axis"][:3]], bone["axis"][3])
            m = product([float(v) for v in frame.get(name, [0.0] * len(bone["dof"]))], [d[1] for d in bone["dof"]])
            turn[name] = turn[parents[name]] @ c @ m @ c.T
            begin[name] = end[parents[name]]
            direction = np.array([float(v) for v in bone["direction"]])
            length = float(bone["length"][0]) / np.linalg.norm(direction)
            end[name] = begin[name] + turn[name] @ direction * length
            out[name].append(begin[name])
    return {name: np.array(positions) for name, positions in out.items()}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "07.asf").write_text(ASF)
    (tmp_path / "07_01.amc").write_text(amc_text(FRAMES))
    return tmp_path


def test_positions_are_those_of_the_text(files):
    clip = formats.read(files / "07_01.amc", unit="cm", up="y", forward="z")
    assert (clip.n_frames, clip.fps) == (3, 120.0)
    for name, expected in amc_positions(ASF, FRAMES).items():
        found = clip.bodies[0][:, clip.skeleton.body(name)]
        np.testing.assert_allclose(found, in_suite(expected, 0.01), atol=1e-9, err_msg=name)


def test_positions_of_a_recording_are_those_of_the_text(mocap):
    path = mocap / "cmu/asf_amc/01_01.amc"
    clip = formats.read(path)
    blocks, frame = [], {}
    for line in path.read_text().splitlines():
        words = line.split()
        if words[0].isdigit():
            frame = {}
            blocks.append(frame)
        elif not words[0].startswith(("#", ":")):
            frame[words[0]] = words[1:]
    assert clip.n_frames == len(blocks) == 2751
    chosen = [0, 1, 700, 2750]
    for name, expected in amc_positions(
        (mocap / "cmu/asf_amc/01.asf").read_text(), [blocks[i] for i in chosen]
    ).items():
        found = clip.bodies[0][chosen, clip.skeleton.body(name)]
        np.testing.assert_allclose(found, in_suite(expected, CMU), atol=1e-6, err_msg=name)
    step = clip.provenance[0]
    assert (step["unit"], step["up"], step["forward"]) == ("cmu", "y", "z")


def test_the_take_that_exists_as_bvh_and_as_amc(mocap):
    """Frame k + 1 of the one is frame k of the other: root, spine and legs agree unaligned, within 0.1 mm."""
    amc = formats.read(mocap / "cmu/asf_amc/01_01.amc")
    bvh = formats.read(mocap / "cmu/bvh/01_01.bvh", skip_rest_frame=True)
    assert amc.n_frames == bvh.n_frames
    same = {
        "Hips": "root", "LeftUpLeg": "lfemur", "LeftLeg": "ltibia", "LeftFoot": "lfoot", "LeftToeBase": "ltoes",
        "RightUpLeg": "rfemur", "RightLeg": "rtibia", "RightFoot": "rfoot", "RightToeBase": "rtoes",
        "LowerBack": "lowerback", "Spine": "upperback", "Spine1": "thorax",
    }  # fmt: skip
    for there, here in same.items():
        a = bvh.bodies[0][:, bvh.skeleton.body(there)]
        b = amc.bodies[0][:, amc.skeleton.body(here)]
        assert np.linalg.norm(a - b, axis=-1).max() < 1e-4, there


def test_hinges_have_limits_and_axes_of_the_bone(files):
    skeleton = formats.read(files / "07_01.amc", unit="cm", up="y", forward="z").skeleton
    hinges = {joint.name: joint for joint in skeleton.joints if joint.kind == "hinge"}
    assert list(hinges) == ["lfemur_rx", "lfemur_rz", "lfoot_rx"]  # the last of the list turns outermost
    assert hinges["lfemur_rz"].range == pytest.approx(np.radians([-160.0, 20.0]))
    assert hinges["lfemur_rx"].range is None
    expected = axis_matrix("z", 20.0) @ [1.0, 0.0, 0.0]
    assert hinges["lfemur_rx"].axis == pytest.approx(in_suite(expected, 1.0))


def test_frames_asked_for_and_small_blocks(files, monkeypatch):
    options = {"unit": "cm", "up": "y", "forward": "z"}
    many = [{name: [v + i for v in values] for name, values in FRAMES[0].items()} for i in range(40)]
    (files / "07_02.amc").write_text(amc_text(many))
    whole = formats.read(files / "07_02.amc", **options)
    monkeypatch.setattr("rlsuite.motion.formats.acclaim.BLOCK_BYTES", 100)
    np.testing.assert_array_equal(formats.read(files / "07_02.amc", **options).qpos, whole.qpos)
    for start, stop, stride in [(3, 30, 4), (7, None, 5), (0, 9, 1), (39, None, 100)]:
        part = formats.read(files / "07_02.amc", start=start, stop=stop, stride=stride, **options)
        np.testing.assert_array_equal(part.qpos, whole.qpos[start:stop:stride])
    with pytest.raises(MotionError, match="40 frames"):
        formats.read(files / "07_02.amc", start=40)


def test_a_skeleton_alone_is_its_rest_pose(files):
    clip = formats.read(files / "07.asf", unit="cm", up="y", forward="z")
    assert clip.n_frames == 1
    rest = amc_positions(ASF, [{"root": [0] * 6}])
    for name, expected in rest.items():
        np.testing.assert_allclose(clip.bodies[0][:, clip.skeleton.body(name)], in_suite(expected, 0.01), atol=1e-12)


def test_radians_in_the_motion(files):
    frames = [
        {n: [*v[:3], *np.radians(v[3:])] if n == "root" else list(np.radians(v)) for n, v in f.items()} for f in FRAMES
    ]
    (files / "07_02.amc").write_text(amc_text(frames, ":RADIANS\n"))
    degrees, radians = formats.read(files / "07_01.amc"), formats.read(files / "07_02.amc")
    np.testing.assert_allclose(radians.qpos, degrees.qpos, atol=1e-12)


def test_where_the_skeleton_is_looked_for(files):
    (files / "07.asf").rename(files / "other.asf")
    with pytest.raises(MotionFormatError, match=r"skeleton 07\.asf or 07_01\.asf is not beside it.*--skeleton-file"):
        formats.read(files / "07_01.amc")
    assert formats.read(files / "07_01.amc", skeleton_file=files / "other.asf").n_frames == 3


def test_bones_that_the_file_leaves_out_are_at_rest_and_named(files):
    frames = [{name: values for name, values in frame.items() if name != "spine"} for frame in FRAMES]
    (files / "07_02.amc").write_text(amc_text(frames))
    clip = formats.read(files / "07_02.amc")
    assert clip.provenance[0]["notes"] == ["bone spine is not in the file; it stays at rest"]
    np.testing.assert_array_equal(clip.qpos[:, 10:14], np.tile([1.0, 0.0, 0.0, 0.0], (3, 1)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("lfoot 45", "lfoot 45 3"), r"line 13: bone 'lfoot': 1 numbers expected, found 2"),
        (lambda t: t.replace("lfoot 45", "lfoot x"), r"line 13: bone 'lfoot': a number expected, found 'x'"),
        (lambda t: t.replace("lfoot 45", "lfoot nan"), r"line 13: bone 'lfoot': a finite number .*found 'nan'"),
        (lambda t: t.replace("lfoot 45", "lfoot 1e300"), r"line 13: bone 'lfoot': a finite number .*found '1e300'"),
        (lambda t: t.replace("lfoot 45", "rfoot 45"), r"line 13: bone 'lfoot' expected, as in the first frame, found 'r"),
        (lambda t: t.replace("lfoot 45\n", ""), r"line 13: bone 'lfoot' expected, but the frame ends"),
        (lambda t: t.replace("lfoot 25", "tail 25"), r"line 8: a bone of the skeleton .* found 'tail'"),
        (lambda t: t.replace("\n3\n", "\n5\n"), r"frame 3 expected, found 5"),
        (lambda t: t[: t.rindex("lfoot")], r"bone 'lfoot' expected, but the frame ends here; it is truncated"),
        (lambda t: t[: t.index("\n1\n")], r"the number of the first frame expected|frame 1 expected"),
    ],
)  # fmt: skip
def test_malformed_motions(files, change, message):
    (files / "07_02.amc").write_text(change(amc_text(FRAMES)))
    with pytest.raises(MotionFormatError, match=message):
        formats.read(files / "07_02.amc", format="acclaim")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length 45", "length long", r"length: a number expected, found 'long'"),
        ("dof rz rx", "dof rz l", r"dof: rx, ry, rz.*found 'rz l'"),
        ("name lfoot", "name lfemur", r"second bone 'lfemur' \(the first is in line 33\)"),
        ("    lfemur lfoot\n", "", r"bone 'lfoot' does not hang on the root"),
        ("spine head", "spine head lfoot", r"'lfoot' has a second parent"),
        ("root lfemur spine", "root lfemur spine wing", r"'wing' is none of the bones"),
        ("    root lfemur spine\n", "    root lfemur\n    head spine\n", r"does not hang on the root"),
        ("axis XYZ\n", "axis XXZ\n", r"an order such as XYZ expected, found 'XXZ'"),
        ("order TX", "order QX", r"order: TX TY TZ RX RY RZ in some order expected"),
        ("direction 0 1 0", "direction 0 1", r"direction: 3 numbers expected, found 2"),
        ("angle deg", "angle gon", r"angle deg or angle rad expected"),
        ("(-160.0 20.0)", "(-160.0)", r"\(lowest highest\) expected"),
    ],
)
def test_malformed_skeletons(files, old, new, message):
    assert old in ASF
    (files / "07.asf").write_text(ASF.replace(old, new, 1))
    with pytest.raises(MotionFormatError, match=rf"07\.asf, line \d+: .*{message}"):
        formats.read(files / "07_01.amc")
