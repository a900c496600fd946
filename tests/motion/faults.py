"""A clean clip on our humanoid, knees bending slowly, and the faults that tests plant in it."""

from dataclasses import replace

import numpy as np

from rlsuite.motion import body, inverse_kinematics
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip

FPS = 60.0


def column(name):
    """Where a hinge is in ``qpos``."""
    skeleton = body.skeleton()
    return skeleton.qpos_address[[joint.name for joint in skeleton.joints].index(name)]


def clean(frames=120, fps=FPS):
    """Knees bend and stretch once a second over feet that stay where they are; arms swing a little."""
    skeleton = body.skeleton()
    qpos = np.tile(skeleton.rest_qpos, (frames, 1))
    t = np.arange(frames) / fps
    bend = 0.3 - 0.1 * np.cos(2.0 * np.pi * t)
    for side in ("right", "left"):
        qpos[:, column(f"{side}_knee")] = 2.0 * bend
        qpos[:, column(f"{side}_hip_y")] = qpos[:, column(f"{side}_ankle_y")] = -bend
        qpos[:, column(f"{side}_shoulder_y")] = 0.1 * np.sin(2.0 * np.pi * t)
        qpos[:, column(f"{side}_elbow")] = -0.3
    qpos[:, column("right_shoulder_x")], qpos[:, column("left_shoulder_x")] = -0.2, 0.2
    clip = MotionClip(qpos, fps, skeleton, "squat")
    foot = skeleton.body("left_foot")
    at_rest = MotionClip(skeleton.rest_qpos[None], fps, skeleton).bodies[0][0, foot]
    qpos[:, :3] += at_rest - clip.bodies[0][:, foot]
    return replace(clip, qpos=qpos)


def with_column(clip, which, frames, change):
    qpos = clip.qpos.copy()
    qpos[frames, which] += change
    return replace(clip, qpos=qpos)


def sunk(clip, frames=slice(None), depth=0.03):
    return with_column(clip, 2, frames, -depth)


def raised(clip, frames=slice(None), height=0.2):
    return with_column(clip, 2, frames, height)


def spiked(clip, frames=(70,), size=1.0):
    return with_column(clip, column("left_elbow"), list(frames), -size)


def teleported(clip, frame=50, way=0.5):
    return with_column(clip, 0, slice(frame, None), way)


def trembling(clip, frames=slice(30, 90), size=0.06):
    noise = np.random.default_rng(5).normal(size=(clip.n_frames, 3)) * size
    qpos = clip.qpos.copy()
    start = column("chest_x")
    qpos[frames, start : start + 3] += noise[frames]
    return replace(clip, qpos=qpos)


def sliding(clip, foot="left_foot", start=40, stop=60, way=0.12):
    """One foot goes forward by ``way`` from frame ``start`` to ``stop`` and stays there; its leg follows."""
    skeleton = clip.skeleton
    which = skeleton.body(foot)
    position, quat = clip.bodies
    shift = np.interp(np.arange(clip.n_frames), [start, stop], [0.0, way])
    targets = inverse_kinematics.Targets(
        point_bodies=(which,),
        offsets=np.zeros((1, 3)),
        positions=position[:, which][:, None] + shift[:, None, None] * np.array([1.0, 0.0, 0.0]),
        point_weights=np.array([10.0]),
        bodies=(which,),
        rotations=quat[:, which][:, None],
        rotation_weights=np.array([1.0]),
    )
    held = np.full(skeleton.nv, 1e3)
    side = foot.split("_")[0]
    for joint, address in zip(skeleton.joints, skeleton.dof_address, strict=True):
        if joint.name.startswith((f"{side}_hip", f"{side}_knee", f"{side}_ankle")):
            held[address] = 1e-3
    solved = inverse_kinematics.solve(skeleton, clip.qpos, targets, reference_weight=held).qpos
    moved = shift > 0.0
    return replace(clip, qpos=np.where(moved[:, None], solved, clip.qpos))


def crossed(clip, frames=slice(50, 71)):
    """Legs through one another."""
    return with_column(with_column(clip, column("right_hip_x"), frames, 0.35), column("left_hip_x"), frames, -0.35)


def overbent(clip, frames=slice(20, 31), angle=0.3):
    """The right knee bends forwards by ``angle``."""
    qpos = clip.qpos.copy()
    qpos[frames, column("right_knee")] = -angle
    return replace(clip, qpos=qpos)


def rebranched(clip, frames=slice(60, 80)):
    """The same turns of the right shoulder, written in the other Euler solution."""
    qpos = clip.qpos.copy()
    start = column("right_shoulder_x")
    x, y, z = qpos[frames, start : start + 3].T
    qpos[frames, start : start + 3] = np.stack((x + np.pi, np.pi - y, z + np.pi), axis=1)
    return replace(clip, qpos=qpos)


def flipped(clip, frames=slice(30, 40)):
    """The signs of some root quaternions turned round."""
    qpos = clip.qpos.copy()
    qpos[frames, 3:7] *= -1.0
    return replace(clip, qpos=qpos)


def jumping(frames=60, fps=FPS, speed=3.0):
    """A stiff body thrown up at ``speed`` m/s from standing: parabola of gravity, then it stands."""
    skeleton = body.skeleton()
    qpos = np.tile(skeleton.rest_qpos, (frames, 1))
    t = np.maximum(np.arange(frames) / fps - 0.1, 0.0)
    qpos[:, 2] += np.maximum(speed * t - 0.5 * 9.81 * t**2, 0.0)
    return MotionClip(qpos, fps, skeleton, "jump")


def same_turns(a, b):
    """Largest angle in radians between the turns of bodies of two clips."""
    turns = [clip.skeleton.local_rotations(clip.qpos) for clip in (a, b)]
    return float(rot.angle_between(*turns).max())
