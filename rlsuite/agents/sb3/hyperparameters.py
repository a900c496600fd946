"""Hyperparameters of stable-baselines3's algorithms: its constructors, read as typed fields, and back.

Names, defaults and help lines are stable-baselines3's own. What its constructors take as objects (networks, schedules,
action noise, normalisation) is said in words and numbers here.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import LinearSchedule

from rlsuite.agents.deep.networks import ACTIVATIONS
from rlsuite.agents.hyperparameters import hyperparameter
from rlsuite.errors import HyperparameterError

_SCHEDULES = ("constant", "linear")
_UNIT = {"low": 0.0, "high": 1.0}
_COUNT, _POSITIVE = {"low": 1}, {"low": 0.0, "low_open": True}
_LIMITS: dict[str, dict[str, Any]] = {
    "learning_rate": _POSITIVE, "buffer_size": _COUNT, "learning_starts": {"low": 0}, "batch_size": _COUNT,
    "tau": _UNIT, "gamma": _UNIT, "train_freq": _COUNT, "gradient_steps": {"low": -1}, "n_steps": _COUNT,
    "target_update_interval": _COUNT, "exploration_fraction": _UNIT, "exploration_initial_eps": _UNIT,
    "exploration_final_eps": _UNIT, "max_grad_norm": _POSITIVE, "gae_lambda": _UNIT, "vf_coef": {"low": 0.0},
    "rms_prop_eps": _POSITIVE, "sde_sample_freq": {"low": -1}, "n_epochs": _COUNT, "clip_range": _POSITIVE,
    "clip_range_vf": _POSITIVE, "target_kl": _POSITIVE, "policy_delay": _COUNT, "target_policy_noise": {"low": 0.0},
    "target_noise_clip": {"low": 0.0},
}  # fmt: skip
_NOT_OURS = {
    "self", "policy", "env", "seed", "device", "verbose", "tensorboard_log", "stats_window_size", "policy_kwargs",
    "action_noise", "optimize_memory_usage",
}  # fmt: skip
_OF_POLICY: dict[str, tuple[type, str, dict[str, Any]]] = {
    "activation_fn": (str, "activation of the networks (default: the algorithm's own)", {"choices": (*ACTIVATIONS,)}),
    "ortho_init": (bool, "whether weights begin orthogonal (default: yes)", {}),
    "log_std_init": (float, "logarithm of the initial standard deviation of actions", {}),
    "n_critics": (int, "number of critics", _COUNT),
}


def hyperparameters_of(algorithm: type[BaseAlgorithm]) -> type:
    """The frozen dataclass of an algorithm's hyperparameters."""
    documented = {
        name: " ".join(text.split())
        for name, text in re.findall(r":param (\w+):(.*?)(?=:param |\Z)", algorithm.__doc__ or "", re.DOTALL)
    }
    found: list[tuple[str, Any, Any]] = []
    takes = inspect.signature(algorithm.__init__).parameters
    for name, parameter in takes.items():
        kind = _scalar(parameter.annotation)
        if name in _NOT_OURS or name.startswith("_") or kind is None:
            continue
        found.append(
            (
                name,
                kind,
                hyperparameter(_default(parameter.default, kind), documented.get(name, name), **_LIMITS.get(name, {})),
            )
        )
    found.append(
        ("learning_rate_schedule", str, hyperparameter("constant", "step size over a run", choices=_SCHEDULES))
    )
    if "clip_range" in takes:
        found.append(
            ("clip_range_schedule", str, hyperparameter("constant", "clip range over a run", choices=_SCHEDULES))
        )
    if "action_noise" in takes:
        help = "standard deviation of Gaussian noise on actions scaled to [-1, 1]"
        found.append(("action_noise_std", float, hyperparameter(0.0, help, low=0.0)))
    help = 'hidden layers of the networks, such as "64,64" (default: the algorithm\'s own)'
    found.append(("net_arch", str | None, hyperparameter(None, help)))
    policy = inspect.signature(algorithm.policy_aliases["MlpPolicy"].__init__).parameters
    for name, (kind, help, limits) in _OF_POLICY.items():
        if name in policy and (name, algorithm.__name__) != ("n_critics", "DDPG"):  # which has one by definition
            found.append((name, kind | None, hyperparameter(None, help, **limits)))
    found += [
        (f"normalize_{what}", bool, hyperparameter(False, f"whether VecNormalize normalises {what}"))
        for what in ("observations", "rewards")
    ]
    return dataclasses.make_dataclass(
        f"{algorithm.__name__}Hyperparameters", found, frozen=True, namespace={"__module__": __name__}
    )


def _scalar(hint: Any) -> Any:
    """The scalar type in a constructor's annotation, with None where allowed; None where there is no scalar in it."""
    choices = typing.get_args(hint) or (hint,)
    for kind in (bool, str, float, int):
        if kind in choices:
            return kind | None if type(None) in choices else kind
    return None


def _default(value: Any, kind: Any) -> Any:
    return float(value) if kind is float else value


