"""The state of an environment, through all its wrappers: saved and put back so that a resumed run goes on bit for bit.

What is saved, layer by layer from the outermost wrapper inwards: whatever the layer's *adapter* reads, the generators of
its action and observation spaces, and the environment's own ``np_random``. A layer without an adapter makes the whole
environment one that cannot be saved: nothing is guessed. :func:`capture` then returns ``None``, and its episode restarts.

An adapter comes from one of three places, asked in this order:

1. :func:`register_adapter`, for classes of other packages;
2. the table in :mod:`rlsuite.agents.deep.env_adapters`: Gymnasium's classic control, toy text, MuJoCo and wrappers;
3. the layer itself, if its class has the three methods that every saved part of an agent has:
   ``state_arrays() -> {name: array}``, ``state_values() -> {name: JSON value}`` and ``load_state(arrays, values)``, which
   raises :class:`RecordError` where they do not fit. The generators are saved besides and need no mention there. A
   subclass that keeps more state extends them.

The first two go by the exact class: a subclass may keep more than its base does. Functions handed to a wrapper
(``TransformObservation``) are taken to be pure.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv, VectorEnv, VectorWrapper
from numpy.typing import NDArray

from rlsuite.errors import RecordError

_GENERATORS = {kind.__name__: kind for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937,
                                                np.random.Philox, np.random.SFC64)}  # fmt: skip
_HOOKS = ("state_arrays", "state_values", "load_state")


@dataclass
class EnvState:
    """``arrays`` go to safetensors, ``values`` to JSON; both round trips are exact."""

    arrays: dict[str, NDArray[Any]]
    values: dict[str, Any]


class Adapter(NamedTuple):
    """``capture(layer)`` returns a dictionary of what changes as the layer runs, ``restore(layer, state)`` puts it back.

    The dictionary may hold ``None``, numbers, strings, arrays, NumPy scalars, and lists, tuples, deques and dictionaries
    of these. ``capture`` returns ``None`` for an object that it cannot save; ``restore`` raises :class:`RecordError`.
    """

    capture: Callable[[Any], dict[str, Any] | None]
    restore: Callable[[Any, dict[str, Any]], None]


STATELESS = Adapter(lambda layer: {}, lambda layer, state: None)
_registered: list[tuple[type | Callable[[Any], bool], Adapter]] = []


def register_adapter(
    cls_or_predicate: type | Callable[[Any], bool],
    capture: Callable[[Any], dict[str, Any] | None] = STATELESS.capture,
    restore: Callable[[Any, dict[str, Any]], None] = STATELESS.restore,
) -> None:
    """Make environments or wrappers of another package savable; see :class:`Adapter`. The latest one counts.

    Args:
        cls_or_predicate: exactly this class, or every layer for which the function is true.
        capture, restore: left out for a wrapper that keeps nothing between steps.
    """
    _registered.insert(0, (cls_or_predicate, Adapter(capture, restore)))


def capture(env: gym.Env[Any, Any]) -> EnvState | None:
    """The whole state of ``env``, or ``None`` where a layer of it has no adapter."""
    return _capture(_layers(env), env.spec.id if env.spec else None)


def restore(env: gym.Env[Any, Any], state: EnvState) -> None:
    """Put ``env``, made like the one that was captured, into its state; it need not have been reset.

    Raises:
        RecordError: the state is that of another environment, or is damaged. ``env`` must then be reset before use.
    """
    _restore(_layers(env), env.spec.id if env.spec else None, state)


def capture_vector(env: VectorEnv[Any, Any, Any]) -> EnvState | None:
    """The whole state of a vector environment: a ``SyncVectorEnv``, one with an adapter, wrappers of these, or ``None``."""
    if isinstance(env, VectorWrapper):
        outer, inner = _capture([env], None), capture_vector(env.env)
        if outer is None or inner is None:
            return None
        parts = {"wrapper": outer, "inner": inner}
        packed = {f"{part}.{name}": array for part, state in parts.items() for name, array in state.arrays.items()}
        return EnvState(packed, {part: state.values for part, state in parts.items()})
    if type(env) is not SyncVectorEnv:
        return _capture([env], env.spec.id if env.spec else None)
    arrays: dict[str, NDArray[Any]] = {}
    members = []
    for i, member in enumerate(env.envs):
        state = capture(member)
        if state is None:
            return None
        arrays |= {f"env{i}.{name}": array for name, array in state.arrays.items()}
        members.append(state.values)
    batch = {name: getattr(env, name) for name in (*_SYNC_FLAGS, "_env_obs")}
    return EnvState(arrays, {"members": members, "batch": _pack(batch, "batch", arrays)})


def restore_vector(env: VectorEnv[Any, Any, Any], state: EnvState) -> None:
    """Put a vector environment into its saved state.

    Raises:
        RecordError: as :func:`restore`.
    """
    if isinstance(env, VectorWrapper):
        for part, layer, put_back in (("inner", env.env, restore_vector), ("wrapper", env, _restore_wrapper)):
            saved = state.values.get(part)
            if not isinstance(saved, dict):
                raise RecordError(f"the state is not that of a wrapped vector environment: it has no {part!r}")
            put_back(layer, EnvState(_part(state.arrays, part), saved))
        return None
    if type(env) is not SyncVectorEnv:
        return _restore([env], env.spec.id if env.spec else None, state)
    members = state.values.get("members")
    if not isinstance(members, list) or len(members) != env.num_envs:
        raise RecordError(f"the state is not that of a SyncVectorEnv of {env.num_envs} environments")
    for i, (member, values) in enumerate(zip(env.envs, members, strict=True)):
        restore(member, EnvState(_part(state.arrays, f"env{i}"), values))
    batch = _unpack(state.values.get("batch"), state.arrays)
    if not isinstance(batch, dict) or set(batch) != {*_SYNC_FLAGS, "_env_obs"}:
        raise RecordError(f"the state of the SyncVectorEnv needs {', '.join(_SYNC_FLAGS)} and _env_obs")
    for name in _SYNC_FLAGS:
        if not (
            isinstance(batch[name], np.ndarray) and batch[name].shape == (env.num_envs,) and batch[name].dtype == bool
        ):
            raise RecordError(f"{name} of the SyncVectorEnv must be {env.num_envs} flags")
    if not isinstance(batch["_env_obs"], list) or len(batch["_env_obs"]) != env.num_envs:
        raise RecordError(f"the SyncVectorEnv needs {env.num_envs} observations")
    for name, value in batch.items():
        setattr(env, name, value)


def _restore_wrapper(env: Any, state: EnvState) -> None:
    _restore([env], None, state)


_SYNC_FLAGS = ("_terminations", "_truncations", "_autoreset_envs")


# -- layers -------------------------------------------------------------------------------------------------------------


def _layers(env: gym.Env[Any, Any]) -> list[Any]:
    """The wrappers from the outermost inwards, then the environment."""
    layers: list[Any] = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return layers


def _name(layer: Any) -> str:
    return f"{type(layer).__module__}:{type(layer).__qualname__}"


def _adapter(layer: Any) -> Adapter | None:
    from rlsuite.agents.deep.env_adapters import find_adapter

    for wanted, adapter in _registered:
        if type(layer) is wanted if isinstance(wanted, type) else wanted(layer):
            return adapter
    known = find_adapter(layer, _name(layer))
    if known is None and all(callable(getattr(type(layer), hook, None)) for hook in _HOOKS):
        return Adapter(
            lambda env: {"arrays": dict(env.state_arrays()), "values": dict(env.state_values())},
            lambda env, state: env.load_state(state["arrays"], state["values"]),
        )
    return known


def _capture(layers: list[Any], spec_id: str | None) -> EnvState | None:
    arrays: dict[str, NDArray[Any]] = {}
    saved = []
    for i, layer in enumerate(layers):
        adapter = _adapter(layer)
        state = adapter.capture(layer) if adapter is not None else None
        if state is None:
            return None
        everything = {"state": state, "random": [_random_state(owner) for owner in _owners(layer)]}
        try:
            saved.append({"class": _name(layer), "content": _pack(everything, str(i), arrays)})
        except TypeError:  # an observation of a type that no file holds
            return None
    return EnvState(arrays, {"id": spec_id, "layers": saved})


def _restore(layers: list[Any], spec_id: str | None, state: EnvState) -> None:
    saved = state.values.get("layers")
    if not isinstance(saved, list) or not all(isinstance(entry, dict) for entry in saved):
        raise RecordError("the state of the environment holds no list of layers")
    if state.values.get("id") != spec_id:
        raise RecordError(f"the state is that of the environment {state.values.get('id')}, not of {spec_id}")
    names = [entry.get("class") for entry in saved]
    if names != [_name(layer) for layer in layers]:
        raise RecordError(f"the state is that of {_chain(names)}, not of {_chain(map(_name, layers))}")
    for layer, entry in zip(layers, saved, strict=True):
        adapter = _adapter(layer)
        if adapter is None:
            raise RecordError(f"{_name(layer)} has no adapter, so its state cannot be put back")
        content = _unpack(entry.get("content"), state.arrays)
        if not isinstance(content, dict) or not isinstance(content.get("state"), dict):
            raise RecordError(f"the state of {_name(layer)} is incomplete")
        try:
            adapter.restore(layer, content["state"])
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if isinstance(error, RecordError):
                raise
            raise RecordError(f"the state of {_name(layer)} does not fit: {type(error).__name__}: {error}") from error
        owners, random = _owners(layer), content.get("random")
        if not isinstance(random, list) or len(random) != len(owners):
            raise RecordError(f"{_name(layer)} has {len(owners)} random generators, the state does not")
        for owner, generator in zip(owners, random, strict=True):
            _set_random_state(owner, generator)


def _chain(names: Iterable[Any]) -> str:
    return " over ".join(str(name).rpartition(":")[2] for name in names)


# -- random generators ----------------------------------------------------------------------------------------------------


def _owners(layer: Any) -> list[Any]:
    """What has a generator of its own: the environment, and the spaces that this layer defines."""
    own = ["_action_space", "_observation_space"] if isinstance(layer, gym.Wrapper) else []
    if isinstance(layer, VectorWrapper):
        names = ("_single_action_space", "_single_observation_space", "_action_space", "_observation_space")
        return [space for name in names for space in _spaces(getattr(layer, name))]
    if isinstance(layer, VectorEnv):
        own = ["single_action_space", "single_observation_space"]
    if not isinstance(layer, gym.Wrapper):
        own += ["action_space", "observation_space"]
    found = [space for name in own for space in _spaces(getattr(layer, name, None))]
    return found if isinstance(layer, gym.Wrapper) else [layer, *found]


def _spaces(space: gym.Space[Any] | None) -> list[gym.Space[Any]]:
    """``space`` and all spaces inside it."""
    if space is None:
        return []
    inner: list[Any] = []
    if isinstance(space, spaces.Dict):
        inner = list(space.spaces.values())
    elif isinstance(space, spaces.Tuple | spaces.OneOf):
        inner = list(space.spaces)
    elif isinstance(space, spaces.Sequence):
        inner = [space.feature_space]
    elif isinstance(space, spaces.Graph):
        inner = [space.node_space, space.edge_space]
    return [space, *(leaf for child in inner for leaf in _spaces(child))]


def _random_state(owner: Any) -> dict[str, Any] | None:
    generator = owner._np_random  # not np_random, which would make one
    seed = getattr(owner, "_np_random_seed", None)
    return None if generator is None else {"generator": dict(generator.bit_generator.state), "seed": seed}


def _set_random_state(owner: Any, state: Any) -> None:
    if state is None:
        owner._np_random = None
        return
    try:
        bit_generator = _GENERATORS[state["generator"]["bit_generator"]](0)
        bit_generator.state = state["generator"]
        seed = None if state["seed"] is None else operator.index(state["seed"])
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"the random generator of {type(owner).__name__} cannot be put back: {error!r}") from error
    owner._np_random = np.random.Generator(bit_generator)
    if hasattr(owner, "_np_random_seed"):
        owner._np_random_seed = seed


# -- values as JSON and arrays ----------------------------------------------------------------------------------------------


def _pack(value: Any, name: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """``value`` as JSON; arrays and NumPy scalars, with their types, go to ``arrays``.

    Raises:
        TypeError: something in it is of a type that has no exact form.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float and np.isfinite(value):
        return value
    if type(value) is np.str_:
        return {"np.str": str(value)}
    if type(value) in (list, tuple, deque):
        return {type(value).__name__: [_pack(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]}
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {"dict": {key: _pack(item, f"{name}.{key}", arrays) for key, item in value.items()}}
    if type(value) is np.ndarray or isinstance(value, np.number | np.bool_) or type(value) is float:
        array = np.array(value, order="C")
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise TypeError(f"arrays of type {array.dtype} cannot be saved")
        arrays[name] = array
        kind = "array" if type(value) is np.ndarray else "float" if type(value) is float else "scalar"
        return {kind: name}
    raise TypeError(f"{type(value).__name__} cannot be saved")


def _unpack(node: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The value that :func:`_pack` was given.

    Raises:
        RecordError: it was given no such thing.
    """
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if isinstance(node, dict) and len(node) == 1:
        ((kind, content),) = node.items()
        if kind in ("array", "scalar", "float") and isinstance(content, str) and content in arrays:
            array = np.array(arrays[content])
            if kind == "array":
                return array
            if array.shape == ():
                return float(array) if kind == "float" else array[()]
        if kind in ("list", "tuple", "deque") and isinstance(content, list):
            items = [_unpack(item, arrays) for item in content]
            return items if kind == "list" else tuple(items) if kind == "tuple" else deque(items)
        if kind == "dict" and isinstance(content, dict):
            return {key: _unpack(item, arrays) for key, item in content.items()}
        if kind == "np.str" and isinstance(content, str):
            return np.str_(content)
    raise RecordError(f"the state of the environment is damaged at {str(node)[:80]!r}")


def _part(arrays: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}
