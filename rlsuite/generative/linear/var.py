"""Vector autoregression: the linear-Gaussian next frame, the baseline of every motion model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.capabilities import Density, Streaming
from rlsuite.generative.diagonal import standard_normal
from rlsuite.generative.linear.gaussian import RIDGE
from rlsuite.generative.normalisation import Identity, Standardizer


class VAR(Density, Streaming):
    """xₜ | x₍t₋ₚ₎ … x₍t₋₁₎ ~ N(b + A₁ xₜ₋₁ + … + Aₚ xₜ₋ₚ, S), for events ``(T, F)`` of T frames.

    Least squares and the residuals' covariance maximise the conditional likelihood. Conditions ``(p, F)`` are the p frames
    before the event, oldest first. Without them the first frames follow regressions of lower order, frame t on the t
    before it, so that the density of the whole event is exact either way::

        log p(x) = Σₜ log N(xₜ; bᵒ + Σᵢ Aᵒᵢ xₜ₋ᵢ, Sᵒ),  o = p, or min(t, p) without a condition

    All windows and positions serve each regression, since a frame's law does not depend on where the window began.
    ``log_prob / T`` is the nats per frame that other motion models are compared with.

    Args:
        order: p, the number of earlier frames a frame depends on.
    """

    name = "var"
    weight: Tensor
    bias: Tensor
    factor: Tensor

    def __init__(
        self, event_shape: Sequence[int], condition_shape: Sequence[int] | None = None, *, order: int = 1
    ) -> None:
        super().__init__(event_shape, condition_shape)
        if len(self.event_shape) != 2:
            raise HyperparameterError(f"event_shape is (frames, features), not {self.event_shape}")
        features = self.event_shape[1]
        if not isinstance(order, int) or order < 1:
            raise HyperparameterError(f"order is at least 1, not {order!r}")
        if self.condition_shape not in (None, (order, features)):
            raise HyperparameterError(
                f"condition_shape is (order, features) = ({order}, {features}), not {condition_shape}"
            )
        self.order = order
        self.normalizer = Standardizer(self.event_shape, shared=(0,))
        self.condition_normalizer = Identity(self.condition_shape or ())
        self.register_buffer(
            "weight", torch.zeros(order + 1, order, features, features)
        )  # [o, i - 1] is A_i of order o
        self.register_buffer("bias", torch.zeros(order + 1, features))
        self.register_buffer("factor", torch.eye(features).repeat(order + 1, 1, 1))  # S = L Lᵀ

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        frames = torch.cat([self._past(len(x), condition), x], 1).double()  # residuals of still joints are tiny
        least = 0 if condition is None else self.order
        if least < self.order and frames.shape[1] <= self.order:
            raise HyperparameterError(
                f"a regression of order {self.order} needs more than {self.order} frames, not {frames.shape[1]}"
            )
        for order in range(least, self.order + 1):
            now = frames[:, order:].flatten(0, 1)
            before = [frames[:, order - i : frames.shape[1] - i].flatten(0, 1) for i in range(1, order + 1)]
            inputs = torch.cat([*before, torch.ones_like(now[:, :1])], 1)
            ridge = RIDGE * len(inputs) * torch.eye(inputs.shape[1]).to(inputs)
            ridge[-1, -1] = 0.0  # the mean is not shrunk
            solution = torch.linalg.solve(inputs.mT @ inputs + ridge, inputs.mT @ now)
            residual = now - inputs @ solution
            covariance = residual.mT @ residual / len(now) + RIDGE * torch.eye(now.shape[1]).to(now)
            self.weight[order].zero_()
            for i in range(order):
                self.weight[order, i] = solution[i * now.shape[1] : (i + 1) * now.shape[1]].mT
            self.bias[order] = solution[-1]
            self.factor[order] = torch.linalg.cholesky(covariance)

    def predict(self, past: Tensor) -> Tensor:
        """The mean ``(n, F)`` of the frame after ``past (n, o, F)``, oldest first, o at most p; normalised."""
        order = min(past.shape[1], self.order)
        latest_first = past[:, past.shape[1] - order :].flip(1)
        return self.bias[order] + torch.einsum("iab,nib->na", self.weight[order, :order], latest_first)

    def _log_prob(self, x: Tensor, condition: Tensor | None) -> Tensor:
        frames = torch.cat([self._past(len(x), condition), x], 1)
        first = frames.shape[1] - x.shape[1]
        total = x.new_zeros(len(x))
        for t in range(first, frames.shape[1]):
            order = min(t, self.order)
            factor = self.factor[order]
            residual = frames[:, t] - self.predict(frames[:, t - order : t])
            z = torch.linalg.solve_triangular(factor, residual.mT, upper=False)
            total = total - 0.5 * z.square().sum(0) - factor.diagonal().log().sum()
        return total - 0.5 * self.event_size * math.log(2.0 * math.pi)

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        past, drawn = self._past(n, condition), []
        for _ in range(self.event_shape[0]):
            frame, past = self._next(past, generator)
            drawn.append(frame)
        return torch.stack(drawn, 1)

    def start(self, n: int, condition: Tensor | None = None) -> Tensor:
        """The frames so far, at most p, normalised ``(n, o, F)``."""
        if condition is not None:
            self._condition_batch(condition)
            condition = condition.to(self.weight).expand(n, *condition.shape[-2:])
        return self._past(n, condition)

    @torch.no_grad()
    def step(self, state: Tensor, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        frame, state = self._next(state, generator)
        return frame * self.normalizer.scale[0] + self.normalizer.mean[0], state

    def _next(self, past: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        mean = self.predict(past)
        factor = self.factor[min(past.shape[1], self.order)]
        frame = mean + standard_normal(mean.shape, mean, generator) @ factor.mT
        return frame, torch.cat([past, frame[:, None]], 1)[:, -self.order :]

    def _past(self, n: int, condition: Tensor | None) -> Tensor:
        """The frames before the event in the event's units ``(n, p, F)``, or none of them."""
        if condition is None:
            if self.condition_shape is not None:
                raise HyperparameterError(f"{self.name} needs a condition of shape {self.condition_shape}")
            return self.weight.new_zeros(n, 0, self.event_shape[1])
        return (condition - self.normalizer.mean[0]) / self.normalizer.scale[0]
