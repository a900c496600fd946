r"""Action distributions: what the outputs of a policy network mean, by action space.

=================  ========================  ====================================================================
action space       distribution              outputs
=================  ========================  ====================================================================
Discrete(n)        :class:`Categorical`      n logits, optionally masked
MultiDiscrete      :class:`MultiCategorical` the logits of each component, side by side; components independent
MultiBinary(n)     :class:`Bernoulli`        n logits
Box                :class:`DiagonalGaussian` means; log standard deviations are parameters of their own
Box (squashed)     :class:`SquashedGaussian` means of u, where the action is tanh(u) scaled to the bounds
=================  ========================  ====================================================================

Acting is in numpy and draws from a numpy generator (inverse CDF of uniforms, scaled standard normals), so a batch of
actions depends on one stream only, whatever the device. Losses are in torch. Actions are kept *raw*, as their
log-probability is written (indices, unclipped Gaussian values, u before tanh); :meth:`Distribution.to_env` makes of them
what the environment takes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from rlsuite.errors import HyperparameterError, InvalidEnvironmentError

Mask = NDArray[np.bool_] | None
Pullback = Callable[[Tensor, Tensor | float], Tensor]
MASKED = -1e8  # logit of a forbidden action: its probability is exactly 0 in float32, and 0 * log 0 stays 0
LOG_2PI = math.log(2.0 * math.pi)


class Distribution(nn.Module, ABC):
    """A family of distributions over raw actions, indexed by the outputs of a network.

    Attributes:
        n_outputs: how many outputs the network has for one observation.
        shape, dtype: of one raw action as an array.
    """

    n_outputs: int
    shape: tuple[int, ...]
    dtype: type = np.int64

    @abstractmethod
    def sample(self, outputs: NDArray[Any], rng: np.random.Generator, masks: Mask = None) -> NDArray[Any]:
        """``(batch, *shape)`` raw actions."""

    @abstractmethod
    def mode(self, outputs: NDArray[Any], masks: Mask = None) -> NDArray[Any]:
        """``(batch, *shape)`` the most probable raw actions (of a squashed Gaussian: of u)."""

    @abstractmethod
    def log_prob(self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None) -> Tensor:
        """``(batch,)`` log-probabilities or log-densities."""

    @abstractmethod
    def entropy(self, outputs: Tensor, masks: Tensor | None = None) -> Tensor:
        """``(batch,)``."""

    def to_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Raw actions as the environment takes them."""
        return actions

    def evaluate(
        self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Pullback]:
        """``(log_prob, entropy, pullback)``, for losses whose gradient is known with respect to both.

        ``pullback(a, b)`` is the gradient of ``sum(a * log_prob + b * entropy)`` with respect to ``outputs`` for given
        ``a`` ``(batch,)`` and ``b`` (a number or ``(batch,)``); that of the distribution's own parameters is added to
        their ``grad``. Subclasses write it out: a small network's update then costs half of what autograd takes.
        """
        with torch.enable_grad():
            leaf = outputs.detach().requires_grad_()
            log_prob, entropy = self.log_prob(leaf, actions, masks), self.entropy(leaf, masks)

        def pullback(a: Tensor, b: Tensor | float) -> Tensor:
            (a * log_prob + b * entropy).sum().backward()
            assert leaf.grad is not None
            return leaf.grad

        return log_prob.detach(), entropy.detach(), pullback


