"""Render and compare finds poses again, bridges bad frames, and says how much of the pictures it explains."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rlsuite.errors import MotionError
from rlsuite.generative.implicit.splatting import splat
from rlsuite.motion import body, kinematics, metrics, sampling
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.body_gaussians import BodyGaussians
from rlsuite.motion.pose.photographs import photograph
from rlsuite.motion.pose.render_and_compare import RenderAndCompare, Stage

SKELETON, SIZE = body.skeleton(), 40
MODEL = body.model()
GAUSSIANS = BodyGaussians.of_model(SKELETON, MODEL)
SHORT = (Stage(0.06, 25, 0.03), Stage(0.0, 25, 0.015))
WHITE = torch.ones(3)


def standing(seed=0, size=0.15):
    """A pose within the joint limits, near standing."""
    velocity = size * np.random.default_rng(seed).standard_normal(SKELETON.nv)
    qpos = sampling.integrate(SKELETON, SKELETON.rest_qpos, velocity)
    for joint, at in zip(SKELETON.joints, SKELETON.qpos_address, strict=True):
        if joint.range is not None:
            qpos[at] = np.clip(qpos[at], *joint.range)
    return qpos


def perturbed(qpos, seed=1, size=0.12):
    velocity = size * np.random.default_rng(seed).standard_normal(SKELETON.nv)
    velocity[:3] *= 0.3
    return sampling.integrate(SKELETON, qpos, velocity)


def cameras(n, size=SIZE):
    angles = 0.8 + 2.1 * np.arange(n)
    places = [(3.3 * np.cos(a), 3.3 * np.sin(a), 1.6) for a in angles]
    return [Camera.look_at(place, (0, 0, 0.9), width=size, height=size) for place in places]


def drawn(qpos, camera, gaussians=GAUSSIANS, background=WHITE):
    """The Gaussians themselves as a frame: a world in which the model of the picture is exact."""
    with torch.no_grad():
        seen = splat.render(gaussians.posed(qpos), camera)
        picture = seen.color + (1 - seen.alpha)[..., None] * background
    return (255 * picture.clamp(0, 1)).round().to(torch.uint8).numpy()


def error(a, b):
    return metrics.mpjpe(
        kinematics.keypoints(SKELETON, np.atleast_2d(a)), kinematics.keypoints(SKELETON, np.atleast_2d(b))
    )


def test_a_perturbed_pose_is_found_again_in_pictures_of_the_gaussians_themselves():
    truth = standing()
    start, eyes = perturbed(truth), cameras(3)
    refined = RenderAndCompare(GAUSSIANS, start, stages=SHORT).refine([drawn(truth, eye) for eye in eyes], eyes, start)
    assert error(start, truth) > 0.08
    assert error(refined.qpos, truth) < 0.01 and refined.explained > 0.99


@pytest.mark.parametrize("masks", [False, True], ids=["colours", "masks"])
def test_a_perturbed_pose_is_found_again_in_renders_of_the_body(masks):
    truth = standing(2)
    start, eyes = perturbed(truth, 3), cameras(3)
    views = photograph(MODEL, truth, eyes)
    gaussians = GAUSSIANS.in_colour((0.0, 0.0, 0.0)) if masks else GAUSSIANS
    frames = [
        (255 * (1 - view.mask[..., None].expand(-1, -1, 3) if masks else view.color)).round().to(torch.uint8).numpy()
        for view in views
    ]
    refined = RenderAndCompare(gaussians, start, stages=SHORT).refine(frames, eyes, start)
    assert error(refined.qpos, truth) < 0.35 * error(start, truth)
    assert refined.explained > 0.75


def test_a_picture_as_background_is_looked_through():
    truth = standing()
    start, eyes = perturbed(truth), cameras(2)
    behind = [np.random.default_rng(i).integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8) for i in range(2)]
    frames = [
        drawn(truth, eye, background=torch.from_numpy(picture / np.float32(255)))
        for eye, picture in zip(eyes, behind, strict=True)
    ]
    refined = RenderAndCompare(GAUSSIANS, start, behind, stages=SHORT).refine(frames, eyes, start)
    assert error(refined.qpos, truth) < 0.25 * error(start, truth) and refined.explained > 0.98


def test_joint_limits_are_kept():
    truth, eyes = standing(), cameras(1)
    elbow = SKELETON.qpos_address[[joint.name for joint in SKELETON.joints].index("left_elbow")]
    assert SKELETON.qpos_range[elbow, 1] == 0.0
    start = truth.copy()
    truth[elbow], start[elbow] = 0.6, -0.1  # an arm bent the wrong way
    refined = RenderAndCompare(GAUSSIANS, start, stages=SHORT).refine([drawn(truth, eyes[0])], eyes, start)
    assert refined.qpos[elbow] <= 0.0


def swaying(n):
    """A body that sways and waves its arms, ``(n, nq)``."""
    poses = np.tile(standing(), (n, 1))
    phase = 0.35 * np.arange(n)
    for name, size in (("left_shoulder_x", 0.4), ("right_shoulder_y", 0.4), ("chest_x", 0.2), ("left_elbow", 0.3)):
        at = SKELETON.qpos_address[[joint.name for joint in SKELETON.joints].index(name)]
        poses[:, at] += size * (np.sin(phase) if name != "left_elbow" else -1 + np.cos(phase))
    return poses


def test_a_video_is_tracked_and_a_bad_frame_is_bridged():
    truth, eyes = swaying(7), cameras(2)
    videos = [[drawn(qpos, eye) for qpos in truth] for eye in eyes]
    for video in videos:
        video[3] = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)
    estimator = RenderAndCompare(
        GAUSSIANS, perturbed(truth[0], size=0.06), stages=SHORT, tracking=(Stage(0.0, 15, 0.02),)
    )
    found = estimator.estimate((iter(video) for video in videos), 30.0, eyes)
    errors = [error(a, b) for a, b in zip(found.clip.qpos, truth, strict=True)]
    good = [0, 1, 2, 4, 5, 6]
    assert (found.confidence[3] == 0).all() and (found.clip.confidence[good] > 0.97).all()
    assert np.max([errors[t] for t in good]) < 0.015 and errors[3] < 0.06
    np.testing.assert_allclose(found.keypoints, kinematics.keypoints(SKELETON, found.clip.qpos))
    assert found.names == tuple(SKELETON.keypoints) and found.clip.fps == 30.0


def test_initial_poses_of_all_frames_win_where_they_explain_more():
    """Two frames with a leap between them: tracking alone would have to find its way."""
    truth, eyes = np.stack([standing(0), standing(7, 0.4)]), cameras(2)
    videos = [[drawn(qpos, eye) for qpos in truth] for eye in eyes]
    initial = np.stack([perturbed(qpos, size=0.04) for qpos in truth])
    found = RenderAndCompare(GAUSSIANS, initial, stages=SHORT).estimate(videos, 30.0, eyes)
    assert error(found.clip.qpos[1], truth[1]) < 0.02


def test_one_camera_gives_pixels_and_what_is_hidden_has_less_confidence():
    truth, eye = standing(0, 0.0), Camera.look_at((0.0, -3.3, 1.0), (0, 0, 0.9), width=SIZE, height=SIZE)
    found = RenderAndCompare(GAUSSIANS, truth, stages=SHORT).estimate([drawn(truth, eye)], 25.0, eye)
    np.testing.assert_allclose(found.keypoints, eye.project(kinematics.keypoints(SKELETON, found.clip.qpos)))
    names = list(found.names)
    left, right = (found.confidence[0, names.index(f"{side}_wrist")] for side in ("left", "right"))
    assert left < 0.6 * right  # it stands to the right of the body, whose left arm is hidden


def test_large_pictures_are_made_small():
    truth, eye = standing(), cameras(1, 84)[0]
    small = RenderAndCompare(GAUSSIANS, truth, width=42)
    sights = small._sights([drawn(truth, eye)], [eye], truth, 0.0)
    assert sights[0].picture.shape == (42, 42, 3)
    points = kinematics.keypoints(SKELETON, truth)
    np.testing.assert_allclose(sights[0].camera.project(points), eye.project(points) / 2)
    assert small._loss(GAUSSIANS, sights, truth)[0] < 0.1


def test_what_makes_no_sense_is_refused():
    truth, eye = standing(), cameras(1)[0]
    frame, estimator = drawn(truth, eye), RenderAndCompare(GAUSSIANS, truth, stages=(Stage(0.0, 1, 0.01),))
    with pytest.raises(MotionError, match="needs a camera"):
        estimator.estimate([frame], 30.0)
    with pytest.raises(MotionError, match="no frame"):
        estimator.estimate([], 30.0, eye)
    with pytest.raises(MotionError, match=r"\(40, 40, 3\), not \(20, 40, 3\)"):
        estimator.estimate([frame[:20]], 30.0, eye)
    with pytest.raises(MotionError, match="one for each"):
        estimator.estimate([[frame]], 30.0, [eye, eye])
    with pytest.raises(MotionError, match="initial poses of 2 frames"):
        replace(estimator, initial=np.stack([truth, truth])).estimate([frame] * 3, 30.0, eye)
