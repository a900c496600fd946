"""What Gymnasium's environments and wrappers keep between steps, and how it is checked before it is put back.

Classes are named by strings, so that none of them is imported to look one up. Each entry lists the attributes that change
as the object runs, with a check of the value that a file may hold for it. Box2D is missing: its world cannot be read out.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from rlsuite.agents.deep.env_state import STATELESS, Adapter
from rlsuite.errors import RecordError

Check = Callable[[Any, Any], bool]  # (layer, value)


def find_adapter(layer: Any, name: str) -> Adapter | None:
    """The adapter of the class ``module:Name``, or ``None``."""
    if name.startswith("gymnasium.envs.mujoco.") and hasattr(layer, "model"):
        return _MUJOCO
    return _ADAPTERS.get(name)


# -- checks -------------------------------------------------------------------------------------------------------------


def _number(layer: Any, value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and bool(np.isfinite(value))


def _count(layer: Any, value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 0)


def _flag(layer: Any, value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _text(layer: Any, value: Any) -> bool:
    return isinstance(value, str)


def _numbers(*shape: int, dtypes: str = "fiu") -> Check:
    """Finite numbers of this shape: an array, or a tuple of them."""

    def check(layer: Any, value: Any) -> bool:
        if isinstance(value, tuple):
            return len(shape) == 1 and len(value) == shape[0] and all(_number(layer, item) for item in value)
        return (
            isinstance(value, np.ndarray)
            and value.shape == shape
            and value.dtype.kind in dtypes
            and bool(np.isfinite(value).all())
        )

    return check


def _state_index(layer: Any, value: Any) -> bool:
    return _count(layer, value) and bool(value < layer.observation_space.n)


def _action_index(layer: Any, value: Any) -> bool:
    return np.shape(value) == () and np.asarray(value).dtype.kind in "iu" and 0 <= value < layer.action_space.n


def _hand(layer: Any, value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 2 and all(_count(layer, c) and 1 <= c <= 10 for c in value)


def _or_none(check: Check) -> Check:
    """What is ``None`` until the first reset, or ever again."""
    return lambda layer, value: value is None or check(layer, value)


def _fits(space: Any, value: Any) -> bool:
    """Whether ``value`` has the structure of the observations of ``space``."""
    if isinstance(space, spaces.Dict):
        return (
            isinstance(value, dict)
            and value.keys() == space.spaces.keys()
            and all(_fits(leaf, value[key]) for key, leaf in space.spaces.items())
        )
    if isinstance(space, spaces.Tuple):
        return (
            isinstance(value, tuple)
            and len(value) == len(space.spaces)
            and all(_fits(leaf, item) for leaf, item in zip(space.spaces, value, strict=True))
        )
    return np.shape(value) == tuple(space.shape or ()) and not isinstance(value, str)


# -- attributes -----------------------------------------------------------------------------------------------------------


def attributes(**checks: Check) -> Adapter:
    """The adapter of an object whose whole state is in these attributes."""

    def capture(layer: Any) -> dict[str, Any]:
        return {name: getattr(layer, name, None) for name in checks}

    def restore(layer: Any, state: dict[str, Any]) -> None:
        _require(layer, state, checks)
        for name, value in state.items():
            setattr(layer, name, value)

    return Adapter(capture, restore)


def _require(layer: Any, state: dict[str, Any], checks: dict[str, Check]) -> None:
    if state.keys() != checks.keys():
        raise RecordError(f"the state of {type(layer).__name__} holds {sorted(state)}, not {sorted(checks)}")
    for name, check in checks.items():
        if not check(layer, state[name]):
            raise RecordError(f"{name} of {type(layer).__name__} cannot be {str(state[name])[:80]}")


_INDEX = {"s": _or_none(_state_index), "lastaction": _or_none(_action_index)}

# -- wrappers -------------------------------------------------------------------------------------------------------------


def _restore_checker(layer: Any, state: dict[str, Any]) -> None:
    """The first steps' checks, which only warn, are not made again: they need objects of the step before."""
    _require(layer, state, {"checked_reset": _flag, "checked_render": _flag})
    layer.checked_reset = layer.checked_step = layer.checked_data_reuse = state["checked_reset"]
    layer.checked_render, layer._previous_data = state["checked_render"], None


