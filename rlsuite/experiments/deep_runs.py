"""One run of a deep agent in a comparison: one call of ``learn``, scored on the way, in a folder of its own.

``OUT/runs/ENV/ALGO/NAME-sSEED/`` holds ``config.yaml``; ``metrics.jsonl`` and ``evaluations.jsonl``, which grow while the
agent learns; ``checkpoints/paused``, from which a run that was killed goes on as if it had never stopped; and once it is
finished ``checkpoints/last`` (what acting needs) and ``result.json``, a row like those that tabular seeds share.

The learned policy is its best action everywhere. Where the environment has a model its score is exact, else the mean
return of episodes in environments of their own, seeded by the run's evaluation stream: the same ones at each checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rlsuite.agents.base import Agent
from rlsuite.agents.callbacks import BaseCallback
from rlsuite.agents.evaluation import episode_seeds, run_episodes
from rlsuite.agents.registry import agent_class
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.finite.spaces import DiscreteIndex
from rlsuite.envs.vector import make_vec_env
from rlsuite.errors import DivergenceError, RecordError
from rlsuite.experiments.records import CHECKPOINTS, EVALUATIONS, METRICS, RunWriter, plain, read_rows
from rlsuite.experiments.results import Run
from rlsuite.experiments.runner import Budget, changes
from rlsuite.experiments.shared_records import read_run
from rlsuite.files import write_atomically
from rlsuite.seeding import run_seeds

RESULT = "result.json"
PAUSED, LAST = "paused", "last"  # checkpoints: all that going on needs; what acting needs
STEPS, EPISODES, ELAPSED, LEARNING = (
    "time/total_timesteps", "time/episodes", "time/time_elapsed", "time/learning_time",
)  # fmt: skip
EPISODE_WINDOW = 100  # rollout/ep_rew_mean is over the last 100 episodes


@dataclass(frozen=True)
class DeepSpec:
    """Everything that determines one deep run; plain values, so that it can be sent to another process.

    Attributes:
        algo: name of the agent, with the module that registers it. preprocessing: arguments of
            :class:`~rlsuite.envs.preprocessing.Preprocessing`.
        exact: whether to score by the environment's model. config: what ``config.yaml`` of a new run is to hold.
        save_every: seconds at least between two checkpoints to go on from.
    """

    env_id: str
    env_kwargs: dict[str, Any]
    algo: str
    values: dict[str, Any]
    n_envs: int
    seed: int
    budget: Budget
    horizon: int
    eval_episodes: int
    exact: bool
    folder: Path
    preprocessing: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    save_every: float = 30.0

    def make_env(self, n_envs: int) -> Any:
        """The environments to learn in (or one to be scored in)."""
        from rlsuite.envs.preprocessing import Preprocessing

        return make_vec_env(
            self.env_id,
            n_envs,
            preprocessing=Preprocessing(**self.preprocessing) if self.preprocessing else None,
            max_episode_steps=self.horizon,
            **self.env_kwargs,
        )

    def make_agent(self, env: Any) -> Any:
        """A new agent in ``env``."""
        return agent_class(self.algo)(env, seed=self.seed, **self.values)


def run_deep(spec: DeepSpec) -> Run | None:
    """Learn, or go on learning, until the budget is spent; ``None`` where the comparison was interrupted before.

    A loss or output that is no longer finite ends the run: it is recorded with its ``failure`` and a last score of NaN.
    """
    import torch

    torch.set_num_threads(1)  # one run a processor: threads of one run would take the others' time
    with _no_keyboard_interrupt(), ExitStack() as stack, RunWriter(spec.folder, spec.config) as writer:
        env = stack.enter_context(contextlib.closing(spec.make_env(spec.n_envs)))
        scorer = _exact_score(spec, env) if spec.exact else _EpisodeScore(spec, stack)
        agent = _paused(spec, env)
        _forget_after(spec.folder, -1 if agent is None else agent.num_timesteps)
        watcher = _Watcher(spec, writer, scorer)
        failure = ""
        try:
            if agent is None:
                agent = spec.make_agent(env)
                watcher.begin(agent)
                amount = {
                    "total_timesteps" if spec.budget.unit == "timesteps" else "total_episodes": spec.budget.amount
                }
                agent.learn(**amount, callback=watcher)
            else:
                watcher.begin(agent)
                agent.resume(watcher)
            if watcher.stopped:
                return None
            watcher.finish()
        except DivergenceError as error:
            failure = " ".join(str(error).split())
        row = watcher.result(failure)
        save_small(agent, writer.checkpoint_path(LAST))
        write_atomically(spec.folder / RESULT, json.dumps(plain(row), allow_nan=False))
        for path in _checkpoints(spec.folder, PAUSED):
            path.unlink()
        return read_result(spec.folder)


def read_result(folder: Path) -> Run | None:
    """The finished run in ``folder``; ``None`` where there is none, or where its checkpoint is gone.

    Raises:
        RecordError: what it holds is not a run.
    """
    path = folder / RESULT
    if not path.exists() or not _checkpoints(folder, LAST):
        return None
    try:
        row = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise RecordError(f"cannot read {path}: {error}") from None
    if not isinstance(row, dict):
        raise RecordError(f"{path} does not hold a run")
    return read_run(folder, row, RESULT)


def share_done(folder: Path, budget: Budget) -> float:
    """Share of its budget that the unfinished run in ``folder`` has spent, by its last evaluation."""
    try:
        rows = list(read_rows(folder / EVALUATIONS))
        done = rows[-1][STEPS if budget.unit == "timesteps" else EPISODES] if rows else 0
        return min(1.0, float(done) / budget.amount)
    except (RecordError, OSError, KeyError, TypeError, ValueError):
        return 0.0


def save_small(agent: Agent, path: Path) -> Path:
    """Save what acting needs, where the agent tells it apart from what learning needs."""
    from rlsuite.agents.deep.agent import DeepAgent

    return agent.save(path, training_state=False) if isinstance(agent, DeepAgent) else agent.save(path)


# -- the process -------------------------------------------------------------------------------------------------------

_stop: Any = None  # event of the parent: save, and return


def prepare_worker(stop: Any) -> None:
    """In each new process: heed ``stop``, and end when the parent has ended, however that came about."""
    global _stop
    _stop = stop
    warnings.simplefilter("ignore", UserWarning)  # on hyperparameters: told once, where agents were tried
    import multiprocessing
    from multiprocessing.connection import wait

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def end_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


@contextmanager
def _no_keyboard_interrupt() -> Iterator[None]:
    """Ctrl-C reaches the whole group of processes, and is the parent's to handle: it asks the runs to save and stop."""
    if _stop is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# -- going on ----------------------------------------------------------------------------------------------------------


