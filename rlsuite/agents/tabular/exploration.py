"""Exploration rules and step sizes, shared by all tabular learners.

* epsilon-greedy: a uniform action with probability epsilon, else a greedy one, ties broken at random
  (Sutton & Barto 2018, sec. 2.2); epsilon constant, or decaying linearly, exponentially or as 1/episode;
* softmax (Boltzmann): probability proportional to exp(Q / temperature) (sec. 2.8);
* UCB: argmax of Q + c sqrt(ln N(s) / N(s, a)), untried actions first, ties broken at random (sec. 2.7);
* optimistic initial values: the tables simply start at ``initial_value`` (sec. 2.6).

The step size of the n-th update of a table entry is ``alpha / n**alpha_power``: constant at power 0, the sample average
at alpha 1 and power 1; the Robbins-Monro conditions hold for powers in (1/2, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.agents.tabular.kernels import kernel

EPSILON_GREEDY, SOFTMAX, UCB = 0, 1, 2
RULES = ("epsilon-greedy", "softmax", "ucb")
CONSTANT, LINEAR, EXPONENTIAL, INVERSE = 0, 1, 2, 3
DECAYS = ("constant", "linear", "exponential", "1/episode")


@dataclass(frozen=True)
class ExplorationHyperparameters:
    """Fields that every agent with a behaviour policy has."""

    exploration: str = hyperparameter("epsilon-greedy", "how actions are explored", choices=RULES)
    epsilon: float = hyperparameter(
        0.1, "probability of a uniform action (at the start, if it decays)", low=0.0, high=1.0
    )
    epsilon_decay: str = hyperparameter("constant", "how epsilon changes", choices=DECAYS)
    epsilon_final: float = hyperparameter(0.0, "where linear and exponential decay end", low=0.0, high=1.0)
    epsilon_decay_steps: int = hyperparameter(10_000, "environment steps that linear and exponential decay take", low=1)
    temperature: float = hyperparameter(1.0, "of softmax exploration", low=0.0, low_open=True)
    ucb_c: float = hyperparameter(2.0, "width of the UCB bonus", low=0.0)


class Exploration(NamedTuple):
    """The rule and its constants, with the counts it depends on."""

    rule: int
    decay: int
    epsilon: float
    epsilon_final: float
    epsilon_decay_steps: int
    temperature: float
    ucb_c: float
    step: NDArray[np.int64]  # (1,) actions chosen so far, to be taken
    episode: NDArray[np.int64]  # (1,) episodes begun so far
    tried: NDArray[
        np.int64
    ]  # (n_observations, n_actions) times that each action was chosen to be taken; (0, 0) unless UCB


def make_exploration(h: ExplorationHyperparameters, n_observations: int, n_actions: int) -> Exploration:
    """The kernel's view of the hyperparameters."""
    shape = (n_observations, n_actions) if h.exploration == "ucb" else (0, 0)
    return Exploration(
        rule=RULES.index(h.exploration),
        decay=DECAYS.index(h.epsilon_decay),
        epsilon=h.epsilon,
        epsilon_final=h.epsilon_final,
        epsilon_decay_steps=h.epsilon_decay_steps,
        temperature=h.temperature,
        ucb_c=h.ucb_c,
        step=np.zeros(1, np.int64),
        episode=np.zeros(1, np.int64),
        tried=np.zeros(shape, np.int64),
    )


@kernel
def max_value(q, s):
    """max_a q[s, a]."""
    best = q[s, 0]
    for a in range(1, q.shape[1]):
        if q[s, a] > best:
            best = q[s, a]
    return best


@kernel
def greedy_action(q, s, rng):
    """argmax_a q[s, a]; a uniform choice among exact ties (no random number is drawn where there is none)."""
    best, chosen, ties = q[s, 0], 0, 1
    for a in range(1, q.shape[1]):
        if q[s, a] > best:
            best, chosen, ties = q[s, a], a, 1
        elif q[s, a] == best:
            ties += 1
    if ties > 1:
        skip = int(rng.random() * ties)
        for a in range(q.shape[1]):
            if q[s, a] == best:
                if skip == 0:
                    return a
                skip -= 1
    return chosen


@kernel
def current_epsilon(e):
    """Epsilon now, under its decay schedule."""
    if e.decay == CONSTANT:
        return e.epsilon
    if e.decay == INVERSE:
        return e.epsilon / max(1, e.episode[0])
    progress = min(1.0, e.step[0] / e.epsilon_decay_steps)
    if e.decay == LINEAR:
        return e.epsilon + (e.epsilon_final - e.epsilon) * progress
    # exponential decay never reaches 0, so an end at 0 is read as one thousandth of the start
    final = max(e.epsilon_final, 1e-3 * e.epsilon)
    return e.epsilon * (final / e.epsilon) ** progress if e.epsilon > 0.0 else 0.0


