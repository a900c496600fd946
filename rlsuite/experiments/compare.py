"""Comparisons: seeds × algorithms × environments, run in parallel, recorded as they finish, resumed where they stopped.

``run(plan)`` leaves ``OUT/runs/ENV/ALGO/NAME/`` with one line of ``metrics.jsonl`` per finished seed (of deep agents:
one folder ``NAME-sSEED`` per seed, see :mod:`~rlsuite.experiments.deep_runs`) and returns the
:class:`~rlsuite.experiments.results.Comparison` of everything recorded, so a second call with the same output adds only
what is missing. ``NAME`` contains a digest of what determines a run (:func:`_digest`): changing a hyperparameter, the
budget, the horizon, or the environment or algorithm itself starts another record instead of mixing two experiments.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import rlsuite
from rlsuite.agents.tabular.kernels import compiled_before, mark_compiled
from rlsuite.errors import HyperparameterError, RecordError
from rlsuite.experiments.deep_runs import DeepSpec, read_result, run_deep, share_done
from rlsuite.experiments.executors import Executors
from rlsuite.experiments.fingerprints import source_digest
from rlsuite.experiments.problems import Problem, change_notes, gamma_notes, metric_of, read_problem
from rlsuite.experiments.provenance import provenance
from rlsuite.experiments.records import CONFIG, METRICS, RunWriter, dump_yaml, read_config, read_rows, run_folder
from rlsuite.experiments.results import Comparison, Entry, Run, Task
from rlsuite.experiments.runner import Budget, RunSpec, Scorer, run_on_env, run_on_model
from rlsuite.experiments.settings import Setting
from rlsuite.experiments.shared_records import checkpoint_path, read_run, read_tables
from rlsuite.experiments.tables import format_value
from rlsuite.files import write_atomically

# Seconds. Shorter runs hold the GIL most of the time (making agents, scoring, writing), and threads that hand it to and
# fro after each short kernel are slower than one thread; measured at 4 ms a run: 1.6 times slower with two.
SHORT_RUN = 0.05
PATIENCE = 2.0  # seconds between two looks at how far deep runs are


@dataclass(frozen=True)
class Plan:
    """What to compare.

    Attributes:
        env_ids: Gymnasium ids. env_kwargs: by id. settings: the algorithms.
        n_seeds: runs k = 0 … n_seeds - 1. max_episode_steps: overrides the environments' own limit.
        eval_episodes: episodes per score where there is no model. workers: parallel runs (default: all processors).
        presets: whether deep agents begin with their preset for each environment. n_envs: environments that each of
            them learns in, instead of the preset's. save_every: seconds between two checkpoints of a deep run.
        preset_budgets: whether each of them learns for its preset's ``n_timesteps``, where it names them, instead of
            the budget's amount.

    Raises:
        HyperparameterError: ``preset_budgets`` without presets, or with tabular agents, which have none.
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
    presets: bool = True
    n_envs: int | None = None
    save_every: float = 30.0
    preset_budgets: bool = False

    def __post_init__(self) -> None:
        if not self.preset_budgets:
            return
        tabular = dict.fromkeys(setting.algo for setting in self.settings if not setting.deep)
        if tabular:
            raise HyperparameterError(
                f"-n preset is for deep agents; {', '.join(tabular)} {'have' if len(tabular) > 1 else 'has'} no presets: "
                "give a number of steps (-n N) or --episodes"
            )
        if not self.presets:
            raise HyperparameterError("-n preset takes the presets' budgets, which --no-preset leaves out: give -n N")
        if self.budget.unit != "timesteps":
            raise HyperparameterError("presets name budgets in steps, not episodes: the budget must be in timesteps")


@dataclass(frozen=True)
class Progress:
    """Told to the caller: how many runs are done of how many, which one is at work, and whether it is compiling."""

    done: int
    total: int
    label: str
    compiling: bool = False
    share: float = 0.0  # of unfinished runs, in runs


