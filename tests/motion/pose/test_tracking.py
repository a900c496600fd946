"""Following a body through a video, with a network made by hand that knows coloured discs."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from rlsuite.errors import MotionError, RecordError, UnknownNameError
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.heatmaps import HeatmapEstimator
from rlsuite.motion.pose.model_files import PoseModel
from rlsuite.motion.pose.networks import Output
from rlsuite.motion.pose.pictorial import PictorialEstimator
from rlsuite.motion.pose.registry import load_estimator
from rlsuite.motion.pose.regression import RegressionEstimator, placed
from rlsuite.motion.pose.springs import SpringModel
from rlsuite.motion.pose.tracking import windows

NAMES = ("nose", "one", "two", "three", "four", "five")
COLOURS = np.array([[255, 40, 40], [40, 255, 40], [40, 40, 255], [255, 255, 40], [255, 40, 255], [40, 255, 255]])
SHAPE = np.array([[0.0, -1.0], [-0.6, -0.4], [0.6, -0.4], [0.0, 0.1], [-0.5, 1.0], [0.5, 1.0]])


class Eye(nn.Module):
    """Heatmaps of how alike each cell's colour is to each point's; nothing is learned."""

    size, grid = 64, 16

    def forward(self, images):
        cells = nn.functional.avg_pool2d(images, 4)  # (B, 3, G, G)
        far = (cells[:, None] - torch.tensor(COLOURS / 255.0).float()[None, :, :, None, None]).square().sum(2)
        logits = -far * 40  # (B, K, G, G)
        return Output(logits[None], logits.new_zeros(len(images), 4, 4, 4))


def model():
    made = PoseModel.new(NAMES, 64, 1, (4, 4, 4), 1)
    made.head.mean[:12] = torch.tensor(SHAPE * 0.25 + 0.5).flatten()
    made.network = Eye()
    rng = np.random.default_rng(0)
    examples = SHAPE + rng.normal(0, 0.05, (50, 6, 2))
    made.springs = SpringModel.fit((-1, 0, 0, 0, 3, 3), examples, np.full(50, 2.0))
    made.residual = SpringModel.fit((-1, 0, 0, 0, 3, 3), examples - SHAPE, np.full(50, 2.0))
    return made


def film(places, half=28.0, width=320, height=240):
    """Frames of the figure, ``half`` of its height in pixels, at each of ``places``; ``None``: nobody."""
    for place in places:
        frame = np.full((height, width, 3), 128, np.uint8)
        if place is not None:
            for point, colour in zip(SHAPE * half + place, COLOURS.tolist(), strict=True):
                centre = tuple(np.round(16 * (point - 0.5)).astype(int).tolist())
                cv2.circle(frame, centre, round(16 * half / 5), colour, -1, cv2.LINE_AA, 4)
        yield frame


@pytest.mark.parametrize("half", [20.0, 60.0])
def test_a_body_is_found_anywhere_and_followed(half):
    places = [(80 + 12 * t, 100 + 6 * np.sin(t)) for t in range(6)]
    found = HeatmapEstimator(model=model(), mirror=False).estimate(film(places, half), 25)
    truth = np.array(places)[:, None] + SHAPE * half
    assert found.keypoints.shape == (6, 6, 2) and found.names == NAMES and found.fps == 25
    assert np.abs(found.keypoints - truth).max() < 0.12 * half
    assert found.confidence.mean() > 0.5


def test_a_body_that_leaps_is_found_again():
    places = [(60, 120), (62, 120), (260, 60), (262, 60)]
    found = HeatmapEstimator(model=model(), mirror=False).estimate(film(places), 25)
    np.testing.assert_allclose(found.keypoints[2:], np.array(places)[2:, None] + SHAPE * 28, atol=3.5)


def test_nobody_is_reported_with_little_confidence_and_looked_for_now_and_then():
    estimator = HeatmapEstimator(model=model(), mirror=False)
    searches = []
    search = estimator._search
    estimator._search = lambda frame: searches.append(0) or search(frame)
    found = estimator.estimate(film([None] * 15), 25)
    assert found.confidence.max() < 0.3
    assert len(searches) == 2


def test_frames_are_read_one_by_one():
    held = []

    class Watched(np.ndarray):
        def __del__(self):
            held.remove(id(self))

    def frames():
        for frame in film([(160, 120)] * 10):
            watched = frame.view(Watched)
            held.append(id(watched))
            assert len(held) <= 3
            yield watched

    HeatmapEstimator(model=model(), mirror=False).estimate(frames(), 25)


def test_a_mirror_changes_nothing_for_a_network_that_knows_no_sides():
    plain, both = (
        HeatmapEstimator(model=model(), mirror=mirror).estimate(film([(150, 110)] * 2, 40), 25)
        for mirror in (False, True)
    )
    np.testing.assert_allclose(both.keypoints, plain.keypoints, atol=0.6)


def test_springs_put_back_what_a_false_heatmap_misplaces():
    made = model()
    evidence = HeatmapEstimator(model=made)._look(next(film([(160, 120)], 50)), [windows(320, 240)[0]], mirror=False)[0]
    truth = ((160, 120) + SHAPE * 50 - (160, 120)) / 320 + 0.5
    maps = evidence.maps.copy()
    maps[4] *= 0.4
    maps[4, 0, 15] += 0.6  # a foot in the upper right corner
    corrupted = evidence._replace(maps=maps, points=truth)
    alone = HeatmapEstimator(model=made).read(corrupted).points[4]
    joined = PictorialEstimator(model=made).read(corrupted)
    assert np.linalg.norm(alone - truth[4]) > 0.4
    assert np.linalg.norm(joined.points[4] - truth[4]) < 0.04
    mean = PictorialEstimator(model=made, rest="mean").read(corrupted)
    assert np.linalg.norm(mean.points[4] - truth[4]) < 0.04


def test_what_is_no_video():
    estimator = HeatmapEstimator(model=model())
    with pytest.raises(MotionError, match="no frames"):
        estimator.estimate([], 25)
    with pytest.raises(MotionError, match="frame 0 must be uint8"):
        estimator.estimate([np.zeros((240, 320, 3))], 25)
    with pytest.raises(MotionError, match="20000 x 240"):
        estimator.estimate([np.zeros((240, 20000, 3), np.uint8)], 25)
    with pytest.raises(MotionError, match="one at a time"):
        estimator.estimate([], 25, [Camera.look_at((3, 0, 1), (0, 0, 1))] * 2)


def test_windows_cover_every_place_at_every_size():
    found = windows(320, 240)
    assert found[0].side == 320 and min(square.side for square in found) < 0.5 * 240
    for side in {square.side for square in found}:
        for place in np.random.default_rng(0).uniform(0, (320, 240), (50, 2)):
            assert any(np.abs(place - square[:2]).max() <= side / 2 + 1e-9 for square in found if square.side == side)


def test_relative_points_are_placed_exactly_where_they_are_seen():
    rng = np.random.default_rng(0)
    camera = Camera.look_at((3.0, -2.0, 1.4), (0.2, 0.1, 0.9), width=320, height=240)
    points = rng.normal((0.1, 0.0, 1.0), 0.4, (26, 3))
    relative = (points - points[0]) @ camera.R
    np.testing.assert_allclose(placed(relative, camera.project(points), camera), points, atol=1e-9)


def test_regression_without_a_correction_is_the_mean_pose():
    found = RegressionEstimator(model=model(), mirror=False).estimate(film([(160, 120)], 60), 25)
    size = np.ptp(found.keypoints[0], axis=0)
    np.testing.assert_allclose(size[1] / size[0], 2 / 1.2, rtol=1e-4)


def test_names_and_files_of_the_registry(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'heatmaps'"):
        load_estimator("heatmap")
    with pytest.raises(RecordError, match="no saved pose model"):
        load_estimator(tmp_path / "none.safetensors")
    made = model()
    made.residual = None
    with pytest.raises(RecordError, match="no springs"):
        PictorialEstimator(model=made)
