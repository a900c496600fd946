"""Registration: the environments of the suite under Gymnasium ids, and making any environment with useful errors.

Only ids and entry points (as strings) are registered; an environment's module is imported when one is made.
"""

from __future__ import annotations

import difflib
import inspect
from typing import Any, Literal

import gymnasium as gym

from rlsuite.errors import InvalidEnvironmentError, RlsuiteError, UnknownNameError
from rlsuite.imports import import_named

NAMESPACE = "rlsuite"

# name: (entry point, time limit, reward threshold (only where the optimum is exactly known), arguments)
_ENVIRONMENTS: dict[str, tuple[str, int, float | None, dict[str, Any]]] = {
    "GridWorld": ("gridworld:GridWorldEnv", 500, None, {}),
    "FourRooms": ("gridworld:FourRoomsEnv", 500, None, {}),
    "WindyGridWorld": ("windy:WindyGridWorldEnv", 1000, -15.0, {}),
    "Cliff": ("gridworld:CliffEnv", 1000, -13.0, {}),
    "DynaMaze": ("mazes:DynaMazeEnv", 5000, None, {}),
    "BlockingMaze": ("changing_mazes:BlockingMazeEnv", 3000, None, {}),
    "ShortcutMaze": ("changing_mazes:ShortcutMazeEnv", 6000, None, {}),
    "RandomMaze": ("mazes:RandomMazeEnv", 1000, None, {}),
    "NGridWorld": ("mazes:NGridWorldEnv", 1000, None, {}),
    "SuttonBartoGridWorld5x5": ("sutton_barto_grid:SuttonBartoGridWorld5x5Env", 100, None, {}),
    "RandomWalk5": ("random_walk:RandomWalkEnv", 1000, None, {"n_states": 5, "left_reward": 0.0, "right_reward": 1.0}),
    "RandomWalk19": (
        "random_walk:RandomWalkEnv",
        10000,
        None,
        {"n_states": 19, "left_reward": -1.0, "right_reward": 1.0},
    ),
    "Gambler": ("gambler:GamblerEnv", 1000, None, {}),
    "JacksCarRental": ("car_rental:JacksCarRentalEnv", 100, None, {}),
    "MaximizationBias": ("maximization_bias:MaximizationBiasEnv", 10, 0.0, {}),
    "ShortCorridor": ("short_corridor:ShortCorridorEnv", 1000, None, {}),
}

# made by generative models, so that they need an argument: name: (entry point, time limit)
_GENERATED: dict[str, tuple[str, int]] = {"GeneratedMaze": ("rlsuite.envs.maps.env:GeneratedMazeEnv", 200)}

# name: (entry point, arguments); many at a time all of them are _HUMANOIDS_VECTOR
_HUMANOIDS: dict[str, tuple[str, dict[str, Any]]] = {
    "HumanoidImitate": ("env:HumanoidImitateEnv", {}),
    "HumanoidHeading": ("goal_envs:HumanoidHeadingEnv", {"goal": "heading", "clip": "walk", "reward": "local"}),
    "HumanoidLocation": ("goal_envs:HumanoidLocationEnv", {"goal": "location", "clip": "walk", "reward": "local"}),
    "HumanoidStrike": ("goal_envs:HumanoidStrikeEnv", {"goal": "strike", "clip": "kick"}),
    "HumanoidThrow": ("goal_envs:HumanoidThrowEnv", {"goal": "throw", "clip": "wave"}),
    "HumanoidGetUp": (
        "goal_envs:HumanoidGetUpEnv",
        {"goal": "get_up", "clip": "idle", "reward": "local", "terminate": ()},
    ),
    "HumanoidPush": ("goal_envs:HumanoidPushEnv", {"goal": "push", "clip": "walk"}),
}
_HUMANOIDS_VECTOR, _HUMANOIDS_LIMIT = "rlsuite.envs.humanoid.vector_env:HumanoidImitateVectorEnv", 600


def register_envs() -> None:
    """Register ``rlsuite/Name-v0`` for every environment of the suite; doing it again changes nothing."""
    for name, (entry_point, limit, threshold, kwargs) in _ENVIRONMENTS.items():
        if f"{NAMESPACE}/{name}-v0" not in gym.registry:
            gym.register(
                f"{NAMESPACE}/{name}-v0",
                entry_point=f"rlsuite.envs.finite.{entry_point}",
                max_episode_steps=limit,
                reward_threshold=threshold,
                kwargs=kwargs,
            )
    for name, (entry_point, limit) in _GENERATED.items():
        if f"{NAMESPACE}/{name}-v0" not in gym.registry:
            gym.register(f"{NAMESPACE}/{name}-v0", entry_point=entry_point, max_episode_steps=limit)
    for name, (entry_point, kwargs) in _HUMANOIDS.items():
        if f"{NAMESPACE}/{name}-v0" not in gym.registry:
            gym.register(
                f"{NAMESPACE}/{name}-v0",
                entry_point=f"rlsuite.envs.humanoid.{entry_point}",
                vector_entry_point=_HUMANOIDS_VECTOR,
                max_episode_steps=_HUMANOIDS_LIMIT,
                kwargs=kwargs,
            )


