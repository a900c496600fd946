"""From files to the humanoid: targets that every real recording meets, and recordings with faults of their own."""

from dataclasses import replace

import numpy as np
import pytest

from rlsuite.motion import body, contacts, editing, formats, importing, models
from rlsuite.motion.quality import Limits, ground
from rlsuite.motion.quality.solids import Solids
from rlsuite.motion.skeleton import Skeleton
from rlsuite.motion.synthesis import make
from tests.motion.models import ASSETS

LONG = ("cmu/bvh/131_01.bvh", "cmu/bvh/01_01.bvh", "cmu/asf_amc/01_01.amc")
SHORT = (
    "amp_npy/amp_humanoid_walk.npy",
    "amp_npy/amp_humanoid_run.npy",
    "amp_npy/amp_humanoid_backflip.npy",
    "loco_mujoco/02-constspeed_reduced_humanoid.npz",
)


def assert_clean(clip):
    """Hands, feet and head, joint limits, sliding and sinking as the check measures them, and its verdict."""
    imported = importing.import_clip(clip)
    report, result = imported.retargeting, imported.clip
    ends = report.end_effector_error
    assert ends.mean < 1.0
    assert ends.max < 3.0
    assert report.limit_violations == 0
    solids = Solids(body.model(), result)
    speeds = np.concatenate(list(ground.slide(result, solids, Limits()).values()))
    labels = [contacts.labels_of(result, foot) for foot in result.skeleton.feet]
    labelled = np.concatenate([stands[1:] & stands[:-1] for stands in labels])
    standing = speeds[labelled & np.isfinite(speeds)]
    assert len(standing)
    assert standing.max() < 0.01
    assert solids.lowest.min() > -Limits().penetration[0]
    assert imported.after.verdict != "bad", imported.after.text()


@pytest.mark.parametrize("file", SHORT)
def test_short_recordings(mocap, file):
    assert_clean(formats.read(mocap / file))


def test_two_seconds_of_walking(mocap):
    assert_clean(editing.cut(formats.read(mocap / LONG[0]), 0.5, 2.5))


@pytest.mark.slow
@pytest.mark.parametrize("file", LONG)
def test_long_recordings(mocap, file):
    assert_clean(formats.read(mocap / file))


def test_poses_that_are_held_are_taken_once():
    clip = replace(make("walk"), loop="once", wrap_heading=False)
    held = editing.at_frames(clip, np.repeat(np.arange(clip.n_frames), 3))
    held = replace(held, fps=3.0 * clip.fps)
    given_back = importing.without_held_poses(held)
    np.testing.assert_array_equal(given_back.qpos, clip.qpos)
    assert given_back.fps == pytest.approx(clip.fps)
    assert given_back.provenance[-1]["held"] == 3
    assert importing.without_held_poses(clip) is clip


def test_a_calibration_pose_before_the_motion_goes():
    clip = replace(make("walk"), loop="once", wrap_heading=False)
    qpos = np.concatenate((clip.skeleton.rest_qpos[None], clip.qpos))
    qpos[0, clip.skeleton.qpos_address[[joint.name for joint in clip.skeleton.joints].index("left_shoulder_x")]] = 1.5
    posed = replace(clip, qpos=qpos, contacts=None, contact_names=())
    np.testing.assert_array_equal(importing.without_calibration_pose(posed).qpos, clip.qpos)
    assert importing.without_calibration_pose(clip) is clip


def test_another_body_is_checked_with_its_own_solid_parts():
    model = models.from_mjcf(ASSETS / "humanoid.xml")
    target = Skeleton.from_model(model, "gymnasium")
    imported = importing.import_clip(make("walk"), target, model=model)
    assert imported.after.verdict == "ok", imported.after.text()
    assert "residual" in importing.import_clip(make("walk"), target).after.left_out
    assert "residual" not in imported.after.left_out


@pytest.mark.parametrize("name", ["punch", pytest.param("spin", marks=pytest.mark.slow)])
def test_a_recording_on_this_body_beyond_its_limits_is_fitted(mocap, name):
    clip = formats.read(mocap / f"deepmimic/motions/humanoid3d_{name}.txt")
    imported = importing.import_clip(clip)
    assert imported.before.verdict == "bad"
    assert imported.retargeting is not None and imported.retargeting.limit_violations == 0
    assert imported.after.verdict != "bad", imported.after.text()
    assert imported.retargeting.end_effector_error.mean < 1.0


def test_a_sound_clip_on_this_body_is_not_fitted_anew():
    imported = importing.import_clip(make("walk"))
    assert imported.retargeting is None and imported.changes == ()
