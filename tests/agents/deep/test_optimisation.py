"""One flat vector is optimised as torch optimises many tensors, and stays quick when units die."""

import math

import numpy as np
import pytest
import torch

from rlsuite.agents.deep.optimisation import Optimiser
from rlsuite.errors import RecordError

X, Y = torch.linspace(-1, 1, 40).view(8, 5), torch.linspace(0, 1, 16).view(8, 2)


def networks(n=2):
    made = []
    for _ in range(n):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made.append(torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 2)))
    return made


def loss(network):
    return (network(X) - Y).square().mean()


@pytest.mark.parametrize("max_grad_norm", [None, 0.05])
def test_adam_is_that_of_torch(max_grad_norm):
    ours, theirs = networks()
    flat = Optimiser(ours, learning_rate=0.01, eps=1e-5, max_grad_norm=max_grad_norm)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01, eps=1e-5)
    for i in range(100):
        flat.learning_rate = adam.param_groups[0]["lr"] = 0.01 / (1 + i)
        flat.step(loss(ours))
        adam.zero_grad()
        loss(theirs).backward()
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_grad_norm)
        adam.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_moments_never_become_denormal_numbers():
    network = networks(1)[0]
    optimiser = Optimiser(network, learning_rate=0.01)
    optimiser.step(loss(network))
    optimiser.flat.gradient.zero_()  # as of units that no longer fire
    smallest = np.finfo(np.float32).tiny
    for _ in range(1500):
        optimiser.apply()
        for moment in (optimiser._momentum, optimiser._square):
            assert not ((moment != 0) & (moment.abs() < smallest)).any()
    assert (optimiser._momentum == 0).all() and (optimiser._square > 0).any()


def test_flushing_moments_changes_nothing_that_matters():
    ours, theirs = networks()
    optimiser = Optimiser(ours, learning_rate=0.01)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for i in range(800):  # the gradient falls silent for a while and comes back
        scale = 0.0 if 100 < i < 700 else 1.0
        optimiser.step(loss(ours) * scale)
        adam.zero_grad()
        (loss(theirs) * scale).backward()
        adam.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    "damage",
    [
        {"n_updates": "3"},
        {"n_updates": -1},
        {"n_updates": True},
        {"learning_rate": math.nan},
        {"learning_rate": -1.0},
        {"learning_rate": "fast"},
    ],
)
def test_values_that_no_optimiser_saves_are_refused(damage):
    optimiser = Optimiser(torch.nn.Linear(2, 1), learning_rate=0.1)
    with pytest.raises(RecordError, match=next(iter(damage))):
        optimiser.load_state(optimiser.state_arrays(), optimiser.state_values() | damage)


def test_negative_second_moments_are_refused():
    optimiser = Optimiser(torch.nn.Linear(2, 1), learning_rate=0.1)
    arrays = {name: array.copy() for name, array in optimiser.state_arrays().items()}
    arrays["square"][0] = -1.0
    with pytest.raises(RecordError, match="second moments must not be negative"):
        optimiser.load_state(arrays, optimiser.state_values())
