"""The denoising diffusion probabilistic model: a Markov chain of T steps, trained on its variational bound or on less."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Bound
from rlsuite.generative.diagonal import kl_to_standard_normal, log_normal, standard_normal
from rlsuite.generative.diffusion.diffusion import Diffusion
from rlsuite.generative.diffusion.parametrisation import Denoised, Prediction, noised, spread, target
from rlsuite.generative.diffusion.transitions import VARIANCES, Variance, log_variance, step_between

Objective = Literal["simple", "bound", "hybrid"]
OBJECTIVES = ("simple", "bound", "hybrid")
SHARE_OF_BOUND = 1e-3  # in the hybrid objective (Nichol and Dhariwal, 2021, equation 16)


class DDPM(Bound, Diffusion):
    """x_T ~ N(0, I), x_{i−1} | x_i ~ N(μ(x_i), σᵢ² I), and the fixed q(x_i | x_{i−1}) = N(√(1 − βᵢ) x_{i−1}, βᵢ I).

    A hierarchical latent-variable model whose encoder is fixed; its bound of log p(x₀) is (Ho, Jain and Abbeel, 2020,
    equation 5), with every divergence one of Gaussians and so in closed form::

        E_q log p(x₀ | x₁) − Σ_{i=2…T} KL(q(x_{i−1} | x_i, x₀) ‖ p(x_{i−1} | x_i)) − KL(q(x_T | x₀) ‖ N(0, I))

    μ is the posterior's mean at x̂₀, in which ᾱ appears, not α (nor in the loss, nor in the sampler); σᵢ² is βᵢ (``large``),
    β̃ᵢ = (1 − ᾱᵢ₋₁) / (1 − ᾱᵢ) βᵢ (``small``), or between them (``learned``). β̃₁ is 0, and β̃₂ stands for it (β₁ if T = 1).
    With T = 1 this is a VAE with the encoder N(√ᾱ x₀, (1 − ᾱ) I), and a decoder N(μ(x₁), β₁ I).

    Objectives: ``simple``, E ‖target − output‖² with i uniform (the paper's equation 14, whichever the prediction);
    ``bound``, the negative bound by one random term of it, without bias; ``hybrid``, the first plus a thousandth of the
    second, which then trains the variances alone.

    The ancestral sampler ends with μ(x₁), without the last noise. Others may take fewer steps than T.

    Args:
        steps: T.
        variance: of the model's steps; ``learned`` needs the objective ``bound`` or ``hybrid``.
        objective: see above.
        sample_steps: that a sampler takes; 0 for T.
        Others: see :class:`~rlsuite.generative.diffusion.diffusion.Diffusion`.
    """

    name = "ddpm"

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None = None,
        *,
        steps: int = 100,
        variance: Variance = "large",
        objective: Objective = "simple",
        schedule: str = "cosine",
        prediction: Prediction = "epsilon",
        network: str = "auto",
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        sampler: str = "ancestral",
        sample_steps: int = 0,
        resampling: int = 5,
        drop_condition: float = 0.1,
        guidance: float = 0.0,
    ) -> None:
        if steps < 1:
            raise HyperparameterError(f"steps is at least 1, not {steps!r}")
        if variance not in VARIANCES or objective not in OBJECTIVES:
            raise HyperparameterError(
                f"variance is one of {', '.join(VARIANCES)} and objective one of {', '.join(OBJECTIVES)}, "
                f"not {variance!r} and {objective!r}"
            )
        if (variance == "learned") != (objective == "hybrid") and objective != "bound":
            raise HyperparameterError(
                "a learned variance needs the objective 'bound' or 'hybrid', and 'hybrid' a learned variance; "
                f"not {variance!r} with {objective!r}"
            )
        super().__init__(
            event_shape,
            condition_shape,
            schedule=schedule,
            prediction=prediction,
            network=network,
            width=width,
            depth=depth,
            heads=heads,
            sampler=sampler,
            sample_steps=sample_steps or steps,
            resampling=resampling,
            drop_condition=drop_condition,
            guidance=guidance,
            outputs=2 if variance == "learned" else 1,
        )
        self.steps, self.variance, self.objective = steps, variance, objective

    def _angles(self, i: Tensor) -> tuple[Tensor, Tensor]:
        """Angles of times i / T and (i − 1) / T ``(n)``."""
        return self.noise_schedule.angle(i.double() / self.steps), self.noise_schedule.angle(
            (i - 1).double() / self.steps
        )

    def _log_variance(self, i: Tensor, found: Denoised) -> tuple[Tensor, Tensor]:
        """log σᵢ² (of each event or entry) and β̃ᵢ ``(n)``, where β̃₁ is that of the second step."""
        step = step_between(*self._angles(i))
        second = step_between(*self._angles(torch.full_like(i, 2))).posterior if self.steps > 1 else step.beta
        small = torch.where(i > 1, step.posterior, second)
        x = found.clean
        return log_variance(self.variance, spread(small, x), spread(step.beta, x), found.between), spread(small, x)

    def term(self, x: Tensor, noise: Tensor, i: Tensor, found: Denoised) -> Tensor:
        """Term ``(n)`` of the negative bound for the step from i to i − 1, at x_i = √ᾱ x + √(1 − ᾱ) noise.

        log p(x₀ | x₁) negated for i = 1; else KL(q(x_{i−1} | x_i, x₀) ‖ p(x_{i−1} | x_i)).
        """
        log_scale, posterior = self._log_variance(i, found)
        theta, phi = self._angles(i)
        error = spread(step_between(theta, phi).clean, x) * (x - found.clean)
        decoded = -log_normal(error, 0.0, 0.5 * log_scale)
        divergence = 0.5 * (log_scale - posterior.log() + (posterior + error.square()) * torch.exp(-log_scale) - 1.0)
        return torch.where(spread(i, x) == 1, decoded, divergence).flatten(1).sum(1)

    def prior_term(self, x: Tensor) -> Tensor:
        """KL(q(x_T | x₀) ‖ N(0, I)) ``(n)``; nothing to learn."""
        angle = self.noise_schedule.angle(1.0)
        return kl_to_standard_normal(float(angle.cos()) * x, angle.sin().log().to(x)).flatten(1).sum(1)

    def bound_terms(
        self, x: Tensor, condition: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """The negative bound's T + 1 terms ``(T + 1, n)`` of normalised events: steps 1 … T, then the prior's."""
        terms = []
        for i in range(1, self.steps + 1):
            steps = torch.full((len(x),), i, device=x.device)
            noise = standard_normal(x.shape, x, generator)
            angle = self._angles(steps)[0]
            terms.append(self.term(x, noise, steps, self.predict(noised(x, noise, angle), angle, condition)[1]))
        return torch.stack([*terms, self.prior_term(x)])

    def _bound(self, x: Tensor, condition: Tensor | None, particles: int, generator: torch.Generator | None) -> Tensor:
        """Every term, at one draw of x_i each, averaged over ``particles``; without guidance, which has no bound."""
        drawn = [-self.bound_terms(x, condition, generator=generator).sum(0) for _ in range(particles)]
        return torch.stack(drawn).mean(0)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        i = torch.randint(1, self.steps + 1, (len(x),), generator=generator, device=x.device)
        noise = standard_normal(x.shape, x, generator)
        angle = self._angles(i)[0]
        keep = self._kept(x, condition, generator)
        output, found = self.predict(noised(x, noise, angle), angle, condition, keep)
        simple = (target(self.prediction, x, noise, angle) - output).square().flatten(1).mean(1)
        if self.objective == "simple":
            return simple
        if self.objective == "hybrid":
            found = Denoised(found.clean.detach(), found.noise.detach(), found.between)
        bound = self.steps * self.term(x, noise, i, found) + self.prior_term(x)
        return bound if self.objective == "bound" else simple + SHARE_OF_BOUND * bound / math.prod(self.event_shape)