_STATISTICS: dict[str, Check] = {
    "episode_count": _count,
    "episode_returns": _number,
    "episode_lengths": _count,
    "time_queue": lambda layer, value: isinstance(value, deque) and all(_number(layer, item) for item in value),
    "return_queue": lambda layer, value: isinstance(value, deque) and all(_number(layer, item) for item in value),
    "length_queue": lambda layer, value: isinstance(value, deque) and all(_count(layer, item) for item in value),
}


def _capture_statistics(layer: Any) -> dict[str, Any]:
    elapsed = time.perf_counter() - layer.episode_start_time  # the clock of another process starts elsewhere
    return {name: getattr(layer, name) for name in _STATISTICS} | {"elapsed": elapsed}


def _restore_statistics(layer: Any, state: dict[str, Any]) -> None:
    _require(layer, state, _STATISTICS | {"elapsed": _number})
    layer.episode_start_time = time.perf_counter() - state["elapsed"]
    for name in _STATISTICS:
        value = state[name]
        setattr(layer, name, deque(value, maxlen=getattr(layer, name).maxlen) if isinstance(value, deque) else value)


def _restore_frames(layer: Any, state: dict[str, Any]) -> None:
    space = layer.env.observation_space
    frames, padding = state["obs_queue"], state["padding_value"]
    if not (isinstance(frames, deque) and len(frames) == layer.stack_size and all(_fits(space, f) for f in frames)):
        raise RecordError(f"FrameStackObservation needs {layer.stack_size} observations of {space}")
    if not _fits(space, padding):
        raise RecordError(f"FrameStackObservation needs a padding value of {space}")
    layer.obs_queue, layer.padding_value = deque(frames, maxlen=layer.stack_size), padding


def _delayed(layer: Any, value: Any) -> bool:
    space = layer.env.observation_space
    return isinstance(value, deque) and len(value) <= layer.delay and all(_fits(space, item) for item in value)


def _capture_moments(rms: Any) -> dict[str, Any]:
    return {"mean": rms.mean, "var": rms.var, "count": rms.count}


def _restore_moments(layer: Any, rms: Any, state: dict[str, Any]) -> None:
    shape = np.shape(rms.mean)
    for name in ("mean", "var"):
        value = state[name]
        if np.shape(value) != shape or np.asarray(value).dtype.kind != "f" or not np.isfinite(value).all():
            raise RecordError(f"the running {name} of {type(layer).__name__} must be finite, of shape {shape}")
    if (np.asarray(state["var"]) < 0).any() or not _number(layer, state["count"]) or state["count"] <= 0:
        raise RecordError(f"the running variance and count of {type(layer).__name__} must be positive")
    rms.mean, rms.var, rms.count = state["mean"], state["var"], state["count"]


def _restore_normalize_observation(layer: Any, state: dict[str, Any]) -> None:
    _restore_moments(layer, layer.obs_rms, state["moments"])
    layer._update_running_mean = bool(state["update"])


def _restore_normalize_reward(layer: Any, state: dict[str, Any]) -> None:
    _restore_moments(layer, layer.return_rms, state["moments"])
    if not _numbers(1)(layer, state["discounted"]):
        raise RecordError("discounted_reward of NormalizeReward must be one finite number")
    layer.discounted_reward, layer._update_running_mean = state["discounted"], bool(state["update"])


# -- MuJoCo -----------------------------------------------------------------------------------------------------------------

