"""Comparisons: seeds × algorithms × environments, run in parallel, recorded as they finish, resumed where they stopped.

``run(plan)`` leaves ``OUT/runs/ENV/ALGO/NAME/`` with one line of ``metrics.jsonl`` per finished seed and returns the
:class:`~rlsuite.experiments.results.Comparison` of everything recorded, so a second call with the same output adds only
what is missing. ``NAME`` contains a digest of what determines a run (:func:`_digest`): changing a hyperparameter, the
budget, the horizon, or the environment or algorithm itself starts another record instead of mixing two experiments.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import rlsuite
from rlsuite.agents.tabular.kernels import compiled_before, mark_compiled
from rlsuite.envs.finite.mdp import DEFAULT_HORIZON, FiniteMDP
from rlsuite.envs.finite.spaces import DiscreteIndex
from rlsuite.envs.registration import make_env
from rlsuite.errors import HyperparameterError, ModelUnavailableError
from rlsuite.experiments.fingerprints import mdp_digest, source_digest
from rlsuite.experiments.provenance import provenance
from rlsuite.experiments.records import CONFIG, METRICS, RunWriter, dump_yaml, read_config, read_rows, run_folder
from rlsuite.experiments.results import Comparison, Entry, Reference, Run, Task
from rlsuite.experiments.runner import (
    Budget,
    ExactReturn,
    RunSpec,
    Scorer,
    ValuePredictionError,
    changes,
    run_on_env,
    run_on_model,
)
from rlsuite.experiments.settings import Setting
from rlsuite.experiments.shared_records import checkpoint_path, read_run, read_tables
from rlsuite.files import write_atomically

# Seconds. Shorter runs hold the GIL most of the time (making agents, scoring, writing), and threads that hand it to and
# fro after each short kernel are slower than one thread; measured at 4 ms a run: 1.6 times slower with two.
SHORT_RUN = 0.05


@dataclass(frozen=True)
class Plan:
    """What to compare.

    Attributes:
        env_ids: Gymnasium ids. env_kwargs: by id. settings: the algorithms.
        n_seeds: runs k = 0 … n_seeds - 1. max_episode_steps: overrides the environments' own limit.
        eval_episodes: episodes per score where there is no model. workers: parallel runs (default: all processors).
    """

    env_ids: tuple[str, ...]
    settings: tuple[Setting, ...]
    n_seeds: int
    budget: Budget
    out: Path
    env_kwargs: dict[str, dict[str, Any]] = field(default_factory=dict)
    max_episode_steps: int | None = None
    eval_episodes: int = 10
    workers: int | None = None
    command: str | None = None


@dataclass(frozen=True)
class Progress:
    """Told to the caller: how many runs are done of how many, which one is at work, and whether it is compiling."""

    done: int
    total: int
    label: str
    compiling: bool = False


@dataclass
class _Job:
    """One setting on one environment: its record and the seeds still missing."""

    setting: Setting
    problem: _Problem
    folder: Path
    runs: dict[int, Run]

    def spec(self, plan: Plan, seed: int) -> RunSpec:
        return RunSpec(
            env_id=self.problem.env_id,
            env_kwargs=self.problem.env_kwargs,
            algo=self.setting.source,
            values=self.setting.values,
            seed=seed,
            budget=plan.budget,
            horizon=self.problem.horizon,
            eval_episodes=plan.eval_episodes,
            checkpoint=str(checkpoint_path(self.folder, seed)),
        )


@dataclass(frozen=True)
class _Problem:
    """One environment, read once: its model where it has one, the horizon, the exact solution.

    ``fingerprint`` changes when the environment does: with its dynamics, or, without a model, with its source.
    """

    env_id: str
    env_kwargs: dict[str, Any]
    horizon: int
    gamma: float
    metric: Literal["return", "rms-error"]
    mdp: FiniteMDP | None
    reference: Reference | None
    fingerprint: str
    changes: bool

    def scorer(self, setting: Setting) -> Scorer:
        assert self.mdp is not None
        if self.metric == "rms-error":
            return ValuePredictionError(self.mdp, setting.hyperparameters["gamma"])
        return ExactReturn(self.mdp, self.horizon)


def run(plan: Plan, on_progress: Callable[[Progress], None] = lambda _: None) -> Comparison:
    """Run what is missing and return everything recorded.

    A ``KeyboardInterrupt`` keeps the runs that finished and returns the comparison of those, with a note.

    Raises:
        RlsuiteError: an environment, algorithm or record that cannot be used; nothing has been run then.
    """
    metric = _metric(plan.settings)
    problems = [_read_problem(plan, env_id, metric) for env_id in plan.env_ids]
    jobs = [_open_job(plan, problem, setting) for problem in problems for setting in plan.settings]
    notes = [*_gamma_note(plan.settings), *_change_notes(problems), *_execute(plan, jobs, on_progress)]
    tasks = tuple(
        Task(
            env_id=problem.env_id,
            env_kwargs=problem.env_kwargs,
            gamma=problem.gamma,
            horizon=problem.horizon,
            metric=problem.metric,
            budget_unit=plan.budget.unit,
            entries=tuple(_entry(job, plan.n_seeds) for job in jobs if job.problem is problem),
            mdp=problem.mdp,
            reference=problem.reference,
        )
        for problem in problems
    )
    made_by = provenance(plan.command)
    return Comparison(tasks, command=made_by["command"], provenance=made_by, notes=tuple(notes))


# -- before anything runs ----------------------------------------------------------------------------------------------


def _metric(settings: Iterable[Setting]) -> Literal["return", "rms-error"]:
    kinds = {setting.algo: setting.agent.kind for setting in settings}
    predictors = [algo for algo, kind in kinds.items() if kind == "prediction"]
    others = [algo for algo, kind in kinds.items() if kind != "prediction"]
    if predictors and others:
        raise HyperparameterError(
            f"cannot compare {', '.join(predictors)} (learn the value of a given policy) with {', '.join(others)} "
            "(find a policy); compare each kind by itself"
        )
    return "rms-error" if predictors else "return"


def _gammas(settings: Iterable[Setting]) -> list[float]:
    """The discount factors of the learners (of the planners, where there are no learners), greatest first."""
    found = {
        planning: {s.hyperparameters["gamma"] for s in settings if (s.agent.kind == "planning") is planning}
        for planning in (False, True)
    }
    return sorted(found[False] or found[True], reverse=True)


def _gamma_note(settings: Iterable[Setting]) -> list[str]:
    gammas = _gammas(settings)
    if len(gammas) == 1:
        return []
    return [f"discount factors differ ({', '.join(f'{g:g}' for g in gammas)}); V* is shown at {gammas[0]:g}"]


def _change_notes(problems: Iterable[_Problem]) -> list[str]:
    return [
        f"{problem.env_id} changes while it is learned: a learned policy is scored, exactly, on what the environment is "
        "at that moment; how soon an algorithm adapts shows in its steps per episode while learning"
        for problem in problems
        if problem.changes
    ]


def _read_problem(plan: Plan, env_id: str, metric: Literal["return", "rms-error"]) -> _Problem:
    from rlsuite.experiments.reference import solve_reference

    kwargs = plan.env_kwargs.get(env_id, {})
    env = make_env(env_id, **kwargs)
    try:
        DiscreteIndex(env.observation_space)
        DiscreteIndex(env.action_space, "action")
        own_limit = env.spec.max_episode_steps if env.spec else None
        horizon = plan.max_episode_steps or own_limit or DEFAULT_HORIZON
        try:
            mdp = FiniteMDP.from_env(env)
        except ModelUnavailableError as error:
            needing = [s.algo for s in plan.settings if s.agent.kind == "planning"]
            if metric == "rms-error":
                needing = [s.algo for s in plan.settings]
            if needing:
                raise ModelUnavailableError(f"{needing[0]} cannot run on {env_id}: {error}") from None
            mdp = None
        changing = changes(env)
        fingerprint = mdp_digest(mdp) if mdp is not None else source_digest(type(env.unwrapped))
    finally:
        env.close()
    gamma = _gammas(plan.settings)[0]
    reference = solve_reference(mdp, gamma, horizon) if mdp is not None else None
    return _Problem(env_id, kwargs, horizon, gamma, metric, mdp, reference, fingerprint, changing)


def _open_job(plan: Plan, problem: _Problem, setting: Setting) -> _Job:
    given = ",".join(f"{name}={value}" for name, value in sorted(setting.values.items()))[:80] or "default"
    folder = run_folder(plan.out / "runs", problem.env_id, setting.algo, f"{given}-{_digest(plan, problem, setting)}")
    runs = {run.seed: run for run in (read_run(folder, row) for row in read_rows(folder / METRICS))}
    job = _Job(setting, problem, folder, runs)
    if (folder / CONFIG).exists():
        read_config(folder)  # a damaged one is told now, not when somebody wants to load the run
    elif runs:
        write_atomically(folder / CONFIG, dump_yaml(_config(job, plan)))
    # a run whose checkpoint is gone (a machine that died: see RunSpec's checkpoint) is run again
    job.runs = {seed: run for seed, run in runs.items() if Path(job.spec(plan, seed).checkpoint).exists()}
    return job


def _digest(plan: Plan, problem: _Problem, setting: Setting) -> str:
    """Eight hex digits of everything that determines a run besides its seed."""
    return setting.digest(
        version=rlsuite.__version__,
        algo=setting.source,
        algo_source=source_digest(setting.agent),
        env=problem.env_id,
        env_kwargs=problem.env_kwargs,
        env_fingerprint=problem.fingerprint,
        budget=[plan.budget.unit, plan.budget.amount, plan.budget.n_checkpoints],
        horizon=problem.horizon,
        eval_episodes=plan.eval_episodes if problem.mdp is None else None,
    )


def _config(job: _Job, plan: Plan) -> dict[str, Any]:
    return {
        "env": job.problem.env_id,
        "env_kwargs": job.problem.env_kwargs,
        "algo": job.setting.source,
        "label": job.setting.label,
        "hyperparameters": job.setting.hyperparameters,
        "budget": {"unit": plan.budget.unit, "amount": plan.budget.amount},
        "n_checkpoints": plan.budget.n_checkpoints,
        "max_episode_steps": job.problem.horizon,
        "metric": job.problem.metric,
        "eval_episodes": plan.eval_episodes,
        "seeds": "run k uses SeedSequence(k); see metrics.jsonl for the finished k",
        "provenance": provenance(plan.command),
    }


# -- running -----------------------------------------------------------------------------------------------------------


def _execute(plan: Plan, jobs: list[_Job], on_progress: Callable[[Progress], None]) -> Iterator[str]:
    """Run the missing seeds of every job; yields the notes that the report has to show."""
    todo = [(job, seeds) for job in jobs if (seeds := [k for k in range(plan.n_seeds) if k not in job.runs])]
    total = len(jobs) * plan.n_seeds
    done = total - sum(len(seeds) for _, seeds in todo)

    def finish(job: _Job, writer: RunWriter, run: Run) -> None:
        nonlocal done
        _record(job, writer, run)
        done += 1
        on_progress(Progress(done, total, job.setting.label))

    with ExitStack() as stack:
        writers = [stack.enter_context(RunWriter(job.folder, _config(job, plan))) for job, _ in todo]
        executors = _Executors(plan.workers or os.cpu_count() or 1, stack)
        futures: dict[Future[Run], tuple[_Job, RunWriter]] = {}
        try:
            for (job, seeds), writer in zip(todo, writers, strict=True):
                specs = [job.spec(plan, seed) for seed in seeds]
                on_progress(Progress(done, total, job.setting.label, compiling=not compiled_before(job.setting.algo)))
                if job.problem.mdp is None:
                    submitted = [executors.processes.submit(run_on_env, spec) for spec in specs]
                else:
                    scorer = job.problem.scorer(job.setting)
                    for run in _short_runs(job, specs, scorer):
                        finish(job, writer, run)
                    left = [spec for spec in specs if spec.seed not in job.runs]
                    submitted = [executors.threads.submit(run_on_model, s, job.problem.mdp, scorer) for s in left]
                futures |= dict.fromkeys(submitted, (job, writer))
            pending = set(futures)
            while pending:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    finish(*futures.pop(future), future.result())
        except BaseException as error:
            executors.cancel()
            for future, (job, writer) in futures.items():
                if future.done() and not future.cancelled() and future.exception() is None:
                    finish(job, writer, future.result())
            if not isinstance(error, KeyboardInterrupt):
                raise
            told = f"{done} of {total} runs finished; the same command goes on from here"
            if not all(job.runs for job in jobs):  # nothing to compare yet
                raise KeyboardInterrupt(told) from None
            yield f"interrupted: {told}"


def _short_runs(job: _Job, specs: list[RunSpec], scorer: Scorer) -> Iterator[Run]:
    """Run here, in this thread: the first seed, which compiles, and then for as long as runs are short.

    A planner uses no random numbers: its first run stands for all of them.
    """
    assert job.problem.mdp is not None
    first: Run | None = None
    for spec in specs:
        if first is not None and job.setting.agent.kind == "planning":
            shutil.copyfile(specs[0].checkpoint, spec.checkpoint)
            yield replace(first, seed=spec.seed, wall_time=0.0)
            continue
        done = run_on_model(spec, job.problem.mdp, scorer)
        yield done
        if first is None:
            first = done
            mark_compiled(job.setting.algo)
        elif done.wall_time > SHORT_RUN:
            return


class _Executors:
    """Threads for compiled runs (they release the GIL), processes for interpreted ones; each made when first needed."""

    def __init__(self, workers: int, stack: ExitStack) -> None:
        self.workers, self.stack = workers, stack
        self._made: dict[str, Executor] = {}

    @property
    def threads(self) -> Executor:
        if "threads" not in self._made:
            self._made["threads"] = self.stack.enter_context(ThreadPoolExecutor(self.workers))
        return self._made["threads"]

    @property
    def processes(self) -> Executor:
        if "processes" not in self._made:
            import multiprocessing

            context = multiprocessing.get_context("spawn")
            self._made["processes"] = self.stack.enter_context(ProcessPoolExecutor(self.workers, context))
        return self._made["processes"]

    def cancel(self) -> None:
        for executor in self._made.values():
            executor.shutdown(wait=True, cancel_futures=True)


def _record(job: _Job, writer: RunWriter, run: Run) -> None:
    """Append ``run`` to its record; scores of a run that diverged are NaN, and stay so (``null`` on disk)."""
    row = {
        name: getattr(run, name) for name in ("seed", "steps", "episodes", "score", "returns", "lengths", "wall_time")
    }
    writer.append(METRICS, row)
    job.runs[run.seed] = run


def _entry(job: _Job, n_seeds: int) -> Entry:
    runs = tuple(job.runs[seed] for seed in sorted(job.runs) if seed < n_seeds)
    return Entry(
        label=job.setting.label,
        algo=job.setting.algo,
        kind=job.setting.agent.kind,
        hyperparameters=job.setting.hyperparameters,
        runs=runs,
        tables=read_tables(job.folder, job.setting.agent, job.problem.mdp, runs) if job.problem.mdp and runs else None,
    )
