"""Mending takes planted faults out again, says by how much, and makes nothing worse."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.motion import body
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import deepmimic
from rlsuite.motion.mending import EXCHANGED, mend, worse
from rlsuite.motion.quality import check
from tests.motion import faults


@pytest.fixture(scope="module")
def clip():
    return faults.clean()


def done(changes):
    return [change.step for change in changes if change.done]


def test_a_clean_clip_comes_back_bit_for_bit(clip):
    mended, changes = mend(clip)
    assert mended is clip
    assert changes == ()


def test_nothing_wanted_nothing_done(clip):
    broken = faults.spiked(faults.sliding(faults.sunk(clip)))
    mended, changes = mend(broken, height=False, spikes=False, skate=False)
    assert mended is broken
    assert changes == ()


def test_a_sunk_clip_is_raised_by_what_it_sank(clip):
    mended, changes = mend(faults.sunk(clip, depth=0.03))
    np.testing.assert_allclose(mended.qpos, clip.qpos, atol=1e-6)
    [change] = changes
    assert (change.step, change.done, change.frames) == ("shift onto the floor", True, 120)
    assert change.root == pytest.approx(0.03, abs=1e-6)
    assert change.angle == pytest.approx(0.0, abs=1e-7)
    assert "root by up to 3.0 cm" in change.text()
    assert mended.provenance[-1]["step"] == "mend"
    assert mended.startable.all()
    json.dumps(mended.provenance)


def test_a_floating_clip_is_lowered(clip):
    mended, _ = mend(faults.raised(clip, height=0.25))
    np.testing.assert_allclose(mended.qpos, clip.qpos, atol=1e-6)


def test_a_floating_clip_that_slides_is_lowered_and_then_held(clip):
    sliding = faults.sliding(clip, "left_foot", 40, 60, 0.12)
    floating = faults.raised(sliding)
    assert check(floating).of("skate") == []  # unseen in the air
    mended, changes = mend(floating)
    assert done(changes) == ["shift onto the floor", "hold the standing left_foot"]
    assert check(mended).findings == ()


def test_a_stretch_that_sinks_is_lifted(clip):
    t = np.arange(120)
    sag = 0.04 * np.exp(-(((t - 60) / 5.0) ** 2))
    qpos = clip.qpos.copy()
    qpos[:, 2] -= sag
    broken = replace(clip, qpos=qpos)
    mended, changes = mend(broken)
    assert check(mended).findings == ()
    assert done(changes) == ["follow the floor"]
    far = (t < 35) | (t > 85)
    np.testing.assert_array_equal(mended.qpos[far], broken.qpos[far])
    np.testing.assert_array_equal(mended.qpos[:, 3:], broken.qpos[:, 3:])
    assert np.abs(mended.qpos[:, 2] - clip.qpos[:, 2]).max() < 0.03


def test_a_jump_is_not_pulled_down():
    jump = faults.jumping()
    mended, _ = mend(jump)
    assert mended is jump


@pytest.mark.parametrize("frames", [(70,), (70, 71, 72)])
def test_spikes_are_interpolated(clip, frames):
    broken = faults.spiked(clip, frames)
    mended, changes = mend(broken)
    assert done(changes) == ["interpolate leaps"]
    assert check(mended).findings == ()
    elbow = faults.column("left_elbow")
    np.testing.assert_allclose(mended.qpos[:, elbow], clip.qpos[:, elbow], atol=1e-6)
    untouched = np.ones_like(clip.qpos, bool)
    untouched[list(frames), elbow] = False
    np.testing.assert_array_equal(mended.qpos[untouched], clip.qpos[untouched])


def test_a_teleported_clip_goes_on_where_it_was(clip):
    mended, changes = mend(faults.teleported(clip, 50, 0.5))
    np.testing.assert_allclose(mended.qpos, clip.qpos, atol=1e-3)
    assert done(changes) == ["interpolate leaps"]
    assert check(mended).verdict == "ok"


def test_a_leap_of_a_joint_is_bridged(clip):
    broken = faults.with_column(clip, faults.column("neck_z"), slice(80, None), 0.6)
    mended, _ = mend(broken)
    assert check(mended).of("discontinuity", "spike") == []
    away = np.r_[0:60, 100:120]
    np.testing.assert_array_equal(mended.qpos[away], broken.qpos[away])


def test_a_sliding_foot_is_held(clip):
    broken = faults.sliding(clip, "left_foot", 40, 60, 0.12)
    mended, changes = mend(broken)
    report = check(mended)
    assert report.of("skate") == []
    assert done(changes) == ["hold the standing left_foot"]
    foot = clip.skeleton.body("left_foot")
    places = mended.bodies[0][:, foot, :2]
    assert np.linalg.norm(np.diff(places, axis=0), axis=-1).max() * mended.fps < 0.05
    others = [i for i in range(35) if i not in {faults.column(f"left_{j}") for j in
              ("hip_x", "hip_y", "hip_z", "knee", "ankle_x", "ankle_y", "ankle_z")}]  # fmt: skip
    np.testing.assert_array_equal(mended.qpos[:, others], broken.qpos[:, others])


def test_limits_are_kept_smoothly(clip):
    arm = faults.column("left_elbow")
    qpos = clip.qpos.copy()
    qpos[:, arm] += 0.6 * np.exp(-(((np.arange(120) - 60) / 10.0) ** 2))
    mended, changes = mend(replace(clip, qpos=qpos))
    assert done(changes) == ["keep joint limits"]
    assert mended.qpos[:, arm].max() <= 1e-12
    assert check(mended).findings == ()
    assert np.abs(np.diff(mended.qpos[:, arm], 2)).max() < 0.02  # no kink of more than 1 rad/s


def test_hinges_return_to_their_branch_with_the_same_turns(clip):
    broken = faults.rebranched(clip)
    mended, changes = mend(broken)
    assert done(changes) == ["choose the branch of hinges"]
    assert faults.same_turns(mended, broken) < 1e-6
    np.testing.assert_allclose(mended.qpos, clip.qpos, atol=1e-5)
    assert mended.startable.all()


def test_trembling_is_smoothed(clip):
    broken = faults.trembling(clip, size=0.04)
    before, (mended, changes) = check(broken), mend(broken)
    assert "smooth jitter" in done(changes)
    after = check(mended)
    assert sum(f.magnitude.sum() for f in after.of("jitter")) < 0.5 * sum(
        f.magnitude.sum() for f in before.of("jitter")
    )
    assert faults.same_turns(mended, clip) < faults.same_turns(broken, clip)


def test_what_cannot_be_mended_is_said_and_left(clip):
    """Legs through one another are nobody's to mend; lowering feet through the floor is refused."""
    crossed = faults.crossed(clip)
    mended, changes = mend(crossed)
    report = check(mended)
    assert report.frames_of("self_collision") == check(crossed).frames_of("self_collision")
    for change in changes:
        assert change.done or change.note
        assert change.step in change.text()
        json.dumps(change.to_dict())


