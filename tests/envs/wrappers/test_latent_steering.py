"""The example of a policy in the latent space of a motion VAE: its environment by hand, and one short run."""

import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rlsuite.motion import clip_files

EXAMPLE = Path(__file__).parents[3] / "examples" / "latent_steering.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("latent_steering", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_walking_as_wanted_is_worth_one_and_turning_turns_the_body(example):
    env = example.KinematicBodies(np.zeros((1, 2, 34), np.float32), 30.0, 3)
    env.reset(seed=0)
    env.direction, env.speed = np.array([0.0, math.pi / 2, 0.0]), np.array([1.0, 1.0, 1.5])
    frames = np.zeros((3, 34), np.float32)
    frames[:, 3], frames[:, 5] = 1.0, 30.0 * math.pi / 2  # forward at 1 m/s; a quarter turn in one step
    _, first, *_ = env.step(frames)
    assert first == pytest.approx([1.0, math.exp(-1.0), math.exp(-0.5)])
    assert env.heading == pytest.approx(np.full(3, math.pi / 2))
    _, second, *_ = env.step(frames)
    assert second == pytest.approx([math.exp(-1.0), 1.0, math.exp(-1.0) * math.exp(-0.5)])
    assert (env.past[:, -1] == frames).all() and env.past.shape == (3, 2, 34)


def test_a_short_run_learns_and_leaves_a_clip(tmp_path):
    command = [sys.executable, str(EXAMPLE), "-n", "5760", "--fit-steps", "20", "--out", str(tmp_path / "clip.npz")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    means = [float(line.split()[-5]) for line in done.stdout.splitlines() if "±" in line]
    assert len(means) == 3 and all(0.0 < mean < 1.0 for mean in means)
    assert "codes drawn" in done.stdout and clip_files.load(tmp_path / "clip.npz").fps == 30.0