@dataclass
class _Job:
    """One setting on one environment: its record (a folder per seed where it is deep) and the seeds still missing."""

    setting: Setting
    problem: Problem
    budget: Budget
    folder: Path
    runs: dict[int, Run]

    def spec(self, plan: Plan, seed: int) -> RunSpec:
        return RunSpec(
            env_id=self.problem.env_id,
            env_kwargs=self.problem.env_kwargs,
            algo=self.setting.source,
            values=self.setting.values,
            seed=seed,
            budget=self.budget,
            horizon=self.problem.horizon,
            eval_episodes=plan.eval_episodes,
            checkpoint=str(checkpoint_path(self.folder, seed)),
        )

    def deep_spec(self, plan: Plan, seed: int) -> DeepSpec:
        problem = self.problem
        return DeepSpec(
            env_id=problem.env_id,
            env_kwargs=problem.env_kwargs,
            algo=self.setting.source,
            values=self.setting.values,
            n_envs=self.setting.n_envs,
            seed=seed,
            budget=self.budget,
            horizon=problem.horizon,
            eval_episodes=plan.eval_episodes,
            exact=_exact(problem, self.setting),
            folder=self.folder_of(seed),
            preprocessing=self.setting.preprocessing,
            config=_config(self, plan, seed),
            save_every=plan.save_every,
        )

    def folder_of(self, seed: int) -> Path:
        """The folder of one deep run."""
        return self.folder.with_name(f"{self.folder.name}-s{seed}")


def run(plan: Plan, on_progress: Callable[[Progress], None] = lambda _: None) -> Comparison:
    """Run what is missing and return everything recorded.

    A ``KeyboardInterrupt`` keeps the runs that finished and returns the comparison of those, with a note.

    Raises:
        RlsuiteError: an environment, algorithm or record that cannot be used; nothing has been run then.
    """
    metric = metric_of(plan.settings)
    settings = {env_id: [_resolved(plan, setting, env_id) for setting in plan.settings] for env_id in plan.env_ids}
    problems = [
        read_problem(env_id, plan.env_kwargs.get(env_id, {}), settings[env_id], metric, plan.max_episode_steps)
        for env_id in plan.env_ids
    ]
    jobs = [_open_job(plan, problem, setting) for problem in problems for setting in settings[problem.env_id]]
    for job in jobs:
        if job.setting.deep and any(k not in job.runs for k in range(plan.n_seeds)):
            _try(job.deep_spec(plan, 0))
    notes = [note for problem in problems for note in gamma_notes(settings[problem.env_id], problem)]
    notes += [note for env_id in plan.env_ids for note in _budget_notes(plan, settings[env_id], env_id)]
    notes += [*change_notes(problems), *_execute(plan, jobs, on_progress), *_failure_notes(jobs)]
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
            threshold=problem.threshold,
        )
        for problem in problems
    )
    made_by = provenance(plan.command)
    return Comparison(tasks, command=made_by["command"], provenance=made_by, notes=tuple(dict.fromkeys(notes)))


# -- before anything runs ----------------------------------------------------------------------------------------------


def _resolved(plan: Plan, setting: Setting, env_id: str) -> Setting:
    """A deep setting with its preset for the environment below what was given; a tabular one as it is.

    The environment is the same for all algorithms, so a preset's ``env_kwargs`` are not heeded; its budget is heeded only
    where the plan asks for that.
    """
    if not setting.deep:
        return setting
    from rlsuite.experiments.presets import Layer, merge, preset_layers
    from rlsuite.experiments.training_plan import TrainingPlan

    given: dict[str, Any] = {"env": env_id, "algo": setting.source, "hyperparameters": setting.values}
    given |= {} if plan.n_envs is None else {"n_envs": plan.n_envs}
    layers = preset_layers(setting.source, env_id) if plan.presets else []
    merged, sources = merge([*layers, Layer("command line", given)])
    chosen = TrainingPlan.from_settings(
        {**merged, "env_kwargs": {}}, where=f"{setting.algo} on {env_id}", sources=sources
    )
    named = [*(layer.source for layer in layers), *(["--set"] if setting.values else [])]
    return replace(
        setting,
        values=chosen.values,
        n_envs=chosen.n_envs,
        preprocessing=chosen.preprocessing.as_dict(),
        origin=" + ".join(named) or "defaults",
        n_timesteps=chosen.n_timesteps if plan.preset_budgets and "n_timesteps" in merged else None,
    )


def _try(spec: DeepSpec) -> None:
    """Make the agent once, so that one that cannot be made is told before anything runs."""
    with closing(spec.make_env(spec.n_envs)) as env:
        spec.make_agent(env)


