"""Forward kinematics and sampling of reference states, vectorised, beside the loops that one writes without.

- 10 000 poses against a loop over ``mj_kinematics`` that collects the same arrays, and against our twin in torch;
- 4096 reference states (pose and velocity) at random times of a library in one call, against a loop over states with
  SciPy's slerp, for all joints of three hinges as we do it, and for the root alone, which is less work and not the
  same poses.

All other results must agree; one thread each.
"""

from __future__ import annotations

import statistics

import mujoco
import numpy as np
import torch
from in_turn import in_turn, ratio, timed
from scipy.spatial.transform import Rotation, Slerp

from rlsuite.motion import body, kinematics, kinematics_torch, sampling
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.features import PoseFeatures
from rlsuite.motion.library import MotionLibrary

N_POSES, N_STATES = 10_000, 4096
Array = np.ndarray


def motion(seed: np.random.SeedSequence, n: int = 300, fps: float = 30.0) -> MotionClip:
    """A smooth cycle of every joint, the root going forward."""
    skeleton, rng = body.skeleton(), np.random.default_rng(seed)
    phase = np.linspace(0.0, 2.0 * np.pi, n)[:, None]
    velocity = 0.4 * np.sin(phase * rng.integers(1, 4, skeleton.nv) + rng.uniform(0, 6, skeleton.nv))
    qpos = sampling.integrate(skeleton, np.tile(skeleton.rest_qpos, (n, 1)), velocity)
    qpos[:, 0] += 1.2 * np.arange(n) / fps
    return MotionClip(skeleton.follow(qpos), fps, skeleton, name="motion", loop="wrap")


def mujoco_loop(model: mujoco.MjModel, poses: Array) -> tuple[Array, Array]:
    data = mujoco.MjData(model)
    position, quat = np.empty((len(poses), model.nbody, 3)), np.empty((len(poses), model.nbody, 4))
    for i, pose in enumerate(poses):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        position[i], quat[i] = data.xpos, data.xquat
    return position[:, 1:], quat[:, 1:]


def state_loop(library: MotionLibrary, which: Array, times: Array, spherical: bool) -> tuple[Array, Array]:
    """The usual loop: velocities and lone hinges linearly, the root by slerp; hinge triples too where ``spherical``."""
    skeleton = library.skeleton
    triples = [[skeleton.qpos_address[j] for j in skeleton.joints_of[body]] for body in skeleton.spherical_hinges]
    poses, velocities = np.empty((len(which), skeleton.nq)), np.empty((len(which), skeleton.nv))
    for i, (clip_id, at) in enumerate(zip(which, times, strict=True)):
        clip = library.clips[clip_id]
        frame = min(int(at * clip.fps), clip.n_frames - 2)
        share = at * clip.fps - frame
        a, b = clip.qpos[frame], clip.qpos[frame + 1]
        poses[i] = (1.0 - share) * a + share * b
        root = Slerp([0.0, 1.0], Rotation.from_quat([a[3:7], b[3:7]], scalar_first=True))
        poses[i, 3:7] = root(share).as_quat(scalar_first=True)
        if spherical:  # all of them at once: Slerp takes one joint at a time
            start, end = Rotation.from_euler("XYZ", a[triples]), Rotation.from_euler("XYZ", b[triples])
            arc = Rotation.from_rotvec(share * (start.inv() * end).as_rotvec())
            poses[i, triples] = (start * arc).as_euler("XYZ")
        velocities[i] = (1.0 - share) * clip.qvel[frame] + share * clip.qvel[frame + 1]
    return poses, velocities


def distance(ours: tuple[Array, Array], theirs: tuple[Array, Array]) -> float:
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in zip(ours, theirs, strict=True))


def same_poses(ours: Array, theirs: Array) -> Array:
    """``theirs`` with the signs that the root's quaternions have in ``ours``: q and -q are one rotation."""
    theirs = theirs.copy()
    theirs[:, 3:7] *= np.sign(np.sum(ours[:, 3:7] * theirs[:, 3:7], axis=1, keepdims=True))
    return theirs


def benchmark(quick: bool) -> dict[str, float]:
    rounds = 3 if quick else 15
    torch.set_num_threads(1)
    model, skeleton = body.model(), body.skeleton()
    seeds = np.random.SeedSequence(0).spawn(11)
    library = MotionLibrary([motion(seed) for seed in seeds[1:]])
    rng = np.random.default_rng(seeds[0])
    poses = library.qpos[rng.integers(0, len(library.qpos), N_POSES)]
    tensor = torch.from_numpy(poses)
    which, times = library.sample(rng, N_STATES)
    clip, features = library.clips[0], PoseFeatures(skeleton)

    ours = kinematics.forward(skeleton, poses)
    by_torch = kinematics_torch.forward(skeleton, tensor)
    states, looped = library.states(which, times), state_loop(library, which, times, spherical=True)
    errors = {
        "mj_kinematics": distance(ours, mujoco_loop(model, poses)),
        "torch": distance(ours, (by_torch[0].numpy(), by_torch[1].numpy())),
        "slerp loop": distance(states, (same_poses(states[0], looped[0]), looped[1])),
    }
    if max(errors.values()) > 1e-9:
        raise AssertionError(f"results differ: {errors}")

    taken = in_turn(
        {
            "forward kinematics": timed(lambda: kinematics.forward(skeleton, poses)),
            "loop over mj_kinematics": timed(lambda: mujoco_loop(model, poses)),
            "torch twin": timed(lambda: kinematics_torch.forward(skeleton, tensor)),
            "states of a library": timed(lambda: library.states(which, times)),
            "loop, all by slerp": timed(lambda: state_loop(library, which, times, spherical=True)),
            "loop, root by slerp": timed(lambda: state_loop(library, which, times, spherical=False)),
            "one clip, slerp": timed(lambda: clip.sample(times % clip.duration)),
            "one clip, splines": timed(lambda: sampling.sample(clip, times % clip.duration, "spline")),
            "features of 300 frames": timed(lambda: features.encode(clip)),
        },
        rounds,
    )
    print(
        f"the humanoid, {N_POSES} poses, {N_STATES} states, {rounds} rounds; results agree to {max(errors.values()):.0e}"
    )
    print(f"{'work':<26}{'CPU ms':>10}")
    for name, seconds in taken.items():
        print(f"{name:<26}{1e3 * statistics.median(seconds):>10.2f}")
    return {
        "kinematics/over-mj_kinematics-loop": ratio(taken["loop over mj_kinematics"], taken["forward kinematics"]),
        "kinematics/over-torch-twin": ratio(taken["torch twin"], taken["forward kinematics"]),
        "sampling/over-slerp-loop": ratio(taken["loop, all by slerp"], taken["states of a library"]),
        "sampling/over-loop-with-root-slerp": ratio(taken["loop, root by slerp"], taken["states of a library"]),
    }
