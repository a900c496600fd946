"""From exact and noisy key points of our own clips back to the motion; the prior has not seen the clip."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import kinematics, metrics, quality
from rlsuite.motion.cameras import framing
from rlsuite.motion.pose import fitting_start
from rlsuite.motion.pose.estimator import PoseSequence
from rlsuite.motion.pose.fitting import FitSettings, fit
from rlsuite.motion.pose.fitting_prior import default_prior
from tests.motion.pose.projected import FPS, cameras_of, root_error, seen, still_clip


def test_three_cameras_give_the_motion_back() -> None:
    true = still_clip("walk", 0.8)
    cameras = cameras_of(true, 3)
    views = [seen(true, camera, noise=2.0, missing=0.1, seed=k) for k, camera in enumerate(cameras)]
    found = fit(views, cameras, prior=default_prior(("walk",)), name="walk")
    assert root_error(found.clip, true) < 15.0
    assert metrics.mpjpe(found.clip.bodies[0], true.bodies[0]) < 0.02  # in the world
    assert quality.check(found.clip).verdict != "bad"
    assert found.clip.contacts is not None and found.clip.contacts.any()
    assert not found.low


@pytest.mark.parametrize(("name", "azimuth"), [("walk", -62.0), ("wave", 20.0)])
def test_one_camera_gives_the_motion_back(name: str, azimuth: float) -> None:
    true = still_clip(name, 0.9)
    (camera,) = cameras_of(true, 1, azimuth)
    found = fit(seen(true, camera, noise=1.5, missing=0.1), camera, prior=default_prior((name,)), name=name)
    assert root_error(found.clip, true) < 40.0
    assert quality.check(found.clip).verdict != "bad"


def test_exact_pictures_are_met_to_a_pixel() -> None:
    true = still_clip("squat", 0.5)
    (camera,) = cameras_of(true, 1)
    found = fit(seen(true, camera), camera, prior=default_prior(("squat",)))
    assert np.nanmean(found.error) < 1.0
    assert found.confidence > 0.9


def test_a_camera_that_is_not_known_is_found_from_the_feet() -> None:
    """Up to the heading and the place on the ground, which no picture says."""
    true = still_clip("squat", 1.0)
    camera = framing(true.bodies[0], elevation=math.radians(20), fovy=math.radians(50))
    found = fit(seen(true, camera, noise=1.0), None, size=(640, 480), prior=default_prior(("squat",)))
    assert metrics.compare(found.clip, true)["mpjpe_heading"] < 0.04
    (place,) = found.cameras
    assert place.t[2] == pytest.approx(camera.t[2], abs=0.15)
    assert math.asin(-place.forward[2]) == pytest.approx(math.radians(20), abs=math.radians(3))
    lowest = metrics.sole_points(found.clip)[..., 2].min()
    assert abs(lowest) < 0.02


def test_missing_frames_are_bridged_with_low_confidence() -> None:
    true = still_clip("wave", 1.0)
    (camera,) = cameras_of(true, 1)
    view = seen(true, camera, noise=1.0)
    gone = slice(12, 17)
    pixels, sure = view.keypoints.copy(), view.confidence.copy()
    pixels[gone], sure[gone] = np.nan, 0.0
    found = fit(replace(view, keypoints=pixels, confidence=sure), camera, prior=default_prior(("wave",)))
    assert found.clip.confidence is not None
    assert found.clip.confidence[gone].max() == 0.0 < found.clip.confidence[:12].min()
    assert root_error(found.clip, true) < 40.0


def test_an_outlier_does_not_pull() -> None:
    """A wrist that is found 150 pixels away in some frames of one view of three."""
    true = still_clip("idle", 0.5)
    cameras = cameras_of(true, 3)
    views = [seen(true, camera) for camera in cameras]
    wrong = views[0].keypoints.copy()
    wrong[3:8, 12] += 150.0
    found = fit([replace(views[0], keypoints=wrong), *views[1:]], cameras)
    assert root_error(found.clip, true) < 10.0
    assert found.agreement[0, 3:8, 12].max() < 0.1 < found.agreement[1, 3:8, 12].min()


def test_nobody_in_the_picture_is_low_confidence_not_an_error() -> None:
    names = tuple(still_clip("idle", 0.1).skeleton.keypoints)
    view = PoseSequence(np.full((4, 26, 2), np.nan), np.zeros((4, 26)), names, FPS)
    found = fit(view, None, size=(320, 240))
    assert found.low and found.confidence == 0.0
    assert np.isfinite(found.clip.qpos).all()
    noise = np.random.default_rng(0).uniform(0, 240, size=(4, 26, 2))
    assert fit(replace(view, keypoints=noise, confidence=np.full((4, 26), 0.1)), None, size=(320, 240)).low


def test_few_key_points_of_another_order_serve() -> None:
    """An adapter's names: the limbs alone, in an order of its own, and one that the skeleton does not have."""
    true = still_clip("squat", 0.5)
    (camera,) = cameras_of(true, 1)
    view = seen(true, camera)
    chosen = [view.names.index(f"{side}_{part}") for part in ("ankle", "knee", "hip", "wrist", "elbow", "shoulder")
              for side in ("left", "right")]  # fmt: skip
    few = PoseSequence(
        np.concatenate([np.zeros((15, 1, 2)), view.keypoints[:, chosen]], axis=1), np.ones((15, 13)),
        ("tail", *(view.names[k] for k in chosen)), FPS,
    )  # fmt: skip
    found = fit(few, camera)
    points = kinematics.keypoints(true.skeleton, found.clip.qpos, few.names[1:])
    assert np.abs(camera.project(points) - few.keypoints[:, 1:]).mean() < 2.0


def test_viterbi_is_the_best_of_all_paths() -> None:
    rng = np.random.default_rng(0)
    cost, motion = rng.random((4, 3)), rng.random((3, 3, 3))
    paths = np.stack(np.meshgrid(*[np.arange(3)] * 4, indexing="ij"), -1).reshape(-1, 4)
    totals = [sum(cost[t, p[t]] for t in range(4)) + sum(motion[t, p[t], p[t + 1]] for t in range(3)) for p in paths]
    np.testing.assert_array_equal(fitting_start.least_path(cost, motion), paths[int(np.argmin(totals))])


def test_what_does_not_fit_is_told() -> None:
    true = still_clip("idle", 0.1)
    cameras = cameras_of(true, 2)
    view = seen(true, cameras[0])
    with pytest.raises(MotionError, match="as many cameras"):
        fit([view, view], cameras[:1])
    with pytest.raises(MotionError, match="size is given"):
        fit(view)
    with pytest.raises(MotionError, match="same key points"):
        fit([view, replace(view, fps=25.0)], cameras)
    with pytest.raises(MotionError, match="six key points"):
        fit(PoseSequence(np.zeros((2, 1, 2)), np.ones((2, 1)), ("tail",), 30.0), cameras[:1])
    with pytest.raises(MotionError, match="sigma"):
        FitSettings(sigma=0.0)
