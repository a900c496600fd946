r"""A discriminator of transitions by least squares, and the style reward it gives (Peng et al. 2021, AMP).

It is trained to say 1 for transitions of demonstrations and -1 for those of the policy (eq. 6), with a penalty on its
gradient at the demonstrations (eq. 8):

.. math:: E_{demo}[(D - 1)^2] + E_\pi[(D + 1)^2] + \tfrac{w}{2} E_{demo} \|\nabla D\|^2 .

With densities p and q of the two, its optimum (no penalty) is (p - q) / (p + q), so that

.. math:: E_{demo}[D] - E_\pi[D] = \int (p - q)^2 / (p + q),

which is 0 where the policy moves exactly as the demonstrations do and 2 where nothing is alike (Mao et al. 2017 for least
squares; the divergence is Vincze's and Le Cam's): the measure of convergence that the agent reports.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rlsuite.agents.deep.networks import mlp, orthogonal

SMALLEST = 0.05  # a feature that hardly varies counts in units of this (m, m/s, rad/s), not of its own noise
FARTHEST = 8.0  # standard deviations at which features are clipped


class Discriminator(nn.Module):
    """``forward(pairs (n, 2, d))`` → ``(n,)``; the last layer begins near zero, so that nothing is rewarded at first.

    Args:
        demonstrations: ``(m, 2, d)`` that say how features are scaled.
        net_arch: sizes of the hidden layers.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, demonstrations: Tensor, net_arch: tuple[int, ...]) -> None:
        super().__init__()
        features = demonstrations.flatten(0, 1)
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("scale", features.std(0, correction=0).clamp(min=SMALLEST))
        sizes = (2 * features.shape[1], *net_arch, 1)
        self.layers = orthogonal(mlp(sizes, "relu"), last_gain=0.01)

    def features(self, pairs: Tensor) -> Tensor:
        """``(n, 2 d)`` normalised."""
        scaled: Tensor = ((pairs - self.mean) / self.scale).clamp(-FARTHEST, FARTHEST)
        return scaled.flatten(1)

    def forward(self, pairs: Tensor) -> Tensor:
        values: Tensor = self.layers(self.features(pairs))
        return values.squeeze(1)

    def loss(self, demonstrated: Tensor, performed: Tensor, gradient_penalty: float) -> tuple[Tensor, Tensor, Tensor]:
        """The loss, and D of both batches; the penalty is on the gradient by normalised features."""
        real = self.features(demonstrated).requires_grad_(gradient_penalty > 0.0)
        of_real, of_fake = self.layers(real).squeeze(1), self(performed)
        loss = (of_real - 1.0).square().mean() + (of_fake + 1.0).square().mean()
        if gradient_penalty > 0.0:
            (slope,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
            loss = loss + 0.5 * gradient_penalty * slope.square().sum(1).mean()
        return loss, of_real.detach(), of_fake.detach()


def style_reward(values: Tensor) -> Tensor:
    """``max(0, 1 - (D - 1)² / 4)`` (eq. 7): 1 for what looks demonstrated, 0 from D = -1 down."""
    return (1.0 - 0.25 * (values - 1.0).square()).clamp(min=0.0)


def agreement(of_real: Tensor, of_fake: Tensor) -> dict[str, float]:
    """What is reported: the divergence of the module's equation, and the share of each side that is told rightly."""
    return {
        "style_divergence": float(of_real.mean() - of_fake.mean()),
        "style_accuracy_demo": float((of_real > 0.0).float().mean()),
        "style_accuracy_policy": float((of_fake < 0.0).float().mean()),
    }
