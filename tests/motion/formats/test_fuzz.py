"""Every registered format, given damaged files: a clip or a :class:`MotionFormatError`, never anything else.

Three kinds of damage: to the bytes of a file, to the numbers in a text, to the arrays in an archive. The samples are
made here, one for each format; a format without one fails the first test.
"""

import io
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import body, clip_files, sampling
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import FORMATS, detect, read, write
from tests.motion.formats import test_amass, test_dm_control, test_loco_mujoco, test_poselib

ASF = """# a small skeleton
:version 1.10
:name small
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name lfemur
     direction 0.34 -0.94 0
     length 7.4
     axis 0 0 20 XYZ
     dof rx ry rz
     limits (-160.0 20.0)
            (-70.0 70.0)
            (-60.0 70.0)
  end
  begin
     id 2
     name ltibia
     direction 0.34 -0.94 0
     length 7.2
     axis 0 0 20 XYZ
     dof rx
     limits (-10.0 170.0)
  end
  begin
     id 3
     name head
     direction 0 1 0
     length 5.0
     axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root lfemur head
    lfemur ltibia
  end
"""
AMC = "#!OML:ASF\n:FULLY-SPECIFIED\n:DEGREES\n" + "".join(
    f"{t}\nroot {0.1 * t} 15.0 0.0 1.0 {t} 2.0\nlfemur -{t} 1.0 5.0\nltibia {10 * t}\n" for t in range(1, 6)
)


def _clip() -> MotionClip:
    skeleton, rng = body.skeleton(), np.random.default_rng(0)
    qpos = sampling.integrate(skeleton, skeleton.rest_qpos, 0.1 * rng.normal(size=(5, skeleton.nv)))
    return MotionClip(skeleton.follow(qpos), 30.0, skeleton, name="sample")


def _written(path: Path) -> None:
    write(_clip(), path)


def _acclaim(path: Path) -> None:
    path.with_suffix(".asf").write_text(ASF)
    path.write_text(AMC)


def _loco(path: Path) -> None:
    np.savez(path, **test_loco_mujoco.walk())


def _amass(path: Path) -> None:
    np.savez(path, **test_amass.recording(joints=22))


def _poselib(path: Path) -> None:
    test_poselib.save(path, test_poselib.motion())


def _dm_control(path: Path) -> None:
    test_dm_control.save(path)


SAMPLES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "rlsuite": (".npz", _written),
    "bvh": (".bvh", _written),
    "deepmimic": (".txt", _written),
    "acclaim": (".amc", _acclaim),
    "amass": (".npz", _amass),
    "loco_mujoco": (".npz", _loco),
    "poselib": (".npy", _poselib),
    "dm_control": (".h5", _dm_control),
}
NAMES = list(SAMPLES)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("samples")
    paths = {}
    for name, (suffix, make) in SAMPLES.items():
        (folder / name).mkdir()
        paths[name] = folder / name / f"sample{suffix}"
        make(paths[name])
    return paths


def test_every_format_has_a_sample() -> None:
    assert set(FORMATS) == set(SAMPLES)


@pytest.mark.parametrize("name", NAMES)
def test_samples_are_recognised_read_and_kept(samples: dict[str, Path], tmp_path: Path, name: str) -> None:
    assert detect(samples[name]) == name
    clip = read(samples[name])
    clip_files.save(clip, tmp_path / "kept.npz")
    again = read(tmp_path / "kept.npz")
    np.testing.assert_allclose(again.qpos, clip.qpos, rtol=0, atol=1e-12)
    assert list(again.provenance) == list(clip.provenance) and again.skeleton.same_tree(clip.skeleton)


def survives(name: str, path: Path) -> None:
    """Reading ``path`` by content and as ``name`` gives a clip or says in one line what is wrong and in which file."""
    for as_format in (None, name):
        try:
            clip = read(path, format=as_format)
        except (MotionFormatError, MotionError) as error:
            said = str(error)
            # the newer layout of LocoMuJoCo wants a skeleton; everything else is the file's fault
            right = isinstance(error, MotionFormatError) or "skeleton=" in said
            if not right or "\n" in said or str(path.parent) not in said or len(said) > 2000:
                raise AssertionError(f"not one line about the file: {said!r}") from error
        else:
            assert np.isfinite(clip.qpos).all() and np.isfinite(clip.bodies[0]).all()


