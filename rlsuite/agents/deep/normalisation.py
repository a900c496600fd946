"""Running normalisation of observations and rewards, kept in the checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import RecordError

CLIP = 10.0
EPSILON = 1e-8


class RunningMoments:
    """Mean and variance of all rows seen, in float64, by the pairwise update of Chan, Golub & LeVeque (1983).

    Equal to ``numpy.mean`` and ``numpy.var`` over the whole data up to rounding, in whatever pieces the data came.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.count = 0
        self.mean = np.zeros(shape)
        self.squares = np.zeros(shape)  # sum of squared deviations from the mean

    @property
    def variance(self) -> NDArray[np.float64]:
        """Ones before any data came."""
        return self.squares / self.count if self.count else np.ones_like(self.mean)

    def update(self, rows: NDArray[Any]) -> None:
        """Take in ``(n, *shape)`` rows."""
        n = len(rows)
        if n == 0:
            return
        mean = rows.mean(axis=0, dtype=np.float64)
        delta, total = mean - self.mean, self.count + n
        if n > 1:
            self.squares = self.squares + np.square(rows - mean).sum(axis=0)
        self.squares = self.squares + delta * delta * (self.count * n / total)
        self.mean = self.mean + delta * (n / total)
        self.count = total

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {"mean": np.asarray(self.mean), "squares": np.asarray(self.squares)}

    def state_values(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        mean, squares, count = arrays["mean"], arrays["squares"], values["count"]
        if not (mean.shape == squares.shape == self.mean.shape and mean.dtype == squares.dtype == np.float64):
            raise RecordError(f"the normaliser's moments are {mean.dtype} {mean.shape}, not float64 {self.mean.shape}")
        if type(count) is not int or count < 0 or not (np.isfinite([mean, squares]).all() and (squares >= 0.0).all()):
            raise RecordError("the normaliser's moments are no mean and variance")
        self.count, self.mean, self.squares = count, np.array(mean), np.array(squares)


class ObservationNormaliser(RunningMoments):
    """Feature vectors as (x - mean) / std, clipped to [-10, 10]; the moments move only where the agent learns."""

    def __call__(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """``(n, *shape)`` normalised by what was seen so far."""
        scaled = (x - self.mean) / np.sqrt(self.variance + EPSILON)
        return np.minimum(np.maximum(scaled, -CLIP), CLIP).astype(np.float32)


class ReturnNormaliser(RunningMoments):
    """Rewards divided by the running standard deviation of the discounted return, clipped to [-10, 10].

    The scale of stable-baselines3's VecNormalize: each environment's return accumulates as R <- gamma R + r from the
    beginning of its episode, and all its values count. Rewards keep their sign, so nothing changes which policy is best.
    """

    def __init__(self, gamma: float, num_envs: int) -> None:
        super().__init__()
        self.gamma = gamma
        self.running = np.zeros(num_envs)

    def __call__(
        self, rewards: NDArray[np.float64], ended: NDArray[np.bool_], valid: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """``(time, environment)`` rewards of a rollout, scaled after its returns were taken in."""
        returns = np.empty_like(rewards)
        for t in range(len(rewards)):
            returns[t] = self.running = self.gamma * self.running + rewards[t]
            self.running = np.where(ended[t], 0.0, self.running)
        self.update(returns[valid])
        return np.clip(rewards / np.sqrt(self.variance + EPSILON), -CLIP, CLIP)

    def abandon(self) -> None:
        """Begin every return anew: the running episodes do not go on."""
        self.running = np.zeros_like(self.running)

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return super().state_arrays() | {"running": self.running}

    def load_state(self, arrays: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
        super().load_state(arrays, values)
        running = arrays["running"]
        if running.dtype != np.float64 or running.ndim != 1 or not np.isfinite(running).all():
            raise RecordError("the running returns of the reward's normaliser are no finite numbers")
        if running.shape == self.running.shape:  # else another number of environments: new episodes
            self.running = np.array(running)