@kernel
def upper_bound(q, s, a, e):
    """Q(s,a) + c sqrt(ln N(s) / N(s,a)); infinite for an action never tried (eq. 2.10)."""
    if e.tried[s, a] == 0:
        return np.inf
    visits = 0
    for b in range(q.shape[1]):
        visits += e.tried[s, b]
    return q[s, a] + e.ucb_c * math.sqrt(math.log(visits) / e.tried[s, a])


@kernel
def choose_action(q, s, e, rng):
    """An action of the behaviour policy in ``s``, and the counts moved on."""
    n_actions = q.shape[1]
    chosen = 0
    if e.rule == EPSILON_GREEDY:
        if rng.random() < current_epsilon(e):
            chosen = int(rng.random() * n_actions)
        else:
            chosen = greedy_action(q, s, rng)
    elif e.rule == SOFTMAX:
        top, total = max_value(q, s), 0.0
        for a in range(n_actions):
            total += math.exp((q[s, a] - top) / e.temperature)
        u, cumulative, chosen = rng.random() * total, 0.0, n_actions - 1
        for a in range(n_actions):
            cumulative += math.exp((q[s, a] - top) / e.temperature)
            if cumulative > u:
                chosen = a
                break
    else:
        best, ties = -np.inf, 0
        for a in range(n_actions):
            bound = upper_bound(q, s, a, e)
            if bound > best:
                best, chosen, ties = bound, a, 1
            elif bound == best:
                ties += 1
        if ties > 1:
            skip = int(rng.random() * ties)
            for a in range(n_actions):
                if upper_bound(q, s, a, e) == best:
                    if skip == 0:
                        chosen = a
                        break
                    skip -= 1
        e.tried[s, chosen] += 1
    e.step[0] += 1
    return chosen


@kernel
def withdraw_action(e, s, a):
    """Uncount ``a``, drawn in ``s`` for a target: the episode was truncated there, and it is not taken."""
    e.step[0] -= 1
    if e.rule == UCB:
        e.tried[s, a] -= 1


@kernel
def action_probability(q, s, a, e):
    """Probability that :func:`choose_action` would now take ``a`` in ``s``, random ties shared among their actions."""
    n_actions = q.shape[1]
    if e.rule == EPSILON_GREEDY:
        top, ties = max_value(q, s), 0
        for b in range(n_actions):
            ties += q[s, b] == top
        epsilon = current_epsilon(e)
        return epsilon / n_actions + ((1.0 - epsilon) / ties if q[s, a] == top else 0.0)
    if e.rule == SOFTMAX:
        top, total = max_value(q, s), 0.0
        for b in range(n_actions):
            total += math.exp((q[s, b] - top) / e.temperature)
        return math.exp((q[s, a] - top) / e.temperature) / total
    bound, ties = upper_bound(q, s, a, e), 0
    for b in range(n_actions):
        other = upper_bound(q, s, b, e)
        if other > bound:
            return 0.0
        ties += other == bound
    return 1.0 / ties


@kernel
def expected_value(q, s, e):
    """sum_a pi(a|s) Q(s,a) under the behaviour policy."""
    n_actions, total = q.shape[1], 0.0
    if e.rule == EPSILON_GREEDY:  # in one pass: however many actions tie, together they weigh 1 - epsilon
        for a in range(n_actions):
            total += q[s, a]
        epsilon = current_epsilon(e)
        return (1.0 - epsilon) * max_value(q, s) + epsilon / n_actions * total
    if e.rule == SOFTMAX:
        top, weights = max_value(q, s), 0.0
        for a in range(n_actions):
            weight = math.exp((q[s, a] - top) / e.temperature)
            weights += weight
            total += weight * q[s, a]
        return total / weights
    for a in range(n_actions):
        total += action_probability(q, s, a, e) * q[s, a]
    return total


@kernel
def begin_episode(e):
    """Count an episode (for schedules by episode)."""
    e.episode[0] += 1


@kernel
def step_size(alpha, alpha_power, updates, s, a):
    """alpha / n**alpha_power, where n counts the updates of entry (s, a), this one included."""
    if alpha_power == 0.0:
        return alpha
    updates[s, a] += 1
    return alpha / updates[s, a] ** alpha_power