def _budget(plan: Plan, setting: Setting) -> Budget:
    """What a run of the setting is given: its preset's budget where that is asked for and known, else the plan's."""
    return plan.budget if setting.n_timesteps is None else replace(plan.budget, amount=setting.n_timesteps)


def _budget_notes(plan: Plan, settings: Iterable[Setting], env_id: str) -> Iterator[str]:
    """Agents whose preset names no budget, where the presets' budgets are asked for."""
    unknown = [setting.label for setting in settings if setting.n_timesteps is None] if plan.preset_budgets else []
    if unknown:
        given = format_value(plan.budget.amount, "integer")
        yield f"no preset on {env_id} names a budget for {', '.join(unknown)}: {given} steps were given"


def _exact(problem: Problem, setting: Setting) -> bool:
    """Whether scores are computed from the model rather than estimated by episodes."""
    if not setting.deep:
        return problem.mdp is not None
    return not setting.preprocessing and (problem.mdp is not None or (problem.changes and setting.n_envs == 1))


def _open_job(plan: Plan, problem: Problem, setting: Setting) -> _Job:
    values = next(given.values for given in plan.settings if given.label == setting.label)  # without those of a preset
    otherwise = "preset" if setting.values != values else "default"
    given = ",".join(f"{name}={value}" for name, value in sorted(values.items()))[:80] or otherwise
    folder = run_folder(plan.out / "runs", problem.env_id, setting.algo, f"{given}-{_digest(plan, problem, setting)}")
    job = _Job(setting, problem, _budget(plan, setting), folder, {})
    if setting.deep:
        found = {seed: read_result(job.folder_of(seed)) for seed in range(plan.n_seeds)}
        job.runs = {seed: run for seed, run in found.items() if run is not None}
        return job
    runs = {run.seed: run for run in (read_run(folder, row) for row in read_rows(folder / METRICS))}
    if (folder / CONFIG).exists():
        read_config(folder)  # a damaged one is told now, not when somebody wants to load the run
    elif runs:
        write_atomically(folder / CONFIG, dump_yaml(_config(job, plan)))
    # a run whose checkpoint is gone (a machine that died: see RunSpec's checkpoint) is run again
    job.runs = {seed: run for seed, run in runs.items() if Path(job.spec(plan, seed).checkpoint).exists()}
    return job


def _digest(plan: Plan, problem: Problem, setting: Setting) -> str:
    """Eight hex digits of everything that determines a run besides its seed."""
    budget = _budget(plan, setting)
    learns_in = {"n_envs": setting.n_envs, "preprocessing": setting.preprocessing} if setting.deep else {}
    return setting.digest(
        version=rlsuite.__version__,
        algo=setting.source,
        algo_source=source_digest(setting.agent),
        env=problem.env_id,
        env_kwargs=problem.env_kwargs,
        env_fingerprint=problem.fingerprint,
        budget=[budget.unit, budget.amount, budget.n_checkpoints],
        horizon=problem.horizon,
        eval_episodes=None if _exact(problem, setting) else plan.eval_episodes,
        **learns_in,
    )


def _config(job: _Job, plan: Plan, seed: int | None = None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "env": job.problem.env_id,
        "env_kwargs": job.problem.env_kwargs,
        "algo": job.setting.source,
        "label": job.setting.label,
        "hyperparameters": job.setting.hyperparameters,
        "budget": {"unit": job.budget.unit, "amount": job.budget.amount},
        "n_checkpoints": job.budget.n_checkpoints,
        "max_episode_steps": job.problem.horizon,
        "metric": job.problem.metric,
        "eval_episodes": plan.eval_episodes,
    }
    if seed is None:
        config["seeds"] = "run k uses SeedSequence(k); see metrics.jsonl for the finished k"
    else:
        setting = job.setting
        config |= {"hyperparameters_from": setting.origin, "seed": seed}
        config |= {"n_envs": setting.n_envs, "preprocessing": setting.preprocessing}
    return {**config, "provenance": provenance(plan.command)}


# -- running -----------------------------------------------------------------------------------------------------------


