"""Speed of the humanoid environment, in one run: ``python benchmarks/humanoid.py [--quick] [--threads 2] [--peers]``.

(a) control steps per second of the vector environment, with observations, rewards, terminations, resets and autoreset,
    against bare ``Batch.step`` (not persistent, no further stage) of the same model, states, substeps and threads;
(b) the single environment against ``mj_step`` in a loop;
(c) scaling over the threads of the pool;
(d) shares of a step: physics and everything else;
(e) with ``--peers``: against Gymnasium's ``AsyncVectorEnv`` over the single environment, and Gymnasium's Humanoid-v5 in its
    own vector environments (that one has 17 actuators and 5 substeps of 3 ms per step, so only its order counts).

Both sides of a ratio run in turn, many times over; the ratio is of the medians. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: the pool's threads alone

import gymnasium as gym
import mujoco
import numpy as np
from mujoco.batch import Batch

import rlsuite  # registers the environments

ID = "rlsuite/HumanoidImitate-v0"
WANTED = {16: 0.60, 64: 0.75, 256: 0.85, 1024: 0.85}  # of bare stepping


def rates(works: dict[str, Callable[[], object]], steps: float, rounds: int) -> dict[str, float]:
    """``steps`` per second of each, done in turn so that a busy moment of the machine hits them all: median of rounds."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - began)
    return {name: steps / statistics.median(taken) for name, taken in times.items()}


def stepping(env: gym.vector.VectorEnv[Any, Any, Any], repeats: int, seed: int = 0) -> Callable[[], None]:
    """Steps with small random actions, drawn beforehand; bodies fall and are reset."""
    shape = env.single_action_space.shape
    assert shape is not None
    script = np.random.default_rng(seed).normal(0.0, 0.15, (16, env.num_envs, *shape)).astype(np.float32)
    env.reset(seed=seed)

    def work() -> None:
        for k in range(repeats):
            env.step(script[k % len(script)])

    return work


def bare(env: Any, repeats: int, threads: int) -> Callable[[], None]:
    """The physics alone, from the states in which the environment is."""
    physics = env.unwrapped.physics
    batch = Batch(physics.model, env.num_envs, min(threads, env.num_envs))

    def work() -> None:
        batch.state[:] = physics.batch.state
        for _ in range(repeats):
            batch.step(nstep=physics.substeps)

    return work


def single(repeats: int) -> tuple[Callable[[], None], Callable[[], None]]:
    env = gym.make(ID)
    env.reset(seed=0)
    core = env.unwrapped.core
    model, data = core.physics.model, mujoco.MjData(core.physics.model)
    script = np.random.default_rng(0).normal(0.0, 0.15, (repeats, *env.action_space.shape)).astype(np.float32)
    n, spec = core.physics.batch.nstate, mujoco.mjtState.mjSTATE_INTEGRATION
    row = np.zeros(n)

    def ours() -> None:
        for action in script:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    def mujocos() -> None:
        row[:] = core.physics.batch.state[0]
        mujoco.mj_setState(model, data, row, spec)
        for _ in range(repeats):
            mujoco.mj_step(model, data, nstep=core.physics.substeps)

    return ours, mujocos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no 1024 environments")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--peers", action="store_true", help="also Gymnasium's own vector environments")
    options = parser.parse_args()
    rounds = 5 if options.quick else 15
    sizes = [n for n in WANTED if not (options.quick and n > 256)]
    results: dict[str, float] = {}

    print(f"rlsuite {rlsuite.__version__}, MuJoCo {mujoco.__version__}, {options.threads} threads; control steps/s")
    print(f"{'environments':>14}{'bare':>10}{'ours':>10}{'ratio':>8}{'wanted':>8}")
    for n in sizes:
        env = gym.make_vec(ID, num_envs=n, threads=options.threads)
        repeats = max(2, 512 // n)
        work = {"ours": stepping(env, repeats), "bare": bare(env, repeats, options.threads)}
        found = rates(work, n * repeats, rounds)
        ratio = found["ours"] / found["bare"]
        print(f"{n:>14}{found['bare']:>10.0f}{found['ours']:>10.0f}{ratio:>8.2f}{WANTED[n]:>8.2f}")
        results |= {f"steps_per_second_{n}": found["ours"], f"vs_bare_{n}": ratio}

    ours, mujocos = single(100)
    found = rates({"ours": ours, "mj_step": mujocos}, 100, rounds)
    print(f"{'single':>14}{found['mj_step']:>10.0f}{found['ours']:>10.0f}{found['ours'] / found['mj_step']:>8.2f}")
    results |= {"steps_per_second_single": found["ours"], "single_vs_mj_step": found["ours"] / found["mj_step"]}

    envs = {t: gym.make_vec(ID, num_envs=256, threads=t) for t in sorted({1, options.threads})}
    found = rates({str(t): stepping(env, 2) for t, env in envs.items()}, 512, rounds)
    print("256 by threads: " + ", ".join(f"{t}: {rate:.0f}" for t, rate in found.items()))
    results |= {f"steps_per_second_256_threads_{t}": rate for t, rate in found.items()}

    if options.peers:
        n = 16
        peers: dict[str, Callable[[], None]] = {
            "ours": stepping(gym.make_vec(ID, num_envs=n, threads=options.threads), 8),
            "async": stepping(gym.make_vec(ID, num_envs=n, vectorization_mode="async"), 8),
            "humanoid_v5_sync": stepping(gym.make_vec("Humanoid-v5", num_envs=n, vectorization_mode="sync"), 8),
            "humanoid_v5_async": stepping(gym.make_vec("Humanoid-v5", num_envs=n, vectorization_mode="async"), 8),
        }
        found = rates(peers, n * 8, rounds)
        print(
            f"{n} environments: " + ", ".join(f"{name.replace('_', ' ')}: {rate:.0f}" for name, rate in found.items())
        )
        results |= {f"vs_{name}": found["ours"] / rate for name, rate in found.items() if name != "ours"}
    print(json.dumps({name: round(value, 3) for name, value in results.items()}))


if __name__ == "__main__":
    main()
