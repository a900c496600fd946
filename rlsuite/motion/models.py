"""A MuJoCo model for any skeleton: our humanoid from its shape, every other tree as a figure of capsules.

The model has the skeleton's own layout of ``qpos``, so that a clip can be drawn and measured whatever it was read from.
"""

from __future__ import annotations

import copy
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

import mujoco
import numpy as np

from rlsuite.errors import SkeletonError
from rlsuite.motion import body, kinematics
from rlsuite.motion.skeleton import Skeleton

LEFT, RIGHT, MIDDLE = "0.29 0.53 0.70 1", "0.85 0.50 0.32 1", "0.55 0.57 0.60 1"
THICKNESS, THINNEST, THICKEST = 0.14, 0.008, 0.05  # radius of a bone: share of its length, and bounds in metres
_SHORTEST = 1e-4  # a bone that can be drawn, in metres


def model_of(skeleton: Skeleton) -> mujoco.MjModel:
    """The compiled model; the caller may change it."""
    return body.model(body.shape_of(skeleton)) if skeleton.shape is not None else copy.copy(_figure(skeleton))


def drawn_as(skeleton: Skeleton, named: mujoco.MjModel | None) -> mujoco.MjModel:
    """``named``, which a user gives, where it is the body of ``skeleton``; else :func:`model_of`."""
    return named if named is not None and is_body_of(named, skeleton) else model_of(skeleton)


def is_body_of(model: mujoco.MjModel, skeleton: Skeleton) -> bool:
    """Whether ``model`` has the bodies of ``skeleton``, in its order, and its layout of ``qpos``."""
    names = tuple(model.body(i).name for i in range(1, model.nbody))
    return names == tuple(skeleton.body_names) and (model.nq, model.nv) == (skeleton.nq, skeleton.nv)


@lru_cache(maxsize=64)
def _figure(skeleton: Skeleton) -> mujoco.MjModel:
    return mujoco.MjModel.from_xml_string(figure_mjcf(skeleton))


def from_mjcf(path: str | Path) -> mujoco.MjModel:
    """The model of an MJCF file that the user names.

    Raises:
        SkeletonError: the file is missing or MuJoCo refuses it.
    """
    if not Path(path).is_file():  # MuJoCo would leave a MUJOCO_LOG.TXT in the working folder
        raise SkeletonError(f"{path}: no such file; expected an MJCF file")
    try:
        return mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, OSError) as error:
        raise SkeletonError(f"{path}: not an MJCF file that MuJoCo reads: {' '.join(str(error).split())}") from error


def figure_mjcf(skeleton: Skeleton) -> str:
    """MJCF of capsules from every body to its children, on our floor; left blue, right orange, the middle grey.

    It only shows poses: nothing collides, and every body has the same mass.
    """
    root = ElementTree.fromstring(body.mjcf())  # our own text: its floor, light and materials
    root.set("model", "figure")
    world = root.find("worldbody")
    assert world is not None
    for own in [*world.findall("body"), *root.findall("actuator"), *root.findall("sensor")]:
        (world if own.tag == "body" else root).remove(own)
    for geom in root.iter("geom"):
        geom.set("contype", "0")
        geom.set("conaffinity", "0")
    elements: list[ElementTree.Element] = []
    sides = _sides(skeleton)
    for i, (name, parent) in enumerate(zip(skeleton.body_names, skeleton.parents, strict=True)):
        above = world if parent < 0 else elements[parent]
        place = {"pos": _numbers(skeleton.body_pos[i]), "quat": _numbers(skeleton.body_quat[i])}
        element = ElementTree.SubElement(above, "body", {"name": name, **place})
        elements.append(element)
        ElementTree.SubElement(element, "inertial", pos="0 0 0", mass="1", diaginertia="0.01 0.01 0.01")
        for j in skeleton.joints_of[i]:
            _add_joint(skeleton, j, element)
        _add_bones(skeleton, i, element, sides[i])
    return ElementTree.tostring(root, encoding="unicode")


def _add_joint(skeleton: Skeleton, j: int, element: ElementTree.Element) -> None:
    joint = skeleton.joints[j]
    if joint.kind == "free":
        ElementTree.SubElement(element, "freejoint", name=joint.name)
        return
    place = {"axis": _numbers(joint.axis), "pos": _numbers(joint.anchor), "ref": f"{joint.reference!r}"}
    if joint.kind == "ball":
        del place["axis"], place["ref"]
    limits = {} if joint.range is None else {"range": _numbers(joint.range)}
    ElementTree.SubElement(
        element, "joint", {"name": joint.name, "type": joint.kind, "armature": "0", **place, **limits}
    )


def _sides(skeleton: Skeleton) -> list[str]:
    """The colour of every body: of two partners the one at larger Y in the rest pose is the left one."""
    y = kinematics.forward(skeleton, skeleton.rest_qpos)[0][:, 1]
    partners = skeleton.mirrored_bodies
    return [MIDDLE if partners[i] == i else LEFT if y[i] > y[partners[i]] else RIGHT for i in range(skeleton.nbody)]


def _add_bones(skeleton: Skeleton, i: int, element: ElementTree.Element, colour: str) -> None:
    look = {"rgba": colour, "group": "0"}
    ends = [end for end in skeleton.body_pos[skeleton.children(i)] if np.linalg.norm(end) > _SHORTEST]
    for end in ends:
        radius = float(np.clip(THICKNESS * np.linalg.norm(end), THINNEST, THICKEST))
        bone = {"type": "capsule", "fromto": _numbers((0.0, 0.0, 0.0, *end)), "size": f"{radius:.6g}"}
        ElementTree.SubElement(element, "geom", bone | look)
    if not ends:
        own = float(np.linalg.norm(skeleton.body_pos[i])) if skeleton.parents[i] >= 0 else 0.1
        radius = float(np.clip(0.3 * own, THINNEST, THICKEST))
        ElementTree.SubElement(element, "geom", {"type": "sphere", "size": f"{radius:.6g}"} | look)


def _numbers(values: np.ndarray | tuple[float, ...]) -> str:
    return " ".join(repr(float(value)) for value in values)
