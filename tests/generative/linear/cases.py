"""Linear models for the battery."""

import torch

from rlsuite.generative import create
from tests.generative.battery import Case, generator

MIXING = torch.tensor([[1.0, 0.4], [0.0, 0.7]])
CASES = [
    Case(
        "gaussian",
        lambda: _fitted(),
        torch.randn(300, 2, generator=generator(9)) @ MIXING + 0.5,
        facts={"quadrature": 8.0},
    )
]


def _fitted():
    model = create("gaussian", event_shape=2)
    model.fit(torch.randn(300, 2, generator=generator(8)) @ MIXING + 0.5, steps=1)
    return model
