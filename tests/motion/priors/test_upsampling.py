"""Super-resolution by a flow: coarse frames stay, a flow of nothing is the interpolation, errors are what they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rlsuite.errors import MotionError, RecordError
from rlsuite.motion import editing, sampling
from rlsuite.motion.catalogue import find
from rlsuite.motion.priors.upsampling import Upsampler, _intervals, split


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

    made = replace(flow, model=Known(), base=base).upsample(coarse(turned), draws=2)
    inner = slice(6, made.n_frames - 6)
    assert made.qpos[inner, :3] == pytest.approx(turned.qpos[inner, :3], abs=1e-5)
    error = sampling.difference(walk.skeleton, made.qpos[inner], turned.qpos[: made.n_frames][inner])
    assert np.abs(error).max() < 1e-5


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