# Results of the last step. They are computed from the positions before the last substep, so the next observation, reward
# or rendering cannot compute them anew from the state: Ant and Humanoid read xpos and xipos before they step.
_RESULTS = (
    "xpos", "xquat", "xmat", "xipos", "ximat", "xanchor", "xaxis", "geom_xpos", "geom_xmat", "site_xpos", "site_xmat",
    "cam_xpos", "cam_xmat", "light_xpos", "light_xdir", "subtree_com", "subtree_linvel", "subtree_angmom", "cinert",
    "cvel", "cdof", "cdof_dot", "cacc", "cfrc_int", "cfrc_ext", "ten_length", "ten_velocity", "actuator_length",
    "actuator_velocity", "actuator_force", "qfrc_actuator", "qfrc_passive", "qfrc_bias", "qfrc_constraint", "qacc",
    "act_dot", "sensordata", "energy",
)  # fmt: skip
_EXTRA = ("goal", "goal_pos", "cylinder_pos")  # Reacher and Pusher


def _capture_mujoco(env: Any) -> dict[str, Any] | None:
    """Everything the integrator reads, warm start of the solver included, and the results of the last step."""
    import mujoco

    model, data = env.model, env.data
    # Plugins keep memory of their own; sleeping and delayed parts keep indices, which no file should be trusted for.
    sleep = getattr(mujoco.mjtEnableBit, "mjENBL_SLEEP", 0)
    if model.nplugin or model.opt.enableflags & int(sleep) or getattr(model, "nhistory", 0):
        return None
    vector = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_getState(model, data, vector, mujoco.mjtState.mjSTATE_INTEGRATION)
    results = {name: getattr(data, name) for name in _RESULTS}
    return {"integration": vector, "results": results, "extra": {name: getattr(env, name, None) for name in _EXTRA}}


def _restore_mujoco(env: Any, state: dict[str, Any]) -> None:
    import mujoco

    model, data = env.model, env.data
    size = mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION)
    if not _numbers(size, dtypes="f")(env, state["integration"]):
        raise RecordError(f"the physics state of {type(env).__name__} must be {size} finite numbers")
    for name in _RESULTS:
        array = state["results"][name]
        if not _numbers(*getattr(data, name).shape, dtypes="f")(env, array):
            raise RecordError(f"{name} of {type(env).__name__} must be {getattr(data, name).shape} finite numbers")
    for name in _EXTRA:
        value = state["extra"][name]
        if value is not None and not _numbers(2)(env, value):
            raise RecordError(f"{name} of {type(env).__name__} must be 2 finite numbers")
    mujoco.mj_resetData(model, data)
    mujoco.mj_setState(model, data, state["integration"], mujoco.mjtState.mjSTATE_INTEGRATION)
    for name in _RESULTS:
        getattr(data, name)[...] = state["results"][name]
    for name in _EXTRA:
        if state["extra"][name] is not None:
            setattr(env, name, state["extra"][name])


_MUJOCO = Adapter(_capture_mujoco, _restore_mujoco)

# -- the table --------------------------------------------------------------------------------------------------------------


def _vector_state(layer: Any, value: Any) -> bool:
    return _numbers(4, layer.num_envs)(layer, value)


def _per_env(kind: str) -> Check:
    return lambda layer, value: (
        isinstance(value, np.ndarray) and value.shape == (layer.num_envs,) and value.dtype.kind == kind
    )


_CLASSIC = "gymnasium.envs.classic_control"
_TOY = "gymnasium.envs.toy_text"
_WRAPPERS = "gymnasium.wrappers"

