"""Reading BVH: the suite beside the Python readers of the package index, on the same file, in one process.

``channels`` is what the peers do too: the hierarchy and an array of the numbers as they stand. ``clip`` also makes unit
quaternions in metres, Z up and X forward, with units and axes judged; no peer does. ``plain`` is ``clip`` without
compiled loops, which is what a fresh process uses on small files. Peers that are not installed are skipped
(``pip install bvh bvhio bvhtoolbox upc-pymotion pybvh``); rounds alternate between readers, and medians of the ratios
of one round are given, so that a busy machine disturbs all alike.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from rlsuite.motion import formats
from rlsuite.motion.formats import bvh, number_rows

Reader = Callable[[Path], Any]


def synthetic(path: Path, n_frames: int, n_joints: int = 31) -> None:
    """A file like those of the CMU database: 31 joints, 96 channels, four decimals."""
    lines = ["HIERARCHY", "ROOT Hips", "{", "OFFSET 0 0 0"]
    lines += ["CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"]
    for limb in range(5):
        names = [f"Limb{limb}Joint{i}" for i in range((n_joints - 1) // 5)]
        for name in names:
            lines += [f"JOINT {name}", "{", "OFFSET 1.5 -3.25 0.5", "CHANNELS 3 Zrotation Yrotation Xrotation"]
        lines += ["End Site", "{", "OFFSET 0 -1 0", "}", *("}" for _ in names)]
    lines += ["}", "MOTION", f"Frames: {n_frames}", "Frame Time: .0083333"]
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(n_frames, 3 * n_joints + 3)).cumsum(axis=0)
    row = " ".join(["%.4f"] * steps.shape[1])
    lines += [row % tuple(values) for values in (180.0 * np.sin(steps / 40.0)).tolist()]
    path.write_text("\n".join(lines) + "\n")


def peers() -> dict[str, Reader]:
    """Readers that are installed, each doing the least that gives the hierarchy and the numbers."""
    found: dict[str, Reader] = {}
    readers: dict[str, tuple[str, Callable[[Any], Reader]]] = {
        "pybvh": ("pybvh", lambda module: module.read_bvh_file),
        "upc-pymotion": ("pymotion.io.bvh", lambda module: lambda path: module.BVH().load(str(path))),
        "bvhtoolbox": ("bvhtoolbox", lambda module: lambda path: module.BvhTree(path.read_text())),
        "bvh": ("bvh", lambda module: lambda path: module.Bvh(path.read_text()).frames),
        "bvhio": ("bvhio", lambda module: lambda path: module.readAsBvh(str(path))),
    }
    for name, (module, reader) in readers.items():
        try:
            found[name] = reader(importlib.import_module(module))
        except ImportError as error:
            print(f"{name}: skipped, not installed ({error})")
    return found


def plain(path: Path) -> Any:
    with mock.patch.object(number_rows, "worth_compiling", return_value=False):
        return formats.read(path)


def seconds(reader: Reader, path: Path) -> float:
    start = time.perf_counter()
    reader(path)
    return time.perf_counter() - start


def benchmark(quick: bool, file: Path | None = None) -> dict[str, float]:
    """Times of all readers on one file, and the suite's ratios to each peer."""
    import numba  # noqa: F401  (compiled loops, as in any process that trains or plans)

    rounds = 5 if quick else 11
    with tempfile.TemporaryDirectory() as folder:
        path = file or Path(folder) / "synthetic.bvh"
        if file is None:
            synthetic(path, 2_000 if quick else 8_000)
        others = peers()
        readers: dict[str, Reader] = {"channels": bvh.read_channels, "clip": formats.read, "plain": plain} | others
        size = path.stat().st_size
        for reader in readers.values():  # compiled, imported, in the cache of the disk
            reader(path)
        times: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(rounds):
            for name, reader in readers.items():
                times[name].append(
                    min(seconds(reader, path) for _ in range(1 if name in ("bvh", "bvhio", "bvhtoolbox") else 3))
                )
        clip = formats.read(path)
    print(f"\nreading {clip.n_frames} frames of {clip.skeleton.nbody} joints, {size / 1e6:.1f} MB, {rounds} rounds")
    print(f"{'reader':<16}{'ms':>10}{'MB/s':>10}{'channels is faster by':>24}{'clip is faster by':>20}")
    ratios: dict[str, float] = {}
    for name, taken in times.items():
        middle = statistics.median(taken)
        factors = {
            ours: statistics.median(t / o for t, o in zip(taken, times[ours], strict=True))
            for ours in ("channels", "clip")
        }
        print(
            f"{name:<16}{1e3 * middle:>10.2f}{size / 1e6 / middle:>10.0f}"
            f"{factors['channels']:>24.1f}{factors['clip']:>20.1f}"
        )
        if name in others:
            ratios |= {f"bvh/{ours}/over-{name}": round(factor, 1) for ours, factor in factors.items()}
    if others:
        fastest = min(others, key=lambda name: statistics.median(times[name]))
        ratios["bvh/channels/over-fastest"] = ratios[f"bvh/channels/over-{fastest}"]
        print(f"the fastest peer is {fastest}")
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute: a smaller file, fewer rounds")
    parser.add_argument("--file", type=Path, help="a BVH file to read instead of a synthetic one")
    arguments = parser.parse_args()
    print(json.dumps(benchmark(arguments.quick, arguments.file)))


if __name__ == "__main__":
    main()
