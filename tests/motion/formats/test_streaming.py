"""Long files are read in blocks: memory goes by the frames that are kept, not by the text."""

import itertools
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rlsuite.motion.formats import acclaim, bvh

LINKS = 15
BLOCKS = 60e6  # bytes: a block of text, taken apart


def write_bvh(path: Path, frames: int) -> Path:
    """A chain of joints that all swing, the root walking."""
    tree = "HIERARCHY\nROOT link0\n{\nOFFSET 0 90 0\n"
    tree += "CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation\n"
    for i in range(1, LINKS):
        tree += f"JOINT link{i}\n{{\nOFFSET 0 10 0\nCHANNELS 3 Zrotation Yrotation Xrotation\n"
    tree += "End Site\n{\nOFFSET 0 10 0\n}\n" + "}\n" * LINKS
    rows = [f"{t * 1e-3:.4f} 90.0000 0.0000 " + " ".join(f"{angle:.4f}" for angle in swing) for t, swing in _swings()]
    with path.open("w") as file:
        file.write(f"{tree}MOTION\nFrames: {frames}\nFrame Time: 0.00833333\n")
        file.writelines(f"{row}\n" for row in itertools.islice(itertools.cycle(rows), frames))
    return path


def write_amc(path: Path, frames: int) -> Path:
    """The same chain as ASF and AMC."""
    axis = "axis 0 0 0 XYZ\n"
    bones = "".join(
        f"begin\nid {i}\nname link{i}\ndirection 0 1 0\nlength 10\n{axis}dof rx ry rz\nend\n" for i in range(1, LINKS)
    )
    chain = "root link1\n" + "".join(f"link{i} link{i + 1}\n" for i in range(1, LINKS - 1))
    path.with_suffix(".asf").write_text(
        ":version 1.10\n:name chain\n:units\nmass 1.0\nlength 0.45\nangle deg\n:root\norder TX TY TZ RX RY RZ\naxis XYZ\n"
        f"position 0 0 0\norientation 0 0 0\n:bonedata\n{bones}:hierarchy\nbegin\n{chain}end\n"
    )
    with path.open("w") as file:
        file.write(":FULLY-SPECIFIED\n:DEGREES\n")
        poses = [
            f"root {t * 1e-3:.4f} 20 0 {s[0]:.4f} {s[1]:.4f} {s[2]:.4f}\n"
            + "".join(f"link{i} {s[3 * i]:.4f} {s[3 * i + 1]:.4f} {s[3 * i + 2]:.4f}\n" for i in range(1, LINKS))
            for t, s in _swings()
        ]
        file.writelines(f"{t + 1}\n{pose}" for t, pose in enumerate(itertools.islice(itertools.cycle(poses), frames)))
    return path


def _swings() -> list[tuple[int, list[float]]]:
    t = np.arange(100)[:, None]
    swings = 40.0 * np.sin(2.0 * np.pi * t / 100.0 + np.arange(3 * LINKS))
    return list(enumerate(swings.tolist()))


Write, Read = Callable[[Path, int], Path], Callable[..., object]
FORMATS = [(write_bvh, bvh.read, "bvh"), (write_amc, acclaim.read, "amc")]


def peak(read: Read, path: Path, **options: int) -> float:
    """Bytes allocated at once while the file is read, at most."""
    tracemalloc.start()
    try:
        read(path, **options)
        return float(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("write", "read", "suffix"), FORMATS, ids=[f[2] for f in FORMATS])
def test_memory_goes_by_the_frames_kept(write: Write, read: Read, suffix: str, tmp_path: Path) -> None:
    frames = 10_000
    path = write(tmp_path / f"long.{suffix}", frames)
    kept = 8.0 * frames * (7 + 4 * (LINKS - 1))
    assert path.stat().st_size > kept / 2
    assert peak(read, path) < 4.0 * kept + BLOCKS
    assert peak(read, path, start=frames - 10) < BLOCKS


@pytest.mark.slow
@pytest.mark.parametrize(("write", "suffix"), [(write_bvh, "bvh"), (write_amc, "amc")], ids=["bvh", "amc"])
def test_a_million_frames(write: Write, suffix: str, tmp_path: Path) -> None:
    frames = 1_000_000
    path = write(tmp_path / f"long.{suffix}", frames)
    code = (
        "import resource, sys; from rlsuite.motion import formats; clip = formats.read(sys.argv[1]);"
        "print(clip.n_frames, clip.qpos.nbytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    n, size, kilobytes = map(int, done.stdout.split())
    assert n == frames
    assert 1024 * kilobytes < 4.0 * size + 400e6
