"""One recorded training run: ``runs/ENV/ALGO/NAME-sSEED/`` filled while an agent learns, and gone on with after a stop."""

from __future__ import annotations

import logging
import math
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import rlsuite
from rlsuite.agents import sb3
from rlsuite.agents.base import Agent, checked_amount
from rlsuite.errors import DivergenceError, RecordError, RlsuiteError
from rlsuite.experiments.checkpoints import (
    LAST,
    checkpoint_names,
    discard_after,
    read_checkpoint,
    saved_steps,
    steps_name,
    sweep_temporary,
)
from rlsuite.experiments.interrupts import DeferredInterrupt
from rlsuite.experiments.loading import require_run, what_was_run
from rlsuite.experiments.provenance import provenance
from rlsuite.experiments.recording import Recorder, Report, cut_after
from rlsuite.experiments.records import CONFIG, RunWriter, dump_yaml, read_config, run_folder, slug
from rlsuite.experiments.run_environment import RunEnvironment
from rlsuite.experiments.run_files import located, new_files
from rlsuite.experiments.training_plan import TrainingPlan, hyperparameters_of, learns_from_batches
from rlsuite.files import write_atomically

__all__ = ["Report", "TrainingPlan", "new_run_folder", "resume", "train"]

logger = logging.getLogger("rlsuite")


def train(
    plan: TrainingPlan, on_report: Callable[[Report], None] = lambda _: None, *, minutes: float | None = None
) -> tuple[Agent, Path]:
    """Train as planned; the agent and the folder of its record.

    Every ``save_freq`` steps, at the end and on Ctrl-C a checkpoint is written from which :func:`resume` goes on as if
    nothing had happened; ``checkpoints/best`` whenever an evaluation beats all earlier ones.

    Args:
        minutes: of wall clock, evaluations included, after which learning stops where it is, with a checkpoint, if the
            steps of the plan are not learned by then.

    Raises:
        RlsuiteError: bad input, an existing record under ``plan.name``, or a record that cannot be written.
        DivergenceError: a loss is no longer finite; the message names the last good checkpoint.
        KeyboardInterrupt: what was learned has been saved; the message says how to go on.
    """
    stop_at = _stop_at(minutes)
    folder = new_run_folder(plan)
    with ExitStack() as stack:
        stack.enter_context(new_files(plan.files, folder))
        environment = environment_of(plan, folder)
        stack.enter_context(environment.rendering())
        env = environment.batch()
        stack.callback(env.close)
        agent = plan.agent_type(env, seed=plan.seed, **_device(plan), **plan.values)
        config = plan.config(hyperparameters_of(plan.agent_type, plan.values))
        if plan.sources:
            config["sources"] = plan.sources
        writer = stack.enter_context(RunWriter(folder, config | {"provenance": provenance()}, new=True))
        with _recording(plan, environment, writer, on_report, stop_at) as recorder:
            _learn(agent, recorder, 0, plan.n_timesteps)
    return agent, folder


