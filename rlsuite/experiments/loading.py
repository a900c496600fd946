"""From a run on disk back to an agent that acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlsuite.agents import sb3
from rlsuite.agents.base import Agent
from rlsuite.agents.registry import agent_class
from rlsuite.envs.preprocessing import Preprocessing
from rlsuite.errors import HyperparameterError, RecordError
from rlsuite.experiments.checkpoints import checkpoint_names, choose_checkpoint, read_checkpoint
from rlsuite.experiments.records import CHECKPOINTS, CONFIG, find_records, read_config
from rlsuite.experiments.run_environment import RunEnvironment
from rlsuite.experiments.run_files import located
from rlsuite.experiments.run_prior import RunPrior
from rlsuite.experiments.training_plan import learns_from_batches
from rlsuite.imports import require_trust

__all__ = ["checkpoint_names", "choose_checkpoint", "load", "load_checkpoint", "require_run", "what_was_run"]


def load(run: str | Path, checkpoint: str | None = None, *, trust: bool = False) -> Agent:
    """The agent of a run directory, in an environment made as it was trained in.

    Args:
        run: a folder with ``config.yaml`` (a run of ``rlsuite train``, or one algorithm's folder of a comparison).
        checkpoint: name of a file in ``checkpoints/``: ``"last"`` (default where there is one; the newest
            that is whole), ``"best"``, ``"5000_steps"``, or ``"s3"`` for seed 3 of a comparison (default there: the
            first seed).
        trust: import the modules that the run names (``module:id``), which runs their code. Without it only modules
            that the program has imported already are used, so that opening somebody's run runs nothing of theirs.

    Raises:
        RecordError: there is no such run or checkpoint, it is damaged, or it names a module and is not trusted.
    """
    return load_checkpoint(run, checkpoint, trust=trust)[0]


def load_checkpoint(
    run: str | Path, checkpoint: str | None = None, *, trust: bool = False, training_state: bool = True
) -> tuple[Agent, str]:
    """:func:`load`, and the name of the checkpoint that was read: for ``last``, of the newest that is whole.

    ``training_state=False`` leaves out what only learning on needs, where the agent tells it apart.
    """
    folder = require_run(run)
    algo, environment = what_was_run(folder, trust=trust)
    chosen = choose_checkpoint(folder, checkpoint)
    agent_type = agent_class(algo)
    acting = {} if training_state or not learns_from_batches(agent_type) else {"training_state": False}

    def read(path: Path) -> Agent:
        with environment.rendering():
            return agent_type.load(path, environment.batch(), **acting)

    name, agent = read_checkpoint(folder, chosen, read)
    return agent, name


def require_run(run: str | Path) -> Path:
    """The folder of a run.

    Raises:
        RecordError: it is none; the message names one around it or below it, if there is one.
    """
    folder = Path(run)
    if not (folder / CONFIG).exists():
        if holder := next((parent for parent in list(folder.parents)[:2] if (parent / CONFIG).exists()), None):
            chosen = folder.parent.name == CHECKPOINTS and folder.suffix
            taken = f" (evaluate, play and export take --checkpoint {folder.stem})" if chosen else ""
            raise RecordError(f"{folder} is not a run, but lies in one: give its folder, {holder}{taken}")
        below = find_records(folder) if folder.is_dir() else []
        hint = f"; there are runs below it, e.g. {below[0]}" if below else ""
        raise RecordError(f"{folder} is not a run: it has no {CONFIG}{hint}")
    return folder


def what_was_run(folder: Path, *, trust: bool = False) -> tuple[str, RunEnvironment]:
    """Algorithm and environments of a run, type-checked.

    Raises:
        RecordError: the configuration is malformed, or names a module and is not trusted.
    """
    config, path = read_config(folder), folder / CONFIG
    env_id, algo = (_entry(config, name, str, "a string", path) for name in ("env", "algo"))
    kwargs = dict(_entry(config, "env_kwargs", dict, "a mapping", path))
    if not all(isinstance(name, str) for name in kwargs):
        raise RecordError(f"{path}: the keys of env_kwargs must be strings, not {list(kwargs)}")
    limit = config.get("max_episode_steps")
    if limit is not None:
        kwargs["max_episode_steps"] = _count(limit, "max_episode_steps", path)
    n_envs = _count(config.get("n_envs", 1), "n_envs", path)
    try:
        preprocessing = Preprocessing.from_dict(_entry({"preprocessing": {}, **config}, "preprocessing", dict,
                                                       "a mapping", path))  # fmt: skip
        prior = RunPrior.from_dict(_entry(config, "prior", dict, "a mapping", path)) if config.get("prior") else None
    except HyperparameterError as error:
        raise RecordError(f"{path}: {error}") from None
    if not trust:
        require_trust(env_id)
        if algo not in sb3.NAMES:  # whose colon is no module's
            require_trust(algo)
    prior = None if prior is None else prior.located(folder)
    return algo, RunEnvironment(env_id, located(kwargs, folder), preprocessing, n_envs, algo in sb3.NAMES, prior)


def _count(value: Any, name: str, path: Path) -> int:
    if type(value) is not int or not 1 <= value < 1 << 62:
        raise RecordError(f"{path}: {name} must be an integer of at least 1, not {value!r}")
    return value


def _entry(config: dict[str, Any], name: str, kind: type, expected: str, path: Path) -> Any:
    if not isinstance(config.get(name), kind):
        what = f"must be {expected}, not {config[name]!r}" if name in config else "is missing"
        raise RecordError(f"{path}: {name} {what}")
    return config[name]
