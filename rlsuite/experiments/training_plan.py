"""What a training run is: one flat set of settings, checked, as ``config.yaml`` holds it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlsuite.agents.base import Agent
from rlsuite.agents.hyperparameters import FieldInfo, build, check, fields, hyperparameter, parse
from rlsuite.agents.registry import agent_class
from rlsuite.envs.preprocessing import Preprocessing
from rlsuite.errors import HyperparameterError, UnknownNameError
from rlsuite.experiments.run_prior import RunPrior

OF_A_RECORD = ("provenance", "sources", "extensions")  # entries of a config.yaml that say how it came about
NESTED = ("hyperparameters", "env_kwargs", "preprocessing", "prior")


@dataclass(frozen=True)
class Settings:
    """How to train, whatever the algorithm; names as in rl_zoo3."""

    n_timesteps: int = hyperparameter(100_000, "environment steps to learn from", low=1)
    n_envs: int = hyperparameter(1, "environments stepped together", low=1, high=4096)
    seed: int = hyperparameter(0, "from which environments, weights, exploration and evaluations derive theirs", low=0)
    eval_freq: int | None = hyperparameter(None, "steps between evaluations; none: a tenth of the run", low=1)
    eval_episodes: int = hyperparameter(10, "episodes per evaluation", low=1)
    save_freq: int | None = hyperparameter(None, "steps between checkpoints; none: a tenth of the run", low=1)
    keep: int = hyperparameter(2, "newest checkpoints kept", low=1)
    log_interval: int | None = hyperparameter(None, "steps between log entries; none: a hundredth of the run", low=1)
    device: str = hyperparameter("auto", "torch device")
    num_threads: int = hyperparameter(1, "torch threads", low=1, high=1024)
    tensorboard: bool | None = hyperparameter(None, "write TensorBoard events into the run; none: for deep agents")
    clips: bool | None = hyperparameter(
        None, "film evaluations that are a new best, a quarter of the run apart; none: for deep agents"
    )


@dataclass(frozen=True)
class TrainingPlan:
    """A run to train.

    Attributes:
        values: hyperparameters that differ from the algorithm's defaults.
        out, name: where the record goes; without a name it is ``label`` and the first free number.
        sources: where each setting came from, by dotted name, for ``config.yaml``.
        prior: a motion prior that rewards besides.
        files: written into the run's folder, by name; ``env_kwargs`` and ``prior`` name them
            (:mod:`rlsuite.experiments.run_files`).
        others: fields of :class:`Settings`.
    """

    env_id: str
    algo: str
    n_timesteps: int = 100_000
    seed: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    eval_freq: int = 0  # 0: a tenth of the run; so save_freq. log_interval: a hundredth
    eval_episodes: int = 10
    out: Path = Path("runs")
    name: str | None = None
    label: str = "run"
    n_envs: int = 1
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    save_freq: int = 0
    keep: int = 2
    log_interval: int = 0
    device: str = "auto"
    num_threads: int = 1
    tensorboard: bool | None = None  # for deep agents; so clips
    clips: bool | None = None
    sources: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    prior: RunPrior | None = None

    def __post_init__(self) -> None:
        for name, share in (("eval_freq", 10), ("save_freq", 10), ("log_interval", 100)):
            object.__setattr__(self, name, getattr(self, name) or max(1, self.n_timesteps // share))
        deep = learns_from_batches(self.agent_type)
        for name in ("tensorboard", "clips"):
            object.__setattr__(self, name, deep if getattr(self, name) is None else getattr(self, name))
        if not deep and (self.n_envs > 1 or self.preprocessing):
            what = f"n_envs={self.n_envs}" if self.n_envs > 1 else f"preprocessing {self.preprocessing.as_dict()}"
            raise HyperparameterError(f"{self.algo} is a tabular algorithm and takes no {what}")

    @property
    def agent_type(self) -> type[Agent]:
        return agent_class(self.algo)

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], *, out: Path = Path("runs"), name: str | None = None, where: str = "settings",
        sources: Mapping[str, str] | None = None,
    ) -> TrainingPlan:  # fmt: skip
        """The plan that a mapping in the form of ``config.yaml`` describes; ``where`` names it in messages.

        Raises:
            UnknownNameError: a setting, hyperparameter or flag that does not exist.
            HyperparameterError: a value of the wrong type or out of range, or no env or algo.
        """
        require_known(settings, where)
        origin = dict(sources or {})
        env_id, algo = (_text(settings, key, where) for key in ("env", "algo"))
        nested = {key: _mapping(settings, key, where) for key in NESTED}
        flat = {key: value for key, value in settings.items() if key in fields(Settings)}
        agent_type, checked = agent_class(algo), {}
        for key, value in flat.items():
            with _told_from(origin.get(key, where)):
                checked[key] = _read(fields(Settings)[key], value, "")
        for key, value in nested["hyperparameters"].items():
            with _told_from(origin.get(f"hyperparameters.{key}", where)):
                read_values(agent_type, {key: value})
        with _told_from(where):
            values = read_values(agent_type, nested["hyperparameters"])
            preprocessing = Preprocessing.from_dict(nested["preprocessing"])
        prior = RunPrior.from_dict(nested["prior"], where) if nested["prior"] else None
        chosen = {key: value for key, value in checked.items() if value is not None}
        return cls(
            env_id, algo, values=values, env_kwargs=nested["env_kwargs"], preprocessing=preprocessing, out=out,
            name=name, sources=origin, prior=prior, **chosen,
        )  # fmt: skip

    def config(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The plan as ``config.yaml`` holds it, with all hyperparameters, defaults included."""
        settings = {name: getattr(self, name) for name in fields(Settings)}
        return {
            "env": self.env_id,
            "env_kwargs": self.env_kwargs,
            **({} if self.prior is None else {"prior": self.prior.as_dict()}),
            "preprocessing": self.preprocessing.as_dict(),
            "algo": self.algo,
            "hyperparameters": dict(values),
            **settings,
        }


