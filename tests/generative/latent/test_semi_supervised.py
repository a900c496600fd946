"""Kingma's M2: its two bounds, what one labelled event in a class does, and content kept under another label."""

import math

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.latent.gaussians import Gaussians
from tests.generative.battery import generator, grid, perturbed
from tests.generative.latent.cases import BENT, BITS, LABELS

UNKNOWN = torch.zeros(3)


def small(event_size=3, **arguments):
    model = create("semi-supervised-vae", seed=1, event_shape=event_size, condition_shape=3, latent_size=1, hidden=(6,),
                   **arguments)  # fmt: skip
    model = perturbed(model).double().eval()
    model.log_prior.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    return model


def by_quadrature(model, x):
    """log p(x, y) ``(n, 3)``."""
    z, volume = grid(8.0, 1, 2000)
    z, columns = z[:, None].expand(-1, len(x), -1), []
    for y in range(3):
        label = torch.eye(3).double()[[y] * len(x)]
        joint = model.entries.log_prob(x, model.parameters_of(z, label))
        joint = joint + Gaussians.standard(len(x), 1, z).log_prob(z)
        columns.append(joint.logsumexp(0) + math.log(volume) + model.log_prior[y])
    return torch.stack(columns, 1).detach()


def mean_bound(model, x, labels, particles=1, copies=4000):
    with torch.no_grad():
        bounds = model.bound(x.expand(copies, *x.shape), labels.double(), particles=particles, generator=generator(2))
    return bounds.mean(0), bounds.std(0) / copies**0.5


@pytest.mark.parametrize("data", [BENT, BITS])
def test_the_unlabelled_bound_is_the_labelled_ones_mean_plus_the_entropy(data):
    model = small(data.shape[1], **({"likelihood": "bernoulli"} if data is BITS else {"noise": 0.8}))
    x = data[:5].double()
    q = model.classify(x).detach()
    unlabelled, error = mean_bound(model, x, UNKNOWN)
    expected = -(q * q.log()).sum(1)
    for y in range(3):
        labelled, e = mean_bound(model, x, torch.eye(3)[y])
        expected, error = expected + q[:, y] * labelled, error + q[:, y] * e
    assert ((unlabelled - expected).abs() < 4.5 * error).all()


def test_certain_q_gives_the_labelled_bound_exactly():
    model, x = small(noise=0.8), BENT[:5].double()
    with torch.no_grad():
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.copy_(torch.tensor([-torch.inf, 0.0, -torch.inf]))
    unlabelled = model.bound(x, UNKNOWN, generator=generator(3))
    torch.testing.assert_close(unlabelled, model.bound(x, torch.eye(3)[1], generator=generator(3)))


def test_bounds_are_below_the_two_evidences():
    model, x = small(noise=0.8), BENT[:5].double()
    joint = by_quadrature(model, x)
    for y in range(3):
        bound, error = mean_bound(model, x, torch.eye(3)[y], particles=8)
        assert (bound < joint[:, y] + 4 * error).all()
    bound, error = mean_bound(model, x, UNKNOWN, particles=8)
    assert (bound < joint.logsumexp(1) + 4 * error).all()


def test_with_the_posterior_of_labels_only_the_codes_gap_is_left():
    """log p(x) − U is Σ_y q(y | x) (log p(x, y) + L(x, y)) + KL(q(y | x) ‖ p(y | x)), and the last part is then 0."""
    model, x = small(noise=0.8), BENT[:1].double()
    joint = by_quadrature(model, x)
    with torch.no_grad():
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.copy_(joint[0])  # q(y | x) ∝ p(x, y) for this x
    q = joint.softmax(1)[0]
    bounds = [mean_bound(model, x, torch.eye(3)[y], copies=20_000) for y in range(3)]
    gap = sum(q[y] * (joint[0, y] - bounds[y][0][0]) for y in range(3))
    unlabelled, error = mean_bound(model, x, UNKNOWN, copies=20_000)
    total = error[0] + sum(q[y] * bounds[y][1][0] for y in range(3))
    assert abs(joint.logsumexp(1)[0] - unlabelled[0] - gap) < 4.5 * total


