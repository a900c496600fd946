"""Latent diffusion: an autoencoder makes events small, and a diffusion model draws its codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Latent, require
from rlsuite.generative.diffusion.continuous import VPSDE
from rlsuite.generative.registry import create


class LatentDiffusion(Latent):
    """x → z = encode(x), a VP-SDE over z, and x = decode(z) (Rombach et al., 2022).

    Fitting takes two stages: the codec first, to the training events, on its own loss; then the diffusion of its codes
    (their means, in units of their own spread), the codec frozen. The condition is the diffusion's alone. Over a codec
    that turns events (PCA with as many codes as dimensions that vary) it is the diffusion of the events themselves.

    It has no density of events, only one of codes: ``model.prior.log_prob``.

    Args:
        codec: name of a model with codes: ``vae``, ``beta-vae``, ``autoencoder``, ``pca``, …
        codec_arguments: of its constructor, but for the shape of events.
        codec_steps: of its fit; it stops early after five evaluations without gain.
        diffusion: arguments of the :class:`~rlsuite.generative.diffusion.continuous.VPSDE` over codes.
    """

    name = "latent-diffusion"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        *,
        codec: str = "vae",
        codec_arguments: Mapping[str, Any] | None = None,
        codec_steps: int = 2000,
        diffusion: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(event_shape, condition_shape)
        if codec_steps < 1:
            raise HyperparameterError(f"codec_steps is at least 1, not {codec_steps!r}")
        self.codec, self.codec_steps = codec, codec_steps
        self.codec_arguments, self.diffusion = _plain(codec_arguments), _plain(diffusion)
        autoencoder = create(codec, event_shape=self.event_shape, **self.codec_arguments)
        require(autoencoder, Latent, self.name)
        assert isinstance(autoencoder, Latent)
        self.autoencoder = autoencoder
        self.prior = VPSDE(self.autoencoder.latent_shape, self.condition_shape, **self.diffusion)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return self.prior.event_shape

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        if not self.fitted:
            seed = int(torch.randint(2**31, (), generator=generator, device=x.device))
            with torch.enable_grad():
                self.autoencoder.fit(x, steps=self.codec_steps, seed=seed, patience=5, device=str(x.device))
            self.prior.normalizer.fit(self._encode(x, None))
            self.prior.fitted = True

    def _regroup(self) -> list[dict[str, Any]]:
        return self.prior._regroup()

    def train(self, mode: bool = True) -> LatentDiffusion:
        super().train(mode)
        self.autoencoder.eval()  # fitted before, and frozen
        return self

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        with torch.no_grad():
            z = self._encode(x, None)
        return self.prior._loss(self.prior.normalizer(z), condition, generator)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        z = self.prior.normalizer.inverse(self.prior._sample(n, condition, generator))
        return self._decode(z, None)

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.autoencoder.encode(x)

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return self.autoencoder.decode(z)


def _plain(arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    """As JSON gives them back."""
    return {name: list(v) if isinstance(v, tuple) else v for name, v in (arguments or {}).items()}
