"""A skeleton from a compiled MuJoCo model or an MJCF file: every body, every joint, sites as key points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import mujoco

from rlsuite.errors import SkeletonError
from rlsuite.motion.skeleton import Joint, Kind, Skeleton, three

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
    leaves = [n for i, n in enumerate(names) if i not in parents]
    found = [n for n in names if re.search(r"(?i)foot|ankle|toe", n)] if feet is None else feet
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
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, OSError) as error:
        raise SkeletonError(f"{path}: not an MJCF file that MuJoCo reads: {' '.join(str(error).split())}") from error
    return skeleton_of(model, name or str(path).rsplit("/", 1)[-1].removesuffix(".xml"))
