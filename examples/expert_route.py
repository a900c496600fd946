"""Two routes to a body that walks: PPO alone, and PPO that begins as the pupil of predictive control.

    python expert_route.py                     # both routes, one seed
    python expert_route.py --routes expert --labels 1000 --seed 1

The expert is MPPI: it plans in the simulator and needs no learning, but thousands of simulated steps for every action. In
DAgger (Ross, Gordon and Bagnell 2011) the pupil acts and the expert says at every state what it would have done; after each
round the pupil's network is fitted to all labels so far. PPO then goes on from there. A route ends at the gate: a mean
reward of 0.9 over 20 s (DeepMimic's reward, nothing after a fall) with no fall in 16 episodes.

Each line tells the samples learned from and the processor's seconds spent on learning, evaluations not counted.
"""

import argparse
import json
import time

import gymnasium as gym
import numpy as np
import torch

from rlsuite.agents.deep.ppo import PPO
from rlsuite.agents.predictive.mppi import MPPI
from rlsuite.experiments.imitation.scoring import ImitationScorer
from rlsuite.experiments.presets import merge, preset_layers

ID = "rlsuite/HumanoidImitate-v0"
BODIES, ROUNDS = 4, 5  # that are labelled together, and how often the pupil is fitted
GATE, EPISODES = 0.9, 16


class Stopwatch:
    """The processor's seconds, where it runs."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.process_time() - self._began


def fit(agent: PPO, seen: np.ndarray, wanted: np.ndarray, epochs: int, rng: np.random.Generator) -> float:
    """Regress the mean of the policy on the labels; the root of the mean squared error, in actions."""
    inputs = torch.from_numpy(agent.inputs(seen).astype(np.float32))
    targets = torch.from_numpy(wanted)
    optimiser = torch.optim.Adam(agent.policy.actor.parameters(), lr=1e-3)
    for _ in range(epochs):
        order = torch.from_numpy(rng.permutation(len(seen)))
        for rows in order.split(64):
            loss = (agent.policy.actor(inputs[rows]) - targets[rows]).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    with torch.no_grad():
        return float((agent.policy.actor(inputs) - targets).square().mean().sqrt())


def dagger(agent: PPO, settings: dict, labels: int, planning: dict, seed: int, watch: Stopwatch) -> None:
    """Make ``agent`` the pupil of MPPI. In the first round the expert itself acts."""
    env = gym.make_vec(ID, num_envs=BODIES, **settings)
    expert = MPPI(env, seed=seed, **planning)
    rng = np.random.default_rng(seed)
    seen, wanted = [], []
    per_round = labels // (ROUNDS * BODIES)
    for k in range(ROUNDS):
        observations, _ = env.reset(seed=seed * 1000 + k)
        expert.act_in(env)
        over, rewards, lengths = np.zeros(BODIES, bool), [], np.zeros(BODIES)
        with watch:
            for _ in range(per_round):
                label = expert.predict(observations)[0]
                seen.append(observations[~over])
                wanted.append(label[~over])
                if agent.observation_normaliser is not None:
                    agent.observation_normaliser.update(observations[~over])
                acted = label if k == 0 else agent.predict(observations, deterministic=True)[0]
                observations, reward, terminated, truncated, _ = env.step(acted)
                rewards.append(reward[~over].mean() if not over.all() else 0.0)
                lengths += ~over
                over = terminated | truncated
            error = fit(agent, np.concatenate(seen), np.concatenate(wanted), 60, rng)
        who = "expert" if k == 0 else "pupil"
        told = {
            "round": k,
            who: round(float(np.mean(rewards)), 3),
            "labels": sum(map(len, seen)),
            "error": round(error, 3),
        }
        print(json.dumps(told | {"cpu": round(watch.seconds, 1)}), flush=True)
    env.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", default="walk")
    parser.add_argument("--routes", nargs="+", choices=("plain", "expert"), default=["plain", "expert"])
    parser.add_argument("--labels", type=int, default=500)
    parser.add_argument("--samples", type=int, default=128, help="of MPPI, per plan")
    parser.add_argument("--horizon", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=800_000, help="samples at most")
    arguments = parser.parse_args()
    preset, _ = merge(preset_layers("ppo", ID))
    settings = {**preset["env_kwargs"], "clip": arguments.clip}
    judge = ImitationScorer(settings, EPISODES)
    torch.set_num_threads(1)
    for route in arguments.routes:
        agent = PPO(
            gym.make_vec(ID, num_envs=preset["n_envs"], **settings), seed=arguments.seed, **preset["hyperparameters"]
        )
        watch, found = Stopwatch(), {"eval/normalised_return": 0.0, "eval/falls": EPISODES}
        if route == "expert":
            planning = {"samples": arguments.samples, "horizon": arguments.horizon}
            dagger(agent, settings, arguments.labels, planning, arguments.seed, watch)
        while agent.num_timesteps < arguments.most:
            found = judge(agent, deterministic=True, seed=arguments.seed)
            told = {
                "route": route,
                "seed": arguments.seed,
                "samples": agent.num_timesteps,
                "cpu": round(watch.seconds, 1),
            }
            told |= {"return": round(found["eval/normalised_return"], 3), "falls": int(found["eval/falls"])}
            print(json.dumps(told | {"seconds": round(found["eval/mean_ep_length"] / 30.0, 1)}), flush=True)
            if found["eval/normalised_return"] >= GATE and not found["eval/falls"]:
                break
            with watch:
                agent.learn(51_200)
    judge.close()


if __name__ == "__main__":
    main()
