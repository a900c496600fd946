"""The goals as environments of their own: ``rlsuite/HumanoidHeading-v0`` and its siblings, and their pages.

Each is :class:`~rlsuite.envs.humanoid.env.HumanoidImitateEnv` with other defaults, which are in its registration; all its
arguments can be given. Many at a time they are :class:`~rlsuite.envs.humanoid.vector_env.HumanoidImitateVectorEnv`.
"""

from __future__ import annotations

from rlsuite.envs.humanoid.env import HumanoidImitateEnv


class HumanoidHeadingEnv(HumanoidImitateEnv):
    """A simulated humanoid walks in a direction and at a speed that change (DeepMimic, target heading).

    As `rlsuite/HumanoidImitate-v0` with `goal="heading"`, `clip="walk"` and `reward="local"`, whose terms do not mind where
    the body is and which way it faces.

    ## Rewards
    0.7 imitation + 0.3 `exp(-2.5 max(0, v* - v · d*)²)`: `v` velocity of the centre of mass, `d*` the direction, `v*` the
    speed, from 0.5 to 1.5 m/s. Both are drawn anew every 2 to 5 s. `info["reward/heading"]` is the goal's term.

    ## Observation Space
    3 more numbers: `d*` in the root's heading (forward, left), and `v*`.

    ## Arguments
    `goal={"heading": {"slowest": 0.5, "fastest": 1.5, "turn": 3.14, "soonest": 2.0, "latest": 5.0}}`, `mix=(0.7, 0.3)`.
    """


class HumanoidLocationEnv(HumanoidImitateEnv):
    """A simulated humanoid walks to a place on the ground, and to the next.

    As `rlsuite/HumanoidImitate-v0` with `goal="location"`, `clip="walk"` and `reward="local"`, whose terms do not mind where
    the body is and which way it faces.

    ## Rewards
    0.7 imitation + 0.3 (`0.6 exp(-d²) + 0.4 r`): `d` metres from the root to the place; `r` is 1 within 0.5 m, 0 while the
    centre of mass moves away, else `exp(-4 (1 - v / speed)²)` with `v` its speed towards the place (the constants of
    DeepMimic's released code). A place up to 3 m away is drawn every 3 to 8 s. `info["reward/location"]`.

    ## Observation Space
    3 more numbers: direction to the place in the root's heading (forward, left), and metres.

    ## Arguments
    `goal={"location": {"speed": 1.0, "farthest": 3.0, "soonest": 3.0, "latest": 8.0}}`, `mix=(0.7, 0.3)`.
    """


class HumanoidStrikeEnv(HumanoidImitateEnv):
    """A simulated humanoid hits a target in the air, with a foot or a hand (DeepMimic, strike).

    As `rlsuite/HumanoidImitate-v0` with `goal="strike"` and `clip="kick"`.

    ## Rewards
    0.7 imitation + 0.3 `exp(-4 d²)`, `d` metres from `part` to the target, and 0.3 for the rest of the episode once it has
    come within `radius`. `info["reward/strike"]`.

    ## Observation Space
    4 more numbers: the target from the root's place on the ground, in its heading, and whether it has been hit.

    ## Arguments
    `goal={"strike": {"part": "right_foot", "radius": 0.2, "nearest": 0.6, "farthest": 1.1, "lowest": 0.6, "highest": 1.2,
    "spread": 0.5}}` (metres, radians), `mix=(0.7, 0.3)`.
    """


class HumanoidThrowEnv(HumanoidImitateEnv):
    """A simulated humanoid throws a ball at a target (DeepMimic, throw).

    As `rlsuite/HumanoidImitate-v0` with `goal="throw"` and `clip="wave"`, for want of a throw among the shipped clips. A
    ball of 150 g and 5 cm hangs in the right hand by a ball joint, and is let go when the clip passes the share `release`.

    ## Rewards
    0.7 imitation + 0.3 `exp(-4 d²)`, `d` the least distance in metres of the ball from the target since it was let go (0
    before), and 0.3 for the rest of the episode once it has come within `radius`. `info["reward/throw"]`.

    ## Observation Space
    11 more numbers: the target, from the root's place on the ground and in its heading (3), whether it has been hit, place
    and velocity of the ball from the root (6), whether it is held.

    ## Arguments
    `goal={"throw": {"release": 0.5, "radius": 0.2, "nearest": 2.5, "farthest": 3.5, "lowest": 1.0, "highest": 1.25,
    "spread": 0.1}}` (share of the clip, metres, radians), `mix=(0.7, 0.3)`.
    """


class HumanoidGetUpEnv(HumanoidImitateEnv):
    """A simulated humanoid gets up from the floor, from where it fell limp.

    As `rlsuite/HumanoidImitate-v0` with `goal="get_up"`, `clip="idle"`, `reward="local"` and no termination.

    ## Rewards
    0.7 imitation of standing + 0.3 `min(1, h / H) (1 + u) / 2`: `h` height of the head and `H` in the rest pose, `u` the
    vertical part of the torso's upward axis. `info["reward/get_up"]`.

    ## Observation Space
    2 more numbers: `h / H` and `u`.

    ## Starting State
    One of 32 poses in which limp bodies came to lie, at rest; with `limp=False` as the clip begins, for a clip that gets up.

    ## Arguments
    `goal={"get_up": {"limp": True}}`, `mix=(0.7, 0.3)`.
    """


class HumanoidPushEnv(HumanoidImitateEnv):
    """A simulated humanoid performs a reference motion while it is pushed.

    As `rlsuite/HumanoidImitate-v0` with `goal="push"` and `clip="walk"`. A horizontal force of `newtons` in any direction
    acts on the torso for 0.2 s, every 1 to 4 s. The pushes cannot be seen; at 0 N this is `rlsuite/HumanoidImitate-v0`.

    ## Rewards
    Those of imitation.

    ## Arguments
    `goal={"push": {"newtons": 200.0, "seconds": 0.2, "soonest": 1.0, "latest": 4.0}}`.
    """
