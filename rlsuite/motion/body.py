"""Our humanoid: a few numbers of a body in, MJCF out.

The default is DeepMimic's character (Peng et al. 2018; ``humanoid3d.txt`` and its controller file): 45 kg, 15 bodies,
28 actuated degrees of freedom, its segment lengths, masses, joint limits, torque limits and PD gains, turned from Y up to
Z up with X forward and Y to the left. Spherical joints are three hinges x, y, z (nq 35, nv 34, nu 28), so that position
actuators serve every degree of freedom and damping is implicit (``implicitfast`` at 180 Hz; 6 steps per 30 Hz control).

Bending the knee is positive about y, bending the elbow negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import TYPE_CHECKING

from rlsuite.errors import SkeletonError
from rlsuite.motion.skeleton import Skeleton

if TYPE_CHECKING:
    import mujoco

NAME = "humanoid"
TIMESTEP = 1.0 / 180.0
END_EFFECTORS = ("right_foot", "left_foot", "right_hand", "left_hand")
FEET = ("right_foot", "left_foot")
# Lengths of the default body in metres, sole to crown.
ANKLE_HEIGHT, SHIN, THIGH, PELVIS_TO_CHEST, CHEST_TO_NECK, NECK_TO_CROWN = (
    0.05,
    0.40987,
    0.421546,
    0.236151,
    0.223894,
    0.2775,
)
HEIGHT = ANKLE_HEIGHT + SHIN + THIGH + PELVIS_TO_CHEST + CHEST_TO_NECK + NECK_TO_CROWN


@dataclass(frozen=True)
class BodyShape:
    """Parameters of the body: ``height``, ``mass``, and proportions, which are ratios to the default body's.

    The proportions are applied first and the whole is then scaled to ``height``, so a body of ``legs=1.2`` is as tall as
    before, with longer legs and a shorter trunk.

    Attributes:
        height: metres from sole to crown. mass: kilograms of the whole body.
        legs, arms, torso: lengths of the limbs. shoulders, hips: widths between the joints.
        head, feet: sizes. girth: thickness of limbs and trunk.
    """

    height: float = HEIGHT
    mass: float = 45.0
    legs: float = 1.0
    arms: float = 1.0
    torso: float = 1.0
    shoulders: float = 1.0
    hips: float = 1.0
    head: float = 1.0
    feet: float = 1.0
    girth: float = 1.0

    def __post_init__(self) -> None:
        bounds = {"height": (0.3, 3.0), "mass": (1.0, 500.0)}
        for parameter in fields(self):
            low, high = bounds.get(parameter.name, (0.4, 2.5))
            value = getattr(self, parameter.name)
            if not (isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high):
                raise SkeletonError(
                    f"body shape: {parameter.name} must be a number from {low} to {high}, not {value!r}"
                )


@dataclass(frozen=True)
class _Actuated:
    """PD gains (N m/rad, N m s/rad), torque limit (N m) and ranges (rad) of one joint's hinges."""

    kp: float
    kd: float
    torque: float
    ranges: Mapping[str, tuple[float, float]]


PI = 3.14  # as the character file has it
_HIP = {"x": (-1.2, 1.2), "y": (-2.57, 1.57), "z": (-1.0, 1.0)}
_ANKLE = {"x": (-1.0, 1.0), "y": (-1.57, 1.57), "z": (-1.0, 1.0)}
JOINTS = {
    "chest": _Actuated(1000, 100, 200, dict.fromkeys("xyz", (-1.2, 1.2))),
    "neck": _Actuated(100, 10, 50, dict.fromkeys("xyz", (-1.0, 1.0))),
    "hip": _Actuated(500, 50, 200, _HIP),
    "knee": _Actuated(500, 50, 150, {"y": (0.0, PI)}),
    "ankle": _Actuated(400, 40, 90, _ANKLE),
    "right_shoulder": _Actuated(400, 40, 100, {"x": (-PI, 0.5), "y": (-PI, 0.7), "z": (-1.5, 1.5)}),
    "left_shoulder": _Actuated(400, 40, 100, {"x": (-0.5, PI), "y": (-PI, 0.7), "z": (-1.5, 1.5)}),
    "elbow": _Actuated(300, 30, 60, {"y": (-PI, 0.0)}),
}
# Masses in kilograms of the default body.
MASSES = {
    "pelvis": 6.0, "torso": 14.0, "head": 2.0, "thigh": 4.5, "shin": 3.0, "foot": 1.0, "upper_arm": 1.5,
    "lower_arm": 1.0, "hand": 0.5,
}  # fmt: skip


