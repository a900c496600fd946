"""The motion VAE: a conditional VAE of the next frame, rolled out, whose code a policy can act in."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.blocks import mlp
from rlsuite.generative.capabilities import Bound, Latent, Streaming
from rlsuite.generative.latent.experts import ExpertDecoder
from rlsuite.generative.latent.gaussians import Gaussians
from rlsuite.generative.latent.likelihoods import LEAST_LOG_SCALE, GaussianLikelihood, Noise
from rlsuite.generative.normalisation import Identity, Standardizer

FIRST_NOISE = 0.25  # of the typical change between frames


class MotionVAE(Bound, Latent, Streaming):
    """zₜ ~ N(0, I), xₜ | zₜ, past ~ N(decoder(zₜ, past), σ²), q(zₜ | xₜ, past); past: the p frames before (Ling, Zinno,
    Cheng and van de Panne, 2020, *Character Controllers Using Motion VAEs*).

    Events are ``(T, F)``, T frames, and conditions ``(p, F)`` the p frames before them, oldest first, in the same units. The
    bound of log p(x | c) is the sum over frames of the one-frame bounds given the true past, as the codes are independent::

        log p(x | c) ≥ Σₜ E_q [log p(xₜ | zₜ, xₜ₋ₚ … xₜ₋₁)] − KL(q(zₜ | xₜ, xₜ₋ₚ … xₜ₋₁) ‖ p(zₜ))

    With particles, each frame's is the importance-weighted one. In training a frame's past is, with probability
    ``scheduled_sampling``, the frame that the model itself put out (the decoder's mean), so that it learns to recover from
    its own drift: a training loss, no bound; the paper raises the probability from 0 to 1 over the first epochs.

    A learned σ begins at a quarter of the typical change between frames: begun as wide as the data, it explains the change
    as noise, and the code is never used.

    As an action space, T = 1 and codes of shape ``(1, k)``: ``decode(z, condition)`` is the next frame.

    Args:
        latent_size: k, entries of a frame's code.
        hidden: units of the encoder's and the decoder's layers.
        n_experts: of the decoder; see :class:`~rlsuite.generative.latent.experts.ExpertDecoder`.
        gate_hidden: units of its gate's layers.
        activation: between layers.
        noise: standard deviation of a frame's entries in normalised units, or ``learned``, or ``predicted``.
        beta: weight of the divergence in the loss (the paper's 0.2 beside a mean squared error).
        scheduled_sampling: see above.
        residual: whether the decoder puts out the change from the last frame.
    """

    name = "motion-vae"

    def __init__(
        self,
        event_shape: Sequence[int],
        condition_shape: Sequence[int],
        *,
        latent_size: int = 32,
        hidden: Sequence[int] = (128, 128),
        n_experts: int = 4,
        gate_hidden: Sequence[int] = (32, 32),
        activation: str = "elu",
        noise: Noise = "learned",
        beta: float = 1.0,
        scheduled_sampling: float = 0.0,
        residual: bool = True,
    ) -> None:
        super().__init__(event_shape, condition_shape)
        if len(self.event_shape) != 2 or self.condition_shape is None or len(self.condition_shape) != 2:
            raise HyperparameterError(
                "event_shape is (frames, features) and condition_shape (earlier frames, features), "
                f"not {event_shape!r} and {condition_shape!r}"
            )
        (self.n_frames, self.n_features), (self.n_past, features) = self.event_shape, self.condition_shape
        if features != self.n_features:
            raise HyperparameterError(f"frames before have as many features, {self.n_features}, not {features}")
        if latent_size < 1 or n_experts < 1 or beta < 0.0 or not 0.0 <= scheduled_sampling <= 1.0:
            raise HyperparameterError(
                "latent_size and n_experts are at least 1, beta is not negative, scheduled_sampling a probability; "
                f"not {latent_size!r}, {n_experts!r}, {beta!r} and {scheduled_sampling!r}"
            )
        self.latent_size, self.hidden, self.n_experts = latent_size, tuple(hidden), n_experts
        self.gate_hidden, self.activation, self.noise = tuple(gate_hidden), activation, noise
        self.beta, self.scheduled_sampling, self.residual = beta, scheduled_sampling, residual
        self.normalizer = Standardizer(self.event_shape, shared=(0,))
        self.condition_normalizer = Identity(self.condition_shape)
        self.entries = GaussianLikelihood(self.n_features, noise)
        n_past = self.n_past * self.n_features
        self.encoder = mlp(self.n_features + n_past, self.hidden, 2 * latent_size, activation)
        self.decoder = ExpertDecoder(
            latent_size,
            n_past,
            self.hidden,
            self.entries.n_parameters,
            n_experts=n_experts,
            gate_hidden=self.gate_hidden,
            activation=activation,
        )

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        if self.noise == "learned" and not self.fitted:
            change = torch.cat([self._before(condition)[:, -1:], x], 1).diff(dim=1)
            self.entries.log_scale.copy_((FIRST_NOISE * change.square().mean().sqrt()).log().clamp(LEAST_LOG_SCALE))

    @property
    def latent_shape(self) -> tuple[int, ...]:
        return (self.n_frames, self.latent_size)

    # One frame: ``frame (n, F)``, ``past (n, p, F)``, ``code (n, k)``, all normalised.

    def approximate(self, frame: Tensor, past: Tensor) -> Gaussians:
        """q(zₜ | xₜ, past)."""
        return Gaussians.of(self.encoder(torch.cat([frame, past.flatten(1)], -1)), self.latent_size)

    def parameters_of(self, code: Tensor, past: Tensor) -> Tensor:
        """The likelihood's parameters of the next frame."""
        parameters = self.decoder(code, past.flatten(1))
        if not self.residual:
            return parameters
        extra = parameters.shape[1] - self.n_features
        return parameters + torch.nn.functional.pad(past[:, -1], (0, extra))

    def terms(self, frame: Tensor, past: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """log p(xₜ | zₜ, past) at a draw ``(n)``, the divergence ``(n)``, and the decoder's mean of the frame ``(n, F)``."""
        q = self.approximate(frame, past)
        parameters = self.parameters_of(q.draw(1, generator)[0], past)
        kl = q.kl(Gaussians.standard(len(frame), self.latent_size, frame)).sum(1)
        return self.entries.log_prob(frame, parameters), kl, self.entries.centre(parameters)

    def log_weights(self, frame: Tensor, past: Tensor, particles: int, generator: torch.Generator | None) -> Tensor:
        """log p(xₜ, zᵢ | past) − log q(zᵢ | xₜ, past) ``(particles, n)``."""
        q = self.approximate(frame, past)
        z = q.draw(particles, generator)
        parameters = self.parameters_of(z.flatten(0, 1), past.repeat(particles, 1, 1)).unflatten(0, z.shape[:2])
        prior = Gaussians.standard(len(frame), self.latent_size, frame)
        return self.entries.log_prob(frame, parameters) + prior.log_prob(z) - q.log_prob(z)

    # Events.

    def _bound(self, x: Tensor, condition: Tensor | None, particles: int, generator: torch.Generator | None) -> Tensor:
        frames, pasts = x.flatten(0, 1), self._pasts(x, condition).flatten(0, 1)
        if particles == 1:
            reconstruction, kl, _ = self.terms(frames, pasts, generator)
            return (reconstruction - kl).reshape(x.shape[:2]).sum(1)
        weights = self.log_weights(frames, pasts, particles, generator)
        return (weights.logsumexp(0) - math.log(particles)).reshape(x.shape[:2]).sum(1)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        if not (self.training and self.scheduled_sampling):
            reconstruction, kl, _ = self.terms(x.flatten(0, 1), self._pasts(x, condition).flatten(0, 1), generator)
            return (self.beta * kl - reconstruction).reshape(x.shape[:2]).sum(1)
        past, loss = self._before(condition), x.new_zeros(len(x))
        for t in range(self.n_frames):
            reconstruction, kl, own = self.terms(x[:, t], past, generator)
            loss = loss + self.beta * kl - reconstruction
            chance = torch.rand(len(x), 1, generator=generator, dtype=x.dtype, device=x.device)
            past = self._after(past, torch.where(chance < self.scheduled_sampling, own, x[:, t]))
        return loss

    def _encode(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.approximate(x.flatten(0, 1), self._pasts(x, condition).flatten(0, 1)).mean

    def _decode(self, z: Tensor, condition: Tensor | None) -> Tensor:
        past, frames = self._before(condition), []
        for code in z.unbind(1):
            frames.append(self.entries.centre(self.parameters_of(code, past)))
            past = self._after(past, frames[-1])
        return torch.stack(frames, 1)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        past, frames = self._before(condition), []
        for _ in range(self.n_frames):
            frame, past = self._next(past, generator)
            frames.append(frame)
        return torch.stack(frames, 1)

    def start(self, n: int, condition: Tensor | None = None) -> Tensor:
        """The frames before, normalised ``(n, p, F)``; ``condition`` in the units of the data."""
        if condition is None:
            raise HyperparameterError(f"{self.name} needs a condition of shape {self.condition_shape}")
        self._condition_batch(condition)
        return self._before(condition.to(self.normalizer.mean).expand(n, self.n_past, self.n_features))

    @torch.no_grad()
    def step(self, state: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        frame, state = self._next(state, generator)
        return frame * self.normalizer.scale[0] + self.normalizer.mean[0], state

    def _next(self, past: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        code = Gaussians.standard(len(past), self.latent_size, past).draw(1, generator)[0]
        frame = self.entries.draw(self.parameters_of(code, past), generator)
        return frame, self._after(past, frame)

    @staticmethod
    def _after(past: Tensor, frame: Tensor) -> Tensor:
        return torch.cat([past[:, 1:], frame[:, None]], 1)

    def _before(self, condition: Tensor | None) -> Tensor:
        """The frames before in the events' normalised units."""
        assert condition is not None  # the base class has seen to it
        return (condition - self.normalizer.mean[0]) / self.normalizer.scale[0]

    def _pasts(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """The true past of each frame ``(n, T, p, F)``."""
        frames = torch.cat([self._before(condition), x], 1)
        return frames.unfold(1, self.n_past, 1)[:, :-1].mT
