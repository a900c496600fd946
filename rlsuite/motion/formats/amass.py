"""AMASS motions and others of the SMPL family (``.npz``): turns of SMPL's joints and the path of the body.

Read are ``poses`` ``(T, 3 n)`` (rotation vectors; SMPL, SMPL-H, SMPL-X) or ``root_orient`` and ``pose_body`` (SMPL-X),
``trans``, and the frame rate; of the joints the 22 of the body, which all these models have in the same order
(Loper et al. 2015; Mahmood et al. 2019). Hands, jaw, eyes, soft tissue and markers are left out.

**The shape is not applied**: joints of a person follow from ``betas`` by the model files, which may not be passed on.
The tree here has the proportions of an average adult in SMPL's T pose, to the centimetre, the same left and right;
``height`` scales them. Turns of joints are exact, positions are those of the average body. The pelvis is ``trans`` plus
the place of the pelvis in the model, which a turn of the root does not move.

SMPL's rest pose has Y up, Z forward and X left; here a body frame has Z up, X forward, Y left: ``(x, y, z)`` becomes
``(z, x, y)``. The world of AMASS has Z up; ``up="y"`` reads files whose world is SMPL's own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import checks
from rlsuite.motion.formats.detection import zip_members
from rlsuite.motion.formats.registry import Format
from rlsuite.motion.skeleton import Joint, Skeleton

Array = NDArray[np.float64]
# The 22 joints, depth first: SMPL's number, parent, and offset from it in metres in SMPL's axes (left, up, forward).
JOINTS: dict[str, tuple[int, str, tuple[float, float, float]]] = {
    "pelvis": (0, "", (0.0, -0.22, 0.03)),
    "left_hip": (1, "pelvis", (0.07, -0.09, -0.01)),
    "left_knee": (4, "left_hip", (0.03, -0.38, 0.0)),
    "left_ankle": (7, "left_knee", (-0.01, -0.40, -0.04)),
    "left_foot": (10, "left_ankle", (0.03, -0.06, 0.12)),
    "right_hip": (2, "pelvis", (-0.07, -0.09, -0.01)),
    "right_knee": (5, "right_hip", (-0.03, -0.38, 0.0)),
    "right_ankle": (8, "right_knee", (0.01, -0.40, -0.04)),
    "right_foot": (11, "right_ankle", (-0.03, -0.06, 0.12)),
    "spine1": (3, "pelvis", (0.0, 0.11, -0.03)),
    "spine2": (6, "spine1", (0.0, 0.14, 0.0)),
    "spine3": (9, "spine2", (0.0, 0.05, 0.03)),
    "neck": (12, "spine3", (0.0, 0.21, -0.04)),
    "head": (15, "neck", (0.0, 0.07, 0.05)),
    "left_collar": (13, "spine3", (0.08, 0.12, -0.03)),
    "left_shoulder": (16, "left_collar", (0.09, 0.03, -0.01)),
    "left_elbow": (18, "left_shoulder", (0.26, -0.01, -0.03)),
    "left_wrist": (20, "left_elbow", (0.25, 0.01, 0.0)),
    "right_collar": (14, "spine3", (-0.08, 0.12, -0.03)),
    "right_shoulder": (17, "right_collar", (-0.09, 0.03, -0.01)),
    "right_elbow": (19, "right_shoulder", (-0.26, -0.01, -0.03)),
    "right_wrist": (21, "right_elbow", (-0.25, 0.01, 0.0)),
}
HEIGHT = 1.7  # metres of the average body, sole to crown
_ANKLE_TO_SOLE = 0.08
_FROM_SMPL = np.array([0.5, 0.5, 0.5, 0.5])  # the turn that takes (x, y, z) to (z, x, y)
_RATES = ("mocap_framerate", "mocap_frame_rate", "fps")
_SAID = ("gender", "surface_model_type")
_ARRAYS = {"poses", "root_orient", "pose_body", "trans", *_SAID, *_RATES}
_LARGEST_TURN = 100.0  # radians of a rotation vector


def sniff(head: bytes, path: Path) -> bool:
    members = zip_members(head, path)
    return {"poses", "trans"} <= members or {"root_orient", "pose_body", "trans"} <= members


def read(path: Path, *, up: str = "z", height: float | None = None, fps: float | None = None) -> MotionClip:
    """The motion on the average body (:func:`skeleton`).

    Args:
        up: axis of the file's world that points up, ``z`` (AMASS) or ``y``.
        height: metres from sole to crown of the body; default :data:`HEIGHT`.
        fps: frames per second, for files that do not say.

    Raises:
        MotionFormatError: the file is not such a motion.
        MotionError: an option makes no sense.
    """
    if up.lower().removeprefix("+") not in ("y", "z"):
        raise MotionError(f"AMASS: up must be 'y' or 'z', not {up!r}")
    if height is not None and not 0.1 <= height <= 10.0:
        raise MotionError(f"AMASS: height must be metres from 0.1 to 10, not {height!r}")
    arrays = checks.npz_arrays(path, _ARRAYS)
    turns = _turns(path, arrays)
    trans = checks.numbers(path, checks.needed(path, arrays, "trans"), "trans", len(turns), 3)
    if fps is None:
        rate = checks.scalar(path, checks.needed(path, arrays, *_RATES), "the frame rate")
    else:
        rate = fps
    size = 1.0 if height is None else height / HEIGHT
    pelvis = trans + size * np.array(JOINTS["pelvis"][2])
    # a body frame here is SMPL's turned: the root by C on its right, joints by C on both sides
    turns[:, 1:] = rot.multiply(rot.multiply(_FROM_SMPL, turns[:, 1:]), rot.conjugate(_FROM_SMPL))
    turns[:, 0] = rot.multiply(turns[:, 0], rot.conjugate(_FROM_SMPL))
    if up.lower().endswith("y"):
        pelvis, turns[:, 0] = rot.rotate(_FROM_SMPL, pelvis), rot.multiply(_FROM_SMPL, turns[:, 0])
    tree = skeleton(size)
    said: dict[str, str] = {key: " ".join(checks.words(arrays[key])[:1]) for key in _SAID if key in arrays}
    notes = ["betas are not applied: the body is an average one"]
    with checks.building(path):
        return MotionClip(
            qpos=tree.follow(np.concatenate((pelvis, turns.reshape(len(turns), -1)), axis=1)),
            fps=checks.rate(path, rate),
            skeleton=tree,
            name=path.stem,
            provenance=({"step": "read", "format": "amass", "file": str(path), **said, "notes": notes},),
        )


def skeleton(size: float = 1.0) -> Skeleton:
    """The 22 joints of the average body, ``size`` times as large, as a tree of balls under a free root, in T pose."""
    names = tuple(JOINTS)
    offsets = rot.rotate(_FROM_SMPL, np.array([offset for _, _, offset in JOINTS.values()]))
    leg = -sum(offsets[names.index(name), 2] for name in ("left_hip", "left_knee", "left_ankle"))
    offsets[0] = (0.0, 0.0, leg + _ANKLE_TO_SOLE)
    return Skeleton(
        name="smpl",
        body_names=names,
        parents=tuple(names.index(parent) if parent else -1 for _, parent, _ in JOINTS.values()),
        body_pos=size * offsets,
        body_quat=np.tile(rot.IDENTITY, (len(names), 1)),
        joints=tuple(Joint(name, "ball" if i else "free", i) for i, name in enumerate(names)),
        keypoints={},
        end_effectors=("left_foot", "right_foot", "head", "left_wrist", "right_wrist"),
        feet=("left_foot", "right_foot"),
    )


def _turns(path: Path, arrays: dict[str, NDArray[np.generic]]) -> Array:
    """``(T, 22, 4)`` turns of the joints, in SMPL's axes."""
    if "poses" in arrays:
        vectors = checks.numbers(path, arrays["poses"], "poses", "frames", "3 n", largest=_LARGEST_TURN)
    else:
        root = checks.needed(path, arrays, "root_orient")
        root = checks.numbers(path, root, "root_orient", "frames", 3, largest=_LARGEST_TURN)
        joints = checks.needed(path, arrays, "pose_body")
        joints = checks.numbers(path, joints, "pose_body", len(root), 63, largest=_LARGEST_TURN)
        vectors = np.concatenate((root, joints), axis=1)
    count = 3 * len(JOINTS)
    if vectors.shape[1] < count or vectors.shape[1] % 3:
        raise MotionFormatError(
            f"{path}: poses has {vectors.shape[1]} columns; expected 3 for each joint, at least {count}"
        )
    numbers = [number for number, _, _ in JOINTS.values()]
    return rot.exp(vectors.reshape(len(vectors), -1, 3)[:, numbers])


FORMAT = Format("amass", (".npz",), "AMASS and other SMPL pose parameters, on an average body", sniff, read)
