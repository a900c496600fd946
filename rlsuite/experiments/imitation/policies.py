"""Small trained policies as files: a perceptron and its normaliser in ``NAME.safetensors``, its card in ``NAME.json``.

Those in ``rlsuite/policies`` come with the package and go by their names. They act in numpy alone, so that one moves a body
seconds after the first import. ``x -> mean action``: ``clip((x - mean) / scale, -10, 10)``, then the layers. A clip that
neither comes with the package nor can be fetched lies beside its policy as ``NAME.npz``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import HyperparameterError, RecordError, UnknownNameError
from rlsuite.experiments.run_files import PREFIX, located
from rlsuite.files import write_atomically
from rlsuite.motion import catalogue, clip_files, fetching
from rlsuite.motion.clip import MotionClip
from rlsuite.tensor_files import DAMAGE, damaged, read_file, write_file

FOLDER = Path(__file__).parents[2] / "policies"
FORMAT = "rlsuite-policy-1"
CLIP_RANGE = 10.0  # of normalised observations
MARGIN = 0.005  # by which a card states less than was measured: processors round differently
Array = NDArray[np.float32]

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, np.float32(0.0)),
    "elu": lambda x: np.where(x > 0.0, x, np.expm1(np.minimum(x, np.float32(0.0)))),
}


@dataclass(frozen=True, eq=False)
class SmallPolicy:
    """A deterministic policy.

    Attributes:
        env_kwargs: of the environment it acts in. layers: weights ``(out, in)`` and biases of each.
        mean, scale: ``(in,)`` of observations. low, high: ``(out,)`` bounds of actions.
    """

    env: str
    env_kwargs: Mapping[str, Any]
    activation: str
    layers: tuple[tuple[Array, Array], ...]
    mean: Array
    scale: Array
    low: Array
    high: Array

    def __call__(self, observations: NDArray[Any]) -> Array:
        """``(n, out)`` actions for observations ``(n, in)``."""
        x = np.clip((observations - self.mean) / self.scale, -CLIP_RANGE, CLIP_RANGE).astype(np.float32)
        for weight, bias in self.layers[:-1]:
            x = ACTIVATIONS[self.activation](x @ weight.T + bias)
        weight, bias = self.layers[-1]
        return np.minimum(np.maximum(x @ weight.T + bias, self.low), self.high)


def shipped() -> list[str]:
    """Names of the policies that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.json") if path.with_suffix(".safetensors").is_file())


def locate(name: str) -> Path:
    """The file of a policy: a shipped one by its name, or any by its path.

    Raises:
        UnknownNameError: it is neither.
    """
    if name in shipped():
        return FOLDER / f"{name}.safetensors"
    if Path(name).suffix == ".safetensors" and Path(name).is_file():
        return Path(name)
    raise UnknownNameError("policy", name, shipped(), f"shipped: {', '.join(shipped()) or 'none'}")


def card(path: Path) -> dict[str, Any]:
    """What is known of the policy in a file.

    Raises:
        RecordError: there is no card beside it, or it is damaged.
    """
    beside = path.with_suffix(".json")
    try:
        found = json.loads(beside.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"{beside} is no card of a policy: {' '.join(str(error).split())}") from None
    return found


def read(path: Path) -> SmallPolicy:
    """The policy in a file, its clip found beside it where it does not come with the package.

    Raises:
        RecordError: the file is missing, damaged, or holds no such policy.
    """
    header, arrays = read_file(path, FORMAT, "policy")
    try:
        n, activation, env = header["layers"], header["activation"], header["env"]
        if type(n) is not int or not 1 <= n <= 16 or activation not in ACTIVATIONS or not isinstance(env, str):
            raise ValueError(f"{n!r} layers with {activation!r} for {env!r}")
        if not all(a.dtype == np.float32 and np.isfinite(a).all() for a in arrays.values()):
            raise ValueError("its numbers must be finite, in 32 bits")
        layers = tuple((arrays[f"weight{i}"], arrays[f"bias{i}"]) for i in range(n))
        widths = [len(arrays["mean"]), *(len(bias) for _, bias in layers)]
        shapes = [weight.shape for weight, _ in layers]
        if shapes != list(zip(widths[1:], widths[:-1], strict=True)) or not (arrays["scale"] > 0.0).all():
            raise ValueError("its layers do not fit one another")
        env_kwargs = located(dict(header["env_kwargs"]), path.parent)
        return SmallPolicy(
            env, env_kwargs, activation, layers, *(arrays[name] for name in ("mean", "scale", "low", "high"))
        )
    except DAMAGE as error:
        raise damaged(path, error, "policy") from None


