"""A mixture-of-experts perceptron: every layer's weights are a blend, chosen by a gate, of several experts' weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlsuite.generative.blocks import activation_named, mlp


class BlendedLinear(nn.Module):
    """y = Σ_e α_e (W_e x + b_e): an affine layer whose weights Σ_e α_e W_e differ from event to event."""

    def __init__(self, n_experts: int, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(n_in)
        self.weight = nn.Parameter(torch.empty(n_experts, n_out, n_in).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(n_experts, n_out))

    def forward(self, x: Tensor, blend: Tensor) -> Tensor:
        """``x (n, n_in)`` and ``blend (n, n_experts)`` to ``(n, n_out)``: blending outputs is blending weights, and
        costs one multiplication of matrices."""
        experts, n_out, n_in = self.weight.shape
        each = (x @ self.weight.reshape(experts * n_out, n_in).mT).unflatten(-1, (experts, n_out))
        return torch.einsum("ne,neo->no", blend, each + self.bias)


class ExpertDecoder(nn.Module):
    """The decoder of a motion VAE (Ling et al., 2020, figure 3): a gate blends the experts' weights, layer by layer, and
    every layer sees the code anew, so that the past alone cannot explain the next frame and the code is not ignored.

    Args:
        code_size: k.
        past_size: numbers in the frames before.
        hidden: units of the layers in between.
        n_out: numbers put out.
        n_experts: how many.
        gate_hidden: units of the gate's layers.
    """

    def __init__(
        self,
        code_size: int,
        past_size: int,
        hidden: Sequence[int],
        n_out: int,
        *,
        n_experts: int,
        gate_hidden: Sequence[int],
        activation: str,
    ) -> None:
        super().__init__()
        self.gate = mlp(code_size + past_size, gate_hidden, n_experts, activation)
        sizes = list(itertools.pairwise((past_size, *hidden, n_out)))
        self.layers = nn.ModuleList(BlendedLinear(n_experts, code_size + a, b) for a, b in sizes)
        self.activation = activation_named(activation)

    def forward(self, code: Tensor, past: Tensor) -> Tensor:
        """``code (n, k)`` and ``past (n, past_size)`` to ``(n, n_out)``."""
        blend = self.gate(torch.cat([code, past], -1)).softmax(-1)
        features = past
        for i, layer in enumerate(self.layers):
            features = layer(torch.cat([code, features], -1), blend)
            if i < len(self.layers) - 1:
                features = self.activation(features)
        return features
