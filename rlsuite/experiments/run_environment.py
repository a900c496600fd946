"""The environments of a run: the batch that its agent learns in, and single ones to evaluate, film and play in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
from gymnasium.vector import AutoresetMode, VectorEnv

from rlsuite.envs.preprocessing import Preprocessing
from rlsuite.envs.vector import make_vec_env
from rlsuite.experiments.run_prior import RunPrior


@dataclass(frozen=True)
class RunEnvironment:
    """How to make them again and again, all alike; ``kwargs`` may hold ``max_episode_steps``.

    ``same_step``: a batch of the environment's own kind begins the next episode in the step that ends one, which
    stable-baselines3 needs; else in the environment's own way. ``prior`` rewards besides in the batch, and nowhere else.
    """

    env_id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    n_envs: int = 1
    same_step: bool = False
    prior: RunPrior | None = None

    def batch(self) -> Any:
        """What the agent learns in: an ``Env``, or a ``VectorEnv`` for ``n_envs`` above 1.

        Raises:
            RlsuiteError: the environment cannot be made.
        """
        mode = AutoresetMode.SAME_STEP if self.same_step else None
        env = make_vec_env(
            self.env_id, self.n_envs, preprocessing=self.preprocessing, autoreset_mode=mode, **self.kwargs
        )
        return env if self.prior is None else self.prior.wrap(env)

    def single(self, render_mode: str | None = None) -> gym.Env[Any, Any]:
        """One more environment, which has nothing to do with those of :meth:`batch`.

        Raises:
            RlsuiteError: the environment cannot be made, or does not render like this.
        """
        kwargs = self.kwargs if render_mode is None else {**self.kwargs, "render_mode": render_mode}
        env = make_vec_env(self.env_id, 1, preprocessing=self.preprocessing, vectorization="sync", **kwargs)
        assert not isinstance(env, VectorEnv)
        return env

    def rendering(self) -> AbstractContextManager[None]:
        """To be entered around whatever steps the environments: where they observe pixels, these are made off screen."""
        if not self.preprocessing.pixels:
            return nullcontext()
        from rlsuite.screen import off_screen

        return off_screen()
