"""Image wrappers by flags, against images made by hand."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import rlsuite  # noqa: F401 (registers the suite's environments)
from rlsuite.envs.preprocessing import Preprocessing
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError


class Film(gym.Env):
    """Shows image after image."""

    def __init__(self, frames):
        self.frames = np.asarray(frames, np.uint8)
        self.observation_space = spaces.Box(0, 255, self.frames.shape[1:], np.uint8)
        self.action_space = spaces.Discrete(1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.frames[0], {}

    def step(self, action):
        self.t += 1
        return self.frames[self.t], float(self.t), self.t == len(self.frames) - 1, False, {}


def colour(r, g, b, shape=(4, 6)):
    return np.broadcast_to(np.array([r, g, b], np.uint8), (*shape, 3))


def seen(env):
    """All observations of an episode."""
    observations, ended = [env.reset()[0]], False
    while not ended:
        observation, _, ended, _, _ = env.step(0)
        observations.append(observation)
    for observation in observations:
        assert observation in env.observation_space
    return observations


def test_grayscale_is_the_luminance():
    env = Preprocessing(grayscale=True).apply(Film([colour(255, 0, 0), colour(0, 200, 0), colour(0, 0, 100)]))
    assert env.observation_space.shape == (4, 6, 1) and env.observation_space.dtype == np.uint8
    # 0.2125 R + 0.7154 G + 0.0721 B, rounded down
    assert [np.unique(image).tolist() for image in seen(env)] == [[54], [143], [7]]


def test_resize_averages_areas():
    image = np.zeros((4, 4, 3), np.uint8)
    image[:2, :2] = 10  # upper left block
    image[2, 2], image[2, 3], image[3, 2], image[3, 3] = 0, 100, 100, 200  # mean 100
    env = Preprocessing(resize=2).apply(Film([image, image]))
    assert env.observation_space.shape == (2, 2, 3)
    np.testing.assert_array_equal(seen(env)[0][..., 0], [[10, 0], [0, 100]])


def test_frame_stack_holds_the_oldest_first_and_begins_with_the_first_repeated():
    env = Preprocessing(frame_stack=3).apply(Film([colour(t, t, t) for t in range(5)]))
    assert env.observation_space.shape == (3, 4, 6, 3)
    stacks = [stack[:, 0, 0, 0].tolist() for stack in seen(env)]
    assert stacks == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]]


def test_max_and_skip_takes_the_maximum_of_the_last_two_frames_and_sums_rewards():
    env = Preprocessing(max_and_skip=3).apply(
        Film([colour(*rgb) for rgb in ((0,) * 3, (90,) * 3, (7, 0, 1), (2, 5, 1))])
    )
    env.reset()
    observation, reward, terminated, _, _ = env.step(0)
    assert observation[0, 0].tolist() == [7, 5, 1] and reward == 1 + 2 + 3 and terminated


def test_all_flags_together_act_in_the_order_of_the_docstring():
    frames = [colour(t, 2 * t, 0, (8, 8)) for t in (0, 50, 100, 60, 20, 30, 10)]
    env = Preprocessing(max_and_skip=2, grayscale=True, resize=4, frame_stack=2).apply(Film(frames))
    assert env.observation_space == spaces.Box(0, 255, (2, 4, 4), np.uint8)
    grey = {t: int(0.2125 * t + 0.7154 * 2 * t) for t in (0, 100, 60, 30)}
    values = [[np.unique(image).tolist() for image in stack] for stack in seen(env)]
    assert values == [
        [[grey[0]], [grey[0]]],
        [[grey[0]], [grey[100]]],
        [[grey[100]], [grey[60]]],
        [[grey[60]], [grey[30]]],
    ]


def test_pixels_are_what_is_rendered():
    env = Preprocessing(pixels=True).apply(gym.make("rlsuite/FourRooms-v0", render_mode="rgb_array"))
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(observation, env.unwrapped.render())
    assert observation in env.observation_space


def test_no_flags_are_no_wrappers():
    env = gym.make("CartPole-v1")
    assert Preprocessing().apply(env) is env
    assert not Preprocessing() and Preprocessing(resize=8)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"grayscale": True}, "grayscale needs a colour image: uint8 of 0…255.*CartPole-v1 observes Box"),
        ({"resize": 8}, "resize needs an image.*pixels=true"),
        ({"pixels": True}, "render_mode='rgb_array'"),
    ],
)
def test_environments_that_do_not_fit_are_refused(flags, message):
    with pytest.raises(InvalidEnvironmentError, match=message):
        Preprocessing(**flags).apply(gym.make("CartPole-v1"))


def test_grey_images_cannot_become_grey_again():
    with pytest.raises(InvalidEnvironmentError, match="colour"):
        Preprocessing(grayscale=True).apply(Film(np.zeros((2, 4, 4))))


def test_max_and_skip_needs_arrays():
    with pytest.raises(InvalidEnvironmentError, match="max_and_skip"):
        Preprocessing(max_and_skip=2).apply(gym.make("Taxi-v4"))


@pytest.mark.parametrize(
    "flags",
    [
        {"grayscale": 1},
        {"pixels": "yes"},
        {"resize": 0},
        {"resize": True},
        {"frame_stack": 2.0},
        {"frame_stack": 0},
        {"max_and_skip": 1},
    ],
)
def test_wrong_values_are_refused(flags):
    (name,) = flags
    with pytest.raises(HyperparameterError, match=f"^{name} must be"):
        Preprocessing.from_dict(flags)


def test_dictionaries_hold_what_is_set():
    flags = {"pixels": True, "grayscale": True, "resize": 84, "frame_stack": 4}
    assert Preprocessing.from_dict(flags).as_dict() == flags
    assert Preprocessing().as_dict() == {} and Preprocessing.from_dict({}) == Preprocessing()
    with pytest.raises(HyperparameterError, match="unknown preprocessing gray; there is pixels"):
        Preprocessing.from_dict({"gray": True})
