"""Every way of stepping environments gives the transitions that stepping single environments by hand gives."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlsuite.agents.deep.observations import take
from rlsuite.agents.deep.vector import EnvBatch, EpisodeRecord
from rlsuite.agents.saved import environment_of, remade
from rlsuite.errors import InvalidEnvironmentError, RecordError

N_ACTIONS = 3


class ToyMDP(gym.Env[Any, Any]):
    """Random finite dynamics: ``P(s' | s, a)``, ``r(s, a, s')`` and the chance to terminate in ``s'``, from ``model``."""

    def __init__(
        self, model: int = 0, n_states: int = 5, kind: str = "box", start: int = 0, masks: bool = False
    ) -> None:
        rng = np.random.default_rng(model)
        self.p = rng.dirichlet(np.full(n_states, 0.5), size=(n_states, N_ACTIONS))
        self.r = rng.normal(size=(n_states, N_ACTIONS, n_states))
        self.terminates = rng.uniform(0, 0.5, size=n_states) * (rng.random(n_states) < 0.5)
        self.features = rng.normal(size=(n_states, 2)).astype(np.float32)
        self.allowed = rng.random((n_states, N_ACTIONS)) < 0.6
        self.n_states, self.kind, self.masks = n_states, kind, masks
        self.action_space = spaces.Discrete(N_ACTIONS, start=start)
        box, number = spaces.Box(-np.inf, np.inf, (2,), np.float32), spaces.Discrete(n_states)
        self.observation_space = {"box": box, "discrete": number, "dict": spaces.Dict(x=box, s=number)}[kind]

    def observe(self) -> Any:
        features = self.features[self.s].copy()
        return {"box": features, "discrete": self.s, "dict": {"x": features, "s": self.s}}[self.kind]

    def tell(self, terminated: bool = False) -> dict[str, Any]:
        mask = {"action_mask": self.allowed[self.s].astype(np.int8)} if self.masks else {}
        return mask | ({"is_success": bool(self.s % 2)} if terminated else {})

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.s = int(self.np_random.integers(self.n_states))
        return self.observe(), self.tell()

    def step(self, action: Any) -> Any:
        a, before = int(action) - int(self.action_space.start), self.s
        assert 0 <= a < N_ACTIONS
        self.s = int(self.np_random.choice(self.n_states, p=self.p[before, a]))
        terminated = bool(self.np_random.random() < self.terminates[self.s])
        return self.observe(), float(self.r[before, a, self.s]), terminated, False, self.tell(terminated)


class Row(NamedTuple):
    """One transition as plain values, so that equality is equality of bits."""

    observation: Any
    action: int
    reward: float
    successor: Any
    terminated: bool
    truncated: bool


class Seen(NamedTuple):
    rows: list[list[Row]]  # by environment
    masks: list[list[Any]]  # on each observation acted on
    returns: list[list[float]]
    lengths: list[list[int]]
    successes: list[float]


def plain(observation: Any) -> Any:
    if isinstance(observation, dict):
        return tuple((key, plain(observation[key])) for key in sorted(observation))
    array = np.asarray(observation)
    return array.shape, array.astype(np.float64).tobytes()


def by_hand(make: Any, actions: np.ndarray, seed: int) -> Seen:
    """The reference: environment i reset with ``seed + i`` and stepped as Gymnasium's own loop does."""
    _, n = actions.shape
    seen = Seen([[] for _ in range(n)], [[] for _ in range(n)], [[] for _ in range(n)], [[] for _ in range(n)], [])
    for i in range(n):
        env = make(i)
        start = int(env.action_space.start)
        observation, info = env.reset(seed=seed + i)
        total, length = 0.0, 0
        for action in actions[:, i]:
            seen.masks[i].append(plain(info["action_mask"]) if "action_mask" in info else None)
            successor, reward, terminated, truncated, info = env.step(int(action) + start)
            seen.rows[i].append(
                Row(plain(observation), int(action), float(reward), plain(successor), terminated, truncated)
            )
            observation, total, length = successor, total + float(reward), length + 1
            if terminated or truncated:
                seen.returns[i].append(total)
                seen.lengths[i].append(length)
                seen.successes.extend([float(info["is_success"])] if "is_success" in info else [])
                total, length = 0.0, 0
                observation, info = env.reset()
    return seen


