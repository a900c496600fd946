"""Adaptive density control: where a fit needs more Gaussians, and which it does not need (Kerbl et al. 2023, section 5.2).

A Gaussian whose place in the pictures is pulled hard stands for too much. A small one is *cloned*; a large one is *split*
into two drawn from it, 1.6 times smaller. Nearly transparent ones are *pruned*, and now and then all opacities are
*reset* to little, so that those not needed stay there. Rows of the parameters and of Adam's moments change together:
kept rows keep their moments, new rows begin without.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.splatting.gaussians import Cloud, rotation_matrices

SHRINK = 1.6  # of the two halves of a split Gaussian


@dataclass
class DensityControl:
    """When and how a cloud grows and shrinks during a fit.

    Attributes:
        start, stop, every: steps at which it acts. reset_every: steps between resets of the opacities, 0 for never.
        pull: mean length of the loss's gradient by the place in the picture (in halves of its size) from which on a
            Gaussian is cloned or split.
        large: standard deviation in metres from which on it is split instead of cloned.
        opacity_min: below it is pruned. opacity_reset: to which opacities are brought down. most: Gaussians at most.
    """

    start: int = 200
    stop: int = 1500
    every: int = 100
    reset_every: int = 0
    pull: float = 2e-4
    large: float = 0.03
    opacity_min: float = 0.02
    opacity_reset: float = 0.05
    most: int = 2000

    def __post_init__(self) -> None:
        if min(self.start, self.stop, self.reset_every) < 0 or min(self.every, self.most) < 1:
            raise HyperparameterError(
                "density control acts at steps from 0 on, every step at most, on one Gaussian at least"
            )
        if not 0 <= self.opacity_min < self.opacity_reset < 1:
            raise HyperparameterError(
                f"opacity_min {self.opacity_min} must lie below opacity_reset {self.opacity_reset}, between 0 and 1"
            )
        self._pulled, self._seen = torch.zeros(0), torch.zeros(0)

    def observe(self, by_mean: Tensor, width: int, height: int) -> None:
        """Take in the loss's gradient ``(n, 2)`` by the places in one picture, in pixels; 0 are those not seen."""
        pulled = (by_mean * by_mean.new_tensor((width / 2, height / 2))).norm(dim=-1)
        if len(self._pulled) != len(pulled):
            self._pulled, self._seen = torch.zeros_like(pulled), torch.zeros_like(pulled)
        self._pulled += pulled
        self._seen += pulled > 0

    @torch.no_grad()
    def act(self, cloud: Cloud, optimiser: torch.optim.Adam, step: int, generator: torch.Generator) -> None:
        """Clone, split, prune and reset where ``step`` asks for it."""
        if self.start <= step <= self.stop and step % self.every == 0 and len(self._pulled) == len(cloud):
            self.densify(cloud, optimiser, self._pulled / self._seen.clamp_min(1), generator)
            self.prune(cloud, optimiser)
            self._pulled, self._seen = torch.zeros(0), torch.zeros(0)
        if self.reset_every and 0 < step < self.stop and step % self.reset_every == 0:
            reset_opacities(cloud, optimiser, self.opacity_reset)

    @torch.no_grad()
    def densify(self, cloud: Cloud, optimiser: torch.optim.Adam, pull: Tensor, generator: torch.Generator) -> None:
        """Clone or split those of ``pull (n)`` above the threshold, the hardest pulled first, as far as there is room."""
        room = max(self.most - len(cloud), 0)
        hardest = torch.argsort(pull, descending=True, stable=True)[:room]
        chosen = hardest[pull[hardest] > self.pull]
        large = cloud.log_scales.max(-1).values.exp() > self.large
        clone(cloud, optimiser, chosen[~large[chosen]])
        split(cloud, optimiser, chosen[large[chosen]], generator)

    @torch.no_grad()
    def prune(self, cloud: Cloud, optimiser: torch.optim.Adam) -> None:
        """Remove those that can hardly be seen; the most opaque one stays."""
        opacity = cloud.opacity_logits.sigmoid()
        kept = opacity >= min(self.opacity_min, opacity.max().item())
        take_rows(cloud, optimiser, torch.nonzero(kept)[:, 0])


@torch.no_grad()
def clone(cloud: Cloud, optimiser: torch.optim.Adam, rows: Tensor) -> None:
    """A second one of each of ``rows (m)`` at the end; the first keeps its moments, so that they part."""
    take_rows(cloud, optimiser, torch.cat((torch.arange(len(cloud)), rows)), new=len(rows))


@torch.no_grad()
def split(cloud: Cloud, optimiser: torch.optim.Adam, rows: Tensor, generator: torch.Generator) -> None:
    """Two smaller ones at the end, drawn from each of ``rows (m)``, in its stead."""
    stays = torch.ones(len(cloud), dtype=torch.bool)
    stays[rows] = False
    twice = torch.cat((rows, rows))
    _, quats, scales, _, _ = cloud.gaussians()
    drawn = torch.randn(len(twice), 3, generator=generator).to(scales) * scales[twice]
    shift = (rotation_matrices(quats[twice]) @ drawn[:, :, None])[:, :, 0]
    take_rows(cloud, optimiser, torch.cat((torch.nonzero(stays)[:, 0], twice)), new=len(twice))
    first = len(cloud) - len(twice)
    cloud.means[first:] += shift
    cloud.log_scales[first:] -= math.log(SHRINK)


@torch.no_grad()
def reset_opacities(cloud: Cloud, optimiser: torch.optim.Adam, opacity: float) -> None:
    """Bring all opacities down to ``opacity`` at most, and forget the moments of their logits."""
    cloud.opacity_logits.clamp_(max=math.log(opacity / (1 - opacity)))
    for moment in _moments(optimiser, cloud.opacity_logits).values():
        moment.zero_()


@torch.no_grad()
def take_rows(cloud: Cloud, optimiser: torch.optim.Adam, rows: Tensor, new: int = 0) -> None:
    """Make the cloud of its own ``rows (m)``, which may repeat; the last ``new`` begin without moments."""
    for name, old in list(cloud.named_parameters()):
        parameter = nn.Parameter(old[rows])
        moments = {key: moment[rows] for key, moment in _moments(optimiser, old).items()}
        for moment in moments.values():
            moment[len(rows) - new :] = 0
        setattr(cloud, name, parameter)
        state = optimiser.state.pop(old, None)
        if state is not None:
            optimiser.state[parameter] = {**state, **moments}
        for group in optimiser.param_groups:
            group["params"] = [parameter if p is old else p for p in group["params"]]


def _moments(optimiser: torch.optim.Adam, parameter: Tensor) -> dict[str, Tensor]:
    """What Adam keeps for each row of ``parameter``; its count of steps is one for all."""
    state = optimiser.state.get(parameter, {})
    return {key: value for key, value in state.items() if torch.is_tensor(value) and value.shape == parameter.shape}
