"""Energy models for the battery."""

import torch

from rlsuite.generative import create
from tests.generative.battery import Case, generator, perturbed

BITS = (torch.randn(200, 1, generator=generator(1)) + torch.randn(200, 4, generator=generator(2)) > 0).float()

CURVE = torch.randn(200, 1, generator=generator(3))
CURVE = torch.cat([CURVE, CURVE.square()], 1) + 0.1 * torch.randn(200, 2, generator=generator(4))


def case(label, name, data, **arguments):
    return Case(label, lambda: perturbed(create(name, seed=0, event_shape=tuple(data.shape[1:]), **arguments)), data)


CASES = [
    case("rbm-cd", "rbm", BITS, n_hidden=3, gradient="cd", steps=2, sample_steps=20),
    case("rbm-pcd", "rbm", BITS.reshape(-1, 2, 2), n_hidden=3, n_chains=20, sample_steps=20),
    case("rbm-exact", "rbm", BITS, n_hidden=3, gradient="exact", sample_steps=20),
    case("boltzmann", "boltzmann", BITS, n_hidden=2, n_chains=20, sample_steps=10),
    case("boltzmann-exact-all-visible", "boltzmann", BITS, n_hidden=0, gradient="exact", sample_steps=10),
    case("gsn", "gsn", CURVE, hidden=(6,), sample_steps=5),
    case("gsn-bits", "gsn", BITS, hidden=(6,), likelihood="bernoulli", walkback=3, sample_steps=5),
]
