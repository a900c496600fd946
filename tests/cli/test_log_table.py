"""The log table equals what stable-baselines3 prints, character by character."""

import io

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from stable_baselines3.common.logger import HumanOutputFormat

from rlsuite.cli.log_table import log_table


def printed_by_sb3(row):
    file = io.StringIO()
    HumanOutputFormat(file).write(dict(row), dict.fromkeys(row))
    return file.getvalue()


PPO = {
    "rollout/ep_len_mean": 61.03,
    "rollout/ep_rew_mean": 61.03,
    "time/fps": 1891,
    "time/iterations": 4,
    "time/time_elapsed": 4,
    "time/total_timesteps": 8192,
    "train/approx_kl": 0.008473617024719715,
    "train/clip_fraction": 0.0909,
    "train/clip_range": 0.2,
    "train/entropy_loss": -0.667,
    "train/explained_variance": 0.3016,
    "train/learning_rate": 0.0003,
    "train/loss": 12.3,
    "train/n_updates": 30,
    "train/policy_gradient_loss": -0.0183,
    "train/value_loss": 36.4,
}
ROWS = {
    "ppo": PPO,
    "one key": {"time/fps": 1},
    "no group": {"loss": 0.5, "alpha": 3},
    "with and without group": {"b": 1, "a/x": 2.0, "c/y": 3.0, "abc": 4, "d": 5},
    "nested group": {"eval/best/mean": 1.5, "eval/best/std": 0.5, "eval/mean": 2},
    "groups with one beginning": {"train/x": 1, "train-extra/x": 2, "trainer/x": 3, "train": 4},
    "long": {"train/" + "a_very_long_name_of_a_measure_indeed": 1.0, "train/" + "b" * 33: "v" * 37, "g" * 40: "w" * 36},
    "long group": {"g" * 50 + "/x": 1, "g" * 35 + "/x": 2},
    "numbers": {
        "a/large": 123456.789,
        "a/huge": 1e30,
        "a/whole": 100.0,
        "a/tiny": -1.23456e-9,
        "a/nan": float("nan"),
        "a/inf": -float("inf"),
        "a/zero": 0.0,
        "b/int": 10**12,
        "b/numpy": np.float64(1 / 3),
        "b/single": np.float32(0.25),
        "b/count": np.int64(7),
        "b/bool": True,
        "b/none": None,
        "b/text": "runs/CartPole-v1",
    },
    "slash first": {"/odd": 1, "/": 2},
}


@pytest.mark.parametrize("name", ROWS)
def test_equals_stable_baselines3(name):
    assert log_table(ROWS[name]) == printed_by_sb3(ROWS[name])


@given(
    st.dictionaries(
        st.from_regex(r"\A([a-c]{1,3}/)?[a-z_]{1,12}\Z"),
        st.one_of(st.floats(), st.integers(), st.text("xyz", max_size=50)),
        min_size=1,
    )
)
@example({"a/x": 0.00099995, "a/y": 999.5})
def test_equals_stable_baselines3_on_any_row(row):
    assert log_table(row) == printed_by_sb3(row)


def test_an_empty_row_prints_nothing():
    assert log_table({}) == ""


def test_keys_that_look_alike_when_cut_are_both_shown():
    """There stable-baselines3 raises ValueError, which would end the training for a table's sake."""
    lines = log_table({"train/" + "x" * 40 + "a": 1, "train/" + "x" * 40 + "b": 2}).splitlines()
    assert [line.split("|")[2].strip() for line in lines[1:-1]] == ["", "1", "2"]
