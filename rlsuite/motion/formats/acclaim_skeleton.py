"""Acclaim's skeleton file (ASF): bones with a direction, a length, an axis frame and degrees of freedom.

A bone reaches from where its parent ends along ``direction · length`` (both in the world's axes, in the rest pose). Its
rotation in the frame ``C`` that ``axis`` gives is ``L = C M C⁻¹``, with ``M`` the turns of its ``dof`` list; angles are
about fixed axes in the order listed, so ``rx ry rz`` is ``Rz Ry Rx``, and ``axis … XYZ`` likewise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import rotations as rot
from rlsuite.motion.formats.axes import Axes, axis_vector, identity_rotations
from rlsuite.motion.formats.text import TextFile, name_of, shortened
from rlsuite.motion.skeleton import Joint, Skeleton

Array = NDArray[np.float64]
Line = list[str]

MAX_BONES = 2048
MAX_LINES = 1 << 16
ROOT_DOF = ("tx", "ty", "tz", "rx", "ry", "rz")


@dataclass
class Bone:
    """direction · length: from the bone's begin to its end. axis: its frame C. dof: letters of its rotations, in order."""

    name: str
    line: int
    direction: Array = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: Array = field(default_factory=lambda: rot.IDENTITY)
    dof: str = ""
    limits: list[tuple[float, float] | None] = field(default_factory=list)
    parent: int = -1


@dataclass
class Acclaim:
    """bones: the root first, parents before children. root_dof: two letters each. degrees: radians in one unit of angle."""

    bones: list[Bone]
    root_dof: tuple[str, ...] = ROOT_DOF
    position: Array = field(default_factory=lambda: np.zeros(3))
    radians: float = np.pi / 180.0

    def skeleton(self, name: str, axes: Axes | None = None, metres: float = 1.0) -> Skeleton:
        """The tree in the suite's axes and metres (without ``axes``: in the file's own): a body where each bone begins.

        Three degrees of freedom are a ball joint; fewer are hinges about the axes of the bone's frame, the last of the
        list outermost.
        """
        turn = np.eye(3) if axes is None else axes.matrix
        offsets = np.zeros((len(self.bones), 3))
        joints, keypoints = [Joint("root", "free", 0)], {}
        parents = tuple(bone.parent for bone in self.bones)
        for body, bone in enumerate(self.bones[1:], start=1):
            if bone.parent > 0:
                offsets[body] = self.bones[bone.parent].direction * self.bones[bone.parent].length
            if body not in parents:
                x, y, z = (turn @ bone.direction * bone.length * metres).tolist()
                keypoints[f"{bone.name}_end"] = (body, (x, y, z))
            if len(bone.dof) == 3:
                joints.append(Joint(bone.name, "ball", body))
                continue
            for i in reversed(range(len(bone.dof))):
                x, y, z = (turn @ rot.rotate(bone.axis, axis_vector(bone.dof[i]))).tolist()
                limits = bone.limits[i] if i < len(bone.limits) else None
                joints.append(Joint(f"{bone.name}_r{bone.dof[i]}", "hinge", body, axis=(x, y, z), range=limits))
        names = tuple(bone.name for bone in self.bones)
        return Skeleton(
            name=name,
            body_names=names,
            parents=parents,
            body_pos=offsets @ turn.T * metres,
            body_quat=identity_rotations(len(names)),
            joints=tuple(joints),
            keypoints=keypoints,
            end_effectors=tuple(n for i, n in enumerate(names) if i not in parents),
            feet=tuple(n for n in names if "foot" in n.lower() or "toe" in n.lower()),
        )


def fixed_axes(angles: Array, order: str) -> Array:
    """``(..., 4)`` of turns about fixed axes, the first one first: ``xyz`` is ``Rz Ry Rx``."""
    return rot.from_euler(angles[..., ::-1], order[::-1])


def parse(path: Path) -> Acclaim:
    """Read an ASF file.

    Raises:
        MotionFormatError: it is not one, or malformed.
    """
    with TextFile(path) as file:
        out = Acclaim([Bone("root", 0)])
        parents: dict[str, str] = {}
        section = ""
        lines = _lines(file)
        for words in lines:
            if words[0].startswith(":"):
                section = words[0].lower()
            elif section == ":units" and words[0].lower() == "angle":
                out.radians = _angle_unit(file, words)
            elif section == ":root":
                _root(file, out, words)
            elif section == ":bonedata" and words[0].lower() == "begin":
                _add(file, out, _bone(file, lines, out.radians))
            elif section == ":hierarchy" and words[0].lower() not in ("begin", "end"):
                for child in words[1:]:
                    if child in parents:
                        file.fail(f"bone {shortened(child)} has a second parent; each bone hangs on one")
                    parents[child] = words[0]
        if not section:
            file.fail("a section such as :bonedata expected; this is no ASF file", max(1, file.line))
        out.bones = _in_order(file, out.bones, parents)
        return out


