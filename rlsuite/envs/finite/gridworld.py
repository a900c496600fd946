"""Gridworlds from a map: the general one, four rooms, and the cliff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from rlsuite.envs.finite.env import FiniteMDPEnv
from rlsuite.envs.finite.grid import gridworld_mdp, parse_map

RUSSELL_NORVIG = ("...G", ".#.H", "S...")
FOUR_ROOMS = (
    "#############",
    "#S....#.....#",
    "#.....#.....#",
    "#...........#",
    "#.....#.....#",
    "#.....#.....#",
    "##.####.....#",
    "#.....###.###",
    "#.....#.....#",
    "#.....#.....#",
    "#...........#",
    "#.....#....G#",
    "#############",
)
CLIFF = ("............",) * 3 + ("SCCCCCCCCCCG",)


class GridWorldEnv(FiniteMDPEnv):
    """
    A gridworld from a map of your own.

    ## Description
    The agent walks on a map of characters from `S` to `G`. By default it is the 4x3 world of Russell and Norvig, in
    which every fifth move slips to a side.

    | character | cell | what happens on entering |
    |-----------|------|--------------------------|
    | `.` or blank | free | `step_reward` |
    | `#` | wall | cannot be entered: the agent stays |
    | `S` | start (one or several, then drawn uniformly) | `step_reward` |
    | `G` | goal | `goal_reward`, the episode terminates |
    | `H` | pit | `pit_reward`, the episode terminates |
    | `C` | cliff (needs exactly one start) | `cliff_reward`, back to the start |
    | `K` | key | `step_reward`; from then on doors are open |
    | `D` | door | a wall without the key, free with it |

    ## Action Space
    `Discrete(moves)`: 0 up, 1 right, 2 down, 3 left (as in CliffWalking); with `moves=8` also 4 up-right, 5 down-right,
    6 down-left, 7 up-left; with `moves=9` also 8 stay.

    ## Observation Space
    `Discrete(n)`: the cells that are neither wall nor cliff, numbered in reading order. With a key on the map there are
    twice as many: first the cells without the key, then the same cells with it.

    ## Rewards
    Every step gives the reward of the cell in which it ends; see the table.

    ## Starting State
    A cell `S`; with `random_start=True` any cell that is neither goal nor pit nor door.

    ## Episode End
    Termination at a goal or a pit. Truncation after 500 steps.

    ## Arguments
    - `desc`: the map, as a string with rows separated by line breaks or `/`, a list of strings, a 2-D array of
      characters, or a 2-D array of integers (0 free, 1 wall, 2 start, 3 goal, 4 pit, 5 cliff).
    - `step_reward=-0.04`, `goal_reward=1.0`, `pit_reward=-1.0`, `cliff_reward=-1.0`
    - `slip=0.2`: probability of another move than the intended one; `slip_to="sides"`: one of the two perpendicular to
      it, or `"others"`: any other.
    - `moves=4`: 4, 8 or 9.
    - `wind=None`: one integer per column, cells by which the agent is carried upwards when it leaves that column;
      `stochastic_wind=False`: if true, it varies by one either way, each with probability 1/3.
    - `random_start=False`

    ```python
    gym.make("rlsuite:rlsuite/GridWorld-v0", desc="S.#G/..D./K.#.", slip=0.0)
    ```

    S. Russell and P. Norvig, *Artificial Intelligence: A Modern Approach*, section 17.1.

    ## Version History
    - v0: initial version
    """

    def __init__(
        self,
        desc: str | Sequence[str] | ArrayLike = RUSSELL_NORVIG,
        step_reward: float = -0.04,
        goal_reward: float = 1.0,
        pit_reward: float = -1.0,
        cliff_reward: float = -1.0,
        slip: float = 0.2,
        slip_to: str = "sides",
        moves: int = 4,
        wind: Sequence[int] | None = None,
        stochastic_wind: bool = False,
        random_start: bool = False,
        render_mode: str | None = None,
    ) -> None:
        mdp = gridworld_mdp(
            parse_map(desc),
            step_reward=step_reward,
            goal_reward=goal_reward,
            pit_reward=pit_reward,
            cliff_reward=cliff_reward,
            slip=slip,
            slip_to=slip_to,
            moves=moves,
            wind=wind,
            stochastic_wind=stochastic_wind,
            random_start=random_start,
            name="GridWorld",
        )
        super().__init__(mdp, render_mode)


class FourRoomsEnv(FiniteMDPEnv):
    """
    Four rooms joined by narrow hallways.

    ## Description
    The agent must find its way from the north-west room to the far corner of the south-east room, through two of the
    four hallways. Moves are unreliable: one in three goes another way than intended.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left. With probability `slip` one of the other three moves is made instead.

    ## Observation Space
    `Discrete(104)`: the free cells in reading order.

    ## Rewards
    `goal_reward` (1) for the step that reaches the goal, `step_reward` (0) for every other.

    ## Starting State
    The north-west corner; with `random_start=True` any cell but the goal.

    ## Episode End
    Termination at the goal. Truncation after 500 steps.

    ## Arguments
    - `slip=1/3`, `step_reward=0.0`, `goal_reward=1.0`, `random_start=False`

    R. Sutton, D. Precup and S. Singh, "Between MDPs and semi-MDPs", *Artificial Intelligence* 112, 1999 (rooms and
    slipping; goal and start are ours).

    ## Version History
    - v0: initial version
    """

    def __init__(
        self,
        slip: float = 1 / 3,
        step_reward: float = 0.0,
        goal_reward: float = 1.0,
        random_start: bool = False,
        render_mode: str | None = None,
    ) -> None:
        mdp = gridworld_mdp(
            parse_map(FOUR_ROOMS),
            slip=slip,
            slip_to="others",
            step_reward=step_reward,
            goal_reward=goal_reward,
            random_start=random_start,
            name="FourRooms",
        )
        super().__init__(mdp, render_mode)


class CliffEnv(FiniteMDPEnv):
    """
    The short path runs along the edge of a cliff.

    ## Description
    A 4x12 grid with the start at the bottom left, the goal at the bottom right, and a cliff between them. Stepping into
    the cliff costs 100 and sends the agent back to the start. The same task as Gymnasium's CliffWalking, with slipping
    and rewards as arguments, a time limit, and no states for cells in which the agent can never be.

    ## Action Space
    `Discrete(4)`: 0 up, 1 right, 2 down, 3 left.

    ## Observation Space
    `Discrete(38)`: the cells in reading order, 36 the start, 37 the goal.

    ## Rewards
    -1 per step, -100 for a step into the cliff.

    ## Starting State
    The bottom left cell.

    ## Episode End
    Termination at the goal. Truncation after 1000 steps.

    ## Arguments
    - `slip=0.0`: probability that a move goes to one of its two sides.
    - `step_reward=-1.0`, `cliff_reward=-100.0`

    Sutton and Barto, *Reinforcement Learning: An Introduction*, 2nd edition, example 6.6.

    ## Version History
    - v0: initial version
    """

    def __init__(
        self,
        slip: float = 0.0,
        step_reward: float = -1.0,
        cliff_reward: float = -100.0,
        render_mode: str | None = None,
    ) -> None:
        rules: dict[str, Any] = {"step_reward": step_reward, "goal_reward": step_reward, "cliff_reward": cliff_reward}
        super().__init__(gridworld_mdp(parse_map(CLIFF), slip=slip, name="Cliff", **rules), render_mode)
