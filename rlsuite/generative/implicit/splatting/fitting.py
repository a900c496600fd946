"""Clouds fitted to pictures from known cameras: one picture a step, Adam, and density control between the steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from rlsuite.errors import DivergenceError, HyperparameterError
from rlsuite.generative.implicit.cameras import Pinhole
from rlsuite.generative.implicit.splatting import splat
from rlsuite.generative.implicit.splatting.density_control import DensityControl
from rlsuite.generative.implicit.splatting.gaussians import Cloud
from rlsuite.generative.implicit.splatting.reference import DEFAULT, Settings
from rlsuite.seeding import checked_seed


class Photograph(NamedTuple):
    """What a known camera saw: ``color (height, width, channels)`` in 0 … 1, and ``mask (height, width)`` of the thing."""

    camera: Pinhole
    color: Tensor
    mask: Tensor


class Rates(NamedTuple):
    """Adam's step sizes; that of the means falls to ``means_end`` of itself, as a power of the share of steps done."""

    means: float = 2e-3
    quats: float = 1e-2
    log_scales: float = 1e-2
    opacity_logits: float = 5e-2
    colors: float = 1e-2
    means_end: float = 0.05


RATES = Rates()


@dataclass
class Fit:
    """What happened: mean absolute difference of each step, Gaussians after it, and seconds in all."""

    loss: list[float] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    seconds: float = 0.0


def fit(
    cloud: Cloud,
    photographs: Sequence[Photograph],
    *,
    steps: int,
    background: Tensor | None = None,
    density: DensityControl | None = None,
    rates: Rates = RATES,
    settings: Settings = DEFAULT,
    seed: int = 0,
    on_step: Callable[[int, float], None] | None = None,
) -> Fit:
    """Change ``cloud`` so that its pictures become ``photographs``; the loss is the mean absolute difference of colours.

    Args:
        background: ``(channels)`` behind the cloud, default black.
        density: adds and removes Gaussians; by default their number stays.
        on_step: called with the step and its loss.

    Raises:
        HyperparameterError: no photographs, or no steps.
        DivergenceError: the loss is not finite.
    """
    if not photographs or steps < 1:
        raise HyperparameterError("a fit needs photographs, and one step at least")
    generator = torch.Generator().manual_seed(checked_seed(seed) or 0)
    optimiser = torch.optim.Adam(
        [{"params": [p], "lr": getattr(rates, name), "name": name} for name, p in cloud.named_parameters()], eps=1e-15
    )
    done, start = Fit(), time.perf_counter()
    order = torch.randperm(len(photographs), generator=generator)
    for step in range(steps):
        if step % len(photographs) == 0:
            order = torch.randperm(len(photographs), generator=generator)
        camera, color, _ = photographs[int(order[step % len(photographs)])]
        optimiser.param_groups[0]["lr"] = rates.means * rates.means_end ** (step / steps)
        gaussians = cloud.gaussians()
        splats = splat.project(gaussians, camera, settings)
        splats.mean.retain_grad()
        loss = (splat.render_splats(splats, gaussians, camera, background, settings).color - color).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        done.loss.append(loss.item())
        if not math.isfinite(done.loss[-1]):
            raise DivergenceError(f"step {step}: the difference of pictures is {done.loss[-1]}; try smaller steps")
        if density is not None and splats.mean.grad is not None:
            density.observe(splats.mean.grad, camera.width, camera.height)
            density.act(cloud, optimiser, step + 1, generator)
        done.size.append(len(cloud))
        if on_step is not None:
            on_step(step, done.loss[-1])
    done.seconds = time.perf_counter() - start
    return done


def psnr(picture: Tensor, truth: Tensor, mask: Tensor | None = None) -> float:
    """Peak signal to noise ratio in decibels of colours in 0 … 1; with ``mask (height, width)`` of its pixels only."""
    error = (picture.clamp(0, 1) - truth).square().mean(-1)
    mean = error.mean() if mask is None else (error * mask).sum() / mask.sum()
    return -10.0 * math.log10(max(mean.item(), 1e-12))


@torch.no_grad()
def held_out_psnr(
    cloud: Cloud, photographs: Sequence[Photograph], background: Tensor | None = None, settings: Settings = DEFAULT
) -> tuple[float, float]:
    """Mean over ``photographs``: of whole pictures, and of the pixels of the thing."""
    values = []
    for camera, color, mask in photographs:
        picture = splat.render(cloud.gaussians(), camera, background, settings).color
        values.append((psnr(picture, color), psnr(picture, color, (mask > 0).to(color))))
    whole, thing = zip(*values, strict=True)
    return sum(whole) / len(whole), sum(thing) / len(thing)