def registered_ids(family: Literal["finite", "humanoid"] = "finite") -> list[str]:
    """Ids of the suite's own environments: finite MDPs, or simulated humanoids."""
    return [f"{NAMESPACE}/{name}-v0" for name in (_ENVIRONMENTS if family == "finite" else _HUMANOIDS)]


def make_env(id: str, *, max_episode_steps: int | None = None, **kwargs: Any) -> gym.Env[Any, Any]:
    """``gymnasium.make`` whose failures are one clear line each.

    Args:
        id: a registered id, or ``module:id`` to import a module that registers it.
        max_episode_steps: time limit instead of the registered one.
        **kwargs: arguments of the environment, ``render_mode`` among them.

    Raises:
        UnknownNameError: nothing is registered under the id; the message names the nearest ids.
        InvalidEnvironmentError: the environment cannot be imported, does not take these arguments, or fails to start.
    """
    spec = find_spec(id)
    creator = env_creator(spec)
    _check_arguments(spec.id, creator, {**spec.kwargs, **kwargs})
    try:
        return gym.make(spec, max_episode_steps=max_episode_steps, **kwargs)
    except RlsuiteError as error:
        error.args = (f"{spec.id}: {error}",)
        raise
    except (ImportError, gym.error.DependencyNotInstalled) as error:
        raise InvalidEnvironmentError(f"{spec.id} needs something that is not installed: {_one_line(error)}") from error
    except (TypeError, ValueError, LookupError, AssertionError, gym.error.Error) as error:
        given = ", ".join(f"{name}={value!r}" for name, value in kwargs.items()) or "its default arguments"
        raise InvalidEnvironmentError(
            f"{spec.id} cannot be made with {given}: {type(error).__name__}: {_one_line(error)}"
        ) from error


def find_spec(id: str) -> gym.envs.registration.EnvSpec:
    """The registration of ``id``, after importing the module that ``module:id`` names.

    Raises:
        UnknownNameError: nothing is registered under the id.
        InvalidEnvironmentError: the module cannot be imported.
    """
    module, colon, name = id.rpartition(":")
    if colon:
        import_named(module, f"environment {name!r}")
    return _find_spec(name)


def nearest_ids(id: str, n: int = 3) -> list[str]:
    """Registered ids like ``id``: the same name elsewhere or in another version, similar names, names containing it."""
    by_name: dict[str, list[gym.envs.registration.EnvSpec]] = {}
    for spec in gym.registry.values():
        by_name.setdefault(spec.name.lower(), []).append(spec)
    wanted = id.rpartition("/")[2].rpartition(":")[2].lower()
    stem, dash, version = wanted.rpartition("-v")
    wanted = stem if dash and version.isdigit() else wanted
    names = [wanted] if wanted in by_name else []
    names += [name for name in difflib.get_close_matches(wanted, by_name, n=n, cutoff=0.6) if name not in names]
    names += sorted((name for name in by_name if wanted and wanted in name and name not in names), key=len)
    newest = []
    for name in names:
        namespaces = {spec.namespace: spec for spec in sorted(by_name[name], key=lambda spec: spec.version or 0)}
        newest += [namespaces[key].id for key in sorted(namespaces, key=lambda key: key or "")]
    return newest[:n]


def _find_spec(id: str) -> gym.envs.registration.EnvSpec:
    try:
        namespace, name, version = gym.envs.registration.parse_env_id(id)
    except gym.error.Error:
        raise UnknownNameError("environment", id, nearest_ids(id), "an id has the form [namespace/]Name-v0") from None
    if version is None:
        version = gym.envs.registration.find_highest_version(namespace, name)
    spec = gym.registry.get(gym.envs.registration.get_env_id(namespace, name, version))
    if spec is None:
        hint = "list them: rlsuite list envs --all; one of another package is named with its module, my_module:My-v0"
        raise UnknownNameError("environment", id, nearest_ids(id), hint)
    return spec


def env_creator(spec: gym.envs.registration.EnvSpec) -> Any:
    """The class or function that makes the environment.

    Raises:
        InvalidEnvironmentError: it cannot be imported, for example because a package is not installed.
    """
    if not isinstance(spec.entry_point, str):
        return spec.entry_point
    try:
        return gym.envs.registration.load_env_creator(spec.entry_point)
    except (ImportError, SyntaxError, AttributeError, gym.error.DependencyNotInstalled) as error:
        raise InvalidEnvironmentError(
            f"cannot import {spec.entry_point!r} for environment {spec.id!r}: "
            f"{type(error).__name__}: {_one_line(error)}"
        ) from error


def _check_arguments(id: str, creator: Any, kwargs: dict[str, Any]) -> None:
    parameters = inspect.signature(creator).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    unknown = [name for name in kwargs if name not in parameters]
    if unknown:
        accepted = [name for name in parameters if name != "render_mode"]
        takes = "it takes " + ", ".join(accepted) if accepted else "it takes none"
        raise InvalidEnvironmentError(f"{id} has no argument {', '.join(map(repr, unknown))}; {takes}")
    metadata = getattr(creator, "metadata", None)  # a property where the entry point is a wrapper or a function
    modes = metadata.get("render_modes", []) if isinstance(metadata, dict) else None
    mode = kwargs.get("render_mode")
    if mode is not None and modes is not None and mode.removesuffix("_list") not in modes:
        raise InvalidEnvironmentError(f"{id} has no render mode {mode!r}; it has {', '.join(modes) or 'none'}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
