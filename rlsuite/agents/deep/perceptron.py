"""A multi-layer perceptron with its gradient written out, for networks so small that autograd costs more than they do.

With h_0 = x, h_i = f(W_i h_{i-1} + b_i) and a linear last layer, the chain rule gives for the gradient g_n of the loss
with respect to the outputs

    dW_i = g_i h_{i-1}^T,   db_i = g_i,   g_{i-1} = (W_i^T g_i) * f'(h_{i-1})

where f' is a function of the activation itself: [h > 0] for ReLU, 1 - h^2 for tanh, min(h, 0) + 1 for ELU.

A noisy layer (Fortunato et al. 2018) has weights W + S * e_out e_in^T and biases b + s * e_out; those of W and b are the
gradients above, and

    dS = dW * e_out e_in^T,   ds = db * e_out.
:mod:`~rlsuite.agents.deep.batched_perceptrons` does the same for several networks at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

aten = torch.ops.aten  # whose derivatives are those of autograd, written where they are wanted
# f in place, and the product of a gradient with f' in place, given h = f(x)
ACTIVATIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "relu": (torch.relu_, lambda g, h: aten.threshold_backward.grad_input(g, h, 0.0, grad_input=g)),
    "tanh": (torch.tanh_, lambda g, h: aten.tanh_backward.grad_input(g, h, grad_input=g)),
    "elu": (F.elu_, lambda g, h: aten.elu_backward.grad_input(g, 1.0, 1.0, 1.0, True, h, grad_input=g)),
}


class Perceptron:
    """Passes through the linear layers among ``layers`` with ``activation`` between them; parameters stay where they are.

    Made once the parameters are where they will stay (:class:`~optimisation.FlatParameters` moves them).
    """

    def __init__(self, layers: Iterable[nn.Module], activation: str) -> None:
        self.activate, self.derivative = ACTIVATIONS[activation]
        linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        self.parameters = [(layer.weight.detach(), layer.bias.detach()) for layer in linear]
        self.gradients = [(layer.weight.grad, layer.bias.grad) for layer in linear]
        self.inputs: list[Tensor] = []

    @staticmethod
    def covers(activation: str) -> bool:
        """Whether the derivative of that activation is written out here."""
        return activation in ACTIVATIONS

    def __call__(self, x: Tensor) -> Tensor:
        """``(batch, outputs)``, unknown to autograd; what :meth:`backward` needs is remembered."""
        self.inputs = [x]
        for weight, bias in self.parameters[:-1]:
            x = self.activate(torch.addmm(bias, x, weight.t()))
            self.inputs.append(x)
        weight, bias = self.parameters[-1]
        return torch.addmm(bias, x, weight.t())

    def backward(self, gradient: Tensor) -> None:
        """Set the layers' gradients (not add to them) from ``(batch, outputs)``, once after the newest call."""
        for i in reversed(range(len(self.parameters))):
            weight_gradient, bias_gradient = self.gradients[i]
            torch.mm(gradient.t(), self.inputs[i], out=weight_gradient)
            torch.sum(gradient, 0, out=bias_gradient)
            if i:
                gradient = self.derivative(gradient @ self.parameters[i][0], self.inputs[i])


class NoisyPerceptron(Perceptron):
    """The same for :class:`~q_networks.NoisyLinear` layers, whose noise is read anew at every pass."""

    def __init__(self, layers: Iterable[nn.Module], activation: str) -> None:
        noisy: list[Any] = [layer for layer in layers if isinstance(layer, nn.Linear)]
        super().__init__(noisy, activation)
        self.scales = [(layer.weight_sigma.detach(), layer.bias_sigma.detach()) for layer in noisy]
        self.scale_gradients = [(layer.weight_sigma.grad, layer.bias_sigma.grad) for layer in noisy]
        self.noise = [(layer.noise_in, layer.noise_out) for layer in noisy]

    def __call__(self, x: Tensor) -> Tensor:
        self.inputs = []
        last = len(self.parameters) - 1
        for i, ((weight, bias), (scale, bias_scale), (e_in, e_out)) in enumerate(
            zip(self.parameters, self.scales, self.noise, strict=True)
        ):
            self.inputs.append(x)
            noise = torch.addmm(bias_scale, x * e_in, scale.t()).mul_(e_out)
            x = torch.addmm(bias, x, weight.t()).add_(noise)
            if i < last:
                x = self.activate(x)
        return x

    def backward(self, gradient: Tensor) -> None:
        for i in reversed(range(len(self.parameters))):
            (weight_gradient, bias_gradient), (e_in, e_out) = self.gradients[i], self.noise[i]
            scale_gradient, bias_scale_gradient = self.scale_gradients[i]
            assert weight_gradient is not None and bias_gradient is not None
            torch.mm(gradient.t(), self.inputs[i], out=weight_gradient)
            torch.sum(gradient, 0, out=bias_gradient)
            torch.mul(weight_gradient, e_in, out=scale_gradient).mul_(e_out[:, None])
            torch.mul(bias_gradient, e_out, out=bias_scale_gradient)
            if i:
                through_noise = ((gradient * e_out) @ self.scales[i][0]).mul_(e_in)
                gradient = self.derivative((gradient @ self.parameters[i][0]).add_(through_noise), self.inputs[i])
