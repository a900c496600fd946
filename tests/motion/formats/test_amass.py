"""AMASS and other SMPL parameters, on files made here, against forward kinematics in SMPL's own axes."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion.formats import amass, detect, read
from rlsuite.motion.formats.amass import JOINTS

# SMPL's joints by number: the parent of each, as published with the model.
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19)


def recording(n: int = 6, joints: int = 52, seed: int = 0, **changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    arrays = {
        "poses": 0.7 * rng.normal(size=(n, 3 * joints)),
        "trans": rng.normal(size=(n, 3)),
        "betas": rng.normal(size=16),
        "dmpls": rng.normal(size=(n, 8)),
        "gender": "female",
        "mocap_framerate": 120.0,
    } | changes
    return {name: value for name, value in arrays.items() if value is not None}


def save(path: Path, **changes: Any) -> Path:
    np.savez(path, **recording(**changes))
    return path


def smpl_positions(poses: np.ndarray, trans: np.ndarray, size: float = 1.0) -> dict[str, np.ndarray]:
    """Joint -> ``(T, 3)`` in the file's world: the chain of SMPL (Loper et al. 2015, equation 3)."""
    by_number = {number: (name, np.array(offset)) for name, (number, _, offset) in JOINTS.items()}
    turn: list[Any] = []
    place: list[np.ndarray] = []
    for number, parent in enumerate(PARENTS):
        _, offset = by_number[number]
        own = Rotation.from_rotvec(poses[:, 3 * number : 3 * number + 3])
        if parent < 0:
            place.append(trans + size * offset)
            turn.append(own)
        else:
            place.append(place[parent] + turn[parent].apply(size * offset))
            turn.append(turn[parent] * own)
    return {by_number[number][0]: place[number] for number in range(22)}


@pytest.mark.parametrize("joints", [22, 24, 52, 55])
def test_positions_are_those_of_smpls_chain(tmp_path: Path, joints: int) -> None:
    path = save(tmp_path / "a.npz", joints=joints)
    clip, arrays = read(path), recording(joints=joints)
    assert detect(path) == "amass" and clip.fps == 120.0 and clip.provenance[0]["gender"] == "female"
    for name, expected in smpl_positions(arrays["poses"], arrays["trans"]).items():
        got = clip.bodies[0][:, clip.skeleton.body(name)]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9, err_msg=name)


def test_parents_are_smpls(tmp_path: Path) -> None:
    names = {number: name for name, (number, _, _) in JOINTS.items()}
    assert {name: parent for name, (_, parent, _) in JOINTS.items()} == {
        names[number]: names.get(parent, "") for number, parent in enumerate(PARENTS)
    }


def test_smplx_names_of_the_arrays(tmp_path: Path) -> None:
    arrays = recording(joints=55)
    poses = arrays["poses"]
    np.savez(
        tmp_path / "stageii.npz",
        root_orient=poses[:, :3], pose_body=poses[:, 3:66], trans=arrays["trans"], mocap_frame_rate=120.0,
        surface_model_type="smplx",
    )  # fmt: skip
    clip = read(tmp_path / "stageii.npz")
    np.testing.assert_allclose(clip.qpos, read(save(tmp_path / "a.npz", joints=55)).qpos, rtol=0, atol=1e-12)
    assert clip.provenance[0]["surface_model_type"] == "smplx"


