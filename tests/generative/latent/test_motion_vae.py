"""The motion VAE: its experts, its bound as a sum of frames, its rollouts, and VAR as the linear case."""

import math

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.latent.experts import BlendedLinear, ExpertDecoder
from rlsuite.generative.latent.gaussians import Gaussians
from tests.generative.battery import generator, grid, perturbed
from tests.generative.latent.cases import WALKS

PAST, FUTURE = WALKS[:, :2].double(), WALKS[:, 2:].double()
SMALL = {"latent_size": 1, "hidden": (6,), "n_experts": 3, "gate_hidden": (4,)}


def small(**arguments):
    model = create("motion-vae", seed=1, event_shape=(3, 2), condition_shape=(2, 2), **{**SMALL, **arguments})
    model = perturbed(model).double().eval()
    model.normalizer.fit(FUTURE)
    return model


def test_a_blend_of_weights_is_a_blend_of_layers():
    layer = BlendedLinear(3, 4, 2).double()
    x = torch.randn(5, 4, generator=generator(1), dtype=torch.float64)
    blend = torch.rand(5, 3, generator=generator(2), dtype=torch.float64)
    for i in range(5):
        weight = torch.einsum("e,eoi->oi", blend[i], layer.weight)
        torch.testing.assert_close(layer(x, blend)[i], weight @ x[i] + blend[i] @ layer.bias)


def test_every_layer_sees_the_code():
    decoder = ExpertDecoder(1, 2, (5, 5), 2, n_experts=2, gate_hidden=(3,), activation="elu").double()
    code, past = torch.zeros(4, 1).double(), torch.randn(4, 2, generator=generator(1)).double()
    with torch.no_grad():
        decoder.gate[0].weight[:, 0] = 0.0  # the gate does not
        for chosen, layer in enumerate(decoder.layers):
            for i, other in enumerate(decoder.layers):
                other.weight[:, :, 0] = float(i == chosen)
            assert (decoder(code + 1.0, past) - decoder(code, past)).abs().min() > 1e-6, layer


def frames_of(condition, x):
    both = torch.cat([condition, x], 1)
    return [(both[:, t], both[:, t - 2 : t]) for t in range(2, both.shape[1])]


def test_the_past_of_a_frame_is_the_frames_before_it():
    model = create("motion-vae", event_shape=(3, 2), condition_shape=(2, 2), **SMALL).double()
    pasts = model._pasts(FUTURE, PAST)
    for t, (_, past) in enumerate(frames_of(PAST, FUTURE)):
        assert torch.equal(pasts[:, t], past)


@pytest.mark.parametrize("noise", [0.5, "predicted"])
def test_bounds_rise_with_the_particles_towards_the_sum_of_the_frames_evidences(noise):
    model, x, c, copies = small(noise=noise), FUTURE[:4], PAST[:4], 2000
    with torch.no_grad():
        model.encoder[-1].bias[1] += 0.5
    z, volume = grid(8.0, 1, 2000)
    evidence = torch.zeros(4, dtype=torch.float64)
    for frame, past in frames_of(c, x):
        frame, past = ((v - model.normalizer.mean[0]) / model.normalizer.scale[0] for v in (frame, past))
        for i in range(4):
            p = model.entries.log_prob(frame[i], model.parameters_of(z, past[i].expand(len(z), 2, 2)))
            p = p + Gaussians.standard(len(z), 1, z).log_prob(z)
            evidence[i] += (p.logsumexp(0) + math.log(volume)).detach()
    evidence += model.normalizer.log_det
    means, errors = [], []
    with torch.no_grad():
        for particles in (1, 4, 16):
            bounds = model.bound(x.expand(copies, 4, 3, 2), c, particles=particles, generator=generator(1))
            means.append(bounds.mean(0))
            errors.append(bounds.std(0) / copies**0.5)
    assert (means[0] < means[1]).all() and (means[1] < means[2]).all()
    assert (means[2] < evidence + 4 * errors[2]).all()


def test_the_loss_weighs_the_divergence_and_is_minus_the_bound_at_beta_1():
    x, c = FUTURE[:5], PAST[:5]
    losses = [small(beta=beta).loss(x, c, generator=generator(1)) for beta in (0.0, 1.0, 3.0)]
    bound = small().bound(x, c, generator=generator(1)) - small().normalizer.log_det
    torch.testing.assert_close(losses[1], -bound)
    torch.testing.assert_close(losses[2] - losses[0], 3.0 * (losses[1] - losses[0]))


