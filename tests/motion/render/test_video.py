"""Films and strips: every frame is there, nothing leaves the picture, nothing is left behind by a failure."""

import av
import mujoco
import numpy as np
import pytest
from PIL import Image

from rlsuite.errors import MotionError
from rlsuite.motion.render import PAPER, Track, pose_strip, write_strip, write_video
from rlsuite.motion.render.extents import geom_corners
from rlsuite.motion.render.video import film_plan, side_by_side

BODY = """
<mujoco><worldbody><body pos="0 0 0.5"><joint type="free"/>
  <geom type="capsule" size="0.1 0.3" rgba="0.1 0.1 0.6 1"/><geom type="box" size="0.1 0.3 0.05" pos="0.2 0 0.3"/>
</body></worldbody></mujoco>
"""


@pytest.fixture(scope="module")
def model():
    return mujoco.MjModel.from_xml_string(BODY)


@pytest.fixture(scope="module")
def qpos(model):
    """A second of gliding three metres ahead."""
    motion = np.tile(model.qpos0, (31, 1))
    motion[:, 0] = np.linspace(0, 3, 31)
    return motion


def test_an_mp4_has_every_frame_and_tells_its_progress(model, qpos, tmp_path):
    done = []
    path = write_video(
        tmp_path / "new" / "a.mp4", Track(model, qpos), 30, width=96, height=64, backend="software", speed=0.5,
        progress=lambda *counts: done.append(counts),
    )  # fmt: skip
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
        assert stream.average_rate == 15
    assert len(frames) == 31 and frames[0].shape == (64, 96, 3)
    assert done == [(k, 31) for k in range(1, 32)]
    assert np.std(frames[5].astype(float)) > 5


def test_a_gif_is_in_time(model, qpos, tmp_path):
    path = write_video(tmp_path / "a.gif", Track(model, qpos), 30, width=960, height=480, backend="software")
    with Image.open(path) as film:
        assert film.size == (480, 240) and film.n_frames == 31
        durations = []
        for at in range(film.n_frames):
            film.seek(at)
            durations.append(film.info["duration"])
    assert sum(durations) == pytest.approx(1030, abs=15)


@pytest.mark.parametrize("name", ["a.avi", "a", "a.mp4.txt"])
def test_other_files_are_refused_before_anything_is_drawn(name, model, qpos, tmp_path):
    with pytest.raises(MotionError, match=r"must end in \.mp4 or \.gif"):
        write_video(tmp_path / name, Track(model, qpos), 30)
    with pytest.raises(MotionError, match=r"must end in \.png"):
        write_strip(tmp_path / name, np.zeros((2, 2, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_is_broken_off_leaves_the_old_one(model, qpos, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"old")

    def stop(done, _):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / "a.mp4", Track(model, qpos), 30, width=32, height=32, backend="software", progress=stop)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.mp4", b"old")]


def test_bodies_side_by_side_never_meet_and_ghosts_go_with_their_track(model, qpos):
    swaying = qpos.copy()
    swaying[:, 1] = np.sin(np.linspace(0, 6, 31))
    tracks = [Track(model, qpos), Track.reference(model, swaying), Track(model, swaying), Track(model, qpos[:5])]
    corners = [geom_corners(model, track.qpos) for track in tracks]
    offsets = side_by_side(tracks, corners)
    assert (offsets[1] == offsets[0]).all() and (offsets[0] == 0).all()
    spans = [((c + o)[..., 1].min(), (c + o)[..., 1].max()) for c, o in zip(corners, offsets, strict=True)]
    assert spans[0][1] < spans[2][0] and spans[2][1] < spans[3][0]
    scenes, cameras = film_plan(tracks, 30, 320, 240)
    assert len(scenes) == len(cameras) == 31
    assert (scenes[30].actors[3].qpos == qpos[4]).all()  # a shorter motion stands still at its end
    for at in (0, 12, 30):
        for track, c, o in zip(tracks, corners, offsets, strict=True):
            seen = cameras[at].project(c[min(at, len(np.asarray(track.qpos)) - 1)] + o)
            assert (seen >= 0).all() and (seen <= (320, 240)).all()


def test_contacts_are_marked(model, qpos):
    contacts = np.full((31, 2, 3), np.nan)
    contacts[10, 1] = (1.0, 0.2, 0.0)
    scenes, _ = film_plan(Track(model, qpos, contacts=contacts), 30, 64, 64)
    assert [len(scene.marks) for scene in scenes] == [0] * 10 + [1] + [0] * 20
    assert np.array_equal(scenes[10].marks[0].position, (1.0, 0.2, 0.0))


@pytest.mark.parametrize("n", [2, 5, 8])
def test_a_strip_has_every_pose_apart_and_centred(n, model, qpos):
    image = pose_strip(model, qpos, 30, n=n, width=800, times=False, look=PAPER)
    assert image.shape[1] == 800
    assert (image[0] == 255).all() and (image[:, 0] == 255).all()  # the background is white
    blue = image[..., 2].astype(int) - image[..., 0] > 40  # the capsules, not their shadows
    columns = np.flatnonzero(np.diff(np.concatenate([[0], blue.any(axis=0), [0]])))
    starts, ends = columns[::2], columns[1::2]
    assert len(starts) == n
    assert np.ptp(np.diff((starts + ends) / 2)) < 0.03 * 800 / n  # equal distances
    centre = np.flatnonzero(blue.any(axis=0))[[0, -1]].mean()
    assert centre == pytest.approx(400, abs=0.25 * 800 / n)


def test_a_single_pose_does_not_fill_the_picture(model, qpos):
    height, width, _ = pose_strip(model, qpos, 30, n=1, width=400, look=PAPER).shape
    assert width == 400 and height < 0.7 * width


def test_times_below_a_strip_never_overlap(model, qpos):
    image = pose_strip(model, qpos, 30, n=31, width=800, look=PAPER)
    text = (image[-24:] < 128).all(axis=2).any(axis=0)  # columns with letters
    gaps = np.diff(np.flatnonzero(text))
    assert (gaps > 10).sum() >= 5  # clear space between one time and the next


def test_a_strip_goes_to_a_png(model, qpos, tmp_path):
    image = pose_strip(model, qpos, 30, n=3, width=320)
    with Image.open(write_strip(tmp_path / "new" / "a.png", image)) as read:
        assert np.array_equal(np.asarray(read), image)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, q, p: write_video(p, [], 30), "at least one motion"),
        (lambda m, q, p: write_video(p, Track(m, q), 0), "above 0"),
        (lambda m, q, p: write_video(p, Track(m, q), 30, speed=float("nan")), "above 0"),
        (lambda m, q, p: write_video(p, Track(m, q[:, :3]), 30), r"array \(frames, 7\), not \(31, 3\)"),
        (lambda m, q, p: write_video(p, Track(m, np.where(np.arange(31)[:, None] == 4, np.nan, q)), 30), "frame 4"),
        (lambda m, q, p: write_video(p, [Track(m, q, ghost_of=0)], 30), "no track of its own"),
        (lambda m, q, p: write_video(p, Track(m, q), 30, camera=[]), "0 cameras for 31 frames"),
        (lambda m, q, p: pose_strip(m, q, 30, n=0), "1 to 40 poses"),
        (lambda m, q, p: pose_strip(m, q[:0], 30), "frames, 7"),
        (lambda m, q, p: pose_strip(m, q, -1), "above 0"),
    ],
)
def test_motions_that_are_none(call, message, model, qpos, tmp_path):
    with pytest.raises(MotionError, match=message):
        call(model, qpos, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []
