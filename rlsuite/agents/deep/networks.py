"""Networks that agents share: an encoder by observation space, and multi-layer perceptrons on top of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import gymnasium as gym
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError, InvalidEnvironmentError

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU, "elu": nn.ELU, "silu": nn.SiLU}


def mlp(sizes: Sequence[int], activation: str, *, activate_last: bool = False) -> nn.Sequential:
    """Linear layers of ``sizes`` (inputs first) with activations in between."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(inputs, outputs))
        if activate_last or i < len(sizes) - 2:
            layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


def orthogonal(module: nn.Module, gain: float = math.sqrt(2.0), last_gain: float | None = None) -> nn.Module:
    """Orthogonal weights (Saxe et al. 2014) and zero biases in every linear and convolutional layer, in place."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    for layer in layers:
        scale = last_gain if last_gain is not None and layer is layers[-1] else gain
        nn.init.orthogonal_(layer.weight, scale)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return module


def sizes_of(text: str) -> tuple[int, ...]:
    """Hidden layer sizes written as in hyperparameters: ``"64,64"``; nothing for a linear network.

    Raises:
        HyperparameterError: anything else.
    """
    parts = [part for part in text.replace(" ", "").split(",") if part]
    if not all(part.isdecimal() and 0 < int(part) < 1 << 20 for part in parts):
        raise HyperparameterError(f'a network is written as the sizes of its layers, e.g. "64,64", not {text!r}')
    return tuple(map(int, parts))


class Encoder(nn.Module):
    """Observations as features: ``forward`` takes a batch as :func:`~observations.as_tensors` gives it.

    Box: flattened floats (images: see :class:`NatureCNN`). Discrete, MultiDiscrete: one-hot. MultiBinary: floats. Dict:
    the features of its entries side by side, in the order of the space.

    Attributes:
        features_dim: length of the feature vector.
    """

    def __init__(self, space: gym.Space[Any], features_dim: int) -> None:
        super().__init__()
        self.space, self.features_dim = space, features_dim


class FlatEncoder(Encoder):
    """Box (not an image) and MultiBinary: flattened, as float32."""

    def __init__(self, space: gym.Space[Any]) -> None:
        super().__init__(space, math.prod(space.shape or ()))

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], -1).float()


class OneHotEncoder(Encoder):
    """Discrete and MultiDiscrete: one-hot vectors side by side."""

    start: Tensor
    first: Tensor

    def __init__(self, space: spaces.Discrete | spaces.MultiDiscrete) -> None:
        if isinstance(space, spaces.Discrete):
            counts, start = torch.tensor([int(space.n)]), torch.tensor([int(space.start)])
        else:
            counts = torch.as_tensor(space.nvec.reshape(-1), dtype=torch.int64)
            start = torch.as_tensor(space.start.reshape(-1), dtype=torch.int64)
        super().__init__(space, int(counts.sum()))
        self.register_buffer("start", start, persistent=False)
        self.register_buffer("first", counts.cumsum(0) - counts, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        hot = x.reshape(x.shape[0], -1) - self.start + self.first
        return torch.zeros(x.shape[0], self.features_dim, device=x.device).scatter_(1, hot, 1.0)


class NatureCNN(Encoder):
    """Images, bytes scaled to [0, 1]: the convolutions of Mnih et al. (2015), Methods.

    ``(H, W, C)``, ``(C, H, W)`` (a stack of grey frames, too), or a stack of colour frames ``(k, H, W, C)``, whose
    frames become channels.
    """

    def __init__(self, space: spaces.Box, features_dim: int = 512) -> None:
        super().__init__(space, features_dim)
        self.stacked = len(space.shape) == 4
        frames, (height, width, channels) = space.shape[0] if self.stacked else 1, space.shape[-3:]
        self.channels_first = not self.stacked and space.shape[0] < space.shape[-1]
        if self.channels_first:
            channels, height, width = space.shape
        channels *= frames
        if min(height, width) < 36:
            raise InvalidEnvironmentError(f"images of {height} x {width} are too small for the CNN: 36 x 36 at least")
        self.scale = 255.0 if space.dtype == "uint8" else 1.0
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 32, 8, 4), nn.ReLU(),
            nn.Conv2d(32, 64, 4, 2), nn.ReLU(),
            nn.Conv2d(64, 64, 3, 1), nn.ReLU(),
            nn.Flatten(),
        )  # fmt: skip
        with torch.no_grad():
            n = self.convolutions(torch.zeros(1, channels, height, width)).shape[1]
        self.linear = nn.Sequential(nn.Linear(n, features_dim), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = x.float() / self.scale
        if self.stacked:
            x = x.permute(0, 1, 4, 2, 3).flatten(1, 2)
        elif not self.channels_first:
            x = x.permute(0, 3, 1, 2)
        return self.linear(self.convolutions(x))


class DictEncoder(Encoder):
    """Dict: the features of every entry side by side."""

    def __init__(self, space: spaces.Dict) -> None:
        encoders = {key: encoder_for(leaf, cnn_features=256) for key, leaf in space.spaces.items()}
        super().__init__(space, sum(encoder.features_dim for encoder in encoders.values()))
        self.keys = list(encoders)
        self.encoders = nn.ModuleList(encoders.values())  # keys may hold characters that module names may not

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        return torch.cat([encoder(x[key]) for key, encoder in zip(self.keys, self.encoders, strict=True)], dim=1)


def is_image(space: gym.Space[Any] | None) -> TypeGuard[spaces.Box]:
    """Whether observations are images or stacks of them, by their number of dimensions."""
    return isinstance(space, spaces.Box) and len(space.shape) in (3, 4)


def encoder_for(space: gym.Space[Any], *, cnn_features: int = 512) -> Encoder:
    """The encoder that the space needs."""
    if isinstance(space, spaces.Dict):
        return DictEncoder(space)
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return OneHotEncoder(space)
    if is_image(space):
        return NatureCNN(space, cnn_features)
    return FlatEncoder(space)
