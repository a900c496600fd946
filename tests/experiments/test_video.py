"""Films: what is decoded is what was encoded; episodes are filmed off screen, and are those an evaluation plays."""

import os
import subprocess
import sys

import av
import gymnasium as gym
import numpy as np
import pytest
from PIL import Image, ImageSequence

from rlsuite import screen
from rlsuite.agents.evaluation import episode_seeds, run_episodes
from rlsuite.errors import InvalidEnvironmentError, RlsuiteError
from rlsuite.experiments import video
from rlsuite.experiments.video import record_episodes, record_mp4
from rlsuite.films import encode_gif, write_gif, write_mp4
from rlsuite.screen import off_screen


class RandomActions:
    """Acts by chance, from a stream that an evaluation can replace."""

    def __init__(self, space):
        self.space, self.evaluation_rng = space, np.random.default_rng(0)

    def predict(self, observation, deterministic=True):
        if isinstance(self.space, gym.spaces.Discrete):
            return int(self.evaluation_rng.integers(self.space.n)), None
        return self.evaluation_rng.uniform(self.space.low, self.space.high).astype(self.space.dtype), None


def colour_bars(n, height, width):
    """``n`` frames: the left half grows lighter, the right half is blue."""
    frames = [np.zeros((height, width, 3), np.uint8) for _ in range(n)]
    for i, frame in enumerate(frames):
        frame[:, : width // 2] = 40 + 150 * i // n
        frame[:, width // 2 :] = (20, 40, 200)
    return frames


def decoded(path):
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        return stream, [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(64, 96), (63, 95), (1, 1)])
def test_an_mp4_holds_every_frame(height, width, tmp_path):
    frames = colour_bars(10, height, width)
    stream, found = decoded(write_mp4(tmp_path / "films" / "a.mp4", frames, 12.5))
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert float(stream.average_rate) == 12.5
    assert len(found) == 10
    assert found[0].shape == (height + height % 2, width + width % 2, 3)
    for wanted, frame in zip(frames, found, strict=True):
        assert abs(frame[:height, :width].astype(int) - wanted)[:, : max(1, width // 2 - 2)].mean() < 6
    assert [path.name for path in (tmp_path / "films").iterdir()] == ["a.mp4"]


def test_an_mp4_can_be_played_while_it_loads(tmp_path):
    """Its index (moov) lies before its pictures (mdat)."""
    raw = write_mp4(tmp_path / "a.mp4", colour_bars(5, 32, 32), 30).read_bytes()
    assert 0 < raw.index(b"moov") < raw.index(b"mdat")


@pytest.mark.parametrize("frames", [[], [*colour_bars(2, 32, 32), *colour_bars(1, 32, 34)]], ids=["none", "two sizes"])
def test_a_film_that_fails_leaves_the_old_one(frames, tmp_path):
    (tmp_path / "a.mp4").write_text("old")
    with pytest.raises(RlsuiteError, match=r"at least one frame|differ in size"):
        write_mp4(tmp_path / "a.mp4", frames, 30)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def gif_frames(path):
    with Image.open(path) as film:
        return [
            (frame.info["duration"], np.array(frame.convert("RGB"))) for frame in ImageSequence.Iterator(film)
        ], film.info["loop"]


def test_a_gif_holds_every_frame_in_time(tmp_path):
    frames = colour_bars(7, 30, 50)
    found, loop = gif_frames(write_gif(tmp_path / "a.gif", frames, 30, last_seconds=2))
    assert loop == 0
    assert [duration for duration, _ in found[:-1]] == [30, 40, 30, 30, 40, 30]  # together six thirtieths of a second
    assert found[-1][0] == 2000
    for (_, frame), wanted in zip(found, frames, strict=True):
        assert abs(frame.astype(int) - wanted).max() < 24


def test_a_fast_gif_keeps_its_pace_and_its_last_frame(tmp_path):
    frames = colour_bars(100, 20, 20)
    found, _ = gif_frames(write_gif(tmp_path / "a.gif", frames, 100))  # every fourth, and the 99th
    assert len(found) == 26
    assert sum(duration for duration, _ in found[:-1]) == 990
    assert abs(found[-1][1].astype(int) - frames[-1]).max() < 24


def test_a_gif_is_reduced_and_needs_a_frame(tmp_path):
    (_, frame), *_ = gif_frames(write_gif(tmp_path / "a.gif", colour_bars(2, 100, 640), 10))[0]
    assert frame.shape == (50, 320, 3)
    with pytest.raises(RlsuiteError, match="at least one frame"):
        encode_gif([], 10)


# -- episodes ----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "MUJOCO_GL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")  # importing Box2D crashes where it is an error
@pytest.mark.parametrize(("env_id", "fps"), [("CartPole-v1", 50), ("Pendulum-v1", 30), ("LunarLander-v3", 50)])
def test_episodes_are_filmed_without_a_screen(env_id, fps):
    plain = gym.make(env_id)
    agent, seeds = RandomActions(plain.action_space), episode_seeds(3, 2)
    recording = record_episodes(agent, env_id, seeds, deterministic=False, most_frames=50)
    assert (recording.returns, recording.lengths) == run_episodes(agent, plain, seeds, deterministic=False)
    assert recording.fps == fps
    assert len(recording.frames) == min(50, sum(recording.lengths) + 2)  # a frame per step and one per start
    assert {max(frame.shape) for frame in recording.frames} == {320}
    assert all(np.ptp(frame) > 100 for frame in recording.frames)
    assert any((a != b).any() for a, b in zip(recording.frames, recording.frames[1:], strict=False))
    assert "SDL_VIDEODRIVER" not in os.environ


def test_a_long_film_goes_straight_to_disk(tmp_path):
    env = gym.make("CartPole-v1", render_mode="rgb_array")
    returns, lengths = record_mp4(tmp_path / "a.mp4", RandomActions(env.action_space), env, [1, 2])
    stream, found = decoded(tmp_path / "a.mp4")
    assert len(found) == sum(lengths) + 2
    assert found[0].shape == (400, 600, 3)
    assert returns == [float(length) for length in lengths]
    assert stream.average_rate == 50
    env.render()  # it was lent, and is not closed


def test_mujoco_is_filmed_where_some_back_end_renders(tmp_path):
    from rlsuite.experiments.doctor import rendering_back_ends

    if not any(failure is None for failure in rendering_back_ends().values()):
        pytest.skip("no GL back end renders here")
    space = gym.make("InvertedPendulum-v5").action_space
    recording = record_episodes(RandomActions(space), "InvertedPendulum-v5", [0], most_frames=3)
    assert np.ptp(recording.frames[-1]) > 50
    assert len(recording.frames) == 3


def test_a_back_end_that_fails_is_a_typed_error(tmp_path):
    """In a process of its own, since MuJoCo chooses its back end once."""
    program = (
        "from tests.experiments.test_video import RandomActions, gym, record_mp4\n"
        "from rlsuite.errors import InvalidEnvironmentError\n"
        "space = gym.make('InvertedPendulum-v5').action_space\n"
        "try: record_mp4('film.mp4', RandomActions(space), 'InvertedPendulum-v5', [0])\n"
        "except InvalidEnvironmentError as error: print(error)\n"
    )
    paths = os.pathsep.join([os.getcwd(), *sys.path])
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "MUJOCO_GL": "glfw", "PYTHONPATH": paths},
    )  # fmt: skip
    assert "cannot be rendered here" in result.stdout and "rlsuite doctor" in result.stdout, result.stderr
    assert list(tmp_path.iterdir()) == []


def test_environments_without_images_are_told(tmp_path):
    env = gym.make("CartPole-v1")
    with pytest.raises(InvalidEnvironmentError, match="render_mode=None; make it with 'rgb_array'"):
        record_episodes(RandomActions(env.action_space), env, [0])
    with pytest.raises(InvalidEnvironmentError, match="'rgb_array'"):
        record_episodes(RandomActions(env.action_space), gym.make("CliffWalking-v1", render_mode="ansi"), [0])
    with pytest.raises(InvalidEnvironmentError, match="renders str, not an image"):
        video.checked_frame(env, "text")


@pytest.mark.parametrize(("libraries", "wanted"), [({"EGL", "OSMesa"}, "egl"), ({"OSMesa"}, "osmesa"), (set(), None)])
def test_mujocos_back_end_without_a_screen(libraries, wanted, monkeypatch):
    monkeypatch.setattr(screen, "find_library", lambda name: name if name in libraries else None)
    monkeypatch.setattr(screen, "has_screen", lambda: False)
    with off_screen():
        assert os.environ.get("MUJOCO_GL") == wanted
        assert os.environ["SDL_VIDEODRIVER"] == "dummy"
    assert "MUJOCO_GL" not in os.environ
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    with off_screen():
        assert os.environ["MUJOCO_GL"] == "glfw"
    assert os.environ["MUJOCO_GL"] == "glfw"
