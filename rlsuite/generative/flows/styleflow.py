"""StyleFlow: attributes of a latent vector edited by a conditional continuous flow (Abdal, Zhu, Mitra and Wonka, 2021)."""

from __future__ import annotations

from collections.abc import Sequence

from rlsuite.errors import HyperparameterError
from rlsuite.generative.flows.continuous import Continuous, Velocity
from rlsuite.generative.flows.elementwise import ActNorm
from rlsuite.generative.flows.flow import Flow, positive, positives
from rlsuite.generative.flows.transform import Reshape, Transform


class StyleFlow(Flow):
    """Continuous flows of a latent vector w given its attributes a, an ActNorm before each (the paper has moving batch
    normalisation).

    ``edit(w, a, a′)`` is the paper's edit: the code of w under a, decoded under a′. With a′ = a it is w again, to the
    tolerance of the solver. Needs the extra ``flows``.

    Args:
        condition_shape: of the attributes; ``None`` for a plain continuous flow.
        blocks: continuous flows one after another.
        hidden: units of the hidden layers of each velocity.
        tolerance: of the solver, absolute and relative.
        base: ``gaussian``, ``mixture`` or ``uniform``; see :class:`Flow`.
        components: Gaussians of a mixture.

    Raises:
        HyperparameterError: no blocks, or zuko is not installed.
    """

    name = "styleflow"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        blocks: int = 1,
        hidden: Sequence[int] = (64, 64),
        tolerance: float = 1e-5,
        base: str = "gaussian",
        components: int = 8,
    ) -> None:
        super().__init__(event_shape, condition_shape, base, components)
        self.blocks, self.hidden = positive(blocks, "blocks"), positives(hidden, "hidden layers")
        if not tolerance > 0.0:
            raise HyperparameterError(f"tolerance is positive, not {tolerance!r}")
        self.tolerance = tolerance
        transforms: list[Transform] = [Reshape(self.event_shape, (self.event_size,))]
        for _ in range(blocks):
            velocity = Velocity(self.event_size, self.condition_size, self.hidden)
            transforms += [ActNorm(self.event_size), Continuous(velocity, tolerance)]
        self._assemble(transforms)
