"""A skeleton from a compiled MuJoCo model or an MJCF file: every body, every joint, sites as key points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import SkeletonError
from rlsuite.motion.skeleton import Joint, Kind, Skeleton, three

_SHORTEST_LIMB = 0.03  # metres: less is no free end
KINDS: Mapping[int, Kind] = {
    int(mujoco.mjtJoint.mjJNT_FREE): "free",
    int(mujoco.mjtJoint.mjJNT_BALL): "ball",
    int(mujoco.mjtJoint.mjJNT_HINGE): "hinge",
    int(mujoco.mjtJoint.mjJNT_SLIDE): "slide",
}


def skeleton_of(
    model: mujoco.MjModel,
    name: str = "",
    end_effectors: Iterable[str] | None = None,
    feet: Iterable[str] | None = None,
    shape: Mapping[str, float] | None = None,
) -> Skeleton:
    """See :meth:`rlsuite.motion.skeleton.Skeleton.from_model`."""
    names = [model.body(i).name or f"body{i}" for i in range(1, model.nbody)]
    parents = tuple(int(p) - 1 for p in model.body_parentid[1:])
    sites = {model.site(s).name: (int(model.site_bodyid[s]) - 1, three(model.site_pos[s])) for s in range(model.nsite)}
    found = [n for n in names if re.search(r"(?i)foot|ankle|toe", n)] if feet is None else feet
    sites |= _tips(model, names, {body for body, _ in sites.values()}, found)
    leaves = [n for i, n in enumerate(names) if i not in parents]
    return Skeleton(
        name=name or "model",
        body_names=tuple(names),
        parents=parents,
        body_pos=model.body_pos[1:].copy(),
        body_quat=model.body_quat[1:].copy(),
        joints=tuple(_joint(model, j) for j in range(model.njnt)),
        keypoints={k: v for k, v in sites.items() if k and v[0] >= 0},
        end_effectors=tuple(leaves if end_effectors is None else end_effectors),
        feet=tuple(found),
        shape=shape,
    )


def _tips(
    model: mujoco.MjModel, names: list[str], known: set[int], feet: Iterable[str]
) -> dict[str, tuple[int, tuple[float, float, float]]]:
    """The free ends of the last bodies of limbs that have no sites: what of their geoms is furthest from their joint.

    A forearm without a hand ends there. Feet are left alone: they stand on what they have.
    """
    tips = {}
    for body in range(1, model.nbody):
        first, count = model.body_geomadr[body], model.body_geomnum[body]
        taken = body - 1 in known or names[body - 1] in feet or body in model.body_parentid
        if taken or not count or not model.body_jntnum[body] or model.body_parentid[body] == 0:
            continue
        joint = model.jnt_pos[model.body_jntadr[body]]
        ends = np.concatenate([_ends(model, geom) for geom in range(first, first + count)])
        end = ends[np.argmax(np.linalg.norm(ends - joint, axis=1))]
        if np.linalg.norm(end - joint) > _SHORTEST_LIMB:
            tips[f"{names[body - 1]}_tip"] = (body - 1, three(end))
    return tips


def _ends(model: mujoco.MjModel, geom: int) -> NDArray[np.float64]:
    """``(k, 3)`` the two ends of a long geom in its body, the centre of a round one."""
    centre, size = model.geom_pos[geom], model.geom_size[geom]
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
    axes = turn.reshape(3, 3).T
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX:
        longest = int(np.argmax(size))
        return np.stack([centre + sign * size[longest] * axes[longest] for sign in (-1.0, 1.0)])
    if (
        model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE
        or model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CYLINDER
    ):
        return np.stack([centre + sign * size[1] * axes[2] for sign in (-1.0, 1.0)])
    return np.array(centre[None], np.float64)


def _joint(model: mujoco.MjModel, j: int) -> Joint:
    kind = KINDS[int(model.jnt_type[j])]
    return Joint(
        name=model.joint(j).name or f"joint{j}",
        kind=kind,
        body=int(model.jnt_bodyid[j]) - 1,
        axis=three(model.jnt_axis[j]) if kind in ("hinge", "slide") else (0.0, 0.0, 1.0),
        anchor=(0.0, 0.0, 0.0) if kind in ("free", "slide") else three(model.jnt_pos[j]),
        range=(float(model.jnt_range[j, 0]), float(model.jnt_range[j, 1])) if model.jnt_limited[j] else None,
        reference=float(model.qpos0[model.jnt_qposadr[j]]) if kind in ("hinge", "slide") else 0.0,
    )


def skeleton_in(path: str, name: str = "") -> Skeleton:
    """See :meth:`rlsuite.motion.skeleton.Skeleton.from_mjcf`."""
    if not Path(path).is_file():  # MuJoCo would leave a MUJOCO_LOG.TXT in the working folder
        raise SkeletonError(f"{path}: no such file; expected an MJCF file")
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, OSError) as error:
        raise SkeletonError(f"{path}: not an MJCF file that MuJoCo reads: {' '.join(str(error).split())}") from error
    return skeleton_of(model, name or str(path).rsplit("/", 1)[-1].removesuffix(".xml"))
