"""dm_control's recordings: the published fixture body by body, recordings made here, and files that point elsewhere."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import rotations as rot
from rlsuite.motion.formats import detect, dm_control, read

FIXTURE = "dm_control/test_trajectories.h5"


@pytest.mark.parametrize("name", ["cmuv2019_001", "cmuv2019_002"])
def test_bodies_are_where_the_fixture_has_them(mocap: Path, name: str) -> None:
    path = mocap / FIXTURE
    clip = read(path, trajectory=name)
    assert detect(path) == "dm_control" and (clip.name, clip.fps, clip.n_frames) == (name, 20.0, 10)
    with h5py.File(path) as file:
        walker = file[name]["walkers/walker_0"]
        place, turn = (
            walker["body_positions"][()].T.reshape(10, 30, 3),
            walker["body_quaternions"][()].T.reshape(10, 30, 4),
        )
        np.testing.assert_array_equal(clip.qpos[:, :3], walker["position"][()].T)
        np.testing.assert_allclose(clip.qpos[:, 7:], walker["joints"][()].T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(clip.bodies[0][:, 1:], place, rtol=0, atol=1e-9)
    assert rot.angle_between(clip.bodies[1][:, 1:], turn).max() < 1e-7


def test_the_rest_pose_does_not_depend_on_the_pose_it_is_worked_out_from(mocap: Path) -> None:
    """One trajectory begins at rest and one in mid-motion: the same tree, so axes, signs and order are right."""
    first, second = (read(mocap / FIXTURE, trajectory=name).skeleton for name in ("cmuv2019_001", "cmuv2019_002"))
    assert first.same_tree(second) and first.nq == 63
    # the segments that dm_control publishes for its humanoid
    lengths = dict(zip(first.body_names, np.linalg.norm(first.body_pos, axis=1), strict=True))
    expected = {"ltibia": 0.404945, "rfoot": 0.405693, "lradius": 0.276843, "rwrist": 0.181536, "rfingers": 0.0351944}
    assert {name: lengths[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert [joint.name for joint in first.joints[1:5]] == ["lfemurrz", "lfemurry", "lfemurrx", "ltibiarx"]


def test_trajectories_are_listed_and_the_first_is_read(mocap: Path) -> None:
    assert dm_control.trajectories(mocap / FIXTURE) == ["cmuv2019_001", "cmuv2019_002"]
    assert read(mocap / FIXTURE).name == "cmuv2019_001"
    with pytest.raises(MotionError, match="no trajectory 'x'; it has cmuv2019_001, cmuv2019_002"):
        read(mocap / FIXTURE, trajectory="x")


def features(n: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    """Arrays of a walker with random segments, by products of rotations."""
    rng = np.random.default_rng(seed)
    root, place = Rotation.random(n, rng=rng), rng.normal(size=(n, 3))
    angles = rng.uniform(-1.0, 1.0, size=(n, 56))
    turns, places, column = {"root": root}, {"root": place}, 0
    for name, parent, axes in dm_control.BODIES:
        places[name] = places[parent] + turns[parent].apply(rng.normal(size=3))
        turns[name] = turns[parent] * Rotation.random(rng=rng)
        for axis in axes:
            turns[name] = turns[name] * Rotation.from_euler(axis, angles[:, column : column + 1])
            column += 1
    names = [name for name, _, _ in dm_control.BODIES]
    quats = {name: turn.as_quat(scalar_first=True) for name, turn in turns.items()}
    return {
        "position": place.T,
        "quaternion": quats["root"].T,
        "joints": angles.T,
        "body_positions": np.concatenate([places[name] for name in names], axis=1).T,
        "body_quaternions": np.concatenate([quats[name] for name in names], axis=1).T,
    }


def save(path: Path, dt: Any = 0.03, seed: int = 0, **changes: Any) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("CMU_001_01")
        group.attrs["dt"] = dt
        walker = group.create_group("walkers/walker_0")
        for name, value in (features(seed=seed) | changes).items():
            if value is not None:
                walker[name] = value
    return path


@pytest.mark.parametrize("seed", range(3))
def test_walkers_of_any_measures(tmp_path: Path, seed: int) -> None:
    clip, arrays = read(save(tmp_path / "a.h5", seed=seed)), features(seed=seed)
    expected = arrays["body_positions"].T.reshape(4, 30, 3)
    np.testing.assert_allclose(clip.bodies[0][:, 1:], expected, rtol=0, atol=1e-9)
    assert clip.fps == pytest.approx(1 / 0.03) and clip.provenance[0]["position_error"] < 1e-9


def test_another_body_is_refused(tmp_path: Path) -> None:
    moved = features()["body_positions"].copy()
    moved[5, 2] += 0.01
    with pytest.raises(MotionFormatError, match="m from where the angles"):
        read(save(tmp_path / "a.h5", body_positions=moved))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dt": 0.0}, "dt must be seconds"),
        ({"dt": np.nan}, "dt must be seconds"),
        ({"dt": "fast"}, "dt must be seconds"),
        ({"joints": None}, "joints: no array"),
        ({"joints": np.zeros((55, 4))}, "expected numbers, \\(56, 4\\)"),
        ({"joints": np.zeros((56, 3))}, "expected numbers"),
        ({"joints": np.full((56, 4), np.nan)}, "finite"),
        ({"joints": np.full((56, 4), b"x")}, "expected numbers"),
        ({"position": np.zeros((3, 0))}, "expected numbers, \\(3, steps\\)"),
        ({"position": 1.0}, "expected numbers"),
        ({"quaternion": np.zeros((4, 4))}, "unit quaternion"),
        ({"body_quaternions": np.full((120, 4), 2.0)}, "unit quaternion"),
    ],
)  # fmt: skip
def test_malformed(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = save(tmp_path / "bad.h5", **changes)
    with pytest.raises(MotionFormatError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def external_link(file: Any, other: Path) -> None:
    file["CMU_001_01/walkers/walker_0/joints"] = h5py.ExternalLink(str(other), "/CMU_001_01/walkers/walker_0/joints")


def soft_link(file: Any, other: Path) -> None:
    file["CMU_001_01/walkers/walker_0/joints"] = h5py.SoftLink("/CMU_001_01/walkers/walker_0/position")


def virtual(file: Any, other: Path) -> None:
    layout = h5py.VirtualLayout((56, 4), "f8")
    layout[:] = h5py.VirtualSource(str(other), "/CMU_001_01/walkers/walker_0/joints", (56, 4))
    file["CMU_001_01/walkers/walker_0"].create_virtual_dataset("joints", layout)


def external_storage(file: Any, other: Path) -> None:
    file["CMU_001_01/walkers/walker_0"].create_dataset("joints", (56, 4), "f8", external=[(str(other), 0, 1792)])


def unwritten(file: Any, other: Path) -> None:
    file["CMU_001_01/walkers/walker_0"].create_dataset("joints", (56, 10**9), "f8", chunks=(1, 1024))


def great_chunks(file: Any, other: Path) -> None:
    group = file["CMU_001_01/walkers/walker_0"]
    group.create_dataset("joints", (56, 4), "f8", maxshape=(56, None), chunks=(56, 10**6))


@pytest.mark.parametrize("elsewhere", [external_link, soft_link, virtual, external_storage, unwritten, great_chunks])
def test_only_what_is_in_the_file_is_read(tmp_path: Path, elsewhere: Callable[[Any, Path], None]) -> None:
    other, path = save(tmp_path / "other.h5"), save(tmp_path / "a.h5", joints=None)
    with h5py.File(path, "a") as file:
        elsewhere(file, other)
    with pytest.raises(MotionFormatError, match="joints"):
        read(path)


def test_damaged_files(tmp_path: Path) -> None:
    raw = save(tmp_path / "a.h5").read_bytes()
    for content in (raw[:8], raw[:500], raw[: len(raw) // 2], raw[:8] + b"\xff" * 1000):
        (tmp_path / "bad.h5").write_bytes(content)
        with pytest.raises(MotionFormatError, match=r"bad\.h5: not an HDF5 file, or a damaged one"):
            read(tmp_path / "bad.h5")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(MotionFormatError, match="no trajectory"):
        read(tmp_path / "empty.h5")
    with pytest.raises(MotionFormatError, match="no such file"):
        dm_control.read(tmp_path / "none.h5")


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MotionFormatError, match=r"pip install 'rlsuite\[formats\]'"):
        read(path)
