"""Mazes that change while the agent learns: not one finite MDP but a sequence of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.grid import gridworld_mdp, parse_map
from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import InvalidEnvironmentError, ModelUnavailableError, RecordError

WALL_ON_THE_LEFT = ("........G", ".........", ".........", "########.", ".........", "...S.....")
WALL_ON_THE_RIGHT = ("........G", ".........", ".........", ".########", ".........", "...S.....")
WALL_IN_THE_MIDDLE = ("........G", ".........", ".........", ".#######.", ".........", "...S.....")


class ChangingMazeEnv(FiniteMDPEnv):
    """A maze whose map is replaced after ``change_at`` steps, counted over all episodes.

    A reset *with a seed* starts the experiment anew, with the first map; a reset without one goes on. Both maps share
    one numbering of the states (the cells that are free in either), so an agent keeps its tables.

    Attributes:
        total_steps: steps since the experiment started.
    """

    def __init__(self, maps: tuple[Sequence[str], Sequence[str]], change_at: int, name: str, render_mode: str | None):
        if not isinstance(change_at, int) or change_at < 1:
            raise InvalidEnvironmentError(f"change_at must be a positive integer, is {change_at!r}")
        parsed = [parse_map(desc) for desc in maps]
        in_any = (parsed[0] != "#") | (parsed[1] != "#")
        rules: dict[str, Any] = {"step_reward": 0.0, "goal_reward": 1.0, "extra_states": in_any, "name": name}
        self.phases: tuple[FiniteMDP, ...] = tuple(gridworld_mdp(cells, **rules) for cells in parsed)
        self.change_at = change_at
        self.total_steps = 0
        super().__init__(self.phases[0], render_mode)

    @property
    def mdp(self) -> FiniteMDP:
        raise ModelUnavailableError(
            f"{type(self).__name__} is not one finite MDP: its map changes after {self.change_at} steps in all; "
            "algorithms that need a model cannot take it, learners step the environment"
        )

    @property
    def current_mdp(self) -> FiniteMDP:
        """The dynamics of the map as it is now."""
        return self._mdp

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        if seed is not None:
            self.total_steps = 0
        if options is not None and "total_steps" in options:
            self.total_steps = int(options["total_steps"])
        self._choose_phase()
        return super().reset(seed=seed, options=options)

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self._choose_phase()
        self.total_steps += 1
        return super().step(action)

    def state_values(self) -> dict[str, Any]:
        phase = next(i for i, mdp in enumerate(self.phases) if mdp is self._mdp)
        return super().state_values() | {"total_steps": self.total_steps, "phase": phase}

    def load_state(self, arrays: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        total, phase = values["total_steps"], values["phase"]
        if type(total) is not int or total < 0 or type(phase) is not int or phase not in range(len(self.phases)):
            raise RecordError(f"{self._mdp.name} cannot have made {total!r} steps and be in phase {phase!r}")
        self.total_steps, self._mdp = total, self.phases[phase]
        super().load_state(arrays, values)

    def _choose_phase(self) -> None:
        self._mdp = self.phases[int(self.total_steps >= self.change_at)]


class BlockingMazeEnv(ChangingMazeEnv):
    """
    The short way closes, and a long one opens.

    ## Description
    A 6x9 grid crossed by a wall. It has a gap at its right end, close to the goal, until `change_at` steps have been
    made in all episodes together; then that gap closes and another opens at the left end. An agent that trusts its
    model must find out that the model has become wrong.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left.

    ## Observation Space
    `Discrete(47)`: the cells that are free before or after the change, in reading order.

    ## Rewards
    +1 for the step that reaches the goal, 0 for every other (the book discounts by 0.95).

    ## Starting State
    Row 5, column 3.

    ## Episode End
    Termination at the goal, the top right cell. Truncation after 3000 steps.

    A reset with a seed restores the first map and starts counting again; a reset without a seed does not.
    `reset(options={"total_steps": n})` sets the count.

    ## Arguments
    - `change_at=1000`

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 8.2 and figure 8.4.

    ## Version History
    - v0: initial version
    """

    def __init__(self, change_at: int = 1000, render_mode: str | None = None) -> None:
        super().__init__((WALL_ON_THE_LEFT, WALL_ON_THE_RIGHT), change_at, "BlockingMaze", render_mode)


class ShortcutMazeEnv(ChangingMazeEnv):
    """
    A shortcut opens, and nothing forces the agent to notice.

    ## Description
    A 6x9 grid crossed by a wall with a gap at its left end. After `change_at` steps in all episodes together, another
    gap opens at the right end, close to the goal. The old way still works, so only an agent that goes on exploring
    finds the better one.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left.

    ## Observation Space
    `Discrete(47)`: the cells that are free before or after the change, in reading order.

    ## Rewards
    +1 for the step that reaches the goal, 0 for every other (the book discounts by 0.95).

    ## Starting State
    Row 5, column 3.

    ## Episode End
    Termination at the goal, the top right cell. Truncation after 6000 steps.

    A reset with a seed restores the first map and starts counting again; a reset without a seed does not.
    `reset(options={"total_steps": n})` sets the count.

    ## Arguments
    - `change_at=3000`

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 8.3 and figure 8.5.

    ## Version History
    - v0: initial version
    """

    def __init__(self, change_at: int = 3000, render_mode: str | None = None) -> None:
        super().__init__((WALL_ON_THE_RIGHT, WALL_IN_THE_MIDDLE), change_at, "ShortcutMaze", render_mode)
