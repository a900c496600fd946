"""Linear prediction as a transform: events as what the best linear guess from their condition leaves over, whitened.

    z = L⁻¹ (x − b − A c),    x = b + A c + L z,    ladj = −Σ log L_ii        (S = L Lᵀ, the residuals' covariance)

A flow that begins with it, all later transforms the identity, *is* the linear regression: for the next frame of a motion
after p frames a vector autoregression of order p, without a condition the full Gaussian. Training goes on from there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlsuite.generative.flows.transform import Transform
from rlsuite.generative.linear.gaussian import RIDGE


class LinearPrediction(Transform):
    """Of vectors ``(n, size)`` given conditions of ``condition_size`` numbers, or none; the identity until :meth:`fit`.

    A, b and L are no weights: gradients do not change them.
    """

    weight: Tensor
    bias: Tensor
    factor: Tensor

    def __init__(self, size: int, condition_size: int = 0) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(size, condition_size))  # A
        self.register_buffer("bias", torch.zeros(size))
        self.register_buffer("factor", torch.eye(size))  # L

    @torch.no_grad()
    def fit(self, x: Tensor, condition: Tensor | None) -> None:
        """Least squares and the residuals' covariance, which maximise the likelihood; a little of the identity is added to
        either matrix that is inverted, as in :class:`rlsuite.generative.linear.var.VAR`."""
        x = x.flatten(1).double()
        ones = torch.ones_like(x[:, :1])
        inputs = ones if condition is None else torch.cat([condition.flatten(1).double(), ones], 1)
        ridge = RIDGE * len(inputs) * torch.eye(inputs.shape[1]).to(inputs)
        ridge[-1, -1] = 0.0  # the mean is not shrunk
        solution = torch.linalg.solve(inputs.mT @ inputs + ridge, inputs.mT @ x)
        residual = x - inputs @ solution
        covariance = residual.mT @ residual / len(x) + RIDGE * torch.eye(x.shape[1]).to(x)
        self.weight.copy_(solution[:-1].mT)
        self.bias.copy_(solution[-1])
        self.factor.copy_(torch.linalg.cholesky(covariance))

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        residual = x - self._guess(condition)
        return torch.linalg.solve_triangular(self.factor, residual.mT, upper=False).mT, -self._log_det(x)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return z @ self.factor.mT + self._guess(condition), self._log_det(z)

    def _guess(self, condition: Tensor | None) -> Tensor:
        return self.bias if condition is None else torch.addmm(self.bias, condition.flatten(1), self.weight.mT)

    def _log_det(self, x: Tensor) -> Tensor:
        return self.factor.diagonal().log().sum().expand(x.shape[0])