def learns_from_batches(agent_type: type[Agent]) -> bool:
    """Whether agents of this class learn from many environments at once and go on by ``resume``: deep agents do."""
    return agent_type.restarts_schedules


def require_known(settings: Mapping[str, Any], where: str) -> None:
    """Refuse unknown keys.

    Raises:
        UnknownNameError: naming the nearest key.
    """
    known = ["env", "algo", *NESTED, *fields(Settings)]
    for key in settings:
        if key not in known and key not in OF_A_RECORD:
            raise UnknownNameError("setting", str(key), known, hint=f"in {where}; there is {', '.join(known)}")


def read_values(agent_type: type[Agent], values: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters as YAML gives them, checked; YAML reads ``1e-3`` as a word, which becomes the number meant.

    Raises:
        UnknownNameError, HyperparameterError: as :func:`rlsuite.agents.hyperparameters.build`.
    """
    known = fields(agent_type.Hyperparameters)
    read = {
        name: _read(known[name], value, agent_type.name) if name in known else value for name, value in values.items()
    }
    build(agent_type.Hyperparameters, read, agent_type.name)
    return read


def hyperparameters_of(agent_type: type[Agent], values: Mapping[str, Any]) -> dict[str, Any]:
    """All hyperparameters, defaults included."""
    built = build(agent_type.Hyperparameters, dict(values), agent_type.name)
    return {f.name: getattr(built, f.name) for f in dataclasses.fields(built)}


@contextmanager
def _told_from(where: str) -> Iterator[None]:
    """Errors inside begin with the file, or whatever else, that the value came from."""
    try:
        yield
    except (HyperparameterError, UnknownNameError) as error:
        error.args = (f"{where}: {error}",)
        raise


def _read(info: FieldInfo, value: Any, owner: str) -> Any:
    if isinstance(value, str) and info.base_type is not str:
        return parse(info, value, owner)
    return check(info, value, owner)


def _text(settings: Mapping[str, Any], key: str, where: str) -> str:
    value = settings.get(key)
    if not isinstance(value, str):
        told = f"must be a string, not {value!r}" if key in settings else f"is missing; give --{key}"
        raise HyperparameterError(f"{where}: {key} {told}")
    return value


def _mapping(settings: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value = settings.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise HyperparameterError(f"{where}: {key} must be a mapping of names to values, not {value!r}")
    return dict(value)
