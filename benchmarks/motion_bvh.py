"""Reading BVH: the suite beside the Python readers of the package index, on the same file, in turn.

``channels`` is what the peers do too: the hierarchy and an array of the numbers as they stand. ``clip`` also makes unit
quaternions in metres, Z up and X forward, with units and axes judged; nearest to it are the peers that end in
quaternions too, bvhio and pybvh with its own conversion. ``plain`` is ``channels`` without compiled loops, which is what
a fresh process uses on small files. Every peer must have read the same numbers as we.

The peers live in an environment of their own: ``sh benchmarks/bvh_readers_env.sh`` makes it in ``.venv-bvh-readers``;
without it only our own times are given. ``bvh`` and ``bvhtoolbox`` leave the numbers as text, and are not charged for
converting them.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from in_turn import in_turn, ratio, timed

from rlsuite.motion import formats
from rlsuite.motion.formats import bvh, euler_channels, number_rows

HERE = Path(__file__).resolve().parent
PEER_PYTHON = HERE.parent / ".venv-bvh-readers" / "bin" / "python"
QUATERNIONS = {"pybvh, quaternions", "bvhio"}
Ask = Callable[..., float]  # task, reader, path and perhaps where to save: seconds


def synthetic(path: Path, n_frames: int, n_joints: int = 31) -> None:
    """A file like those of the CMU database: 31 joints, 96 channels, four decimals."""
    lines = ["HIERARCHY", "ROOT Hips", "{", "\tOFFSET 0 0 0"]
    lines += ["\tCHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation"]
    depth = (n_joints - 1) // 5
    for limb in range(5):
        for i in range(depth):
            tab = "\t" * (i + 1)
            lines += [f"{tab}JOINT Limb{limb}Joint{i}", tab + "{", f"{tab}\tOFFSET 1.5 -3.25 0.5"]
            lines += [f"{tab}\tCHANNELS 3 Zrotation Yrotation Xrotation"]
        tab = "\t" * (depth + 1)
        lines += [tab + "End Site", tab + "{", f"{tab}\tOFFSET 0 -1 0", tab + "}"]
        lines += ["\t" * (i + 1) + "}" for i in reversed(range(depth))]
    lines += ["}", "MOTION", f"Frames: {n_frames}", "Frame Time: .0083333"]
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(n_frames, 3 * n_joints + 3)).cumsum(axis=0)
    row = " ".join(["%.4f"] * steps.shape[1])
    lines += [row % tuple(values) for values in (180.0 * np.sin(steps / 40.0)).tolist()]
    path.write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def peers() -> Iterator[tuple[dict[str, str], Ask]]:
    """Versions of the readers that are installed, by name, and how to set them to work."""
    if not PEER_PYTHON.exists():
        print("no readers to compare with: sh benchmarks/bvh_readers_env.sh installs them")
        yield {}, lambda *_: 0.0
        return
    command = [str(PEER_PYTHON), str(HERE / "bvh_readers.py")]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        given, answers = process.stdin, process.stdout

        def ask(*task: object) -> float:
            print(*task, sep="\t", file=given, flush=True)
            return float(answers.readline())

        found = json.loads(answers.readline())
        for name, why in found["missing"].items():
            print(f"{name}: skipped, cannot be imported ({why})")
        yield found["versions"], ask
        given.close()


def agrees(ours: tuple[Any, np.ndarray], theirs: np.ndarray) -> bool:
    """Whether a peer read the same numbers, or made the same rotations of them."""
    hierarchy, channels = ours
    if theirs.ndim == 2:
        return theirs.shape == channels.shape and np.allclose(theirs, channels, rtol=0.0, atol=1e-9)
    turned = [
        euler_channels.quaternions(np.radians(channels[:, joint.columns("xyz")]), joint.rotations)
        for joint in hierarchy.joints
    ]
    cosine = np.abs(np.sum(np.stack(turned, axis=1) * theirs, axis=-1))
    return bool(np.all(cosine > 1.0 - 1e-6))  # single precision


def plain(path: Path) -> Any:
    with mock.patch.object(number_rows, "worth_compiling", return_value=False):
        return bvh.read_channels(path)


def benchmark(quick: bool, file: Path | None = None) -> dict[str, float]:
    """Times of all readers on one file, and the suite's ratios to each peer."""
    import numba  # noqa: F401  (compiled loops, as in any process that trains or plans)

    rounds = 5 if quick else 15
    with tempfile.TemporaryDirectory() as folder, peers() as (versions, ask):
        path = file or Path(folder) / "synthetic.bvh"
        if file is None:
            synthetic(path, 2_000 if quick else 8_000)
        own: dict[str, Callable[[Path], Any]] = {"channels": bvh.read_channels, "clip": formats.read, "plain": plain}
        clocks = {name: timed(lambda reader=reader: reader(path)) for name, reader in own.items()}  # type: ignore[misc]
        ours = bvh.read_channels(path)
        for name in versions:
            saved = Path(folder) / "read.npy"
            ask("save", name, path, saved)
            if not agrees(ours, np.load(saved)):
                raise AssertionError(f"{name} read other numbers")
            clocks[name] = lambda name=name: ask("time", name, path)  # type: ignore[misc]
        times = in_turn(clocks, rounds)
        size, shape = path.stat().st_size / 1e6, ours[1].shape
    print(
        f"reading {shape[0]} frames of {shape[1]} channels, {size:.1f} MB, {rounds} rounds; all read the same numbers"
    )
    print(f"{'reader':<24}{'CPU ms':>10}{'MB/s':>8}{'x channels':>12}{'x clip':>10}")
    ratios: dict[str, float] = {}
    for name, taken in times.items():
        middle = statistics.median(taken)
        over = {kind: ratio(taken, times[kind]) for kind in ("channels", "clip")}
        package, comma, made = name.partition(",")
        label = f"{package} {versions.get(name, '')}{comma}{made}"
        print(f"{label:<24}{1e3 * middle:>10.2f}{size / middle:>8.0f}{over['channels']:>12}{over['clip']:>10}")
        if name in versions:
            ratios |= {f"bvh/{kind}/over-{name}": factor for kind, factor in over.items()}
    if versions:
        fastest = min(versions, key=lambda name: statistics.median(times[name]))
        ratios |= {f"bvh/{kind}/over-fastest": ratios[f"bvh/{kind}/over-{fastest}"] for kind in ("channels", "clip")}
        turned = min(QUATERNIONS & versions.keys(), key=lambda name: statistics.median(times[name]))
        ratios["bvh/clip/over-fastest-quaternions"] = ratios[f"bvh/clip/over-{turned}"]
        print(f"the fastest peer is {fastest}; the fastest that gives quaternions, {turned}")
    return ratios
