"""Gymnasium's Hopper and HalfCheetah simulated many at a time, with their own rewards and ends to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Scoring = Callable[[Any, Array, Array, Array, Array], tuple[Array, NDArray[np.bool_]]]


class MujocoSimulator:
    """A :class:`~rlsuite.agents.predictive.simulators.Simulator` of a ``MujocoEnv``, on MuJoCo's batch of simulations.

    Args:
        env: the environment without wrappers.
        scoring: ``(env, x_before, qpos, qvel, actions) -> (rewards, terminated)`` of many rows at once, by the formulas of
            the environment.
    """

    def __init__(self, env: Any, scoring: Scoring) -> None:
        self.env, self.scoring = env, scoring
        self._batches: dict[int, Any] = {}

    @property
    def steps(self) -> NDArray[Any]:
        return np.rint([self.env.data.time / self.env.dt])

    def get_states(self) -> Array:
        """``(1, m)``: all that MuJoCo goes on from, the solver's warm start included."""
        import mujoco

        everything = mujoco.mjtState.mjSTATE_INTEGRATION
        state = np.empty(mujoco.mj_stateSize(self.env.model, everything))
        mujoco.mj_getState(self.env.model, self.env.data, state, everything)
        return state[None]

    def simulate(self, states: Array, actions: Array) -> Array:
        from mujoco.batch import Batch

        n, horizon = actions.shape[:2]
        if n not in self._batches:
            self._batches[n] = Batch(self.env.model, n, 1)
        batch = self._batches[n]
        batch.state[:] = states
        ctrl, qpos, qvel = (batch.bind(name) for name in ("ctrl", "qpos", "qvel"))
        given = actions.astype(self.env.action_space.dtype)  # the cost of control is computed in this precision
        rewards, going = np.zeros((n, horizon)), np.ones(n, np.bool_)
        for t in range(horizon):
            before = qpos[:, 0].copy()
            ctrl[:] = given[:, t]
            batch.step(nstep=self.env.frame_skip)
            reward, terminated = self.scoring(self.env, before, qpos, qvel, given[:, t])
            rewards[:, t] = np.where(going, reward, 0.0)
            going &= ~terminated
        return rewards


def _forward(env: Any, before: Array, qpos: Array) -> Array:
    velocity: Array = (qpos[:, 0] - before) / env.dt
    return env._forward_reward_weight * velocity


def _half_cheetah(env: Any, before: Array, qpos: Array, qvel: Array, actions: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Speed less cost of control; it never ends."""
    cost = env._ctrl_cost_weight * np.sum(np.square(actions), axis=1)
    return _forward(env, before, qpos) - cost, np.zeros(len(qpos), np.bool_)


def _hopper(env: Any, before: Array, qpos: Array, qvel: Array, actions: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Speed and health less cost of control; it ends where its height, angle or any other coordinate leaves its range."""
    low, high = env._healthy_state_range
    rest = np.concatenate((qpos, qvel), axis=1)[:, 2:]
    healthy = ((low < rest) & (rest < high)).all(axis=1)
    for values, (least, most) in ((qpos[:, 1], env._healthy_z_range), (qpos[:, 2], env._healthy_angle_range)):
        healthy &= (least < values) & (values < most)
    cost = env._ctrl_cost_weight * np.sum(np.square(actions), axis=1)
    rewards = _forward(env, before, qpos) + healthy * env._healthy_reward - cost
    return rewards, ~healthy & env._terminate_when_unhealthy


_SCORINGS: dict[str, Scoring] = {
    "gymnasium.envs.mujoco.hopper_v5:HopperEnv": _hopper,
    "gymnasium.envs.mujoco.half_cheetah_v5:HalfCheetahEnv": _half_cheetah,
}


def mujoco_simulator(env: Any) -> MujocoSimulator | None:
    """The simulator of ``env``; none where its formulas are not known here (a subclass may have others)."""
    scoring = _SCORINGS.get(f"{type(env).__module__}:{type(env).__qualname__}")
    return None if scoring is None else MujocoSimulator(env, scoring)
