"""An agent in one file: advantage learning, Q-learning that widens the gap between the best action and the others.

    python my_agent.py                         # checks it, then runs it beside Q-learning
    rlsuite compare --algo my_agent:advantage-learning q-learning --env CliffWalking-v1 --seeds 20

Its operator takes from the Bellman backup of (s, a) a share of what a loses against the best action (Bellemare et al.
2016, "Increasing the action gap", eq. 10; after Baird 1999). The greedy policy it converges to is optimal all the same.

Three things make an agent: a memory, two kernels, and a class that names them. It then runs compiled or on any discrete
Gymnasium environment, saves, loads, resumes and compares like the suite's own.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents import agent_class, check_agent, register
from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.agent import ActionValueAgent
from rlsuite.agents.tabular.exploration import (
    Exploration,
    ExplorationHyperparameters,
    begin_episode,
    choose_action,
    make_exploration,
    max_value,
)
from rlsuite.agents.tabular.interaction import begins, observes


@dataclass(frozen=True)
class AdvantageHyperparameters(ExplorationHyperparameters):
    """Each field has a default, a help line and a range; constructor and command line read them from here."""

    gamma: float = hyperparameter(0.99, "discount factor", low=0.0, high=1.0)
    alpha: float = hyperparameter(0.1, "step size", low=0.0, high=1.0, low_open=True)
    gap: float = hyperparameter(0.5, "share of the advantage that is taken off; 0 is Q-learning", low=0.0, high=1.0)


class AdvantageMemory(NamedTuple):
    """Every table the agent needs. Arrays are saved and loaded, numbers come from the hyperparameters."""

    q: NDArray[np.float64]  # (n_observations, n_actions)
    exploration: Exploration
    gamma: float
    alpha: float
    gap: float


@begins(AdvantageMemory)
def begin_advantage(m, s, rng):
    """The first action of an episode."""
    begin_episode(m.exploration)
    return choose_action(m.q, s, m.exploration, rng)


@observes(AdvantageMemory)
def observe_advantage(m, s, a, r, s_next, terminated, truncated, rng):
    """Q(s,a) += alpha [r + gamma max_b Q(s',b) - gap (max_b Q(s,b) - Q(s,a)) - Q(s,a)]; then the next action."""
    target = r - m.gap * (max_value(m.q, s) - m.q[s, a])
    if not terminated:  # an episode that was only truncated still has a future
        target += m.gamma * max_value(m.q, s_next)
    m.q[s, a] += m.alpha * (target - m.q[s, a])
    if terminated or truncated:
        return 0
    return choose_action(m.q, s_next, m.exploration, rng)


@register
class AdvantageLearning(ActionValueAgent):
    """Advantage learning (Bellemare et al. 2016)."""

    name = "advantage-learning"
    Hyperparameters = AdvantageHyperparameters

    def make_memory(self, n_observations: int, n_actions: int) -> AdvantageMemory:
        h = self.hyperparameters
        return AdvantageMemory(
            q=np.zeros((n_observations, n_actions)),
            exploration=make_exploration(h, n_observations, n_actions),
            gamma=h.gamma,
            alpha=h.alpha,
            gap=h.gap,
        )


if __name__ == "__main__":
    check_agent(AdvantageLearning)
    print("check_agent: passed")
    for name in ("advantage-learning", "q-learning"):
        agents = [agent_class(name)("CliffWalking-v1", seed=seed).learn(total_episodes=500) for seed in range(20)]
        tops = np.array([np.sort(agent.action_values[36:37], axis=1)[0, -2:] for agent in agents])  # the start state
        online = np.mean([agent.episode_returns.mean() for agent in agents])
        print(f"{name}: gap at the start {np.diff(tops).mean():.2f}, mean return of an episode {online:.1f}")
