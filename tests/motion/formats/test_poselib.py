"""poselib's pickles: the published clips, and pickles that want to run something."""

import collections
import io
import os
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rlsuite.errors import MotionFormatError
from rlsuite.motion.formats import detect, poselib, read


def npy(pickled: bytes) -> bytes:
    """An ``.npy`` file of one pickled object whose pickle is ``pickled``."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    return file.getvalue() + pickled


def motion(n: int = 5, *, is_local: bool = True, seed: int = 0, dtype: str = "f4") -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    parents = np.array([-1, 0, 1, 0])
    quats = Rotation.random(n * 4, rng=rng).as_quat().reshape(n, 4, 4).astype(dtype)
    tensor = lambda array: {"arr": array, "context": {"dtype": array.dtype.name}}  # noqa: E731
    tree = collections.OrderedDict(
        node_names=["pelvis", "torso", "head", "left_foot"],
        parent_indices=tensor(parents),
        local_translation=tensor(rng.normal(size=(4, 3)).astype(dtype)),
    )
    return collections.OrderedDict(
        rotation=tensor(quats),
        root_translation=tensor(rng.normal(size=(n, 3)).astype(dtype)),
        skeleton_tree=tree,
        is_local=is_local,
        fps=30,
        __name__="SkeletonMotion",
    )


def save(path: Path, data: Any, protocol: int = 4) -> Path:
    holder = np.empty((), object)
    holder[()] = data
    path.write_bytes(npy(pickle.dumps(holder, protocol=protocol)))
    return path


def positions(data: Any) -> np.ndarray:
    """``(T, n, 3)`` by rotation matrices, from the file's own dictionary."""
    tree = data["skeleton_tree"]
    parents, offsets = tree["parent_indices"]["arr"], tree["local_translation"]["arr"].astype(np.float64)
    local, turn, place = data["rotation"]["arr"], [], []
    for i, parent in enumerate(parents):
        own = Rotation.from_quat(local[:, i])
        if parent < 0:
            place.append(data["root_translation"]["arr"].astype(np.float64))
            turn.append(own)
        else:
            place.append(place[parent] + turn[parent].apply(offsets[i]))
            turn.append(turn[parent] * own if data["is_local"] else own)
    return np.stack(place, axis=1)


@pytest.mark.parametrize("name", ["walk", "run", "backflip"])
def test_published_clips(mocap: Path, name: str) -> None:
    path = mocap / f"amp_npy/amp_humanoid_{name}.npy"
    data = np.load(path, allow_pickle=True).item()  # our own copy of the published file
    clip = read(path)
    assert detect(path) == "poselib" and clip.fps == data["fps"] and clip.n_frames == len(data["rotation"]["arr"])
    assert clip.skeleton.body_names == tuple(data["skeleton_tree"]["node_names"])
    np.testing.assert_allclose(clip.bodies[0], positions(data), rtol=0, atol=1e-6)


def test_the_backflip_is_deepmimics(mocap: Path) -> None:
    """The library's backflip was made of DeepMimic's: two files, two readers, one motion (feet and hands included)."""
    theirs = read(mocap / "amp_npy/amp_humanoid_backflip.npy")
    other = read(mocap / "deepmimic/motions/humanoid3d_backflip.txt")
    assert theirs.n_frames == other.n_frames and theirs.fps == other.fps
    order = [other.skeleton.body(name) for name in theirs.skeleton.body_names]
    np.testing.assert_allclose(theirs.bodies[0], other.bodies[0][:, order], rtol=0, atol=1e-3)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("is_local", [True, False])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_rotations_in_the_world_and_relative_to_parents(
    tmp_path: Path, is_local: bool, protocol: int, dtype: str
) -> None:
    data = motion(is_local=is_local, dtype=dtype)
    clip = read(save(tmp_path / "a.npy", data, protocol))
    np.testing.assert_allclose(clip.bodies[0], positions(data), rtol=0, atol=1e-5)
    assert clip.skeleton.parents == (-1, 0, 1, 0) and clip.skeleton.feet == ("left_foot",)


