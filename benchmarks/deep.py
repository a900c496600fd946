"""Deep agents beside stable-baselines3: the same hyperparameters, environments, threads and machine, in one run.

    python benchmarks/deep.py [--quick] [--device cpu] [--only dqn-cartpole …] [--profile]

Each case is run by both in turn, several times, and the fastest run of each counts (other jobs on a machine only ever
slow a run down). Seconds are the processor's: both sides keep to one thread of one process, and what waits for the
processor beside other jobs is not charged; on a GPU they are the clock's. ``steps/s`` is over a whole call of ``learn``.
``to threshold``: median over seeds of the seconds until the mean return of the last 100 training episodes reaches the
environment's threshold, and how many seeds reached it within the budget (full run only). ``env alone`` is the same
environments stepped with random actions, the floor under both. The last line is JSON with the ratios.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback as Sb3Callback
from stable_baselines3.common.env_util import make_vec_env

import rlsuite
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.envs.vector import make_vec_env as our_vec_env

WINDOW = 100


@dataclass(frozen=True)
class Case:
    """One algorithm on one environment; hyperparameters have the same names on both sides."""

    name: str
    algo: str
    env: str
    n_envs: int
    steps: int
    quick_steps: int
    target: float  # ratio of steps per second that we want at least
    values: dict[str, Any] = field(default_factory=dict)
    net_arch: tuple[int, ...] = (64, 64)
    threshold: float | None = None
    budget: int = 0  # steps to reach the threshold in


DQN = {
    "learning_rate": 2.3e-3, "batch_size": 64, "buffer_size": 100_000, "learning_starts": 1000, "gamma": 0.99,
    "target_update_interval": 10, "train_freq": 256, "gradient_steps": 128, "exploration_fraction": 0.16,
    "exploration_final_eps": 0.04,
}  # fmt: skip
PPO = {
    "n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 20, "ent_coef": 0.0,
    "learning_rate": 1e-3, "clip_range": 0.2,
}  # fmt: skip
ACROBOT_PPO = {"n_steps": 256, "batch_size": 64, "gae_lambda": 0.94, "gamma": 0.99, "n_epochs": 4, "ent_coef": 0.0}
MUJOCO_PPO = {"n_steps": 2048, "batch_size": 64, "n_epochs": 10}
SAC = {"learning_starts": 500, "batch_size": 256, "buffer_size": 100_000}
CASES = (
    Case("dqn-cartpole", "dqn", "CartPole-v1", 1, 20_000, 6_000, 2.0, DQN, (256, 256), 475.0, 100_000),
    Case("dqn-cartpole-defaults", "dqn", "CartPole-v1", 1, 20_000, 4_000, 2.0, {"learning_starts": 1000}),
    Case("ppo-cartpole", "ppo", "CartPole-v1", 8, 65_536, 16_384, 2.0, PPO, (64, 64), 475.0, 200_000),
    Case("ppo-cartpole-defaults", "ppo", "CartPole-v1", 1, 16_384, 6_144, 2.0),
    Case("a2c-cartpole", "a2c", "CartPole-v1", 8, 80_000, 20_000, 1.3, {}, (64, 64), 475.0, 500_000),
    Case("dqn-acrobot", "dqn", "Acrobot-v1", 1, 10_000, 3_000, 1.3,
         {"learning_rate": 6.3e-4, "batch_size": 128, "buffer_size": 50_000, "learning_starts": 1000, "train_freq": 4,
          "gradient_steps": 4, "target_update_interval": 250, "exploration_fraction": 0.12,
          "exploration_final_eps": 0.1}, (256, 256), -100.0, 100_000),
    Case("a2c-acrobot", "a2c", "Acrobot-v1", 16, 80_000, 16_000, 1.3, {}, (64, 64), -100.0, 500_000),
    Case("ppo-acrobot", "ppo", "Acrobot-v1", 16, 65_536, 12_288, 1.3, ACROBOT_PPO, (64, 64), -100.0, 300_000),
    Case("ppo-hopper", "ppo", "Hopper-v5", 1, 16_384, 4_096, 1.3, MUJOCO_PPO),
    Case("ppo-halfcheetah", "ppo", "HalfCheetah-v5", 1, 16_384, 4_096, 1.3, MUJOCO_PPO),
    Case("sac-hopper", "sac", "Hopper-v5", 1, 2_500, 800, 1.3, SAC, (256, 256)),
    Case("sac-halfcheetah", "sac", "HalfCheetah-v5", 1, 2_500, 800, 1.3, SAC, (256, 256)),
)  # fmt: skip


def ours(case: Case, seed: int, device: str) -> Any:
    """Our agent of a case."""
    arch = ",".join(map(str, case.net_arch))
    env = our_vec_env(case.env, case.n_envs)
    return rlsuite.agent(case.algo, env, seed=seed, device=device, net_arch=arch, **case.values)


def theirs(case: Case, seed: int, device: str) -> Any:
    """stable-baselines3's agent of a case."""
    cls = getattr(stable_baselines3, case.algo.upper())
    env = make_vec_env(case.env, case.n_envs, seed=seed)
    net = {"net_arch": list(case.net_arch)}
    return cls("MlpPolicy", env, seed=seed, device=device, policy_kwargs=net, **case.values)


def clock_of(device: str) -> Callable[[], float]:
    """The clock to measure by: the processor's time, or, where it only waits for a GPU, the time of day."""
    return time.process_time if device == "cpu" else time.perf_counter


