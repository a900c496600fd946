"""The vector-quantised variational autoencoder: discrete codes, and an autoregressive prior over them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.heads import head_for
from rlsuite.generative.autoregressive.quantiser import Quantiser
from rlsuite.generative.autoregressive.transformer import Transformer
from rlsuite.generative.blocks import mlp
from rlsuite.generative.capabilities import Bound, Latent


class VQVAE(Bound, Latent):
    """x → tokens k = nearest codes of the encoder's vectors → p(x | e_k), with a Transformer as the prior p(k | c).

    The posterior is certain of its tokens, so log p(x | e_k(x)) + log p(k(x) | c) is a lower bound of
    log p(x | c) = log Σ_k p(k | c) p(x | e_k): its gap is what other tokens would add. The loss is the negative bound,
    its gradient passed through the quantiser, plus commitment · ‖z − sg(e)‖² (van den Oord et al., 2017, equation 3); the
    codebook follows running means, and the prior is trained along, its tokens held fixed.

    Codes (:meth:`encode`) are the tokens' indices ``(tokens)``, as motion tokens or discrete skills.

    Args:
        n_values: values of each entry of an event, or 0 for real ones (Gaussian, with a scale of its own each).
        tokens: of one event.
        codes: K, in the codebook.
        code_size: numbers of one code.
        hidden: widths of encoder and, reversed, decoder.
        commitment: weight of the commitment to codes.
        decay: γ of the codebook.
        prior_width: of the Transformer.
        prior_layers: of the Transformer.
    """

    name = "vq-vae"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        n_values: int = 0,
        tokens: int = 4,
        codes: int = 64,
        code_size: int = 8,
        hidden: Sequence[int] = (128, 128),
        commitment: float = 0.25,
        decay: float = 0.95,
        prior_width: int = 32,
        prior_layers: int = 2,
    ) -> None:
        super().__init__(event_shape, condition_shape)
        if min(tokens, code_size) < 1 or codes < 2 or not 0.0 <= decay < 1.0 or commitment < 0.0:
            raise HyperparameterError(
                "vq-vae: tokens and code_size are at least 1, codes at least 2, decay in [0, 1), commitment at least 0; "
                f"not {tokens!r}, {code_size!r}, {codes!r}, {decay!r}, {commitment!r}"
            )
        self.n_values, self.tokens, self.codes, self.code_size = n_values, tokens, codes, code_size
        self.hidden, self.commitment, self.decay = tuple(hidden), commitment, decay
        self.prior_width, self.prior_layers = prior_width, prior_layers
        self.head = head_for(n_values)
        self.support = "real" if n_values == 0 else "binary" if n_values == 2 else "categorical"
        d, latent = self.event_size, tokens * code_size
        self.encoder = mlp(d * self.head.inputs, self.hidden, latent)
        self.decoder = mlp(latent, self.hidden[::-1], d * self.head.outputs)
        self.quantiser = Quantiser(codes, code_size, decay)
        self.prior = Transformer(
            (tokens,), condition_shape, codes, lags=0, width=prior_width, heads=2, layers=prior_layers
        )
        self._batch: tuple[Tensor, Tensor, Tensor] | None = (
            None  # vectors, their codes and spare ones, for the codebook
        )

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.tokens,)

    def perplexity(self, x: Tensor) -> Tensor:
        """exp of the entropy of the codes that ``x`` uses: how many of the K are used in effect."""
        share = torch.bincount(self.encode(x).long().flatten(), minlength=self.codes).double()
        return torch.special.entr(share / share.sum()).sum().exp()

    def _vectors(self, x: Tensor) -> Tensor:
        """What the encoder makes of events ``(n, tokens, code_size)``."""
        entries = self.head.encode(x.reshape(len(x), -1, 1))
        return self.encoder(entries.flatten(1)).reshape(len(x), self.tokens, self.code_size)

    def _parameters_of(self, codes: Tensor) -> Tensor:
        """Parameters ``(n, D, outputs)`` of the entries of events from ``codes (n, tokens, code_size)``."""
        parameters: Tensor = self.decoder(codes.flatten(1))
        return parameters.unflatten(1, (self.event_size, -1))

    def _terms(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The bound ``(n)``, the encoder's vectors and their codes' indices."""
        z = self._vectors(x)
        codes, index = self.quantiser(z)
        likelihood = self.head.log_prob(self._parameters_of(codes), x.reshape(len(x), -1, 1)).sum(1)
        return likelihood + self.prior._log_prob(index.to(x), condition), z, index

    def _bound(self, x: Tensor, condition: Tensor | None, particles: int, generator: torch.Generator | None) -> Tensor:
        return self._terms(x, condition)[0]

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        bound, z, index = self._terms(x, condition)
        if self.training:
            vectors = z.detach().flatten(0, 1)
            spare = torch.randint(len(vectors), (self.codes,), generator=generator, device=x.device)
            self._batch = vectors, index.flatten(), vectors[spare]
        distance = (z - self.quantiser.codebook[index]).square().sum((1, 2))
        return -bound + self.commitment * distance

    def _after_step(self) -> None:
        if self._batch is not None:
            self.quantiser.update(*self._batch)
            self._batch = None

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        if not self.fitted:  # codes begin as vectors of events
            some = torch.randint(len(x), (self.codes,), generator=generator, device=x.device)
            at = torch.randint(self.tokens, (self.codes,), generator=generator, device=x.device)
            self.quantiser.reset(self._vectors(x[some])[torch.arange(self.codes, device=x.device), at])

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.quantiser.nearest(self._vectors(x)).to(x)

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        index = z.round().long().clamp(0, self.codes - 1)
        return self.head.mode(self._parameters_of(self.quantiser.codebook[index])).reshape(-1, *self.event_shape)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        index = self.prior._sample(n, condition, generator).long()
        parameters = self._parameters_of(self.quantiser.codebook[index])
        noise = self.head.noise(parameters.shape[:2], parameters, generator)
        return self.head.draw(parameters, noise).reshape(n, *self.event_shape)
