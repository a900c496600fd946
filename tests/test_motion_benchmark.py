"""The benchmark of motion runs, and its last line is one JSON object of positive ratios."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "motion.py"


def run(*arguments):
    command = [sys.executable, str(BENCHMARK), "--quick", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ, "MPLBACKEND": "agg"})
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_reading_is_measured_and_peers_read_the_same():
    text, ratios = run("--only", "bvh")
    assert "channels" in text and "clip" in text
    if not ratios:
        pytest.skip("the readers to compare with are not installed: sh benchmarks/bvh_readers_env.sh")
    assert min(ratios.values()) > 0.0
    assert "bvh/clip/over-fastest-quaternions" in ratios


@pytest.mark.slow
def test_sampling_and_retargeting_are_measured():
    _, ratios = run("--only", "sampling", "retarget")
    assert min(ratios.values()) > 0.0
    assert {"kinematics/over-mj_kinematics-loop", "sampling/over-slerp-loop", "retarget/real-time"} <= ratios.keys()
