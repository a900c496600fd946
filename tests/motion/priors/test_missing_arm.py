"""The example runs as its users run it, and tells the two models apart."""

import subprocess
import sys
from pathlib import Path

from rlsuite.motion import clip_files

EXAMPLE = Path(__file__).parents[3] / "examples" / "missing_arm.py"


def test_the_orderless_model_puts_the_arm_back_better(tmp_path):
    command = [sys.executable, str(EXAMPLE), "walk", "--steps", "200"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split()[-1] == "walk"
    errors = {row.split()[0]: [float(cell) for cell in row.split()[1:]] for row in rows}
    assert all(0.0 < ours < linear for ours, linear in zip(errors["orderless-nade"], errors["ppca"], strict=True))
    assert {clip_files.load(path).loop for path in (tmp_path / "made").glob("*.npz")} == {"wrap"}
    assert len(list((tmp_path / "made").glob("*.npz"))) == 2
