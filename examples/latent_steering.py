"""A policy learns to steer a body by acting in the latent space of a motion VAE (Ling et al., 2020).

    python latent_steering.py
    rlsuite motion view steered.npz

There is no physics: an action is the body's next frame, which the motion VAE decodes from a code and the frames before. So
whatever the policy chooses moves more or less like the clips that the VAE was fitted to, walks and turns; what is left to
learn is where to go. PPO is rewarded for walking in a direction and at a speed that change,

    r = exp(cos(angle between velocity and direction) - 1) * exp(-|speed - wanted speed|)

and is compared with codes drawn at random and with the code 0. ``--picture`` draws what was learned.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

import rlsuite
from rlsuite.envs.wrappers import VectorLatentAction
from rlsuite.generative import create
from rlsuite.motion import clip_files
from rlsuite.motion.catalogue import find
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.priors.data import motion_data

CLIPS = ("walk", "walk_slow", "walk_fast", "turn_left", "turn_right")
SCALE = 2.5  # of codes, in standard deviations
STEPS, CHANGE = 270, 90  # of an episode, at 30 Hz, and until another direction is wanted


class KinematicBodies(VectorEnv):
    """Bodies whose actions are their next frames, as coordinates ``(size,)``; they begin at ``starts (m, past, size)``."""

    def __init__(self, starts, fps, num_envs):
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.starts, self.fps, self.num_envs, size = starts, fps, num_envs, starts.shape[2]
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (size + 3,), np.float32)
        self.single_action_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._luck, self._step = np.random.default_rng(), STEPS

    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self._luck = np.random.default_rng(seed)
        chosen = self._luck.integers(len(self.starts), size=self.num_envs)
        self.past = self.starts[chosen].copy()  # (n, past, size), oldest first
        self.heading = np.zeros(self.num_envs)
        self._step = 0
        self._want()
        return self._seen(), {}

    def _want(self):
        """Another direction, up to a quarter turn from where the body faces, and another speed."""
        self.direction = self.heading + self._luck.uniform(-np.pi / 2, np.pi / 2, self.num_envs)
        self.speed = self._luck.uniform(0.8, 1.4, self.num_envs)

    def _seen(self):
        off = self.direction - self.heading
        return np.column_stack([self.past[:, -1], np.cos(off), np.sin(off), self.speed]).astype(np.float32)

    def step(self, actions):
        nothing = np.zeros(self.num_envs, np.bool_)
        if self._step == STEPS:  # the step after the last one begins anew
            seen, info = self.reset()
            return seen, np.zeros(self.num_envs), nothing, nothing, info
        velocity, turn = (
            actions[:, 3:5].astype(np.float64),
            actions[:, 5].astype(np.float64),
        )  # from the heading, per second
        angle = self.heading + np.arctan2(velocity[:, 1], velocity[:, 0]) - self.direction
        speed = np.hypot(*velocity.T)
        rewards = np.exp(np.cos(angle) - 1.0) * np.exp(-np.abs(speed - self.speed))
        self.past = np.concatenate([self.past[:, 1:], actions[:, None]], 1)
        self.heading = self.heading + turn / self.fps
        self._step += 1
        if self._step % CHANGE == 0:
            self._want()
        return self._seen(), rewards, nothing, nothing | (self._step == STEPS), {}


def fitted(steps):
    """A motion VAE of the shipped walks and turns, their data, and pasts to begin with.

    In a clip the next frame follows from those before, and a code would have nothing to say. So the velocities of what came
    before are made uncertain, by as much as they differ between clips: the code tells how fast, and where to.
    """
    data = motion_data([find(name) for name in CLIPS], "next", fps=30.0, past=2, mirror=True)
    part = data.part("train")
    after, past = part.events.repeat(16, 1, 1), part.condition.repeat(16, 1, 1)
    unsure = torch.full((data.coordinates.size,), 0.05)
    unsure[3:6] = 1.0  # the root's velocities
    noise = torch.randn(len(past), 1, len(unsure), generator=torch.Generator().manual_seed(0))
    past = past + noise * unsure * torch.from_numpy(data.spread).float().clamp(min=0.02)
    model = create(
        "motion-vae", seed=0, event_shape=after.shape[1:], condition_shape=past.shape[1:], latent_size=4, beta=0.2
    )
    model.fit(after, past, steps=steps, learning_rate=1e-3, cosine_decay=True, held_out=0.05)
    return model.eval(), data, part.condition.numpy()


def latent(model, data, starts, num_envs):
    return VectorLatentAction(
        KinematicBodies(starts, data.fps, num_envs), model, lambda env: env.unwrapped.past, scale=SCALE
    )


def play(env, choose, seed=1):
    """Mean reward of a step, of each body, over an episode; the frames ``(n, STEPS, size)``, directions wanted alike."""
    seen, _ = env.reset(seed=seed)
    rewards, frames, wanted = [], [], []
    for _ in range(STEPS):
        wanted.append(env.unwrapped.direction)
        seen, reward, *_ = env.step(choose(seen))
        rewards.append(reward)
        frames.append(env.unwrapped.past[:, -1])
    return np.mean(rewards, 0), np.stack(frames, 1), np.stack(wanted, 1)


def draw(path, curve, data, runs):
    """The curve of learning, and the ways of six bodies on the ground with an arrow where another direction is wanted."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 1 + len(runs), figsize=(3.4 * (1 + len(runs)), 3.4), layout="constrained")
    axes[0].plot([steps / 1000 for steps, _ in curve], [mean for _, mean in curve], marker="o", markersize=3)
    axes[0].set(
        xlabel="thousand steps", ylabel="mean reward of a step", title="PPO in the latent space", ylim=(0.0, 1.0)
    )
    axes[0].grid(alpha=0.3)
    for axis, (title, (_, frames, wanted)) in zip(axes[1:], runs.items(), strict=True):
        for body, colour in zip(range(6), plt.cm.tab10.colors, strict=False):
            place = data.coordinates.decode(frames[body], data.fps)[:, :2]
            axis.plot(*place.T, color=colour, linewidth=1.5)
            for at in range(0, STEPS, CHANGE):
                arrow = 0.7 * np.array([np.cos(wanted[body, at]), np.sin(wanted[body, at])])
                axis.annotate(
                    "", place[at] + arrow, place[at], arrowprops={"arrowstyle": "->", "color": colour, "alpha": 0.6}
                )
        axis.set(title=title, xlabel="m", aspect="equal")
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--n-timesteps", type=int, default=345_600)
    parser.add_argument("--fit-steps", type=int, default=1500, help="of the motion VAE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("steered.npz"), help="clip of one episode")
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, data, starts = fitted(arguments.fit_steps)
    env, judge = (latent(model, data, starts, 64) for _ in range(2))
    luck = np.random.default_rng(0)
    size = env.single_action_space.shape[0]
    agent = rlsuite.agent(
        "ppo", env, seed=arguments.seed, n_steps=90, batch_size=1440, n_epochs=5, learning_rate=5e-4, gamma=0.98,
    )  # fmt: skip
    runs = {
        "codes drawn from N(0, I)": play(judge, lambda seen: (luck.normal(size=(64, size)) / SCALE).clip(-1.0, 1.0)),
        "code 0": play(judge, lambda seen: np.zeros((64, size))),
    }
    curve, parts = [], min(10, max(1, arguments.n_timesteps // (64 * 90)))  # whole iterations
    for _ in range(parts):
        rewards = play(judge, lambda seen: agent.predict(seen, deterministic=True)[0])[0]
        curve.append((agent.num_timesteps, rewards.mean()))
        print(f"{curve[-1][0]:>8} steps: {rewards.mean():.3f}", flush=True)
        agent.learn(arguments.n_timesteps // parts)
    runs["learned"] = play(judge, lambda seen: agent.predict(seen, deterministic=True)[0])
    curve.append((agent.num_timesteps, runs["learned"][0].mean()))
    for name, (rewards, *_) in runs.items():
        print(f"{name}: {rewards.mean():.3f} ± {rewards.std() / 8.0:.3f} a step")
    poses = data.coordinates.decode(runs["learned"][1][0], data.fps)
    clip_files.save(MotionClip(poses, data.fps, data.coordinates.skeleton, name="steered"), arguments.out)
    if arguments.picture:
        draw(arguments.picture, curve, data, runs)


if __name__ == "__main__":
    main()
