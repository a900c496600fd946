"""Real motion capture for tests that want it: present beside the project where we build it, absent elsewhere."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mocap() -> Path:
    folder = Path(os.environ.get("RLSUITE_MOCAP", Path(__file__).parents[2] / "shared/data/mocap"))
    if not folder.is_dir():
        pytest.skip(f"no motion capture at {folder}; RLSUITE_MOCAP names another folder")
    return folder