class Categorical(Distribution):
    """One of n actions with probabilities softmax(outputs). ``masks``: ``(batch, n)``, True where allowed."""

    shape = ()

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n_outputs = n

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator, masks: Mask = None) -> NDArray[Any]:
        return _inverse_cdf(_masked(outputs, masks), rng)

    def mode(self, outputs: NDArray[Any], masks: Mask = None) -> NDArray[Any]:
        return _masked(outputs, masks).argmax(axis=-1)

    def log_prob(self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None) -> Tensor:
        return self._log_p(outputs, masks).gather(1, actions[:, None])[:, 0]

    def entropy(self, outputs: Tensor, masks: Tensor | None = None) -> Tensor:
        log_p = self._log_p(outputs, masks)
        return -(log_p.exp() * log_p).sum(1)

    def evaluate(
        self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Pullback]:
        """d log p_a / dz = 1[a] - p and dH / dz = -p (log p + H)."""
        log_p = self._log_p(outputs, masks)
        p, index = log_p.exp(), actions[:, None]
        entropy = torch.linalg.vecdot(p, log_p).neg_()

        def pullback(a: Tensor, b: Tensor | float) -> Tensor:
            column = a[:, None]
            gradient = (p * -column).scatter_add_(1, index, column)
            if isinstance(b, Tensor) or b:
                weight = b[:, None] if isinstance(b, Tensor) else b
                gradient.sub_((log_p + entropy[:, None]).mul_(p).mul_(weight))
            return gradient

        return log_p.gather(1, index)[:, 0], entropy, pullback

    def _log_p(self, outputs: Tensor, masks: Tensor | None) -> Tensor:
        return torch.log_softmax(outputs if masks is None else outputs.masked_fill(~masks, MASKED), 1)


class MultiCategorical(Distribution):
    """Independent categoricals, component i one of ``nvec[i]``; the shorter ones are padded with masked logits."""

    index: Tensor
    padding: Tensor

    def __init__(self, space: spaces.MultiDiscrete) -> None:
        super().__init__()
        nvec = np.asarray(space.nvec, np.int64).reshape(-1)
        self.n_outputs, self.shape = int(nvec.sum()), (len(nvec),)
        column = np.arange(nvec.max())
        self.np_padding = column >= nvec[:, None]  # (components, longest)
        self.np_index = np.where(self.np_padding, 0, column + (nvec.cumsum() - nvec)[:, None])
        self.register_buffer("index", torch.from_numpy(self.np_index), persistent=False)
        self.register_buffer("padding", torch.from_numpy(self.np_padding), persistent=False)
        self.start, self.env_shape = np.asarray(space.start), space.shape
        self.env_dtype = space.dtype

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator, masks: Mask = None) -> NDArray[Any]:
        return _inverse_cdf(self._np_logits(outputs), rng)

    def mode(self, outputs: NDArray[Any], masks: Mask = None) -> NDArray[Any]:
        return self._np_logits(outputs).argmax(axis=-1)

    def log_prob(self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None) -> Tensor:
        return self._log_p(outputs).gather(2, actions[:, :, None])[:, :, 0].sum(1)

    def entropy(self, outputs: Tensor, masks: Tensor | None = None) -> Tensor:
        log_p = self._log_p(outputs)
        return -(log_p.exp() * log_p).sum((1, 2))

    def to_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return (actions.reshape(-1, *self.env_shape) + self.start).astype(self.env_dtype)

    def _np_logits(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return np.where(self.np_padding, np.float32(MASKED), outputs[:, self.np_index])

    def _log_p(self, outputs: Tensor) -> Tensor:
        return torch.log_softmax(outputs[:, self.index].masked_fill(self.padding, MASKED), 2)


class Bernoulli(Distribution):
    """Independent bits, each 1 with probability sigmoid(output)."""

    def __init__(self, space: spaces.MultiBinary) -> None:
        super().__init__()
        self.n_outputs = math.prod(space.shape)
        self.shape, self.env_shape = (self.n_outputs,), space.shape

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator, masks: Mask = None) -> NDArray[Any]:
        p = 0.5 * (1.0 + np.tanh(0.5 * outputs))  # the sigmoid, without overflow
        return (rng.random(outputs.shape) < p).astype(np.int64)

    def mode(self, outputs: NDArray[Any], masks: Mask = None) -> NDArray[Any]:
        return (outputs > 0.0).astype(np.int64)

    def log_prob(self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None) -> Tensor:
        return (actions * outputs - F.softplus(outputs)).sum(1)

    def entropy(self, outputs: Tensor, masks: Tensor | None = None) -> Tensor:
        return (F.softplus(outputs) - outputs * outputs.sigmoid()).sum(1)

    def to_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        return actions.reshape(-1, *self.env_shape).astype(np.int8)


