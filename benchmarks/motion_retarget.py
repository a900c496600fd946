"""Speed of retargeting against real time, on one core.

Each clip is retargeted to our humanoid with everything on: joint maps, contacts, foot locks, inverse kinematics within
limits, smoothing. Real time is the clip's own duration, so a ratio of 10 is ten seconds of motion in one. Time is that of
the processor (one thread), and that of the clock beside it: where other work shares the machine, they differ. The best of
the rounds counts; reading the file does not.

Without files, those of the motion capture folder are taken (RLSUITE_MOCAP, or the one beside the project); without that
folder, a synthetic performance of a body of other proportions at 120 frames per second.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from in_turn import floored

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


def timed(clip: MotionClip, rounds: int) -> tuple[float, float, Report]:
    """Seconds of the processor and of the clock, the best of ``rounds`` each."""
    processor, clock = [], []
    for _ in range(rounds):
        began = time.process_time(), time.perf_counter()
        report = retarget(clip).report
        processor.append(time.process_time() - began[0])
        clock.append(time.perf_counter() - began[1])
    return min(processor), min(clock), report


def benchmark(quick: bool, files: list[Path] | None = None) -> dict[str, float]:
    retarget(synthetic(0.1))  # models compiled and modules loaded before the clock starts
    print(f"{'retargeted clip':<24}{'format':<10}{'frames':>7}{'Hz':>5}{'motion s':>9}{'CPU s':>7}{'x real time':>12}"
          f"{'by the clock':>13}{'ends cm (mean, max)':>22}{'slide cm/s':>11}{'beyond limits':>14}")  # fmt: skip
    ratios: dict[str, float] = {}
    motion = processor = clock = 0.0
    for clip in clips(files or [], quick):
        cpu, wall, report = timed(clip, 1 if quick else 3)
        kind = str(clip.provenance[0].get("format", "")) if clip.provenance else ""
        ends = report.end_effector_error
        length = clip.n_frames / clip.fps
        motion, processor, clock = motion + length, processor + cpu, clock + wall
        print(f"{clip.name:<24}{kind:<10}{clip.n_frames:>7}{clip.fps:>5.0f}{length:>9.2f}{cpu:>7.2f}"
              f"{floored(length / cpu):>12}{floored(length / wall):>13}{ends.mean:>14.2f}, {ends.max:>6.2f}"
              f"{report.slide_of_all.mean:>11.2f}{report.limit_violations:>14}")  # fmt: skip
        ratios[f"retarget/{clip.name}/{kind}".rstrip("/")] = floored(length / cpu)
    ratios["retarget/real-time"] = floored(motion / processor)
    ratios["retarget/real-time-by-the-clock"] = floored(motion / clock)
    return ratios
