"""Which body of a skeleton plays which part: pelvis, torso, head, and on each side leg and arm.

Two skeletons meet in *roles*. A role is a body whose origin is the joint that begins it: ``left_shin`` turns about the
knee, ``left_foot`` about the ankle, ``left_hand`` about the wrist. Limbs are found by names, in the naming conventions of
the common sources; pelvis and torso by the tree, as the lowest body that carries both thighs, or both upper arms.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from rlsuite.errors import MotionFormatError, SkeletonError, UnknownNameError
from rlsuite.motion.skeleton import Skeleton

SIDES = ("right", "left")
LEG, ARM = ("thigh", "shin", "foot", "toe"), ("upper_arm", "lower_arm", "hand")
TRUNK = ("pelvis", "torso", "head")
ROLES = (*TRUNK, *(f"{side}_{part}" for side in SIDES for part in (*LEG, *ARM)))
REQUIRED = ("pelvis", *(f"{side}_{part}" for side in SIDES for part in LEG[:3]))

# part -> names without their side, in lower case and without separators; the first that exists is taken
CONVENTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    # our humanoid, AMP, Gymnasium's and dm_control's humanoids, 3ds Max bipeds
    "segments": {
        "thigh": ("thigh", "upperleg"),
        "shin": ("shin", "calf", "lowerleg"),
        "foot": ("foot",),
        "toe": ("toe", "toes", "toe0", "toebase"),
        "upper_arm": ("upperarm", "uparm"),
        "lower_arm": ("lowerarm", "forearm", "loarm"),
        "hand": ("hand",),
    },
    # Mixamo, LAFAN1, MotionBuilder, the CMU files of cgspeed
    "motionbuilder": {
        "thigh": ("upleg",),
        "shin": ("leg", "lowleg"),
        "foot": ("foot",),
        "toe": ("toebase", "toe"),
        "upper_arm": ("arm",),
        "lower_arm": ("forearm",),
        "hand": ("hand",),
    },
    # BVH files that name joints, SMPL, DeepMimic
    "joints": {
        "thigh": ("hip",),
        "shin": ("knee",),
        "foot": ("ankle",),
        "toe": ("toe", "toebase", "foot"),
        "upper_arm": ("shoulder",),
        "lower_arm": ("elbow",),
        "hand": ("wrist",),
    },
    # ASF/AMC, dm_control's CMU humanoid; the wrist bone begins where the radius ends
    "acclaim": {
        "thigh": ("femur",),
        "shin": ("tibia",),
        "foot": ("foot",),
        "toe": ("toes",),
        "upper_arm": ("humerus",),
        "lower_arm": ("radius",),
        "hand": ("wrist", "hand"),
    },
    # OpenSim, loco-mujoco
    "opensim": {
        "thigh": ("femur",),
        "shin": ("tibia",),
        "foot": ("talus", "calcn"),
        "toe": ("toes",),
        "upper_arm": ("humerus",),
        "lower_arm": ("ulna", "radius"),
        "hand": ("hand", "lunate"),
    },
    # robots whose hip, ankle and shoulder are chains of single hinges: the last of each chain is the segment
    "robot": {
        "thigh": ("hippitch", "hiproll", "hipyaw", "hip", "thigh"),
        "shin": ("knee", "kneepitch", "shin", "calf"),
        "foot": ("ankle", "anklepitch", "ankleroll", "foot"),
        "toe": ("toe",),
        "upper_arm": ("shoulderpitch", "shoulderroll", "shoulderyaw", "shoulder"),
        "lower_arm": ("elbow", "elbowpitch", "elbowroll"),
        "hand": ("wristroll", "wristpitch", "wristyaw", "wrist", "hand", "rubberhand"),
    },
}
_MIDDLE = {
    "head": ("head", "upperneck", "neck1", "neck", "skull"),
    "torso": ("torso", "chest", "thorax", "upperback", "spine3", "spine2", "spine1", "spine"),
    "pelvis": ("pelvis", "hips", "hip", "root"),
}
_NOISE = {"mixamorig", "bip01", "bip001", "character1", "link", "def"}
_PARTS = {name for parts in CONVENTIONS.values() for names in parts.values() for name in names}
_SIDE = {"left": "left", "l": "left", "right": "right", "r": "right"}


def match(skeleton: Skeleton, mapping: Mapping[str, str | None] | str | Path | None = None) -> dict[str, int]:
    """Role to index of the body that plays it; roles that the skeleton lacks are absent.

    Args:
        mapping: roles that are given, as ``{role: body name}`` or a JSON file of that; ``None`` for a body takes the role
            away. The rest is found by names and by the tree.

    Raises:
        UnknownNameError: ``mapping`` names a role that there is not. SkeletonError: it names a body that there is not, or
            a role of :data:`REQUIRED` is not found. MotionFormatError: the file is not such a mapping.
    """
    given = read(mapping) if isinstance(mapping, str | os.PathLike) else dict(mapping or {})
    for role in given:
        if role not in ROLES:
            raise UnknownNameError("role", role, ROLES, f"roles are {', '.join(ROLES)}")
    found = _limbs(skeleton)
    found.update({role: skeleton.body(name) for role, name in given.items() if name})
    for role, pair in (("pelvis", "thigh"), ("torso", "upper_arm")):
        ends = [found.get(f"{side}_{pair}") for side in SIDES]
        common = None if None in ends else _common_ancestor(skeleton, *(e for e in ends if e is not None))
        by_tree = common is not None and common not in (found.get("pelvis"), *ends)
        body = common if by_tree else _named(skeleton, _MIDDLE[role])
        if body is not None and body not in found.values():
            found.setdefault(role, body)
    head = _named(skeleton, _MIDDLE["head"])
    if head is not None and head not in found.values():
        found.setdefault("head", head)
    found = {role: found[role] for role in ROLES if role in found and given.get(role, "") is not None}
    missing = [role for role in REQUIRED if role not in found]
    if missing:
        raise SkeletonError(
            f"skeleton {skeleton.name!r}: no body found for {', '.join(missing)}; map each role to one of "
            f"{', '.join(skeleton.body_names)}"
        )
    return found


def read(path: str | Path) -> dict[str, str | None]:
    """A mapping from a JSON file: one object, role to name of a body (or null).

    Raises:
        MotionFormatError: the file is missing or something else.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MotionFormatError(f"{path}: not a JSON file of roles and bodies: {error}") from error
    if not isinstance(data, dict) or not all(v is None or isinstance(v, str) for v in data.values()):
        raise MotionFormatError(f'{path}: a map of joints is one object such as {{"left_thigh": "LeftUpLeg"}}')
    return data