BYTES = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
EDIT = st.tuples(
    st.sampled_from(["overwrite", "insert", "delete", "repeat", "truncate"]),
    st.floats(0.0, 1.0, exclude_max=True),
    st.one_of(st.binary(min_size=1, max_size=9), st.sampled_from([b"\xff" * 8, b"\0" * 8, b"\x7f" + b"\xff" * 7])),
)


def damaged(raw: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    for kind, share, piece in edits:
        at, n = int(share * len(raw)), len(piece)
        if kind == "overwrite":
            raw = raw[:at] + piece + raw[at + n :]
        elif kind == "insert":
            raw = raw[:at] + piece + raw[at:]
        elif kind == "delete":
            raw = raw[:at] + raw[at + 8 * n :]
        elif kind == "repeat":
            raw = raw[: at + 8 * n] + raw[at:]
        else:
            raw = raw[:at]
    return raw


@pytest.mark.parametrize("name", NAMES)
@BYTES
@given(edits=st.lists(EDIT, min_size=1, max_size=4))
def test_damaged_bytes(
    samples: dict[str, Path], tmp_path: Path, name: str, edits: list[tuple[str, float, bytes]]
) -> None:
    path = tmp_path / samples[name].name
    path.write_bytes(damaged(samples[name].read_bytes(), edits))
    if name == "acclaim":
        path.with_suffix(".asf").write_text(ASF)
    survives(name, path)


@BYTES
@given(edits=st.lists(EDIT, min_size=1, max_size=4))
def test_a_damaged_acclaim_skeleton(tmp_path: Path, edits: list[tuple[str, float, bytes]]) -> None:
    path = tmp_path / "sample.amc"
    path.write_text(AMC)
    path.with_suffix(".asf").write_bytes(damaged(ASF.encode(), edits))
    survives("acclaim", path)


WORDS = st.sampled_from(
    ["nan", "inf", "-inf", "1e999", "1e308", "-1e308", "1e-320", "0", "-1", "-0", "99999999999999999999", "1_0", "0x10",
     "", "-", "e", "true", "null", "{", "}", "[", "]", '"', "'", "\0", "\n", ",", "١٢", "é", "begin", "end",
     "MOTION", "9" * 5000]
)  # fmt: skip


@pytest.mark.parametrize("name", ["bvh", "deepmimic", "acclaim", "asf"])
@BYTES
@given(changes=st.lists(st.tuples(st.floats(0.0, 1.0, exclude_max=True), WORDS), min_size=1, max_size=5))
def test_damaged_words(samples: dict[str, Path], tmp_path: Path, name: str, changes: list[tuple[float, str]]) -> None:
    text = ASF if name == "asf" else samples["acclaim" if name == "asf" else name].read_text()
    for share, word in changes:
        words = list(re.finditer(r"[^\s,\[\]]+", text))
        where = words[int(share * len(words))] if words else None
        if where is not None:
            text = text[: where.start()] + word + text[where.end() :]
    path = tmp_path / ("sample.amc" if name == "asf" else samples[name].name)
    if name in ("acclaim", "asf"):
        path.write_text(AMC)
        path.with_suffix(".asf").write_text(ASF)
    (path.with_suffix(".asf") if name == "asf" else path).write_text(text, encoding="utf-8")
    survives("acclaim" if name == "asf" else name, path)


ARRAYS: list[Any] = [
    np.zeros(0), np.zeros((0, 3)), np.array(5), np.array(np.nan), np.array(np.inf), np.full((6, 66), np.nan),
    np.full((6, 3), 1e300), np.full((20,), 1e300), np.zeros((6, 66, 1)), np.array("text"), np.array(["a", "b"]),
    np.array([b"a"]), np.array([None]), np.array({}), np.zeros(3, "c16"), np.zeros(3, "M8[s]"), np.zeros(3, [("a", "f4")]),
    np.zeros((6, 66), "f2"), np.zeros((6, 66), ">f8"), np.zeros((6, 66), bool), np.zeros((6, 3), "i1"), np.longdouble(3),
    np.array(""), np.zeros((0, 0)), np.array("{}"), np.array("[" * 5000), np.asfortranarray(np.ones((6, 66))),
    np.full((6, 3), np.finfo(np.float32).max, "f4"), np.zeros((1, 1, 1, 1, 1, 1)), np.zeros((3, 35)), np.zeros((9, 36)),
]  # fmt: skip


@pytest.mark.parametrize("name", ["rlsuite", "amass", "loco_mujoco"])
@BYTES
@given(data=st.data())
def test_archives_of_other_arrays(samples: dict[str, Path], tmp_path: Path, name: str, data: st.DataObject) -> None:
    """Arrays left out, exchanged, of other types and shapes, with other names, or with a header that lies."""
    with zipfile.ZipFile(samples[name]) as archive:
        members = {info: archive.read(info) for info in archive.namelist()}
    for _ in range(data.draw(st.integers(1, 3))):
        member = data.draw(
            st.sampled_from([*sorted(members), "joint_names.npy", "qpos.npy", "jnt_type.npy", "poses.npy"])
        )
        kind = data.draw(st.sampled_from(["leave out", "another array", "bytes"]))
        if kind == "leave out":
            members.pop(member, None)
        elif kind == "another array":
            buffer = io.BytesIO()
            np.save(buffer, data.draw(st.sampled_from(ARRAYS)), allow_pickle=True)
            members[member] = buffer.getvalue()
        else:
            members[member] = damaged(
                members.get(member, b"\x93NUMPY"), data.draw(st.lists(EDIT, min_size=1, max_size=3))
            )
    path = tmp_path / samples[name].name
    with zipfile.ZipFile(path, "w") as archive:
        for member, raw in members.items():
            archive.writestr(member, raw)
    survives(name, path)


PICKLES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5),
        st.sampled_from([np.zeros((5, 4, 4)), np.float32(3), np.array(None), np.array(["a"]), np.zeros((5, 3), "f2")]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3) | st.tuples(inner),
    max_leaves=6,
)  # fmt: skip


