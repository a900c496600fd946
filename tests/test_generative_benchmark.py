"""The benchmark of generative models runs: its outputs agree with the usual way's, and its last line is of numbers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "generative.py"
OURS = {"made", "maf", "nade", "wavenet", "transformer", "pixelcnn", "gated-pixelcnn"}


@pytest.mark.slow
def test_quick_benchmark_asserts_equal_outputs_and_ends_in_its_ratios() -> None:
    done = subprocess.run([sys.executable, str(BENCHMARK), "--quick"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ratios = json.loads(done.stdout.splitlines()[-1])
    assert {name.split("/")[0] for name in ratios} >= OURS
    assert all(value > 0.0 for value in ratios.values())
    for sampler in ("ddim", "dpm-solver++", "heun"):  # exact figures: more evaluations, less error
        errors = [ratios[f"diffusion/{sampler}/error-at-{budget}"] for budget in (10, 20, 50, 100)]
        assert errors == sorted(errors, reverse=True)