def _lines(file: TextFile) -> Iterator[Line]:
    while raw := file.read_line():
        if file.line > MAX_LINES:
            file.fail(f"more than {MAX_LINES} lines; this is no skeleton")
        words = name_of(raw.replace(b"\0", b" ")).split()
        if words and not words[0].startswith("#"):
            yield words


def _angle_unit(file: TextFile, words: Line) -> float:
    units = {"deg": np.pi / 180.0, "degrees": np.pi / 180.0, "rad": 1.0, "radians": 1.0}
    if len(words) != 2 or words[1].lower() not in units:
        file.fail(f"angle deg or angle rad expected, found {shortened(' '.join(words))}")
    return units[words[1].lower()]


def _root(file: TextFile, out: Acclaim, words: Line) -> None:
    key, values = words[0].lower(), words[1:]
    root = out.bones[0]
    if key == "order":
        dof = tuple(value.lower() for value in values)
        if not set(dof) <= set(ROOT_DOF) or len(set(dof)) != len(dof):
            file.fail(f"order: TX TY TZ RX RY RZ in some order expected, found {shortened(' '.join(values))}")
        out.root_dof = dof
    elif key == "position":
        out.position = _three(file, key, values)
    elif key == "orientation":
        root.axis = fixed_axes(_three(file, key, values) * out.radians, root.dof or "xyz")
    elif key == "axis":
        root.dof = _axis_order(file, values[0] if values else "")


def _bone(file: TextFile, lines: Iterator[Line], radians: float) -> Bone:
    bone, name, listing = Bone("", file.line), "", False
    for words in lines:
        key, values = words[0].lower(), words[1:]
        listing = listing and key.startswith("(")
        if key == "end":
            if not name:
                file.fail(f"name expected in the bone that begins in line {bone.line}")
            bone.name = name
            return bone
        if key == "name":
            name = " ".join(values)
        elif key == "direction":
            bone.direction = _three(file, key, values)
            size = float(np.linalg.norm(bone.direction))
            bone.direction = bone.direction / size if size > 0.0 else bone.direction
        elif key == "length":
            bone.length = file.number(values[0] if values else "", "length")
        elif key == "axis":
            order = _axis_order(file, values[3] if len(values) > 3 else "XYZ")
            bone.axis = fixed_axes(_three(file, key, values[:3]) * radians, order)
        elif key == "dof":
            letters = [value.lower() for value in values]
            if not set(letters) <= {"rx", "ry", "rz"} or len(set(letters)) != len(letters):
                file.fail(f"dof: rx, ry, rz, each at most once, expected, found {shortened(' '.join(values))}")
            bone.dof = "".join(letter[1] for letter in letters)
        elif key == "limits" or listing:
            listing = True
            bone.limits += [_limits(file, part, radians) for part in " ".join(words).split("(")[1:]]
        elif key.startswith(":"):
            break
    file.fail(f"end expected for the bone that begins in line {bone.line}")


def _limits(file: TextFile, text: str, radians: float) -> tuple[float, float] | None:
    """Lowest and highest angle; ``None`` where either is infinite."""
    words = text.replace(")", " ").replace(",", " ").split()
    if len(words) != 2:
        file.fail(f"limits: (lowest highest) expected, found {shortened('(' + text)}")
    if {word.lower().strip("+-") for word in words} & {"inf", "infinity"}:
        return None
    low, high = sorted(file.number(word, "limits") * radians for word in words)
    return low, high


def _three(file: TextFile, key: str, values: Line) -> Array:
    if len(values) != 3:
        file.fail(f"{key}: 3 numbers expected, found {len(values)}")
    return np.array([file.number(value, key) for value in values])


def _axis_order(file: TextFile, text: str) -> str:
    if sorted(text.lower()) != ["x", "y", "z"]:
        file.fail(f"axis: an order such as XYZ expected, found {shortened(text)}")
    return text.lower()


def _add(file: TextFile, out: Acclaim, bone: Bone) -> None:
    first = next((known for known in out.bones if known.name == bone.name), None)
    if first is not None:
        file.fail(f"a second bone {shortened(bone.name)} (the first is in line {first.line}); names must differ")
    if len(out.bones) == MAX_BONES:
        file.fail(f"more than {MAX_BONES} bones")
    out.bones.append(bone)


def _in_order(file: TextFile, bones: list[Bone], parents: dict[str, str]) -> list[Bone]:
    """The bones depth first from the root, each with the index of its parent."""
    named = {bone.name: bone for bone in bones}
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        for name in (child, parent):
            if name not in named or child == "root":
                file.fail(f"hierarchy: {shortened(name)} is none of the bones")
        children.setdefault(parent, []).append(child)
    out: list[Bone] = []
    waiting = [("root", -1)]
    while waiting:
        name, parent_index = waiting.pop()
        bone = named[name]
        bone.parent = parent_index
        waiting += [(child, len(out)) for child in reversed(children.get(name, []))]
        out.append(bone)
    if len(out) < len(bones):
        lost = next(name for name in named if all(bone.name != name for bone in out))
        file.fail(f"hierarchy: bone {shortened(lost)} does not hang on the root")
    if len(out) == 1:
        file.fail("bones expected: sections :bonedata and :hierarchy")
    return out