def test_the_loss_adds_the_cross_entropy_of_known_labels():
    model, x = small(classification=3.5), BENT[:4].double()
    model.labelled.fill_(0.5)
    labels = torch.stack([torch.eye(3)[0], torch.eye(3)[2], UNKNOWN, UNKNOWN]).double()
    expected = -model.bound(x, labels, generator=generator(1))
    expected = expected + 7.0 * torch.stack(
        [-model.classify(x)[0, 0].log(), -model.classify(x)[1, 2].log(), *expected.new_zeros(2)]
    )
    torch.testing.assert_close(model.loss(x, labels, generator=generator(1)), expected)


def test_the_prior_is_the_labels_frequency():
    model = small()
    labels = LABELS.clone()
    labels[::2] = 0.0
    model.fit(BENT, labels, steps=1, held_out=0.0)
    counts = 1.0 + labels.sum(0)
    torch.testing.assert_close(model.log_prior.exp(), (counts / counts.sum()).double())
    assert model.labelled == 0.5


@pytest.fixture(scope="module")
def two_lines():
    """Two clusters far apart, each spread along one line: the cluster is the label, the place on the line the content."""
    y = torch.arange(1000) % 2
    content = torch.randn(1000, generator=generator(5))
    x = torch.stack([content, 4.0 * y - 2.0 + 0.3 * torch.randn(1000, generator=generator(6))], 1)
    labels = torch.zeros(1000, 2)
    labels[:4] = torch.eye(2)[y[:4]]  # four labels among a thousand events
    model = create(
        "semi-supervised-vae",
        seed=0,
        event_shape=2,
        condition_shape=2,
        latent_size=1,
        hidden=(32,),
        noise=0.2,
        classification=10.0,
    )
    model.fit(x, labels, steps=800, seed=0, learning_rate=5e-3, held_out=0.0, batch_size=500)
    return model, x, y, content


def test_a_few_labels_suffice(two_lines):
    model, x, y, _ = two_lines
    assert (model.classify(x).argmax(1) == y).float().mean() > 0.95


def test_another_label_changes_the_label_and_keeps_the_content(two_lines):
    model, x, y, _ = two_lines
    with torch.no_grad():
        z = model.encode(x, torch.eye(2)[y])
        other = model.decode(z, torch.eye(2)[1 - y])
    assert (model.classify(other).argmax(1) == 1 - y).float().mean() > 0.95
    assert torch.corrcoef(torch.stack([other[:, 0], x[:, 0]]))[0, 1] > 0.95


def test_samples_without_a_label_have_labels_of_their_prior():
    model = small(noise=0.01)
    with torch.no_grad():
        model.decoder[-1].weight.zero_()
        model.decoder[0].weight.zero_()
        model.decoder[0].weight[:3, 1:] = 100.0 * torch.eye(3).double()
        model.decoder[-1].weight[:, :3] = 0.01 * torch.eye(3).double()
        model.decoder[0].bias.zero_()
        model.decoder[-1].bias.zero_()  # x is the one-hot label
    drawn = model.sample(20_000, UNKNOWN, generator=generator(4))
    torch.testing.assert_close((drawn > 0.5).double().mean(0), model.log_prior.exp(), atol=0.02, rtol=0.0)
    assert (model.sample(50, torch.eye(3)[2], generator=generator(4))[:, 2] > 0.5).all()


def test_labels_that_are_none_are_named():
    with pytest.raises(HyperparameterError, match="one-hot"):
        small().loss(BENT[:2], torch.full((2, 3), 0.5))
    with pytest.raises(HyperparameterError, match="number of labels"):
        create("semi-supervised-vae", event_shape=2, condition_shape=(2, 2))
