"""How much to learn: whole amounts, however they are written."""

import math

import numpy as np
import pytest

import rlsuite
from rlsuite.errors import HyperparameterError


@pytest.mark.parametrize("name", ["q-learning", "value-iteration"])
@pytest.mark.parametrize("amount", [-1, 0.5, math.nan, math.inf])
def test_amounts_that_are_none_are_refused(name, amount):
    agent = rlsuite.agent(name, "CliffWalking-v1", seed=0)
    with pytest.raises(HyperparameterError, match="whole number"):
        agent.learn(amount)
    assert agent.num_timesteps == 0


@pytest.mark.parametrize("amount", [100, 1e2, np.int64(100)])
def test_amounts_may_be_written_in_any_way(amount):
    assert rlsuite.agent("q-learning", "CliffWalking-v1", seed=0).learn(amount).num_timesteps == 100


def test_nothing_more_is_allowed():
    assert rlsuite.agent("q-learning", "CliffWalking-v1", seed=0).learn(0).num_timesteps == 0