_ADAPTERS: dict[str, Adapter] = {
    f"{_CLASSIC}.cartpole:CartPoleEnv": attributes(
        state=_or_none(_numbers(4)), steps_beyond_terminated=_or_none(_count)
    ),
    f"{_CLASSIC}.cartpole:CartPoleVectorEnv": attributes(
        state=_or_none(_vector_state), steps=_per_env("i"), prev_done=_per_env("b"), low=_number, high=_number,
        steps_beyond_terminated=_or_none(_count),
    ),
    f"{_CLASSIC}.mountain_car:MountainCarEnv": attributes(state=_or_none(_numbers(2))),
    f"{_CLASSIC}.continuous_mountain_car:Continuous_MountainCarEnv": attributes(state=_or_none(_numbers(2))),
    f"{_CLASSIC}.pendulum:PendulumEnv": attributes(state=_or_none(_numbers(2)), last_u=_or_none(_number)),
    f"{_CLASSIC}.acrobot:AcrobotEnv": attributes(state=_or_none(_numbers(4))),
    f"{_TOY}.frozen_lake:FrozenLakeEnv": attributes(**_INDEX),
    f"{_TOY}.cliffwalking:CliffWalkingEnv": attributes(**_INDEX),
    f"{_TOY}.taxi:TaxiEnv": attributes(**_INDEX, fickle_step=_flag, taxi_orientation=_count),
    f"{_TOY}.blackjack:BlackjackEnv": attributes(
        player=_or_none(_hand), dealer=_or_none(_hand),
        dealer_top_card_suit=_or_none(_text), dealer_top_card_value_str=_or_none(_text),
    ),
    f"{_WRAPPERS}.common:TimeLimit": attributes(_elapsed_steps=_or_none(_count)),
    f"{_WRAPPERS}.common:OrderEnforcing": attributes(_has_reset=_flag),
    f"{_WRAPPERS}.common:Autoreset": attributes(autoreset=_flag),
    f"{_WRAPPERS}.common:PassiveEnvChecker": Adapter(
        lambda layer: {"checked_reset": layer.checked_reset, "checked_render": layer.checked_render}, _restore_checker
    ),
    f"{_WRAPPERS}.common:RecordEpisodeStatistics": Adapter(_capture_statistics, _restore_statistics),
    f"{_WRAPPERS}.stateful_observation:TimeAwareObservation": attributes(timesteps=_count),
    f"{_WRAPPERS}.stateful_observation:DelayObservation": attributes(observation_queue=_delayed),
    f"{_WRAPPERS}.stateful_observation:FrameStackObservation": Adapter(
        lambda layer: {"obs_queue": layer.obs_queue, "padding_value": layer.padding_value}, _restore_frames
    ),
    f"{_WRAPPERS}.stateful_observation:MaxAndSkipObservation": attributes(
        _obs_buffer=lambda layer, value: (
            isinstance(value, np.ndarray)
            and (value.shape, value.dtype) == (layer._obs_buffer.shape, layer._obs_buffer.dtype)
        )
    ),
    f"{_WRAPPERS}.stateful_observation:NormalizeObservation": Adapter(
        lambda layer: {"moments": _capture_moments(layer.obs_rms), "update": layer._update_running_mean},
        _restore_normalize_observation,
    ),
    f"{_WRAPPERS}.stateful_reward:NormalizeReward": Adapter(
        lambda layer: {
            "moments": _capture_moments(layer.return_rms),
            "discounted": layer.discounted_reward,
            "update": layer._update_running_mean,
        },
        _restore_normalize_reward,
    ),
    f"{_WRAPPERS}.stateful_action:StickyAction": attributes(
        last_action=lambda layer, value: value is None or _fits(layer.action_space, value),
        is_sticky_actions=_flag, num_repeats=_count, repeats_taken=_count,
    ),
}  # fmt: skip
for _module, _names in {
    "stateful_action": "RepeatAction",
    "transform_action": "TransformAction ClipAction RescaleAction DiscretizeAction",
    "transform_observation": "TransformObservation FilterObservation FlattenObservation GrayscaleObservation "
    "ResizeObservation ReshapeObservation RescaleObservation DtypeObservation AddRenderObservation "
    "DiscretizeObservation",
    "transform_reward": "TransformReward ClipReward",
    "rendering": "HumanRendering",
}.items():
    _ADAPTERS |= {f"{_WRAPPERS}.{_module}:{_name}": STATELESS for _name in _names.split()}
