"""Perceptrons side by side, their forward and backward passes written out into buffers that are used again.

For layers h_{i+1} = f(h_i W_i + b_i), the last one without f, and a gradient g with respect to the outputs of layer i:

    dL/dW_i = h_i^T g,    dL/db_i = sum_batch g,    dL/dh_i = g W_i^T,    then times f'(h_i), which h_i tells.

Autograd computes the same, but allocates every intermediate anew and adds up gradients that need no adding, which takes
about as long as the products themselves on a CPU. Unlike :class:`~perceptron.Perceptron`, it takes weights (inputs,
outputs) of any number of members, and gives the gradient of the inputs: what the critics of an actor need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlsuite.agents.deep.perceptron import ACTIVATIONS


class Layer(NamedTuple):
    """Parameters of one layer of all members, and where their gradients go (``None``: a frozen network)."""

    weight: Tensor  # (n, inputs, outputs)
    bias: Tensor  # (n, 1, outputs)
    to_weight: Tensor | None
    to_bias: Tensor | None


class BatchedPerceptrons:
    """``n`` multi-layer perceptrons of one shape as batched matrix products.

    Made once the parameters and gradients are where they will stay (:class:`~optimisation.FlatParameters` moves them).

    Args:
        layers: inputs first. activation: a key of :data:`~perceptron.ACTIVATIONS`.
    """

    def __init__(self, layers: Sequence[Layer], activation: str) -> None:
        self.layers = list(layers)
        self.activate, self.deactivate = ACTIVATIONS[activation]
        self.n = len(self.layers[0].weight)
        self._batch = -1

    @classmethod
    def stacked(cls, weights: Iterable[Tensor], biases: Iterable[Tensor], activation: str) -> BatchedPerceptrons:
        """Of parameters shaped as in :class:`Layer`."""
        pairs = zip(weights, biases, strict=True)
        return cls([Layer(w.detach(), b.detach(), w.grad, b.grad) for w, b in pairs], activation)

    @classmethod
    def of(cls, network: nn.Sequential, activation: str) -> BatchedPerceptrons:
        """The linear layers of one network, n = 1."""
        layers = []
        for layer in network:
            if isinstance(layer, nn.Linear):
                w, b = layer.weight, layer.bias
                assert w.grad is not None and b.grad is not None
                layers.append(Layer(w.detach().T[None], b.detach()[None, None], w.grad.T[None], b.grad[None, None]))
        return cls(layers, activation)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """``(n, batch, outputs)`` for inputs ``(batch, inputs)`` that all members share; good until the next call."""
        if len(x) != self._batch:
            self._batch = len(x)
            self._outputs = [layer.weight.new_empty(self.n, len(x), layer.weight.shape[2]) for layer in self.layers]
            self._slopes = [layer.weight.new_empty(self.n, len(x), layer.weight.shape[1]) for layer in self.layers]
        self._kept = [x.expand(self.n, *x.shape), *self._outputs[:-1]]
        for h, layer, out in zip(self._kept, self.layers, self._outputs, strict=True):
            torch.baddbmm(layer.bias, h, layer.weight, out=out)
            if out is not self._outputs[-1]:
                self.activate(out)
        return self._outputs[-1]

    @torch.no_grad()
    def backward(self, gradient: Tensor, *, parameters: bool = True, inputs: bool = False) -> Tensor | None:
        """From the gradient with respect to the last outputs, that of the parameters (written, not added) and inputs.

        Returns:
            ``(batch, inputs)``, summed over the members, if ``inputs``.
        """
        for i in reversed(range(len(self.layers))):
            h, layer = self._kept[i], self.layers[i]
            if parameters:
                torch.bmm(h.transpose(1, 2), gradient, out=layer.to_weight)
                torch.sum(gradient, 1, keepdim=True, out=layer.to_bias)
            if i == 0 and not inputs:
                return None
            slope = torch.bmm(gradient, layer.weight.transpose(1, 2), out=self._slopes[i])
            gradient = self.deactivate(slope, h) if i else slope
        return gradient.sum(0)
