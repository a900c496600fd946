"""From a run to a policy in a small file with a card: measured, and written as it will be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlsuite.errors import HyperparameterError, RecordError
from rlsuite.experiments.imitation import policies
from rlsuite.experiments.imitation.evaluation import EPISODES, evaluate
from rlsuite.experiments.imitation.performers import Performer
from rlsuite.experiments.provenance import provenance
from rlsuite.experiments.records import plain, read_config
from rlsuite.motion import catalogue

SEED = 0  # of the evaluation that a card states


def ship(performer: Performer, path: Path, *, episodes: int = EPISODES, trials: int = 16) -> dict[str, Any]:
    """Write the policy of a run to ``path``; what its card says.

    Raises:
        RecordError: it is of no run. HyperparameterError: it is no perceptron, or performs several clips.
    """
    if performer.folder is None:
        raise RecordError(f"{performer.name} is no run")
    if performer.env_kwargs.get("multi") is not None:
        raise HyperparameterError(f"{performer.name} performs several clips; a small file holds a policy of one")
    config = read_config(performer.folder)
    found, _ = evaluate(performer.act, performer.env_kwargs, episodes=episodes, seed=SEED, trials=trials)
    made = config.get("provenance", {})
    about = {
        "env": performer.env_id,
        "algo": config.get("algo"),
        "reward": performer.env_kwargs.get("reward", "deepmimic-code"),
        **performer.about,
        **plain(found),
        "seed": SEED,
        "command": made.get("command"),
        "commit": made.get("git_commit"),
        "written_at_commit": provenance()["git_commit"],
    }
    clip = catalogue.find(performer.env_kwargs["clip"])
    policies.write(path, performer.agent, performer.env_id, performer.env_kwargs, clip, about)
    return policies.card(path)
