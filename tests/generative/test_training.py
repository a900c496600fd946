"""The step size of fitting, on a loss whose gradient is 1 everywhere, so that Adam moves by exactly the step size."""

import pytest
import torch
from torch import nn

from rlsuite.generative.model import GenerativeModel


class Slope(GenerativeModel):
    def __init__(self):
        super().__init__(1)
        self.place = nn.Parameter(torch.zeros((), dtype=torch.float64))

    def _loss(self, x, condition, generator):
        return self.place.expand(len(x))


@pytest.mark.parametrize(("cosine_decay", "way"), [(False, 20.0), (True, 10.5)])
def test_the_step_size_falls_along_half_a_cosine(cosine_decay, way):
    model, steps = Slope(), 20  # Σ ½ (1 + cos(π t / n)) over t = 0 … n − 1 is (n + 1) / 2
    model.fit(torch.zeros(8, 1), steps=steps, learning_rate=0.1, cosine_decay=cosine_decay, held_out=0.0)
    assert model.place.item() == pytest.approx(-0.1 * way, rel=1e-6)
