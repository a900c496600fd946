"""Clips on disk: every field returns; nothing but a clip is read, in bounded time and memory."""

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import clip_files
from tests.motion.models import NAMES, skeleton_named, swaying

REST = skeleton_named("ours")


def full_clip(name: str = "ours"):
    skeleton = skeleton_named(name)
    n = 20
    return swaying(
        skeleton,
        n,
        name="Schritt über",
        loop="wrap",
        wrap_heading=True,
        contacts=np.random.default_rng(0).random((n, 2)) > 0.5,
        contact_names=skeleton.body_names[:2],
        confidence=np.linspace(0, 1, n),
        startable=np.arange(n) % 2 == 0,
        provenance=({"step": "read", "file": "a.bvh", "scale": 0.0254, "notes": [1, None, True]},),
        licence="CC0",
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_field_returns_to_the_last_bit(tmp_path, name: str) -> None:
    clip = full_clip(name)
    clip_files.save(clip, tmp_path / "clip.npz")
    again = clip_files.load(tmp_path / "clip.npz")
    for field in ("qpos", "contacts", "confidence", "startable"):
        assert (getattr(again, field) == getattr(clip, field)).all()
    for field in ("fps", "name", "loop", "wrap_heading", "contact_names", "provenance", "licence"):
        assert getattr(again, field) == getattr(clip, field)
    assert again.skeleton.to_dict() == clip.skeleton.to_dict()


def test_numpy_reads_it_without_pickle(tmp_path) -> None:
    clip_files.save(full_clip(), tmp_path / "clip.npz")
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as arrays:
        assert set(arrays) == {"header", "qpos", "contacts", "confidence", "startable"}


def test_provenance_that_is_no_json_is_refused_before_anything_is_written(tmp_path) -> None:
    for value in (np.float64(1.0) * np.ones(2), float("nan"), {1, 2}):
        with pytest.raises(MotionError, match="plain JSON"):
            clip_files.save(full_clip().with_step("x", value=value), tmp_path / "clip.npz")
    assert not list(tmp_path.iterdir())


def written(**changes) -> bytes:
    """An archive as :func:`clip_files.save` writes it, with entries of the header or whole arrays replaced."""
    clip = full_clip()
    header = {
        "format": clip_files.FORMAT, "version": clip_files.VERSION, "name": "x", "fps": 30.0, "loop": "once",
        "wrap_heading": False, "contact_names": ["left_foot", "right_foot"], "provenance": [], "licence": "",
        "skeleton": clip.skeleton.to_dict(),
    }  # fmt: skip
    arrays = {"qpos": clip.qpos, "contacts": clip.contacts}
    for key, value in changes.items():
        (header if key in header else arrays)[key] = value
    header = {key: value for key, value in header.items() if value is not None}
    arrays.setdefault("header", np.array(json.dumps(header)))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{key: value for key, value in arrays.items() if value is not None})
    return buffer.getvalue()


def refused(tmp_path, data: bytes, message: str) -> None:
    path = tmp_path / "hostile.npz"
    path.write_bytes(data)
    with pytest.raises(MotionFormatError, match=message) as caught:
        clip_files.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_untouched_archive_is_read(tmp_path) -> None:
    (tmp_path / "good.npz").write_bytes(written())
    assert clip_files.load(tmp_path / "good.npz").n_frames == 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qpos": None}, "arrays header and qpos"),
        ({"extra": np.zeros(3)}, "arrays header and qpos"),
        ({"qpos": np.zeros((20, 34))}, r"\(T, 35\)"),
        ({"qpos": np.full((20, 35), np.nan)}, "finite"),
        ({"qpos": np.array([["a"] * 35] * 20)}, "type <U1"),
        ({"qpos": np.zeros((20, 35), complex)}, "complex"),
        ({"qpos": np.array([[{}] * 35], object)}, "no .npy array of plain"),
        ({"header": np.zeros(3)}, "type float64"),
        ({"header": np.array("{")}, "not a clip"),
        ({"header": np.array("[" * 100_000)}, "recursion"),
        ({"header": np.array('{"format": ' + "9" * 5000 + "}")}, "not a clip"),
        ({"format": "other"}, "'other'"),
        ({"version": 99}, "version 99"),
        ({"fps": None}, "KeyError: 'fps'"),
        ({"fps": -3.0}, "positive"),
        ({"fps": 10**400}, "OverflowError"),
        ({"fps": float("nan")}, "NaN is no JSON"),
        ({"loop": ["once"]}, "'once' or 'wrap'"),
        ({"contacts": np.zeros((20, 3), bool)}, "contacts must be"),
        ({"contacts": np.zeros((20, 2))}, "type float64"),
        ({"confidence": np.full(20, 7.0)}, "from 0 to 1"),
        ({"provenance": [3]}, "not a clip"),
        ({"skeleton": {"name": "x"}}, "KeyError: 'bodies'"),
    ],
)
def test_wrong_contents_are_one_typed_error(tmp_path, changes: dict, message: str) -> None:
    refused(tmp_path, written(**changes), message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable"),
        (b"\x93NUMPY garbage", "not a readable"),
        (b"HIERARCHY\nROOT Hips", "not a readable"),
        (written()[:-300], "not a readable"),
        (written()[:60], "not a readable"),
    ],
)
def test_other_files_are_one_typed_error(tmp_path, data: bytes, message: str) -> None:
    refused(tmp_path, data, message)


def test_absent_files_and_folders(tmp_path) -> None:
    with pytest.raises(MotionFormatError, match="no such file"):
        clip_files.load(tmp_path / "absent.npz")
    with pytest.raises(MotionFormatError, match="not a readable"):
        clip_files.load(tmp_path)


def archive(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def npy_claiming(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def test_claims_of_size_are_checked_before_memory_is_taken(tmp_path) -> None:
    refused(tmp_path, archive(header=b"", qpos=npy_claiming((10**15, 35))), "hostile")
    header = io.BytesIO()
    np.save(header, np.array("{}"))
    for shape in ((10**15, 35), (10**300, 10**300), (2, 2)):
        refused(tmp_path, archive(header=header.getvalue(), qpos=npy_claiming(shape)), "holds more or less")
    refused(tmp_path, archive(zipfile.ZIP_LZMA, header=header.getvalue(), qpos=npy_claiming((0, 35))), "deflate")


def test_an_archive_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(clip_files, "MAX_BYTES", 100_000)
    bomb = npy_claiming((10**6,)) + bytes(8 * 10**6)
    assert len(archive(header=b"", qpos=bomb)) < 10_000
    refused(tmp_path, archive(header=b"", qpos=bomb), "unpacked")
    monkeypatch.undo()
    monkeypatch.setattr(clip_files, "MAX_HEADER_BYTES", 1000)
    refused(tmp_path, written(), "header of more than")


GOOD = written()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    end=st.integers(0, len(GOOD)) | st.just(len(GOOD)),
)
def test_damaged_bytes_are_one_typed_error_or_no_damage(tmp_path, edits, end) -> None:
    data = bytearray(GOOD)
    for at, value in edits:
        data[at] = value
    path = tmp_path / "damaged.npz"
    path.write_bytes(bytes(data[:end]))
    try:
        clip = clip_files.load(path)
    except MotionFormatError:
        return
    assert np.isfinite(clip.qpos).all()
