"""Reading videos: constant rate out of any timestamps, reduced, bounded; what is no video is told in one line."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError
from rlsuite.films import write_mp4
from rlsuite.motion.pose import video
from rlsuite.motion.pose.video import VideoFile


def _grey(level: int, height: int = 32, width: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def _levels(path: Path, **settings: float) -> list[int]:
    return [round(float(frame.mean()) / 10) for frame in VideoFile(path, **settings)]


def _written(path: Path, times: list[float], codec: str = "libx264") -> Path:
    """Frames of grey 10 k at these seconds."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        stream.options = {"crf": "5", "bf": "0"}
        for k, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(_grey(10 * (k + 1)), format="rgb24")
            frame.pts, frame.time_base = round(1000 * time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_every_frame_comes_once_and_as_often_as_wanted(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "a.mp4", [_grey(10 * k) for k in range(1, 13)], 25.0)
    film = VideoFile(path)
    assert (film.fps, film.width, film.height) == (25.0, 48, 32)
    assert _levels(path) == list(range(1, 13))
    assert len(list(film)) == len(list(film)) == 12


def test_frames_go_by_their_times_not_their_number(tmp_path: Path) -> None:
    """At 10 Hz the frame nearest to each tenth of a second."""
    path = _written(tmp_path / "uneven.mkv", [0.0, 0.09, 0.12, 0.33, 0.70, 0.71])
    assert _levels(path, fps=10.0) == [1, 2, 3, 4, 4, 4, 5, 5]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(5, 300), min_size=1, max_size=9))
def test_the_nearest_frame_is_chosen_at_any_times(tmp_path_factory: pytest.TempPathFactory, gaps: list[int]) -> None:
    times = np.concatenate([[0], np.cumsum(gaps)]) / 1000
    path = _written(tmp_path_factory.mktemp("v") / "a.mkv", times.tolist())
    read = _levels(path, fps=12.5)
    wanted = np.arange(len(read)) / 12.5
    distance = np.abs(times[:, None] - wanted)
    chosen = distance[np.array(read) - 1, np.arange(len(read))]
    np.testing.assert_allclose(chosen, distance.min(axis=0), atol=1.1e-3)
    assert wanted[-1] <= times[-1] + 0.04 < wanted[-1] + 0.08 + 0.04


def test_a_part_of_a_video(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "a.mp4", [_grey(10 * k) for k in range(1, 21)], 10.0)
    assert _levels(path, start=0.5, stop=1.0) == [6, 7, 8, 9, 10, 11]
    with pytest.raises(MotionError, match="no frames from 50 s on"):
        list(VideoFile(path, start=50.0))


def test_large_pictures_are_reduced(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "large.mp4", [_grey(k, 720, 1280) for k in (30, 60)], 30.0)
    film = VideoFile(path, largest_side=320)
    assert (film.width, film.height, film.full_width, film.full_height) == (320, 180, 1280, 720)
    assert [frame.shape for frame in film] == [(180, 320, 3)] * 2


def test_pictures_that_are_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_mp4(tmp_path / "large.mp4", [_grey(30, 72, 128)], 30.0)
    monkeypatch.setattr(video, "MOST_PIXELS", 1000)
    with pytest.raises(MotionError, match="128 x 72"):
        VideoFile(path)


def test_a_video_that_is_too_long_is_refused_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _written(tmp_path / "gap.mkv", [0.0, 0.1, 5000.0])
    monkeypatch.setattr(video, "MOST_FRAMES", 500)
    frames = iter(VideoFile(path, fps=10.0))
    assert len([next(frames) for _ in range(500)]) == 500
    with pytest.raises(MotionError, match="more than 500 frames"):
        next(frames)


NO_VIDEOS = [b"", b"not a video", b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 64, b"RIFF\x00\x00\x00\x00AVI "]


@pytest.mark.parametrize("content", NO_VIDEOS)
def test_what_is_no_video_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(MotionError, match=r"bad\.mp4") as told:
        list(VideoFile(path))
    assert "\n" not in str(told.value)


def test_files_that_lead_elsewhere_are_not_followed(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", [_grey(30)], 30.0)
    lists = {
        "list.m3u8": "#EXTM3U\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n",
        "a.ffconcat": "ffconcat version 1.0\nfile a.mp4\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(MotionError, match="not a video"):
            VideoFile(tmp_path / name)


def test_damaged_videos_raise_the_typed_error_or_end_early(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    whole = write_mp4(
        tmp_path / "a.mp4", [rng.integers(0, 255, (32, 48, 3), np.uint8) for _ in range(9)], 30.0
    ).read_bytes()
    for k in range(40):
        data = bytearray(whole[: rng.integers(1, len(whole) + 1)] if k % 2 else whole)
        for at in rng.integers(0, len(data), 6):
            data[at] = rng.integers(256)
        path = tmp_path / f"{k}.mp4"
        path.write_bytes(data)
        with contextlib.suppress(MotionError):  # and nothing else
            for frame in VideoFile(path, largest_side=64):
                assert frame.ndim == 3 and max(frame.shape) <= 64


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(MotionError, match="no pictures"):
        VideoFile(tmp_path / "sound.mkv")


def test_settings_are_looked_at(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "a.mp4", [_grey(30)], 30.0)
    with pytest.raises(MotionError, match="no such video"):
        VideoFile(tmp_path / "b.mp4")
    for wrong in ({"fps": 0.0}, {"start": 2.0, "stop": 1.0}, {"largest_side": 0}):
        with pytest.raises(MotionError):
            VideoFile(path, **wrong)
