"""Hyperparameters of deep Q-learning, DQN and Rainbow, named and defaulted as in stable-baselines3 where it has them."""

from __future__ import annotations

from dataclasses import dataclass

from rlsuite.agents.hyperparameters import hyperparameter


@dataclass(frozen=True)
class DeepQLearningHyperparameters:
    """Fields of deep Q-learning; ``dqn`` adds those of the target network."""

    learning_rate: float = hyperparameter(1e-4, "step size of Adam", low=0.0, low_open=True)
    buffer_size: int = hyperparameter(1_000_000, "transitions kept for replay", low=1)
    learning_starts: int = hyperparameter(100, "steps with random actions before the first update", low=0)
    batch_size: int = hyperparameter(32, "transitions in a minibatch", low=1)
    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    train_freq: int = hyperparameter(4, "steps of every environment between updates", low=1)
    gradient_steps: int = hyperparameter(1, "updates in a row; -1: as many as steps were taken", low=-1)
    exploration_fraction: float = hyperparameter(
        0.1, "share of the training over which epsilon falls", low=0.0, high=1.0
    )
    exploration_initial_eps: float = hyperparameter(1.0, "epsilon at the beginning", low=0.0, high=1.0)
    exploration_final_eps: float = hyperparameter(0.05, "epsilon at the end", low=0.0, high=1.0)
    max_grad_norm: float = hyperparameter(10.0, "largest norm of the gradient", low=0.0, low_open=True)
    net_arch: str = hyperparameter("64,64", "sizes of the hidden layers behind the encoder")
    activation: str = hyperparameter("relu", "between layers", choices=("relu", "tanh", "elu", "silu"))
    use_action_masks: bool = hyperparameter(False, "obey the masks that the environment gives in info['action_mask']")
    double: bool = hyperparameter(False, "double Q-learning: one network chooses the action that the other values")
    dueling: bool = hyperparameter(False, "dueling head: value plus advantages")
    n_step: int = hyperparameter(1, "rewards in a target before it bootstraps", low=1)
    prioritised: bool = hyperparameter(False, "prioritised replay")
    prioritised_alpha: float = hyperparameter(0.6, "0: uniform, 1: in proportion to errors", low=0.0, high=1.0)
    prioritised_beta: float = hyperparameter(
        0.4, "correction of prioritised sampling at the beginning; 1 at the end", low=0.0, high=1.0
    )
    distributional: str = hyperparameter(
        "none", "learn the distribution of the return: categorical or quantiles", choices=("none", "c51", "quantile")
    )
    n_atoms: int = hyperparameter(51, "atoms of c51", low=2)
    v_min: float = hyperparameter(-10.0, "lowest return that c51 represents")
    v_max: float = hyperparameter(10.0, "highest return that c51 represents")
    n_quantiles: int = hyperparameter(51, "quantiles", low=1)
    noisy: bool = hyperparameter(False, "noise in the weights explores in place of epsilon")
    noisy_sigma: float = hyperparameter(0.5, "initial scale of that noise", low=0.0)


@dataclass(frozen=True)
class DQNHyperparameters(DeepQLearningHyperparameters):
    """Fields of DQN."""

    tau: float = hyperparameter(1.0, "weight of the network in an update of the target network", low=0.0, high=1.0)
    target_update_interval: int = hyperparameter(10_000, "steps between updates of the target network", low=1)


@dataclass(frozen=True)
class RainbowHyperparameters(DQNHyperparameters):
    """Fields of Rainbow: DQN with every flag on."""

    double: bool = hyperparameter(True, "double Q-learning: one network chooses the action that the other values")
    dueling: bool = hyperparameter(True, "dueling head: value plus advantages")
    n_step: int = hyperparameter(3, "rewards in a target before it bootstraps", low=1)
    prioritised: bool = hyperparameter(True, "prioritised replay")
    distributional: str = hyperparameter(
        "c51", "learn the distribution of the return: categorical or quantiles", choices=("none", "c51", "quantile")
    )
    noisy: bool = hyperparameter(True, "noise in the weights explores in place of epsilon")