def _execute(plan: Plan, jobs: list[_Job], on_progress: Callable[[Progress], None]) -> Iterator[str]:
    """Run the missing seeds of every job; yields the notes that the report has to show."""
    todo = [(job, seeds) for job in jobs if (seeds := [k for k in range(plan.n_seeds) if k not in job.runs])]
    total = len(jobs) * plan.n_seeds
    done = total - sum(len(seeds) for _, seeds in todo)
    running: dict[Future[Any], DeepSpec] = {}

    def finish(job: _Job, writer: RunWriter | None, run: Run) -> None:
        nonlocal done
        _record(job, writer, run)
        done += 1
        on_progress(Progress(done, total, job.setting.label))

    def on_the_way() -> Progress:
        """How far deep runs are: they take minutes or hours each."""
        shares = [(spec, share_done(spec.folder, spec.budget)) for spec in running.values() if spec.folder.exists()]
        begun = [f"{spec.algo} s{spec.seed} {share:.0%}" for spec, share in shares if share]
        return Progress(done, total, ", ".join(begun[:3]), share=sum(share for _, share in shares))

    with ExitStack() as stack:
        tabular = [job for job, _ in todo if not job.setting.deep]
        writers = {job.folder: stack.enter_context(RunWriter(job.folder, _config(job, plan))) for job in tabular}
        executors = Executors(plan.workers or os.cpu_count() or 1, stack)
        futures: dict[Future[Any], tuple[_Job, RunWriter | None]] = {}
        try:
            deep = [(seed, job) for job, seeds in todo if job.setting.deep for seed in seeds]
            for seed, job in sorted(deep, key=lambda pair: pair[0]):  # what is interrupted can be compared so far
                spec = job.deep_spec(plan, seed)
                learning: Future[Any] = executors.processes.submit(run_deep, spec)
                running[learning], futures[learning] = spec, (job, None)
            for job, seeds in todo:
                if job.setting.deep:
                    continue
                writer = writers[job.folder]
                submitted: list[Future[Any]]
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
                finished, pending = wait(pending, timeout=PATIENCE if running else None, return_when=FIRST_COMPLETED)
                for future in finished:
                    running.pop(future, None)
                    finish(*futures.pop(future), future.result())
                if running and not finished:
                    on_progress(on_the_way())
        except BaseException as error:
            executors.cancel()
            for future, owner in futures.items():
                if future.done() and not future.cancelled() and future.exception() is None and future.result():
                    finish(*owner, future.result())
            if isinstance(error, BrokenProcessPool):
                raise RecordError(
                    "a process that learned has died (killed, or out of memory: try fewer --workers); what finished is "
                    "kept, and the same command goes on from here"
                ) from None
            if not isinstance(error, KeyboardInterrupt):
                raise
            told = f"{done} of {total} runs finished; the same command goes on from here"
            if not all(job.runs for job in jobs):  # nothing to compare yet
                raise KeyboardInterrupt(told) from None
            yield f"interrupted: {told}"


def _failure_notes(jobs: Iterable[_Job]) -> list[str]:
    """Runs that ended before their budget was spent, and why."""
    return [
        f"{job.setting.label} on {job.problem.env_id}: run {seed} failed: {run.failure}"
        for job in jobs
        for seed, run in sorted(job.runs.items())
        if run.failure
    ]


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


def _record(job: _Job, writer: RunWriter | None, run: Run) -> None:
    """Append ``run`` to its record (a deep run has written its own); scores of a run that diverged are NaN, and stay so
    (``null`` on disk)."""
    job.runs[run.seed] = run
    if writer is None:
        return
    row = {
        name: getattr(run, name) for name in ("seed", "steps", "episodes", "score", "returns", "lengths", "wall_time")
    }
    writer.append(METRICS, row)


def _entry(job: _Job, n_seeds: int) -> Entry:
    runs = tuple(job.runs[seed] for seed in sorted(job.runs) if seed < n_seeds)
    setting, mdp = job.setting, job.problem.mdp
    return Entry(
        label=setting.label,
        algo=setting.algo,
        kind=setting.agent.kind,
        hyperparameters=setting.hyperparameters,
        runs=runs,
        tables=read_tables(job.folder, setting.agent, mdp, runs) if mdp and runs and not setting.deep else None,
        origin=setting.origin if setting.deep or not setting.values else "--set",
        deep=setting.deep,
        n_envs=setting.n_envs,
        budget=job.budget.amount,
    )