def write(
    path: Path, agent: Any, env: str, env_kwargs: Mapping[str, Any], clip: MotionClip, about: Mapping[str, Any]
) -> SmallPolicy:
    """Write the deterministic policy of ``agent`` and its card, after checking that it answers as the agent does.

    Args:
        path: ``.safetensors``. clip: what it performs, which is written beside it unless it comes with the package, or can
            be fetched and is on this machine.
        about: of the card: ``normalised_return`` as measured, and whatever else is known.

    Raises:
        HyperparameterError: the agent is no perceptron of vectors.
    """
    header, arrays = _parts(agent)
    kwargs = dict(env_kwargs)
    known = _known_as(clip)
    if known is not None:
        kwargs["clip"] = known
    else:
        kwargs["clip"] = f"{PREFIX}{path.stem}.npz"
        clip_files.save(clip, path.with_suffix(".npz"))
    write_file(path, {"format": FORMAT, "env": env, "env_kwargs": kwargs, **header}, arrays)
    stated = math.floor(100.0 * (about["normalised_return"] - MARGIN)) / 100.0
    source = fetching.CATALOGUE.get(known or "")
    told = {
        "clip": known or clip.name,
        "licence": source.licence if source else clip.licence,
        **about,
        "normalised_return": stated,
    }
    policy = read(path)
    _require_same(policy, agent, path)
    write_atomically(path.with_suffix(".json"), json.dumps(told, indent=2) + "\n")
    return policy


def _known_as(clip: MotionClip) -> str | None:
    """Its name among shipped clips, or among those that can be fetched and are on this machine."""
    fetched = [name for name in fetching.CATALOGUE if fetching.location(name).is_file()]
    for name in [clip.name, *fetched] if clip.name in catalogue.NAMES else fetched:
        if np.array_equal(catalogue.find(name).qpos, clip.qpos):
            return name
    return None


def _parts(agent: Any) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and arrays of the agent's network."""
    from torch import nn

    from rlsuite.agents.deep.distributions import DiagonalGaussian
    from rlsuite.agents.deep.networks import FlatEncoder
    from rlsuite.agents.deep.policy_modules import ModePolicy

    module = agent.policy_module()
    plain = isinstance(module, ModePolicy) and isinstance(module.encoder, FlatEncoder)
    activation = getattr(agent.hyperparameters, "activation", "")
    if not plain or type(module.distribution) is not DiagonalGaussian or activation not in ACTIVATIONS:
        raise HyperparameterError(f"{agent.name}: only perceptrons with unsquashed actions can be written as a policy")
    linear = [layer for layer in module.actor.modules() if isinstance(layer, nn.Linear)]
    inputs = linear[0].in_features
    arrays = {"mean": np.zeros(inputs), "scale": np.ones(inputs), "low": module.space.low, "high": module.space.high}
    if module.normalises:
        arrays |= {"mean": module.mean.numpy(), "scale": module.scale.numpy()}
    for i, layer in enumerate(linear):
        arrays |= {f"weight{i}": layer.weight.numpy(), f"bias{i}": layer.bias.numpy()}
    header = {"layers": len(linear), "activation": activation}
    return header, {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}


def _require_same(policy: SmallPolicy, agent: Any, path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((64, len(policy.mean))).astype(np.float32)
    rows = (policy.mean + policy.scale * rows).astype(np.float32)
    difference = float(np.abs(policy(rows) - agent.predict(rows)[0]).max())
    if difference > 1e-4:
        raise RecordError(f"{path} does not act as the agent does: actions differ by {difference:g}")
