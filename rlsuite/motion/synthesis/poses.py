"""A motion as a choreographer gives it, a pelvis, a trunk, arms and where the feet are, and the ``qpos`` that does it.

The legs follow exactly: a hip of three hinges, a knee and an ankle of three hinges reach any pose of the foot within
their length, in closed form (law of cosines; the knee points where the foot does). So feet that stand do not slide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import body, kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]
SIDES = ("right", "left")
SIGN = {"right": -1.0, "left": 1.0}  # of y
STANCE_WIDTH = 0.084887  # of each ankle from the middle, feet below the hips
HEEL, TOE = np.array([-0.0435, 0.0, -0.05]), np.array([0.1335, 0.0, -0.05])  # ends of the sole, from the ankle
GRAVITY = 9.81


@dataclass(frozen=True)
class Choreography:
    """``T`` frames of a motion of the default body.

    Attributes:
        root: ``(T, 3)`` of the pelvis. pelvis: ``(T, 4)`` its rotation in the world.
        chest, neck: ``(T, 3)`` hinge angles x, y, z.
        arms: per side ``(T, 4)``: the shoulder's hinges and the elbow, as on the *left* (the right one is mirrored):
            raised sideways positive, forward negative, turned inward negative; elbow bent negative.
        ankles: per side the ankle's place ``(T, 3)`` and the foot's rotation ``(T, 4)`` in the world.
    """

    root: Array
    pelvis: Array
    chest: Array
    neck: Array
    arms: dict[str, Array]
    ankles: dict[str, tuple[Array, Array]]


@lru_cache(maxsize=1)
def humanoid() -> Skeleton:
    return body.skeleton()


def leg_angles(plan: Choreography, side: str, exact: bool = True) -> tuple[Array, Array, Array]:
    """Hip ``(T, 3)``, knee ``(T,)`` and ankle ``(T, 3)`` that put the foot where the plan wants it.

    Unless ``exact``, a leg that is too short is stretched towards the foot.

    Raises:
        MotionError: the foot is further away than the leg is long.
    """
    ankle, foot = plan.ankles[side]
    to_pelvis = rot.conjugate(plan.pelvis)
    reach = rot.rotate(to_pelvis, ankle - plan.root) - np.array([0.0, SIGN[side] * STANCE_WIDTH, 0.0])
    distance = np.linalg.norm(reach, axis=-1)
    if exact and distance.max() > body.THIGH + body.SHIN:
        t = int(distance.argmax())
        raise MotionError(
            f"the {side} foot is {distance[t]:.3f} m from the hip at frame {t}; "
            f"the leg is {body.THIGH + body.SHIN:.3f} m long"
        )
    foot = rot.multiply(to_pelvis, foot)
    cosine = (distance**2 - body.THIGH**2 - body.SHIN**2) / (2.0 * body.THIGH * body.SHIN)
    knee = np.arccos(np.clip(cosine, -1.0, 1.0))
    # the frame whose -z runs from hip to ankle and whose y is the knee's axis, as parallel to the foot's as it can be
    z = -reach / distance[:, None]
    y = rot.rotate(foot, np.array([0.0, 1.0, 0.0]))
    y = y - np.sum(y * z, axis=-1, keepdims=True) * z
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    line = rot.from_matrix(np.stack((np.cross(y, z), y, z), axis=-1))
    lag = np.arctan2(body.SHIN * np.sin(knee), body.THIGH + body.SHIN * np.cos(knee))
    y_axis = np.array([0.0, 1.0, 0.0])
    thigh = rot.multiply(line, rot.from_axis_angle(y_axis, -lag))
    shin = rot.multiply(thigh, rot.from_axis_angle(y_axis, knee))
    down = rot.rotate(thigh, np.array([0.0, 0.0, -1.0]))
    near = np.zeros((len(down), 3))
    near[:, 1] = -np.arctan2(down[:, 0], -down[:, 2])
    hip = rot.to_euler(thigh, "xyz", near)
    return hip, knee, rot.to_euler(rot.multiply(rot.conjugate(shin), foot), "xyz", np.zeros((len(down), 3)))


def assemble(plan: Choreography, exact: bool = True) -> Array:
    """``(T, nq)`` poses; unless ``exact``, legs that are too short are stretched towards their feet.

    Raises:
        MotionError: a foot is out of reach.
    """
    skeleton = humanoid()
    address = {joint.name: at for joint, at in zip(skeleton.joints, skeleton.qpos_address, strict=True)}
    qpos = np.zeros((len(plan.root), skeleton.nq))
    qpos[:, :3], qpos[:, 3:7] = plan.root, rot.continuous(plan.pelvis)
    triples = {"chest": plan.chest, "neck": plan.neck}
    for side in SIDES:
        hip, knee, ankle = leg_angles(plan, side, exact)
        mirror = np.array([SIGN[side], 1.0, SIGN[side]])
        triples |= {f"{side}_hip": hip, f"{side}_ankle": ankle, f"{side}_shoulder": plan.arms[side][:, :3] * mirror}
        qpos[:, address[f"{side}_knee"]] = knee
        qpos[:, address[f"{side}_elbow"]] = plan.arms[side][:, 3]
    for name, angles in triples.items():
        at = address[f"{name}_x"]
        qpos[:, at : at + 3] = angles
    return qpos


@lru_cache(maxsize=1)
def _masses() -> tuple[Array, Array]:
    """``(nbody,)`` kilograms and ``(nbody, 3)`` centres of mass in the bodies' frames."""
    model = body.model()
    return np.array(model.body_mass[1:]), np.array(model.body_ipos[1:])


def centre_of_mass(qpos: Array) -> Array:
    """``(T, 3)``."""
    mass, centre = _masses()
    position, quat = kinematics.forward(humanoid(), qpos)
    return np.einsum("b,tbi->ti", mass, position + rot.rotate(quat, centre)) / mass.sum()


def carry(plan: Choreography, path: Array, axes: str = "xyz", rounds: int = 12) -> Choreography:
    """The plan with its root moved, feet staying, so that the centre of mass follows ``path`` ``(T, 3)`` along ``axes``."""
    chosen = ["xyz".index(axis) for axis in axes]
    for _ in range(rounds):
        miss = (path - centre_of_mass(assemble(plan, exact=False)))[:, chosen]
        root = plan.root.copy()
        root[:, chosen] += miss
        plan = replace(plan, root=root)
        if np.abs(miss).max() < 1e-7:
            break
    return plan


def turn(*, x: Array | float = 0.0, y: Array | float = 0.0, z: Array | float = 0.0) -> Array:
    """``(T, 4)`` rotation: about the body's y, then x, then the vertical, in radians."""
    x, y, z = np.broadcast_arrays(np.asarray(x, np.float64), y, z)
    return rot.from_euler(np.stack((z, x, y), axis=-1), "zxy")


def rolling_ankle(pivot: Array, foot: Array, point: Array) -> Array:
    """Where the ankle is when the ``point`` of the sole rests at ``pivot`` and the foot is turned by ``foot``."""
    return pivot - rot.rotate(foot, point)


def lowest_sole(ankle: Array, foot: Array) -> Array:
    """``(T,)`` height of the lowest of heel and toe."""
    return np.minimum(*((ankle + rot.rotate(foot, point))[..., 2] for point in (HEEL, TOE)))
