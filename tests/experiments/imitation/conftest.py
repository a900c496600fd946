"""Episodes that are cheap and whose outcome is known: standing still needs no policy, walking without one falls."""

import numpy as np
import pytest

from rlsuite.experiments.imitation.episodes import evaluation_env, play


def nothing(observations):
    """The policy whose targets are the reference itself."""
    return np.zeros((len(observations), 28), np.float32)


def limp(observations):
    """A policy that bends every joint as far as it may."""
    return np.ones((len(observations), 28), np.float32)


@pytest.fixture(scope="session")
def standing():
    env = evaluation_env({"clip": "idle", "threads": 1}, 3, seconds=2.0)
    return play(nothing, env, 0)


@pytest.fixture(scope="session")
def falling():
    env = evaluation_env({"clip": "walk", "threads": 1, "reward": "mimickit", "start": "fixed"}, 3, seconds=4.0)
    return play(limp, env, 0)