def resume(
    run: str | Path,
    on_report: Callable[[Report], None] = lambda _: None,
    *,
    n_timesteps: int | None = None,
    minutes: float | None = None,
    trust: bool = False,
) -> tuple[Agent, bool]:
    """Go on with a run from its newest whole checkpoint to its end: the agent, and whether there was anything to do.

    A run that is resumed writes what it would have written had it never been stopped (see
    :mod:`rlsuite.experiments.recording`); where the state of its environment cannot be saved, a warning says that the
    running episode restarts.

    Args:
        n_timesteps: when the run is finished, learn that many more steps, as a new call of ``learn``: schedules begin
            anew. This is written to ``config.yaml``, so that a stopped extension is resumed without naming it again.
        minutes: as of :func:`train`, counted from now.
        trust: import the modules that the run names, which runs their code.

    Raises:
        RecordError: there is no such run, it is damaged, or another process is writing it.
    """
    stop_at = _stop_at(minutes)
    folder = require_run(run)
    config = read_config(folder)
    if "budget" in config:
        raise RecordError(f"{folder} is of a comparison; `rlsuite compare` with the same arguments goes on with it")
    if "provenance" not in config or "n_timesteps" not in config:  # the last entry, and the first that resuming needs
        raise RecordError(f"{folder / CONFIG} is incomplete: it does not hold n_timesteps and provenance")
    plan = _recorded_plan(config, folder / CONFIG, trust)
    environment = environment_of(plan, folder)
    _warn_of_versions(config)
    with ExitStack() as stack:
        writer = stack.enter_context(RunWriter(folder, config))
        sweep_temporary(folder)
        stack.enter_context(environment.rendering())
        env = environment.batch()
        stack.callback(env.close)

        def read(path: Path) -> Agent:
            return plan.agent_type.load(path, env, **_device(plan))

        if LAST in checkpoint_names(folder):
            name, agent = read_checkpoint(folder, LAST, read)
            logger.info("going on from %s", name)
        else:
            agent = plan.agent_type(env, seed=plan.seed, **_device(plan), **plan.values)
        steps = agent.num_timesteps
        began, amount = _newest_call(config, plan, folder / CONFIG)
        if n_timesteps is None and steps - began >= amount:
            return agent, False
        cut_after(folder, steps)
        discard_after(folder, steps)
        with _recording(plan, environment, writer, on_report, stop_at, resume_step=steps) as recorder:
            if steps - began < amount:
                _learn(agent, recorder, began, amount)
            if n_timesteps is not None and not recorder.out_of_time:
                began, amount = agent.num_timesteps, checked_amount(n_timesteps, "n_timesteps")
                extensions = [*config.get("extensions", []), {"from": began, "n_timesteps": amount}]
                rest = {key: value for key, value in config.items() if key not in ("extensions", "provenance")}
                written = {**rest, "extensions": extensions, "provenance": config["provenance"]}
                write_atomically(folder / CONFIG, dump_yaml(written))
                _learn(agent, recorder, began, amount)
    return agent, True


def environment_of(plan: TrainingPlan, folder: Path) -> RunEnvironment:
    """The environments of a plan, the files they need in ``folder``.

    Raises:
        RecordError: a file that they need is not there.
    """
    same_step = plan.algo in sb3.NAMES
    prior = None if plan.prior is None else plan.prior.located(folder)
    return RunEnvironment(
        plan.env_id, located(plan.env_kwargs, folder), plan.preprocessing, plan.n_envs, same_step, prior
    )


def new_run_folder(plan: TrainingPlan) -> Path:
    """``runs/ENV/ALGO/NAME-sSEED``; without a name, the first free ``run1``, ``run2`` … (or another label than run)."""
    algo = plan.agent_type.name

    def folder(name: str) -> Path:
        return run_folder(plan.out, plan.env_id, algo, f"{name}-s{plan.seed}")

    if plan.name is not None:
        if slug(plan.name) != plan.name:
            raise RecordError(f"{plan.name!r} cannot be the --name of a run; use letters, digits and . _ = , + -")
        if (folder(plan.name) / CONFIG).exists():
            raise RecordError(
                f"{folder(plan.name)} exists; go on with it by `{resume_command(folder(plan.name), plan)}`, choose another "
                "--name or remove it"
            )
        return folder(plan.name)
    number, label = 1, slug(plan.label)
    while (folder(f"{label}{number}") / CONFIG).exists():
        number += 1
    return folder(f"{label}{number}")


def resume_command(folder: Path, plan: TrainingPlan) -> str:
    """What to type to go on with a run."""
    named = ":" in plan.env_id or (":" in plan.algo and plan.algo not in sb3.NAMES)
    trust = ["--trust"] if named else []
    return shlex.join(["rlsuite", "resume", str(folder), *trust])


# -- learning ----------------------------------------------------------------------------------------------------------


