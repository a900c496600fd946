"""Pictures of clouds of Gaussians: by compiled kernels on the CPU, by torch on other devices."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.cameras import Pinhole, Rendered
from rlsuite.generative.implicit.splatting import reference
from rlsuite.generative.implicit.splatting.gaussians import Gaussians
from rlsuite.generative.implicit.splatting.reference import DEFAULT, Settings, Splats

Method = Literal["auto", "kernel", "torch"]


def render(
    gaussians: Gaussians,
    camera: Pinhole,
    background: Tensor | None = None,
    settings: Settings = DEFAULT,
    method: Method = "auto",
) -> Rendered:
    """The cloud as ``camera`` sees it, ``(height, width)`` leading; ``depth`` is 0 where nothing is seen.

    Args:
        background: ``(channels)``, default black.
        method: ``kernel`` (compiled, on the CPU; no gradients to the camera), ``torch`` (any device, gradients to the
            camera too, memory for every pair of pixel and Gaussian), or ``auto``: the first on the CPU, else the second.
    """
    return render_splats(project(gaussians, camera, settings, method), gaussians, camera, background, settings, method)


def project(gaussians: Gaussians, camera: Pinhole, settings: Settings = DEFAULT, method: Method = "auto") -> Splats:
    """Where the Gaussians are in the picture; the gradient by ``mean`` says where a fit lacks detail."""
    if _compiled(gaussians, method):
        from rlsuite.generative.implicit.splatting import projection

        return projection.project(gaussians, camera, settings)
    return reference.project(gaussians, camera, settings)


def render_splats(
    splats: Splats,
    gaussians: Gaussians,
    camera: Pinhole,
    background: Tensor | None = None,
    settings: Settings = DEFAULT,
    method: Method = "auto",
) -> Rendered:
    """The second half of :func:`render`, of Gaussians that have been projected."""
    colors = gaussians.colors
    behind = colors.new_zeros(colors.shape[1]) if background is None else background.to(colors)
    features = torch.cat((colors, splats.depth[:, None]), 1)  # depth is blended as one more channel
    blend = reference.blend
    if _compiled(gaussians, method):
        from rlsuite.generative.implicit.splatting import blending

        blend = blending.blend
    over = torch.cat((behind, behind.new_zeros(1)))
    picture, seen = blend(splats, gaussians.opacities, features, over, camera.width, camera.height, settings)
    depth = picture[..., -1] / torch.where(seen > 0, seen, torch.ones_like(seen))
    return Rendered(picture[..., :-1], seen, depth)


def _compiled(gaussians: Gaussians, method: Method) -> bool:
    if method not in ("auto", "kernel", "torch"):
        raise HyperparameterError(f"unknown way to splat {method!r}; known are auto, kernel, torch")
    on_cpu = gaussians.means.device.type == "cpu"
    if method == "kernel" and not on_cpu:
        raise HyperparameterError(
            f"compiled splatting runs on the CPU, and these Gaussians are on {gaussians.means.device}"
        )
    return on_cpu and method != "torch"
