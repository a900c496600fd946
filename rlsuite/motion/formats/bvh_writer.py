"""Clips of any skeleton written as BVH: Y up and Z forward, degrees, the unit and the order of rotations to choose.

BVH knows no rotations in the rest pose: its joints are all parallel there. With ``W`` the world rotation of a body and
``G`` the one that it has in the rest pose, ``D = W G⁻¹`` turns the rest pose into the pose, and the channels of a body
hold ``D_parent⁻¹ D`` and, where it moves on its parent, ``D_parent⁻¹ (p - p_parent)``, its offset included. Offsets are
differences of rest positions. A clip that was read from BVH gets back the channels, unit and axes that it had.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.files import write_atomically
from rlsuite.motion import kinematics, rotations
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import euler_channels, units
from rlsuite.motion.formats.axes import Axes, axis_vector
from rlsuite.motion.skeleton import Skeleton

Array = NDArray[np.float64]

STILL = 1e-7  # metres: a body that strays no further from its offset needs no position channels
SAME = 1e-7  # radians: so close must fewer than three channels come to the rotation
WORDS = {**{c: f"{c}position" for c in "XYZ"}, **{c: f"{c.upper()}rotation" for c in "xyz"}}


def write(
    clip: MotionClip,
    path: Path,
    *,
    order: str | None = None,
    unit: str | None = None,
    up: str | None = None,
    forward: str | None = None,
) -> None:
    """Write ``clip`` to ``path`` in one step.

    Args:
        order: of the rotations, intrinsic, for every joint: ``"zyx"``, ``"xyz"``, …; default: as the file had it that
            the clip was read from, else ``zyx``.
        unit: length unit; default: that of the file the clip was read from, else ``cm``, which most programs expect.
        up, forward: axes of the file; default: those of the file the clip was read from, else ``y`` and ``z``.

    Raises:
        MotionError: not an order of three different axes, not a unit, or not two perpendicular axes.
    """
    source = _read_from(clip)
    up, forward = up or source.get("up", "y"), forward or source.get("forward", "z")
    if abs(axis_vector(up) @ axis_vector(forward)) > 0.0:
        raise MotionError(f"up {up!r} and forward {forward!r}: two perpendicular axes expected")
    if order is not None and sorted(order) != ["x", "y", "z"]:
        raise MotionError(f"order {order!r}: the letters x, y, z in some order expected")
    from_suite = Axes(up, forward).matrix / units.metres_of(unit or source.get("unit", "cm"))
    had = {} if order is not None else source.get("channels", {})
    skeleton = clip.skeleton

    # In the file's axes and units from here on.
    position, quat = clip.bodies
    rest_position, rest_quat = kinematics.forward(skeleton, skeleton.rest_qpos)
    away = rotations.multiply(quat, rotations.conjugate(rest_quat))  # D
    position, rest_position = position @ from_suite, rest_position @ from_suite
    away[..., 1:] = away[..., 1:] @ Axes(up, forward).matrix
    still = STILL * np.linalg.norm(from_suite[:, 0])

    offsets = rest_position - np.array([rest_position[p] if p >= 0 else np.zeros(3) for p in skeleton.parents])
    if not source:  # a root without offset is read alike by programs that add it and by those that do not
        offsets[[p < 0 for p in skeleton.parents]] = 0.0
    channels: list[str] = []
    columns: list[list[Array]] = []
    for body, parent in enumerate(skeleton.parents):
        place, turn = position[:, body], away[:, body]
        if parent >= 0:
            back = rotations.conjugate(away[:, parent])
            place = rotations.rotate(back, place - position[:, parent])
            turn = rotations.multiply(back, turn)
        moves = parent < 0 or bool(np.abs(place - offsets[body]).max() > still)
        before = had.get(skeleton.body_names[body], order or "zyx")
        letters, angles = _angles(turn, "".join(c for c in before if c.islower()))
        if letters != "".join(c for c in before if c.islower()) or (moves and not {*"XYZ"} <= {*before}):
            before = ("XYZ" if moves else "") + letters
        turns = iter(np.degrees(angles).T)
        columns.append([place[:, "XYZ".index(c)] if c.isupper() else next(turns) for c in before])
        channels.append(before)

    ends = [_ends(skeleton, body, rest_quat, from_suite, offsets) for body in range(skeleton.nbody)]
    lines, sequence = _hierarchy(skeleton, offsets, channels, ends)
    numbers = np.stack([column for body in sequence for column in columns[body]], axis=1)
    row = " ".join(["%.6f"] * numbers.shape[1])
    lines += ["MOTION", f"Frames: {clip.n_frames}", f"Frame Time: {1.0 / clip.fps:.10g}"]
    lines += [row % tuple(values) for values in numbers.tolist()]
    write_atomically(path, "\n".join(lines) + "\n")


def _read_from(clip: MotionClip) -> dict[str, Any]:
    """What the BVH reader noted of the file, where the skeleton is still that of the file."""
    steps = [dict(step) for step in clip.provenance if step.get("step") == "read" and step.get("format") == "bvh"]
    if steps and set(steps[0].get("channels", {})) == set(clip.skeleton.body_names):
        return steps[0]
    return {}


def _angles(turn: Array, letters: str) -> tuple[str, Array]:
    """Angles ``(T, n)`` about these axes, or about z, y, x where these cannot make the rotations."""
    if len(set(letters)) == len(letters):
        whole = letters + "".join(c for c in "xyz" if c not in letters)
        angles = euler_channels.angles(turn, whole)
        if np.abs(angles[:, len(letters) :]).max(initial=0.0) <= SAME:
            return letters, angles[:, : len(letters)]
    return "zyx", euler_channels.angles(turn, "zyx")


def _ends(skeleton: Skeleton, body: int, rest_quat: Array, from_suite: Array, offsets: Array) -> list[Array]:
    """Offsets of a body's end sites: the key points called after it, for a leaf at least one that has a length."""
    name = skeleton.body_names[body]
    points = {key: np.array(point) for key, (of, point) in skeleton.keypoints.items() if of == body}
    turned = {key: rotations.rotate(rest_quat[body], point) @ from_suite for key, point in points.items()}
    ends = [point for key, point in turned.items() if key.startswith(f"{name}_end")]
    if ends or skeleton.children(body):
        return ends
    return [max([*turned.values(), 0.3 * offsets[body]], key=lambda v: float(np.linalg.norm(v)))]


