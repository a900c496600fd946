"""Linear models for the battery."""

import torch

from rlsuite.generative import create
from tests.generative.battery import Case, generator

MIXING = torch.tensor([[1.0, 0.4], [0.0, 0.7]])
PLANE = torch.randn(300, 2, generator=generator(3)) @ torch.tensor([[1.0, 0.5, 0.2], [0.3, -0.8, 0.4]])
PLANE = PLANE + 0.3 * torch.randn(300, 3, generator=generator(4)) + 1.0
WALKS = 0.5 * torch.randn(300, 5, 2, generator=generator(5)).cumsum(1) + 2.0
CASES = [
    Case(
        "gaussian",
        lambda: _fitted(),
        torch.randn(300, 2, generator=generator(9)) @ MIXING + 0.5,
        facts={"quadrature": 8.0},
    ),
    Case("pca", lambda: _fitted_to(PLANE, "pca", event_shape=(3,), latent_size=2), PLANE),
    Case(
        "ppca",
        lambda: _fitted_to(PLANE[:, :2], "ppca", event_shape=(2,), latent_size=1),
        PLANE[:, :2],
        facts={"quadrature": 12.0},
    ),
    Case("ppca-3", lambda: _fitted_to(PLANE, "ppca", event_shape=(3, 1), latent_size=2), PLANE[:, :, None]),
    Case("var", lambda: _fitted_to(WALKS[:, :4], "var", event_shape=(4, 2), order=3), WALKS[:, :4]),
    Case(
        "var-short",
        lambda: _fitted_to(WALKS[:, :2, :1], "var", event_shape=(2, 1), order=1),
        WALKS[:, :2, :1],
        facts={"quadrature": 12.0},
    ),
    Case(
        "var-given-frames",
        lambda: _fitted_to(WALKS[:, 2:], "var", WALKS[:, :2], event_shape=(3, 2), condition_shape=(2, 2), order=2),
        WALKS[:, 2:],
        WALKS[:, :2],
    ),
]


def _fitted():
    model = create("gaussian", event_shape=2)
    model.fit(torch.randn(300, 2, generator=generator(8)) @ MIXING + 0.5, steps=1)
    return model


def _fitted_to(data, name, condition=None, **arguments):
    model = create(name, **arguments)
    model.fit(data.reshape(-1, *model.event_shape), condition, steps=1)
    return model
