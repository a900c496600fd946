"""Speed of retargeting against real time, on one core: ``python benchmarks/motion_retarget.py [--quick] [FILE …]``.

Each clip is retargeted to our humanoid with everything on: joint maps, contacts, foot locks, inverse kinematics within
limits, smoothing. Real time is the clip's own duration, so a ratio of 10 is ten seconds of motion in one. Time is that of
the processor (one thread), the best of the rounds; reading the file is not counted.

Without files, those of the motion capture folder are taken (RLSUITE_MOCAP, or the one beside the project); without that
folder, a synthetic performance of a body of other proportions at 120 frames per second.

Prints a table and, as its last line, one JSON object of named ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: one core is what is measured
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from rlsuite.motion import body, formats
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.retargeting import Report, retarget

FILES = (
    "cmu/bvh/131_01.bvh",
    "cmu/bvh/01_01.bvh",
    "cmu/asf_amc/01_01.amc",
    "amp_npy/amp_humanoid_walk.npy",
    "amp_npy/amp_humanoid_run.npy",
    "amp_npy/amp_humanoid_backflip.npy",
)
QUICK = ("cmu/bvh/131_01.bvh", "amp_npy/amp_humanoid_walk.npy")


def synthetic(seconds: float = 10.0, fps: float = 120.0) -> MotionClip:
    """Every joint of a tall body swinging within its limits."""
    skeleton = body.skeleton(body.BodyShape(height=1.8, legs=1.1, arms=0.9))
    rng = np.random.default_rng(0)
    t = np.arange(int(seconds * fps)) / fps
    limits = skeleton.qpos_range[7:]
    swing = 0.3 * np.sin(
        2.0 * np.pi * (rng.uniform(0.3, 0.8, len(limits)) * t[:, None] + rng.uniform(size=len(limits)))
    )
    qpos = np.tile(skeleton.rest_qpos, (len(t), 1))
    qpos[:, 0] += t
    qpos[:, 7:] = np.clip(swing * (limits[:, 1] - limits[:, 0]) / 2.0, limits[:, 0], limits[:, 1])
    return MotionClip(qpos, fps, skeleton, "synthetic")


def clips(paths: list[Path], quick: bool) -> list[MotionClip]:
    if not paths:
        beside = Path(__file__).resolve().parents[2] / "shared/data/mocap"
        folder = Path(os.environ.get("RLSUITE_MOCAP", beside))
        paths = [folder / name for name in (QUICK if quick else FILES) if (folder / name).is_file()]
    return [formats.read(path) for path in paths] or [synthetic(2.0 if quick else 10.0)]


def timed(clip: MotionClip, rounds: int) -> tuple[float, Report]:
    """Seconds of the processor, the best of ``rounds``."""
    best = np.inf
    for _ in range(rounds):
        began = time.process_time()
        report = retarget(clip).report
        best = min(best, time.process_time() - began)
    return float(best), report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path, help="motion files; default: those of the motion capture folder")
    parser.add_argument("--quick", action="store_true", help="two short clips, one round")
    arguments = parser.parse_args()
    retarget(synthetic(0.1))  # models compiled and modules loaded before the clock starts
    print(f"{'clip':<24}{'format':<10}{'frames':>7}{'Hz':>6}{'motion s':>10}{'took s':>8}{'x real time':>12}"
          f"{'ends cm (mean, max)':>22}{'slide cm/s':>11}{'beyond limits':>14}")  # fmt: skip
    ratios: dict[str, float] = {}
    motion = took = 0.0
    for clip in clips(arguments.files, arguments.quick):
        seconds, report = timed(clip, 1 if arguments.quick else 3)
        kind = str(clip.provenance[0].get("format", "")) if clip.provenance else ""
        ends = report.end_effector_error
        length = clip.n_frames / clip.fps
        motion, took = motion + length, took + seconds
        print(f"{clip.name:<24}{kind:<10}{clip.n_frames:>7}{clip.fps:>6.0f}{length:>10.2f}{seconds:>8.2f}"
              f"{length / seconds:>12.1f}{ends.mean:>14.2f}, {ends.max:>6.2f}{report.slide_of_all.mean:>11.2f}"
              f"{report.limit_violations:>14}")  # fmt: skip
        ratios[f"retarget/{clip.name}/{kind}".rstrip("/")] = round(length / seconds, 1)
    ratios["retarget/real-time"] = round(motion / took, 1)
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
