"""Formats are told by what is in a file, not by what it is called; what is of none of them is refused by name."""

import shutil

import numpy as np
import pytest

from rlsuite.errors import MotionFormatError, UnknownNameError
from rlsuite.motion import clip_files, formats
from tests.motion.formats.samples import bvh_text
from tests.motion.formats.test_acclaim import ASF, FRAMES, amc_text


@pytest.fixture
def samples(tmp_path):
    (tmp_path / "a.bvh").write_text(bvh_text())
    (tmp_path / "b.asf").write_text(ASF)
    (tmp_path / "b_01.amc").write_text(amc_text(FRAMES))
    (tmp_path / "bare.amc").write_text(amc_text(FRAMES, header="").partition("\n")[2])
    clip_files.save(formats.read(tmp_path / "a.bvh"), tmp_path / "c.npz")
    return tmp_path


@pytest.mark.parametrize("suffix", ["", ".dat", ".bvh", ".npz"])
@pytest.mark.parametrize(
    ("name", "format"),
    [("a.bvh", "bvh"), ("b.asf", "acclaim"), ("b_01.amc", "acclaim"), ("bare.amc", "acclaim"), ("c.npz", "rlsuite")],
)
def test_content_tells(samples, name, format, suffix):
    other = samples / f"other{suffix}"
    shutil.copy(samples / name, other)
    assert formats.detect(other) == format


def test_recordings_are_told(mocap):
    for folder, suffix, format in [("cmu/bvh", "bvh", "bvh"), ("cmu/asf_amc", "a[ms][cf]", "acclaim")]:
        found = [formats.detect(path) for path in sorted((mocap / folder).glob(f"*.{suffix}"))]
        assert found == [format] * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"hello", "not a motion file"),
        (b"\x7fELF", "not a motion file"),
        (b"PK\x03\x04", "not a"),
    ],
)
def test_what_is_none_of_them_is_refused(tmp_path, content, message):
    path = tmp_path / "a.bvh"
    path.write_bytes(content)
    with pytest.raises(MotionFormatError, match=rf"{message}.*; the formats are .*acclaim.*bvh.*rlsuite"):
        formats.read(path)


def test_formats_are_named(samples):
    with pytest.raises(UnknownNameError, match="unknown motion format 'bhv'; did you mean 'bvh'"):
        formats.read(samples / "a.bvh", format="bhv")
    with pytest.raises(MotionFormatError, match="HIERARCHY expected"):
        formats.read(samples / "b.asf", format="bvh")
    with pytest.raises(MotionFormatError, match="acclaim files are only read; written are"):
        formats.write(formats.read(samples / "a.bvh"), samples / "d.amc", format="acclaim")


def test_every_format_describes_itself(tmp_path):
    for name, entry in formats.FORMATS.items():
        assert entry.name == name
        assert entry.description
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in entry.suffixes)
        assert entry.sniff(b"", tmp_path / "none") is False


def test_frames_of_a_format_that_knows_no_frames(samples):
    """Where the reader cannot leave frames out, they are taken from the clip."""
    whole = formats.read(samples / "c.npz")
    part = formats.read(samples / "c.npz", start=1, stride=2)
    np.testing.assert_array_equal(part.qpos, whole.qpos[1::2])
    assert part.fps == whole.fps / 2
    assert part.provenance[-1]["step"] == "slice"


def test_own_clips_are_written_and_read(samples):
    clip = formats.read(samples / "b_01.amc")
    formats.write(clip, samples / "e.npz")
    again = formats.read(samples / "e.npz")
    np.testing.assert_array_equal(again.qpos, clip.qpos)
    assert again.provenance == clip.provenance
