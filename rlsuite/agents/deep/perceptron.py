"""A multi-layer perceptron with its gradient written out, for networks so small that autograd costs more than they do.

With h_0 = x, h_i = f(W_i h_{i-1} + b_i) and a linear last layer, the chain rule gives for the gradient g_n of the loss
with respect to the outputs

    dW_i = g_i h_{i-1}^T,   db_i = g_i,   g_{i-1} = (W_i^T g_i) * f'(h_{i-1})

where f' is a function of the activation itself: [h > 0] for ReLU, 1 - h^2 for tanh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

# activation in place, and gradient times derivative in place, which may use up h (signs are quicker than h > 0)
_WRITTEN_OUT: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "relu": (torch.relu_, lambda gradient, h: gradient.mul_(h.sign_())),
    "tanh": (torch.tanh_, lambda gradient, h: gradient.mul_(1 - h * h)),
}


class Perceptron:
    """Passes through ``layers`` with ``activation`` between them; parameters stay those of the layers.

    Made once the parameters are where they will stay (:class:`~optimisation.FlatParameters` moves them).
    """

    def __init__(self, layers: Sequence[nn.Linear], activation: str) -> None:
        self.activate, self.derivative = _WRITTEN_OUT[activation]
        self.parameters = [(layer.weight.detach(), layer.bias.detach()) for layer in layers]
        self.gradients = [(layer.weight.grad, layer.bias.grad) for layer in layers]
        self.inputs: list[Tensor] = []

    @staticmethod
    def covers(activation: str) -> bool:
        """Whether the derivative of that activation is written out here."""
        return activation in _WRITTEN_OUT

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
