"""A body from photographs as a cloud of Gaussians: from random points, from its visual hull, or from its own capsules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import mujoco
import numpy as np
import torch
from numpy.typing import ArrayLike

from rlsuite.errors import MotionError
from rlsuite.generative.implicit.splatting.density_control import DensityControl
from rlsuite.generative.implicit.splatting.fitting import Fit, Photograph, fit
from rlsuite.generative.implicit.splatting.gaussians import Cloud
from rlsuite.generative.implicit.splatting.initialisation import random_points, visual_hull
from rlsuite.motion import kinematics, models
from rlsuite.motion.pose.body_gaussians import BodyGaussians
from rlsuite.motion.pose.photographs import WHITE, cameras_around, photograph
from rlsuite.motion.skeleton import Skeleton
from rlsuite.seeding import checked_seed

Start = Literal["random", "hull", "capsules"]
PAD = 0.25  # metres around the bodies' origins in which points are looked for


def reconstruct(
    skeleton: Skeleton,
    qpos: ArrayLike,
    photographs: Sequence[Photograph],
    start: Start = "hull",
    *,
    n: int = 500,
    most: int = 2000,
    steps: int = 2000,
    isotropic: bool = False,
    model: mujoco.MjModel | None = None,
    seed: int = 0,
) -> tuple[Cloud, Fit]:
    """A cloud that looks like the body in pose ``qpos (nq,)`` does in ``photographs``, and how the fit went.

    Args:
        start: ``random`` points in a box around the body, points of the ``hull`` of the masks, or the ``capsules`` of
            ``model`` (default: the skeleton's own) in that pose.
        n: Gaussians at the start (``random``, ``hull``); they grow to ``most`` while three quarters of ``steps`` last.
        isotropic: spheres, with one scale each and no rotation.

    Raises:
        MotionError: ``start`` is unknown.
    """
    generator = torch.Generator().manual_seed(checked_seed(seed) or 0)
    points = torch.from_numpy(kinematics.forward(skeleton, qpos)[0]).float()
    low, high = points.min(0).values - PAD, points.max(0).values + PAD
    if start == "random":
        cloud = Cloud(random_points(n, low, high, generator), isotropic=isotropic)
    elif start == "hull":
        cloud = Cloud(*visual_hull(photographs, n, low, high, generator), isotropic=isotropic)
    elif start == "capsules":
        cloud = BodyGaussians.of_model(skeleton, model).cloud(np.asarray(qpos, np.float64), isotropic)
    else:
        raise MotionError(f"unknown start {start!r}; known are {', '.join(get_args(Start))}")
    density = DensityControl(stop=3 * steps // 4, most=most)
    done = fit(cloud, photographs, steps=steps, background=torch.tensor(WHITE), density=density, seed=seed)
    return cloud, done


def fitted_body(
    skeleton: Skeleton,
    model: mujoco.MjModel | None = None,
    *,
    qpos: ArrayLike | None = None,
    per_geom: int = 4,
    views: int = 24,
    size: int = 64,
    steps: int = 800,
    seed: int = 0,
) -> BodyGaussians:
    """Gaussians on the bodies whose places, sizes and colours are fitted to photographs of the model in one pose.

    They begin as those of the geoms, their number stays, and each remains on its body. Default pose: at rest.
    """
    model = models.model_of(skeleton) if model is None else model
    pose = np.asarray(skeleton.rest_qpos if qpos is None else qpos, np.float64)
    middle = kinematics.forward(skeleton, pose)[0]
    cameras = cameras_around((middle.min(0) + middle.max(0)) / 2, views, size)
    gaussians = BodyGaussians.of_model(skeleton, model, per_geom)
    cloud = gaussians.cloud(pose)
    fit(cloud, photograph(model, pose, cameras), steps=steps, background=torch.tensor(WHITE), seed=seed)
    return BodyGaussians.bound(skeleton, pose, cloud, gaussians.body)