class _Writer:
    """Lines of MJCF, indented, and the actuators that its joints ask for."""

    def __init__(self, shape: BodyShape) -> None:
        self.lines: list[str] = []
        self.actuators: list[str] = []
        self.depth = 3
        self.shape = shape
        self.scale = _scale(shape)
        self.mass_scale = shape.mass / 45.0

    def line(self, text: str) -> None:
        self.lines.append("  " * self.depth + text)

    def open_body(self, name: str, pos: tuple[float, float, float]) -> None:
        self.line(f'<body name="{name}" pos="{_numbers(*(v * self.scale for v in pos))}">')
        self.depth += 1

    def close_body(self) -> None:
        self.depth -= 1
        self.line("</body>")

    def joint(self, name: str, kind: str) -> None:
        actuated = JOINTS[kind if kind in JOINTS else name]
        for axis, (low, high) in actuated.ranges.items():
            hinge = f"{name}_{axis}" if len(actuated.ranges) > 1 else name
            vector = {"x": "1 0 0", "y": "0 1 0", "z": "0 0 1"}[axis]
            self.line(f'<joint name="{hinge}" axis="{vector}" range="{_numbers(low, high)}"/>')
            self.actuators.append(
                f'<position name="{hinge}" joint="{hinge}" kp="{actuated.kp:g}" kv="{actuated.kd:g}" '
                f'ctrlrange="{_numbers(low, high)}" forcerange="{-actuated.torque:g} {actuated.torque:g}"/>'
            )

    def geom(self, name: str, part: str, kind: str, material: str, **sizes: tuple[float, ...]) -> None:
        """A solid part. ``sizes``: attributes in metres of the default body, scaled here."""
        text = " ".join(f'{k}="{_numbers(*(v * self.scale for v in values))}"' for k, values in sizes.items())
        self.line(
            f'<geom name="{name}" type="{kind}" {text} mass="{_numbers(MASSES[part] * self.mass_scale)}" '
            f'material="{material}"/>'
        )

    def look(self, kind: str, material: str, **sizes: tuple[float, ...]) -> None:
        """A part that is only seen."""
        text = " ".join(f'{k}="{_numbers(*(v * self.scale for v in values))}"' for k, values in sizes.items())
        self.line(f'<geom class="look" type="{kind}" {text} material="{material}"/>')

    def site(self, name: str, *pos: float) -> None:
        self.line(f'<site name="{name}" pos="{_numbers(*(v * self.scale for v in pos))}"/>')


