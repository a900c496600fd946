"""Photographs of a body on its own before a plain background, from cameras all around it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import mujoco
import numpy as np
import torch
from numpy.typing import ArrayLike

from rlsuite.generative.implicit.splatting.fitting import Photograph
from rlsuite.motion.cameras import Camera
from rlsuite.motion.render import PAPER, Actor, Renderer, Scene

WHITE = (1.0, 1.0, 1.0)  # PAPER's sky, and so the background of every photograph
GOLDEN = np.pi * (3.0 - np.sqrt(5.0))
HIDDEN_GROUP = 5  # a group of geoms that renderers do not show


def cameras_around(
    target: ArrayLike, n: int, size: int = 64, distance: float = 3.6, elevations: tuple[float, float] = (-0.3, 0.6)
) -> list[Camera]:
    """``n`` cameras that look at ``target (3,)``, evenly spread over the directions of these elevations (radians).

    They stand on a Fibonacci spiral: heights are even, each is turned from the last by the golden angle.
    """
    low, high = np.sin(elevations)
    heights = low + (high - low) * (np.arange(n) + 0.5) / n
    across = np.sqrt(1.0 - heights**2)
    directions = np.stack([across * np.cos(GOLDEN * np.arange(n)), across * np.sin(GOLDEN * np.arange(n)), heights], -1)
    centre = np.asarray(target, np.float64)
    return [Camera.look_at(centre + distance * d, centre, width=size, height=size) for d in directions]


def photograph(
    model: mujoco.MjModel, qpos: ArrayLike, cameras: Sequence[Camera], shading: bool = True
) -> list[Photograph]:
    """The body in pose ``qpos (nq,)`` without its floor, as sRGB in 0 … 1, white around it.

    Args:
        shading: light from one side and shadows; without, every geom has one colour.
    """
    alone = copy.copy(model)
    alone.geom_group[alone.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] = HIDDEN_GROUP
    look = PAPER if shading else replace(PAPER, sun_strength=0.0, ambient=1.0, ground_light=WHITE, gloss=0.0)
    scene = Scene([Actor(alone, qpos)], look=look, floor=False)
    with Renderer(backend="software") as renderer:
        renders = [renderer.render_scene(scene, camera) for camera in cameras]
    return [
        Photograph(camera, torch.from_numpy(render.rgb / np.float32(255.0)), torch.from_numpy(render.mask))
        for camera, render in zip(cameras, renders, strict=True)
    ]
