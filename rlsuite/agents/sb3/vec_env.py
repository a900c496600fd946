"""``GymnasiumVecEnv``: Gymnasium environments, single or vector, as the ``VecEnv`` that stable-baselines3 trains in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from rlsuite.agents.deep.observations import take
from rlsuite.agents.deep.vector import EnvBatch, Transitions
from rlsuite.errors import InvalidEnvironmentError


class GymnasiumVecEnv(VecEnv):
    """A Gymnasium vector environment for stable-baselines3.

    stable-baselines3 expects the next episode's first observation in the step that ends an episode, and the true last
    one in ``info["terminal_observation"]``: what Gymnasium calls ``SAME_STEP``. ``DISABLED`` is reset here at once.
    ``NEXT_STEP`` answers with rows that are no transitions, which stable-baselines3 would learn from, so it is refused,
    except for ``SyncVectorEnv``, whose members are stepped one by one.

    Args:
        env: environment, vector environment, or a batch of them that is already in use.
        step: steps the batch in place of ``EnvBatch.step``, for an owner who counts.

    Raises:
        InvalidEnvironmentError: the environment resets itself in the next step.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any] | EnvBatch,
        *,
        step: Callable[[NDArray[Any]], Transitions] | None = None,
    ) -> None:
        self.batch = env if isinstance(env, EnvBatch) else EnvBatch(env, 0)
        if self.batch.members is None and self.batch.mode is AutoresetMode.NEXT_STEP:
            raise InvalidEnvironmentError(
                "stable-baselines3 would learn from the rows in which this vector environment only resets itself; make "
                "it with autoreset_mode=AutoresetMode.SAME_STEP"
            )
        self._step = step or self.batch.step
        self._actions: NDArray[Any] = np.empty(0)
        actions = copy.deepcopy(self.batch.action_space)  # its random state is the algorithm's
        if isinstance(actions, spaces.Discrete) and actions.start:
            actions = spaces.Discrete(int(actions.n))  # the batch adds the start
        super().__init__(self.batch.num_envs, self.batch.observation_space, actions)

    def observe(self) -> Any:
        """What to act on next."""
        return self.batch.observations

    def reset(self) -> Any:
        if any(self._options):
            raise InvalidEnvironmentError(
                "options of reset do not reach the environments here; make them with gym.make's"
            )
        self.batch.reset(self._seeds[0])
        self._reset_seeds()
        self._reset_options()
        return self.batch.observations

    def step_async(self, actions: NDArray[Any]) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        step = self._step(self._actions)
        infos = self._infos(step)
        for i in np.flatnonzero(step.ended).tolist():
            infos[i]["terminal_observation"] = take(step.next_observations, i)
        for i, info in enumerate(infos):
            info["TimeLimit.truncated"] = bool(step.truncated[i] and not step.terminated[i])
        return self.batch.observations, step.rewards.astype(np.float32), step.ended, infos

    def _infos(self, step: Transitions) -> list[dict[str, Any]]:
        """One dictionary per environment; of an episode's last step where it ended."""
        said = self.batch.infos
        if isinstance(said, list):
            return [dict(info) for info in said]
        infos = [_of_environment(said, i) for i in range(self.num_envs)]
        if "final_info" in said:
            final = said["final_info"]
            for i in np.flatnonzero(step.ended).tolist():
                infos[i] = _of_environment(final, i) if isinstance(final, dict) else dict(final[i] or {})
        return infos

    def close(self) -> None:
        self.batch.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        chosen, env = list(self._get_indices(indices)), self.batch.env
        if self.batch.members is not None:
            return [self.batch.members[i].get_wrapper_attr(attr_name) for i in chosen]
        if attr_name == "render_mode" or not hasattr(env, "get_attr"):
            return [getattr(env, attr_name)] * len(chosen)
        values = env.get_attr(attr_name)
        return [values[i] for i in chosen]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        for i in self._get_indices(indices):
            setattr(self._member(i), attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        return [
            self._member(i).get_wrapper_attr(method_name)(*method_args, **method_kwargs)
            for i in self._get_indices(indices)
        ]

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: Any = None) -> list[bool]:
        from stable_baselines3.common.env_util import is_wrapped

        members, chosen = self.batch.members, list(self._get_indices(indices))
        return [members is not None and is_wrapped(members[i], wrapper_class) for i in chosen]

    def _member(self, i: int) -> gym.Env[Any, Any]:
        if self.batch.members is None:
            raise InvalidEnvironmentError(
                f"the members of {type(self.batch.env).__name__} cannot be reached one by one"
            )
        return self.batch.members[i]


def _of_environment(info: dict[str, Any], i: int) -> dict[str, Any]:
    """What a vector environment's ``info`` says of environment ``i``: keys whose mask ``_key`` is not set are absent,
    and what is said once is said to each."""
    mine: dict[str, Any] = {}
    for key, value in info.items():
        if (key.startswith("_") and key[1:] in info) or key in ("final_obs", "final_info", "final_observation"):
            continue
        mask = info.get(f"_{key}")
        if mask is None or mask[i]:
            each = isinstance(value, list | tuple) or getattr(value, "ndim", 0) > 0
            mine[key] = _of_environment(value, i) if isinstance(value, dict) else value[i] if each else value
    return mine