def _checkpoints(folder: Path, name: str) -> list[Path]:
    return sorted((folder / CHECKPOINTS).glob(f"{name}.*"))


def _paused(spec: DeepSpec, env: Any) -> Any:
    """The agent as it was when the run was stopped; ``None`` where there is nothing (whole) to go on from."""
    cls = agent_class(spec.algo)
    for path in _checkpoints(spec.folder, PAUSED):
        with contextlib.suppress(RecordError):
            return cls.load(path, env)
    return None


def _forget_after(folder: Path, num_timesteps: int) -> None:
    """Cut what was recorded after the checkpoint: it will be learned, and recorded, again."""
    for name in (METRICS, EVALUATIONS):
        rows = list(read_rows(folder / name))
        kept = [row for row in rows if row[STEPS] <= num_timesteps]
        if len(kept) < len(rows):
            write_atomically(folder / name, "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in kept))


class _Watcher(BaseCallback):
    """Scores the policy at the checkpoints of the budget, records it, and saves what going on needs."""

    def __init__(self, spec: DeepSpec, writer: RunWriter, scorer: Callable[[Any], dict[str, Any]]) -> None:
        super().__init__()
        self.spec, self.writer, self.scorer = spec, writer, scorer
        self.agent: Any
        self.stopped = False
        self.points = spec.budget.checkpoints
        self.rows = list(read_rows(spec.folder / EVALUATIONS))
        timed = [*read_rows(spec.folder / METRICS)]
        self.elapsed: float = timed[-1][ELAPSED] if timed else 0.0
        self.learning: float = timed[-1][LEARNING] if timed else 0.0
        self._mark = self._saved = time.perf_counter()

    def begin(self, agent: Any) -> None:
        """Score the policy that nothing was learned for, unless that was done."""
        self.agent = agent
        if not self.rows:
            self._score()
        self._mark = time.perf_counter()

    def finish(self) -> None:
        """Score what was learned in the end."""
        if self.rows[-1][STEPS] != self.agent.num_timesteps:
            self._score()

    def result(self, failure: str) -> dict[str, Any]:
        """The run as a row."""
        agent = self.agent
        returns, lengths = agent.episode_returns, agent.episode_lengths
        columns = {
            name: [row[key] for row in self.rows]
            for name, key in (("steps", STEPS), ("episodes", EPISODES), ("score", "eval/mean_reward"))
        }
        if failure:
            for name, value in (("steps", agent.num_timesteps), ("episodes", len(returns)), ("score", None)):
                columns[name].append(value)
        return {
            "seed": self.spec.seed,
            **columns,
            "returns": returns,
            "lengths": lengths,
            "ends": agent.episode_ends,
            "wall_time": self.elapsed,
            "learning_time": self.learning,
            "failure": failure,
        }

    def _on_step(self) -> bool:
        if self._spent() >= self._next_point() and self._next_point() < self.points[-1]:  # the last one: see finish
            self._score()
            if time.perf_counter() - self._saved >= self.spec.save_every:
                self._save()
        if _stop is not None and _stop.is_set():
            self._note_time(learned=True)
            self._record()
            self._save()
            self.stopped = True
        return not self.stopped

    def _spent(self) -> int:
        return int(self.agent.num_timesteps if self.spec.budget.unit == "timesteps" else self.agent.num_episodes)

    def _next_point(self) -> int:
        """The first checkpoint behind what was spent at the last score."""
        last = self.rows[-1][STEPS if self.spec.budget.unit == "timesteps" else EPISODES]
        return int(self.points[min(np.searchsorted(self.points, last, side="right"), len(self.points) - 1)])

    def _note_time(self, learned: bool) -> None:
        now = time.perf_counter()
        self.elapsed += now - self._mark
        self.learning += now - self._mark if learned else 0.0
        self._mark = now

    def _score(self) -> None:
        self._note_time(learned=bool(self.rows))
        if self.agent.kind == "planning" and self.rows:  # plans before it acts: the same policy at every checkpoint
            score = {name: value for name, value in self.rows[0].items() if name.startswith("eval/")}
        else:
            score = self.scorer(self.agent)
        self._note_time(learned=False)
        row = {STEPS: self.agent.num_timesteps, EPISODES: self.agent.num_episodes, ELAPSED: self.elapsed, **score}
        self.writer.append(EVALUATIONS, row)
        self.rows.append(row)
        self._record()

    def _record(self) -> None:
        agent: Any = self.agent
        row: dict[str, Any] = {STEPS: agent.num_timesteps, EPISODES: agent.num_episodes}
        row |= {ELAPSED: self.elapsed, LEARNING: self.learning, "time/fps": agent.num_timesteps / (self.learning or 1)}
        if len(agent.episode_returns):
            row["rollout/ep_rew_mean"] = float(np.mean(agent.episode_returns[-EPISODE_WINDOW:]))
            row["rollout/ep_len_mean"] = float(np.mean(agent.episode_lengths[-EPISODE_WINDOW:]))
        self.writer.append(METRICS, row | dict(getattr(agent, "metrics", {})))

    def _save(self) -> None:
        self.agent.save(self.writer.checkpoint_path(PAUSED))
        self._note_time(learned=False)
        self._saved = time.perf_counter()


# -- scores ------------------------------------------------------------------------------------------------------------


class _EpisodeScore:
    """Mean return over episodes, each in an environment of its own, all played at once: one batch of actions a step."""

    def __init__(self, spec: DeepSpec, stack: ExitStack) -> None:
        self.envs = [stack.enter_context(contextlib.closing(spec.make_env(1))) for _ in range(spec.eval_episodes)]
        self.seeds = episode_seeds(run_seeds(spec.seed).evaluation, spec.eval_episodes)

    def __call__(self, agent: Any) -> dict[str, Any]:
        returns, lengths = play_together(agent, self.envs, self.seeds)
        return {
            "eval/mean_reward": float(np.mean(returns)),
            "eval/std_reward": float(np.std(returns)),
            "eval/mean_ep_length": float(np.mean(lengths)),
        }


def play_together(agent: Any, envs: list[Any], seeds: list[int]) -> tuple[list[float], list[int]]:
    """Returns and lengths of one episode per environment and seed, with the agent's best actions; as
    :func:`~rlsuite.agents.evaluation.run_episodes`, but asking for the actions of all running episodes at once."""
    from rlsuite.agents.deep.agent import DeepAgent
    from rlsuite.agents.deep.observations import stack

    if not isinstance(agent, DeepAgent):  # the contract of other agents is one observation at a time
        played = [run_episodes(agent, env, [seed]) for env, seed in zip(envs, seeds, strict=True)]
        return [returns[0] for returns, _ in played], [lengths[0] for _, lengths in played]
    observations = [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)]
    returns, lengths = [0.0] * len(envs), [0] * len(envs)
    running = list(range(len(envs)))
    while running:
        actions, _ = agent.predict(stack([observations[i] for i in running], agent.observation_space))
        for i, action in zip(list(running), actions, strict=True):
            observations[i], reward, terminated, truncated, _ = envs[i].step(action)
            returns[i] += float(reward)
            lengths[i] += 1
            if terminated or truncated:
                running.remove(i)
    return returns, lengths


def _exact_score(spec: DeepSpec, env: Any) -> Callable[[Any], dict[str, Any]]:
    """The exact return of the policy that takes the agent's best action on every observation."""
    from rlsuite.agents.tabular.evaluation import finite_horizon_value

    member = getattr(env, "envs", [env])[0]
    changing = changes(member)
    model = None if changing else FiniteMDP.from_env(member)
    observations = DiscreteIndex(member.observation_space)
    actions = DiscreteIndex(member.action_space, "action")

    def score(agent: Any) -> dict[str, Any]:
        mdp = member.unwrapped.current_mdp if model is None else model
        policy = np.zeros((mdp.n_observations, mdp.n_actions))
        for i in range(mdp.n_observations):
            policy[i, actions.index(agent.predict(observations.value(i))[0])] = 1.0
        return {"eval/mean_reward": finite_horizon_value(mdp, policy, spec.horizon)}

    return score
