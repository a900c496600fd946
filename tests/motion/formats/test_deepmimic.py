"""DeepMimic's JSON against forward kinematics computed here from its own character file."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import body, hinge_angles, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats import deepmimic, detect, read, write
from rlsuite.motion.skeleton import Skeleton

CLIPS = (
    "backflip", "cartwheel", "crawl", "dance_a", "getup_facedown", "getup_faceup", "jump", "kick", "punch", "roll",
    "run", "spin", "spinkick", "stealthy_walk", "walk",
)  # fmt: skip
OURS = {"root": "pelvis", "chest": "torso", "neck": "head"} | {
    f"{side}_{theirs}": f"{side}_{ours}"
    for side in ("right", "left")
    for theirs, ours in (
        ("hip", "thigh"), ("knee", "shin"), ("ankle", "foot"), ("shoulder", "upper_arm"), ("elbow", "lower_arm"),
        ("wrist", "hand"),
    )
}  # fmt: skip


def character_positions(character: Path, frames: np.ndarray) -> dict[str, np.ndarray]:
    """Joint -> ``(T, 3)`` in DeepMimic's world (Y up), from the attachments and types of the character file."""
    at, position, turn = 1, {}, {}
    joints = json.loads(character.read_text())["Skeleton"]["Joints"]
    for joint in joints:
        assert (joint["AttachThetaX"], joint["AttachThetaY"], joint["AttachThetaZ"]) == (0, 0, 0)
        name = joint["Name"]
        if joint["Parent"] < 0:
            position[name], at = frames[:, 1:4], 4
        else:
            parent = joints[joint["Parent"]]["Name"]
            offset = [joint["AttachX"], joint["AttachY"], joint["AttachZ"]]
            position[name] = position[parent] + turn[parent].apply(offset)
        if joint["Type"] in ("none", "spherical"):
            local, at = Rotation.from_quat(frames[:, at : at + 4], scalar_first=True), at + 4
        elif joint["Type"] == "revolute":
            local, at = Rotation.from_rotvec(frames[:, at, None] * [0.0, 0.0, 1.0]), at + 1
        else:
            local = Rotation.identity(len(frames))
        turn[name] = local if joint["Parent"] < 0 else turn[parent] * local
    assert at == frames.shape[1] == 44
    return position


@pytest.mark.parametrize("name", CLIPS)
def test_positions_are_those_of_the_character_file(mocap: Path, name: str) -> None:
    path = mocap / f"deepmimic/motions/humanoid3d_{name}.txt"
    frames = np.array(json.loads(path.read_text())["Frames"])
    expected = character_positions(mocap / "deepmimic/characters/humanoid3d.txt", frames)
    clip = read(path)
    assert detect(path) == "deepmimic" and clip.name == name
    assert clip.skeleton is body.skeleton()
    assert clip.duration == pytest.approx(frames[:-1, 0].sum(), rel=1e-4)
    # where frames last differently the clip is resampled, and only its ends are frames of the file
    rows = slice(None) if clip.n_frames == len(frames) else [0, -1]
    for theirs, ours in OURS.items():
        x, y, z = expected[theirs].T
        got = clip.bodies[0][:, clip.skeleton.body(ours)]
        np.testing.assert_allclose(got[rows], np.stack((x, -z, y), axis=1)[rows], rtol=0, atol=1e-6, err_msg=ours)


def test_the_roll_has_one_long_frame_and_is_resampled(mocap: Path) -> None:
    clip = read(mocap / "deepmimic/motions/humanoid3d_roll.txt")
    assert clip.n_frames == 122 and clip.fps == pytest.approx(60.0, rel=1e-3)
    assert "resampled" in clip.provenance[0]["notes"][0]


@pytest.mark.parametrize("name", ["walk", "backflip", "getup_faceup", "roll"])
def test_round_trip(mocap: Path, tmp_path: Path, name: str) -> None:
    clip = read(mocap / f"deepmimic/motions/humanoid3d_{name}.txt")
    write(clip, tmp_path / "again.txt")
    again = read(tmp_path / "again.txt")
    assert (again.loop, again.wrap_heading, again.n_frames) == (clip.loop, clip.wrap_heading, clip.n_frames)
    assert again.fps == pytest.approx(clip.fps, rel=1e-6)
    np.testing.assert_allclose(again.bodies[0], clip.bodies[0], rtol=0, atol=1e-3)
    assert rot.angle_between(again.bodies[1], clip.bodies[1]).max() < 1e-4


def random_clip(seed: int = 0, n: int = 40) -> MotionClip:
    skeleton, rng = body.skeleton(), np.random.default_rng(seed)
    velocity = 0.05 * rng.normal(size=(n, skeleton.nv)).cumsum(axis=0)
    qpos = sampling.integrate(skeleton, skeleton.rest_qpos, velocity)
    return MotionClip(skeleton.follow(qpos), 30.0, skeleton, loop="wrap", wrap_heading=True)


def test_round_trip_of_any_motion(tmp_path: Path) -> None:
    clip = random_clip()
    deepmimic.write(clip, tmp_path / "any.txt")
    again = read(tmp_path / "any.txt")
    assert again.fps == 30.0 and again.loop == "wrap" and again.wrap_heading
    np.testing.assert_allclose(again.qpos, clip.qpos, rtol=0, atol=1e-6)


