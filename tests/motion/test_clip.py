"""What a clip accepts, and that nobody can change it afterwards."""

import dataclasses

import numpy as np
import pytest

from rlsuite.errors import MotionError
from rlsuite.motion.clip import MotionClip
from tests.motion.models import skeleton_named, swaying

SKELETON = skeleton_named("ours")
REST = np.tile(SKELETON.rest_qpos, (3, 1))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"qpos": np.zeros((3, 34))}, r"\(T, 35\)"),
        ({"qpos": np.zeros((0, 35))}, "at least 1"),
        ({"qpos": REST[0]}, r"\(T, 35\)"),
        ({"qpos": np.where(np.arange(35) == 9, np.nan, REST)}, "frame 0, column 9"),
        ({"fps": 0.0}, "positive"),
        ({"fps": float("nan")}, "positive"),
        ({"loop": "twice"}, "'once' or 'wrap'"),
        ({"qpos": REST[:1], "loop": "wrap"}, "at least 2 frames"),
        ({"contacts": np.zeros((3, 2), bool)}, r"contacts must be \(3, 0\)"),
        ({"confidence": np.ones(2)}, r"confidence must be \(3,\)"),
        ({"confidence": np.array([0.0, 1.0, 1.5])}, "from 0 to 1"),
        ({"confidence": np.array([0.0, 1.0, np.nan])}, "from 0 to 1"),
        ({"startable": np.ones((3, 1), bool)}, r"startable must be \(3,\)"),
    ],
)
def test_what_is_no_motion_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(MotionError, match=message):
        MotionClip(**({"qpos": REST, "fps": 30.0, "skeleton": SKELETON} | fields))


def test_quaternions_become_unit_and_a_copy_of_a_clip_equals_it_to_the_last_bit() -> None:
    qpos = swaying(SKELETON).qpos.copy()
    qpos[:, 3:7] *= np.linspace(0.5, 2.0, len(qpos))[:, None]
    clip = MotionClip(qpos, 30.0, SKELETON)
    np.testing.assert_allclose(np.linalg.norm(clip.qpos[:, 3:7], axis=1), 1.0, atol=1e-15)
    assert (dataclasses.replace(clip, name="copy").qpos == clip.qpos).all()


def test_a_clip_owns_its_arrays() -> None:
    qpos, contacts = REST.copy(), np.zeros((3, 1), bool)
    clip = MotionClip(qpos, 30.0, SKELETON, contacts=contacts, contact_names=("left_foot",))
    qpos[:], contacts[:] = 5.0, True
    assert clip.qpos[0, 0] == 0.0 and not clip.contacts.any()
    for array in (clip.qpos, clip.contacts):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_period_times_and_words() -> None:
    clip = swaying(SKELETON, n=31, loop="wrap", name="sway")
    assert clip.duration == 1.0 and clip.times[-1] == 1.0
    assert repr(clip) == "MotionClip('sway', 31 frames at 30 Hz, 1.00 s, wrap, skeleton 'humanoid')"
    assert clip.with_step("read", file="x").provenance == ({"step": "read", "file": "x"},)
    position, quat = clip.bodies
    assert position.shape == (31, 15, 3) and quat.shape == (31, 15, 4)


def test_an_array_that_nobody_can_change_is_kept_and_any_other_copied() -> None:
    clip = swaying(SKELETON)
    own = clip.qpos.copy()
    own.setflags(write=False)
    assert MotionClip(own, 30.0, clip.skeleton).qpos is own
    view = own[:]
    for other in (own.copy(), view):
        kept = MotionClip(other, 30.0, clip.skeleton).qpos
        assert kept is not other and not np.shares_memory(kept, other)
        np.testing.assert_array_equal(kept, own)


def test_one_quaternion_that_is_not_unit_is_found_anywhere() -> None:
    clip = swaying(SKELETON)
    at = clip.skeleton.quaternions[-1]
    for frame in (0, clip.n_frames - 1):
        off = clip.qpos.copy()
        off[frame, at : at + 4] *= 1.0 + 1e-9
        off.setflags(write=False)
        made = MotionClip(off, 30.0, clip.skeleton)
        assert np.abs(np.linalg.norm(made.qpos[frame, at : at + 4]) - 1.0) < 1e-15
        np.testing.assert_allclose(made.qpos, clip.qpos, rtol=0.0, atol=1e-15)
