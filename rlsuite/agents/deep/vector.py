"""Many environments stepped as one, with what autoreset hides made plain: each transition has its true successor.

Gymnasium's vector environments begin the next episode in three ways (``AutoresetMode``), and in each the observation
that follows the last action of an episode is somewhere else:

- ``SAME_STEP``: ``step`` returns the first observation of the next episode; the true successor is in
  ``info["final_obs"]``.
- ``NEXT_STEP``: ``step`` returns the true successor; the following ``step`` ignores its action and returns the first
  observation of the next episode. That row is no transition (``valid`` is False) and must never be learned from.
- ``DISABLED``: ``step`` returns the true successor; the caller resets, here at once.

Single environments, and the members of a ``SyncVectorEnv``, are stepped one by one, which is exact and faster.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlsuite.agents.deep.observations import Batch, empty_batch, put, require_supported, take, tree_map
from rlsuite.errors import InvalidEnvironmentError, RecordError

logger = logging.getLogger("rlsuite")


class Transitions(NamedTuple):
    """One step of every environment; first axis: environment. The arrays are the caller's to keep.

    Attributes:
        observations: on which the actions were taken.
        actions: ``(n, *action shape)`` as the agent chose them (Discrete: 0 … n-1, whatever the space's start).
        rewards: ``(n,)`` float64.
        next_observations: true successors, also at the end of an episode.
        terminated, truncated: ``(n,)`` kept apart: a truncated episode goes on behind the limit and is bootstrapped.
        valid: ``(n,)`` False where the environment was only resetting itself.
        successes: ``info["is_success"]`` of the episodes that ended in this step, where the environment tells it.
    """

    observations: Batch
    actions: NDArray[Any]
    rewards: NDArray[np.float64]
    next_observations: Batch
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    successes: list[float]

    @property
    def ended(self) -> NDArray[np.bool_]:
        """``(n,)`` where an episode ended, for either reason."""
        return self.terminated | self.truncated


class EpisodeRecord:
    """Undiscounted return, length and end of every finished episode, and the running ones of each environment."""

    def __init__(self, num_envs: int) -> None:
        self.running_returns = np.zeros(num_envs)
        self.running_lengths = np.zeros(num_envs, np.int64)
        self.returns: list[float] = []
        self.lengths: list[int] = []
        self.ends: list[int] = []  # agent's num_timesteps when the episode ended
        self.successes: list[float] = []  # of info["is_success"], for environments that tell (else empty)

    def add(self, step: Transitions, num_timesteps: int) -> None:
        """Count one vector step, after which the agent has learned from ``num_timesteps``."""
        self.successes += step.successes
        self.running_returns[step.valid] += step.rewards[step.valid]
        self.running_lengths += step.valid
        ended = step.ended & step.valid
        if ended.any():
            for i in np.flatnonzero(ended):
                self.returns.append(float(self.running_returns[i]))
                self.lengths.append(int(self.running_lengths[i]))
                self.ends.append(num_timesteps)
            self.abandon(ended)

    def abandon(self, which: NDArray[np.bool_] | slice = slice(None)) -> None:
        """Forget the running episodes."""
        self.running_returns[which] = 0.0
        self.running_lengths[which] = 0

    def running_as_arrays(self) -> dict[str, NDArray[Any]]:
        """The part of the state that belongs to the running episodes."""
        return {"running_returns": self.running_returns, "running_lengths": self.running_lengths}

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return self.running_as_arrays() | {
            "returns": np.array(self.returns, np.float64),
            "lengths": np.array(self.lengths, np.int64),
            "ends": np.array(self.ends, np.int64),
            "successes": np.array(self.successes, np.float64),
        }

    def state_values(self) -> dict[str, Any]:
        return {}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        n = len(arrays["returns"])
        if arrays["running_returns"].shape != self.running_returns.shape or not (
            len(arrays["lengths"]) == len(arrays["ends"]) == n
        ):
            raise RecordError("the record of episodes does not fit this number of environments")
        self.running_returns[:] = arrays["running_returns"]
        self.running_lengths[:] = arrays["running_lengths"]
        self.returns, self.lengths = arrays["returns"].tolist(), arrays["lengths"].tolist()
        self.ends, self.successes = arrays["ends"].tolist(), arrays["successes"].tolist()


class EnvBatch:
    """``num_envs`` environments under one ``step``, whatever they are made of.

    Args:
        env: a single environment or a Gymnasium vector environment in any autoreset mode.
        seed: of the first reset; environment i gets ``seed + i``, as ``VectorEnv.reset(seed=seed)`` does.
        unwrap: step the members of a ``SyncVectorEnv`` one by one.

    Attributes:
        num_envs, observation_space, action_space: of one environment.
        observations: ``(num_envs, …)`` to act on next; ``None`` before :meth:`start`.
        action_masks: ``(num_envs, n_actions)`` of ``info["action_mask"]`` belonging to ``observations``, or ``None``.
        infos: of the last step: one dictionary per member, or what the vector environment answered.

    Raises:
        InvalidEnvironmentError: spaces that deep agents do not take.
    """

    def __init__(self, env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any], seed: int, *, unwrap: bool = True) -> None:
        self.env, self.seed = env, seed
        self.members: list[gym.Env[Any, Any]] | None = None
        if isinstance(env, VectorEnv):
            self.num_envs = env.num_envs
            self.observation_space, self.action_space = env.single_observation_space, env.single_action_space
            self.mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
            if type(env) is SyncVectorEnv and unwrap:
                self.members = list(env.envs)
        else:
            self.num_envs, self.members = 1, [env]
            self.observation_space, self.action_space = env.observation_space, env.action_space
        require_supported(self.observation_space)
        self._offset = int(self.action_space.start) if isinstance(self.action_space, spaces.Discrete) else 0
        self.observations: Batch = None
        self.action_masks: NDArray[np.bool_] | None = None
        self.infos: list[dict[str, Any]] | dict[str, Any] = [{} for _ in self.members or []]
        self._successes: list[float] = []
        self._resetting = np.zeros(self.num_envs, bool)  # NEXT_STEP: environments whose next row is a reset

    @property
    def resetting(self) -> NDArray[np.bool_]:
        """``(num_envs,)`` where the next step only resets (NEXT_STEP): nobody acts on that observation."""
        return self._resetting

    # -- stepping -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Reset every environment with the seed, the first time."""
        if self.observations is None:
            self.reset(self.seed)

    def reset(self, seed: int | None = None) -> None:
        """Reset every environment, whether its episode is over or not; with a seed, its spaces are seeded, too."""
        if seed is not None:
            _seed_spaces([self.env, *(self.members or [])], seed)
        self._resetting = np.zeros(self.num_envs, bool)
        self.action_masks = None
        if self.members is not None:
            self.observations = empty_batch(self.observation_space, self.num_envs)
            for i, member in enumerate(self.members):
                observation, info = member.reset(seed=None if seed is None else seed + i)
                put(self.observations, i, observation)
                self._read_mask(i, info)
        else:
            assert isinstance(self.env, VectorEnv)
            observations, info = self.env.reset(seed=seed)
            self.observations = _copy(observations)
            self._read_masks(info)

    def step(self, actions: NDArray[Any]) -> Transitions:
        """Act in every environment; ``observations`` then holds what to act on next."""
        before = self.observations
        self._successes = []
        if self.action_masks is not None:  # the old ones belong to transitions that were kept
            self.action_masks = np.ones_like(self.action_masks)
        result = self._step_members(actions) if self.members is not None else self._step_vector(actions)
        rewards, successors, terminated, truncated, valid = result
        return Transitions(before, actions, rewards, successors, terminated, truncated, valid, self._successes)

    def _step_members(self, actions: NDArray[Any]) -> Any:
        assert self.members is not None
        n = self.num_envs
        successors = empty_batch(self.observation_space, n)
        rewards, terminated, truncated = np.zeros(n), np.zeros(n, bool), np.zeros(n, bool)
        first: list[tuple[int, Any]] = []
        self.infos = infos = []
        for i, member in enumerate(self.members):
            action = actions[i] + self._offset if self._offset else actions[i]
            observation, rewards[i], terminated[i], truncated[i], info = member.step(action)
            put(successors, i, observation)
            infos.append(info)
            if terminated[i] or truncated[i]:
                self._read_success(info)
                observation, info = member.reset()
                first.append((i, observation))
            self._read_mask(i, info)
        self.observations = successors
        if first:
            self.observations = _copy(successors)
            for i, observation in first:
                put(self.observations, i, observation)
        return rewards, successors, terminated, truncated, np.ones(n, bool)

    def _step_vector(self, actions: NDArray[Any]) -> Any:
        env = self.env
        assert isinstance(env, VectorEnv)
        answer = env.step(actions + self._offset if self._offset else actions)
        observations, rewards = _copy(answer[0]), np.array(answer[1], np.float64)
        terminated, truncated, info = np.array(answer[2], bool), np.array(answer[3], bool), answer[4]
        self.infos = info
        valid = ~self._resetting
        ended = (terminated | truncated) & valid
        successors = observations
        if ended.any():
            if self.mode is AutoresetMode.SAME_STEP:
                successors = _copy(observations)
                for i in map(int, np.flatnonzero(ended)):
                    put(successors, i, _final_observation(info, i))
            for i in map(int, np.flatnonzero(ended)):
                self._read_success(_final_info(info, i, self.mode))
        self._read_masks(info)
        if self.mode is AutoresetMode.NEXT_STEP:
            self._resetting = ended
        elif self.mode is AutoresetMode.DISABLED and ended.any():
            begun, info = env.reset(options={"reset_mask": ended})
            self._read_masks(info)
            observations = _copy(observations)
            for i in map(int, np.flatnonzero(ended)):
                put(observations, i, take(begun, i))
        self.observations = observations
        rewards[~valid], terminated[~valid], truncated[~valid] = 0.0, False, False
        return rewards, successors, terminated, truncated, valid

    # -- what infos tell ------------------------------------------------------------------------------------------------

    def _read_mask(self, i: int, info: dict[str, Any]) -> None:
        mask = info.get("action_mask")
        if mask is not None and isinstance(self.action_space, spaces.Discrete):
            if self.action_masks is None:
                self.action_masks = np.ones((self.num_envs, int(self.action_space.n)), bool)
            self.action_masks[i] = mask

    def _read_masks(self, info: dict[str, Any]) -> None:
        if "action_mask" in info:
            for i in np.flatnonzero(info.get("_action_mask", np.ones(self.num_envs, bool))):
                self._read_mask(int(i), {"action_mask": info["action_mask"][i]})

    def _read_success(self, info: dict[str, Any]) -> None:
        if "is_success" in info:
            self._successes.append(float(info["is_success"]))

    # -- state ----------------------------------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Current observations and, where adapters know the environments, their whole state."""
        if self.observations is None:
            return {}
        arrays = {f"observations.{key}": array for key, array in _items(self.observations)}
        arrays["resetting"] = self._resetting
        if self.action_masks is not None:
            arrays["action_masks"] = self.action_masks
        for name, state in self._captured().items():
            arrays |= {f"{name}.{key}": array for key, array in state.arrays.items()}
        return arrays

    def state_values(self) -> dict[str, Any]:
        if self.observations is None:
            return {"started": False}
        captured = self._captured()
        values: dict[str, Any] = {"started": True, "captured": {name: state.values for name, state in captured.items()}}
        if not captured:
            values["random"] = [_random_state(member) for member in self.members or []]
        return values

    def _captured(self) -> dict[str, Any]:
        """State by environment; empty where one of them has no adapter."""
        from rlsuite.agents.deep.env_state import capture, capture_vector

        if self.members is None:
            assert isinstance(self.env, VectorEnv)
            state = capture_vector(self.env)
            return {} if state is None else {"vector": state}
        states = {f"env{i}": capture(member) for i, member in enumerate(self.members)}
        return {} if any(state is None for state in states.values()) else states

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> bool:
        """Put the environments back; whether their episodes go on (else they restart, which is logged)."""
        from rlsuite.agents.deep.env_state import EnvState, restore, restore_vector

        if not values["started"]:
            return True
        self.observations = None
        self.start()
        saved = dict(values["captured"])
        names = [f"env{i}" for i in range(self.num_envs)] if self.members is not None else ["vector"]
        if set(saved) != set(names):
            if saved:
                raise RecordError(f"it holds the state of {len(saved)} environments, not of {len(names)}")
            for member, state in zip(self.members or [], values.get("random", []), strict=False):
                _set_random_state(member, state)
            if self.members is not None:
                for i, member in enumerate(self.members):
                    observation, info = member.reset()
                    put(self.observations, i, observation)
                    self._read_mask(i, info)
            logger.warning(
                "the state of %s cannot be saved: its running episode restarts, so this run differs from one that "
                "never stopped",
                self.env.spec.id if self.env.spec else type(self.env.unwrapped).__name__,
            )
            return False
        for i, name in enumerate(names):
            mine = {key.removeprefix(f"{name}."): a for key, a in arrays.items() if key.startswith(f"{name}.")}
            state = EnvState(mine, saved[name])
            if self.members is None:
                assert isinstance(self.env, VectorEnv)
                restore_vector(self.env, state)
            else:
                restore(self.members[i], state)
        for key, array in _items(self.observations):
            stored = arrays[f"observations.{key}"]
            if stored.shape != array.shape or stored.dtype != array.dtype:
                raise RecordError(
                    f"its observations are {stored.dtype} {stored.shape}, not {array.dtype} {array.shape}"
                )
            array[...] = stored
        self._resetting = arrays["resetting"].astype(bool)
        self.action_masks = arrays["action_masks"].astype(bool) if "action_masks" in arrays else None
        return True


def _copy(batch: Batch) -> Batch:
    return tree_map(lambda array: np.array(array), batch)


def _items(batch: Batch) -> list[tuple[str, NDArray[Any]]]:
    return list(batch.items()) if isinstance(batch, dict) else [("", batch)]


def _final_observation(info: dict[str, Any], i: int) -> Any:
    """The true successor of environment ``i`` under SAME_STEP."""
    for key in ("final_obs", "final_observation"):
        if key in info:  # an array of observations, or where these are dictionaries also a dictionary of arrays
            return take(info[key], i)
    raise InvalidEnvironmentError(
        "the vector environment resets in the same step but gives no info['final_obs']: what followed the last action "
        "of an episode is unknown"
    )


def _final_info(info: dict[str, Any], i: int, mode: AutoresetMode) -> dict[str, Any]:
    """``is_success`` of environment ``i`` at the end of its episode, where the environment tells it."""
    final = info.get("final_info", {}) if mode is AutoresetMode.SAME_STEP else info
    if not isinstance(final, dict):  # an array of dictionaries, as Gymnasium 0.29 gave
        return dict(final[i] or {})
    if "_is_success" in final and not final["_is_success"][i]:  # it told nothing: zeros fill its row
        return {}
    return {"is_success": final["is_success"][i]} if "is_success" in final else {}


def _seed_spaces(envs: list[Any], seed: int) -> None:
    """Seed the spaces of environments and of all their wrappers, from which an environment may draw as it runs."""
    layers = []
    for layer in envs:
        layers.append(layer)
        while isinstance(layer, gym.Wrapper | VectorWrapper):
            layer = layer.env
            layers.append(layer)
    names = ("action_space", "observation_space", "single_action_space", "single_observation_space")
    found = [space for layer in layers for name in names if (space := getattr(layer, name, None)) is not None]
    distinct = {id(space): space for space in found}.values()
    for space, sequence in zip(distinct, np.random.SeedSequence(seed).spawn(len(distinct)), strict=True):
        space.seed(int(sequence.generate_state(1)[0]))


def _random_state(env: gym.Env[Any, Any]) -> dict[str, Any] | None:
    generator = env.unwrapped._np_random  # not np_random, which would make one
    return None if generator is None else dict(generator.bit_generator.state)


def _set_random_state(env: gym.Env[Any, Any], state: dict[str, Any] | None) -> None:
    if state is not None:
        env.unwrapped.np_random.bit_generator.state = state
