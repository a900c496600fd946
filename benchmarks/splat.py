"""Speed of splatting beside dense rasterisers in torch, in one run: ``python benchmarks/splat.py [--quick]``.

A cloud in the humanoid's visual hull is drawn, and the gradients by all its parameters are taken, by

(a) the compiled kernels: tiles of 8 pixels, a list of splats for each, derivatives by hand;
(b) torch with dense tiles of 64 pixels, as torch-splatting does: every splat whose box meets a tile on all of its pixels;
(c) torch with every splat on every pixel, the suite's own oracle.

(a) and (c) must agree to rounding, and (b), which knows no cut-off of small contributions, with (a) where that has none.
Times are the processor's, on one thread; machine code is compiled before. Prints a table and, as its last line, one JSON
object of ratios, rounded down.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before numpy

import torch
from in_turn import in_turn, ratio, timed
from torch import Tensor

from rlsuite.generative.implicit.cameras import Pinhole
from rlsuite.generative.implicit.splatting import reference, splat
from rlsuite.generative.implicit.splatting.gaussians import Cloud, Gaussians, half_spacing
from rlsuite.generative.implicit.splatting.initialisation import visual_hull
from rlsuite.generative.implicit.splatting.reference import Settings
from rlsuite.motion import body
from rlsuite.motion.cameras import Camera
from rlsuite.motion.pose.photographs import cameras_around, photograph

N, DENSE_TILE, AIM = 2000, 64, 20.0
WHITE = torch.ones(3)
UNCUT = Settings(alpha_min=0.0, transmittance_min=0.0)
Draw = Callable[[Gaussians, Pinhole], Tensor]


def by_kernel(gaussians: Gaussians, camera: Pinhole) -> Tensor:
    return splat.render(gaussians, camera, WHITE, method="kernel").color


def by_oracle(gaussians: Gaussians, camera: Pinhole) -> Tensor:
    return splat.render(gaussians, camera, WHITE, method="torch").color


def by_dense_tiles(gaussians: Gaussians, camera: Pinhole) -> Tensor:
    """Boxes of three standard deviations decide which splats a tile of 64 pixels blends, all of them on all its pixels."""
    mean, conic, depth = reference.project(gaussians, camera)
    a, b, c = conic.unbind(-1)
    reach = 3.0 * (torch.stack((c, a), -1) / (a * c - b * b)[:, None]).sqrt().detach()
    picture = []
    for top in range(0, camera.height, DENSE_TILE):
        row = []
        for left in range(0, camera.width, DENSE_TILE):
            corner = mean.new_tensor((left, top))
            chosen = ((mean + reach >= corner) & (mean - reach <= corner + DENSE_TILE)).all(-1).nonzero()[:, 0]
            chosen = chosen[torch.argsort(depth[chosen])]
            u = left + 0.5 + torch.arange(min(DENSE_TILE, camera.width - left))
            v = top + 0.5 + torch.arange(min(DENSE_TILE, camera.height - top))
            pixels = torch.stack(torch.meshgrid(u, v, indexing="xy"), -1).reshape(-1, 1, 2)  # (pixels, 1, 2)
            dx, dy = (pixels - mean[chosen]).unbind(-1)
            power = -0.5 * (a[chosen] * dx * dx + c[chosen] * dy * dy) - b[chosen] * dx * dy
            alpha = (gaussians.opacities[chosen] * power.exp()).clamp_max(0.99)
            through = torch.cat((torch.ones_like(alpha[:, :1]), 1 - alpha[:, :-1]), 1).cumprod(1)
            weight = alpha * through
            colour = weight @ gaussians.colors[chosen] + (1 - weight.sum(1, keepdim=True)) * WHITE
            row.append(colour.reshape(len(v), len(u), 3))
        picture.append(torch.cat(row, 1))
    return torch.cat(picture, 0)


def forward_and_backward(draw: Draw, cloud: Cloud, camera: Pinhole, target: Tensor) -> tuple[Tensor, list[Tensor]]:
    picture = draw(cloud.gaussians(), camera)
    return picture, list(torch.autograd.grad((picture - target).abs().mean(), list(cloud.parameters())))


def scene(size: int) -> tuple[Cloud, Camera, Tensor]:
    """``N`` Gaussians in the humanoid's visual hull, a camera, and what it really sees."""
    model, qpos = body.model(), body.skeleton().rest_qpos
    photographs = photograph(model, qpos, cameras_around(qpos[:3], 12, size))
    middle, half = torch.tensor(qpos[:3]).float(), torch.tensor((0.3, 0.9, 1.0))
    random = torch.Generator().manual_seed(0)
    points, colors = visual_hull(photographs, N, middle - half, middle + half, random)
    scales = half_spacing(points)[:, None] * (0.5 + torch.rand(N, 3, generator=random))
    camera, target, _ = photographs[0]
    assert isinstance(camera, Camera)
    return Cloud(points, colors, scales, torch.randn(N, 4, generator=random)), camera, target


def agreement(cloud: Cloud, camera: Camera, target: Tensor) -> None:
    (ours, our_slopes), (dense, _), (oracle, slopes) = (
        forward_and_backward(draw, cloud, camera, target) for draw in (by_kernel, by_dense_tiles, by_oracle)
    )
    torch.testing.assert_close(ours, oracle, rtol=0, atol=1e-5)
    for a, b in zip(our_slopes, slopes, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-3 * float(b.abs().max()))
    uncut = splat.render(cloud.gaussians(), camera, WHITE, UNCUT, "kernel").color
    torch.testing.assert_close(uncut, dense, rtol=0, atol=2e-3)  # three standard deviations are not all of a splat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 rounds of the smaller picture instead of 9 of both")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rounds = 3 if arguments.quick else 9
    ratios: dict[str, float] = {}
    for size in (64,) if arguments.quick else (64, 128):
        cloud, camera, target = scene(size)
        agreement(cloud, camera, target)

        def work(draw: Draw, at: tuple[Cloud, Camera, Tensor] = (cloud, camera, target)) -> Callable[[], float]:
            return timed(lambda: forward_and_backward(draw, *at))

        def drawing(draw: Draw, at: tuple[Cloud, Camera] = (cloud, camera)) -> Callable[[], float]:
            return timed(lambda: draw(at[0].gaussians(), at[1]))

        taken = in_turn(
            {
                "kernel": work(by_kernel),
                "dense 64-pixel tiles": work(by_dense_tiles),
                "every splat on every pixel": work(by_oracle),
                "kernel, forward": drawing(by_kernel),
                "dense 64-pixel tiles, forward": drawing(by_dense_tiles),
            },
            rounds,
        )
        print(f"{N} Gaussians, {size} x {size} pixels, float32, {rounds} rounds")
        print(f"{'picture and gradients':<34}{'CPU ms':>10}")
        for name, seconds in taken.items():
            print(f"{name:<34}{1e3 * statistics.median(seconds):>10.2f}")
        ratios |= {
            f"splat/{size}/over-dense-tiles": ratio(taken["dense 64-pixel tiles"], taken["kernel"]),
            f"splat/{size}/over-dense": ratio(taken["every splat on every pixel"], taken["kernel"]),
            f"splat/{size}/forward/over-dense-tiles": ratio(
                taken["dense 64-pixel tiles, forward"], taken["kernel, forward"]
            ),
        }
    print(f"\n{'ratio':<40}{'measured':>10}{'aim':>8}")
    for name, value in ratios.items():
        print(f"{name:<40}{value:>10}{AIM:>8.0f}{'' if value >= AIM else '  missed'}")
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
