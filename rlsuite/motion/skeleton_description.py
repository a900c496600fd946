"""A skeleton as plain lists and numbers, for JSON, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from rlsuite.errors import SkeletonError
from rlsuite.motion.skeleton import QPOS_SIZE, Joint, Skeleton, three


def described(skeleton: Skeleton) -> dict[str, Any]:
    """See :meth:`rlsuite.motion.skeleton.Skeleton.to_dict`."""
    places = zip(skeleton.body_pos.tolist(), skeleton.body_quat.tolist(), strict=True)
    bodies = zip(skeleton.body_names, skeleton.parents, places, strict=True)
    return {
        "name": skeleton.name,
        "bodies": [{"name": n, "parent": p, "pos": pos, "quat": quat} for n, p, (pos, quat) in bodies],
        "joints": [asdict(joint) for joint in skeleton.joints],
        "keypoints": {name: {"body": body, "pos": pos} for name, (body, pos) in skeleton.keypoints.items()},
        "end_effectors": list(skeleton.end_effectors),
        "feet": list(skeleton.feet),
        "shape": None if skeleton.shape is None else dict(skeleton.shape),
    }


def skeleton_described(data: Any) -> Skeleton:
    """See :meth:`rlsuite.motion.skeleton.Skeleton.from_dict`."""
    try:
        return Skeleton(
            name=str(data["name"]),
            body_names=tuple(str(b["name"]) for b in data["bodies"]),
            parents=tuple(int(b["parent"]) for b in data["bodies"]),
            body_pos=np.array([b["pos"] for b in data["bodies"]], np.float64),
            body_quat=np.array([b["quat"] for b in data["bodies"]], np.float64),
            joints=tuple(_joint(joint) for joint in data["joints"]),
            keypoints={str(k): (int(v["body"]), three(v["pos"])) for k, v in data["keypoints"].items()},
            end_effectors=tuple(str(n) for n in data["end_effectors"]),
            feet=tuple(str(n) for n in data["feet"]),
            shape=None if data["shape"] is None else {str(k): float(v) for k, v in data["shape"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        if isinstance(error, SkeletonError):
            raise
        raise SkeletonError(f"not the description of a skeleton: {type(error).__name__}: {error}") from error


def _joint(data: Any) -> Joint:
    if data["kind"] not in QPOS_SIZE:
        raise SkeletonError(f"joint {data['name']!r}: kind must be one of {', '.join(QPOS_SIZE)}, not {data['kind']!r}")
    limits = data["range"]
    return Joint(
        name=str(data["name"]),
        kind=data["kind"],
        body=int(data["body"]),
        axis=three(data["axis"]),
        anchor=three(data["anchor"]),
        range=None if limits is None else (float(limits[0]), float(limits[1])),
        reference=float(data["reference"]),
    )