@pytest.mark.parametrize("fps", [60, 60.0, np.float64(60), np.int32(60), np.array(60, np.int32)])
def test_rates_of_all_kinds(tmp_path: Path, fps: Any) -> None:
    assert read(save(tmp_path / "a.npy", motion() | {"fps": fps})).fps == 60.0


def test_files_of_numpy_1_and_2(tmp_path: Path) -> None:
    raw = pickle.dumps(np.array(motion(), object), protocol=3)
    assert b"numpy._core.multiarray" in raw or b"numpy.core.multiarray" in raw
    for theirs in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        old = raw.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        (tmp_path / "a.npy").write_bytes(npy(old.replace(b"numpy.core.multiarray", theirs)))
        assert read(tmp_path / "a.npy").n_frames == 5


# Hostile pickles ----------------------------------------------------------------------------------------------------


class Calls:
    """Unpickled by :mod:`pickle`, it calls a function."""

    def __init__(self, function: Any, *args: Any, state: Any = None) -> None:
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> Any:
        return self.reduced


def hostile(marker: Path) -> dict[str, Any]:
    command = f"touch {marker}"
    return {
        "os.system": Calls(os.system, command),
        "eval": Calls(eval, f"__import__('os').system({command!r})"),
        "exec": Calls(exec, f"import os; os.system({command!r})"),
        "getattr": Calls(getattr, Calls(__import__, "os"), "system"),
        "open": Calls(open, str(marker), "w"),
        "numpy.load": Calls(np.load, str(marker)),
        "numpy.save": Calls(np.save, str(marker), 0),
        "nested pickle": Calls(pickle.loads, pickle.dumps(Calls(os.system, command))),
        "an object": collections.Counter("ab"),
        "a set": {1, 2},
        "a type": int,
    }