@BYTES
@given(data=st.data())
def test_pickles_of_other_things(tmp_path: Path, data: st.DataObject) -> None:
    motion = test_poselib.motion()
    for _ in range(data.draw(st.integers(1, 2))):
        part: Any = motion
        while True:
            key = data.draw(st.sampled_from(sorted(part)))
            if not (isinstance(part[key], dict) and part[key] and data.draw(st.booleans())):
                break
            part = part[key]
        part[key] = data.draw(PICKLES)
    path = test_poselib.save(tmp_path / "a.npy", motion, data.draw(st.sampled_from([2, 3, 4, 5])))
    survives("poselib", path)


@BYTES
@given(program=st.lists(st.sampled_from([bytes([i]) for i in range(256)]), max_size=40), start=st.booleans())
def test_pickles_of_any_instructions(tmp_path: Path, program: list[bytes], start: bool) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(test_poselib.npy((b"\x80\x04" if start else b"") + b"".join(program) + b".SkeletonMotion"))
    survives("poselib", path)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x93NUMPY",
        b"\x93NUMPY\x01\x00v\x00",
        b"HIERARCHY", b"HIERARCHY\nROOT", b"{", b'{"Frames": [', b"[" * 100_000, b":FULLY-SPECIFIED\n1\n", b"\x80\x04.",
        bytes(range(256)) * 300, "Größe ١٢٣ \u202e".encode("utf-16"), b"\0" * 100_000, pickle.dumps([1]),
        b"# " * 30_000, b": " * 30_000, b"#\n" * 30_000, b"\n" * 60_000, b'{"Frames"' + b" " * 60_000, b'{"' * 30_000,
    ],
)  # fmt: skip
def test_files_of_another_kind(samples: dict[str, Path], tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / samples[name].name
    path.write_bytes(content)
    with pytest.raises(MotionFormatError):
        read(path, format=name)
    with pytest.raises(MotionFormatError):
        read(path)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file(tmp_path: Path, name: str) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "none" / "none", tmp_path / ("x" * 300), Path("a\0b")):
        for as_format in (None, name):
            with pytest.raises(MotionFormatError):
                read(path, format=as_format)