def test_frames_of_different_durations_are_interpolated(tmp_path: Path) -> None:
    clip = random_clip(n=4)
    deepmimic.write(clip, tmp_path / "a.txt")
    document = json.loads((tmp_path / "a.txt").read_text())
    for frame, duration in zip(document["Frames"], (0.1, 0.2, 0.1, 0.0), strict=True):
        frame[0] = duration
    (tmp_path / "a.txt").write_text(json.dumps(document))
    got = read(tmp_path / "a.txt")
    assert got.n_frames == 5 and got.fps == pytest.approx(10.0)
    np.testing.assert_allclose(got.qpos[[0, 1, 3, 4]], clip.qpos, rtol=0, atol=1e-6)
    between = sampling.interpolate(clip.skeleton, clip.qpos[1], clip.qpos[2], 0.5)
    np.testing.assert_allclose(got.qpos[2], between, rtol=0, atol=1e-6)


def test_clips_of_other_bodies_are_not_written(tmp_path: Path) -> None:
    skeleton: Skeleton = body.skeleton(body.BodyShape(height=1.8))
    clip = MotionClip(skeleton.rest_qpos[None], 30.0, skeleton)
    with pytest.raises(MotionError, match="retarget"):
        deepmimic.write(clip, tmp_path / "x.txt")


def frame(**changes: float) -> list[float]:
    row = [0.0] * 44
    row[0] = 0.1
    for at in deepmimic.SPHERICAL.values():
        row[at] = 1.0
    for key, value in changes.items():
        row[int(key[1:])] = value
    return row


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Frames"),
        ("{}", "Frames"),
        ('{"Loop": "none", "Frames": []}', "frame 0"),
        ('{"Loop": "none", "Frames": [[1, 2, 3]]}', "frame 0 has 3 entries; expected 44"),
        ('{"Loop": "none",\n "Frames":\n [' + json.dumps(frame()) + ",\n[1, NaN]]}", "line 4: frame 1"),
        (json.dumps({"Loop": "spin", "Frames": [frame(), frame()]}), "'spin'.*expected"),
        (json.dumps({"Loop": "wrap", "Frames": [frame()]}), "at least 2"),
        (json.dumps({"Frames": [frame(_0=0.0), frame()]}), "frame 0 lasts 0 s"),
        (json.dumps({"Frames": [frame(_0=1e-3), *[frame(_0=1e-4)] * 2, frame(_0=1e9), frame()]}), "1e\\+09"),
        (json.dumps({"Frames": [frame(_8=0.0)]}), "torso.*length 0"),
        (json.dumps({"Frames": [frame(_2=1e7)]}), "at most"),
        ('{"Loop": "none", "Frames": [' + json.dumps(frame()), "does not end"),
        ('{"Loop": "none", "Frames": [' + json.dumps(frame()) + "]", "not JSON"),
        ("[" * 60_000 + '"Frames": [' + json.dumps(frame()) + "]", "not JSON"),
        ('{"a": "' + "x" * 100_000 + '", "Frames": [' + json.dumps(frame()) + "]}", "beside the frames"),
    ],
)  # fmt: skip
def test_malformed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(MotionFormatError, match=message) as caught:
        deepmimic.read(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MotionFormatError, match="no such file"):
        deepmimic.read(tmp_path / "none.txt")
    with pytest.raises(MotionFormatError, match="cannot be read"):
        deepmimic.read(tmp_path)


def test_hinges_keep_within_their_range_where_a_path_without_leaps_can(mocap: Path) -> None:
    """Out of gimbal lock the two sets of angles lie half a turn apart, so each clip has two paths for each triple.

    Of the frames that stay outside, more than half turn further than the range in either set; the others are within it
    only on the far side of a leap.
    """
    skeleton = body.skeleton()
    followed = kept = neither = 0
    for path in sorted((mocap / "deepmimic/motions").glob("*.txt")):
        clip = read(path)
        turns = skeleton.local_rotations(clip.qpos)
        plain = skeleton.follow(skeleton.with_local_rotations(np.tile(skeleton.rest_qpos, (clip.n_frames, 1)), turns))
        for joints in (skeleton.joints_of[b] for b in skeleton.spherical_hinges):
            columns = [skeleton.qpos_address[j] for j in joints]
            ranges, here = skeleton.qpos_range[columns], clip.qpos[:, columns]
            outside = hinge_angles.beyond(here, ranges)
            before = hinge_angles.beyond(plain[:, columns], ranges)
            assert np.sum(outside**2) <= np.sum(before**2) + 1e-9
            leaps = hinge_angles.without_leaps(here) - here
            np.testing.assert_allclose(leaps, 0.0, atol=1e-9)
            middle = ranges.mean(axis=1)
            sets = [
                s - 2.0 * np.pi * np.round((s - middle) / (2.0 * np.pi)) for s in (here, hinge_angles.other_set(here))
            ]
            best = np.min([hinge_angles.beyond(s, ranges).max(axis=1) for s in sets], axis=0)
            followed += int((before.max(axis=1) > 1e-9).sum())
            kept += int((outside.max(axis=1) > 1e-9).sum())
            neither += int((best > 1e-9).sum())
    assert kept < 0.9 * followed
    assert neither > 0.5 * kept
