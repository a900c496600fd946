"""The invertible 1 x 1 convolution: every place's channels mixed by one matrix, kept as its PLU factors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rlsuite.generative.flows.transform import Transform, channels_innermost


class PLUMixing(Transform):
    """z = W x at each place of ``(n, channels, *space)``, with W = P L (U + diag s) (Kingma and Dhariwal, 2018, eq. 10).

    P is a fixed permutation, L unit lower triangular, U strictly upper triangular, and s = ± exp(log|s|) with fixed signs,
    so W is invertible whatever the weights. W begins as a random rotation.

        ladj = H W Σ log|s|        (the product of the sizes of space; 1 for vectors)

    (The course notes leave out U and the factor H W.) Where gradients are recorded, the inverse solves two triangular
    systems. Elsewhere W and W⁻¹ are kept and made anew when a weight has changed, so sampling never inverts twice.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        rotation = torch.linalg.qr(torch.randn(channels, channels, dtype=torch.float64))[0]
        permutation, lower, upper = torch.linalg.lu(rotation)
        s = upper.diagonal()
        like = torch.get_default_dtype()
        self.register_buffer("permutation", permutation.to(like))
        self.register_buffer("sign", s.sign().to(like))
        self.log_s = nn.Parameter(s.abs().log().to(like))
        self.lower = nn.Parameter(lower.tril(-1).to(like))
        self.upper = nn.Parameter(upper.triu(1).to(like))
        self._kept: tuple[object, Tensor, Tensor] | None = None

    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        """P, L and U + diag s, each ``(channels, channels)``."""
        lower = self.lower.tril(-1) + torch.eye(len(self.sign)).to(self.lower)
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_s.exp())
        return self.permutation, lower, upper

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled():
            permutation, lower, upper = self.factors()
            return _mixed(permutation @ (lower @ upper), x), self._ladj(x)
        return _mixed(self._dense()[0], x), self._ladj(x)

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled():
            columns = z.movedim(1, 0).flatten(1)  # (channels, n · space)
            x = _solved(*self.factors(), columns).reshape(z.shape[1], len(z), *z.shape[2:]).movedim(0, 1)
            return x, -self._ladj(z)
        return _mixed(self._dense()[1], z), -self._ladj(z)

    def _ladj(self, x: Tensor) -> Tensor:
        return (math.prod(x.shape[2:]) * self.log_s.sum()).expand(len(x))

    def _dense(self) -> tuple[Tensor, Tensor]:
        """W and its inverse; kept for as long as the weights are the same tensors in the same version."""
        weights = (self.lower, self.upper, self.log_s, self.permutation, self.sign)
        state = tuple((weight.data_ptr(), weight._version, weight.dtype, weight.device) for weight in weights)
        if self._kept is None or self._kept[0] != state:
            permutation, lower, upper = self.factors()
            eye = torch.eye(len(self.sign)).to(lower)
            self._kept = (state, permutation @ (lower @ upper), _solved(permutation, lower, upper, eye))
        return self._kept[1:]


def _mixed(w: Tensor, x: Tensor) -> Tensor:
    if x.dim() == 3:
        return w @ x
    return nn.functional.linear(channels_innermost(x).movedim(1, -1), w).movedim(-1, 1)


def _solved(permutation: Tensor, lower: Tensor, upper: Tensor, columns: Tensor) -> Tensor:
    """(P L U)⁻¹ columns."""
    columns = torch.linalg.solve_triangular(lower, permutation.mT @ columns, upper=False, unitriangular=True)
    return torch.linalg.solve_triangular(upper, columns, upper=True)
