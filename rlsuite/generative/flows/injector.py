"""The affine injector: scale and shift of every entry by what the condition says there (Lugmayr et al., 2020, eq. 13).

    z = x ⊙ exp(s(u)) + t(u),        ladj = Σ s(u)

Nothing of x enters s and t, so the networks are free; at zero initialisation the condition does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rlsuite.generative.flows.conditioner import Conditioner, affine, affine_inverse
from rlsuite.generative.flows.transform import Transform


class AffineInjector(Transform):
    """Events ``(n, channels, *space)`` under conditions ``(n, condition_channels, *space)`` that lie in the same space.

    Args:
        hidden: of the network; see :class:`Conditioner`.
        rank: how many axes space has.
    """

    def __init__(self, channels: int, condition_channels: int, hidden: Sequence[int] = (64, 64), rank: int = 0) -> None:
        super().__init__()
        self.network = Conditioner(condition_channels, 2 * channels, hidden=hidden, rank=rank)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return affine(x, self._scale_and_shift(condition))

    def inverse(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return affine_inverse(z, self._scale_and_shift(condition))

    def _scale_and_shift(self, condition: Tensor | None) -> Tensor:
        assert condition is not None, "an injector needs a condition"
        parameters: Tensor = self.network(condition, None)
        return parameters