def by_batch(batch: EnvBatch, actions: np.ndarray) -> Seen:
    """The same through a batch: environment i gets its next action whenever the row before was a transition."""
    steps, n = actions.shape
    seen = Seen([[] for _ in range(n)], [[] for _ in range(n)], [[] for _ in range(n)], [[] for _ in range(n)], [])
    records = EpisodeRecord(n)
    taken = np.zeros(n, int)
    batch.start()
    kept: list[tuple[Any, Any]] = []  # what the batch gave away must not change under its later steps
    for _ in range(2 * steps + 1):
        if taken.min() == steps:
            break
        masks = batch.action_masks
        step = batch.step(np.array([actions[min(taken[i], steps - 1), i] for i in range(n)]))
        counted = EpisodeRecord(n)
        counted.running_returns[:], counted.running_lengths[:] = records.running_returns, records.running_lengths
        for i in range(n):
            if not step.valid[i]:
                assert step.rewards[i] == 0.0 and not step.terminated[i] and not step.truncated[i]
            elif taken[i] < steps:
                seen.masks[i].append(None if masks is None else plain(masks[i]))
                seen.rows[i].append(
                    Row(
                        plain(take(step.observations, i)),
                        int(step.actions[i]),
                        float(step.rewards[i]),
                        plain(take(step.next_observations, i)),
                        bool(step.terminated[i]),
                        bool(step.truncated[i]),
                    )
                )
                kept.append(((step, i), seen.rows[i][-1]))
        finished = len(records.returns)
        ended = np.flatnonzero(step.ended & step.valid)
        records.add(step, 0)
        for k, i in enumerate(ended):
            if taken[i] < steps:
                seen.returns[i].append(records.returns[finished + k])
                seen.lengths[i].append(records.lengths[finished + k])
        if taken.min() == taken.max():  # environments in step: every success belongs to the comparison
            seen.successes.extend(step.successes)
        taken += step.valid & (taken < steps)
    for (step, i), row in kept:
        assert plain(take(step.observations, i)) == row.observation
        assert plain(take(step.next_observations, i)) == row.successor
    return seen


def assert_same(seen: Seen, reference: Seen) -> None:
    assert seen.rows == reference.rows
    assert seen.masks == reference.masks
    assert seen.lengths == reference.lengths
    assert seen.returns == reference.returns


toys = st.fixed_dictionaries(
    {
        "model": st.integers(0, 2**32 - 1),
        "n_states": st.integers(2, 6),
        "kind": st.sampled_from(["box", "discrete", "dict"]),
        "start": st.sampled_from([0, 3]),
        "masks": st.booleans(),
    }
)


@given(toy=toys, limits=st.lists(st.integers(1, 7), min_size=1, max_size=3), seed=st.integers(0, 2**31), data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_mode_gives_the_transitions_of_single_environments(
    toy: dict[str, Any], limits: list[int], seed: int, data: st.DataObject
) -> None:
    n = len(limits)
    steps = data.draw(st.integers(1, 25), label="steps")
    actions = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1), label="actions")).integers(
        N_ACTIONS, size=(steps, n)
    )

    def make(i: int) -> gym.Env[Any, Any]:
        return TimeLimit(ToyMDP(**toy), limits[i])

    makers = [lambda i=i: make(i) for i in range(n)]
    reference = by_hand(make, actions, seed)
    assert [len(rows) for rows in reference.rows] == [steps] * n
    unwrapped = by_batch(EnvBatch(SyncVectorEnv(makers), seed), actions)
    assert_same(unwrapped, reference)
    assert sorted(unwrapped.successes) == sorted(reference.successes)
    for mode in AutoresetMode:
        batch = EnvBatch(SyncVectorEnv(makers, autoreset_mode=mode), seed, unwrap=False)
        assert batch.mode is mode
        seen = by_batch(batch, actions)
        assert_same(seen, reference)
        if mode is not AutoresetMode.NEXT_STEP:
            assert sorted(seen.successes) == sorted(reference.successes)
    if n == 1:
        assert_same(by_batch(EnvBatch(make(0), seed), actions), reference)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("kind", ["box", "dict"])
