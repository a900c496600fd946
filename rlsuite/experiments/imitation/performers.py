"""Who performs: the policy of an imitation run, or a shipped one by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlsuite.agents.evaluation import tell_where
from rlsuite.errors import RecordError
from rlsuite.experiments.imitation import all_arguments, is_imitation, policies
from rlsuite.experiments.imitation.episodes import Act
from rlsuite.experiments.loading import load_checkpoint, require_run, what_was_run
from rlsuite.experiments.records import CONFIG, read_config


@dataclass(frozen=True, eq=False)
class Performer:
    """A policy and the environment that it acts in.

    Attributes:
        name: to call it by. act: observations ``(n, …)`` to actions. folder: of its run, ``None`` where it is a file.
        env_kwargs: with those of the registration.
        about: checkpoint, steps and policy of a run; the card of a file.
    """

    name: str
    act: Act
    env_id: str
    env_kwargs: Mapping[str, Any]
    about: Mapping[str, Any]
    folder: Path | None = None
    agent: Any = None


@dataclass(frozen=True, eq=False)
class _Acting:
    """The actions of an agent."""

    agent: Any
    deterministic: bool

    def __call__(self, observations: Any) -> Any:
        return self.agent.predict(observations, deterministic=self.deterministic)[0]

    def act_in(self, env: Any) -> None:
        """See :func:`~rlsuite.agents.evaluation.tell_where`."""
        tell_where(self.agent, env)


def performs(source: str | Path) -> bool:
    """Whether :func:`performer` takes ``source``: a shipped policy, a policy's file, or a run that imitates.

    Raises:
        RecordError: it is none of these, and no other run either.
    """
    if is_policy(source):
        return True
    try:
        folder = require_run(source)
    except RecordError as error:
        a_name = not Path(source).exists() and len(Path(source).parts) == 1
        names = ", ".join(policies.shipped()) if a_name else ""
        raise RecordError(f"{error}; nor is it a shipped policy ({names})" if names else str(error)) from None
    return is_imitation(str(read_config(folder).get("env")))


def is_policy(source: str | Path) -> bool:
    """Whether ``source`` is a policy's file or the name of a shipped one, and no run."""
    if (Path(source) / CONFIG).exists():
        return False
    return str(source) in policies.shipped() or (Path(source).suffix == ".safetensors" and Path(source).is_file())


def performer(
    source: str | Path, checkpoint: str | None = None, *, deterministic: bool = True, trust: bool = False
) -> Performer:
    """The policy of a run of an imitation environment, or of a file.

    Raises:
        RecordError: it cannot be read, or has no such checkpoint.
    """
    if is_policy(source):
        path = policies.locate(str(source))
        policy = policies.read(path)
        return Performer(
            path.stem, policy, policy.env, all_arguments(policy.env, policy.env_kwargs), policies.card(path)
        )
    folder = require_run(source)
    agent, chosen = load_checkpoint(folder, checkpoint, trust=trust, training_state=False)
    _, environment = what_was_run(folder, trust=trust)

    about = {"checkpoint": chosen, "timesteps": agent.num_timesteps}
    env_kwargs = all_arguments(environment.env_id, environment.kwargs)
    return Performer(folder.name, _Acting(agent, deterministic), environment.env_id, env_kwargs, about, folder, agent)
