"""Synthetic videos: cameras, points and pictures belong together, and the file holds the frames."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import catalogue, kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.pose.synthetic import CropSource
from rlsuite.motion.pose.synthetic_appearance import STILL
from rlsuite.motion.pose.synthetic_splits import HELD_OUT, TRAIN
from rlsuite.motion.pose.synthetic_video import SyntheticVideo
from tests.motion.ball_tree import CMU_BVH, ball_tree, on_ball_tree, random_axes

SMALL = {"width": 96, "height": 72}


@pytest.fixture(scope="module")
def video():
    return SyntheticVideo(catalogue.find("walk"), 3, cameras=3, **SMALL)


def test_the_whole_motion_is_in_view_of_cameras_of_the_split(video):
    heading = rot.heading_angle(video.clip.qpos[0, 3:7])
    for view in video.views:
        assert ((view.keypoints > 0) & (view.keypoints < (96, 72))).all()
        x, y, _ = view.camera.R[:, 2]
        assert HELD_OUT.has_azimuth(np.arctan2(y, x) - heading)
        assert view.background in HELD_OUT.backgrounds
        assert view.camera.t[2] > 0.1
    assert len({view.camera.t.tobytes() for view in video.views}) == 3


def test_rays_of_three_cameras_meet_in_the_key_points(video):
    """The point nearest to lines ``t_c + s d_c`` solves ``sum (I - d d^T) (x - t) = 0``."""
    A, b = np.zeros((*video.positions.shape, 3)), np.zeros(video.positions.shape)
    for view in video.views:
        origin, d = view.camera.rays(view.keypoints)
        P = np.eye(3) - d[..., :, None] * d[..., None, :]
        A += P
        b += P @ origin
    met = np.linalg.solve(A, b[..., None])[..., 0]
    np.testing.assert_allclose(met, kinematics.keypoints(video.clip.skeleton, video.clip.qpos), atol=1e-8)
    np.testing.assert_allclose(video.truth(None).keypoints, met, atol=1e-8)


def test_frames_come_again_and_another_seed_gives_others(video):
    def begin(v, camera=0, n=3):
        return np.stack(list(itertools.islice(v.frames(camera), n)))

    first = begin(video, 1)
    assert first.shape == (3, 72, 96, 3) and first.dtype == np.uint8
    list(itertools.islice(video.frames(0), 2))
    assert np.array_equal(first, begin(video, 1))
    clip = catalogue.find("walk")
    assert np.array_equal(first, begin(SyntheticVideo(clip, np.random.SeedSequence(3), cameras=3, **SMALL), 1))
    assert not np.array_equal(first, begin(SyntheticVideo(clip, 4, cameras=3, **SMALL), 1))
    assert not np.array_equal(first, begin(video, 0))


def test_only_the_body_moves_where_there_is_no_noise():
    video = SyntheticVideo(catalogue.find("kick"), 0, variation=STILL, **SMALL)
    frames = np.stack(list(video.frames()))
    moved = (frames != frames[0]).any(axis=(0, 3))
    v, u = np.nonzero(moved)
    points = video.views[0].keypoints.reshape(-1, 2)
    reach = 0.2 * (points.max(axis=0) - points.min(axis=0)).max()
    away = np.linalg.norm(np.stack([u, v], -1)[:, None] + 0.5 - points[None], axis=-1).min(axis=1)
    assert 20 < moved.sum() < 0.5 * moved.size and away.max() < reach


def test_truth_counts_as_found_what_is_seen(video):
    truth = video.truth(2)
    assert truth.clip is video.clip and truth.names == video.names and truth.fps == video.clip.fps
    assert np.array_equal(truth.confidence > 0, video.views[2].seen)
    assert 0.4 < truth.confidence.mean() < 1.0
    assert (video.truth(None).confidence.mean(axis=0) >= truth.confidence.mean(axis=0)).all()


def test_the_film_holds_the_frames(video, tmp_path):
    import av

    calls = []
    path = video.write(tmp_path / "walk.mp4", progress=lambda done, of: calls.append((done, of)))
    with av.open(str(path)) as film:
        read = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert float(film.streams.video[0].average_rate) == pytest.approx(video.fps)
    assert len(read) == video.clip.n_frames and calls[-1] == (len(read), len(read))
    drawn = np.stack(list(video.frames())).astype(float)
    assert abs(np.stack(read) - drawn).mean() < 12.0


def test_the_training_split_may_show_the_floor_and_no_video_has_no_camera():
    names = {SyntheticVideo(catalogue.find("idle"), k, split=TRAIN, **SMALL).views[0].background for k in range(12)}
    assert names <= set(TRAIN.backgrounds) and len(names) > 2
    with pytest.raises(MotionError, match="at least one camera"):
        SyntheticVideo(catalogue.find("idle"), 0, cameras=0)


def test_any_skeleton_with_key_points_is_drawn_as_a_figure():
    """Ball joints, other names, no shape of ours: capsules from joint to joint, the points at the joints."""
    clip = catalogue.find("walk")
    axes = random_axes(0, clip.skeleton.nbody)
    tree = ball_tree(clip.skeleton, CMU_BVH, clip.skeleton.rest_qpos, axes)
    points = {name: (index, (0.0, 0.0, 0.0)) for index, name in enumerate(tree.body_names)}
    other = on_ball_tree(clip, tree, axes)
    with pytest.raises(MotionError, match="no key points"):
        SyntheticVideo(other, 0, **SMALL)
    other = replace(other, skeleton=replace(tree, keypoints=points))
    video = SyntheticVideo(other, 0, variation=STILL, **SMALL)
    np.testing.assert_allclose(video.positions, clip.bodies[0], atol=1e-9)
    assert video.names == tree.body_names and video.views[0].seen.any(axis=1).all()
    first, last = (next(itertools.islice(video.frames(), k, None)) for k in (0, clip.n_frames - 1))
    assert (first != last).any(axis=-1).sum() > 30
    crops = CropSource(TRAIN, 32, clips=[other]).batch(4, np.random.SeedSequence(0))
    assert crops.images.shape == (4, 32, 32, 3) and crops.seen.any(axis=1).all()
    np.testing.assert_allclose(np.linalg.norm(crops.qpos[:, 7:11], axis=1), 1.0)
