"""A library is its clips: nothing crosses from one to another, and what is read is whole."""

import numpy as np
import pytest

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import clip_files
from rlsuite.motion.features import PoseFeatures
from rlsuite.motion.library import Moments, MotionLibrary
from tests.motion.models import skeleton_named, swaying

SKELETON = skeleton_named("ours")


def some() -> list:
    kinds = [{}, {"loop": "wrap"}, {"loop": "wrap", "wrap_heading": True}, {"fps": 60.0}, {"n": 1}]
    return [swaying(SKELETON, **({"n": 40 + 7 * i, "seed": i, "name": f"clip {i}"} | k)) for i, k in enumerate(kinds)]


def test_states_of_many_clips_are_those_of_each() -> None:
    library = MotionLibrary(some())
    rng = np.random.default_rng(0)
    which, times = rng.integers(0, 5, size=(6, 50)), rng.uniform(-4.0, 9.0, size=(6, 50))
    qpos, qvel = library.states(which, times)
    for index in np.ndindex(which.shape):
        clip = library.clips[which[index]]
        np.testing.assert_allclose(qpos[index], clip.sample(times[index]), atol=1e-9)
        np.testing.assert_allclose(qvel[index], clip.sample_velocity(times[index]), atol=1e-9)


def test_one_pose_alone_and_bodies_that_stand_fast() -> None:
    pose = MotionLibrary([swaying(SKELETON, n=1)])
    qpos, qvel = pose.states([0, 0], [0.0, 3.0])
    assert (qpos == pose.qpos[0]).all() and not qvel.any()
    hopper = swaying(skeleton_named("hopper"), 30, loop="wrap")
    np.testing.assert_allclose(MotionLibrary([hopper]).states(0, 7.3)[0], hopper.sample(7.3), atol=1e-12)


def test_clips_are_drawn_by_duration_and_times_lie_within() -> None:
    library = MotionLibrary(some())
    which, times = library.sample(np.random.default_rng(1), 20_000)
    shares = np.bincount(which, minlength=5) / 20_000
    np.testing.assert_allclose(shares, library.durations / library.durations.sum(), atol=0.015)
    assert (times >= 0.0).all() and (times <= library.durations[which]).all()
    again = library.sample(np.random.default_rng(1), 20_000)
    assert (again[0] == which).all() and (again[1] == times).all()
    only = MotionLibrary(some(), weights=[0, 0, 2, 0, 0]).sample(np.random.default_rng(0), 50)[0]
    assert (only == 2).all()
    for wrong in ([1.0], [0.0] * 5, [-1.0, 1, 1, 1, 1]):
        with pytest.raises(MotionError, match="weights"):
            MotionLibrary(some(), weights=wrong)


def test_windows_are_all_there_are_and_never_cross_clips() -> None:
    library = MotionLibrary(some())
    owner = np.searchsorted(library.starts, np.arange(len(library.qpos)), side="right")
    for length, stride in ((1, 1), (10, 1), (16, 5), (50, 3)):
        windows = library.windows(length, stride)
        assert (np.diff(windows, axis=1) == 1).all() and (owner[windows] == owner[windows[:, :1]]).all()
        assert len(windows) == sum(max(0, -(-(c.n_frames - length + 1) // stride)) for c in library.clips)
    assert library.windows(1000).shape == (0, 1000)
    with pytest.raises(MotionError, match="at least 1"):
        library.windows(0)


@pytest.mark.parametrize("gap", [0.0, 0.2])
def test_splits_share_no_frame_and_lie_in_time_order_with_a_gap(gap: float) -> None:
    library = MotionLibrary(some())
    parts = library.split(gap=gap)
    assert list(parts) == ["train", "validation", "test"]
    rows = {name: {r for a, b in ranges for r in range(a, b)} for name, ranges in parts.items()}
    assert not rows["train"] & rows["validation"] and not rows["validation"] & rows["test"]
    if gap == 0.0:
        assert len(set().union(*rows.values())) == len(library.qpos)
    else:
        for train, test in ((a, b) for a in rows["train"] for b in rows["validation"] | rows["test"]):
            clip = int(np.searchsorted(library.starts, train, side="right")) - 1
            if library.starts[clip] <= test < library.starts[clip + 1]:
                assert test - train > gap * library.fps[clip]
    windows = {name: library.windows(5, 1, ranges) for name, ranges in parts.items()}
    assert not set(windows["train"].ravel()) & set(windows["test"].ravel())
    for wrong in ({"a": 0.5, "b": 0.6}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(MotionError, match="add up to 1"):
            library.split(wrong)


def test_streamed_statistics_are_those_of_all_rows_at_once() -> None:
    library, features = MotionLibrary(some()), PoseFeatures(SKELETON)
    rows = np.concatenate([features.encode(clip) for clip in library.clips])
    moments = library.statistics(features.encode)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), atol=1e-12)
    std = rows.std(axis=0)
    np.testing.assert_allclose(moments.std(), np.where(std > 1e-6, std, 1.0), atol=1e-12)
    far = Moments()
    for batch in np.split(1e9 + np.arange(1000.0)[:, None], 10):
        far.add(batch)
    assert far.std()[0] == pytest.approx(np.arange(1000.0).std(), rel=1e-9)


def folder_of(tmp_path, clips):
    for i, clip in enumerate(clips):
        clip_files.save(clip, tmp_path / "sub" / f"{i}.npz")
    return tmp_path


def test_a_folder_is_read_in_order_of_names_and_hidden_files_are_not(tmp_path) -> None:
    folder = folder_of(tmp_path, some())
    (folder / "sub" / ".3.npz.x8f").write_bytes(b"cut short")
    (folder / ".4.npz").write_bytes(b"cut short")
    library = MotionLibrary(folder)
    assert [entry["name"] for entry in library.manifest()] == [clip.name for clip in some()]
    assert [entry["frames"] for entry in library.manifest()] == [clip.n_frames for clip in some()]
    assert len({id(clip.skeleton) for clip in library.clips}) == 1
    assert set(MotionLibrary(folder, fps=20.0).fps[[0, 3]]) == {20.0}


def test_a_damaged_file_is_one_error_that_names_it_or_is_left_out_and_listed(tmp_path) -> None:
    folder = folder_of(tmp_path, some())
    bad, strange = folder / "sub" / "2.npz", folder / "sub" / "7.npz"
    bad.write_bytes(bad.read_bytes()[:200])
    clip_files.save(swaying(skeleton_named("ant"), 5), strange)
    with pytest.raises(MotionFormatError, match=r"2\.npz"):
        MotionLibrary(folder)
    bad.unlink()
    with pytest.raises(MotionError, match=r"7\.npz.*another skeleton"):
        MotionLibrary(folder)
    bad.write_bytes(b"nothing")
    library = MotionLibrary(folder, skip_bad=True)
    assert len(library) == 4 and set(library.skipped) == {str(bad), str(strange)}


def test_nothing_to_read_is_refused(tmp_path) -> None:
    for source in (tmp_path, tmp_path / "absent", []):
        with pytest.raises(MotionError, match="no "):
            MotionLibrary(source)