def mjcf(shape: BodyShape | None = None, *, self_collision: bool = False, floor: bool = True) -> str:
    """MJCF text of the body standing on a floor.

    Args:
        self_collision: whether limbs hit one another (parent and child never do).
        floor: whether there is a floor to stand on.
    """
    shape = shape or BodyShape()
    w = _Writer(shape)
    legs, arms, torso, girth = shape.legs, shape.arms, shape.torso, shape.girth
    sole = _pelvis_height(shape)
    w.open_body("pelvis", (0.0, 0.0, sole))
    w.line('<freejoint name="root"/>')
    w.geom("pelvis", "pelvis", "sphere", "clothes", pos=(0.0, 0.0, 0.07 * torso), size=(0.09 * girth,))
    hip = 0.084887 * shape.hips
    w.look("capsule", "clothes", fromto=(0.0, -hip, 0.0, 0.0, hip, 0.0), size=(0.075 * girth,))
    w.look("capsule", "shirt", fromto=(0.0, 0.0, 0.1 * torso, 0.0, 0.0, 0.3 * torso), size=(0.085 * girth,))
    w.site("pelvis", 0.0, 0.0, 0.0)
    _torso(w, torso, arms, girth)
    for side, sign in (("right", -1.0), ("left", 1.0)):
        _leg(w, side, sign * hip, legs, girth)
    w.close_body()
    ground = (
        '<geom name="floor" type="plane" size="0 0 1" material="floor" contype="1" conaffinity="1"/>' if floor else ""
    )
    floor_sensors = [f"{side}_{part}" for side in ("right", "left") for part in _PARTS] + list(_TRUNK)
    sensors = "\n".join(
        f'    <contact name="contact_{body}" body1="{body}" geom2="floor" data="found force" reduce="netforce" num="1"/>'
        for body in (floor_sensors if floor else [])
    )
    # geoms collide where the contype of one meets the conaffinity of the other: limbs of contype 0 meet only the floor
    collision = 'contype="1" conaffinity="1"' if self_collision else 'contype="0" conaffinity="1"'
    body = "\n".join(w.lines)
    actuators = "\n".join("    " + line for line in w.actuators)
    return f"""<mujoco model="{NAME}">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="{TIMESTEP:.10g}" integrator="implicitfast" cone="pyramidal"/>
  <visual>
    <headlight ambient="0.35 0.35 0.35" diffuse="0.45 0.45 0.45" specular="0.1 0.1 0.1"/>
    <quality shadowsize="4096"/>
    <map znear="0.02"/>
  </visual>
  <default>
    <joint type="hinge" armature="0.02" damping="0"/>
    <geom {collision} condim="3" friction="1 0.05 0.001" solref="0.01 1"/>
    <site size="0.01" rgba="0.9 0.2 0.2 1" group="4"/>
    <default class="look">
      <geom contype="0" conaffinity="0" mass="0"/>
    </default>
  </default>
  <asset>
    <texture type="skybox" builtin="gradient" rgb1="0.93 0.95 0.98" rgb2="0.62 0.72 0.84" width="128" height="512"/>
    <texture name="floor" type="2d" builtin="checker" rgb1="0.80 0.82 0.84" rgb2="0.70 0.73 0.76" width="256" height="256"/>
    <material name="floor" texture="floor" texrepeat="1 1" texuniform="true" reflectance="0"/>
    <material name="skin" rgba="0.87 0.66 0.53 1" specular="0.2" shininess="0.3"/>
    <material name="shirt" rgba="0.26 0.47 0.58 1" specular="0.1" shininess="0.1"/>
    <material name="clothes" rgba="0.20 0.25 0.34 1" specular="0.1" shininess="0.1"/>
    <material name="shoes" rgba="0.24 0.22 0.22 1" specular="0.2" shininess="0.2"/>
    <material name="hair" rgba="0.25 0.17 0.12 1" specular="0.1" shininess="0.1"/>
  </asset>
  <worldbody>
    <light name="sun" directional="true" pos="0 0 5" dir="-0.4 0.3 -0.85" diffuse="0.6 0.6 0.58" castshadow="true"/>
    {ground}
{body}
  </worldbody>
  <actuator>
{actuators}
  </actuator>
  <sensor>
{sensors}
  </sensor>
</mujoco>
"""


_PARTS = ("thigh", "shin", "foot", "upper_arm", "lower_arm", "hand")
_TRUNK = ("pelvis", "torso", "head")


