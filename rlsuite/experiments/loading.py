"""From a run on disk back to an agent that acts."""

from __future__ import annotations

from pathlib import Path

from rlsuite.agents.base import Agent
from rlsuite.agents.registry import agent_class
from rlsuite.envs.registration import make_env
from rlsuite.errors import RecordError
from rlsuite.experiments.records import CHECKPOINTS, CONFIG, find_records, read_config


def load(run: str | Path, checkpoint: str | None = None) -> Agent:
    """The agent of a run directory, in an environment made as it was trained in.

    Args:
        run: a folder with ``config.yaml`` (a run of ``rlsuite train``, or one algorithm's folder of a comparison).
        checkpoint: name of a file in ``checkpoints/``: ``"last"`` (default where it exists), ``"best"``, or ``"s3"`` for
            seed 3 of a comparison (default there: the first seed).

    Raises:
        RecordError: there is no such run or checkpoint, or it is damaged.
    """
    folder = Path(run)
    if not (folder / CONFIG).exists():
        below = find_records(folder) if folder.is_dir() else []
        hint = f"; there are runs below it, e.g. {below[0]}" if below else ""
        raise RecordError(f"{folder} is not a run: it has no {CONFIG}{hint}")
    config = read_config(folder)
    names = checkpoint_names(folder)
    chosen = checkpoint or ("last" if "last" in names else next(iter(names), None))
    if chosen not in names:
        raise RecordError(
            f"{folder} has no checkpoint {chosen!r}; it has {', '.join(names)}"
            if names
            else f"{folder} has no checkpoint"
        )
    try:
        env_id, kwargs, algo = config["env"], dict(config["env_kwargs"]), config["algo"]
    except (KeyError, TypeError) as error:
        raise RecordError(f"{folder / CONFIG} lacks {error}") from None
    if config.get("max_episode_steps"):
        kwargs["max_episode_steps"] = config["max_episode_steps"]
    return agent_class(algo).load(folder / CHECKPOINTS / f"{chosen}.safetensors", make_env(env_id, **kwargs))


def checkpoint_names(folder: Path) -> list[str]:
    """Names of the checkpoints of a run, seeds in numerical order."""
    names = [path.stem for path in (folder / CHECKPOINTS).glob("*.safetensors") if not path.name.startswith(".")]
    return sorted(names, key=lambda n: (n[1:].isdigit(), int(n[1:]) if n[1:].isdigit() else 0, n))