@lru_cache(maxsize=4096)
def side_and_part(name: str) -> tuple[str | None, str]:
    """``("left", "upleg")`` of ``mixamorig:LeftUpLeg``, ``L_UpLeg``, ``lUpLeg`` or ``upleg_l``; no side: ``None``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+[0-9]*|[0-9]+", name.rsplit(":", 1)[-1])
    # a capital before a capitalised word stands alone: LThumb is L Thumb
    words = [w.lower() for word in words for w in re.findall(r"^[LR](?=[A-Z])|.+", word)]
    words = [w for w in words if w not in _NOISE]
    sides = [w for w in words if w in _SIDE]
    rest = "".join(w for w in words if w not in _SIDE)
    if len(sides) == 1:
        return _SIDE[sides[0]], rest
    return None, rest


def side_of(name: str) -> str | None:
    """``left`` or ``right`` where a name says so, also as ``lfoot``."""
    side, part = side_and_part(name)
    if side is None and part[:1] in ("l", "r") and part[1:] in _PARTS:
        side = _SIDE[part[0]]
    return side


def part_of(role: str) -> str:
    """``foot`` of ``left_foot``; a role of the trunk is its own part."""
    return role.split("_", 1)[1] if role.startswith(SIDES) else role


def _limbs(skeleton: Skeleton) -> dict[str, int]:
    """The limbs, in the convention that finds most of them."""
    best: dict[str, int] = {}
    for convention, parts in CONVENTIONS.items():
        bodies: dict[tuple[str, str], int] = {}
        for body, name in enumerate(skeleton.body_names):
            side, part = side_and_part(name)
            if side is None and side_of(name) is not None:  # lfemur
                side, part = _SIDE[part[0]], part[1:]
            if side is not None:
                bodies.setdefault((side, part), body)
        found: dict[str, int] = {}
        for side in SIDES:
            for part, names in parts.items():
                candidates = [bodies[side, n] for n in names if (side, n) in bodies]
                if candidates:
                    found[f"{side}_{part}"] = max(candidates) if convention == "robot" else candidates[0]
        if len(found) > len(best):
            best = found
    return best


def _named(skeleton: Skeleton, names: tuple[str, ...]) -> int | None:
    parts = ["".join(side_and_part(name)[1:]) for name in skeleton.body_names]
    return next((parts.index(name) for name in names if name in parts), None)


def _ancestors(skeleton: Skeleton, body: int) -> list[int]:
    line = []
    while body >= 0:
        line.append(body)
        body = skeleton.parents[body]
    return line


def _common_ancestor(skeleton: Skeleton, first: int, second: int) -> int | None:
    line = _ancestors(skeleton, second)
    return next((body for body in _ancestors(skeleton, first) if body in line), None)