def test_environments_in_other_processes(mode: AutoresetMode, kind: str) -> None:
    def make(i: int) -> gym.Env[Any, Any]:
        return TimeLimit(ToyMDP(7, kind=kind, start=3, masks=True), 3 + i)

    actions = np.random.default_rng(1).integers(N_ACTIONS, size=(30, 2))
    env = AsyncVectorEnv([lambda: make(0), lambda: make(1)], autoreset_mode=mode)
    try:
        assert_same(by_batch(EnvBatch(env, 5), actions), by_hand(make, actions, 5))
    finally:
        env.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_success_is_counted_once(mode: AutoresetMode) -> None:
    """Environments end at different times; with NEXT_STEP, rows that only reset must count nothing."""
    env = SyncVectorEnv([lambda i=i: TimeLimit(ToyMDP(3 + i), 9) for i in range(4)], autoreset_mode=mode)
    batch, record, rng = EnvBatch(env, 0, unwrap=False), EpisodeRecord(4), np.random.default_rng(0)
    batch.start()
    terminated = 0
    for _ in range(200):
        step = batch.step(rng.integers(N_ACTIONS, size=4))
        record.add(step, 0)
        terminated += int(step.terminated.sum())
        assert len(step.successes) == int((step.terminated & step.valid).sum())  # the toy tells when it terminates
    assert len(record.successes) == terminated > 20
    assert 0 < sum(record.successes) < terminated


def test_a_vector_entry_point_gives_the_transitions_of_single_environments() -> None:
    """CartPole's own vector environment computes in float32 as the single one does in float64: compare the structure."""
    env = gym.make_vec("CartPole-v1", num_envs=3, vectorization_mode="vector_entry_point", max_episode_steps=12)
    batch, rng = EnvBatch(env, 0), np.random.default_rng(0)
    batch.start()
    lengths: list[int] = []
    running = np.zeros(3, int)
    for _ in range(100):
        before = batch.observations
        step = batch.step(rng.integers(2, size=3))
        np.testing.assert_array_equal(step.observations, before)
        running += step.valid
        x = step.next_observations[step.valid]
        fallen = (np.abs(x[:, 0]) > 2.4) | (np.abs(x[:, 2]) > 12 * 2 * np.pi / 360)
        np.testing.assert_array_equal(step.terminated[step.valid], fallen)
        for i in np.flatnonzero(step.ended):
            assert step.valid[i]
            assert step.truncated[i] == (running[i] >= 12)
            lengths.append(int(running[i]))
            running[i] = 0
    assert max(lengths) <= 12 and len(lengths) > 20


def test_same_step_without_final_observations_is_refused() -> None:
    """Bootstrapping from the next episode's first observation would be wrong and nobody would know."""

    class Silent(SyncVectorEnv):
        def step(self, actions: Any) -> Any:
            *answer, info = super().step(actions)
            return (*answer, {key: value for key, value in info.items() if not key.startswith(("final", "_final"))})

    env = Silent([lambda: TimeLimit(ToyMDP(), 1)], autoreset_mode=AutoresetMode.SAME_STEP)
    batch = EnvBatch(env, 0)
    batch.start()
    with pytest.raises(InvalidEnvironmentError, match="what followed the last action"):
        batch.step(np.zeros(1, int))


@pytest.mark.parametrize("name", ["final_obs", "final_observation"])
def test_final_observations_under_both_names(name: str) -> None:
    class Renamed(SyncVectorEnv):
        def step(self, actions: Any) -> Any:
            *answer, info = super().step(actions)
            return (*answer, {name if key == "final_obs" else key: value for key, value in info.items()})

    def make(i: int) -> gym.Env[Any, Any]:
        return TimeLimit(ToyMDP(i), 4)

    actions = np.random.default_rng(2).integers(N_ACTIONS, size=(40, 2))
    env = Renamed([lambda: make(0), lambda: make(1)], autoreset_mode=AutoresetMode.SAME_STEP)
    assert_same(by_batch(EnvBatch(env, 3), actions), by_hand(make, actions, 3))


