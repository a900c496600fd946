"""Glow: ActNorm, invertible 1 x 1 convolution and coupling, repeated at several scales (Kingma and Dhariwal, 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from rlsuite.errors import HyperparameterError
from rlsuite.generative.flows.coupling import AffineCoupling
from rlsuite.generative.flows.elementwise import ActNorm
from rlsuite.generative.flows.flow import Flow, positive, positives
from rlsuite.generative.flows.linear_mixing import PLUMixing
from rlsuite.generative.flows.multiscale import MultiScale
from rlsuite.generative.flows.transform import Composition, Transform, Transpose


class Glow(Flow):
    """Events are images ``(C, H, W)``, sequences ``(T, F)`` of F channels, time first, or vectors ``(F,)``.

    A sequence is squeezed in time and its features are mixed by the convolutions, as in MoGlow (Henter, Alexanderson and
    Beskow, 2020) though over whole windows. A condition of any shape is read as one vector at every place by every
    coupling; for conditions that lie in the event's own space see :class:`SRFlow`.

    Args:
        levels: scales; every axis of space is divisible by 2^levels. Vectors have one.
        steps: of flow at each level.
        hidden: channels of the two hidden layers of each coupling's network.
        base: ``gaussian``, ``mixture`` or ``uniform``; see :class:`Flow`.
        components: Gaussians of a mixture.

    Raises:
        HyperparameterError: shapes that do not fit.
    """

    name = "glow"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        levels: int = 2,
        steps: int = 4,
        hidden: Sequence[int] = (64, 64),
        base: str = "gaussian",
        components: int = 8,
    ) -> None:
        super().__init__(event_shape, condition_shape, base, components)
        self.levels, self.steps = positive(levels, "levels"), positive(steps, "steps")
        self.hidden = positives(hidden, "hidden layers")
        event = channels_first(self.event_shape)
        rank = len(event) - 1

        def step(channels: int) -> Transform:
            coupling = AffineCoupling(channels, condition_channels=self.condition_size, hidden=self.hidden, rank=rank)
            return Composition([ActNorm(channels), PLUMixing(channels), coupling])

        scales = MultiScale(
            event, self.levels, step, self.steps, hidden=self.hidden, condition_channels=self.condition_size
        )
        self._assemble([*([Transpose()] if rank == 1 else []), scales])


def channels_first(event: tuple[int, ...]) -> tuple[int, ...]:
    """``(F,)``, ``(F, T)`` of ``(T, F)``, or ``(C, H, W)``.

    Raises:
        HyperparameterError: four axes or more.
    """
    if len(event) > 3:
        raise HyperparameterError(
            f"events are vectors (F,), sequences (T, F) or images (C, H, W), not of shape {event}"
        )
    return event[::-1] if len(event) == 2 else event
