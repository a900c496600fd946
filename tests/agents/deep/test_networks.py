"""Encoders: what features they make of observations."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from rlsuite.agents.deep.networks import FlatEncoder, NatureCNN, encoder_for
from rlsuite.errors import InvalidEnvironmentError


def image(*shape):
    return spaces.Box(0, 255, shape, np.uint8)


def test_the_same_picture_has_the_same_features_in_every_layout():
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 2, 40, 44, 3), dtype=np.uint8))
    stacked = encoder_for(image(2, 40, 44, 3))  # two colour frames
    last, first = encoder_for(image(40, 44, 6)), encoder_for(image(6, 40, 44))
    for other in (last, first):
        other.load_state_dict(stacked.state_dict())
    channels = torch.cat([pixels[:, 0], pixels[:, 1]], dim=-1)  # (batch, H, W, 6): frame by frame
    expected = stacked(pixels)
    assert expected.std() > 0
    torch.testing.assert_close(last(channels), expected)
    torch.testing.assert_close(first(channels.permute(0, 3, 1, 2)), expected)


@pytest.mark.parametrize("shape", [(20, 20, 3), (3, 20, 20), (4, 10, 10, 3)])
def test_small_images_are_refused(shape):
    with pytest.raises(InvalidEnvironmentError, match="too small for the CNN: 36 x 36 at least"):
        encoder_for(image(*shape))


def test_vectors_and_tables_are_flattened():
    assert isinstance(encoder_for(spaces.Box(-1, 1, (3, 4))), FlatEncoder)
    assert isinstance(encoder_for(image(40, 40, 1)), NatureCNN)
    x = torch.arange(24.0).reshape(2, 3, 4)
    torch.testing.assert_close(encoder_for(spaces.Box(-1, 1, (3, 4)))(x), x.reshape(2, 12))


def test_discrete_values_are_one_hot_from_their_start():
    encoder = encoder_for(spaces.MultiDiscrete([2, 3], start=[5, 1]))
    features = encoder(torch.tensor([[6, 1], [5, 3]]))
    assert features.tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]
    assert encoder_for(spaces.Discrete(3, start=-1))(torch.tensor([-1, 1])).tolist() == [[1, 0, 0], [0, 0, 1]]
