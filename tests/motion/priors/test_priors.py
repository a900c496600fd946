"""Motion priors: coordinates that lose nothing, splits that do not leak, scores in closed form, rollouts, files."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import CapabilityError, HyperparameterError, MotionError, RecordError
from rlsuite.generative import storage
from rlsuite.generative.registry import create
from rlsuite.motion import editing
from rlsuite.motion.catalogue import NAMES, find
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.priors.coordinates import PoseCoordinates
from rlsuite.motion.priors.data import blurred, motion_data
from rlsuite.motion.priors.prior import MotionPrior


@pytest.fixture(scope="module")
def clips():
    """Shipped clips with some noise in the joints: synthetic ones move in so few directions that densities degenerate."""
    rng, noisy = np.random.default_rng(0), []
    for name in ("walk", "turn_left", "wave"):
        clip = find(name)
        noise = np.zeros_like(clip.qpos)
        noise[:, 2:3], noise[:, 7:] = (0.05 * rng.standard_normal((clip.n_frames, n)) for n in (1, 28))
        noisy.append(replace(clip, qpos=clip.qpos + noise))
    return noisy


@pytest.mark.parametrize("name", NAMES)
def test_coordinates_lose_nothing(name):
    clip = find(name)
    coordinates = PoseCoordinates(clip.skeleton)
    values = coordinates.encode(clip)
    start = (*clip.qpos[0, :2], 2.0 * math.atan2(clip.qpos[0, 6], clip.qpos[0, 3]))
    again = MotionClip(coordinates.decode(values, clip.fps, start), clip.fps, clip.skeleton)
    np.testing.assert_allclose(again.bodies[0], clip.bodies[0], atol=1e-9)
    assert values.shape == (clip.n_frames, 34) and coordinates.size == len(set(coordinates.names))
    joints = PoseCoordinates(clip.skeleton, root=False)
    np.testing.assert_array_equal(joints.encode(clip), values[:, 6:])


@given(st.floats(-3.0, 3.0), st.floats(-5.0, 5.0), st.floats(-5.0, 5.0))
@settings(max_examples=20, deadline=None)
def test_coordinates_do_not_know_place_or_heading(angle, x, y):
    clip = find("walk")
    coordinates = PoseCoordinates(clip.skeleton)
    moved = editing.translate(editing.rotate(clip, angle), (x, y, 0.0))
    np.testing.assert_allclose(coordinates.encode(moved), coordinates.encode(clip), atol=1e-9)


def test_the_parts_are_contiguous_and_training_events_stay_inside(clips):
    data = motion_data(clips, "window", length=8, past=3)
    data = replace(data, rows=np.arange(len(data.rows), dtype=np.float32)[:, None])  # each row is its number
    inside, test = ({i for a, b, _ in data.ranges[name] for i in range(a, b)} for name in ("train", "test"))
    for event in data.part("train").events[..., 0].int().tolist():
        assert event == list(range(event[0], event[0] + 8)) and set(event) <= inside
    last = data.part("test").events[:, -1, 0].int().tolist()
    assert set(last) == test and len(last) == len(test)  # every frame is judged once
    assert not test & inside


def test_mirror_images_are_trained_on_but_not_tested_on(clips):
    plain, both = (motion_data(clips, "next", mirror=mirror) for mirror in (False, True))
    assert len(both.part("train").events) == 2 * len(plain.part("train").events)
    for name in ("validation", "test"):
        assert torch.equal(both.part(name).events, plain.part(name).events)


def test_nats_are_those_of_the_gaussian_by_hand(clips):
    data = motion_data(clips, "pose", root=False)
    prior = MotionPrior.fit("gaussian", data, steps=1)
    train, test = (data.part(name).events.double().numpy() for name in ("train", "test"))
    sd = train.std(axis=0)
    z, z_test = ((x - train.mean(axis=0)) / sd for x in (train, test))
    model = prior.model
    covariance = model.covariance.double().numpy()
    np.testing.assert_allclose(covariance, z.T @ z / len(z), atol=2e-3)
    sign, log_det = np.linalg.slogdet(covariance)
    expected = 0.5 * (np.einsum("ni,ij,nj->n", z_test, np.linalg.inv(covariance), z_test) + log_det
                      + z.shape[1] * np.log(2.0 * np.pi))  # fmt: skip
    assert sign == 1.0
    found = prior.score_part(data.part("test"))
    assert found.nats == pytest.approx(expected.mean(), rel=1e-3)
    assert found.raw == pytest.approx(found.nats + np.log(data.spread).sum())
    assert found.exact and found.frames == len(test)


def test_windows_and_next_frames_are_judged_alike(clips):
    """A WaveNet as it begins is the vector autoregression that it is made from, so both have the same nats per frame."""
    following = MotionPrior.fit("var", motion_data(clips, "next", past=2), steps=1)
    data = motion_data(clips, "window", past=2, length=6)
    chain = MotionPrior.fit("wavenet", data, steps=1, learning_rate=1e-12, lags=2, channels=8, levels=1)
    a, b = following.score_part(motion_data(clips, "next", past=2).part("test")), chain.score_part(data.part("test"))
    assert a.frames == b.frames
    assert a.nats == pytest.approx(b.nats, rel=0.1)  # windows weigh frames at the ends less


def test_frames_of_a_sequence_add_up_to_its_log_probability():
    torch.manual_seed(0)
    model = create("wavenet", seed=1, event_shape=(5, 3), lags=2, channels=4, levels=1)
    data = torch.randn(64, 5, 3) * 2.0 + 1.0
    model.fit(data, steps=2, seed=0)
    with torch.no_grad():
        frames, whole = model.frame_log_prob(data), model.log_prob(data)
    torch.testing.assert_close(frames.sum(1), whole, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("name", "kind"), [("var", "next"), ("wavenet", "window"), ("realnvp", "pose")])
def test_samples_are_clips_and_the_seed_decides(name, kind, clips, tmp_path):
    data = motion_data(clips, kind, past=2, length=5)
    small = {"wavenet": {"channels": 8, "levels": 1}, "realnvp": {"layers": 2, "hidden": (8,)}}.get(name, {})
    prior = MotionPrior.fit(name, data, steps=5, seed=3, **small)
    again = MotionPrior.load(prior.save(tmp_path / "prior"))
    drawn, other = prior.sample(2, seconds=1.0, seed=1), again.sample(2, seconds=1.0, seed=1)
    for a, b in zip(drawn, other, strict=True):
        np.testing.assert_array_equal(a.qpos, b.qpos)
        low, high = np.array([j.range or (-np.inf, np.inf) for j in a.skeleton.joints[1:]]).T
        assert ((a.qpos[:, 7:] >= low - 1e-12) & (a.qpos[:, 7:] <= high + 1e-12)).all()
        assert a.provenance[-1]["model"] == name
    assert not np.array_equal(drawn[0].qpos, prior.sample(2, seconds=1.0, seed=2)[0].qpos)
    assert [clip.n_frames for clip in drawn] == ([2] if kind == "pose" else [24, 24])
    assert again.score(clips[0]) == prior.score(clips[0])


def test_what_does_not_belong_to_the_data_is_less_likely(clips):
    prior = MotionPrior.fit("gaussian", motion_data(clips, "pose"), steps=1)
    odd = replace(clips[0], qpos=clips[0].qpos + np.where(np.arange(35) >= 7, 0.5, 0.0))
    assert prior.score(odd).nats > prior.score(clips[0]).nats + 100.0


def test_what_cannot_be_is_said(clips, tmp_path):
    with pytest.raises(MotionError, match="pose, next, window, not 'poses'"):
        motion_data(clips, "poses")
    with pytest.raises(MotionError, match="takes no condition"):
        MotionPrior.fit("gaussian", motion_data(clips, "next"), steps=1)
    energy = MotionPrior.fit("autoencoder", motion_data(clips, "pose"), steps=2)
    with pytest.raises(CapabilityError, match="lacks Density and Bound"):
        energy.score(clips[0])
    prior = MotionPrior.fit("gaussian", motion_data(clips, "pose"), steps=1)
    storage.save(prior.model, tmp_path / "plain")
    with pytest.raises(RecordError, match="not of motion"):
        MotionPrior.load(tmp_path / "plain.safetensors")
    path = prior.save(tmp_path / "prior")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordError):
        MotionPrior.load(path)
    with pytest.raises(MotionError, match="8 frames"):
        motion_data([editing.cut(clips[0], 0.0, 0.2)], "window").part("train")


def test_learned_models_beat_the_linear_ones_on_real_motion(mocap):
    """Fifteen published clips: the VAE's bound of a pose against every PPCA, WaveNet's next frame against VAR(1 to 3)."""
    real = [find(path) for path in sorted((mocap / "deepmimic/motions").glob("*.txt"))]
    poses = motion_data(real, "pose", root=False, mirror=True)
    linear = [MotionPrior.fit("gaussian", poses, steps=1)]
    linear += [MotionPrior.fit("ppca", poses, steps=1, latent_size=k) for k in (8, 12, 16, 20)]
    vae = MotionPrior.fit("vae", poses, steps=3000, patience=8, latent_size=16, noise="predicted")
    assert vae.about["test"]["nats_per_frame"] < min(p.about["test"]["nats_per_frame"] for p in linear) - 1.0
    orders = [
        MotionPrior.fit("var", motion_data(real, "next", root=False, mirror=True, past=p), steps=1) for p in (1, 2, 3)
    ]
    windows = motion_data(real, "window", root=False, mirror=True, past=2)
    wave = MotionPrior.fit(
        "wavenet", windows, steps=800, learning_rate=2e-4, patience=6, lags=2, components=3, channels=32, levels=2,
        dropout=0.3,
    )  # fmt: skip
    assert wave.about["test"]["nats_per_frame"] < min(p.about["test"]["nats_per_frame"] for p in orders) - 1.0


@pytest.mark.parametrize("kind", ["pose", "next", "window"])
def test_blur_moves_all_frames_of_an_event_alike_and_each_a_fifth_as_much_again(kind):
    part = motion_data([find("walk")], kind, past=2, length=5).part("train")
    spreads, copies = np.linspace(0.1, 1.0, 34), 400
    found = blurred(part, spreads, copies, np.random.default_rng(0))
    n = len(part.events)
    off = (found.events - part.events.repeat(copies, *[1] * (part.events.dim() - 1))).reshape(copies * n, -1, 34)
    if kind == "next":
        assert part.condition is not None and found.condition is not None
        off = torch.cat([found.condition - part.condition.repeat(copies, 1, 1), off], 1)
    within = 5.0 / math.sqrt(2.0 * copies * n)  # five standard errors of a standard deviation
    np.testing.assert_allclose(off.std((0, 1)), spreads * math.sqrt(1.0 + 0.2**2), rtol=within)
    if kind != "pose":
        np.testing.assert_allclose((off[:, 1] - off[:, 0]).std(0), spreads * 0.2 * math.sqrt(2.0), rtol=within)


def test_a_blurred_prior_is_as_wide_as_blur_and_clips_together():
    data = motion_data([find("walk")], "pose")
    sharp, wide = (MotionPrior.fit("gaussian", data, steps=1, blur=blur) for blur in (0.0, 2.0))
    variances = [
        prior.model.sample(20_000, generator=torch.Generator().manual_seed(0)).var(0) for prior in (sharp, wide)
    ]
    added = (2.0 * data.coordinates.tolerances) ** 2 * (1.0 + 0.2**2)
    np.testing.assert_allclose(variances[1], variances[0] + torch.from_numpy(added), rtol=0.25)
    with pytest.raises(HyperparameterError, match="blur"):
        MotionPrior.fit("gaussian", data, steps=1, blur=-1.0)