def _torso(w: _Writer, torso: float, arms: float, girth: float) -> None:
    shape = w.shape
    shoulder = 0.18311 * shape.shoulders
    w.open_body("torso", (0.0, 0.0, PELVIS_TO_CHEST * torso))
    w.joint("chest", "chest")
    w.geom("torso", "torso", "sphere", "shirt", pos=(0.0, 0.0, 0.12 * torso), size=(0.11 * girth,))
    at = (-0.02405, shoulder, 0.2435 * torso)
    w.look(
        "capsule",
        "shirt",
        fromto=(-0.02, -at[1] * 0.8, 0.215 * torso, -0.02, at[1] * 0.8, 0.215 * torso),
        size=(0.06 * girth,),
    )
    w.look("capsule", "shirt", fromto=(0.0, -0.055, 0.03 * torso, 0.0, 0.055, 0.03 * torso), size=(0.085 * girth,))
    w.site("chest", 0.0, 0.0, 0.12 * torso)
    w.open_body("head", (0.0, 0.0, CHEST_TO_NECK * torso))
    w.joint("neck", "neck")
    centre = 0.175 * shape.head
    w.geom("head", "head", "sphere", "skin", pos=(0.0, 0.0, centre), size=(0.1025 * shape.head,))
    w.look("capsule", "skin", fromto=(-0.01, 0.0, 0.0, 0.0, 0.0, centre), size=(0.05 * girth,))
    w.look(
        "ellipsoid", "hair", pos=(-0.014, 0.0, centre + 0.018), size=tuple(v * shape.head for v in (0.101, 0.104, 0.1))
    )
    w.look("sphere", "skin", pos=(0.104 * shape.head, 0.0, centre - 0.012), size=(0.016 * shape.head,))
    w.site("neck", 0.0, 0.0, 0.0)
    w.site("head", 0.0, 0.0, centre)
    w.site("head_top", 0.0, 0.0, centre + 0.1025 * shape.head)
    w.site("nose", 0.118 * shape.head, 0.0, centre - 0.012)
    for side, sign in (("right", -1.0), ("left", 1.0)):
        w.site(f"{side}_eye", 0.092 * shape.head, sign * 0.035 * shape.head, centre + 0.02)
        w.site(f"{side}_ear", 0.0, sign * 0.1025 * shape.head, centre)
    w.close_body()
    for side, sign in (("right", -1.0), ("left", 1.0)):
        _arm(w, side, (at[0], sign * at[1], at[2]), arms, girth)
    w.close_body()


def _arm(w: _Writer, side: str, at: tuple[float, float, float], arms: float, girth: float) -> None:
    upper, lower = 0.274788 * arms, 0.258947 * arms
    w.open_body(f"{side}_upper_arm", at)
    w.joint(f"{side}_shoulder", f"{side}_shoulder")
    w.geom(
        f"{side}_upper_arm", "upper_arm", "capsule", "skin",
        fromto=(0.0, 0.0, -0.05 * arms, 0.0, 0.0, -0.23 * arms), size=(0.045 * girth,),
    )  # fmt: skip
    w.look("capsule", "shirt", fromto=(0.0, 0.0, 0.0, 0.0, 0.0, -0.1 * arms), size=(0.052 * girth,))
    w.site(f"{side}_shoulder", 0.0, 0.0, 0.0)
    w.open_body(f"{side}_lower_arm", (0.0, 0.0, -upper))
    w.joint(f"{side}_elbow", "elbow")
    w.geom(
        f"{side}_lower_arm", "lower_arm", "capsule", "skin",
        fromto=(0.0, 0.0, -0.0525 * arms, 0.0, 0.0, -0.1875 * arms), size=(0.04 * girth,),
    )  # fmt: skip
    w.site(f"{side}_elbow", 0.0, 0.0, 0.0)
    w.open_body(f"{side}_hand", (0.0, 0.0, -lower))
    w.geom(f"{side}_hand", "hand", "sphere", "skin", size=(0.04,))
    w.site(f"{side}_wrist", 0.0, 0.0, 0.0)
    w.close_body()
    w.close_body()
    w.close_body()