def test_a_world_with_y_up_is_turned(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz")
    lying, standing = read(path).bodies[0], read(path, up="y").bodies[0]
    np.testing.assert_allclose(standing, lying[..., [2, 0, 1]], rtol=0, atol=1e-9)


def test_the_rest_pose_stands_and_faces_x(tmp_path: Path) -> None:
    """SMPL's T pose in a Y-up world: head up, left hand to the left (+Y), toes ahead of the ankles (+X)."""
    path = save(tmp_path / "a.npz", poses=np.zeros((2, 156)), trans=np.zeros((2, 3)))
    clip = read(path, up="y")
    place = dict(zip(clip.skeleton.body_names, clip.bodies[0][0], strict=True))
    np.testing.assert_allclose(clip.qpos[0, 3:7], [1.0, 0.0, 0.0, 0.0], atol=1e-12)
    assert place["head"][2] - place["left_foot"][2] > 1.3
    assert place["left_wrist"][1] > 0.6 and place["right_wrist"][1] < -0.6
    assert place["left_foot"][0] - place["left_ankle"][0] > 0.1
    assert ("left_knee", "right_knee") in clip.skeleton.symmetry_pairs


def test_height_scales_the_body_and_not_the_path(tmp_path: Path) -> None:
    path, arrays = save(tmp_path / "a.npz"), recording()
    clip = read(path, height=1.36)
    expected = smpl_positions(arrays["poses"], arrays["trans"], 0.8)
    np.testing.assert_allclose(clip.bodies[0][:, clip.skeleton.body("head")], expected["head"], rtol=0, atol=1e-9)


def test_the_rate_must_be_known(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", mocap_framerate=None)
    with pytest.raises(MotionFormatError, match="no array mocap_framerate or mocap_frame_rate"):
        read(path)
    assert read(path, fps=60.0).fps == 60.0


@pytest.mark.parametrize("options", [{"up": "x"}, {"height": 0.0}, {"height": float("nan")}])
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(MotionError, match="must be"):
        read(save(tmp_path / "a.npz"), **options)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": np.zeros((6, 63))}, "63 columns; expected 3 for each joint, at least 66"),
        ({"poses": np.zeros((6, 67))}, "67 columns"),
        ({"poses": np.zeros(66)}, "poses has shape"),
        ({"poses": np.zeros((0, 66)), "trans": np.zeros((0, 3))}, "poses has shape"),
        ({"poses": np.full((6, 66), np.nan)}, "finite"),
        ({"poses": np.full((6, 66), 1e200)}, "at most 100"),
        ({"poses": np.full((6, 66), "a")}, "expected numbers"),
        ({"poses": np.zeros((6, 66), complex)}, "numbers or text"),
        ({"poses": np.zeros((6, 66), object)}, "pickled objects"),
        ({"trans": np.zeros((5, 3))}, "trans has shape \\(5, 3\\); expected \\(6, 3\\)"),
        ({"trans": np.full((6, 3), np.inf)}, "finite"),
        ({"mocap_framerate": 0.0}, "frame rate"),
        ({"mocap_framerate": -30}, "frame rate"),
        ({"mocap_framerate": np.nan}, "finite"),
        ({"mocap_framerate": "fast"}, "expected numbers"),
        ({"mocap_framerate": [30, 60]}, "one number"),
    ],
)  # fmt: skip
def test_malformed(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = save(tmp_path / "bad.npz", **changes)
    with pytest.raises(MotionFormatError, match=message) as caught:
        read(path, format="amass")
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def member(header: bytes, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + body


@pytest.mark.parametrize(
    ("poses", "message"),
    [
        (member(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 66), }"), "0 bytes"),
        (member(b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"9," * 60 + b"), }"), "impossible shape"),
        (member(b"{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': (1,), }"), "header"),
        (member(b"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }"), "header"),
        (member(b"(" * 9000), "header"),
        (member(b"{'descr': '<f8', 'fortran_order': False, 'shape': (6, 66), }", b"short"), "5 bytes"),
        (member(b"{'descr': '<U99999999', 'fortran_order': False, 'shape': (1,), }"), "text"),
        (b"\x93NUMPY\x01\x00\xff\xff", "header"),
        (b"garbage", "header"),
        (b"", "header"),
    ],
)  # fmt: skip
def test_arrays_that_lie(tmp_path: Path, poses: bytes, message: str) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((6, 3)))
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("poses.npy", poses)
        archive.writestr("trans.npy", buffer.getvalue())
    with pytest.raises(MotionFormatError, match=message):
        read(tmp_path / "bad.npz")


def test_archives_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlsuite.motion.formats.checks.MAX_ARRAY_BYTES", 1 << 16)
    np.savez_compressed(tmp_path / "bomb.npz", **recording(poses=np.zeros((1000, 66)), trans=np.zeros((1000, 3))))
    with pytest.raises(MotionFormatError, match="larger than"):
        read(tmp_path / "bomb.npz")


def test_no_archive(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18, bytes(range(256)) * 10):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(MotionFormatError):
            amass.read(tmp_path / "bad.npz")
    with pytest.raises(MotionFormatError, match="no such file"):
        amass.read(tmp_path / "none.npz")
