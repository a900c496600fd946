"""Vector environments: many copies of one environment behind one ``step``, made by id with useful errors."""

from __future__ import annotations

import inspect
from typing import Any, Literal, TypeAlias, get_args

import gymnasium as gym
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from rlsuite.envs.preprocessing import Preprocessing
from rlsuite.envs.registration import NAMESPACE, find_spec, make_env
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError, RlsuiteError

Vectorization: TypeAlias = Literal["auto", "sync", "async", "native"]


def make_vec_env(
    id: str,
    num_envs: int,
    *,
    preprocessing: Preprocessing | None = None,
    max_episode_steps: int | None = None,
    vectorization: Vectorization = "auto",
    autoreset_mode: AutoresetMode | None = None,
    **kwargs: Any,
) -> gym.Env[Any, Any] | VectorEnv[Any, Any, Any]:
    """What an agent learns from: one environment for ``num_envs=1``, else a vector environment.

    Args:
        id: a registered id, or ``module:id``.
        num_envs: how many.
        preprocessing: wrappers around each environment.
        max_episode_steps: time limit instead of the registered one.
        vectorization: ``sync`` steps them in turn, ``async`` each in a process of its own (for slow ones), both in
            autoreset mode SAME_STEP; ``native`` is the environment's own vector entry point, in its own mode, and a
            vector environment also for ``num_envs=1``. ``auto``: native for the suite's own that have one and for
            those that have nothing else, else sync.
        autoreset_mode: of native ones that take it, where it is not to be their own.
        **kwargs: arguments of the environment.

    Raises:
        HyperparameterError: ``num_envs`` or ``vectorization`` is none of these.
        UnknownNameError: nothing is registered under the id.
        InvalidEnvironmentError: it cannot be made like this.
    """
    if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
        raise HyperparameterError(f"num_envs must be a positive integer, not {num_envs!r}")
    if vectorization not in get_args(Vectorization):
        raise HyperparameterError(f"vectorization must be one of {get_args(Vectorization)}, not {vectorization!r}")
    spec = find_spec(id)
    only_native = spec.entry_point is None and spec.vector_entry_point is not None
    own = spec.namespace == NAMESPACE and spec.vector_entry_point is not None and num_envs > 1 and not preprocessing
    if vectorization == "native" or (vectorization == "auto" and (only_native or own)):
        if autoreset_mode is not None and takes_autoreset_mode(spec):
            kwargs = {"autoreset_mode": autoreset_mode.value, **kwargs}
        return _native(spec, num_envs, preprocessing, max_episode_steps, kwargs)
    if only_native:
        raise InvalidEnvironmentError(f"{spec.id} exists only as a vector environment: choose native vectorization")

    if preprocessing is not None and preprocessing.pixels:
        kwargs = {"render_mode": "rgb_array", **kwargs}

    def make() -> gym.Env[Any, Any]:
        env = make_env(id, max_episode_steps=max_episode_steps, **kwargs)
        if preprocessing is None:
            return env
        try:
            return preprocessing.apply(env)
        except RlsuiteError:
            env.close()
            raise

    if num_envs == 1:
        return make()
    vector = AsyncVectorEnv if vectorization == "async" else SyncVectorEnv
    return vector([make] * num_envs, autoreset_mode=AutoresetMode.SAME_STEP)


def takes_autoreset_mode(spec: gym.envs.registration.EnvSpec) -> bool:
    """Whether the environment's own vector environment takes ``autoreset_mode``."""
    entry: Any = spec.vector_entry_point
    creator = gym.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
    return "autoreset_mode" in inspect.signature(creator).parameters


def _native(
    spec: gym.envs.registration.EnvSpec,
    num_envs: int,
    preprocessing: Preprocessing | None,
    max_episode_steps: int | None,
    kwargs: dict[str, Any],
) -> VectorEnv[Any, Any, Any]:
    if spec.vector_entry_point is None:
        raise InvalidEnvironmentError(f"{spec.id} has no vector entry point: choose sync or async vectorization")
    if preprocessing:
        raise InvalidEnvironmentError(f"preprocessing wraps single environments: choose sync or async for {spec.id}")
    limit: dict[str, Any] = {} if max_episode_steps is None else {"max_episode_steps": max_episode_steps}
    try:
        return gym.make_vec(spec, num_envs=num_envs, vectorization_mode="vector_entry_point", **limit, **kwargs)
    except (ImportError, TypeError, ValueError, LookupError, AssertionError, gym.error.Error) as error:
        reason = " ".join(str(error).split())
        raise InvalidEnvironmentError(
            f"{spec.id} cannot be made as a vector environment: {type(error).__name__}: {reason}"
        ) from error