@contextmanager
def _recording(
    plan: TrainingPlan,
    environment: RunEnvironment,
    writer: RunWriter,
    on_report: Callable[[Report], None],
    stop_at: float,
    resume_step: int | None = None,
) -> Iterator[Recorder]:
    """A recorder, with everything it needs open."""
    if learns_from_batches(plan.agent_type):
        import torch

        torch.set_num_threads(plan.num_threads)
    with ExitStack() as stack:
        interrupt = stack.enter_context(DeferredInterrupt())
        tensorboard = None
        if plan.tensorboard:
            from rlsuite.experiments.tensorboard import TensorBoardWriter

            tensorboard = stack.enter_context(TensorBoardWriter(writer.folder, resume_step=resume_step))
            if resume_step is None:
                shown = {"algo": plan.algo, "env": plan.env_id, "n_envs": plan.n_envs, "seed": plan.seed}
                tensorboard.hparams(shown | hyperparameters_of(plan.agent_type, plan.values))
        recorder = Recorder(plan, environment, writer, interrupt, on_report, tensorboard, stop_at)
        stack.callback(recorder.close)
        yield recorder


def _learn(agent: Any, recorder: Recorder, began: int, amount: int) -> None:
    """The call of ``learn`` for ``amount`` steps that began at step ``began``, or what is left of it, recorded."""
    folder, plan = recorder.writer.folder, recorder.plan
    try:
        if agent.num_timesteps == began:
            agent.learn(amount, recorder.ticks)
        elif learns_from_batches(type(agent)):
            agent.resume(recorder.ticks)
        else:
            agent.learn(began + amount - agent.num_timesteps, recorder.ticks)
        recorder.out_of_time &= agent.num_timesteps - began < amount
        if recorder.out_of_time:
            recorder.save()
            command = resume_command(folder, plan)
            logger.warning("the time is up: %d steps are saved; go on with `%s`", agent.num_timesteps, command)
        elif not recorder.interrupted:
            recorder.finish()
    except DivergenceError as error:
        good = _newest_name(folder)
        told = f"the last good checkpoint is {good} of {folder}" if good else f"{folder} has no checkpoint yet"
        raise DivergenceError(f"{error}; {told}; a smaller learning rate may help") from error
    except KeyboardInterrupt:  # the second Ctrl-C
        good = _newest_name(folder) or "the beginning"
        raise KeyboardInterrupt(f"`{resume_command(folder, plan)}` goes on from {good}") from None
    if recorder.interrupted:
        recorder.save()
        raise KeyboardInterrupt(
            f"{agent.num_timesteps} steps are saved; go on with `{resume_command(folder, plan)}`"
        ) from None


def _stop_at(minutes: float | None) -> float:
    """The reading of ``time.perf_counter`` at which learning stops."""
    return math.inf if minutes is None else time.perf_counter() + 60.0 * minutes


def _newest_name(folder: Path) -> str | None:
    steps = saved_steps(folder)
    return steps_name(steps[-1]) if steps else None


def _device(plan: TrainingPlan) -> dict[str, str]:
    return {"device": plan.device} if learns_from_batches(plan.agent_type) else {}


# -- reading a record --------------------------------------------------------------------------------------------------


def _recorded_plan(config: dict[str, Any], path: Path, trust: bool) -> TrainingPlan:
    if not trust:
        what_was_run(path.parent)  # refuses modules
    try:
        return TrainingPlan.from_settings(config, where=str(path))
    except RlsuiteError as error:
        raise RecordError(str(error)) from None


def _newest_call(config: dict[str, Any], plan: TrainingPlan, path: Path) -> tuple[int, int]:
    """First step and length of the newest call of ``learn``.

    Raises:
        RecordError: the extensions in the configuration are malformed.
    """
    extensions = config.get("extensions", [])
    if not isinstance(extensions, list):
        raise RecordError(f"{path}: extensions must be a list, not {extensions!r}")
    calls = [(0, plan.n_timesteps)]
    for entry in extensions:
        match entry:
            case {"from": int(began), "n_timesteps": int(amount)} if began >= 0 and amount >= 0:
                calls.append((began, amount))
            case _:
                raise RecordError(
                    f"{path}: an extension must have from and n_timesteps, whole numbers; it is {entry!r}"
                )
    return calls[-1]


def _warn_of_versions(config: dict[str, Any]) -> None:
    made_by = config.get("provenance")
    versions = made_by.get("versions") if isinstance(made_by, dict) else None
    before = versions.get("rlsuite") if isinstance(versions, dict) else None
    if before != rlsuite.__version__:
        logger.warning(
            "the run was begun with rlsuite %s, this is %s: it may not go on exactly as it would have",
            before,
            rlsuite.__version__,
        )