def _hierarchy(
    skeleton: Skeleton, offsets: Array, channels: list[str], ends: list[list[Array]]
) -> tuple[list[str], list[int]]:
    """Lines of the hierarchy, and the bodies in the order in which they stand there."""
    children: list[list[int]] = [[] for _ in range(skeleton.nbody)]
    for body, parent in enumerate(skeleton.parents):
        if parent >= 0:
            children[parent].append(body)
    lines, sequence = ["HIERARCHY"], []
    waiting: list[tuple[int, int]] = [(b, 0) for b, p in enumerate(skeleton.parents) if p < 0][
        ::-1
    ]  # body or ~body, depth
    while waiting:
        body, depth = waiting.pop()
        tab = "\t" * depth
        if body < 0:
            lines.append(tab + "}")
            continue
        sequence.append(body)
        words = " ".join((str(len(channels[body])), *(WORDS[c] for c in channels[body])))
        lines += [f"{tab}{'JOINT' if depth else 'ROOT'} {skeleton.body_names[body]}", tab + "{"]
        lines += [f"{tab}\tOFFSET {_numbers(offsets[body])}", f"{tab}\tCHANNELS {words}"]
        for end in ends[body]:
            lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\tOFFSET {_numbers(end)}", f"{tab}\t}}"]
        waiting.append((~body, depth))
        waiting += [(child, depth + 1) for child in reversed(children[body])]
    return lines, sequence


def _numbers(values: Array) -> str:
    return " ".join(f"{value:.6f}" for value in values.tolist())
