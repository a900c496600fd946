"""Speed of sampling and forward kinematics, in one run: ``python benchmarks/motion_sampling.py [--quick]``.

(a) forward kinematics of 10 000 poses against a loop over ``mj_kinematics`` that collects the same arrays;
(b) 4096 reference states (pose and velocity) at random times of a library, in one call, against a loop over its frames
    with ``mj_differentiatePos`` and slerp by SciPy, one state at a time;
(c) slerp against splines, and the features of a clip.

Prints a table and, as its last line, one JSON object of named ratios and times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one thread against one thread

import mujoco
import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from rlsuite.motion import body, kinematics, sampling
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.features import PoseFeatures
from rlsuite.motion.library import MotionLibrary

N_POSES, N_STATES = 10_000, 4096


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Median of ``rounds``, after one that is not counted."""
    work()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)


def motion(seed: int, n: int = 300, fps: float = 30.0) -> MotionClip:
    """A smooth cycle of every joint, the root going forward."""
    skeleton, rng = body.skeleton(), np.random.default_rng(seed)
    phase = np.linspace(0.0, 2.0 * np.pi, n)[:, None]
    velocity = 0.4 * np.sin(phase * rng.integers(1, 4, skeleton.nv) + rng.uniform(0, 6, skeleton.nv))
    qpos = sampling.integrate(skeleton, np.tile(skeleton.rest_qpos, (n, 1)), velocity)
    qpos[:, 0] += 1.2 * np.arange(n) / fps
    return MotionClip(skeleton.follow(qpos), fps, skeleton, name=f"motion {seed}", loop="wrap")


def mujoco_loop(model: mujoco.MjModel, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    data = mujoco.MjData(model)
    position, quat = np.empty((len(poses), model.nbody, 3)), np.empty((len(poses), model.nbody, 4))
    for i, pose in enumerate(poses):
        data.qpos[:] = pose
        mujoco.mj_kinematics(model, data)
        position[i], quat[i] = data.xpos, data.xquat
    return position, quat


def state_loop(model: mujoco.MjModel, library: MotionLibrary, which: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The usual loop: joints linearly, the root by slerp, the velocity between the two frames."""
    out, velocity = np.empty((len(which), model.nq)), np.empty(model.nv)
    for i, (clip_id, at) in enumerate(zip(which, times, strict=True)):
        clip = library.clips[clip_id]
        frame = min(int(at * clip.fps), clip.n_frames - 2)
        share = at * clip.fps - frame
        a, b = clip.qpos[frame], clip.qpos[frame + 1]
        out[i] = (1.0 - share) * a + share * b
        ends = Rotation.from_quat([a[3:7], b[3:7]], scalar_first=True)
        out[i, 3:7] = Slerp([0.0, 1.0], ends)(share).as_quat(scalar_first=True)
        mujoco.mj_differentiatePos(model, velocity, 1.0 / clip.fps, a, b)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 5 if parser.parse_args().quick else 25
    model, skeleton = body.model(), body.skeleton()
    library = MotionLibrary([motion(seed) for seed in range(10)])
    rng = np.random.default_rng(0)
    poses = library.qpos[rng.integers(0, len(library.qpos), N_POSES)]
    which, times = library.sample(rng, N_STATES)
    clip = library.clips[0]
    features = PoseFeatures(skeleton)

    position, quat = kinematics.forward(skeleton, poses)
    expected = mujoco_loop(model, poses)
    error = max(float(np.abs(position - expected[0][:, 1:]).max()), float(np.abs(quat - expected[1][:, 1:]).max()))

    table = {
        "forward_kinematics_ms": milliseconds(lambda: kinematics.forward(skeleton, poses), rounds),
        "mujoco_loop_ms": milliseconds(lambda: mujoco_loop(model, poses), rounds),
        "sample_one_clip_ms": milliseconds(lambda: clip.sample(times % clip.duration), rounds),
        "sample_splines_ms": milliseconds(lambda: sampling.sample(clip, times % clip.duration, "spline"), rounds),
        "states_of_library_ms": milliseconds(lambda: library.states(which, times), rounds),
        "state_loop_ms": milliseconds(lambda: state_loop(model, library, which, times), max(1, rounds // 5)),
        "encode_300_frames_ms": milliseconds(lambda: features.encode(clip), rounds),
    }
    print(f"humanoid, {N_POSES} poses, {N_STATES} states; median of {rounds} rounds; agrees with MuJoCo to {error:.1e}")
    for name, value in table.items():
        print(f"  {name.removesuffix('_ms').replace('_', ' '):<24}{value:>10.2f} ms")
    ratios = {
        "forward_kinematics_vs_mujoco_loop": table["mujoco_loop_ms"] / table["forward_kinematics_ms"],
        "states_vs_loop": table["state_loop_ms"] / table["states_of_library_ms"],
    }
    print(json.dumps({**{k: round(v, 2) for k, v in {**ratios, **table}.items()}, "forward_kinematics_error": error}))


if __name__ == "__main__":
    main()
