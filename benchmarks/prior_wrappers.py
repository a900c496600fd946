"""What the wrappers of `rlsuite.envs.wrappers` do to the humanoid, measured.

    python benchmarks/prior_wrappers.py reward
    python benchmarks/prior_wrappers.py reset
    python benchmarks/prior_wrappers.py planner

``reward``: rewards that frozen priors of the shipped walks give to motion good and bad, and how often (AUC) they put a
third of a second of the shipped policy's walk above a third of a second of the other. ``reset``: how many draws are starts,
and how the shipped policy goes on from them. ``planner``: returns of futures drawn by a prior, by their number.

One thread, fixed seeds; prints tables.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlsuite.envs.humanoid.vector_env import HumanoidImitateVectorEnv
from rlsuite.envs.wrappers import VectorPriorPlanner, VectorPriorReset
from rlsuite.envs.wrappers.prior_reward import Naturalness
from rlsuite.experiments.imitation import policies
from rlsuite.motion import sampling
from rlsuite.motion.catalogue import find
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.priors.prior import MotionPrior, motion_data

Array = NDArray[np.float64]
WALKS = ("walk", "walk_fast", "walk_slow")
FPS, LENGTH, BODIES = 30.0, 10, 8
DIFFUSION: dict[str, Any] = {"steps": 1500, "learning_rate": 2e-3, "cosine_decay": True, "patience": None}


def prior(name: str, kind: str = "window", **settings: Any) -> MotionPrior:
    data = motion_data([find(clip) for clip in WALKS], kind, fps=FPS, length=LENGTH, mirror=True)
    return MotionPrior.fit(name, data, seed=0, **settings)


def rollouts(noise: float, follow: float, steps: int, **kwargs: Any) -> Array:
    """Poses ``(bodies, steps + 1, nq)``: ``follow`` times the shipped policy's actions, and Gaussian noise."""
    policy = policies.read(policies.locate("walk"))
    env = HumanoidImitateVectorEnv(
        BODIES, threads=1, autoreset_mode="Disabled", terminate=(), **{**policy.env_kwargs, **kwargs}
    )
    luck = np.random.default_rng(0)
    seen, _ = env.reset(seed=0)
    poses = [env.physics.state.qpos.copy()]
    for _ in range(steps):
        actions = follow * policy(seen) + noise * luck.normal(size=(BODIES, env.actions.size))
        seen, *_ = env.step(np.clip(actions, -1.0, 1.0))
        poses.append(env.physics.state.qpos.copy())
    return np.stack(poses, 1)


def motions() -> dict[str, list[Array]]:
    """Poses ``(T, nq)`` of every kind of motion."""
    walk = sampling.resample(find("walk"), FPS).qpos
    luck = np.random.default_rng(1)

    def trembling(degrees: float) -> Array:
        off = luck.normal(0.0, np.radians(degrees), walk[:, 7:].shape)
        return np.concatenate([walk[:, :7], walk[:, 7:] + off], 1)

    found = {
        "the walk it was fitted to": [walk],
        "shipped policy walking": [*rollouts(0.0, 1.0, 70)[:, 10:]],
        "the same, noise 0.1 in its actions": [*rollouts(0.1, 1.0, 70)[:, 10:]],
        "the same, noise 0.3: falls": [*rollouts(0.3, 1.0, 70)[:, 10:]],
        "the walk, joints trembling by 2°": [trembling(2.0)],
        "the walk, joints trembling by 5°": [trembling(5.0)],
        "the walk backwards": [walk[::-1].copy()],
        "frozen in mid-stride": [walk[:1].repeat(len(walk), 0)],
    }
    for name in ("run", "sidestep_left", "idle", "kick", "cartwheel"):
        found[f"clip `{name}`"] = [sampling.resample(find(name), FPS).qpos]
    found["falling: no corrections"] = [*rollouts(0.0, 0.0, 60)[:, 20:]]
    found["falling: random actions"] = [*rollouts(0.5, 0.0, 60)[:, 20:]]
    return found


def reward() -> None:
    priors = {
        "DDPM": prior("ddpm", blur=1.0, **DIFFUSION),
        "DDPM, not blurred": prior("ddpm", **DIFFUSION),
        "PPCA": prior("ppca", blur=1.0, steps=1, latent_size=24),
    }
    scales = {"PPCA": 1.0}
    judged: dict[str, dict[str, Array]] = {}
    for name, poses in motions().items():
        judged[name] = {}
        for label, made in priors.items():
            rows = [made.coordinates.encode(MotionClip(q, FPS, made.coordinates.skeleton))[:-1] for q in poses]
            windows = [row[i : i + LENGTH] for row in rows for i in range(len(row) - LENGTH + 1)]
            judge = Naturalness(made.model, scale=scales.get(label))
            events = torch.from_numpy(np.stack(windows).astype(np.float32))
            judged[name][label] = judge(events, None, torch.Generator().manual_seed(0)).double().numpy()
    print("| motion |" + "".join(f" {label} | AUC |" for label in priors))
    print("|---|" + "---:|" * (2 * len(priors)))
    for name, rewards in judged.items():
        cells = []
        for label in priors:
            good, other = judged["shipped policy walking"][label], rewards[label]
            above = (good[:, None] > other).mean() + 0.5 * (good[:, None] == other).mean()
            cells += [f"{other.mean():.3f}", "" if name == "shipped policy walking" else f"{above:.2f}"]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def reset() -> None:
    policy = policies.read(policies.locate("walk"))
    print("| prior | draws that are starts | upright after 4 s |\n|---|---:|---:|")
    for label, made in (
        ("the environment's own starts", None),
        ("PPCA of windows", prior("ppca", steps=1, latent_size=24)),
        ("PPCA of windows, blurred", prior("ppca", steps=1, blur=1.0, latent_size=24)),
    ):
        env: Any = HumanoidImitateVectorEnv(32, threads=1, autoreset_mode="Disabled", **dict(policy.env_kwargs))
        if made is not None:
            env = VectorPriorReset(env, made)
        seen, _ = env.reset(seed=0)
        up = np.ones(32, np.bool_)
        for _ in range(120):
            seen, _, failed, _, _ = env.step(policy(seen))
            up &= ~failed
        share = "" if made is None else f"{1.0 - env.starts.rejected / env.starts.drawn:.0%}"
        print(f"| {label} | {share} | {up.mean():.0%} |", flush=True)


def planner() -> None:
    made = prior("motion-vae", "next", steps=800, learning_rate=1e-3, cosine_decay=True, latent_size=8, patience=None)
    print("| futures | steps upright, of 90 | return |\n|---:|---:|---:|")
    for candidates in (1, 4, 16):
        env: Any = HumanoidImitateVectorEnv(
            BODIES, threads=1, action_mode="absolute", clip="walk", max_episode_steps=90, autoreset_mode="Disabled"
        )
        env = VectorPriorPlanner(env, made, candidates=candidates, horizon=8, replan=4, residual=0.0)
        env.reset(seed=0)
        total, up = np.zeros(BODIES), np.ones(BODIES, np.bool_)
        lasted = np.zeros(BODIES)
        for _ in range(90):
            _, rewards, failed, late, _ = env.step(np.zeros((BODIES, 28), np.float32))
            total += up * rewards
            lasted += up
            up &= ~(failed | late)
        print(
            f"| {candidates} | {lasted.mean():.0f} | {total.mean():.1f} ± {total.std() / np.sqrt(BODIES):.1f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("reward", "reset", "planner"))
    torch.set_num_threads(1)
    {"reward": reward, "reset": reset, "planner": planner}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
