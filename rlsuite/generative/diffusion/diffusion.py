"""What all diffusion models have in common: a schedule, a network and a sampler; guidance, in-filling, the score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Completion, Score
from rlsuite.generative.diagonal import standard_normal
from rlsuite.generative.diffusion.choice import network_for
from rlsuite.generative.diffusion.infilling import infill
from rlsuite.generative.diffusion.parametrisation import (
    PREDICTIONS,
    Denoised,
    Prediction,
    denoised,
    spread,
)
from rlsuite.generative.diffusion.samplers import Sampler, draw, sampler_named
from rlsuite.generative.diffusion.schedules import schedule_named
from rlsuite.generative.diffusion.transitions import Variance

EARLIEST = 1e-5  # of times at which a score is asked for; at 0 a prediction of x₀ says nothing about the noise


class Diffusion(Score, Completion):
    """xₜ = √ᾱ(t) x₀ + √(1 − ᾱ(t)) ε, and a network that predicts from xₜ, t and the condition what was mixed.

    The network of least squared error puts out an expectation given xₜ, from which the score follows (Tweedie's formula)::

        ∇ log pₜ(xₜ) = −E[ε | xₜ] / √(1 − ᾱ(t))

    *Guidance* (Ho and Salimans, 2022, equation 6). In training a condition is dropped with probability
    ``drop_condition``; then ε̃ = (1 + w) ε̂(x, c) − w ε̂(x), w = :attr:`guidance`, pushes samples towards what tells their
    condition from others. It trades diversity for fidelity; w = 0 is the conditional model, w = −1 the unconditional one.
    ``guidance``, ``sampler``, ``sample_steps`` and ``resampling`` may be changed after fitting.

    A concrete model adds its training and its likelihood. ``denoiser`` may be replaced by any module of the network's
    signature, such as the analytic one.

    Args:
        schedule: ``cosine`` or ``linear``; see ``schedules``.
        prediction: of the network: ``epsilon``, ``clean`` (x₀) or ``velocity``.
        network: ``vector``, ``window`` ``(frames, features)``, ``image`` ``(channels, rows, columns)``; ``auto`` goes by
            the event's shape.
        width: of its layers; even.
        depth: blocks or levels, down and again up.
        heads: of a window's attention.
        sampler: ``ancestral``, ``ddim``, ``dpm-solver++``, ``heun`` or ``sde``.
        sample_steps: of the sampler, on a grid that suits it.
        resampling: how often in-filling does each step.
        drop_condition: probability that training hides a condition.
        guidance: w.
    """

    variance: Variance = "small"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        *,
        schedule: str = "cosine",
        prediction: Prediction = "velocity",
        network: str = "auto",
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        sampler: str = "ddim",
        sample_steps: int = 50,
        resampling: int = 5,
        drop_condition: float = 0.1,
        guidance: float = 0.0,
        outputs: int = 1,
    ) -> None:
        super().__init__(event_shape, condition_shape)
        if prediction not in PREDICTIONS:
            raise HyperparameterError(f"prediction is one of {', '.join(PREDICTIONS)}, not {prediction!r}")
        if sample_steps < 1 or resampling < 1 or not 0.0 <= drop_condition < 1.0:
            raise HyperparameterError(
                "sample_steps and resampling are at least 1, drop_condition a probability below 1; "
                f"not {sample_steps!r}, {resampling!r} and {drop_condition!r}"
            )
        self.schedule, self.prediction, self.network = schedule, prediction, network
        self.width, self.depth, self.heads = width, depth, heads
        self.sampler, self.sample_steps, self.resampling = sampler, sample_steps, resampling
        self.drop_condition, self.guidance = drop_condition, guidance
        self.noise_schedule = schedule_named(schedule)
        sampler_named(sampler)  # so that a wrong name is told now
        self.denoiser: nn.Module = self._new_denoiser(outputs)

    def _new_denoiser(self, outputs: int) -> nn.Module:
        return network_for(
            self.event_shape,
            self.condition_size,
            network=self.network,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            outputs=outputs,
        )

    # Denoising; all in normalised units.

    def predict(
        self, x: Tensor, angle: Tensor, condition: Tensor | None = None, keep: Tensor | None = None
    ) -> tuple[Tensor, Denoised]:
        """The network's output ``(n, *event)`` for noisy events ``(n, *event)`` at angles ``(n)``, and what it means.

        Conditions whose ``keep (n)`` is false are hidden from it.
        """
        output = self.denoiser(x, angle.to(x), condition, keep)
        found = denoised(self.prediction, output[:, 0], x, angle)
        return output[:, 0], found if output.shape[1] == 1 else found._replace(between=0.5 * (output[:, 1] + 1.0))

    def guided(self, x: Tensor, angle: Tensor | float, condition: Tensor | None = None) -> Denoised:
        """x̂₀ and ε̂ at ``angle``, of all or of each ``(n)``, under guidance."""
        angle = torch.as_tensor(angle, dtype=torch.float64, device=x.device).expand(len(x))
        if condition is None or not self.guidance:
            return self.predict(x, angle, condition)[1]
        keep = torch.arange(2 * len(x), device=x.device) < len(x)
        both = torch.cat([condition, condition])
        found = self.predict(torch.cat([x, x]), torch.cat([angle, angle]), both, keep)[1]
        clean, noise = (
            (1.0 + self.guidance) * told - self.guidance * untold
            for told, untold in (part.chunk(2) for part in (found.clean, found.noise))
        )
        return Denoised(clean, noise, None if found.between is None else found.between[: len(x)])

    def _score(self, x: Tensor, t: Tensor, condition: Tensor | None) -> Tensor:
        angle = self.noise_schedule.angle(t.clamp(min=EARLIEST))
        return -self.guided(x, angle, condition).noise / spread(angle.sin(), x)

    # Sampling.

    def _sampler(self) -> Sampler:
        return sampler_named(self.sampler, self.variance)

    def _grid(self) -> list[float]:
        return self.noise_schedule.grid(self.sample_steps, self._sampler().spacing)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        noise = standard_normal((n, *self.event_shape), self.normalizer.mean, generator)
        denoiser = partial(self.guided, condition=condition)
        return draw(self._sampler(), denoiser, noise, self._grid(), generator)

    def _complete(
        self, known: Tensor, mask: Tensor, condition: Tensor | None, generator: torch.Generator | None
    ) -> Tensor:
        return infill(
            self._sampler(),
            partial(self.guided, condition=condition),
            known,
            mask,
            self._grid(),
            resampling=self.resampling,
            generator=generator,
        )

    # Training.

    def _kept(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor | None:
        """Which conditions training shows ``(n)``."""
        if condition is None or not self.training:
            return None
        return torch.rand(len(x), generator=generator, device=x.device) >= self.drop_condition
