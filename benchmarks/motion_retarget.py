"""Speed of retargeting against real time, on one core.

Each clip is retargeted to our humanoid with everything on: joint maps, contacts, foot locks, inverse kinematics within
limits, smoothing; then imported, which checks and mends it besides. Real time is the clip's own duration, so a ratio of 10
is ten seconds of motion in one. Time is that of the processor (one thread), and that of the clock beside it: where other
work shares the machine, they differ. The best of the rounds counts; reading the file, and compiling or loading the compiled
loops, do not.

Without files, those of the motion capture folder are taken (RLSUITE_MOCAP, or the one beside the project), and half a
second of the first; without that folder, a synthetic performance of a body of other proportions at 120 frames per second.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from in_turn import floored

from rlsuite.motion import body, editing, formats
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.importing import import_clip, without_calibration_pose, without_held_poses
from rlsuite.motion.retargeting import Report, retarget

FILES = (
    "cmu/bvh/131_01.bvh",
    "cmu/bvh/01_01.bvh",
    "cmu/asf_amc/01_01.amc",
    "amp_npy/amp_humanoid_walk.npy",
    "amp_npy/amp_humanoid_run.npy",
    "amp_npy/amp_humanoid_backflip.npy",
    "loco_mujoco/02-constspeed_reduced_humanoid.npz",
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
    found = [without_calibration_pose(without_held_poses(formats.read(path))) for path in paths]
    found = found or [synthetic(2.0 if quick else 10.0)]
    return [*found, replace(editing.cut(found[0], 1.0, 1.5), name=f"{found[0].name} (part)")]


def timed(clip: MotionClip, rounds: int) -> tuple[float, float, float, Report]:
    """Seconds of the processor and of the clock, and of the processor for an import, the best of ``rounds`` each."""
    processor, clock, imported = [], [], []
    for _ in range(rounds):
        began = time.process_time(), time.perf_counter()
        report = retarget(clip).report
        processor.append(time.process_time() - began[0])
        clock.append(time.perf_counter() - began[1])
        before = time.process_time()
        import_clip(clip)
        imported.append(time.process_time() - before)
    return min(processor), min(clock), min(imported), report


def benchmark(quick: bool, files: list[Path] | None = None) -> dict[str, float]:
    import_clip(synthetic(0.1))  # models and loops compiled and modules loaded before the clock starts
    print(f"{'retargeted clip':<24}{'format':<10}{'frames':>7}{'Hz':>5}{'motion s':>9}{'CPU s':>7}{'x real time':>12}"
          f"{'by the clock':>13}{'import x':>9}{'ends cm (mean, max)':>21}{'slide cm/s (mean, max, all)':>29}"
          f"{'beyond limits':>14}")  # fmt: skip
    ratios: dict[str, float] = {}
    motion = processor = clock = 0.0
    for clip in clips(files or [], quick):
        cpu, wall, imported, report = timed(clip, 1 if quick else 3)
        kind = str(clip.provenance[0].get("format", "")) if clip.provenance else ""
        ends = report.end_effector_error
        length = clip.n_frames / clip.fps
        motion, processor, clock = motion + length, processor + cpu, clock + wall
        print(f"{clip.name:<24}{kind:<10}{clip.n_frames:>7}{clip.fps:>5.0f}{length:>9.2f}{cpu:>7.3f}"
              f"{floored(length / cpu):>12}{floored(length / wall):>13}{floored(length / imported):>9}{ends.mean:>13.2f}, "
              f"{ends.max:>6.2f}{report.slide.mean:>15.2f}, {report.slide.max:>4.2f}, {report.slide_of_all.mean:>4.2f}"
              f"{report.limit_violations:>15}")  # fmt: skip
        name = f"{clip.name}/{kind}".rstrip("/")
        ratios[f"retarget/{name}"], ratios[f"import/{name}"] = floored(length / cpu), floored(length / imported)
    for work in ("retarget", "import"):
        ratios[f"{work}/slowest"] = min(ratio for name, ratio in ratios.items() if name.startswith(f"{work}/"))
    ratios["retarget/real-time"] = floored(motion / processor)
    ratios["retarget/real-time-by-the-clock"] = floored(motion / clock)
    return ratios
