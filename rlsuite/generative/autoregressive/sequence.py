"""Sequence models: the base of WaveNet and the Transformer, over tokens or continuous frames, drawn step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.autoregressive.chain import Autoregressive
from rlsuite.generative.capabilities import Streaming
from rlsuite.generative.linear.var import VAR
from rlsuite.generative.normalisation import Standardizer


@dataclass(frozen=True)
class StreamState:
    """What the next entry depends on. It is never changed in place: a stream may be continued from it more than once.

    Attributes:
        cache: of the network.
        seen: the network's next input ``(n, inputs + 1)``: the last entry, and whether there was none.
        past: the frames that the linear prediction uses, at most ``lags`` ``(n, o, F)``.
        context: conditions as vectors ``(n, condition_size)``.
    """

    cache: Any
    seen: Tensor
    past: Tensor
    context: Tensor | None


class SequenceModel(Autoregressive, Streaming):
    """p(x) = Πₜ p(xₜ | x₁ … xₜ₋₁, c): an event's first axis is time.

    Real events ``(T, *frame)`` are chains of T frames, each a mixture of diagonal Gaussians *in the coordinates of a linear
    prediction*: xₜ = μ(past) + L zₜ, where μ and L = cholesky(S) are a vector autoregression on the last ``lags`` frames,
    fitted in closed form before training, and the network gives the mixture of zₜ. With its last layer zero, as it
    begins, and one component, the model is that autoregression; training goes on from there. log p(xₜ | past) =
    log p(zₜ | past) − log det L. Discrete events are chains of all their entries, row after row, one token each.

    A model gives ``_network`` (all steps at once) and ``_cache`` and ``_advance`` (one step).

    Args:
        n_values: values of each entry, or 0 for real frames.
        components: Gaussians in the mixture of a frame.
        lags: order of the linear prediction; 0 for none. At most T − 1 are used.
    """

    def __init__(
        self,
        event_shape: int | Sequence[int],
        condition_shape: int | Sequence[int] | None,
        n_values: int,
        components: int,
        lags: int,
    ) -> None:
        shape = (event_shape,) if isinstance(event_shape, int) else tuple(event_shape)
        frame = 1
        for size in shape[1:]:
            frame *= size
        super().__init__(shape, condition_shape, n_values, components, frame if n_values == 0 else 1)
        if lags < 0:
            raise HyperparameterError(f"lags is at least 0, not {lags!r}")
        self.lags = lags
        self.frame_size = frame
        self.length = self.event_size // self.head.size
        order = min(lags, self.length - 1) if n_values == 0 else 0
        self.linear = VAR((self.length, frame), order=order) if order else None
        self.normalizer = Standardizer(self.event_shape, shared=(0,))

    def _network(self, seen: Tensor, context: Tensor | None) -> Tensor:
        """Parameters ``(n, L, outputs)`` of every entry from what is seen before it ``(n, L, inputs + 1)``."""
        raise NotImplementedError

    def _cache(self, n: int) -> Any:
        """What :meth:`_advance` keeps, before the first step."""
        raise NotImplementedError

    def _advance(self, cache: Any, seen: Tensor, context: Tensor | None) -> tuple[Tensor, Any]:
        """Parameters ``(n, outputs)`` of the next entry from ``seen (n, inputs + 1)``, and the cache after it."""
        raise NotImplementedError

    def _prepare(self, x: Tensor, condition: Tensor | None, generator: torch.Generator) -> None:
        if self.linear is not None and not self.fitted:
            self.linear._prepare(self._entries(x), None, generator)

    def _seen(self, entries: Tensor) -> Tensor:
        """The chain moved on by one: at each place the entry before, and a flag where there is none."""
        before = torch.cat([torch.zeros_like(entries[:, :1]), entries[:, :-1]], 1)
        flag = torch.zeros_like(entries[..., :1])
        flag[:, 0] = 1.0
        return torch.cat([self.head.encode(before) * (1.0 - flag), flag], -1)

    def _log_factors(self, x: Tensor, condition: Tensor | None) -> Tensor:
        entries = self._entries(x)
        parameters = self._network(self._seen(entries), self._context(condition))
        z, log_det = self._whiten(entries)
        return self.head.log_prob(parameters, z) + log_det

    def frame_log_prob(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """log p(xₜ | x₁ … xₜ₋₁, c) ``(*batch, T)``, which add up to ``log_prob``; in the units of the data."""
        flat, condition, batch = self.flat(x, condition)
        factors = self._log_factors(self.normalizer(flat), condition)
        per_frame = factors.reshape(len(flat), self.event_shape[0], -1).sum(2)
        return (per_frame + self.normalizer.log_det / self.event_shape[0]).reshape(*batch, -1)

    def _whiten(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """zₜ = L⁻¹ (xₜ − μ(past)) ``(n, T, F)`` and −log det L ``(T)``."""
        if self.linear is None:
            return frames, frames.new_zeros(frames.shape[1])
        p = self.linear.order
        windows = frames.unfold(1, p, 1)[:, :-1].mT  # (n, T − p, p, F): the frames before each later one
        later = self.linear.predict(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        residuals = [(frames[:, t] - self.linear.predict(frames[:, :t]))[:, None] for t in range(p)]
        z, log_det = [], []
        for factor, residual in zip(self.linear.factor, [*residuals, frames[:, p:] - later], strict=True):
            flat = torch.linalg.solve_triangular(factor, residual.flatten(0, 1).mT, upper=False).mT
            z.append(flat.reshape(residual.shape))
            log_det.append(-factor.diagonal().log().sum().expand(residual.shape[1]))
        return torch.cat(z, 1), torch.cat(log_det)

    # One step after the other.

    def _sample(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        state, drawn = self._begin(n, condition), []
        for _ in range(self.length):
            entry, state = self._next(state, generator)
            drawn.append(entry)
        return torch.stack(drawn, 1).reshape(n, *self.event_shape)

    def start(self, n: int, condition: Tensor | None = None) -> StreamState:
        """The state before the first step of ``n`` streams; ``condition (n, *condition)`` or one for all."""
        if condition is None:
            if self.condition_shape is not None:
                raise HyperparameterError(f"{self.name} needs a condition of shape {self.condition_shape}")
        else:
            self._condition_batch(condition)
            condition = condition.to(self.normalizer.mean).expand(n, *(self.condition_shape or ()))
            condition = self.condition_normalizer(condition)
        with torch.no_grad():
            return self._begin(n, condition)

    @torch.no_grad()
    def step(self, state: StreamState, *, generator: torch.Generator | None = None) -> tuple[Tensor, StreamState]:
        entries = []
        for _ in range(self.frame_size // self.head.size):
            entry, state = self._next(state, generator)
            entries.append(entry)
        frame = torch.cat(entries, -1).reshape(-1, *self.event_shape[1:])
        return frame * self.normalizer.scale[0] + self.normalizer.mean[0], state

    @torch.no_grad()
    def observe(self, state: StreamState, x: Tensor) -> StreamState:
        """The state after a step ``x (n, *event_shape[1:])`` that was not drawn but seen, in the units of the data."""
        x = (x.to(self.normalizer.mean) - self.normalizer.mean[0]) / self.normalizer.scale[0]
        for entry in x.reshape(len(x), -1, self.head.size).unbind(1):
            _, cache = self._advance(state.cache, state.seen, state.context)
            state = self._after(state, cache, entry)
        return state

    def _begin(self, n: int, condition: Tensor | None) -> StreamState:
        seen = self.normalizer.mean.new_zeros(n, self.head.inputs + 1)
        seen[:, -1] = 1.0
        past = seen.new_zeros(n, 0, self.head.size)
        return StreamState(self._cache(n), seen, past, self._context(condition))

    def _next(self, state: StreamState, generator: torch.Generator | None) -> tuple[Tensor, StreamState]:
        """The next entry ``(n, size)``, normalised."""
        parameters, cache = self._advance(state.cache, state.seen, state.context)
        entry = self.head.draw(parameters, self.head.noise((len(parameters),), parameters, generator))
        if self.linear is not None:
            factor = self.linear.factor[state.past.shape[1]]
            entry = self.linear.predict(state.past) + entry @ factor.mT
        return entry, self._after(state, cache, entry)

    def _after(self, state: StreamState, cache: Any, entry: Tensor) -> StreamState:
        seen = torch.cat([self.head.encode(entry), torch.zeros_like(state.seen[:, -1:])], -1)
        past = state.past
        if self.linear is not None:
            past = torch.cat([past, entry[:, None]], 1)[:, -self.linear.order :]
        return replace(state, cache=cache, seen=seen, past=past)