def seconds(action: Callable[[], Any], device: str) -> float:
    """How long ``action`` takes."""
    clock = clock_of(device)
    began = clock()
    action()
    return clock() - began


def speeds(case: Case, steps: int, repeats: int, device: str) -> tuple[float, float]:
    """Steps per second of ours and of stable-baselines3, the best of ``repeats``, taken in turn."""
    best = [0.0, 0.0]
    for repeat in range(repeats):
        for i, make in enumerate((ours, theirs)):
            agent = make(case, repeat, device)
            taken = seconds(lambda agent=agent: agent.learn(steps), device)
            best[i] = max(best[i], agent.num_timesteps / taken)
    return best[0], best[1]


def env_alone(case: Case, steps: int) -> float:
    """Environment steps per second with random actions and no agent."""
    env = our_vec_env(case.env, case.n_envs)
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(256)]
    began = time.process_time()
    for t in range(steps // case.n_envs):
        _, _, terminated, truncated, _ = env.step(actions[t % 256])
        if case.n_envs == 1 and (terminated or truncated):
            env.reset()
    return steps / (time.process_time() - began)


class _OurThreshold(BaseCallback):
    every = 256

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold, self.reached = threshold, False

    def _on_step(self) -> bool:
        returns = self.agent.episode_returns[-WINDOW:]  # type: ignore[attr-defined]
        self.reached = len(returns) == WINDOW and float(np.mean(returns)) >= self.threshold
        return not self.reached


class _TheirThreshold(Sb3Callback):
    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold, self.reached = threshold, False

    def _on_step(self) -> bool:
        if self.n_calls % max(1, 256 // self.training_env.num_envs) == 0:
            returns = [episode["r"] for episode in self.model.ep_info_buffer]
            self.reached = len(returns) == WINDOW and float(np.mean(returns)) >= self.threshold
        return not self.reached


def to_threshold(case: Case, seeds: int, device: str) -> tuple[list[float], list[float]]:
    """Seconds of each seed until the threshold (infinity where the budget ended first), ours and theirs."""
    times: tuple[list[float], list[float]] = ([], [])
    assert case.threshold is not None
    for seed in range(seeds):
        for i, (make, watch) in enumerate(((ours, _OurThreshold), (theirs, _TheirThreshold))):
            agent, callback = make(case, seed, device), watch(case.threshold)
            taken = seconds(lambda agent=agent, callback=callback: agent.learn(case.budget, callback), device)
            times[i].append(taken if callback.reached else float("inf"))
    return times


def profile(case: Case, steps: int, device: str) -> dict[str, float]:
    """Share of the time of ``learn`` spent in torch, environments, numpy and our own Python."""
    agent = ours(case, 0, device)
    profiler = cProfile.Profile()
    profiler.runcall(agent.learn, steps)
    shares: dict[str, float] = {}
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():  # type: ignore[attr-defined]
        place = f"{file} {name}"
        if "gymnasium" in place or "mujoco" in place:
            part = "environment"
        elif "torch" in place or "Tensor" in place or "run_backward" in place:
            part = "torch"
        elif "rlsuite" in place:
            part = "our Python"
        else:
            part = "other (numpy, builtins)"
        shares[part] = shares.get(part, 0.0) + own
    total = sum(shares.values())
    return {part: own / total for part, own in sorted(shares.items(), key=lambda item: -item[1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs, no times to threshold")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", nargs="+", metavar="CASE", choices=[case.name for case in CASES])
    parser.add_argument("--repeats", type=int, help="default: 3, quick 1")
    parser.add_argument("--seeds", type=int, default=3, help="of the times to threshold")
    parser.add_argument("--profile", action="store_true", help="also print where the time of our runs goes")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="stable_baselines3")
    versions = f"torch {torch.__version__}, stable-baselines3 {stable_baselines3.__version__}"
    print(f"{versions}, device {arguments.device}, 1 thread")
    print(
        f"{'case':24}{'ours':>9}{'SB3':>9}{'ratio':>7}{'target':>8}{'env alone':>11}   seconds to threshold: ours, SB3"
    )
    ratios: dict[str, Any] = {}
    for case in CASES:
        if arguments.only and case.name not in arguments.only:
            continue
        steps = case.quick_steps if arguments.quick else case.steps
        mine, peer = speeds(case, steps, arguments.repeats or (1 if arguments.quick else 3), arguments.device)
        alone = env_alone(case, 2_000 if arguments.quick else 10_000)
        ratios[case.name] = round(mine / peer, 2)
        line = f"{case.name:24}{mine:9.0f}{peer:9.0f}{mine / peer:7.2f}{case.target:8.1f}{alone:11.0f}"
        if case.threshold is not None and not arguments.quick:
            times = to_threshold(case, arguments.seeds, arguments.device)
            a, b = map(statistics.median, times)
            reached = (f"{sum(map(np.isfinite, side))}/{len(side)}" for side in times)
            line += "   " + ", ".join(f"{t:.1f} ({count})" for t, count in zip((a, b), reached, strict=True))
            ratios[f"{case.name}-to-threshold"] = round(b / a, 2) if np.isfinite(a) and np.isfinite(b) else None
        print(line, flush=True)
        if arguments.profile:
            shares = profile(case, steps, arguments.device)
            print("    " + ", ".join(f"{part} {share:.0%}" for part, share in shares.items()))
    print(json.dumps({"benchmark": "deep", "quick": arguments.quick, "device": arguments.device, "ratios": ratios}))


if __name__ == "__main__":
    main()
