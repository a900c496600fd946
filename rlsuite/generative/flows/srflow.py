"""SRFlow: super-resolution by a flow of the fine event given the coarse one, many answers for each question."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.flows.conditioner import convolution
from rlsuite.generative.flows.coupling import AffineCoupling
from rlsuite.generative.flows.elementwise import ActNorm
from rlsuite.generative.flows.flow import Flow, positive, positives
from rlsuite.generative.flows.glow import channels_first
from rlsuite.generative.flows.injector import AffineInjector
from rlsuite.generative.flows.linear_mixing import PLUMixing
from rlsuite.generative.flows.multiscale import MultiScale
from rlsuite.generative.flows.transform import Composition, Transform, Transpose


class SRFlow(Flow):
    """p(fine | coarse) by a Glow whose every step has an affine injector and a conditional coupling (Lugmayr et al., 2020).

        step:  ActNorm → invertible 1 x 1 convolution → affine injector(u) → affine coupling(u),     u = features of coarse

    Events are sequences ``(T, F)``, time first, or images ``(C, H, W)``; conditions are the same thing with fewer places,
    ``(t, f)`` or ``(c, h, w)``. So 10 frames a second give 60: ``event_shape=(48, F), condition_shape=(8, F)``. The
    features are convolutions of the condition, brought to the size of every level by linear interpolation. The paper's
    unconditional transition steps after each squeeze are left out, since every step has their two transforms.

    Args:
        levels: scales; every axis of space is divisible by 2^levels.
        steps: of flow at each level.
        hidden: channels of the hidden layers of each network.
        features: channels of u.
        base: ``gaussian``, ``mixture`` or ``uniform``; see :class:`Flow`.
        components: Gaussians of a mixture.

    Raises:
        HyperparameterError: shapes that do not fit.
    """

    name = "srflow"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int],
        levels: int = 2,
        steps: int = 4,
        hidden: Sequence[int] = (64, 64),
        features: int = 32,
        base: str = "gaussian",
        components: int = 8,
    ) -> None:
        super().__init__(event_shape, condition_shape, base, components)
        self.levels, self.steps = positive(levels, "levels"), positive(steps, "steps")
        self.hidden, self.features = positives(hidden, "hidden layers"), positive(features, "features")
        event = channels_first(self.event_shape)
        rank = len(event) - 1
        if rank == 0 or self.condition_shape is None or len(self.condition_shape) != rank + 1:
            raise HyperparameterError(
                "srflow goes from (t, f) to (T, F) or from (c, h, w) to (C, H, W), "
                f"not from {self.condition_shape} to {self.event_shape}"
            )
        coarse = channels_first(self.condition_shape)

        def step(channels: int) -> Transform:
            coupling = AffineCoupling(channels, condition_channels=features, hidden=self.hidden, rank=rank)
            injector = AffineInjector(channels, features, self.hidden, rank)
            return Composition([ActNorm(channels), PLUMixing(channels), injector, coupling])

        sizes = [tuple(size // 2 ** (level + 1) for size in event[1:]) for level in range(levels)]
        encoder = Pyramid(coarse[0], features, sizes)
        scales = MultiScale(
            event, levels, step, steps, hidden=self.hidden, condition_channels=features, encoder=encoder
        )  # fmt: skip
        self._assemble([*([Transpose()] if rank == 1 else []), scales])


class Pyramid(nn.Module):
    """Features ``(n, features, *size)`` of a coarse event ``(n, channels, *space)`` for each of several sizes of space.

    Sequences come time first, ``(n, t, channels)``.
    """

    def __init__(self, channels: int, features: int, sizes: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.sizes, rank = sizes, len(sizes[0])
        self.mode = "linear" if rank == 1 else "bilinear"
        self.trunk = nn.Sequential(
            convolution(rank, channels, features, 3), nn.SiLU(), convolution(rank, features, features, 3)
        )
        self.heads = nn.ModuleList(convolution(rank, features, features, 3) for _ in sizes)

    def forward(self, coarse: Tensor) -> list[Tensor]:
        h = self.trunk(coarse.mT if len(self.sizes[0]) == 1 else coarse)
        return [
            torch.tanh(head(nn.functional.interpolate(h, size, mode=self.mode, align_corners=False)))
            for head, size in zip(self.heads, self.sizes, strict=True)
        ]
