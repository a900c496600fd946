"""Search spaces: which hyperparameters `rlsuite tune` varies for each algorithm, and between which values.

Ranges are those in which published settings of the algorithms lie. A hyperparameter that the command line fixes, or that
the algorithm does not have, is left out of its space.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from rlsuite.agents.base import Agent
from rlsuite.agents.hyperparameters import fields
from rlsuite.errors import HyperparameterError

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Floats:
    """A real number, drawn uniformly, or with ``log`` uniformly in its logarithm."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: optuna.Trial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Integers:
    """A whole number, both ends included."""

    low: int
    high: int
    log: bool = False

    def suggest(self, trial: optuna.Trial, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high, log=self.log)


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[bool | int | float | str | None, ...]

    def suggest(self, trial: optuna.Trial, name: str) -> Any:
        return trial.suggest_categorical(name, self.values)


Range: TypeAlias = Floats | Integers | Choice
SearchSpace: TypeAlias = dict[str, Range]

_GAMMA = Choice((0.9, 0.95, 0.98, 0.99, 0.995, 0.999))
_NETS = Choice(("32,32", "64,64", "128,128", "256,256"))
_ACTOR_CRITIC: SearchSpace = {
    "learning_rate": Floats(1e-5, 1e-2, log=True),
    "gamma": _GAMMA,
    "net_arch": _NETS,
    "activation": Choice(("tanh", "relu")),
}
_ROLLOUTS: SearchSpace = {
    **_ACTOR_CRITIC,
    "gae_lambda": Choice((0.8, 0.9, 0.92, 0.95, 0.98, 1.0)),
    "ent_coef": Floats(1e-8, 0.1, log=True),
    "vf_coef": Floats(0.2, 1.0),
    "max_grad_norm": Choice((0.3, 0.5, 1.0, 5.0)),
}
_Q: SearchSpace = {
    "learning_rate": Floats(1e-5, 1e-2, log=True),
    "gamma": _GAMMA,
    "net_arch": _NETS,
    "batch_size": Choice((16, 32, 64, 128, 256)),
    "buffer_size": Choice((10_000, 50_000, 100_000)),
    "learning_starts": Choice((100, 1_000, 5_000)),
    "train_freq": Choice((1, 4, 8, 16)),
    "gradient_steps": Choice((1, 4, -1)),
    "exploration_fraction": Floats(0.02, 0.5),
    "exploration_final_eps": Floats(0.01, 0.2),
}
_DQN: SearchSpace = {**_Q, "target_update_interval": Choice((100, 500, 1_000, 5_000, 10_000))}
_CONTINUOUS: SearchSpace = {
    "learning_rate": Floats(1e-5, 1e-2, log=True),
    "gamma": _GAMMA,
    "net_arch": Choice(("64,64", "256,256", "400,300")),
    "batch_size": Choice((64, 128, 256, 512)),
    "buffer_size": Choice((100_000, 300_000)),
    "learning_starts": Choice((100, 1_000, 5_000)),
    "train_freq": Choice((1, 4, 8)),
    "tau": Floats(0.001, 0.08, log=True),
}
_TABULAR: SearchSpace = {  # gamma belongs to the problem there
    "alpha": Floats(0.01, 1.0, log=True),
    "epsilon": Floats(0.01, 0.3, log=True),
    "lambda_": Floats(0.0, 0.99),
    "n": Integers(1, 16, log=True),
    "planning_steps": Integers(1, 50, log=True),
}

SPACES: dict[str, SearchSpace] = {
    "deep-q-learning": _Q,
    "dqn": _DQN,
    "rainbow": {
        **{name: range for name, range in _DQN.items() if not name.startswith("exploration")},
        "n_step": Integers(1, 10, log=True),
        "noisy_sigma": Floats(0.1, 1.0),
    },
    "reinforce": _ACTOR_CRITIC,
    "actor-critic": _ACTOR_CRITIC,
    "a2c": {**_ROLLOUTS, "n_steps": Choice((5, 8, 16, 32, 64, 128))},
    "ppo": {
        **_ROLLOUTS,
        "n_steps": Choice((128, 256, 512, 1024, 2048)),
        "batch_size": Choice((32, 64, 128)),
        "n_epochs": Choice((3, 5, 10, 20)),
        "clip_range": Choice((0.1, 0.2, 0.3)),
    },
    "sac": _CONTINUOUS,
    "td3": _CONTINUOUS,
    "ddpg": _CONTINUOUS,
}


def search_space(agent_type: type[Agent], fixed: Collection[str]) -> SearchSpace:
    """What to vary for this algorithm beside what is ``fixed``; stable-baselines3's algorithms share ours.

    Raises:
        HyperparameterError: nothing is left to vary.
    """
    declared = SPACES.get(agent_type.name.removeprefix("sb3:"), {} if agent_type.restarts_schedules else _TABULAR)
    known = fields(agent_type.Hyperparameters)
    space = {name: range for name, range in declared.items() if name in known and name not in fixed}
    if not space:
        why = "all that it has are fixed by --set" if any(name in known for name in declared) else "it declares none"
        raise HyperparameterError(f"there is nothing to tune: {agent_type.name} has no search space left ({why})")
    return space
