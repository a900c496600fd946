"""``rlsuite/HumanoidImitate-v0``: one simulated humanoid that performs a clip. One row of the vector environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rlsuite.envs.humanoid.actions import RESIDUAL
from rlsuite.envs.humanoid.demonstrations import Demonstrations
from rlsuite.envs.humanoid.medley import Clip
from rlsuite.envs.humanoid.observations import DEFAULT
from rlsuite.envs.humanoid.selector import INTERVAL
from rlsuite.envs.humanoid.vector_env import TIME_LIMIT, HumanoidImitateVectorEnv
from rlsuite.errors import InvalidEnvironmentError
from rlsuite.motion import body

if TYPE_CHECKING:
    from rlsuite.motion.render import Renderer

WIDTH, HEIGHT = 480, 360
EYE, AIM, FOVY = (0.6, -3.6, 0.2), 0.9, 0.7  # metres from the root's place on the ground; height looked at; radians


class HumanoidImitateEnv(gym.Env[Any, Any]):
    """A simulated humanoid performs a reference motion (DeepMimic, Peng et al. 2018).

    ## Description
    DeepMimic's character of 45 kg, 15 parts and 28 actuated joints stands on a floor in MuJoCo (steps of 1/180 s) and is
    controlled 30 times a second. A clip says how it should move; the reward how closely it does. Observations, rewards,
    terminations, start states and actions are made of named parts, chosen by the arguments.
    `gym.make_vec(id, num_envs=256)` steps many of them on a thread pool; environment i of `reset(seed=s)` is then, bit for
    bit, the single environment of `reset(seed=s + i)`.

    ## Action Space
    `Box(-1, 1, (28,), float32)`: position targets of the joints' PD controllers. With `action_mode="residual"` an offset of
    up to `action_scale` radians from the reference of the next step, plus 0.1 s of its velocity; with `"absolute"` a place
    in the joint's range; with `"residual_force"` (34 numbers) as residual, and a force of up to 100 N and a torque of up to
    50 N m on the root, which fade away over `anneal` steps. Larger numbers count as -1 or 1.

    ## Observation Space
    `Box(-inf, inf, (n,), float32)`: the pieces named by `observe`, side by side, seen from the root's place and heading.

    | piece | numbers | what |
    |---|---|---|
    | `height` | 1 | of the root, m |
    | `bodies` | 42 | places of the other parts, m |
    | `rotations` | 90 | of all parts, two columns of the matrix |
    | `velocities` | 90 | of all parts, m/s and rad/s |
    | `joints` | 68 | rotation and velocities of the root, angles and velocities of the hinges: the short form |
    | `errors` | 68 | what the body lacks to the reference at this time: root 12, angles and velocities of the hinges |
    | `phase`, `share` | 2, 1 | where in the clip, as sine and cosine, or as a share |
    | `reference` | 49 × `frames` | of the next steps: root, hands and feet, joint angles |
    | `contacts` | 15 | parts on the floor |
    | `previous_action` | 28 | |

    After them come the numbers of a goal, and then of several clips: with `multi="selector"` which is wanted, one-hot; with
    `multi="max"`, for each clip those pieces of `observe` that look at it (`errors`, `phase`, `share`, `reference`), and
    which leads, one-hot. The pieces themselves look at the clip that is wanted, or that leads.

    ## Rewards
    `deepmimic-paper`, `deepmimic-code`, `mimickit` or `beyondmimic`: the formulas and constants of these publications, from
    0 to 1 (1 for exact tracking; `beyondmimic` less small penalties), or `{name: {error, weight, scale}}` of your own.
    `local` is ours: `deepmimic-paper` blind to place and heading, for goals that lead elsewhere.
    Zero in a step that ends in failure. `info["reward/NAME"]` has every term, `env.unwrapped.metrics()` their means.

    ## Starting State
    The reference at a random time (`start="uniform"`), at its beginning (`"fixed"`), or more often where episodes fail
    (`"failures"`). `reset(options={"time": seconds})` begins at that time. Of several clips each is as likely;
    `options={"clip": name}` chooses. With `multi="max"` the others begin at the same share of theirs, in the same place.

    ## Episode End
    Terminated, as a failure, when a condition of `terminate` holds: `contact` (a part on the floor that is no foot and does
    not come within 3 cm of it in the clip), `height`, `tracking`, `mean_tracking`, `anchor`, `heading_error`; or when the
    simulation breaks down (`info["diverged"]`, counted in `info["divergences"]`). Terminated without failure at the end of
    a clip that is played once (of several, another begins). Truncated after 600 steps (20 s) or `horizon` seconds.

    ## Arguments
    * `clip="walk"`: name, path or `MotionClip` of the humanoid; several of them in a list, or names with commas between.
    * `multi=None`: how several clips are performed (DeepMimic, section 7). `"selector"`: the one that is wanted, which
      changes at random where a clip ends. `"max"`: whichever the body performs best; every clip goes on in a time of its
      own, and the reward is the largest of those measured against each. `info["clip"]` is the number of the clip that is
      wanted, or that leads.
    * `interval=(2.0, 6.0)`: seconds after which another clip is wanted, drawn uniformly from all; `None`: never. The vector
      environment's `ask(clip)` chooses one.
    * `reward="deepmimic-code"`: preset or configuration.
    * `action_mode="residual"`, `action_scale=0.6` (radians).
    * `terminate=("contact",)`: names, or `{name: {keyword: number}}`.
    * `start="uniform"`: `fixed`, `uniform` or `failures`.
    * `observe=("height", "bodies", "rotations", "velocities", "phase", "reference")`, `frames=1`: steps of the reference.
    * `sync=True`: at every cycle the reference moves to where the body is on the ground.
    * `horizon=None`: seconds; more than 20 needs `max_episode_steps` as well.
    * `self_collision=False`: whether limbs collide.
    * `mirror=False`: what is seen, and acted on, with left and right exchanged, so that what is learned of one side serves
      the other: `"halves"`, the second half of every cycle; `"lean"`, a body that leans to its right; `"auto"`, the former
      where the clip's halves are each other's mirror images, the latter where the clip is its own.
    * `anneal=2000000`: control steps of one simulation over which the root force fades.
    * `goal=None`: `heading`, `location`, `strike`, `throw`, `get_up` or `push`, or `{name: {keyword: number}}`; what it asks
      is described by the environment of its name, and appended to the observation.
    * `mix=None`: weights of imitation and goal in the reward; `(0.7, 0.3)` where the goal has a reward, else `(1, 0)`.

    `gym.make_vec` takes besides `autoreset_mode` (`NextStep`, `SameStep`, `Disabled`) and `threads`.

    ## Version History
    * v0: first version.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012 (Gymnasium's name)

    def __init__(
        self,
        *,
        clip: Clip | Sequence[Clip] = "walk",
        multi: str | None = None,
        interval: float | tuple[float, float] | None = INTERVAL,
        reward: str | Mapping[str, Any] = "deepmimic-code",
        action_mode: str = "residual",
        action_scale: float = RESIDUAL,
        terminate: Sequence[str] | Mapping[str, Mapping[str, Any]] = ("contact",),
        start: str = "uniform",
        observe: Sequence[str] = DEFAULT,
        frames: int = 1,
        sync: bool = True,
        horizon: float | None = None,
        self_collision: bool = False,
        mirror: bool | str = False,
        anneal: int = 2_000_000,
        goal: str | Mapping[str, Mapping[str, Any]] | None = None,
        mix: tuple[float, float] | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise InvalidEnvironmentError(f"render_mode must be one of {self.metadata['render_modes']}")
        self.core = HumanoidImitateVectorEnv(
            1, clip=clip, multi=multi, interval=interval, reward=reward, action_mode=action_mode,
            action_scale=action_scale, terminate=terminate, start=start, observe=observe, frames=frames, sync=sync,
            horizon=horizon, self_collision=self_collision, mirror=mirror, anneal=anneal, goal=goal, mix=mix,
            max_episode_steps=TIME_LIMIT if horizon is None else None,
            autoreset_mode=AutoresetMode.DISABLED, threads=1,
        )  # fmt: skip
        self.render_mode = render_mode
        self.action_space = self.core.single_action_space
        self.observation_space = self.core.single_observation_space
        self._renderer: Renderer | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        observations, info = self.core.reset(seed=seed, options=options)
        return observations[0], _own(info)

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        observations, rewards, terminated, truncated, info = self.core.step(np.asarray(action)[None])
        return observations[0], float(rewards[0]), bool(terminated[0]), bool(truncated[0]), _own(info)

    def render(self) -> Any:
        """The body from the side, the reference behind it as a pale ghost, and what a goal asks for."""
        if self.render_mode is None:
            gym.logger.warn("render() was called without a render_mode; choose one in gym.make(..., render_mode=...)")
            return None
        from rlsuite.motion.cameras import Camera
        from rlsuite.motion.render import Actor, Renderer, Scene

        core = self.core
        state, reference = core.physics.state, core.clock.now
        if self._renderer is None:
            self._renderer = Renderer(None, WIDTH, HEIGHT)
        model, at = body.model(core.reference.shape), np.array([*state.position[0, 0, :2], AIM])
        camera = Camera.look_at(at + core.goal.distance * np.array(EYE), at, fovy=FOVY, width=WIDTH, height=HEIGHT)
        actors = [Actor(model, state.qpos[0]), Actor.ghost(model, reference.qpos[0])]
        return self._renderer.frame(Scene(actors, core.goal.marks(core.goal.points()[0])), camera)

    def close(self) -> None:
        self.core.close()
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def metrics(self) -> dict[str, float]:
        """As of the vector environment."""
        return self.core.metrics()

    @property
    def demonstrations(self) -> Demonstrations:
        """As of the vector environment."""
        return self.core.demonstrations

    # -- state: what a checkpoint keeps ----------------------------------------------------------------------------------

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return self.core.state_arrays()

    def state_values(self) -> dict[str, Any]:
        return self.core.state_values()

    def load_state(self, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
        """Put back what the other two gave."""
        self.core.load_state(arrays, values)


def _own(info: dict[str, Any]) -> dict[str, Any]:
    """The row's own part of a vector environment's info."""
    return {name: values[0].item() for name, values in info.items() if not name.startswith("_")}
