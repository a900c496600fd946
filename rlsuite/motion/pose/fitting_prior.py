"""Pose priors of a fit: a generative model of poses says which of them are usual, and how to get there.

Any model of the suite with a likelihood or a bound of it serves (:class:`~rlsuite.motion.priors.prior.MotionPrior` of kind
``pose``): the energy of a pose is its negative log-density, the gradient comes by automatic differentiation, and the
Gauss-Newton matrix is the precision of the model's own samples: exact for a Gaussian, a measure of steps for all others,
whose every step is tried before it is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import CapabilityError
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.pose.fitting_system import Iterate, System
from rlsuite.motion.priors.prior import MotionPrior

Array = NDArray[np.float64]
SAMPLES = 4096  # whose covariance measures steps
BLUR = 3.0  # of the default prior, times 0.06 rad: our clips are few and clean, and others' motions differ


@dataclass(frozen=True, eq=False)
class PriorTerm:
    """The energy of every pose, ``weight`` times its negative log-density less that of the model's mean.

    Attributes:
        prior: of poses. mean, precision: of its samples, ``(size,)`` and ``(size, size)``.
    """

    prior: MotionPrior
    mean: Array
    precision: Array
    weight: float = 1.0

    @classmethod
    def of(cls, prior: MotionPrior, weight: float = 1.0) -> PriorTerm:
        """The term of a prior.

        Raises:
            CapabilityError: it is not of poses, or has neither a likelihood nor a bound of it.
        """
        import torch

        from rlsuite.generative.capabilities import Bound, Density

        if prior.kind != "pose" or not isinstance(prior.model, Density | Bound):
            raise CapabilityError(
                f"fitting takes a prior of poses with a likelihood or a bound of it; {prior.model.name} of kind "
                f"{prior.kind} is none (`rlsuite prior fit --model ppca --kind pose --no-root`)"
            )
        drawn = prior.model.sample(SAMPLES, generator=torch.Generator().manual_seed(0)).double().numpy()
        drawn = drawn.reshape(SAMPLES, -1)
        covariance = np.cov(drawn.T) + 1e-6 * np.eye(drawn.shape[1])
        precision = np.asarray(np.linalg.inv(covariance), np.float64)
        return cls(prior, drawn.mean(axis=0), precision, weight)

    @property
    def mean_pose(self) -> Array:
        """``(nq,)``: the joints' mean, the root as in the rest pose."""
        skeleton = self.prior.coordinates.skeleton
        qpos = self.prior.coordinates.decode(self.mean[None], self.prior.fps)[0]
        qpos[:7] = skeleton.rest_qpos[:7]
        return qpos

    def cost(self, now: Iterate) -> Array:
        return self._energy(now, gradient=False)[0]

    def build(self, now: Iterate, system: System) -> None:
        energy, gradient = self._energy(now, gradient=True)
        slope = self.prior.coordinates.jacobian(now.qpos)  # (T, size, nv)
        system.cost += energy
        system.gradient += np.einsum("tsn,ts->tn", slope, gradient)
        system.matrix.diagonal[:] += self.weight * np.swapaxes(slope, 1, 2) @ (self.precision @ slope)

    def _energy(self, now: Iterate, *, gradient: bool) -> tuple[Array, Array]:
        """``(T,)`` and its derivative by the coordinates ``(T, size)``."""
        import torch

        from rlsuite.generative.capabilities import Bound, Density

        rows = self.prior.coordinates.encode(MotionClip(now.qpos, now.fps, now.skeleton))
        x = torch.from_numpy(np.concatenate([rows, self.mean[None]]).astype(np.float32)).requires_grad_(gradient)
        model = self.prior.model
        with torch.set_grad_enabled(gradient):
            if isinstance(model, Density):
                value = model.log_prob(x)
            else:
                assert isinstance(model, Bound)
                value = model.bound(x, particles=8, generator=torch.Generator().manual_seed(0))
            slope = torch.autograd.grad(-value.sum(), x)[0] if gradient else torch.zeros_like(x)
        energy = -(value - value[-1]).detach().double().numpy()[:-1]
        return self.weight * energy, self.weight * slope.detach().double().numpy()[:-1]


@lru_cache(maxsize=8)
def default_prior(without: tuple[str, ...] = ()) -> MotionPrior:
    """A Gaussian of the joints' rotations, fitted to the shipped clips and their mirror images, blurred by :data:`BLUR`.

    Args:
        without: names of clips to leave out: where a fit is measured on a motion, the prior has not seen it.
    """
    from rlsuite.motion import catalogue
    from rlsuite.motion.priors.data import motion_data

    clips: Sequence[MotionClip] = [catalogue.find(name) for name in catalogue.NAMES if name not in without]
    data = motion_data(list(clips), "pose", root=False, mirror=True)
    return MotionPrior.fit("gaussian", data, steps=1, blur=BLUR, device="cpu")
