"""One flat vector is optimised as torch optimises many tensors, and stays quick when units die."""

import numpy as np
import pytest
import torch

from rlsuite.agents.deep.optimisation import Optimiser

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
