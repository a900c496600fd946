"""Compiled blending of splats, tile by tile, and its derivatives by hand; :func:`.reference.blend` is the oracle.

A tile of 8 x 8 pixels has a list of the splats whose ellipse of ``alpha_min`` may reach it, nearest first. Behind splat
``i`` a pixel sees ``b_i``, with ``b_{i-1} = a_i c_i + (1 - a_i) b_i`` and ``b_n`` the background; so the derivative of the
pixel by ``a_i`` is ``T_i (c_i - b_i)``, without a division by ``1 - a_i``. Both passes use the same cut-offs: where ``a`` is
held at ``alpha_max``, nothing flows to what it is made of.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.generative.implicit.splatting.kernels import entry_kernel
from rlsuite.generative.implicit.splatting.reference import DEFAULT, Settings, Splats

TILE = 8  # pixels
X, Y, A, B, C, OPACITY, REACH, FEATURES = 0, 1, 2, 3, 4, 5, 6, 7  # columns of a tile's table


def blend(
    splats: Splats,
    opacities: Tensor,
    features: Tensor,
    background: Tensor,
    width: int,
    height: int,
    settings: Settings = DEFAULT,
) -> tuple[Tensor, Tensor]:
    """As :func:`.reference.blend`, on the CPU."""
    mean, conic, depth = splats
    return _Blend.apply(mean, conic, opacities, features, background, depth, (width, height), settings)


class _Blend(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        mean: Tensor,
        conic: Tensor,
        opacities: Tensor,
        features: Tensor,
        background: Tensor,
        depth: Tensor,
        size: tuple[int, int],
        settings: Settings,
    ) -> tuple[Tensor, Tensor]:
        width, height = size
        settings = Settings(*map(float, settings))
        inputs = tuple(x.detach().contiguous() for x in (mean, conic, opacities, features, background))
        m, q, o, f, b = (x.numpy() for x in inputs)
        far = depth.detach().numpy()
        order = np.argsort(far, kind="stable")
        starts, lists = tile_lists(m, q, o, order[far[order] > settings.near], width, height, settings.alpha_min)
        picture, seen = mean.new_empty(height, width, features.shape[1]), mean.new_empty(height, width)
        blend_forward(m, q, o, f, b, starts, lists, settings, picture.numpy(), seen.numpy())
        ctx.starts, ctx.lists, ctx.settings = starts, lists, settings
        ctx.save_for_backward(*inputs)
        return picture, seen

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        results = tuple(torch.zeros_like(x) for x in ctx.saved_tensors)
        m, q, o, f, b = (x.numpy() for x in ctx.saved_tensors)
        by_picture, by_seen = (g.contiguous().numpy() for g in gradients)
        to = tuple(x.numpy() for x in results)
        blend_backward(
            m, q, o, f, b, ctx.starts, ctx.lists, ctx.settings, by_picture, by_seen, to[0], to[1], to[2], to[3], to[4]
        )
        return *results, None, None, None


@entry_kernel
def tile_lists(
    mean: NDArray, conic: NDArray, opacities: NDArray, order: NDArray, width: int, height: int, alpha_min: float
) -> tuple[NDArray, NDArray]:
    """``starts (tiles + 1)`` and ``lists``: the splats of tile ``t``, nearest first, are ``lists[starts[t]:starts[t + 1]]``.

    A splat belongs to the tiles that meet the box around ``s <= ln(opacity / alpha_min)``.
    """
    across, down = (width + TILE - 1) // TILE, (height + TILE - 1) // TILE
    boxes = np.empty((len(order), 4), np.int64)  # first and last column and row of tiles
    starts = np.zeros(across * down + 1, np.int64)
    for i in range(len(order)):
        g = order[i]
        box = boxes[i]
        box[0], box[1], box[2], box[3] = 0, across, 0, down
        if alpha_min > 0.0:
            a, b, c = float(conic[g, 0]), float(conic[g, 1]), float(conic[g, 2])
            reach = 2.0 * math.log(max(opacities[g], 1e-30) / alpha_min)
            if reach < 0.0:
                box[1] = 0
                continue
            half_x, half_y = math.sqrt(reach * c / (a * c - b * b)), math.sqrt(reach * a / (a * c - b * b))
            if (
                mean[g, 0] + half_x < 0
                or mean[g, 0] - half_x > width
                or mean[g, 1] + half_y < 0
                or mean[g, 1] - half_y > height
            ):
                box[1] = 0
                continue
            # the centres of pixels lie half a pixel inside their tiles
            box[0] = max(0, math.floor((mean[g, 0] - half_x + 0.5) / TILE))
            box[1] = min(across, math.floor((mean[g, 0] + half_x - 0.5) / TILE) + 1)
            box[2] = max(0, math.floor((mean[g, 1] - half_y + 0.5) / TILE))
            box[3] = min(down, math.floor((mean[g, 1] + half_y - 0.5) / TILE) + 1)
        for row in range(box[2], box[3]):
            for column in range(box[0], box[1]):
                starts[row * across + column + 1] += 1
    for t in range(across * down):
        starts[t + 1] += starts[t]
    lists, filled = np.empty(starts[-1], np.int64), starts.copy()
    for i in range(len(order)):
        for row in range(boxes[i, 2], boxes[i, 3]):
            for column in range(boxes[i, 0], boxes[i, 1]):
                tile = row * across + column
                lists[filled[tile]] = order[i]
                filled[tile] += 1
    return starts, lists


@entry_kernel
def gather(
    mean: NDArray,
    conic: NDArray,
    opacities: NDArray,
    features: NDArray,
    chosen: NDArray,
    settings: Settings,
    table: NDArray,
) -> None:
    """Write the splats of a tile to the rows of ``table``, one after another in memory."""
    for k in range(len(chosen)):
        g = chosen[k]
        table[k, X], table[k, Y] = mean[g, 0], mean[g, 1]
        table[k, A], table[k, B], table[k, C] = conic[g, 0], conic[g, 1], conic[g, 2]
        table[k, OPACITY] = opacities[g]
        table[k, REACH] = (
            math.log(max(opacities[g], 1e-30) / settings.alpha_min) if settings.alpha_min > 0.0 else math.inf
        )
        for f in range(features.shape[1]):
            table[k, FEATURES + f] = features[g, f]


@entry_kernel
def blend_forward(
    mean: NDArray,
    conic: NDArray,
    opacities: NDArray,
    features: NDArray,
    background: NDArray,
    starts: NDArray,
    lists: NDArray,
    settings: Settings,
    picture: NDArray,
    seen: NDArray,
) -> None:
    """Fill ``picture (height, width, f)`` and ``seen (height, width)``."""
    height, width, channels = picture.shape
    across = (width + TILE - 1) // TILE
    table = np.empty((longest(starts), FEATURES + channels))
    colour = np.empty(channels)
    for tile in range(len(starts) - 1):
        chosen = lists[starts[tile] : starts[tile + 1]]
        gather(mean, conic, opacities, features, chosen, settings, table)
        top, left = tile // across * TILE, tile % across * TILE
        for row in range(top, min(top + TILE, height)):
            for column in range(left, min(left + TILE, width)):
                through, covered = 1.0, 0.0
                colour[:] = 0.0
                for k in range(len(chosen)):
                    dx, dy = column + 0.5 - table[k, X], row + 0.5 - table[k, Y]
                    s = 0.5 * (table[k, A] * dx * dx + table[k, C] * dy * dy) + table[k, B] * dx * dy
                    if s <= table[k, REACH]:
                        if through < settings.transmittance_min:
                            break
                        alpha = min(table[k, OPACITY] * math.exp(-s), settings.alpha_max)
                        weight = through * alpha
                        for f in range(channels):
                            colour[f] += weight * table[k, FEATURES + f]
                        through -= weight
                        covered += weight
                for f in range(channels):
                    picture[row, column, f] = colour[f] + through * background[f]
                seen[row, column] = covered


@entry_kernel
def blend_backward(
    mean: NDArray,
    conic: NDArray,
    opacities: NDArray,
    features: NDArray,
    background: NDArray,
    starts: NDArray,
    lists: NDArray,
    settings: Settings,
    by_picture: NDArray,
    by_seen: NDArray,
    to_mean: NDArray,
    to_conic: NDArray,
    to_opacities: NDArray,
    to_features: NDArray,
    to_background: NDArray,
) -> None:
    """Add the gradients to ``to_...``, from those by what :func:`blend_forward` gives."""
    height, width, channels = by_picture.shape
    across, most = (width + TILE - 1) // TILE, longest(starts)
    table, sums = np.empty((most, FEATURES + channels)), np.empty((most, FEATURES + channels))
    met, falls, throughs = np.empty(most, np.int64), np.empty(most), np.empty(most)
    behind = np.empty(channels)
    for tile in range(len(starts) - 1):
        chosen = lists[starts[tile] : starts[tile + 1]]
        gather(mean, conic, opacities, features, chosen, settings, table)
        sums[: len(chosen)] = 0.0
        top, left = tile // across * TILE, tile % across * TILE
        for row in range(top, min(top + TILE, height)):
            for column in range(left, min(left + TILE, width)):
                through, count = 1.0, 0
                for k in range(len(chosen)):
                    dx, dy = column + 0.5 - table[k, X], row + 0.5 - table[k, Y]
                    s = 0.5 * (table[k, A] * dx * dx + table[k, C] * dy * dy) + table[k, B] * dx * dy
                    if s <= table[k, REACH]:
                        if through < settings.transmittance_min:
                            break
                        fall = math.exp(-s)
                        met[count], falls[count], throughs[count] = k, fall, through
                        through -= through * min(table[k, OPACITY] * fall, settings.alpha_max)
                        count += 1
                covered = 0.0
                for f in range(channels):
                    behind[f] = background[f]
                    to_background[f] += through * by_picture[row, column, f]
                for i in range(count - 1, -1, -1):
                    k, through = met[i], throughs[i]
                    alpha = min(table[k, OPACITY] * falls[i], settings.alpha_max)
                    held = table[k, OPACITY] * falls[i] > settings.alpha_max
                    by_alpha = by_seen[row, column] * (1.0 - covered)
                    covered = alpha + (1.0 - alpha) * covered
                    for f in range(channels):
                        by, c = by_picture[row, column, f], table[k, FEATURES + f]
                        by_alpha += by * (c - behind[f])
                        sums[k, FEATURES + f] += by * through * alpha
                        behind[f] += alpha * (c - behind[f])
                    if not held:
                        sums[k, OPACITY] += through * by_alpha * falls[i]
                        by_s = -through * by_alpha * alpha
                        dx, dy = column + 0.5 - table[k, X], row + 0.5 - table[k, Y]
                        sums[k, X] -= by_s * (table[k, A] * dx + table[k, B] * dy)
                        sums[k, Y] -= by_s * (table[k, B] * dx + table[k, C] * dy)
                        sums[k, A] += by_s * 0.5 * dx * dx
                        sums[k, B] += by_s * dx * dy
                        sums[k, C] += by_s * 0.5 * dy * dy
        for k in range(len(chosen)):
            g = chosen[k]
            to_mean[g, 0] += sums[k, X]
            to_mean[g, 1] += sums[k, Y]
            to_conic[g, 0] += sums[k, A]
            to_conic[g, 1] += sums[k, B]
            to_conic[g, 2] += sums[k, C]
            to_opacities[g] += sums[k, OPACITY]
            for f in range(channels):
                to_features[g, f] += sums[k, FEATURES + f]


@entry_kernel
def longest(starts: NDArray) -> int:
    """The most splats of any tile."""
    most = 0
    for tile in range(len(starts) - 1):
        most = max(most, starts[tile + 1] - starts[tile])
    return most
