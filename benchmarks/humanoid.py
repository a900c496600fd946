"""Speed of the humanoid, environment and training, in one run: ``python benchmarks/humanoid.py [--quick] [--threads 2]``.

(a) control steps per second of the vector environment, with observations, rewards, terminations, resets and autoreset,
    against bare ``Batch.step`` (not persistent, no further stage) of the same model, states, substeps and threads;
(b) the single environment against ``mj_step`` in a loop;
(c) scaling over the threads of the pool;
(d) against Gymnasium's ``AsyncVectorEnv`` over the single environment, and Gymnasium's Humanoid-v5 in its own vector
    environments (that one has 17 actuators and 5 substeps of 3 ms per step, so only its order counts);
(e) training by PPO with its preset, by threads of the pool: steps per second, and who spends them: physics, the rest of the
    environment (observations, rewards, resets), the policy (acting, values, advantages) and the update.

Both sides of a ratio run in turn, many times over; the ratio is of the medians. Beside the clock's ratio stands that of
processor seconds, which other work on the machine disturbs less. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: the pool's threads alone

import gymnasium as gym
import mujoco
import numpy as np
from mujoco.batch import Batch

import rlsuite  # registers the environments

ID = "rlsuite/HumanoidImitate-v0"
WANTED = {16: 0.60, 64: 0.75, 256: 0.85, 1024: 0.85}  # of bare stepping


def rates_by(
    works: Mapping[str, Callable[[], object]], steps: float, rounds: int, *clocks: Callable[[], float]
) -> list[dict[str, float]]:
    """``steps`` per second of each by each of the clocks, done in turn so that a busy moment of the machine hits them all:
    median of rounds.
    """
    times: dict[str, list[list[float]]] = {name: [[] for _ in clocks] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            began = [clock() for clock in clocks]
            work()
            for taken, clock, begin in zip(times[name], clocks, began, strict=True):
                taken.append(clock() - begin)
    return [{name: steps / statistics.median(t[k]) for name, t in times.items()} for k in range(len(clocks))]


def rates(works: Mapping[str, Callable[[], object]], steps: float, rounds: int) -> dict[str, float]:
    """By the clock alone."""
    return rates_by(works, steps, rounds, time.perf_counter)[0]


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


class Stopwatch:
    """Seconds spent inside functions, each under a name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def watch(self, owner: Any, function: str, name: str) -> None:
        """From now on calls of ``owner.function`` count for ``name``."""
        watched = getattr(owner, function)

        def timed(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return watched(*arguments)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

        setattr(owner, function, timed)


def training(threads: int, rollouts: int) -> dict[str, float]:
    """Steps per second of PPO with its preset, by the clock and by processor seconds, and shares of its time."""
    from rlsuite.agents.deep.ppo import PPO
    from rlsuite.experiments.presets import merge, preset_layers

    preset, _ = merge(preset_layers("ppo", ID))
    env: Any = gym.make_vec(ID, num_envs=preset["n_envs"], threads=threads, **preset["env_kwargs"])
    agent, watch = PPO(env, seed=0, **preset["hyperparameters"]), Stopwatch()
    for owner, function, name in (
        (env.unwrapped.physics, "step", "physics"), (agent, "act_in_envs", "env"),
        (agent, "collect", "collect"), (agent, "learn_from", "update"),
    ):  # fmt: skip
        watch.watch(owner, function, name)
    rollout = preset["n_envs"] * preset["hyperparameters"]["n_steps"]
    agent.learn(rollout)
    watch.seconds.clear()
    before, began, processor = agent.num_timesteps, time.perf_counter(), time.process_time()
    agent.learn(rollouts * rollout)
    taken, processor = time.perf_counter() - began, time.process_time() - processor
    spent, steps = watch.seconds, agent.num_timesteps - before
    shares = {
        "physics": spent["physics"], "environment": spent["env"] - spent["physics"],
        "policy": spent["collect"] - spent["env"], "update": spent["update"],
    }  # fmt: skip
    env.close()
    return {"rate": steps / taken, "processor_rate": steps / processor} | {k: v / taken for k, v in shares.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, no 1024 environments: under a minute")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    rounds = 3 if options.quick else 15
    sizes = [n for n in WANTED if not (options.quick and n > 256)]
    results: dict[str, float] = {}

    print(f"rlsuite {rlsuite.__version__}, MuJoCo {mujoco.__version__}, {options.threads} threads; control steps/s")
    print(f"{'environments':>14}{'bare':>10}{'ours':>10}{'ratio':>8}{'wanted':>8}{'by processor':>14}")
    for n in sizes:
        env = gym.make_vec(ID, num_envs=n, threads=options.threads)
        repeats = max(2, 512 // n)
        work = {"ours": stepping(env, repeats), "bare": bare(env, repeats, options.threads)}
        found, processor = rates_by(work, n * repeats, rounds, time.perf_counter, time.process_time)
        ratio, by_processor = (rate["ours"] / rate["bare"] for rate in (found, processor))
        print(f"{n:>14}{found['bare']:>10.0f}{found['ours']:>10.0f}{ratio:>8.2f}{WANTED[n]:>8.2f}{by_processor:>14.2f}")
        results |= {f"steps_per_second_{n}": found["ours"], f"vs_bare_{n}": ratio}
        results |= {f"vs_bare_{n}_by_processor": by_processor}
        env.close()

    ours, mujocos = single(100)
    found = rates({"ours": ours, "mj_step": mujocos}, 100, rounds)
    print(f"{'single':>14}{found['mj_step']:>10.0f}{found['ours']:>10.0f}{found['ours'] / found['mj_step']:>8.2f}")
    results |= {"steps_per_second_single": found["ours"], "single_vs_mj_step": found["ours"] / found["mj_step"]}

    envs = {t: gym.make_vec(ID, num_envs=256, threads=t) for t in sorted({1, options.threads})}
    found = rates({str(t): stepping(env, 2) for t, env in envs.items()}, 512, rounds)
    print("256 by threads: " + ", ".join(f"{t}: {rate:.0f}" for t, rate in found.items()))
    results |= {f"steps_per_second_256_threads_{t}": rate for t, rate in found.items()}

    n = 16
    peers: dict[str, Callable[[], None]] = {
        "ours": stepping(gym.make_vec(ID, num_envs=n, threads=options.threads), 8),
        "async": stepping(gym.make_vec(ID, num_envs=n, vectorization_mode="async"), 8),
        "humanoid_v5_sync": stepping(gym.make_vec("Humanoid-v5", num_envs=n, vectorization_mode="sync"), 8),
        "humanoid_v5_async": stepping(gym.make_vec("Humanoid-v5", num_envs=n, vectorization_mode="async"), 8),
    }
    found = rates(peers, n * 8, rounds)
    print(f"{n} environments: " + ", ".join(f"{name.replace('_', ' ')}: {rate:.0f}" for name, rate in found.items()))
    results |= {f"vs_{name}": found["ours"] / rate for name, rate in found.items() if name != "ours"}

    print(f"{'PPO, threads':>14}{'by clock':>10}{'processor':>10}{'physics':>10}{'env':>8}{'policy':>8}{'update':>8}")
    for t in envs:
        rate = training(t, 2 if options.quick else 12)
        shares = "".join(f"{100 * rate[name]:>7.0f}%" for name in ("physics", "environment", "policy", "update"))
        print(f"{t:>14}{rate['rate']:>10.0f}{rate['processor_rate']:>10.0f}  {shares}")
        results |= {f"ppo_{name}_threads_{t}": value for name, value in rate.items()}
    print(json.dumps({name: round(value, 3) for name, value in results.items()}))


if __name__ == "__main__":
    main()
