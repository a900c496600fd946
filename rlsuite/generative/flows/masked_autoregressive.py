"""Masked and inverse autoregressive flows: MADE as a transform, fast one way and sequential the other.

    MAF:  z_i = x_i exp(s_i(x_<i, c)) + t_i(x_<i, c)        density in one pass, draws one entry after another
    IAF:  x_i = z_i exp(s_i(z_<i, c)) + t_i(z_<i, c)        draws in one pass, density one entry after another

The Jacobian is triangular along the order, ladj = ±Σ s. The order is reversed from one layer to the next. The sequential
way computes each hidden unit once, in the order of degrees (:meth:`MaskedMLP.generate`), where the usual way runs the
network D times; where gradients are recorded it runs D times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from rlsuite.generative.flows.conditioner import LIMIT, affine, affine_inverse
from rlsuite.generative.flows.elementwise import ActNorm
from rlsuite.generative.flows.flow import Flow, linear_prediction, positive, positives
from rlsuite.generative.flows.transform import Inverse, Reshape, Transform
from rlsuite.generative.masked import MaskedMLP, fits_numpy, in_numpy


class MaskedAffine(Transform):
    """z_i = x_i exp(s_i) + t_i, s and t by a MADE from the entries before i in ``order`` (all, first to last)."""

    def __init__(self, size: int, hidden: Sequence[int], condition_size: int = 0, order: Tensor | None = None) -> None:
        super().__init__()
        order = torch.arange(size) if order is None else order
        self.order: list[int] = order.tolist()
        self.network = MaskedMLP(
            size, 1, 2, hidden, condition_size, orders=[order], activation=nn.functional.silu
        )  # fmt: skip
        for layer in [self.network.layers[-1], *self.network.context[-1:]]:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        parameters = self.network(x[:, :, None], _flat(condition))
        return affine(x, parameters.mT.flatten(1))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if torch.is_grad_enabled():
            return self._inverse_by_passes(z, condition)
        x, log_scales = torch.empty_like(z.mT), torch.empty_like(z.mT)  # a row for each entry
        array, xp = (in_numpy, np) if fits_numpy(z) else (lambda tensor: tensor, torch)
        z_rows, x_rows, s_rows = array(z.mT), array(x), array(log_scales)

        def emit(entry: int, parameters: Tensor) -> Tensor:
            """The inverse of :func:`affine` once more, since numpy's calls cost half of torch's."""
            log_scale, shift = array(parameters).T
            s_rows[entry] = LIMIT * xp.tanh(log_scale / LIMIT)
            x_rows[entry] = (z_rows[entry] - shift) * xp.exp(-s_rows[entry])
            return x[entry, :, None]

        self.network.generate(len(z), emit, _flat(condition))
        return x.mT, -log_scales.sum(0)

    def _inverse_by_passes(self, z: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Every pass makes one entry more right; differentiable."""
        columns = list(torch.zeros_like(z).unbind(1))
        total, condition = z.new_zeros(len(z)), _flat(condition)
        for entry in self.order:
            parameters = self.network(torch.stack(columns, 1)[:, :, None], condition)[:, entry]
            drawn, ladj = affine_inverse(z[:, entry : entry + 1], parameters)
            columns[entry], total = drawn[:, 0], total + ladj
        return torch.stack(columns, 1), total


class MAF(Flow):
    """A masked autoregressive flow (Papamakarios, Pavlakou and Murray, 2017): quick to fit and to score.

    Args:
        layers: of MADE, an ActNorm before each (the paper has batch normalisation).
        hidden: units of each one's hidden layers.
        base: ``gaussian``, ``mixture`` (as in the paper's MAF MoG) or ``uniform``; see :class:`Flow`.
        components: Gaussians of a mixture.
        linear: begin as the linear regression on the condition; see :class:`RealNVP`.

    Raises:
        HyperparameterError: no layers.
    """

    name = "maf"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        layers: int = 5,
        hidden: Sequence[int] = (64, 64),
        base: str = "gaussian",
        components: int = 8,
        linear: bool = False,
    ) -> None:
        super().__init__(event_shape, condition_shape, base, components)
        self.layers, self.hidden = positive(layers, "layers"), positives(hidden, "hidden layers")
        self.linear = linear
        first, *rest = masked_layers(self, self.layers, self.hidden, inverse=False)
        self._assemble([first, *linear_prediction(self, linear), *rest])


class IAF(Flow):
    """An inverse autoregressive flow (Kingma et al., 2016): quick to draw from; fitting it to data costs D passes a step.

    Arguments as of :class:`MAF`.
    """

    name = "iaf"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        layers: int = 5,
        hidden: Sequence[int] = (64, 64),
        base: str = "gaussian",
        components: int = 8,
    ) -> None:
        super().__init__(event_shape, condition_shape, base, components)
        self.layers, self.hidden = positive(layers, "layers"), positives(hidden, "hidden layers")
        self._assemble(masked_layers(self, self.layers, self.hidden, inverse=True))


def masked_layers(flow: Flow, layers: int, hidden: Sequence[int], *, inverse: bool) -> list[Transform]:
    """The chain that both have: flatten, then ActNorm and masked transform, the order reversed after each."""
    transforms: list[Transform] = [Reshape(flow.event_shape, (flow.event_size,))]
    for i in range(layers):
        order = torch.arange(flow.event_size)
        masked = MaskedAffine(flow.event_size, hidden, flow.condition_size, order.flip(0) if i % 2 else order)
        transforms += [ActNorm(flow.event_size), Inverse(masked) if inverse else masked]
    return transforms


def _flat(condition: Tensor | None) -> Tensor | None:
    return None if condition is None else condition.flatten(1)
