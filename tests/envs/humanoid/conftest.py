"""Environments and states of the humanoid, made once: compiling their loops takes a while the first time."""

import numpy as np
import pytest

from rlsuite.envs.humanoid.reference import Reference
from rlsuite.envs.humanoid.vector_env import HumanoidImitateVectorEnv
from rlsuite.motion.catalogue import find


@pytest.fixture(scope="session")
def walk() -> Reference:
    return Reference(find("walk"))


@pytest.fixture(scope="session")
def make():
    """Vector environments by their arguments; one worker thread, so that nothing depends on the machine."""

    def build(n=3, **arguments) -> HumanoidImitateVectorEnv:
        return HumanoidImitateVectorEnv(n, **({"threads": 1} | arguments))

    return build


@pytest.fixture(scope="session")
def actions():
    """``(steps, n, 28)`` of moderate size: some bodies fall, some do not."""

    def draw(n, steps, seed=0, size=28, scale=0.7):
        return np.random.default_rng(seed).uniform(-scale, scale, (steps, n, size))

    return draw
