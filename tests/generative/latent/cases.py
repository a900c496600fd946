"""Latent-variable models for the battery."""

import torch

from rlsuite.generative import create
from tests.generative.battery import Case, generator, perturbed

N = 200
BENT = torch.randn(N, 1, generator=generator(1))
BENT = torch.cat([BENT, BENT.square(), BENT.sin()], 1) + 0.1 * torch.randn(N, 3, generator=generator(2))
BITS = (torch.randn(N, 1, generator=generator(3)) + torch.randn(N, 4, generator=generator(4)) > 0).float()
VALUES = torch.randint(3, (N, 2, 2), generator=generator(5)).float()
LABELS = torch.eye(3)[torch.randint(3, (N,), generator=generator(6))]
SOME_LABELS = LABELS * (torch.arange(N) % 2)[:, None]
WALKS = 0.5 * torch.randn(N, 5, 2, generator=generator(7)).cumsum(1) + 2.0
SMALL = {"latent_size": 2, "hidden": (6,)}


def case(label, name, data, condition=None, facts=None, **arguments):
    """``name`` with its weights perturbed, seeing events like ``data``."""

    def make():
        shapes = {} if condition is None else {"condition_shape": tuple(condition.shape[1:])}
        return perturbed(create(name, seed=0, event_shape=tuple(data.shape[1:]), **shapes, **arguments))

    return Case(label, make, data, condition, facts or {})


CASES = [
    case("vae", "vae", BENT, **SMALL),
    case("vae-full-rank-noise-predicted", "vae", BENT, **SMALL, posterior="full", noise="predicted"),
    case("vae-bits-free", "vae", BITS, **SMALL, likelihood="bernoulli", free_bits=0.1),
    case("vae-categorical-weighted", "vae", VALUES, **SMALL, likelihood="categorical", n_values=3, particles=4),
    case("vae-conditional", "vae", BENT, LABELS, **SMALL, noise=0.5),
    case("linear-vae", "linear-vae", BENT[:, :2], facts={"quadrature": 12.0}, latent_size=1, beta=2.0),
    case("beta-vae", "beta-vae", BENT, **SMALL, beta=3.0, noise="predicted"),
    case("beta-vae-bits", "beta-vae", BITS, **SMALL, likelihood="bernoulli"),
    case("constrained-vae", "constrained-vae", BENT, **SMALL, rate=0.5),
    case("cvae", "cvae", BENT, LABELS, **SMALL),
    case(
        "cvae-categorical-full-rank",
        "cvae",
        VALUES,
        LABELS,
        **SMALL,
        likelihood="categorical",
        n_values=3,
        posterior="full",
    ),
    case("semi-supervised-vae", "semi-supervised-vae", BENT, SOME_LABELS, **SMALL),
    case("semi-supervised-vae-bits", "semi-supervised-vae", BITS, SOME_LABELS, **SMALL, likelihood="bernoulli"),
    case("autoencoder", "autoencoder", BENT, **SMALL),
    case("autoencoder-denoising-overcomplete", "autoencoder", BENT, latent_size=5, hidden=(6,), corruption="gaussian"),
    case("autoencoder-masking-sparse", "autoencoder", BENT, **SMALL, corruption="masking", sparsity=0.1),
    case("motion-vae", "motion-vae", WALKS[:, 2:], WALKS[:, :2], **SMALL, n_experts=2, gate_hidden=(4,)),
    case(
        "motion-vae-rolled-out",
        "motion-vae",
        WALKS[:, 1:],
        WALKS[:, :1],
        **SMALL,
        noise="predicted",
        beta=0.2,
        scheduled_sampling=0.5,
        residual=False,
    ),
]