class DiagonalGaussian(Distribution):
    """Independent normals with the outputs as means; log standard deviations do not depend on the observation.

    They are parameters, or with ``learn_std=False`` stay as they are. The environment gets the action clipped to its
    bounds; the log-probability is that of the unclipped one.
    """

    dtype = np.float32
    log_std: Tensor

    def __init__(self, space: spaces.Box, log_std_init: float = 0.0, *, learn_std: bool = True) -> None:
        super().__init__()
        self.n_outputs = math.prod(space.shape)
        self.shape = (self.n_outputs,)
        log_std = torch.full((self.n_outputs,), log_std_init)
        self.learn_std = learn_std
        if learn_std:
            self.log_std = nn.Parameter(log_std)
        else:
            self.register_buffer("log_std", log_std)
        self.env_shape, self.env_dtype, self.low, self.high = space.shape, space.dtype, space.low, space.high
        self.bounded = bool(np.isfinite(space.low).any() or np.isfinite(space.high).any())

    def sample(self, outputs: NDArray[Any], rng: np.random.Generator, masks: Mask = None) -> NDArray[Any]:
        std = np.exp(self.log_std.detach().cpu().numpy())
        return outputs + std * rng.standard_normal(outputs.shape, np.float32)

    def mode(self, outputs: NDArray[Any], masks: Mask = None) -> NDArray[Any]:
        return outputs

    def log_prob(self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None) -> Tensor:
        return gaussian_log_prob((actions - outputs) * torch.exp(-self.log_std), self.log_std)

    def entropy(self, outputs: Tensor, masks: Tensor | None = None) -> Tensor:
        """H = sum_j (log s_j + (1 + log 2 pi) / 2)."""
        return (self.log_std.sum() + 0.5 * (1.0 + LOG_2PI) * self.n_outputs).expand(len(outputs))

    def evaluate(
        self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Pullback]:
        """With z = (a - m) / s: d log p / dm = z / s, d log p / d log s = z^2 - 1, dH / d log s = 1."""
        log_std = self.log_std.detach()
        inverse_std = torch.exp(-log_std)
        z = (actions - outputs) * inverse_std

        def pullback(a: Tensor, b: Tensor | float) -> Tensor:
            if self.learn_std:
                b_total = b.sum() if isinstance(b, Tensor) else b * len(outputs)
                own = a @ (z * z) - a.sum() + b_total
                self.log_std.grad = own if self.log_std.grad is None else self.log_std.grad.add_(own)
            return z * inverse_std * a[:, None]

        return gaussian_log_prob(z, log_std), self.entropy(outputs).detach(), pullback

    def to_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        actions = actions.reshape(-1, *self.env_shape)
        if self.bounded:
            actions = np.minimum(np.maximum(actions, self.low), self.high)
        return actions.astype(self.env_dtype, copy=False)