def constructor_arguments(h: Any, algorithm: type[BaseAlgorithm], action_space: gym.Space[Any]) -> dict[str, Any]:
    """What the algorithm's constructor takes for hyperparameters ``h``, without ``policy`` and ``env``.

    Raises:
        HyperparameterError: a text that says no network, or no number.
    """
    takes = inspect.signature(algorithm.__init__).parameters
    arguments = {f.name: getattr(h, f.name) for f in dataclasses.fields(h) if f.name in takes}
    for name in ("learning_rate", "clip_range"):
        if getattr(h, f"{name}_schedule", "constant") == "linear":
            arguments[name] = LinearSchedule(arguments[name], 0.0, 1.0)
    for name in ("ent_coef", "target_entropy"):
        text = arguments.get(name)
        if isinstance(text, str) and not text.startswith("auto"):
            arguments[name] = _number(name, text)
    if getattr(h, "action_noise_std", 0.0) and isinstance(action_space, spaces.Box):
        shape = action_space.shape
        arguments["action_noise"] = NormalActionNoise(np.zeros(shape), np.full(shape, h.action_noise_std))
    networks = {name: getattr(h, name) for name in _OF_POLICY if getattr(h, name, None) is not None}
    if "activation_fn" in networks:
        networks["activation_fn"] = ACTIVATIONS[networks["activation_fn"]]
    if h.net_arch is not None:
        networks["net_arch"] = layers_of(h.net_arch)
    arguments["policy_kwargs"] = networks
    return arguments


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise HyperparameterError(f'{name} must be a number, "auto" or "auto_<initial value>", not {text!r}') from None


def layers_of(text: str) -> Any:
    """``"64,64"`` as layer sizes; ``"pi=64 vf=64,64"`` as those of separate networks."""
    try:
        if "=" in text:
            return {name: _sizes(sizes) for name, _, sizes in (part.partition("=") for part in text.split())}
        return _sizes(text)
    except ValueError:
        raise HyperparameterError(f'net_arch must be like "64,64" or "pi=64 vf=64,64", not {text!r}') from None


def _sizes(text: str) -> list[int]:
    sizes = [int(part) for part in text.strip("[] ").split(",") if part.strip()]
    if any(size < 1 for size in sizes):
        raise ValueError(text)
    return sizes


def policy_name(space: gym.Space[Any]) -> str:
    """The policy that fits the observations."""
    if isinstance(space, spaces.Dict):
        return "MultiInputPolicy"
    return "CnnPolicy" if is_image_space(space) else "MlpPolicy"


def read_back(model: BaseAlgorithm, config: type) -> dict[str, Any]:
    """The hyperparameters of a model that stable-baselines3 loaded.

    Raises:
        HyperparameterError: it was made with objects that no hyperparameter says.
    """
    values: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        if not hasattr(model, field.name):
            continue
        value = getattr(model, field.name)
        if field.name == "train_freq":
            value = _steps(value)
        elif callable(value):
            start, middle, end = (float(value(remaining)) for remaining in (1.0, 0.5, 0.0))
            if start != end and not (end == 0.0 and np.isclose(middle, start / 2)):
                raise HyperparameterError(f"{field.name} follows a schedule that is neither constant nor linear to 0")
            values[f"{field.name}_schedule"] = "constant" if start == end else "linear"
            value = start
        if field.name == "target_entropy" and value == -np.prod(model.action_space.shape or ()):
            value = "auto"
        values[field.name] = str(value) if field.name in ("ent_coef", "target_entropy") and field.type is str else value
    noise = getattr(model.action_noise, "base_noise", model.action_noise)
    if isinstance(noise, NormalActionNoise) and not np.any(noise._mu) and np.ptp(noise._sigma) == 0.0:
        values["action_noise_std"] = float(noise._sigma.flat[0])
    elif noise is not None:
        raise HyperparameterError(f"its actions carry {noise}; this suite has noise of one standard deviation")
    networks = dict(model.policy_kwargs)
    for name in {"use_sde", "n_critics"} - {field.name for field in dataclasses.fields(config)} | {"use_sde"}:
        networks.pop(name, None)  # what the constructor puts there itself
    if "net_arch" in networks:
        values["net_arch"] = _written(networks.pop("net_arch"))
    for name in [name for name in networks if name in _OF_POLICY]:
        value = networks.pop(name)
        values[name] = next(n for n, a in ACTIVATIONS.items() if a is value) if name == "activation_fn" else value
    networks = {name: value for name, value in networks.items() if name not in ("optimizer_class", "optimizer_kwargs")}
    if networks:
        raise HyperparameterError(f"its policy was made with {', '.join(networks)}, which this suite does not keep")
    return values


def _steps(train_freq: Any) -> int:
    if train_freq.unit.value != "step":
        raise HyperparameterError("it trains every so many episodes; this suite counts train_freq in steps")
    return int(train_freq.frequency)


def _written(arch: Any) -> str:
    if isinstance(arch, dict):
        return " ".join(f"{name}={','.join(map(str, sizes))}" for name, sizes in arch.items())
    return ",".join(map(str, arch))
