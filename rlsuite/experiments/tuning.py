"""Tuning: trials of one algorithm with settings that Optuna proposes, pruned by their intermediate evaluations.

The score of a trial is the mean undiscounted return of its last evaluation, averaged over its seeds. All trials share
these seeds, so that they are compared on the same luck, and they are not the seeds 0, 1, 2 … with which results are
reported: the best of many trials looks better on its own seeds than it is (Bouthillier et al. 2021).
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlsuite.agents.base import Agent
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.evaluation import evaluate_policy
from rlsuite.errors import DivergenceError, HyperparameterError, RlsuiteError
from rlsuite.experiments.interrupts import DeferredInterrupt
from rlsuite.experiments.run_environment import RunEnvironment
from rlsuite.experiments.runner import acts_deterministically
from rlsuite.experiments.search_spaces import search_space
from rlsuite.experiments.training_plan import TrainingPlan, learns_from_batches
from rlsuite.experiments.tuning_storage import (
    abandon,
    counted,
    locked,
    mend,
    open_study,
    require_optuna,
    retry_killed,
)

if TYPE_CHECKING:
    import optuna

SAMPLERS, PRUNERS = ("tpe", "random"), ("median", "none")
STARTUP_TRIALS = 5  # before the median of others prunes


@dataclass(frozen=True)
class TuningPlan:
    """What to tune.

    Attributes:
        training: environment, algorithm, steps and hyperparameters from which every trial starts; its seed is that of
            the search. fixed: names of hyperparameters that are not varied.
        trials: how many, those of earlier sessions of the same study included. n_seeds: runs per trial.
        n_evaluations: per run, of ``training.eval_episodes`` episodes each.
        jobs: processes. timeout: no trial begins after that many seconds. folder: of results. storage: of the study.
    """

    training: TrainingPlan
    trials: int
    folder: Path
    storage: Path
    study_name: str
    fixed: tuple[str, ...] = ()
    n_seeds: int = 1
    n_evaluations: int = 10
    sampler: str = "tpe"
    pruner: str = "median"
    jobs: int = 1
    timeout: float | None = None

    def settings(self) -> dict[str, Any]:
        """What all trials of a study have in common."""
        t = self.training
        return {
            "env": t.env_id, "algo": t.agent_type.name, "env_kwargs": t.env_kwargs,
            "preprocessing": t.preprocessing.as_dict(), "n_envs": t.n_envs, "n_timesteps": t.n_timesteps,
            "hyperparameters": t.values, "fixed hyperparameters": list(self.fixed), "seed": t.seed,
            "seeds per trial": self.n_seeds,
            "evaluations": [self.n_evaluations, t.eval_episodes],
        }  # fmt: skip


def tune(plan: TuningPlan, on_trial: Callable[[optuna.Study, Any], None] = lambda *_: None) -> optuna.Study:
    """Run trials until there are ``plan.trials``; a study that was stopped goes on with the same plan.

    ``on_trial(study, trial)`` is told of each trial that ends.

    Raises:
        KeyboardInterrupt: Ctrl-C; the running trial is tried again when the study goes on.
        RlsuiteError: bad input, or the study in ``plan.storage`` is another.
    """
    optuna = require_optuna()
    search_space(plan.training.agent_type, plan.fixed)  # is there anything to tune?
    plan.folder.mkdir(parents=True, exist_ok=True)
    plan.storage.parent.mkdir(parents=True, exist_ok=True)
    with locked(plan.folder / ".tuning.lock", wait=False), DeferredInterrupt() as interrupt:
        mend(plan.storage)
        study = open_study(plan.storage, plan.study_name, plan.settings())
        retry_killed(study)
        told = {t.number for t in study.get_trials(deepcopy=False) if t.state.is_finished()}

        def tell() -> None:
            for trial in study.get_trials(deepcopy=False):
                if trial.state.is_finished() and trial.number not in told:
                    told.add(trial.number)
                    on_trial(study, trial)

        deadline = None if plan.timeout is None else time.monotonic() + plan.timeout
        if plan.jobs == 1:
            _work(plan, deadline, lambda: interrupt.requested, tell)
        else:
            _work_in_processes(plan, deadline, interrupt, tell)
        tell()
    if interrupt.requested:
        done = sum(t.state == optuna.trial.TrialState.COMPLETE for t in counted(study))
        raise KeyboardInterrupt(f"{done} trials are complete; the same command goes on with the study")
    return study


# -- workers -----------------------------------------------------------------------------------------------------------


def _work_in_processes(
    plan: TuningPlan, deadline: float | None, interrupt: DeferredInterrupt, tell: Callable[[], None]
) -> None:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    seconds = None if deadline is None else deadline - time.monotonic()
    workers = [context.Process(target=_worker, args=(plan, seconds, stop), daemon=True) for _ in range(plan.jobs)]
    for worker in workers:
        worker.start()
    try:
        while any(worker.is_alive() for worker in workers):
            if interrupt.requested:
                stop.set()
            for worker in workers:
                worker.join(0.2)
            tell()
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()
    if any(worker.exitcode for worker in workers):
        raise HyperparameterError("a worker of tune ended with an error, told above; --jobs 1 --debug shows where")


def _worker(plan: TuningPlan, seconds: float | None, stop: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    deadline = None if seconds is None else time.monotonic() + seconds
    _work(plan, deadline, stop.is_set, lambda: None)


def _work(plan: TuningPlan, deadline: float | None, stopped: Callable[[], bool], tell: Callable[[], None]) -> None:
    optuna = require_optuna()
    states = optuna.trial.TrialState
    if learns_from_batches(plan.training.agent_type):
        import torch

        torch.set_num_threads(plan.training.num_threads)
    study = open_study(plan.storage, plan.study_name, plan.settings(), _sampler(plan), _pruner(plan))
    while not stopped() and (deadline is None or time.monotonic() < deadline):
        with locked(plan.folder / ".claim.lock"):
            if len(counted(study)) >= plan.trials:
                return
            n = len(study.get_trials(deepcopy=False))
            study.sampler = _sampler(plan, n)  # a search that goes on must not draw again what it drew before
            trial = study.ask()
        try:
            value = run_trial(plan, trial, stopped)
        except _StoppedError:
            abandon(study, study.get_trials(deepcopy=False)[trial.number])
            return
        except optuna.TrialPruned:
            study.tell(trial, state=states.PRUNED)
        except (DivergenceError, HyperparameterError) as error:
            trial.set_user_attr("failure", " ".join(str(error).split()))
            study.tell(trial, state=states.FAIL)
        else:
            study.tell(trial, value)
        tell()


def _sampler(plan: TuningPlan, n_trials: int = 0) -> Any:
    optuna = require_optuna()
    seed = int(np.random.SeedSequence([plan.training.seed, n_trials]).generate_state(1)[0])
    if plan.sampler == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, constant_liar=plan.jobs > 1)


def _pruner(plan: TuningPlan) -> Any:
    optuna = require_optuna()
    if plan.pruner == "none":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=plan.n_evaluations // 5)


# -- one trial ---------------------------------------------------------------------------------------------------------


class _StoppedError(Exception):
    """The trial was asked to stop from outside."""


def tuning_seeds(seed: int, n: int) -> list[int]:
    """Seeds of the ``n`` runs of every trial: 63-bit words with the highest bit set, which nobody reports with."""
    children = np.random.SeedSequence([seed, 1]).spawn(n)
    return [int(child.generate_state(1, np.uint64)[0] >> np.uint64(2)) | 1 << 62 for child in children]


def run_trial(plan: TuningPlan, trial: optuna.Trial, stopped: Callable[[], bool] = lambda: False) -> float:
    """Train with the settings that ``trial`` proposes; its score.

    Raises:
        optuna.TrialPruned: others were better at this point.
        DivergenceError, HyperparameterError: the settings do not work.
    """
    t = plan.training
    values = {name: range.suggest(trial, name) for name, range in search_space(t.agent_type, plan.fixed).items()}
    environment = RunEnvironment(t.env_id, t.env_kwargs, t.preprocessing, t.n_envs)
    finals: list[float] = []
    for i, seed in enumerate(tuning_seeds(t.seed, plan.n_seeds)):
        env, eval_env = environment.batch(), environment.single()
        try:
            device = {"device": t.device} if learns_from_batches(t.agent_type) else {}
            make: Any = t.agent_type
            agent = make(env, seed=seed, **device, **(t.values | values))
            watcher = _Watcher(plan, trial, eval_env, i, finals, stopped)
            agent.learn(t.n_timesteps, watcher)
            if watcher.stopped:
                raise _StoppedError
            finals.append(watcher.evaluate(agent))
        finally:
            env.close()
            eval_env.close()
    return float(np.mean(finals))


class _Watcher(BaseCallback):
    """Evaluates at equal distances, reports, prunes, and stops where it is asked to."""

    def __init__(
        self, plan: TuningPlan, trial: optuna.Trial, env: Any, run: int, finals: list[float], stop: Callable[[], bool]
    ) -> None:
        super().__init__()
        self.plan, self.trial, self.env, self.run, self.finals, self.stop = plan, trial, env, run, finals, stop
        self.stopped = False
        self.done = 0  # evaluations
        self.every = max(1, plan.training.n_timesteps // (10 * plan.n_evaluations))

    def evaluate(self, agent: Agent) -> float:
        """Mean return now; always in the same episodes."""
        mean, _ = evaluate_policy(
            agent,
            self.env,
            n_eval_episodes=self.plan.training.eval_episodes,
            deterministic=learns_from_batches(type(agent)) or acts_deterministically(agent),
            seed=tuning_seeds(self.plan.training.seed, self.plan.n_seeds)[self.run],
        )
        if not np.isfinite(mean):
            raise DivergenceError(f"the mean return became {mean} at step {agent.num_timesteps}")
        return mean

    def _on_step(self) -> bool:
        if self.stop():
            self.stopped = True
            return False
        n, total = self.plan.n_evaluations, self.plan.training.n_timesteps
        reached = self.num_timesteps * n // total
        if reached > self.done and self.num_timesteps < total:
            self.done = reached
            score = self.evaluate(self.agent)
            self.trial.report(float(np.mean([*self.finals, score])), self.run * n + reached)
            if self.trial.should_prune():
                raise require_optuna().TrialPruned
        return True


def best_plan(plan: TuningPlan, study: optuna.Study) -> TrainingPlan:
    """The plan of a training run with the settings of the best trial.

    Raises:
        RlsuiteError: no trial is complete.
    """
    optuna = require_optuna()
    complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if not complete:
        failures = [t.user_attrs["failure"] for t in counted(study) if "failure" in t.user_attrs]
        why = f"; the last one failed: {failures[-1]}" if failures else ""
        raise RlsuiteError(f"no trial is complete, so there is no best setting{why}")
    return replace(plan.training, values={**plan.training.values, **study.best_trial.params})
