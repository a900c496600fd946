"""Continuous time: the variance-preserving stochastic equation, and the flow of the same densities with its likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Density
from rlsuite.generative.diagonal import standard_normal
from rlsuite.generative.diffusion import probability_flow
from rlsuite.generative.diffusion.diffusion import EARLIEST, Diffusion
from rlsuite.generative.diffusion.parametrisation import Prediction, noised, target, velocity


class VPSDE(Density, Diffusion):
    """dx = −½ β(t) x dt + √β(t) dw, whose marginals are those of the chain of ever more steps (Song et al., 2021).

    It runs backwards as dx = −β (½ x + ∇ log pₜ) dt + √β dw̄ (the sampler ``sde``), or, without noise and with the same
    marginals, as the probability-flow equation (the samplers ``ddim``, ``dpm-solver++``, ``heun``), which makes it a
    continuous flow: ``log_prob`` is the density of that flow, from N(0, I) at t = 1 to t = 10⁻⁵, with the exact trace (D
    products with the Jacobian for each of 4 · ``flow_steps`` evaluations; see :meth:`estimated_log_prob` for D large).

    It is the density of what the *deterministic* samplers draw, in the limit of their steps; the network's score is its
    gradient only where the network is right. Guidance changes what is drawn, and has no part in the density.

    Training: E ‖target − output‖² with t uniform in (0, 1], spread evenly over a batch.

    Args:
        flow_steps: of Runge and Kutta's method, finer towards t = 0.
        Others: see :class:`~rlsuite.generative.diffusion.diffusion.Diffusion`.
    """

    name = "vp-sde"

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
        sampler: str = "dpm-solver++",
        sample_steps: int = 30,
        flow_steps: int = 32,
        resampling: int = 5,
        drop_condition: float = 0.1,
        guidance: float = 0.0,
    ) -> None:
        if flow_steps < 1:
            raise HyperparameterError(f"flow_steps is at least 1, not {flow_steps!r}")
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
            sample_steps=sample_steps,
            resampling=resampling,
            drop_condition=drop_condition,
            guidance=guidance,
        )
        self.flow_steps = flow_steps

    def _flow_angles(self) -> list[float]:
        """Rising, and quadratically closer together towards the data."""
        first, last = (float(self.noise_schedule.angle(t)) for t in (EARLIEST, 1.0))
        return [first + (last - first) * (i / self.flow_steps) ** 2 for i in range(self.flow_steps + 1)]

    def _flow_log_prob(self, x: Tensor, condition: Tensor | None, divergence: probability_flow.Divergence) -> Tensor:
        def slope(x: Tensor, angle: float) -> Tensor:
            angles = torch.full((len(x),), angle, dtype=torch.float64, device=x.device)
            _, found = self.predict(x, angles, condition)
            return velocity(found.clean, found.noise, angle)

        return probability_flow.log_prob(slope, x, self._flow_angles(), divergence)

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self._flow_log_prob(x, condition, probability_flow.exact)

    def estimated_log_prob(
        self,
        x: Tensor,
        condition: Tensor | None = None,
        *,
        probes: int = 1,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """An unbiased estimate ``(*batch)`` of ``log_prob``, in nats and the units of the data: Hutchinson's trace with
        random signs, averaged over ``probes``, at a cost that does not grow with the event."""
        x, condition, batch = self.flat(x, condition)
        x = self.normalizer(x)
        drawn = []
        for _ in range(probes):
            signs = torch.randint(0, 2, x.shape, generator=generator, device=x.device).to(x) * 2.0 - 1.0
            drawn.append(self._flow_log_prob(x, condition, probability_flow.hutchinson(signs)))
        return (torch.stack(drawn).mean(0) + self.normalizer.log_det).reshape(batch)

    def _loss(self, x: Tensor, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        offset = torch.rand(1, generator=generator, dtype=torch.float64, device=x.device)
        t = (offset + torch.arange(len(x), device=x.device) / len(x)) % 1.0  # Kingma et al. (2021), appendix I.1
        angle = self.noise_schedule.angle(t.clamp(min=EARLIEST))
        noise = standard_normal(x.shape, x, generator)
        output, _ = self.predict(noised(x, noise, angle), angle, condition, self._kept(x, condition, generator))
        return (target(self.prediction, x, noise, angle) - output).square().flatten(1).mean(1)
