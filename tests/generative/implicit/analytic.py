"""Fields known in closed form, for tests: spheres and unions of capsules, differentiable in everything."""

import torch
from torch import nn

from rlsuite.generative.implicit.field import Distance, Field, Occupancy


class Sphere(Field):
    """``‖x − centre‖ − radius``; a code, if given, adds its first entry to the radius."""

    def __init__(self, radius=0.5, centre=(0.0, 0.0, 0.0), *, steepness=None, dtype=torch.float64):
        super().__init__()
        self.radius = nn.Parameter(torch.tensor(radius, dtype=dtype))
        self.centre = nn.Parameter(torch.tensor(centre, dtype=dtype))
        self.steepness = steepness  # of the logit, where the sphere is an occupancy

    def geometry(self, x, code=None):
        radius = self.radius if code is None else self.radius + code[..., 0]
        value = (x - self.centre).norm(dim=-1) - radius
        return Distance(None, value) if self.steepness is None else Occupancy(None, -self.steepness * value)

    def color(self, x, direction, features, code=None):
        return torch.sigmoid(3.0 * x)

    def property(self, name, x, features, code=None):
        return x.sum(-1, keepdim=True) if name == "force" else super().property(name, x, features, code)


class Capsules(Field):
    """Exact outside: the least distance to segments ``ends (n, 2, 3)`` minus ``radii (n)``."""

    def __init__(self, ends, radii, dtype=torch.float32):
        super().__init__()
        self.register_buffer("ends", torch.tensor(ends, dtype=dtype))
        self.register_buffer("radii", torch.tensor(radii, dtype=dtype))

    def geometry(self, x, code=None):
        start, along = self.ends[:, 0], self.ends[:, 1] - self.ends[:, 0]
        share = ((x.unsqueeze(-2) - start) * along).sum(-1) / along.square().sum(-1)
        nearest = start + share.clamp(0, 1).unsqueeze(-1) * along
        return Distance(None, ((x.unsqueeze(-2) - nearest).norm(dim=-1) - self.radii).amin(-1))


def figure(dtype=torch.float32):
    """A trunk, two arms and two legs within the cube of side 2."""
    ends = [
        [[0, 0, -0.1], [0, 0, 0.4]],
        [[0, 0.1, 0.35], [0, 0.55, 0.1]],
        [[0, -0.1, 0.35], [0, -0.55, 0.1]],
        [[0, 0.08, -0.1], [0.1, 0.2, -0.75]],
        [[0, -0.08, -0.1], [-0.1, -0.2, -0.75]],
    ]
    return Capsules(ends, [0.15, 0.07, 0.07, 0.09, 0.09], dtype)
