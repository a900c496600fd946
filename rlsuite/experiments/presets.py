"""Tuned settings by (algorithm, environment), and how they merge with a file and the command line.

A preset file ``rlsuite/presets/ALGO.yaml`` maps environment ids, and ``default``, to settings as ``config.yaml`` holds
them. Later layers win, key by key: defaults, the algorithm's ``default`` preset, its preset for the environment, the
``--config`` file, the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from rlsuite.agents.registry import agent_class
from rlsuite.envs.registration import find_spec
from rlsuite.errors import RecordError
from rlsuite.experiments.records import slug
from rlsuite.experiments.run_files import located
from rlsuite.experiments.training_plan import (
    NESTED,
    OF_A_RECORD,
    TrainingPlan,
    hyperparameters_of,
    require_known,
)

DEFAULT = "default"


class Layer(NamedTuple):
    """Settings and where they come from."""

    source: str
    settings: dict[str, Any]


def preset_names() -> list[str]:
    """Algorithms (as file names) that have presets, sorted."""
    return sorted(path.name.removesuffix(".yaml") for path in _folder().iterdir() if path.name.endswith(".yaml"))


@cache
def read_presets(algo: str) -> dict[str, dict[str, Any]]:
    """The presets of an algorithm by environment id; none where there is no file.

    Raises:
        RecordError: the file is malformed.
    """
    path = _folder() / f"{slug(algo)}.yaml"
    if not path.is_file():
        return {}
    found = _read_yaml(path.read_text(), f"preset {path.name}")
    for env_id, settings in found.items():
        if not isinstance(settings, dict):
            raise RecordError(f"preset {path.name}: {env_id} must be a mapping")
        require_known(settings, f"preset {path.name}, {env_id}")
    return found


def preset_layers(algo: str, env_id: str) -> list[Layer]:
    """The presets that apply, the algorithm's own first; those of imitation serve its variants with a goal, too."""
    from rlsuite.experiments.imitation import PLAIN, is_imitation

    name = agent_class(algo).name
    presets = read_presets(name)
    own = find_spec(env_id).id
    keys = dict.fromkeys((DEFAULT, PLAIN if is_imitation(own) else own, own))
    return [Layer(f"preset {name}, {key}", presets[key]) for key in keys if key in presets]


def read_config_file(path: Path) -> Layer:
    """A ``--config`` file; the ``config.yaml`` of a run is one.

    Raises:
        RecordError: it cannot be read, or is no mapping.
        UnknownNameError: it holds an unknown key.
    """
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecordError(f"cannot read --config {path}: {reason}") from None
    settings = _read_yaml(text, f"--config {path}")
    require_known(settings, str(path))
    settings = {key: value for key, value in settings.items() if key not in OF_A_RECORD}
    if isinstance(settings.get("env_kwargs"), dict):
        settings["env_kwargs"] = located(settings["env_kwargs"], path.parent)
    return Layer(str(path), settings)


def merge(layers: Iterable[Layer]) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings of all layers, later ones winning key by key, and the source of each by dotted name."""
    merged: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for source, settings in layers:
        for key, value in settings.items():
            if key in NESTED and isinstance(value, Mapping):
                own = merged.setdefault(key, {})
                if isinstance(own, dict):
                    own.update(value)
                sources |= {f"{key}.{name}": source for name in value}
            else:
                merged[key] = value
                sources[key] = source
    return merged, sources


def make_plan(
    given: Mapping[str, Any], *, config: Path | None = None, out: Path = Path("runs"), name: str | None = None,
) -> TrainingPlan:  # fmt: skip
    """The plan for what the command line gives, over a ``--config`` file, over presets, over defaults.

    Raises:
        RlsuiteError: something unknown or out of range, anywhere.
    """
    own = [Layer("command line", dict(given))]
    if config is not None:
        own.insert(0, read_config_file(config))
    chosen, _ = merge(own)
    where = f"{config} and the command line" if config else "the command line"
    layers = []
    if isinstance(chosen.get("env"), str) and isinstance(chosen.get("algo"), str):
        layers = preset_layers(chosen["algo"], chosen["env"])
    settings, sources = merge([*layers, *own])
    return TrainingPlan.from_settings(settings, out=out, name=name, where=where, sources=sources)


def show(plan: TrainingPlan) -> str:
    """The plan as YAML in which a comment tells the source of each value."""
    from rlsuite.experiments.records import dump_yaml

    config = plan.config(hyperparameters_of(plan.agent_type, plan.values))
    lines = []
    for key, value in config.items():
        if key in NESTED:
            lines.append((f"{key}:" if value else f"{key}: {{}}", ""))
            entries = [(dump_yaml({name: item}).rstrip("\n"), f"{key}.{name}") for name, item in value.items()]
            lines += [("  " + text.replace("\n", "\n  "), plan.sources.get(at, "default")) for text, at in entries]
        else:
            lines.append((dump_yaml({key: value}).rstrip("\n"), plan.sources.get(key, "default")))
    width = max(len(text) for text, _ in lines if "\n" not in text)
    return "\n".join(f"{text:<{width}}  # {source}" if source else text for text, source in lines) + "\n"


def _folder() -> Any:
    return files("rlsuite") / "presets"


def _read_yaml(text: str, where: str) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except RecursionError:
        raise RecordError(f"cannot read {where}: it is nested too deeply") from None
    except (ValueError, TypeError, OverflowError, yaml.YAMLError) as error:
        raise RecordError(f"cannot read {where}: {' '.join(str(error).split())}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise RecordError(f"{where} must hold a mapping")
    return found
