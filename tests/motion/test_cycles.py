"""Cycles: found where they were put, and seamless once made."""

import dataclasses

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion import cycles, editing, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from tests.motion.models import skeleton_named

SKELETON = skeleton_named("ours")
PERIOD = 1.1  # seconds: 33 frames


def periodic(n_cycles: float, noise: float = 0.0, turn: float = 0.0, fps: float = 30.0, seed: int = 0) -> MotionClip:
    """Joints as sums of two harmonics; the root goes forward, or round a circle."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(n_cycles * PERIOD * fps) + 1)[:, None] / fps
    phase, amplitude = rng.uniform(0, 6, size=(2, SKELETON.nv)), rng.normal(size=(2, SKELETON.nv)) * [[0.25], [0.1]]
    w = 2.0 * np.pi / PERIOD
    velocity = amplitude[0] * np.sin(w * t + phase[0]) + amplitude[1] * np.sin(2 * w * t + phase[1])
    velocity[:, :3] *= 0.1
    velocity += noise * rng.normal(size=velocity.shape)
    qpos = sampling.integrate(SKELETON, np.tile(SKELETON.rest_qpos, (len(t), 1)), velocity)
    heading = turn * t / PERIOD
    around = rot.from_axis_angle((0.0, 0.0, 1.0), heading[:, 0])
    path = np.concatenate((1.2 * t, 0 * t, 0 * t), axis=1)
    if turn:
        path = (1.2 * PERIOD / turn) * np.concatenate((np.sin(heading), 1 - np.cos(heading), 0 * t), axis=1)
    qpos[:, :3] = rot.rotate(around, qpos[:, :3]) + path
    qpos[:, 3:7] = rot.multiply(around, qpos[:, 3:7])
    return MotionClip(SKELETON.follow(qpos), fps, SKELETON)


@pytest.mark.parametrize("n_cycles", [1.0, 1.6, 3.3, 8.0])
@pytest.mark.parametrize("turn", [0.0, 0.9])
def test_the_period_of_a_periodic_motion_is_found(n_cycles: float, turn: float) -> None:
    found = cycles.find_cycle(periodic(n_cycles, turn=turn))
    assert found.period == pytest.approx(PERIOD, abs=1e-9)
    assert found.distance < 1e-6 or n_cycles == 1.0  # one-sided velocities at the ends of the clip
    assert found.repeats > 0.99 or n_cycles == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_noise_moves_the_period_by_at_most_a_frame(seed: int) -> None:
    found = cycles.find_cycle(periodic(4.0, noise=0.02, seed=seed))
    assert found.period == pytest.approx(PERIOD, abs=1.01 / 30.0)


def test_several_cycles_may_be_asked_for() -> None:
    assert cycles.find_cycle(periodic(5.0), cycles=3).period == pytest.approx(3 * PERIOD)


def test_place_and_heading_on_the_ground_make_no_difference() -> None:
    clip = periodic(3.0, noise=0.01)
    moved = editing.rotate(editing.translate(clip, (3.0, -1.0, 0.0)), 2.0)
    np.testing.assert_allclose(cycles.local_motion(moved), cycles.local_motion(clip), atol=1e-9)


@pytest.mark.parametrize(("noise", "turn"), [(0.0, 0.0), (0.0, 0.9), (0.03, 0.0), (0.03, 0.9)])
def test_a_cyclified_motion_has_no_seam_in_pose_or_velocity(noise: float, turn: float) -> None:
    clip = periodic(3.3, noise=noise, turn=turn)
    raw = cycles.find_cycle(clip)
    looped = cycles.cyclify(clip, raw)
    assert looped.loop == "wrap" and looped.wrap_heading == (turn != 0.0)
    pose, kink = cycles.seam(looped)
    assert pose < 1e-6
    inner = np.diff(sampling.difference(SKELETON, looped.qpos[:-1], looped.qpos[1:]) * looped.fps, axis=0)
    assert kink < 1.05 * np.abs(inner).max()  # no sharper than what happens between any two other steps
    if noise == 0.0:
        middle = slice(raw.start, raw.stop + 1)
        np.testing.assert_allclose(looped.qpos, clip.qpos[middle], atol=1e-3)
    else:
        cut = dataclasses.replace(editing.at_frames(clip, np.arange(raw.start, raw.stop + 1)), loop="wrap")
        assert cycles.seam(cut)[0] > 1e-3  # the gap that was there before


def test_the_velocity_across_the_seam_grows_continuous_with_the_rate() -> None:
    """A drift breaks the cycle on purpose; the change of velocity at the seam must vanish like the step."""
    kinks = []
    for fps in (60.0, 240.0):
        clip = periodic(2.5, fps=fps)
        qpos = clip.qpos.copy()
        qpos[:, 7:] += 0.15 * np.sin(1.3 * clip.times)[:, None]
        frames = round(PERIOD * fps)
        drifting = dataclasses.replace(clip, qpos=qpos)
        cycle = cycles.Cycle(10, 10 + frames, frames / fps, 0.0, 1.0)
        kinks.append(cycles.seam(cycles.cyclify(drifting, cycle))[1])
    assert kinks[1] < 0.4 * kinks[0]


def test_a_cycle_sampled_for_ever_repeats_itself() -> None:
    looped = cycles.cyclify(periodic(3.0, noise=0.02, turn=0.9))
    times = np.linspace(-2.0, 6.0, 200)
    now = MotionClip(looped.sample(times), 30.0, SKELETON)
    later = MotionClip(looped.sample(times + looped.duration), 30.0, SKELETON)
    now, later = (c.skeleton.local_rotations(c.qpos)[:, 1:] for c in (now, later))
    np.testing.assert_allclose(rot.angle_between(now, later), 0.0, atol=1e-6)


def test_what_cannot_be_a_cycle_is_refused() -> None:
    still = MotionClip(np.tile(SKELETON.rest_qpos, (60, 1)), 30.0, SKELETON)
    with pytest.raises(MotionError, match="nothing moves"):
        cycles.find_cycle(still)
    with pytest.raises(MotionError, match="too short"):
        cycles.find_cycle(editing.cut(periodic(1.0), 0.0, 0.2))
    with pytest.raises(MotionError, match="does not lie within"):
        cycles.cyclify(still, cycles.Cycle(3, 99, 1.0, 0.0, 1.0))
    with pytest.raises(MotionError, match="no seam"):
        cycles.seam(still)


def test_deepmimics_walk_repeats_itself_once_per_cycle_and_loses_its_seam(mocap) -> None:
    from rlsuite.motion.formats import read

    walk = read(mocap / "deepmimic/motions/humanoid3d_walk.txt")
    assert cycles.seam(walk)[0] > 0.3  # as published: the right arm leaps by 0.5 rad from one cycle to the next
    whole = cycles.Cycle(0, walk.n_frames - 1, walk.duration, 0.0, 1.0)
    looped = cycles.cyclify(walk, whole)
    assert cycles.seam(looped)[0] < 1e-6 and cycles.seam(looped)[1] < cycles.seam(walk)[1]
    np.testing.assert_allclose(
        looped.qpos[-1, :2] - looped.qpos[0, :2], walk.qpos[-1, :2] - walk.qpos[0, :2], atol=1e-12
    )
    times = np.arange(round(4 * walk.duration * 60)) / 60.0
    several = MotionClip(looped.sample(times), 60.0, walk.skeleton)
    assert cycles.find_cycle(several).period == pytest.approx(walk.duration, abs=1.01 / 60.0)