PLANTS = {
    "sunk": lambda clip: faults.sunk(clip, slice(30, 70), 0.04),
    "raised": faults.raised,
    "spiked": faults.spiked,
    "teleported": faults.teleported,
    "trembling": faults.trembling,
    "sliding": faults.sliding,
    "crossed": faults.crossed,
    "overbent": faults.overbent,
    "rebranched": faults.rebranched,
    "flipped": faults.flipped,
}


def assert_nothing_worse(broken):
    before = check(broken)
    mended, changes = mend(broken, before)
    after = check(mended)
    exchanged = EXCHANGED if "choose the branch of hinges" in done(changes) else ()
    assert worse(before, after, besides=exchanged) == []
    assert after.frames_of(*EXCHANGED) == [] or len(after.frames_of(*EXCHANGED)) <= len(before.frames_of(*EXCHANGED))
    if not done(changes):
        assert mended is broken
    return before, after


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(sorted(PLANTS)), min_size=1, max_size=3, unique=True))
def test_nothing_gets_worse(names):
    broken = faults.clean()
    for name in names:
        broken = PLANTS[name](broken)
    assert_nothing_worse(broken)


def test_a_skeleton_without_solid_parts_is_mended_as_far_as_it_goes(clip):
    bare = replace(clip.skeleton, shape=None, name="bvh")
    broken = faults.spiked(faults.sunk(replace(clip, skeleton=bare)))
    mended, changes = mend(broken)
    np.testing.assert_allclose(mended.qpos, clip.qpos, atol=1e-5)
    assert done(changes) == ["interpolate leaps", "shift onto the floor"]


def test_one_frame_and_no_free_root():
    single = MotionClip(body.skeleton().rest_qpos[None] - 0.05 * np.eye(1, 35, 2), 30.0, body.skeleton())
    mended, _ = mend(single)
    assert mended.qpos[0, 2] == pytest.approx(body.rest_height(), abs=1e-9)


def test_a_real_walk_becomes_clean(mocap):
    walk = deepmimic.read(mocap / "deepmimic/motions/humanoid3d_walk.txt")
    mended, changes = mend(walk)
    assert check(mended).verdict == "ok"
    assert done(changes) == ["interpolate leaps"]
    assert mended.startable.all()


@pytest.mark.slow
def test_real_clips_are_never_made_worse(mocap):
    starts = {}
    for path in sorted((mocap / "deepmimic/motions").glob("*.txt")):
        clip = deepmimic.read(path)
        starts[clip.name] = tuple(report.startable.mean() for report in assert_nothing_worse(clip))
    assert all(after >= before for before, after in starts.values()), starts
