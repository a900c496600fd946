"""RealNVP and NICE: couplings one after another over the entries of an event taken as one vector.

Couplings come in pairs that move one half of the entries and then the other; after each pair the entries are dealt out
anew, so that the halves differ from pair to pair. A condition is read by every coupling's network.
"""

from __future__ import annotations

from collections.abc import Sequence

from rlsuite.generative.flows.coupling import AdditiveCoupling, AffineCoupling, Coupling
from rlsuite.generative.flows.elementwise import ActNorm, Scale
from rlsuite.generative.flows.flow import Flow, linear_prediction, positive, positives
from rlsuite.generative.flows.transform import Permutation, Reshape, Transform


class RealNVP(Flow):
    """Affine couplings, an ActNorm before each (Dinh, Sohl-Dickstein and Bengio, 2017, who had batch normalisation).

    Args:
        layers: couplings.
        hidden: units of each of their networks' hidden layers.
        base: ``gaussian``, ``mixture`` or ``uniform``; see :class:`Flow`.
        components: Gaussians of a mixture.
        linear: begin as the linear regression on the condition (without one, as the full Gaussian), fitted in closed form;
            see :class:`LinearPrediction`.

    Raises:
        HyperparameterError: events of one entry, no layers.
    """

    name = "realnvp"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        layers: int = 8,
        hidden: Sequence[int] = (64, 64),
        base: str = "gaussian",
        components: int = 8,
        linear: bool = False,
    ) -> None:
        super().__init__(event_shape, condition_shape, base, components)
        self.layers, self.hidden = positive(layers, "layers"), positives(hidden, "hidden layers")
        self.linear = linear
        first, *rest = couplings(self, AffineCoupling, self.layers, self.hidden)
        self._assemble([first, *linear_prediction(self, linear), *rest])


class NICE(Flow):
    """Additive couplings, which keep volumes, and a learned scale of each entry at the end (Dinh, Krueger and Bengio, 2015).

    Its ladj is one number, the same for every event. Arguments as of :class:`RealNVP`; the paper's logistic base is
    ``uniform``.
    """

    name = "nice"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        layers: int = 8,
        hidden: Sequence[int] = (64, 64),
        base: str = "uniform",
        components: int = 8,
    ) -> None:
        super().__init__(event_shape, condition_shape, base, components)
        self.layers, self.hidden = positive(layers, "layers"), positives(hidden, "hidden layers")
        self._assemble([*couplings(self, AdditiveCoupling, self.layers, self.hidden), Scale(self.event_size)])


def couplings(flow: Flow, kind: type[Coupling], layers: int, hidden: Sequence[int]) -> list[Transform]:
    """The chain that both have: flatten, then couplings, the halves exchanged after each and dealt anew after two."""
    size = flow.event_size
    transforms: list[Transform] = [Reshape(flow.event_shape, (size,))]
    for i in range(layers):
        if kind is AffineCoupling:
            transforms.append(ActNorm(size))
        transforms.append(kind(size, swap=i % 2 == 1, condition_channels=flow.condition_size, hidden=hidden))
        if i % 2 == 1 and i < layers - 1:
            transforms.append(Permutation(dealt(size)))
    return transforms


def dealt(size: int) -> list[int]:
    """Entries 0, 2, 4, …, then 1, 3, 5, …: cards dealt to two players."""
    return [*range(0, size, 2), *range(1, size, 2)]
