"""Speed of the tabular wing beside its peers, in one run: ``python benchmarks/tabular.py [--quick]``.

(a) environment steps per second of the learners against a plain Gymnasium loop doing the same work, one thread against
    one process, and the whole machine apart;
(b) value iteration on an N x N gridworld against QuantEcon and pymdptoolbox, to the same sup-norm error;
(c) what compilation costs once, and what it costs afterwards.

Prints a table for each and, as its last line, one JSON object of named ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: two cores must not be oversubscribed
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import gymnasium as gym
from plain_loops import ALPHA, EPSILON, GAMMA, LOOPS, PLANNING_STEPS

from rlsuite.agents.registry import agent_class

ENVS = ("CliffWalking-v1", "FrozenLake-v1")


def suite_agent(algo: str, env_id: str, seed: int) -> Any:
    """The suite's agent with the constants of the plain loops."""
    values = {"alpha": ALPHA, "gamma": GAMMA, "epsilon": EPSILON}
    if algo == "dyna-q":
        values["planning_steps"] = PLANNING_STEPS
    return agent_class(algo)(env_id, seed=seed, **values)


def seconds(function: Any, *arguments: Any) -> float:
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def learners(quick: bool) -> dict[str, float]:
    """Benchmark (a)."""
    plain_steps, suite_steps, rounds = (8_000, 2_000_000, 3) if quick else (50_000, 10_000_000, 5)
    cores = os.cpu_count() or 1
    print(f"(a) environment steps per second, median of {rounds} rounds, the two in turn")
    print(
        f"{'environment':<18}{'algorithm':<12}{'plain loop':>12}{'suite x1':>14}{'ratio':>8}"
        f"{f'suite x{cores}':>14}{'ratio':>8}"
    )
    ratios: dict[str, float] = {}
    for env_id in ENVS:
        for algo, loop in LOOPS.items():
            suite_agent(algo, env_id, 0).learn(1000)  # compiled before the clock starts
            plain, single, machine = [], [], []
            for seed in range(rounds):
                plain.append(plain_steps / seconds(loop, gym.make(env_id), plain_steps, seed))
                single.append(suite_steps / seconds(suite_agent(algo, env_id, seed).learn, suite_steps))
                agents = [suite_agent(algo, env_id, i) for i in range(cores)]
                with ThreadPoolExecutor(cores) as pool:
                    took = seconds(lambda: list(pool.map(lambda agent: agent.learn(suite_steps), agents)))  # noqa: B023
                machine.append(cores * suite_steps / took)
            one = statistics.median(s / p for s, p in zip(single, plain, strict=True))
            whole = statistics.median(m / p for m, p in zip(machine, plain, strict=True))
            print(
                f"{env_id:<18}{algo:<12}{statistics.median(plain):>12,.0f}{statistics.median(single):>14,.0f}{one:>8.0f}"
                f"{statistics.median(machine):>14,.0f}{whole:>8.0f}"
            )
            ratios[f"{algo}/{env_id}/one-thread"] = round(one, 1)
            ratios[f"{algo}/{env_id}/whole-machine"] = round(whole, 1)
    return ratios


def compilation() -> dict[str, float]:
    """Benchmark (c): a fresh process learns one step, without and with the cache on disk."""
    script = (
        "import sys, time; t = time.perf_counter();"
        "from rlsuite.agents.registry import agent_class;"
        "agent_class(sys.argv[1])('CliffWalking-v1', seed=0).learn(1); print(time.perf_counter() - t)"
    )
    print("\n(c) seconds from import to the first learned step in a fresh process")
    print(f"{'algorithm':<12}{'compiling':>12}{'from cache':>12}")
    ratios = {}
    for algo in LOOPS:
        with tempfile.TemporaryDirectory() as folder:
            times = []
            for _ in range(2):
                environment = {**os.environ, "RLSUITE_CACHE_DIR": folder}
                command = [sys.executable, "-c", script, algo]
                output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
                times.append(float(output))
        print(f"{algo:<12}{times[0]:>12.2f}{times[1]:>12.2f}")
        ratios[f"{algo}/compile-over-cached"] = round(times[0] / times[1], 1)
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer steps, smaller grids")
    quick = parser.parse_args().quick
    import value_iteration

    ratios = learners(quick)
    print()
    ratios |= value_iteration.benchmark(quick)
    ratios |= compilation()
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
