"""Control of a frozen model by an added branch that begins by changing nothing."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.diffusion.ddpm import DDPM
from rlsuite.generative.diffusion.networks import Network, zeroed
from rlsuite.generative.normalisation import Identity


class ControlledNetwork(nn.Module):
    """decode(features + Z(encode′(x, hint(control)))): ``encode′`` is a copy of the base's encoder that learns, ``Z`` layers
    that are 0 at first, one for each feature, and the base is frozen (Zhang, Rao and Agrawala, 2023, equations 2 and 3).

    At first the output is the base's exactly, since Z(·) = 0; its gradient with respect to Z is not 0, since what Z
    sees is not. A control that is hidden (``keep`` false) leaves the base alone for good.
    """

    def __init__(self, base: Network, control_shape: Sequence[int]) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.branch = copy.deepcopy(base).requires_grad_(True)
        self.hint = base.hinter(control_shape)
        self.zeros = nn.ModuleList(zeroed(layer) for layer in base.pointwise())

    def forward(self, x: Tensor, angle: Tensor, condition: Tensor | None = None, keep: Tensor | None = None) -> Tensor:
        """Prediction ``(n, outputs, *event)``; ``condition`` is the control ``(n, *control_shape)``."""
        context = self.base.context(angle.to(x), None, None)
        features = self.base.encode(x, context)
        if condition is not None:
            own = self.branch.context(angle.to(x), None, None)
            seen = self.branch.encode(x, own, self.hint(condition))
            added = [zero(feature) for zero, feature in zip(self.zeros, seen, strict=True)]
            if keep is not None:
                added = [a * keep.to(a).reshape(-1, *[1] * (a.dim() - 1)) for a in added]
            features = [f + a for f, a in zip(features, added, strict=True)]
        return self.base.decode(features, context)


class ControlNet(DDPM):
    """A DDPM without condition, frozen, and a branch that lets a condition steer it: a path, key frames, another map.

    Make it by :meth:`over` from a fitted base. Everything else (bound, samplers, guidance by the control, in-filling) is
    the base's; events keep its normaliser. Controls ``(frames, k)`` of a window, or ``(k, rows, columns)`` of an image, of
    the event's own length or size act where they are; others everywhere.
    """

    name = "controlnet"

    def _new_denoiser(self, outputs: int) -> nn.Module:
        if self.condition_shape is None:
            raise HyperparameterError("controlnet needs the shape of its controls, condition_shape")
        control_shape, self.condition_shape = self.condition_shape, None
        base = super()._new_denoiser(outputs)
        self.condition_shape = control_shape
        self.normalizer = Identity(self.event_shape)  # the base's, whatever this is fitted to
        assert isinstance(base, Network)
        return ControlledNetwork(base, control_shape)

    @classmethod
    def over(cls, base: DDPM, condition_shape: int | Sequence[int]) -> ControlNet:
        """A controlled model that draws what ``base`` draws, until it is fitted.

        Raises:
            HyperparameterError: the base has a condition of its own.
        """
        if base.condition_shape is not None:
            raise HyperparameterError("a base is a ddpm without condition; the control is the condition")
        model = cls(**{**base.hyperparameters, "condition_shape": condition_shape})
        network = model.denoiser
        assert isinstance(network, ControlledNetwork)
        model.to(base.normalizer.mean)
        model.normalizer.load_state_dict(base.normalizer.state_dict())
        for part in (network.base, network.branch):
            part.load_state_dict(base.denoiser.state_dict())
        return model
