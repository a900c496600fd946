"""``--set``: routing, grids, and reading values by their type."""

import pytest

from rlsuite.errors import HyperparameterError, UnknownNameError
from rlsuite.experiments.settings import expand, split_list, values_for


def labels(*arguments, **keywords):
    return [setting.label for setting in expand(*arguments, **keywords)]


def test_a_plain_value_goes_to_all_that_have_it():
    settings = expand(["sarsa", "q-learning", "value-iteration"], ["alpha=0.5"])
    assert [s.values for s in settings] == [{"alpha": 0.5}, {"alpha": 0.5}, {}]
    assert [s.label for s in settings] == ["sarsa", "q-learning", "value-iteration"]


def test_a_prefixed_value_goes_to_one_and_overrides_nothing_else():
    settings = expand(["sarsa", "q-learning"], ["q-learning.epsilon=0.05"])
    assert settings[0].values == {} and settings[1].values == {"epsilon": 0.05}


def test_commas_make_a_grid_and_grids_multiply():
    assert labels(["sarsa"], ["alpha=0.1,0.5", "epsilon=0.1,0.2"]) == [
        "sarsa alpha=0.1 epsilon=0.1",
        "sarsa alpha=0.1 epsilon=0.2",
        "sarsa alpha=0.5 epsilon=0.1",
        "sarsa alpha=0.5 epsilon=0.2",
    ]


def test_repeats_add_up_without_doubles():
    assert labels(["sarsa"], ["alpha=0.1", "alpha=0.5,0.1"]) == ["sarsa alpha=0.1", "sarsa alpha=0.5"]


def test_numbers_are_read_as_numbers():
    values = expand(["sarsa"], ["alpha=1e-3", "epsilon_decay_steps=1e4", "exploration=softmax"])[0].values
    assert values == {"alpha": 0.001, "epsilon_decay_steps": 10_000, "exploration": "softmax"}
    assert isinstance(values["epsilon_decay_steps"], int)


@pytest.mark.parametrize("text", ["64,32", "[64,32]", "[64, 32]"])
def test_sizes_of_layers_are_one_value_where_there_are_no_grids(text):
    values = values_for("ppo", [f"net_arch={text}"])
    assert [int(size) for size in values["net_arch"].split(",")] == [64, 32]


def test_brackets_tell_a_list_from_a_grid():
    settings = expand(["ppo", "sac"], ["net_arch=[64,64],[256,256]", "sac.net_arch=[]"])
    assert [s.values["net_arch"] for s in settings] == ["64,64", "256,256", "64,64", "256,256", ""]
    with pytest.raises(HyperparameterError, match=r"a list takes brackets: net_arch=\[64,64\]"):
        expand(["ppo"], ["net_arch=64,64"])


def test_gamma_reaches_every_algorithm_that_discounts():
    assert [s.values["gamma"] for s in expand(["sarsa", "value-iteration"], [], gamma=0.9)] == [0.9, 0.9]


def test_underscores_and_hyphens_are_the_same():
    assert labels(["q_learning"], ["q_learning.alpha=0.5"]) == ["q-learning"]


@pytest.mark.parametrize(
    ("algos", "assignment", "message"),
    [
        (["sarsa"], "alpa=0.1", "did you mean 'alpha'"),
        (["sarsa"], "sarsa.alpa=0.1", "did you mean 'alpha'"),
        (["sarsa"], "q-learning.alpha=0.1", "q-learning is not compared"),
        (["sarsa"], "alpha", "NAME=VALUE"),
        (["sarsa"], "alpha=", "NAME=VALUE"),
        (["sarsa"], "alpha=fast", "cannot read 'fast'"),
        (["sarsa"], "alpha=nan", "must be a number, not nan"),
        (["sarsa"], "alpha=0", r"\(0, 1\]"),
        (["sarsa"], "alpha=2", r"\(0, 1\]"),
        (["sarsa"], "exploration=boltzmann", "one of epsilon-greedy, softmax, ucb"),
        (["sarsa"], "epsilon_decay_steps=1.5", "cannot read|integer"),
        (["sarsaa"], "alpha=0.1", "did you mean 'sarsa'"),
    ],
)
def test_wrong_input_says_what_would_be_right(algos, assignment, message):
    with pytest.raises((HyperparameterError, UnknownNameError), match=message):
        expand(algos, [assignment])


def test_lists_take_brackets():
    assert split_list("[64,64],[256,256]") == ["[64,64]", "[256,256]"]
    assert split_list("0.1,0.5") == ["0.1", "0.5"]


def test_train_refuses_a_grid():
    assert values_for("sarsa", ["alpha=0.5"]) == {"alpha": 0.5}
    with pytest.raises(HyperparameterError, match="compare"):
        values_for("sarsa", ["alpha=0.1,0.5"])


def test_the_digest_sees_every_hyperparameter_and_the_context():
    one, other = expand(["sarsa"], ["alpha=0.1,0.2"])
    digests = {one.digest(horizon=10), one.digest(horizon=11), other.digest(horizon=10)}
    assert len(digests) == 3
    assert one.digest(horizon=10) == expand(["sarsa"], ["alpha=0.1"])[0].digest(horizon=10)
