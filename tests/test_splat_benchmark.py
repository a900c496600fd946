"""The benchmark of splatting runs: the ways of drawing agree, and its last line is of ratios."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "splat.py"


@pytest.mark.slow
def test_quick_benchmark_asserts_equal_pictures_and_ends_in_its_ratios() -> None:
    done = subprocess.run([sys.executable, str(BENCHMARK), "--quick"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ratios = json.loads(done.stdout.splitlines()[-1])
    assert set(ratios) == {
        f"splat/64/{name}" for name in ("over-dense-tiles", "over-dense", "forward/over-dense-tiles")
    }
    assert all(value > 1.0 for value in ratios.values())