def test_scheduled_sampling_feeds_back_what_the_model_put_out():
    """Always: the past of frame 2 is the decoder's own frame 1. Never: the loop gives the teacher's loss."""
    x, c = FUTURE[:5], PAST[:5]
    with torch.no_grad():
        own = small(scheduled_sampling=1.0, noise=0.5).train()
        z = (x - own.normalizer.mean) / own.normalizer.scale
        past, source, expected = own._before(c), generator(1), 0.0
        for t in range(3):
            reconstruction, kl, mean = own.terms(z[:, t], past, source)
            torch.rand(5, 1, generator=source, dtype=torch.float64)
            past, expected = torch.cat([past[:, 1:], mean[:, None]], 1), expected + kl - reconstruction
        torch.testing.assert_close(own.loss(x, c, generator=generator(1)), expected)
        assert not torch.allclose(own.loss(x, c, generator=generator(1)), own.eval().loss(x, c, generator=generator(1)))
    model = create("motion-vae", event_shape=(1, 2), condition_shape=(2, 2), scheduled_sampling=1.0, **SMALL).double()
    taught = model.eval().loss(x[:, :1], c, generator=generator(1))
    torch.testing.assert_close(model.train().loss(x[:, :1], c, generator=generator(1)), taught)  # one frame has no past


def test_streams_are_samples_and_do_not_end():
    model, steps, source = small(), [], generator(3)
    state = model.start(4, PAST[:4])
    for _ in range(9):
        frame, state = model.step(state, generator=source)
        steps.append(frame)
    assert torch.equal(torch.stack(steps[:3], 1), model.sample((), PAST[:4], generator=generator(3)))
    assert state.shape == (4, 2, 2)
    torch.testing.assert_close(state * model.normalizer.scale[0] + model.normalizer.mean[0], torch.stack(steps[-2:], 1))


def test_a_code_decodes_to_the_frames_it_came_from_where_the_decoder_inverts_the_encoder():
    """One expert, affine, residual: x = past + z and z = x − past; decoding rolls out on its own frames."""
    model = create("motion-vae", event_shape=(3, 2), condition_shape=(2, 2), latent_size=2, hidden=(), n_experts=1)
    model = model.double().eval()
    with torch.no_grad():
        for parameter in (*model.encoder.parameters(), *model.decoder.parameters()):
            parameter.zero_()
        model.encoder[0].weight[:2, :2] = torch.eye(2)  # the frame
        model.encoder[0].weight[:2, 4:6] = -torch.eye(2)  # the last of the two before
        model.decoder.layers[0].weight[0, :, :2] = torch.eye(2)
    codes = model.encode(FUTURE, PAST).detach()
    torch.testing.assert_close(codes, torch.cat([PAST[:, 1:], FUTURE], 1).diff(dim=1))
    torch.testing.assert_close(model.decode(codes, PAST).detach(), FUTURE)


def test_it_beats_var_where_the_next_frame_is_not_linear():
    """xₜ = ± 1 ahead of xₜ₋₁, at random: two modes, which no Gaussian next frame has."""
    signs = torch.randint(2, (3000, 3, 1), generator=generator(1)) * 2.0 - 1.0
    walk = (signs + 0.1 * torch.randn(3000, 3, 1, generator=generator(2))).cumsum(1)
    past, x = walk[:, :1], walk[:, 1:]
    model = create("motion-vae", seed=0, event_shape=(2, 1), condition_shape=(1, 1), latent_size=1, hidden=(32,))
    model.fit(x, past, steps=700, seed=0, learning_rate=5e-3, held_out=0.0)
    var = create("var", event_shape=(2, 1), condition_shape=(1, 1))
    var.fit(x, past, steps=1, held_out=0.0)
    with torch.no_grad():
        bound = model.bound(x, past, particles=32, generator=generator(3)).mean()
        assert bound > var.log_prob(x, past).mean() + 1.0


def test_wrong_shapes_are_named():
    with pytest.raises(HyperparameterError, match="frames, features"):
        create("motion-vae", event_shape=4, condition_shape=4)
    with pytest.raises(HyperparameterError, match="as many features"):
        create("motion-vae", event_shape=(3, 2), condition_shape=(1, 3))
    with pytest.raises(HyperparameterError, match="needs a condition"):
        small().start(2)
