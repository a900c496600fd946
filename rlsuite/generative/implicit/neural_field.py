"""A field whose answers a network learns: one trunk for the geometry, heads for colour and any other property.

The trunk sees ``(x − centre) / scale``, so that bodies fill the cube in which the initialisation and the frequencies make
sense; a distance it answers is multiplied by ``scale`` and so is in metres, its gradient still of length 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError, UnknownNameError
from rlsuite.generative.implicit.encodings import Encoding, FourierFeatures, PositionalEncoding
from rlsuite.generative.implicit.field import Density, Distance, Field, Geometry, Occupancy
from rlsuite.generative.implicit.networks import ImplicitNetwork

Kind = Literal["distance", "occupancy", "density"]


class NeuralField(Field):
    """Signed distance, occupancy or density of a point, given a code of a shape or a pose, or none.

    Args:
        kind: of geometry.
        code_size: numbers in a code; 0 for one shape only.
        octaves: of the positional encoding; 0 for bare coordinates. fourier: frequencies of random Fourier features
            instead, of kernel ``length`` (in units of ``scale``).
        hidden, skips: of the trunk; ``smooth``: softplus rather than ReLU, for gradients that are trained.
        radius: of the sphere it begins as, in units of ``scale``; ``None`` begins anywhere.
        n_features: what the trunk hands to the heads. color: whether there is a head for it.
        properties: names of other heads and their sizes, such as ``{"force": 3, "part": 15}``.
        centre: ``(3,)`` and scale: half the side of the cube of interest, in metres.
        seed: of the first weights.
    """

    centre: Tensor

    def __init__(
        self,
        kind: Kind = "distance",
        *,
        code_size: int = 0,
        octaves: int = 0,
        fourier: int = 0,
        length: float = 0.3,
        hidden: Sequence[int] = (128, 128, 128, 128),
        skips: Sequence[int] = (),
        smooth: bool = True,
        radius: float | None = 0.5,
        n_features: int = 0,
        color: bool = False,
        properties: Mapping[str, int] | None = None,
        centre: Sequence[float] = (0.0, 0.0, 0.0),
        scale: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if kind not in ("distance", "occupancy", "density"):
            raise UnknownNameError("geometry", kind, ("distance", "occupancy", "density"))
        if octaves and fourier:
            raise HyperparameterError("an encoding has octaves or random Fourier features, not both")
        if not scale > 0:
            raise HyperparameterError(f"scale is above 0 metres, not {scale!r}")
        self.hyperparameters: dict[str, Any] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        self.kind, self.scale, self.n_features = kind, scale, n_features
        self.register_buffer("centre", torch.tensor(tuple(centre), dtype=torch.get_default_dtype()))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoding: Encoding = Encoding()
            if octaves:
                encoding = PositionalEncoding(octaves)
            elif fourier:
                encoding = FourierFeatures(fourier, length, seed=seed)
            self.trunk = ImplicitNetwork(
                encoding, 1 + n_features, code_size=code_size, hidden=hidden, skips=skips, smooth=smooth, radius=radius
            )
            heads = ({"color": 3} if color else {}) | dict(properties or {})
            self.heads = nn.ModuleDict(
                {
                    name: nn.Sequential(nn.Linear(3 + n_features, 64), nn.ReLU(), nn.Linear(64, n))
                    for name, n in heads.items()
                }
            )

    @property
    def code_size(self) -> int:
        """Numbers in a code."""
        return self.trunk.code_size

    def geometry(self, x: Tensor, code: Tensor | None = None) -> Geometry:
        out = self.trunk((x - self.centre) / self.scale, code)
        value, features = out[..., 0], out[..., 1:] if self.n_features else None
        if self.kind == "distance":
            return Distance(features, value * self.scale)
        if self.kind == "density":
            return Density(features, nn.functional.softplus(-value) / self.scale)
        return Occupancy(features, -value)  # begins inside the sphere

    def color(self, x: Tensor, direction: Tensor, features: Tensor | None, code: Tensor | None = None) -> Tensor:
        if "color" not in self.heads:
            return super().color(x, direction, features, code)
        return torch.sigmoid(self._head("color", x, features))

    def property(self, name: str, x: Tensor, features: Tensor | None, code: Tensor | None = None) -> Tensor:
        if name not in self.heads:
            return super().property(name, x, features, code)
        return self._head(name, x, features)

    def _head(self, name: str, x: Tensor, features: Tensor | None) -> Tensor:
        own = (x - self.centre) / self.scale
        return self.heads[name](own if features is None else torch.cat((own, features), -1))