@pytest.mark.parametrize("name", list(hostile(Path())))
@pytest.mark.parametrize("place", ["", "rotation", "fps", "is_local", "__name__", "skeleton_tree"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_in_a_pickle_is_run(tmp_path: Path, name: str, place: str, protocol: int) -> None:
    marker = tmp_path / "marker"
    thing = hostile(marker)[name]
    path = save(tmp_path / "evil.npy", motion() | {place: thing} if place else thing, protocol)
    path.write_bytes(path.read_bytes() + b"SkeletonMotion")  # so that it is taken for one
    with pytest.raises(MotionFormatError):
        poselib.read(path)
    with pytest.raises(MotionFormatError):
        read(path)
    assert not marker.exists()


def test_arrays_with_a_state_that_runs_something(tmp_path: Path) -> None:
    """What stands beside the data of an array is not looked at, nor made; what stands in it must be numbers."""
    marker = tmp_path / "marker"
    data = motion()
    data["rotation"]["arr"] = np.array([Calls(os.system, f"touch {marker}")], object)
    with pytest.raises(MotionFormatError):
        poselib.read(save(tmp_path / "a.npy", data))
    data["rotation"]["arr"] = np.zeros(5, [("x", "f4"), ("y", "f4")])
    with pytest.raises(MotionFormatError, match="plain numbers"):
        poselib.read(save(tmp_path / "b.npy", data))
    assert not marker.exists()


def bomb(name: str) -> bytes:
    laughs = b"(lq\x00" + b"".join(b"(h" + bytes([i]) + b"h" + bytes([i]) + b"lq" + bytes([i + 1]) for i in range(200))
    doubled = b"\x80\x04)\x94" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(200))
    return {
        "a number of memo far away": b"\x80\x04Nr" + struct.pack("<I", 2**32 - 1) + b".",
        "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc.",
        "text that is not there": b"\x80\x04X" + struct.pack("<I", 2**32 - 1) + b"abc.",
        "a long frame": b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b".",
        "lists in lists": b"\x80\x04" + b"]" * 90_000 + b"a" * 89_999 + b".",
        "tuples in tuples": b"\x80\x04)" + b"\x85" * 99_000 + b".",
        "lists of twice the list before": b"\x80\x04" + laughs + b".",
        "tuples of twice the tuple before": doubled + b".",
        "a name that is such a tuple": doubled + doubled[2:] + b"\x93.",
        "a key that is such a tuple": b"\x80\x04}" + doubled[2:] + b"Ns.",
        "many instructions": b"\x80\x04" + b"N" * 5_000_000 + b".",
        "no end": b"\x80\x04" + b"N" * 50,
        "a long number": b"\x80\x04\x8b" + struct.pack("<I", 4_000_000) + b"\x7f" * 4_000_000 + b".",
        "an array of nothing": b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n"
        b"(cnumpy\nndarray\n(J\xff\xff\xff\x7ftC\x01btR.",
        "a type with a state": b"\x80\x04cnumpy\ndtype\n(X\x02\x00\x00\x00f4\x89\x88tR}b.",
        "a mark for a value": b"\x80\x04((e.",
        "no stack": b"\x80\x04a.",
        "a persistent number": b"\x80\x04Pevil\n.",
        "an extension": b"\x80\x04\x82\x01.",
        "an instance": b"(S'touch x'\nios\nsystem\n.",
        "not a pickle": bytes(range(256)),
        "nothing": b"",
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "a number of memo far away", "bytes that are not there", "text that is not there", "a long frame",
        "lists in lists", "tuples in tuples", "lists of twice the list before", "tuples of twice the tuple before",
        "a name that is such a tuple", "a key that is such a tuple", "many instructions", "no end", "a long number",
        "an array of nothing", "a type with a state", "a mark for a value", "no stack", "a persistent number",
        "an extension", "an instance", "not a pickle", "nothing",
    ],
)  # fmt: skip
def test_bombs_take_no_more_memory_than_they_have(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bomb.npy"
    path.write_bytes(npy(bomb(name)))
    tracemalloc.start()
    try:
        with pytest.raises(MotionFormatError):
            poselib.read(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * path.stat().st_size + (32 << 20)
    finally:
        tracemalloc.stop()


def broken(**changes: Any) -> dict[str, Any]:
    return motion() | changes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, 2], "must be a dictionary"),
        (broken(__name__="SkeletonState"), "not named SkeletonMotion"),
        (broken(__name__=[["x"]]), "not named SkeletonMotion"),
        (broken(rotation={"arr": np.zeros((5, 4, 3), "f4")}), "rotation has shape"),
        (broken(rotation={"arr": np.zeros((5, 4, 4), "f4")}), "unit quaternion"),
        (broken(rotation={"arr": np.full((5, 4, 4), np.nan)}), "finite"),
        (broken(rotation={"arr": np.zeros((0, 4, 4))}), "shape"),
        (broken(rotation=np.zeros((5, 4, 4))), "must be a dictionary"),
        (broken(root_translation={"arr": np.zeros((4, 3))}), "root_translation has shape"),
        (broken(root_translation={"arr": np.full((5, 3), 1e30)}), "at most"),
        (broken(root_translation={"arr": np.full((5, 3), "x")}), "expected numbers"),
        (broken(is_local=1), "is_local"),
        (broken(fps=0), "frame rate"),
        (broken(fps="60"), "fps"),
        (broken(fps=10**400), "fps"),
        (broken(fps=np.zeros(3)), "one number"),
        (broken(skeleton_tree={"node_names": []}), "names"),
        (broken(skeleton_tree={"node_names": ["a"], "parent_indices": {"arr": np.zeros(1, int)}}), "local_translation"),
    ],
)  # fmt: skip
def test_malformed(tmp_path: Path, data: Any, message: str) -> None:
    path = save(tmp_path / "bad.npy", data)
    with pytest.raises(MotionFormatError, match=message) as caught:
        poselib.read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("parents", [[0, 0, 1, 0], [-1, -1, 1, 0], [-1, 2, 1, 0], [-1, 0, 1, 9]])
def test_trees_that_are_none(tmp_path: Path, parents: list[int]) -> None:
    data = motion()
    data["skeleton_tree"]["parent_indices"]["arr"] = np.array(parents)
    with pytest.raises(MotionFormatError, match="parent"):
        poselib.read(save(tmp_path / "bad.npy", data))


def test_arrays_of_numbers_are_no_motion(tmp_path: Path) -> None:
    np.save(tmp_path / "plain.npy", np.zeros((5, 4)))
    with pytest.raises(MotionFormatError, match="expected one pickled SkeletonMotion"):
        poselib.read(tmp_path / "plain.npy")