def _leg(w: _Writer, side: str, y: float, legs: float, girth: float) -> None:
    feet = w.shape.feet
    w.open_body(f"{side}_thigh", (0.0, y, 0.0))
    w.joint(f"{side}_hip", "hip")
    w.geom(
        f"{side}_thigh", "thigh", "capsule", "skin",
        fromto=(0.0, 0.0, -0.06 * legs, 0.0, 0.0, -0.36 * legs), size=(0.055 * girth,),
    )  # fmt: skip
    w.look("capsule", "clothes", fromto=(0.0, 0.0, -0.02 * legs, 0.0, 0.0, -0.2 * legs), size=(0.066 * girth,))
    w.site(f"{side}_hip", 0.0, 0.0, 0.0)
    w.open_body(f"{side}_shin", (0.0, 0.0, -THIGH * legs))
    w.joint(f"{side}_knee", "knee")
    w.geom(
        f"{side}_shin", "shin", "capsule", "skin",
        fromto=(0.0, 0.0, -0.045 * legs, 0.0, 0.0, -0.355 * legs), size=(0.05 * girth,),
    )  # fmt: skip
    w.site(f"{side}_knee", 0.0, 0.0, 0.0)
    w.open_body(f"{side}_foot", (0.0, 0.0, -SHIN * legs))
    w.joint(f"{side}_ankle", "ankle")
    w.geom(
        f"{side}_foot", "foot", "box", "shoes",
        pos=(0.045 * feet, 0.0, -0.0225 * feet), size=(0.0885 * feet, 0.045 * feet, 0.0275 * feet),
    )  # fmt: skip
    w.site(f"{side}_ankle", 0.0, 0.0, 0.0)
    w.site(f"{side}_heel", -0.0435 * feet, 0.0, -0.05 * feet)
    w.site(f"{side}_toe", 0.1335 * feet, 0.0, -0.05 * feet)
    w.close_body()
    w.close_body()
    w.close_body()


def _pelvis_height(shape: BodyShape) -> float:
    """Before scaling: soles on the ground, legs straight."""
    return (THIGH + SHIN) * shape.legs + ANKLE_HEIGHT * shape.feet


def _scale(shape: BodyShape) -> float:
    """Metres of the body per metre of its proportions: what makes sole to crown ``shape.height``."""
    trunk = (PELVIS_TO_CHEST + CHEST_TO_NECK) * shape.torso + NECK_TO_CROWN * shape.head
    return shape.height / (_pelvis_height(shape) + trunk)


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.12g}" for value in values)


@lru_cache(maxsize=32)
def _compiled(shape: BodyShape, self_collision: bool) -> mujoco.MjModel:
    import mujoco

    return mujoco.MjModel.from_xml_string(mjcf(shape, self_collision=self_collision))


def model(shape: BodyShape | None = None, *, self_collision: bool = False) -> mujoco.MjModel:
    """A compiled copy of the body on its floor; the caller may change it."""
    import copy

    return copy.copy(_compiled(shape or BodyShape(), self_collision))


@lru_cache(maxsize=32)
def skeleton(shape: BodyShape | None = None) -> Skeleton:
    """The body's kinematic tree; the same object for the same shape."""
    shape = shape or BodyShape()
    return Skeleton.from_model(
        _compiled(shape, False), NAME, end_effectors=END_EFFECTORS, feet=FEET, shape=asdict(shape)
    )


def shape_of(skeleton: Skeleton) -> BodyShape:
    """The parameters of a skeleton that is ours.

    Raises:
        SkeletonError: it is another body.
    """
    if skeleton.shape is None:
        raise SkeletonError(f"skeleton {skeleton.name!r} is not the suite's humanoid; retarget the clip to it first")
    known = {f.name for f in fields(BodyShape)}
    if set(skeleton.shape) != known:
        raise SkeletonError(f"skeleton {skeleton.name!r}: shape must give {', '.join(sorted(known))}")
    return BodyShape(**skeleton.shape)


def rest_height(shape: BodyShape | None = None) -> float:
    """Metres of the pelvis above the ground in the rest pose."""
    shape = shape or BodyShape()
    return _pelvis_height(shape) * _scale(shape)
