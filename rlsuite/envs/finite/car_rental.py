r"""Jack's car rental.

Requests and returns are Poisson. With ``n`` cars in the morning, ``k = min(n, requests)`` are rented and
``min(20, n - k + returns)`` are there in the evening. All probabilities are exact: the last entry of each distribution
holds the whole remaining tail, nothing is cut off and lost.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.envs.finite.mdp import FiniteMDP

MAX_CARS, MAX_MOVES = 20, 5
RENTAL_PRICE, MOVING_COST = 10.0, 2.0
REQUESTS, RETURNS = (3.0, 4.0), (3.0, 2.0)


class JacksCarRentalEnv(FiniteMDPEnv):
    """
    Move cars overnight between two places so that none is missing where it is asked for.

    ## Description
    Two locations hold up to 20 cars each. Each night Jack moves up to five cars; the day after, customers ask for cars
    (Poisson, means 3 and 4) and bring cars back (means 3 and 2), which can be rented from the next day on. Cars beyond
    20 at a location are lost.

    ## Action Space
    `Discrete(11)`: action `a` moves `a - 5` cars from the first location to the second (negative: the other way),
    but no more than there are: every action is valid everywhere.

    ## Observation Space
    `Discrete(441)`: `21 * (cars at the first location) + (cars at the second)`, in the evening.

    ## Rewards
    10 for each car rented, -2 for each car moved. Since many days lead to the same evening, the reward of a transition
    is the *expected* one given the cars in the evening before and after and the move; values and optimal policies are
    those of the book, and the noise of single days that the next state does not show is averaged out.

    ## Starting State
    Ten cars at each location.

    ## Episode End
    The task is continuing (the book discounts by 0.9). Truncation after 100 steps.

    ## Arguments
    None.

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 4.2.

    ## Version History
    - v0: initial version
    """

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__(_mdp(), render_mode)


def _poisson(mean: float, size: int) -> NDArray[np.float64]:
    """``(size,)`` probabilities of 0 … size - 2, and of size - 1 or more."""
    mass = [math.exp(-mean + k * math.log(mean) - math.lgamma(k + 1)) for k in range(size - 1)]
    return np.array([*mass, 1.0 - math.fsum(mass)])


def location(requests: float, returns: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One location's day: ``(21, 21)`` P(evening | morning), and the expected number of rentals given both."""
    size = MAX_CARS + 1
    probability, rentals = np.zeros((size, size)), np.zeros((size, size))
    for morning in range(size):
        for rented, p in enumerate(_poisson(requests, morning + 1)):
            left = morning - rented
            to_evening = p * _poisson(returns, size - left)  # (evening = left … 20)
            probability[morning, left:] += to_evening
            rentals[morning, left:] += rented * to_evening
    return probability, np.divide(rentals, probability, out=np.zeros_like(rentals), where=probability > 0)


def _mdp() -> FiniteMDP:
    size, n_actions = MAX_CARS + 1, 2 * MAX_MOVES + 1
    (p1, k1), (p2, k2) = (location(*rates) for rates in zip(REQUESTS, RETURNS, strict=True))
    first, second, wanted = np.meshgrid(
        np.arange(size), np.arange(size), np.arange(-MAX_MOVES, MAX_MOVES + 1), indexing="ij"
    )
    moved = np.clip(wanted, -second, first)  # (21, 21, 11)
    morning1, morning2 = np.minimum(first - moved, MAX_CARS), np.minimum(second + moved, MAX_CARS)
    probability = p1[morning1][..., :, None] * p2[morning2][..., None, :]  # (21, 21, 11, evening 1, evening 2)
    reward = RENTAL_PRICE * (k1[morning1][..., :, None] + k2[morning2][..., None, :])
    reward -= MOVING_COST * np.abs(moved)[..., None, None]
    n_states = size * size
    next_state = np.broadcast_to(np.arange(n_states).reshape(size, size), probability.shape)
    initial = np.zeros(n_states)
    initial[10 * size + 10] = 1.0
    return FiniteMDP(
        n_states=n_states,
        n_actions=n_actions,
        offset=n_states * np.arange(n_states * n_actions + 1),
        probability=probability.ravel(),
        next_state=next_state.ravel(),
        reward=reward.ravel(),
        terminated=np.zeros(probability.size, np.bool_),
        initial=initial,
        name="JacksCarRental",
        layout=_layout(),
    )


def _layout() -> Layout:
    states = np.arange((MAX_CARS + 1) ** 2).reshape(MAX_CARS + 1, MAX_CARS + 1)[::-1]  # as figure 4.2: upwards
    panel = Panel(
        states,
        np.full(states.shape, "."),
        row_labels=tuple(str(n) for n in range(MAX_CARS, -1, -1)),
        col_labels=tuple(str(n) for n in range(MAX_CARS + 1)),
        row_name="cars at first location",
        col_name="cars at second location",
    )
    return Layout((panel,), tuple(f"{m:+d}" if m else "0" for m in range(-MAX_MOVES, MAX_MOVES + 1)))
