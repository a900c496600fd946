"""Which motions are imitated as they are, and which are put onto the humanoid first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rlsuite.experiments.imitation.preparing import beyond_limits, prepare
from rlsuite.motion import catalogue, clip_files


@pytest.mark.parametrize(("bent", "taken"), [(0.15, True), (0.4, False)])
def test_a_clip_beyond_the_joint_limits_is_brought_within_them(tmp_path: Path, bent: float, taken: bool) -> None:
    wave = catalogue.find("wave")
    skeleton, qpos = wave.skeleton, wave.qpos[:40].copy()
    (knee,) = (j for j in skeleton.joints_of[skeleton.body_names.index("right_shin")])
    column = skeleton.qpos_address[knee]
    low, high = skeleton.qpos_range[column]
    away = bent * np.hanning(len(qpos))
    qpos[:, column] = np.where(abs(low) < abs(high), low - away, high + away)  # overstretched for a moment
    path = tmp_path / "overstretched.npz"
    clip_files.save(replace(wave, qpos=qpos, loop="once", contacts=None, contact_names=(), startable=None), path)

    clip, read, imported = prepare(path)

    assert (imported is None) == taken
    np.testing.assert_allclose(beyond_limits(read), bent, atol=0.01)
    if taken:
        np.testing.assert_array_equal(clip.qpos, qpos)
    else:
        assert beyond_limits(clip) < 1e-3
        assert clip.name == "overstretched"


def test_shipped_clips_are_taken_as_they_are() -> None:
    assert all(prepare(name)[2] is None for name in catalogue.manifest())
