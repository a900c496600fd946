"""Super-resolution by a flow: coarse frames stay, a flow of nothing is the interpolation, errors are what they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rlsuite.errors import MotionError, RecordError
from rlsuite.motion import editing, sampling
from rlsuite.motion.catalogue import find
from rlsuite.motion.priors.upsampling import SHRINK, Upsampler, _intervals, _kernel, _predicted, split


@pytest.fixture(scope="module")
def walk():
    return sampling.resample(replace(find("walk"), loop="once", contacts=None, contact_names=()), 60.0)


@pytest.fixture(scope="module")
def flow():
    return Upsampler.fit([sampling.resample(find("bow"), 60.0)], steps=5, hidden=(8,), layers=2)


def coarse(clip):
    return replace(clip, qpos=clip.qpos[::6], fps=10.0)


@pytest.mark.parametrize("draws", [0, 1, 4])
def test_coarse_frames_stay(flow, walk, draws):
    made = flow.upsample(coarse(walk), draws=draws)
    assert made.fps == 60.0 and made.n_frames == 6 * (coarse(walk).n_frames - 1) + 1
    assert (made.qpos[::6] == coarse(walk).qpos).all()


def test_without_draws_it_is_the_interpolation(flow, walk):
    for base in ("slerp", "spline"):
        made = replace(flow, base=base).upsample(coarse(walk), draws=0)
        wanted = sampling.sample(coarse(walk), np.arange(made.n_frames) / 60.0, base)
        assert made.qpos == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("base", ["slerp", "spline"])
def test_events_are_what_the_interpolation_lacks(flow, walk, base):
    """A model that knew the events would give the fast clip back: whatever its place and heading."""
    turned = editing.translate(editing.rotate(walk, 1.0), (3.0, -2.0, 0.0))

    class Known:
        name = "known"

        def sample(self, draws, conditions, generator):
            ((events, given),) = _intervals(walk, 6, base, 0)
            assert torch.allclose(conditions, given, atol=1e-5)
            return events.expand(draws, *events.shape)

    made = replace(flow, model=Known(), base=base, kernel=np.zeros((5, 5))).upsample(coarse(turned), draws=1)
    inner = slice(6, made.n_frames - 6)
    assert made.qpos[inner, :3] == pytest.approx(turned.qpos[inner, :3], abs=1e-5)
    error = sampling.difference(walk.skeleton, made.qpos[inner], turned.qpos[: made.n_frames][inner])
    assert np.abs(error).max() < 1e-5


def test_a_pair_of_draws_is_the_learned_spline(flow, walk):
    class Nothing:
        name = "nothing"

        def sample(self, draws, conditions, generator):
            return torch.zeros(draws, len(conditions), 5, walk.skeleton.nv)

    pair, learned = flow.upsample(coarse(walk)), replace(flow, model=Nothing()).upsample(coarse(walk), draws=1)
    assert pair.qpos == pytest.approx(learned.qpos, abs=1e-6)
    assert np.abs(pair.qpos - flow.upsample(coarse(walk), draws=1).qpos).max() > 1e-5
    assert np.abs(pair.qpos - flow.upsample(coarse(walk), draws=0).qpos).max() > 1e-6


def test_the_kernel_is_found_again(flow):
    wanted = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    steps = torch.randn(40, 5, 34, generator=torch.Generator().manual_seed(1))
    found = _kernel(_predicted(wanted, steps), steps)
    # white steps: the ridge shrinks by 1 / (1 + SHRINK), to the accuracy of their covariance
    torch.testing.assert_close(found * (1.0 + SHRINK), wanted, atol=0.02, rtol=0.0)


def test_the_learned_spline_beats_spline_and_slerp_on_recordings(mocap):
    clips = [find(str(path)) for path in sorted((mocap / "deepmimic" / "motions").glob("*.txt"))]
    fast = [clip for clip in clips if clip.fps >= 60.0 * 0.99]
    flow = Upsampler.fit(fast, steps=1, layers=2, hidden=(8,))
    errors = {"slerp": [], "spline": [], "learned": []}
    for clip in fast:
        truth = sampling.resample(split(clip)[2], 60.0)
        truth = replace(truth, qpos=truth.qpos[: (truth.n_frames - 1) // 6 * 6 + 1])
        if truth.n_frames < 19:
            continue
        ways = {"slerp": (replace(flow, base="slerp"), 0), "spline": (flow, 0), "learned": (flow, 2)}
        for name, (way, draws) in ways.items():
            made = way.upsample(coarse(truth), draws=draws)
            distance = np.linalg.norm(made.bodies[0] - truth.bodies[0], axis=-1).mean(1)
            errors[name].append(distance[6:-7].reshape(-1, 6)[:, 1:])
    slerp, spline, learned = (np.concatenate(errors[name]).mean() for name in ("slerp", "spline", "learned"))
    assert learned < spline < 0.5 * slerp


def test_same_seed_same_draw_and_files_keep_everything(flow, walk, tmp_path):
    again = Upsampler.load(flow.save(tmp_path / "flow.safetensors"))
    slow = coarse(walk)
    assert (flow.upsample(slow, draws=1, seed=3).qpos == again.upsample(slow, draws=1, seed=3).qpos).all()
    assert (flow.upsample(slow, draws=1, seed=3).qpos != flow.upsample(slow, draws=1, seed=4).qpos).any()
    assert (again.fps, again.factor, again.base, again.about) == (flow.fps, flow.factor, flow.base, flow.about)


def test_parts_are_contiguous_and_whole(walk):
    parts = split(walk)
    assert (np.concatenate([part.qpos for part in parts]) == walk.qpos).all()


def test_what_does_not_fit_is_said(flow, walk, tmp_path):
    from rlsuite.generative.linear.gaussian import Gaussian
    from rlsuite.generative.storage import save

    with pytest.raises(MotionError, match="60 Hz"):
        Upsampler.fit([coarse(walk)])
    with pytest.raises(MotionError, match="no clips"):
        Upsampler.fit([])
    with pytest.raises(MotionError, match="2 frames"):
        flow.upsample(replace(walk, qpos=walk.qpos[:1]))
    with pytest.raises(RecordError, match="no upsampler"):
        Upsampler.load(save(Gaussian(2), tmp_path / "other.safetensors"))