def test_masks_belong_to_their_observation() -> None:
    """An environment that tells its mask in some states only: elsewhere everything is allowed, and old masks stay."""

    class Sometimes(ToyMDP):
        def tell(self, terminated: bool = False) -> dict[str, Any]:
            return {"action_mask": self.allowed[self.s].astype(np.int8)} if self.s % 2 else {}

    env = SyncVectorEnv([lambda i=i: TimeLimit(Sometimes(i), 6) for i in range(3)])
    batch, rng = EnvBatch(env, 0), np.random.default_rng(0)
    batch.start()
    kept = []
    for _ in range(60):
        told = [each.unwrapped for each in env.envs]
        if batch.action_masks is not None:
            expected = np.array([e.allowed[e.s] if e.s % 2 else np.ones(N_ACTIONS, bool) for e in told])
            np.testing.assert_array_equal(batch.action_masks, expected)
            kept.append((batch.action_masks, expected))
        batch.step(rng.integers(N_ACTIONS, size=3))
    assert len(kept) > 50
    for masks, expected in kept:
        np.testing.assert_array_equal(masks, expected)


def test_an_environment_that_draws_from_its_own_space_is_repeatable() -> None:
    class Samples(ToyMDP):
        def step(self, action: Any) -> Any:
            return super().step(self.action_space.sample())

    def rewards(seed: int) -> list[float]:
        batch = EnvBatch(SyncVectorEnv([lambda: TimeLimit(Samples(), 50)] * 2), seed)
        batch.start()
        return [float(r) for _ in range(20) for r in batch.step(np.zeros(2, int)).rewards]

    assert rewards(1) == rewards(1) != rewards(2)


def sync(n: int, mode: AutoresetMode, **more: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: gym.make("CartPole-v1", **more)] * n, autoreset_mode=mode)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_vector_environment_is_made_again(mode: AutoresetMode) -> None:
    env = sync(3, mode, max_episode_steps=17, sutton_barto_reward=True)
    again = remade("file", json.loads(json.dumps(environment_of(env))))
    assert type(again) is SyncVectorEnv and again.num_envs == 3 and again.metadata["autoreset_mode"] is mode
    assert [e.spec.max_episode_steps for e in again.envs] == [17] * 3
    assert all(e.unwrapped._sutton_barto_reward for e in again.envs)


@pytest.mark.parametrize("n", [1, 4])
def test_a_native_vector_environment_is_made_again(n: int) -> None:
    env = gym.make_vec(
        "CartPole-v1",
        num_envs=n,
        vectorization_mode="vector_entry_point",
        max_episode_steps=9,
        sutton_barto_reward=True,
    )
    again = remade("file", json.loads(json.dumps(environment_of(env))))
    assert type(again) is type(env) and again.num_envs == n
    assert again.max_episode_steps == 9 and again._sutton_barto_reward


def test_environments_that_cannot_be_described_are_unknown() -> None:
    unequal = SyncVectorEnv([lambda: gym.make("CartPole-v1"), lambda: gym.make("CartPole-v1", max_episode_steps=9)])
    wrapped = gym.wrappers.vector.RecordEpisodeStatistics(sync(2, AutoresetMode.SAME_STEP))
    flat = SyncVectorEnv([lambda: gym.wrappers.FlattenObservation(gym.make("CartPole-v1"))])
    assert [environment_of(env) for env in (unequal, wrapped, flat)] == [None] * 3


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "async"},
        {"num_envs": 10**9},
        {"num_envs": 0},
        {"num_envs": True},
        {"autoreset_mode": "never"},
        {"more": 1},
    ],
)
def test_a_tampered_description_is_refused(change: dict[str, Any]) -> None:
    saved: Any = environment_of(sync(2, AutoresetMode.SAME_STEP))
    saved["vector"].update(change)
    with pytest.raises(RecordError):
        remade("file", saved)
