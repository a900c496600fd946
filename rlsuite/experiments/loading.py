"""From a run on disk back to an agent that acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlsuite.agents.base import Agent
from rlsuite.agents.registry import agent_class
from rlsuite.envs.registration import make_env
from rlsuite.errors import RecordError
from rlsuite.experiments.records import CHECKPOINTS, CONFIG, find_records, read_config
from rlsuite.imports import require_trust


def load(run: str | Path, checkpoint: str | None = None, *, trust: bool = False) -> Agent:
    """The agent of a run directory, in an environment made as it was trained in.

    Args:
        run: a folder with ``config.yaml`` (a run of ``rlsuite train``, or one algorithm's folder of a comparison).
        checkpoint: name of a file in ``checkpoints/``: ``"last"`` (default where it exists), ``"best"``, or ``"s3"`` for
            seed 3 of a comparison (default there: the first seed).
        trust: import the modules that the run names (``module:id``), which runs their code. Without it only modules
            that the program has imported already are used, so that opening somebody's run runs nothing of theirs.

    Raises:
        RecordError: there is no such run or checkpoint, it is damaged, or it names a module and is not trusted.
    """
    folder = Path(run)
    if not (folder / CONFIG).exists():
        below = find_records(folder) if folder.is_dir() else []
        hint = f"; there are runs below it, e.g. {below[0]}" if below else ""
        raise RecordError(f"{folder} is not a run: it has no {CONFIG}{hint}")
    config = read_config(folder)
    chosen = choose_checkpoint(folder, checkpoint)
    env_id, algo, kwargs = _what_was_run(config, folder / CONFIG)
    if not trust:
        require_trust(env_id)
        require_trust(algo)
    return agent_class(algo).load(folder / CHECKPOINTS / f"{chosen}.safetensors", make_env(env_id, **kwargs))


def choose_checkpoint(folder: str | Path, checkpoint: str | None = None) -> str:
    """The name of the checkpoint that :func:`load` reads: the one asked for, else ``last``, else the first seed's.

    Raises:
        RecordError: there is none of that name; the message says which there are.
    """
    names = checkpoint_names(Path(folder))
    default = "last" if "last" in names or not names or not _is_seed(names[-1]) else names[0]
    chosen = checkpoint or default
    if chosen not in names:
        has = f"it has {', '.join(names)}" if names else "it has none at all"
        raise RecordError(f"{folder} has no checkpoint {chosen!r}; {has}")
    return chosen


def _what_was_run(config: dict[str, Any], path: Path) -> tuple[str, str, dict[str, Any]]:
    """Environment, algorithm, and arguments of the environment, type-checked."""
    env_id, algo = (_entry(config, name, str, "a string", path) for name in ("env", "algo"))
    kwargs = dict(_entry(config, "env_kwargs", dict, "a mapping", path))
    if not all(isinstance(name, str) for name in kwargs):
        raise RecordError(f"{path}: the keys of env_kwargs must be strings, not {list(kwargs)}")
    limit = config.get("max_episode_steps")
    if limit is not None:
        if type(limit) is not int or limit < 1:
            raise RecordError(f"{path}: max_episode_steps must be an integer of at least 1, not {limit!r}")
        kwargs["max_episode_steps"] = limit
    return env_id, algo, kwargs


def _entry(config: dict[str, Any], name: str, kind: type, expected: str, path: Path) -> Any:
    if not isinstance(config.get(name), kind):
        what = f"must be {expected}, not {config[name]!r}" if name in config else "is missing"
        raise RecordError(f"{path}: {name} {what}")
    return config[name]


def checkpoint_names(folder: Path) -> list[str]:
    """Names of the checkpoints of a run, seeds in numerical order."""
    names = [path.stem for path in (folder / CHECKPOINTS).glob("*.safetensors") if not path.name.startswith(".")]
    return sorted(names, key=lambda name: (_is_seed(name), int(name[1:]) if _is_seed(name) else 0, name))


def _is_seed(name: str) -> bool:
    return name[0] == "s" and name[1:].isdigit()
