"""The environment whose levels a generative model draws."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.grid import gridworld_mdp
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.maps.cells import GOAL, PIT, WALL, Chars
from rlsuite.errors import InvalidEnvironmentError, ModelUnavailableError, RecordError

Observation = Literal["cell", "map", "centred"]
LAYERS = WALL + GOAL + PIT  # of a map as an observation; the agent is one more
MOST_LEVELS = 2**62
KEPT_LEVELS = 4096  # of which the dynamics stay in memory


class GeneratedMazeEnv(FiniteMDPEnv):
    """
    A maze that a generative model has made: a new one in every episode, one of a set, or always the same.

    ## Description
    Levels are numbered. Level i is the first map that can be solved among those which the model draws from child i of
    `level_seed`, so that the same file, seed and number always give the same map. An agent that has learned on some
    levels can thus be tested on others.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. Moves into walls or off the grid leave the agent where it is.

    ## Observation Space
    With `observation="cell"`: `Discrete`. Where `level` is given, the cells that are not walls in reading order, and the
    dynamics are known to planners; else every cell, `row * columns + column`, which does not tell one level from another.

    With `observation="map"`: `MultiBinary((4, rows, columns))`, where there are walls, the goal, pits, and the agent.
    With `observation="centred"`: `MultiBinary((3, 2 * rows - 1, 2 * columns - 1))`, walls, the goal and pits as seen from
    the agent, which is in the middle; beyond the border there are walls.

    ## Rewards
    `goal_reward` (1) for the step that reaches the goal, `pit_reward` (-1) for one into a pit, `step_reward` (-0.01) for
    every other.

    ## Starting State
    The start of the level. Each reset draws a level, unless `level` is given; `reset(options={"level": i})` takes level
    i. `info["level"]` says which it is.

    ## Episode End
    Termination at the goal or in a pit. Truncation after 200 steps.

    ## Arguments
    - `model`: the file of a model of maps; `rlsuite maps fit` makes one. There is no default.
    - `levels=None`: draw levels from so many; by default from all 2**62, a new one every time.
    - `first_level=0`: the number of the first of them, so that sets can be kept apart.
    - `level=None`: always this level.
    - `level_seed=0`
    - `observation="cell"`, `"map"` or `"centred"`.
    - `step_reward=-0.01`, `goal_reward=1.0`, `pit_reward=-1.0`
    - `slip=0.0`: probability that a move goes to one of its two sides.

    ## Version History
    - v0: initial version
    """

    def __init__(
        self,
        model: str | None = None,
        levels: int | None = None,
        first_level: int = 0,
        level: int | None = None,
        level_seed: int = 0,
        observation: Observation = "cell",
        step_reward: float = -0.01,
        goal_reward: float = 1.0,
        pit_reward: float = -1.0,
        slip: float = 0.0,
        render_mode: str | None = None,
    ) -> None:
        if model is None:
            raise InvalidEnvironmentError("it needs a model of maps, model=FILE; `rlsuite maps fit` makes one")
        if observation not in get_args(Observation):
            raise InvalidEnvironmentError(f"observation is {', '.join(get_args(Observation))}, not {observation!r}")
        if level is not None and levels is not None:
            raise InvalidEnvironmentError("give level, always the same one, or levels, how many; not both")
        numbers = {"levels": levels, "first_level": first_level, "level": level, "level_seed": level_seed}
        for name, value in numbers.items():
            least = 1 if name == "levels" else 0
            if value is not None and (type(value) is not int or not least <= value < MOST_LEVELS):
                raise InvalidEnvironmentError(f"{name} is a whole number from {least}, not {value!r}")
        from rlsuite.envs.maps.model import load

        self.maps = load(model)
        self.levels, self.first_level, self.fixed_level, self.level_seed = levels, first_level, level, level_seed
        self.observation = observation
        self.rules = {
            "step_reward": step_reward,
            "goal_reward": goal_reward,
            "pit_reward": pit_reward,
            "slip": slip,
        }
        self._kept: OrderedDict[int, tuple[Chars, FiniteMDP]] = OrderedDict()
        self.level = first_level if level is None else level
        super().__init__(self._enter(self.level), render_mode)
        rows, cols = self.maps.shape
        if observation == "map":
            self.observation_space = spaces.MultiBinary((len(LAYERS) + 1, rows, cols))
        elif observation == "centred":
            self.observation_space = spaces.MultiBinary((len(LAYERS), 2 * rows - 1, 2 * cols - 1))
        elif level is None:
            self.observation_space = spaces.Discrete(rows * cols)

    @property
    def mdp(self) -> FiniteMDP:
        """The dynamics, where there is one level and its cells are what is observed."""
        if self.fixed_level is None:
            raise ModelUnavailableError(
                "GeneratedMaze is not one finite MDP: episodes have different maps; give level=…, or take a learner that "
                "steps the environment"
            )
        if self.observation != "cell":
            raise ModelUnavailableError(
                f'planners take GeneratedMaze with observation="cell", not {self.observation!r}'
            )
        return self._mdp

    @property
    def cells(self) -> Chars:
        """``(rows, cols)`` characters of the level as it is now."""
        return self._kept[self.level][0]

    @property
    def level_mdp(self) -> FiniteMDP:
        """The dynamics of the level as it is now."""
        return self._mdp

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        gym.Env.reset(self, seed=seed)
        if options is not None and "level" in options:
            self.level = _level(options["level"])
        elif self.fixed_level is None:
            last = MOST_LEVELS if self.levels is None else self.first_level + self.levels
            self.level = int(self.np_random.integers(self.first_level, last))
        self._mdp = self._enter(self.level)
        _, info = super().reset()
        return self._observed(), info | {"level": self.level}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        _, reward, terminated, truncated, info = super().step(action)
        return self._observed(), reward, terminated, truncated, info | {"level": self.level}

    def state_values(self) -> dict[str, Any]:
        return super().state_values() | {"level": self.level}

    def load_state(self, arrays: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        level = values["level"]
        if type(level) is not int or not 0 <= level < MOST_LEVELS:
            raise RecordError(f"GeneratedMaze has no level {level!r}")
        self.level = level
        self._mdp = self._enter(level)
        super().load_state(arrays, values)

    def _enter(self, level: int) -> FiniteMDP:
        """The dynamics of a level, which is drawn if it is not at hand."""
        if level not in self._kept:
            child = np.random.SeedSequence(self.level_seed, spawn_key=(level,))
            cells = self.maps.sample(1, child, solvable=True)[0][0]
            mdp = gridworld_mdp(cells, name="GeneratedMaze", **self.rules)  # type: ignore[arg-type]
            if self.fixed_level is None:  # every cell has its number, whatever the level
                observation = np.flatnonzero(cells != WALL)
                mdp = replace(mdp, observation=observation)
            self._kept[level] = cells, mdp
            if len(self._kept) > KEPT_LEVELS:
                self._kept.popitem(last=False)
        return self._kept[level][1]

    def _observed(self) -> Any:
        """What the agent sees in its state."""
        if self.observation == "cell":
            return int(self._mdp.observation[self.state])
        cells = self.cells
        rows, cols = cells.shape
        row, col = divmod(int(np.flatnonzero(cells != WALL)[self.state]), cols)
        layers = np.stack([cells == character for character in LAYERS]).astype(np.int8)
        if self.observation == "map":
            agent = np.zeros((1, rows, cols), np.int8)
            agent[0, row, col] = 1
            return np.concatenate([layers, agent])
        return _centred(layers, row, col)


def _centred(layers: NDArray[np.int8], row: int, col: int) -> NDArray[np.int8]:
    """``(n, 2 rows − 1, 2 cols − 1)`` layers with cell (row, col) in the middle; walls (layer 0) beyond the border."""
    n, rows, cols = layers.shape
    seen = np.zeros((n, 2 * rows - 1, 2 * cols - 1), np.int8)
    seen[0] = 1
    top, left = rows - 1 - row, cols - 1 - col
    seen[:, top : top + rows, left : left + cols] = layers
    return seen


def _level(level: Any) -> int:
    if isinstance(level, bool) or not isinstance(level, int | np.integer) or not 0 <= level < MOST_LEVELS:
        raise InvalidEnvironmentError(f"a level is a whole number from 0, not {level!r}")
    return int(level)
