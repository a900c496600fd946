"""Targets and losses of deep Q-learning as functions of tensors: plain, double, categorical (C51), quantile (QR-DQN).

Letters: ``rewards`` and ``discounts`` are those of n-step windows, gamma^k; ``continues`` is 1 - terminated, so a
terminal state is worth nothing and a truncated episode is bootstrapped.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def of_action(values: Tensor, actions: Tensor) -> Tensor:
    """``(batch, n_actions, atoms)`` to the ``(batch, atoms)`` of the actions ``(batch,)``."""
    index = actions.view(-1, 1, 1).expand(-1, 1, values.shape[2])
    return values.gather(1, index).squeeze(1)


def td_target(rewards: Tensor, discounts: Tensor, continues: Tensor, next_values: Tensor) -> Tensor:
    """r + gamma^k (1 - terminated) v(s'), for ``(batch,)`` or, with atoms, ``(batch, atoms)`` next values.

    The second form moves every atom of the distribution of returns by the distributional Bellman operator.
    """
    if next_values.dim() == 2:
        rewards, discounts, continues = rewards[:, None], discounts[:, None], continues[:, None]
    return rewards + discounts * continues * next_values


def project(probabilities: Tensor, returns: Tensor, support: Tensor) -> Tensor:
    """Categorical projection (Bellemare et al. 2017, equation 7) of atoms at ``returns`` onto the fixed support.

        m_i = sum_j clip(1 - |clip(returns_j, z_0, z_{N-1}) - z_i| / dz, 0, 1) p_j

    Every atom shares its probability between its two neighbours in proportion to closeness: inside the support the mean
    is kept, outside it the mass goes to the ends.

    Args:
        probabilities, returns: ``(batch, n)``. support: ``(n,)`` equidistant.
    """
    spacing = (support[-1] - support[0]) / (len(support) - 1)
    position = (returns.clamp(support[0], support[-1]) - support[0]) / spacing
    below = position.floor()
    upwards = probabilities * (position - below)
    lower = below.long().clamp(max=len(support) - 1)  # rounding may not lead beyond the last atom
    projected = probabilities.new_zeros(len(probabilities), len(support) + 1)  # what goes above the last atom is zero
    projected.scatter_add_(1, lower, probabilities - upwards)
    return projected.scatter_add_(1, lower + 1, upwards)[:, :-1]


def kl_divergence(target: Tensor, logits: Tensor) -> Tensor:
    """``(batch,)`` KL(target || softmax(logits)): the loss and priority of categorical agents (Hessel et al. 2018)."""
    return (torch.xlogy(target, target) - target * F.log_softmax(logits, 1)).sum(1)


def quantile_huber(quantiles: Tensor, targets: Tensor) -> Tensor:
    """``(batch,)`` quantile Huber loss with kappa = 1 (Dabney et al. 2018, equations 9 and 10).

        sum_i mean_j |tau_i - 1{u_ij < 0}| L(u_ij),   u_ij = target_j - quantile_i,   tau_i = (i + 1/2) / N

    with L the Huber loss.

    Args:
        quantiles, targets: ``(batch, N)``.
    """
    n = quantiles.shape[1]
    tau = (torch.arange(n, dtype=quantiles.dtype, device=quantiles.device) + 0.5) / n
    u = targets[:, None, :] - quantiles[:, :, None]  # (batch, i, j)
    huber = F.smooth_l1_loss(u, torch.zeros_like(u), reduction="none")
    return ((tau[:, None] - (u.detach() < 0).float()).abs() * huber).mean(2).sum(1)
