"""Clips by name: the shipped files are what synthesis makes, names are found, typos are met with the nearest."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rlsuite.errors import MotionFormatError, UnknownNameError
from rlsuite.motion import catalogue, clip_files, fetching
from rlsuite.motion.synthesis import make
from rlsuite.motion.synthesis.shipped import SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files_are_what_is_made_now(name):
    motion, parameters = SHIPPED[name]
    there, made = catalogue.find(name), make(motion, **parameters)
    assert (there.name, there.loop, there.wrap_heading) == (name, made.loop, made.wrap_heading)
    assert there.fps == pytest.approx(made.fps, rel=1e-12)
    np.testing.assert_allclose(there.qpos, made.qpos, atol=3e-6)  # the last digit may round otherwise elsewhere
    np.testing.assert_array_equal(there.contacts, made.contacts)
    assert there.contact_names == made.contact_names and there.provenance == made.provenance
    assert there.licence == made.licence


def test_the_manifest_names_every_file_and_no_other():
    assert tuple(SHIPPED) == catalogue.NAMES
    files = {entry["file"] for entry in catalogue.manifest().values()}
    assert files == {path.name for path in catalogue.CLIPS.glob("*.npz")}
    for name, entry in catalogue.manifest().items():
        clip = catalogue.find(name)
        assert (entry["frames"], entry["loop"]) == (clip.n_frames, clip.loop)
        assert entry["duration"] == pytest.approx(clip.duration, abs=1e-6)


def test_the_shipped_clips_are_small():
    assert sum(path.stat().st_size for path in catalogue.CLIPS.iterdir()) < 300_000


def test_a_path_is_found_as_it_is(tmp_path):
    path = tmp_path / "my.npz"
    clip_files.save(replace(make("idle", duration=2.0), name="mine"), path)
    assert catalogue.locate(path) == path and catalogue.find(str(path)).name == "mine"


def test_a_shipped_clip_goes_before_a_file_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "walk").write_text("something else")
    assert catalogue.locate("walk") == catalogue.CLIPS / "walk.npz"
    assert catalogue.locate("./walk").read_text() == "something else"


def test_typos_and_missing_files_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("RLSUITE_CACHE_DIR", str(tmp_path))
    with pytest.raises(UnknownNameError, match=r"unknown clip 'wlak'; did you mean 'walk'.*shipped: walk,"):
        catalogue.locate("wlak")
    with pytest.raises(MotionFormatError, match=r"nothing\.bvh: no such file"):
        catalogue.locate("nothing.bvh")
    with pytest.raises(MotionFormatError, match="rlsuite motion fetch deepmimic-walk"):
        catalogue.locate("deepmimic-walk")


def test_a_fetched_clip_is_found_by_its_name(tmp_path, monkeypatch, mocap):
    monkeypatch.setenv("RLSUITE_CACHE_DIR", str(tmp_path))
    path = fetching.location("deepmimic-walk")
    path.parent.mkdir()
    path.write_bytes((mocap / "deepmimic/motions/humanoid3d_walk.txt").read_bytes())
    assert catalogue.locate("deepmimic-walk") == path
    assert catalogue.find("deepmimic-walk").n_frames == 39


def test_a_damaged_list_is_told(tmp_path, monkeypatch):
    for text in ("{", json.dumps({"clips": 3}), json.dumps([])):
        damaged = tmp_path / "manifest.json"
        damaged.write_text(text)
        monkeypatch.setattr(catalogue, "MANIFEST", damaged)
        catalogue.manifest.cache_clear()
        with pytest.raises(MotionFormatError, match="install rlsuite again"):
            catalogue.manifest()
    monkeypatch.undo()
    catalogue.manifest.cache_clear()
    assert "walk" in catalogue.manifest()
