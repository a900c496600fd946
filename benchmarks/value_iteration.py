"""Value iteration on an N x N gridworld beside QuantEcon, pymdptoolbox and bettermdptools, to the same error.

``python benchmarks/value_iteration.py [--quick]``; gamma 0.99, slip 0.2, a cost of 1 a step, sup-norm error 1e-6.

The peers all compute T^n 0 from synchronous sweeps. They are given the smallest n that reaches the error, so they
neither stop too late by their own rule nor spend a sweep too many; building their inputs is not timed. Ours runs with
``sweep="blocked"`` until its own guarantee holds, and its preparation (ordering the states, packing) is timed. Each
result is checked against V*, whose own error is bounded by its Bellman residual. One thread each; ours is compiled
before the clock starts, as QuantEcon's kernels are.

bettermdptools pins an old numpy, so it runs in an environment of its own: ``sh benchmarks/bettermdptools_env.sh`` makes
it in ``.venv-bettermdptools``; it is left out where that is missing, and above 10^4 states (it keeps every iterate).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gymnasium as gym
import numpy as np
import scipy.sparse

import rlsuite  # noqa: F401  (registers the environments)
from rlsuite.agents.tabular.dynamic_programming import value_iteration
from rlsuite.agents.tabular.planning_kernels import make_backup, sweep_synchronous
from rlsuite.envs.finite.mdp import FiniteMDP

GAMMA, ERROR = 0.99, 1e-6
HERE = Path(__file__).resolve().parent
PEER_PYTHON = HERE.parent / ".venv-bettermdptools" / "bin" / "python"
Solution = tuple[float, np.ndarray]  # seconds, values


def clock(solve: Callable[[], np.ndarray], rounds: int) -> Solution:
    """The fastest of ``rounds``, and the values."""
    best = np.inf
    for _ in range(rounds):
        began = time.perf_counter()
        values = solve()
        best = min(best, time.perf_counter() - began)
    return best, np.asarray(values)


def suite(mdp: FiniteMDP, rounds: int) -> Solution:
    return clock(lambda: value_iteration(mdp, GAMMA, ERROR, sweep="blocked").values, rounds)


def sweeps_needed(mdp: FiniteMDP, exact: np.ndarray) -> int:
    """The smallest n with |T^n 0 - V*| <= ERROR."""
    backup = make_backup(mdp, GAMMA)
    v, new, n = np.zeros(mdp.n_states), np.empty(mdp.n_states), 0
    while np.abs(v - exact).max() > ERROR:
        sweep_synchronous(backup, v, new)
        v, new, n = new, v, n + 1
    return n


def quantecon(mdp: FiniteMDP, n: int, rounds: int) -> Solution:
    from quantecon.markov import DiscreteDP

    transition, reward = with_absorbing_state(mdp)
    n_states, k = mdp.n_states + 1, mdp.n_actions
    states, actions = np.repeat(np.arange(n_states), k), np.tile(np.arange(k), n_states)
    problem = DiscreteDP(reward, transition, GAMMA, states, actions)
    zero = np.zeros(n_states)
    problem.value_iteration(v_init=zero, epsilon=1e-300, max_iter=2)  # compiles
    seconds, values = clock(lambda: problem.value_iteration(v_init=zero, epsilon=1e-300, max_iter=n).v, rounds)
    return seconds, values[:-1]


def pymdptoolbox(mdp: FiniteMDP, n: int, rounds: int) -> Solution:
    import mdptoolbox.mdp

    class ValueIteration(mdptoolbox.mdp.ValueIteration):
        def _boundIter(self, epsilon: float) -> None:
            """Leave out its bound on the number of iterations, a Python loop over the states: we give the number."""

    transition, reward = with_absorbing_state(mdp)
    k = mdp.n_actions
    matrices = [transition[a::k].tocsr() for a in range(k)]
    rewards = np.ascontiguousarray(reward.reshape(-1, k))

    def solve() -> np.ndarray:
        problem.iter, problem.V = 0, np.zeros(mdp.n_states + 1)
        problem.run()
        return np.array(problem.V)

    mdptoolbox.mdp._util.check = lambda *_: None  # compares with a dense matrix: 1.6 GB at 40 000 states
    problem = ValueIteration(matrices, rewards, GAMMA, epsilon=1e-300, max_iter=n)
    seconds, values = clock(solve, rounds)
    return seconds, values[:-1]


def bettermdptools(mdp: FiniteMDP, n: int) -> Solution:
    with tempfile.TemporaryDirectory() as folder:
        problem, answer = Path(folder, "mdp.npz"), Path(folder, "values.npz")
        np.savez(
            problem, offset=mdp.offset, probability=mdp.probability, next_state=mdp.next_state, reward=mdp.reward,
            terminated=mdp.terminated, n_actions=mdp.n_actions,
        )  # fmt: skip
        script = HERE / "bettermdptools_value_iteration.py"
        subprocess.run([PEER_PYTHON, script, problem, answer, str(GAMMA), str(n)], check=True)
        with np.load(answer) as found:
            return float(found["seconds"]), found["values"]


def with_absorbing_state(mdp: FiniteMDP) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
    """``(P, r)`` for peers without termination: ended episodes go to one more state, and stay there for nothing."""
    k, n = mdp.n_actions, mdp.n_states
    going_on = mdp.continuation.tocoo()
    ended = np.maximum(1.0 - np.asarray(mdp.continuation.sum(axis=1)).ravel(), 0.0)
    ending = np.flatnonzero(ended > 1e-12)
    rows = np.concatenate([going_on.row, ending, np.arange(n * k, (n + 1) * k)])
    columns = np.concatenate([going_on.col, np.full(ending.size + k, n)])
    data = np.concatenate([going_on.data, ended[ending], np.ones(k)])
    transition = scipy.sparse.csr_matrix((data, (rows, columns)), shape=((n + 1) * k, n + 1))
    return transition, np.concatenate([mdp.expected_reward.ravel(), np.zeros(k)])


def exact_values(mdp: FiniteMDP) -> np.ndarray:
    """V*, to an error that its Bellman residual proves to be negligible beside ERROR."""
    solution = value_iteration(mdp, GAMMA, ERROR / 100, sweep="blocked")
    values = solution.values
    q = mdp.expected_reward + GAMMA * (mdp.continuation @ values).reshape(mdp.n_states, -1)
    proven = np.abs(q.max(axis=1) - values).max() / (1 - GAMMA)
    assert proven < ERROR / 20, f"V* is only known to {proven:g}"
    return values


def benchmark(quick: bool) -> dict[str, float]:
    """Print the table; return named ratios (peer's time over ours; our cost per state, largest over 10^4 states)."""
    sizes, rounds = ([100, 200], 3) if quick else ([100, 316, 1000], 2)
    print(f"value iteration, N x N gridworld, gamma {GAMMA}, slip 0.2, sup-norm error {ERROR:g}, one thread")
    print(f"{'states':>9}  {'solver':<16}{'sweeps':>8}{'seconds':>10}{'us/state':>10}{'error':>10}{'peer/ours':>11}")
    ratios: dict[str, float] = {}
    cost: dict[int, float] = {}
    suite(gym.make("rlsuite/NGridWorld-v0", size=10).unwrapped.mdp, 1)  # compiles
    for size in sizes:
        mdp = gym.make("rlsuite/NGridWorld-v0", size=size, slip=0.2).unwrapped.mdp
        exact = exact_values(mdp)
        n = sweeps_needed(mdp, exact)
        repeats = rounds if size < 1000 else 1
        solvers: dict[str, Callable[[], Solution]] = {
            "rlsuite": lambda mdp=mdp: suite(mdp, 3),
            "quantecon": lambda mdp=mdp, n=n, rounds=repeats: quantecon(mdp, n, rounds),
            "pymdptoolbox": lambda mdp=mdp, n=n, rounds=repeats: pymdptoolbox(mdp, n, rounds),
        }
        if size == 100 and PEER_PYTHON.exists():
            solvers["bettermdptools"] = lambda mdp=mdp, n=n: bettermdptools(mdp, n)
        ours = peers = np.inf
        for name, solve in solvers.items():
            seconds, values = solve()
            error = np.abs(values - exact).max()
            assert error <= 1.001 * ERROR, f"{name} is off by {error:g}"
            if name == "rlsuite":
                ours, cost[size] = seconds, seconds / mdp.n_states
            else:
                peers = min(peers, seconds)
                ratios[f"value-iteration/{mdp.n_states}/{name}"] = round(seconds / ours, 2)
            print(
                f"{mdp.n_states:>9}  {name:<16}{'own rule' if name == 'rlsuite' else n:>8}{seconds:>10.3f}"
                f"{1e6 * seconds / mdp.n_states:>10.2f}{error:>10.1e}{seconds / ours:>11.1f}",
                flush=True,
            )
        ratios[f"value-iteration/{mdp.n_states}/best-peer"] = round(peers / ours, 2)
    ratios[f"value-iteration/cost-per-state-{sizes[-1] ** 2}-over-{sizes[0] ** 2}"] = round(
        cost[sizes[-1]] / cost[sizes[0]], 2
    )
    return ratios


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute: up to 40 000 states")
    print(json.dumps(benchmark(parser.parse_args().quick)))