class SquashedGaussian(DiagonalGaussian):
    r"""tanh of a :class:`DiagonalGaussian`, scaled to the bounds of the action space (Haarnoja et al. 2018, appendix C).

    :math:`\log \pi(\tanh u) = \log N(u) - \sum_j \log(1 - \tanh^2 u_j)`; raw actions are u, which keeps this exact.
    Densities are those of tanh(u) in [-1, 1]; the scaling to the bounds would only add a constant.
    """

    nodes: Tensor
    weights: Tensor

    def __init__(self, space: spaces.Box, log_std_init: float = 0.0, *, learn_std: bool = True) -> None:
        super().__init__(space, log_std_init, learn_std=learn_std)
        if not space.is_bounded("both"):
            raise InvalidEnvironmentError(f"squashed actions need bounds, which {space} does not have")
        nodes, weights = np.polynomial.hermite_e.hermegauss(32)
        self.register_buffer("nodes", torch.tensor(nodes, dtype=torch.float32), persistent=False)
        self.register_buffer("weights", torch.tensor(weights / weights.sum(), dtype=torch.float32), persistent=False)

    def log_prob(self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None) -> Tensor:
        return super().log_prob(outputs, actions) - log_det_tanh(actions).sum(1)

    def entropy(self, outputs: Tensor, masks: Tensor | None = None) -> Tensor:
        """H(u) + E[sum_j log(1 - tanh^2 u_j)], the expectation by Gauss-Hermite quadrature with 32 nodes."""
        u = outputs[:, :, None] + self.log_std.exp()[:, None] * self.nodes  # (batch, dimensions, nodes)
        return super().entropy(outputs) + (log_det_tanh(u) @ self.weights).sum(1)

    def evaluate(
        self, outputs: Tensor, actions: Tensor, masks: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Pullback]:
        return Distribution.evaluate(self, outputs, actions, masks)

    def to_env(self, actions: NDArray[Any]) -> NDArray[Any]:
        share = 0.5 * (np.tanh(actions) + 1.0).reshape(-1, *self.env_shape)
        return (self.low + share * (self.high - self.low)).astype(self.env_dtype, copy=False)


def gaussian_log_prob(z: Tensor, log_std: Tensor) -> Tensor:
    """log N(a; m, s) = -sum_j (z_j^2 / 2 + log s_j + log(2 pi) / 2) for z = (a - m) / s; sums over the last axis."""
    return (z * z).sum(-1).mul(-0.5) - (log_std.sum(-1) + 0.5 * LOG_2PI * z.shape[-1])


def log_det_tanh(u: Tensor) -> Tensor:
    """log(1 - tanh^2 u) = 2 (log 2 - u - softplus(-2u)), which does not cancel where tanh u rounds to 1."""
    return 2.0 * (math.log(2.0) - u - F.softplus(-2.0 * u))


def rsample(mean: Tensor, log_std: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """A squashed Gaussian action in (-1, 1) as a differentiable function of ``noise``, and its log-density.

    ``mean``, ``log_std``, ``noise``: ``(batch, n)``, the last standard normal; returns ``(batch, n)`` and ``(batch,)``.
    """
    u = mean + log_std.exp() * noise
    return torch.tanh(u), gaussian_log_prob(noise, log_std) - log_det_tanh(u).sum(-1)


def distribution_for(
    space: gym.Space[Any], *, log_std_init: float = 0.0, learn_std: bool = True, squash: bool = False
) -> Distribution:
    """The distribution over the actions of ``space``.

    Raises:
        InvalidEnvironmentError: no distribution for such a space.
        HyperparameterError: ``squash`` for actions that are no Box.
    """
    if squash and not isinstance(space, spaces.Box):
        raise HyperparameterError(f"squash is for Box actions, not {space}")
    if isinstance(space, spaces.Discrete):
        return Categorical(int(space.n))
    if isinstance(space, spaces.MultiDiscrete):
        return MultiCategorical(space)
    if isinstance(space, spaces.MultiBinary):
        return Bernoulli(space)
    if isinstance(space, spaces.Box):
        return (SquashedGaussian if squash else DiagonalGaussian)(space, log_std_init, learn_std=learn_std)
    raise InvalidEnvironmentError(f"no distribution over the actions of {space}; give Discrete, MultiDiscrete, "
                                  "MultiBinary or Box actions")  # fmt: skip


def _masked(logits: NDArray[Any], masks: Mask) -> NDArray[Any]:
    return logits if masks is None else np.where(masks, logits, np.float32(MASKED))


def _inverse_cdf(logits: NDArray[Any], rng: np.random.Generator) -> NDArray[np.int64]:
    """The first a with P(A <= a) >= u, for u uniform in (0, 1]: never an action of probability 0."""
    cumulative = np.exp(logits - logits.max(axis=-1, keepdims=True)).cumsum(axis=-1)
    u = 1.0 - rng.random((*logits.shape[:-1], 1))
    return (cumulative < u * cumulative[..., -1:]).sum(axis=-1)
