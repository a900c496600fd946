"""The multilayer perceptron of implicit fields: encoded points and a code in, a value and features out.

Geometric initialisation (Atzmon and Lipman 2020, SAL, theorem 1; Gropp et al. 2020, IGR): with hidden weights
``N(0, 2/n)``, no biases, and a last layer of the constant ``√(π/n)``, bias −r, the network of ReLUs begins near the signed
distance ``‖x‖ − r`` of a sphere, the nearer the wider: ``W x`` of n rows has ``n·√(2/n)·‖x‖/√(2π) = √(n/π) ‖x‖`` as the
mean sum of its positive parts, and the layers between keep the length. Columns of sines, cosines and codes begin at 0.
Narrow layers miss the mean, and a softplus lies above a ReLU, so the last layer's constant and bias are then set so that
mean and spread over the cube are those of ``‖x‖ − r``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.encodings import Encoding

SHARPNESS = 100.0  # of the softplus: within 1/SHARPNESS of a kink it is smooth, beyond it is a ReLU


class ImplicitNetwork(nn.Module):
    """A multilayer perceptron whose input enters again at ``skips`` (Park et al. 2019, section 5), made smooth.

    Softplus keeps second derivatives, which an eikonal loss needs; ``smooth=False`` takes ReLUs, which are quicker.

    Args:
        n_out: value and features. code_size: of the code beside each point. hidden: units of each hidden layer.
        skips: hidden layers, counted from 0, whose input is joined by the encoded point and the code.
        radius: of the sphere of the geometric initialisation; ``None`` leaves torch's own. With it the first output is
            near ``‖x‖ − radius``.

    Raises:
        HyperparameterError: a skip that is no hidden layer but the first, or a layer without units.
    """

    def __init__(
        self,
        encoding: Encoding,
        n_out: int = 1,
        *,
        code_size: int = 0,
        hidden: Sequence[int] = (128, 128, 128, 128),
        skips: Sequence[int] = (),
        smooth: bool = True,
        radius: float | None = None,
    ) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1 or not all(0 < skip < len(hidden) for skip in skips):
            raise HyperparameterError(f"hidden layers {tuple(hidden)} with skips {tuple(skips)} make no network")
        self.encoding, self.code_size, self.skips = encoding, code_size, tuple(skips)
        n_in = encoding.n_out + code_size
        before = [n_in, *hidden]
        joined = [n + n_in if i in self.skips else n for i, n in enumerate(before)]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(joined, [*hidden, n_out], strict=True))
        self.activation: nn.Module = nn.Softplus(beta=SHARPNESS) if smooth else nn.ReLU()
        if radius is not None:
            self._begin_as_sphere(radius, joined)

    def forward(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """``(..., n_out)`` of points ``(..., n_in)`` and codes ``(*batch, code_size)`` that broadcast with them."""
        first = self.encoding(x)
        if self.code_size:
            if code is None:
                raise HyperparameterError(f"this field needs a code of {self.code_size} numbers with its points")
            lead = torch.broadcast_shapes(first.shape[:-1], code.shape[:-1])
            first = torch.cat((first.expand(*lead, -1), code.expand(*lead, -1)), -1)
        h = first
        for i, layer in enumerate(self.layers):
            if i:
                h = self.activation(h)
            if i in self.skips:
                h = torch.cat((h, first), -1) / math.sqrt(2.0)  # keeps the length
            h = layer(h)
        return h

    @torch.no_grad()
    def _begin_as_sphere(self, radius: float, joined: Sequence[int]) -> None:
        d, n_first = self.encoding.n_in, self.encoding.n_out + self.code_size
        *hidden, last = (layer for layer in self.layers if isinstance(layer, nn.Linear))
        for i, layer in enumerate(hidden):
            nn.init.normal_(layer.weight, 0.0, math.sqrt(2.0 / layer.out_features))
            nn.init.zeros_(layer.bias)
            own = joined[i] - n_first if i in self.skips else 0  # columns of the layer below
            if i == 0 or i in self.skips:
                layer.weight[:, own + d :] = 0.0
        nn.init.normal_(last.weight[1:], 0.0, 1.0 / math.sqrt(last.in_features))
        last.weight[0] = math.sqrt(math.pi / last.in_features)
        nn.init.zeros_(last.bias)
        x = 2.0 * torch.rand(1000, d) - 1.0
        value, wanted = self(x, x.new_zeros(self.code_size) if self.code_size else None)[:, 0], x.norm(dim=-1) - radius
        slope = wanted.std() / value.std()
        shift = wanted.mean() - slope * value.mean()
        last.weight[0] *= slope
        last.bias[0] = shift
