"""A body as other programs would hold it: ball joints, other names, another rest pose, other axes along the bones."""

from collections.abc import Mapping

import numpy as np

from rlsuite.motion import kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.skeleton import Joint, Skeleton

CMU_BVH = {
    "pelvis": "Hips", "torso": "Chest2", "head": "Head",
    **{
        f"{side}_{part}": f"{side.capitalize()}{joint}"
        for side in ("right", "left")
        for part, joint in {
            "thigh": "Hip", "shin": "Knee", "foot": "Ankle", "upper_arm": "Shoulder", "lower_arm": "Elbow", "hand": "Wrist",
        }.items()
    },
}  # fmt: skip


def ball_tree(
    skeleton: Skeleton, names: Mapping[str, str], rest: np.ndarray, axes: np.ndarray, name: str = "other"
) -> Skeleton:
    """``skeleton`` with ball joints, bodies called ``names[old]``, the pose ``rest`` at rest and body frames turned by
    ``axes`` ``(nbody, 4)``."""
    place, quat = kinematics.forward(skeleton, rest)
    quat = rot.multiply(quat, axes)
    body_pos, body_quat = place.copy(), quat.copy()
    for body, parent in enumerate(skeleton.parents):
        if parent >= 0:
            back = rot.conjugate(quat[parent])
            body_pos[body] = rot.rotate(back, place[body] - place[parent])
            body_quat[body] = rot.multiply(back, quat[body])
    bodies = tuple(names.get(old, old) for old in skeleton.body_names)
    return Skeleton(
        name=name,
        body_names=bodies,
        parents=skeleton.parents,
        body_pos=body_pos,
        body_quat=body_quat,
        joints=tuple(Joint(n, "ball" if i else "free", i) for i, n in enumerate(bodies)),
        keypoints={},
        feet=tuple(names.get(old, old) for old in skeleton.feet),
    )


def on_ball_tree(clip: MotionClip, tree: Skeleton, axes: np.ndarray) -> MotionClip:
    """The motion of ``clip`` on the ball tree of its skeleton."""
    place, quat = clip.bodies
    quat = rot.multiply(quat, axes)
    qpos = np.empty((clip.n_frames, tree.nq))
    qpos[:, :3], qpos[:, 3:7] = place[:, 0], quat[:, 0]
    for body in range(1, tree.nbody):
        start = rot.multiply(quat[:, tree.parents[body]], tree.body_quat[body])
        at = tree.qpos_address[body]
        qpos[:, at : at + 4] = rot.multiply(rot.conjugate(start), quat[:, body])
    return MotionClip(qpos, clip.fps, tree, clip.name, clip.loop)


def random_axes(seed: int, n: int) -> np.ndarray:
    return rot.normalize(np.random.default_rng(seed).normal(size=(n, 4)))
