"""Filling in: what was given stays, what is drawn is the model's conditional, gaps close."""

import numpy as np
import pytest

from rlsuite.errors import CapabilityError, MotionError
from rlsuite.generative import registry
from rlsuite.motion import rotations as rot
from rlsuite.motion.catalogue import find
from rlsuite.motion.priors.completion import complete, known_entries
from rlsuite.motion.priors.data import motion_data
from rlsuite.motion.priors.prior import MotionPrior, shapes
from rlsuite.motion.sampling import resample

FPS = 30.0


def fitted(name, kind, steps=1, **arguments):
    data = motion_data([find("walk"), find("run")], kind, fps=FPS, past=2, length=8)
    model = registry.create(name, seed=0, **shapes(name, data), **arguments)
    part = data.part("train")
    model.fit(part.events, part.condition, steps=steps, held_out=0.0)
    return MotionPrior(
        model.eval(), data.coordinates, data.kind, FPS, 2, 8, data.spread, np.zeros((0, 2, data.coordinates.size), "f4")
    )


@pytest.fixture(scope="module")
def poses():
    return fitted("ppca", "pose", latent_size=8)


@pytest.fixture(scope="module")
def windows():
    return fitted("ppca", "window", latent_size=12)


@pytest.fixture(scope="module")
def walk():
    return resample(find("walk"), FPS)


def test_mean_of_many_draws_is_the_conditional_mean(poses, walk):
    model, n = poses.model, 400
    made = complete(poses, walk, joints=["right_knee", "left_upper_arm"], frames=(5, 6), draws=n)
    known = known_entries(poses.coordinates, walk.n_frames, ["right_knee", "left_upper_arm"], (5, 6))[5]
    scale, centre = (v.double().numpy() for v in (model.normalizer.scale, model.normalizer.mean))
    covariance = scale[:, None] * model.covariance.double().numpy() * scale
    mean = centre + scale * model.location.double().numpy()
    x = poses.coordinates.encode(walk)[5]
    gain = np.linalg.solve(covariance[np.ix_(known, known)], covariance[np.ix_(known, ~known)]).T
    wanted = mean[~known] + gain @ (x - mean)[known]
    left = covariance[np.ix_(~known, ~known)] - gain @ covariance[np.ix_(known, ~known)]
    found = poses.coordinates.encode(made)[5, ~known]
    assert (np.abs(found - wanted) < 5.0 * np.sqrt(np.diag(left) / n) + 1e-4).all()


def test_given_joints_and_frames_stay_bit_for_bit(poses, windows, walk):
    names = [joint.name for joint in walk.skeleton.joints]
    columns = [walk.skeleton.qpos_address[names.index("right_knee")]]
    for prior in (poses, windows):
        made = complete(prior, walk, joints=["right_knee"], frames=(10, 20), seed=1)
        others = np.delete(np.arange(walk.skeleton.nq), columns)
        assert (made.qpos[:, others] == walk.qpos[:, others]).all()
        assert (made.qpos[:10] == walk.qpos[:10]).all() and (made.qpos[20:] == walk.qpos[20:]).all()
        assert (made.qpos[10:20, columns] != walk.qpos[10:20, columns]).all()
        assert made.provenance[-1]["step"] == "completed"


@pytest.mark.parametrize("gap", [(12, 15), (6, 30), (0, 5), (29, 34)])  # shorter and longer than a window, at the ends
def test_gap_is_filled_and_closed(windows, walk, gap):
    made = complete(windows, walk, frames=gap, draws=20)
    first, last = gap
    outside = np.r_[0:first, last : walk.n_frames]
    assert made.n_frames == walk.n_frames and (made.qpos[outside] == walk.qpos[outside]).all()
    assert (made.qpos[first:last, 7:] != walk.qpos[first:last, 7:]).any()
    if first:  # no step on the ground is larger than twice the recording's, nor a turn
        steps = np.linalg.norm(np.diff(made.qpos[:, :2], axis=0), axis=1)
        assert steps.max() < 2.0 * np.linalg.norm(np.diff(walk.qpos[:, :2], axis=0), axis=1).max()
        turns = rot.angle_between(made.qpos[1:, 3:7], made.qpos[:-1, 3:7])
        assert turns.max() < 0.5


def test_same_seed_same_clip(windows, walk):
    a, b, c = (complete(windows, walk, frames=(5, 9), seed=seed).qpos for seed in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


def test_what_cannot_be_is_said(poses, windows, walk):
    with pytest.raises(CapabilityError, match="Completion"):
        complete(fitted("vae", "pose"), walk, joints=["neck"])
    with pytest.raises(CapabilityError, match="windows"):
        complete(poses, walk, frames=(3, 6))
    with pytest.raises(MotionError, match=r"no joint 'tail'.*right_knee"):
        complete(poses, walk, joints=["tail"])
    with pytest.raises(MotionError, match="nothing is missing"):
        complete(poses, walk)
    with pytest.raises(MotionError, match="none of the clip's"):
        complete(windows, walk, frames=(30, 80))
