"""What renderers need of a camera, as tensors: rays through pixels, and pixels of points, both differentiable.

Axes as MuJoCo's: the camera looks along its -Z, +X is right, +Y is up; pixels ``(u, v)`` count from the upper left corner
of the picture, the centre of the first is ``(0.5, 0.5)``.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


class Pinhole(Protocol):
    """A camera: ``R (3, 3)`` its axes as columns in the world, ``t (3,)`` its place, ``K (3, 3)`` in pixels."""

    @property
    def R(self) -> Any: ...
    @property
    def t(self) -> Any: ...
    @property
    def K(self) -> Any: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


class Rendered(NamedTuple):
    """A picture of a field or of Gaussians; leading axes are those of the rays.

    Attributes:
        color: ``(..., 3)`` linear, over the background. alpha: ``(...)`` share that is not background.
        depth: ``(...)`` metres from the camera along its axis, averaged with the weights of what is seen.
        normal: ``(..., 3)`` unit normals in the world where the renderer has them, else ``None``.
    """

    color: Tensor
    alpha: Tensor
    depth: Tensor
    normal: Tensor | None = None


def rays(camera: Pinhole, pixels: Tensor | None = None, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Origins ``(..., 3)`` and unit directions ``(..., 3)`` through ``pixels (..., 2)``, or all as ``(height, width, 3)``.

    ``R``, ``t`` and ``K`` may be tensors, through which gradients flow.
    """
    R, t, K = (torch.as_tensor(value, dtype=dtype) for value in (camera.R, camera.t, camera.K))
    if pixels is None:
        v, u = torch.meshgrid(
            torch.arange(camera.height, dtype=dtype) + 0.5, torch.arange(camera.width, dtype=dtype) + 0.5, indexing="ij"
        )
        pixels = torch.stack((u, v), -1)
    homogeneous = torch.cat((pixels.to(dtype), torch.ones_like(pixels[..., :1], dtype=dtype)), -1)
    x = torch.linalg.solve(K, homogeneous.unsqueeze(-1)).squeeze(-1) * homogeneous.new_tensor((1.0, -1.0, -1.0))
    direction = x @ R.T
    return t.expand_as(direction), torch.nn.functional.normalize(direction, dim=-1)


def project(camera: Pinhole, points: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels ``(..., 2)`` and depths ``(...)`` of world ``points (..., 3)``; meaningless behind the camera."""
    R, t, K = (torch.as_tensor(value, dtype=points.dtype) for value in (camera.R, camera.t, camera.K))
    x = (points - t) @ R * points.new_tensor((1.0, -1.0, -1.0))  # right, down, away
    depth = x[..., 2]
    return ((x / depth.unsqueeze(-1)) @ K.T)[..., :2], depth
