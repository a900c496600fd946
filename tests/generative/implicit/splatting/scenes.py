"""Small scenes of Gaussians, and a camera that looks at them."""

import torch

from rlsuite.generative.implicit.splatting.gaussians import Gaussians
from rlsuite.motion.cameras import Camera


def gaussians(n, seed=0, spread=0.3, size=0.1, channels=3, dtype=torch.float64):
    rng = torch.Generator().manual_seed(seed)
    parts = (
        spread * torch.randn(n, 3, generator=rng),
        torch.randn(n, 4, generator=rng),
        size * (0.4 + torch.rand(n, 3, generator=rng)),
        0.2 + 0.6 * torch.rand(n, generator=rng),
        torch.rand(n, channels, generator=rng),
    )
    return Gaussians(*(part.to(dtype).requires_grad_() for part in parts))


def camera(width=21, height=18):
    return Camera.look_at((2.5, 0.4, 1.0), (0.0, 0.0, 0.0), width=width, height=height)
