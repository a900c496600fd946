"""Speed of the generative wing beside the usual way and its peers: ``python benchmarks/generative.py [--quick]``.

Against the usual way, with the same weights and the same noise, equal outputs asserted:

- MADE and MAF drawn in one pass over hidden units by degree, against D passes (pytorch-generative's way);
- NADE with its running sum, O(DH), against every hidden layer anew, O(D²H), and what twice the entries cost it;
- WaveNet and PixelCNN from caches, against the whole network for every entry; the Transformer with keys and values kept,
  against the whole of what was drawn so far.

Against zuko, nflows and normflows (``pip install 'rlsuite[bench,flows]'``; a peer that is not there is left out), with as
many parameters, to the last one, each library's draws scored and carried back by itself: MAF's draws; RealNVP's and Glow's
densities and draws. Their scales are other functions of the network's output, so the numbers differ and the work does not.

Then, with the analytic denoiser of eight Gaussians, how far each sampler ends from where the exact flow would.

Times are the processor's, on one core. Prints tables and, as its last line, one JSON object of ratios, rounded down.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before numpy

import torch
from in_turn import floored, in_turn, ratio, timed
from torch import Tensor, nn

from rlsuite.generative import GenerativeModel, create
from rlsuite.generative.autoregressive.made import MADE
from rlsuite.generative.autoregressive.nade import NADE
from rlsuite.generative.autoregressive.pixels import PixelModel
from rlsuite.generative.autoregressive.sequence import SequenceModel
from rlsuite.generative.diffusion.analytic import MixtureDenoiser
from rlsuite.generative.diffusion.samplers import draw, sampler_named
from rlsuite.generative.diffusion.schedules import schedule_named
from rlsuite.generative.flows.masked_autoregressive import MaskedAffine
from rlsuite.generative.toy import EightGaussians

DRAWS = (64, 256)  # of vectors at once
AIMS = {
    **{f"made/{n}-draws/over-D-passes": 20.0 for n in DRAWS},
    **{f"maf/{n}-draws/over-{peer}": 20.0 for n in DRAWS for peer in ("D-passes", "zuko", "nflows")},
    "wavenet/over-whole-network": 10.0,
    "pixelcnn/over-whole-network": 10.0,
    "gated-pixelcnn/over-whole-network": 10.0,
    "realnvp/log_prob/over-nflows": 1.0,
    "realnvp/log_prob/over-normflows": 1.0,
    "realnvp/sample/over-nflows": 1.0,
    "realnvp/sample/over-normflows": 1.0,
    "glow/log_prob/over-nflows": 1.0,
    "glow/log_prob/over-normflows": 1.0,
    "glow/sample/over-nflows": 1.0,
    "glow/sample/over-normflows": 1.0,
}
D = 64  # entries of vectors
Work = Callable[[], Any]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stirred(module: nn.Module, size: float = 0.02) -> Any:
    """With noise on every weight, so that nothing is the identity; for evaluation."""
    source = generator(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=source))
    return module.eval()


def same(ours: Tensor, theirs: Tensor, what: str, tolerance: float = 1e-4) -> None:
    if not torch.allclose(ours, theirs, atol=tolerance, rtol=tolerance):
        raise AssertionError(f"{what}: outputs differ by {float((ours - theirs).abs().max()):.1e}")


def as_many(modules: dict[str, nn.Module]) -> int:
    """The number of our parameters, which all have to 2 %: nflows keeps triangles where others keep whole matrices."""
    sizes = {name: sum(weights.numel() for weights in module.parameters()) for name, module in modules.items()}
    if max(sizes.values()) > 1.02 * min(sizes.values()):
        raise AssertionError(f"parameters differ in number: {sizes}")
    return sizes["ours"]


# The usual way of our own models.


def nade_anew(model: NADE, n: int, source: torch.Generator) -> Tensor:
    """Every hidden layer from all entries before it: O(D² H)."""
    noise = model.head.noise((model.event_size, n), model.bias, source)
    x = model.bias.new_zeros(n, model.event_size)
    for i in range(model.event_size):
        a = model.bias + x[:, :i] @ model.weight[:i, 0]
        x[:, i] = model.head.draw(torch.sigmoid(a) @ model.out_weight[i].mT + model.out_bias[i], noise[i]).squeeze(-1)
    return x


def sequence_by_network(model: SequenceModel, n: int, source: torch.Generator, *, so_far: bool) -> Tensor:
    """The whole network for every entry: over the whole length, or over what was drawn ``so_far``."""
    x = model.normalizer.mean.new_zeros(n, model.length, model.head.size)
    for t in range(model.length):
        seen = model._seen(x[:, : t + 1] if so_far else x)
        parameters = model._network(seen, None)[:, t]
        x[:, t] = model.head.draw(parameters, model.head.noise((n,), parameters, source))
    return x.reshape(n, *model.event_shape)


def usual_ways(quick: bool) -> dict[str, tuple[Work, Work]]:
    """For each model ours and the usual way; the same noise for both."""
    side = 8 if quick else 16
    length, few = side * side, 4
    made = stirred(create("made", seed=0, event_shape=D, hidden=(512, 512)))
    masked = stirred(MaskedAffine(D, (512, 512)))
    size = 512 if quick else 1024
    nade, half = (stirred(create("nade", seed=0, event_shape=entries, hidden=128)) for entries in (size, size // 2))
    sequence = {"event_shape": (length,), "n_values": 4, "seed": 0}
    wavenet = stirred(create("wavenet", channels=32, levels=6, **sequence))
    transformer = stirred(create("transformer", width=64, heads=4, layers=2, **sequence))
    plain = stirred(create("pixelcnn", seed=0, event_shape=(side, side), channels=32, layers=5))
    gated = stirred(create("gated-pixelcnn", seed=0, event_shape=(side, side), channels=32, layers=5))
    assert isinstance(made, MADE)
    assert isinstance(nade, NADE)
    ways: dict[str, tuple[Work, Work]] = {}
    for n in DRAWS:
        z = torch.randn(n, D, generator=generator())
        ways[f"made/{n}-draws/over-D-passes"] = (
            lambda n=n: made._draw(n, None, generator(), by_passes=False),
            lambda n=n: made._draw(n, None, generator(), by_passes=True),
        )
        ways[f"maf/{n}-draws/over-D-passes"] = (
            lambda z=z: masked.inverse(z)[0],
            lambda z=z: masked._inverse_by_passes(z, None)[0],
        )
    n = 64
    ways["nade/over-anew"] = (lambda: nade._sample(n, None, generator()), lambda: nade_anew(nade, n, generator()))
    ways["nade/half-the-entries/over-anew"] = (
        lambda: half._sample(n, None, generator()),
        lambda: nade_anew(half, n, generator()),
    )
    for name, model, so_far in (("wavenet", wavenet, False), ("transformer", transformer, True)):
        assert isinstance(model, SequenceModel)
        ways[f"{name}/over-{'what-was-drawn' if so_far else 'whole-network'}"] = (
            lambda model=model: model._sample(few, None, generator()),
            lambda model=model, so_far=so_far: sequence_by_network(model, few, generator(), so_far=so_far),
        )
    for name, model in (("pixelcnn", plain), ("gated-pixelcnn", gated)):
        assert isinstance(model, PixelModel)
        ways[f"{name}/over-whole-network"] = (
            lambda model=model: model._sample(few, None, generator()),
            lambda model=model: model._sample_by_passes(few, None, generator()),
        )
    return ways


# Peers.


def mafs() -> dict[str, nn.Module]:
    """One masked autoregressive transform of D entries and two layers of 512 units in each library."""
    found: dict[str, nn.Module] = {"ours": MaskedAffine(D, (512, 512))}
    if find_spec("zuko"):
        import zuko

        found["zuko"] = zuko.flows.MAF(D, transforms=1, hidden_features=(512, 512)).transform
    if find_spec("nflows"):
        from nflows.transforms.autoregressive import MaskedAffineAutoregressiveTransform

        found["nflows"] = MaskedAffineAutoregressiveTransform(D, 512, num_blocks=1, use_residual_blocks=False)
    return found


class Perceptron(nn.Sequential):
    """A network for nflows, which hands a context along."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return super().forward(x)


def network(sizes: tuple[int, ...], space: bool) -> Perceptron:
    """Layers of ``sizes``, over images convolutions of widths 3, 1 and 3, with the activation that ours has."""
    layers: list[nn.Module] = []
    for i, (before, after) in enumerate(itertools.pairwise(sizes)):
        width = (3, 1, 3)[i]
        layers += [
            nn.Conv2d(before, after, width, padding=width // 2) if space else nn.Linear(before, after),
            nn.SiLU(),
        ]
    return Perceptron(*layers[:-1])


def flows(images: bool) -> dict[str, nn.Module]:
    """RealNVP of vectors, or a level of Glow of images, with ActNorm before each coupling, in each library."""
    layers, hidden, channels = (6, 48, 12) if images else (8, 64, 28)
    half = channels // 2
    ours: GenerativeModel
    if images:
        ours = create("glow", seed=0, event_shape=(3, 16, 16), levels=1, steps=layers, hidden=(hidden, hidden))
    else:
        ours = create("realnvp", seed=0, event_shape=channels, layers=layers, hidden=(hidden, hidden))
    found: dict[str, nn.Module] = {"ours": ours}
    if find_spec("nflows"):
        found["nflows"] = of_nflows(images, layers, hidden, channels)
    if find_spec("normflows"):
        import normflows as nf

        shape = (channels, 8, 8) if images else channels
        parts: list[nn.Module] = []
        for _ in range(layers):
            sizes = (half, hidden, hidden, 2 * half)
            block = nf.flows.AffineCouplingBlock(network(sizes, images), scale_map="exp")
            mixing = nf.flows.Invertible1x1Conv(channels, use_lu=True) if images else nf.flows.Permute(channels, "swap")
            norm = nf.flows.ActNorm((channels, 1, 1) if images else channels)
            norm.data_dep_init_done.fill_(1.0)
            parts += [block, mixing, norm]
        parts += [nf.flows.Squeeze()] if images else []
        found["normflows"] = nf.NormalizingFlow(nf.distributions.DiagGaussian(shape, trainable=False), parts)
    return found


def of_nflows(images: bool, layers: int, hidden: int, channels: int) -> nn.Module:
    from nflows import transforms
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow

    mask = torch.ones(channels)
    mask[: channels // 2] = -1
    parts: list[nn.Module] = [transforms.SqueezeTransform()] if images else []
    for _ in range(layers):
        coupling = transforms.AffineCouplingTransform(
            mask, lambda n_in, n_out: network((n_in, hidden, hidden, n_out), images)
        )
        mixing = transforms.OneByOneConvolution(channels) if images else transforms.ReversePermutation(channels)
        parts += [transforms.ActNorm(channels), mixing, coupling]
    return Flow(transforms.CompositeTransform(parts), StandardNormal([channels, 8, 8] if images else [channels]))


def draws_of(name: str, flow: Any, n: int) -> Tensor:
    with torch.no_grad():
        return flow.sample(n)[0] if name == "normflows" else flow.sample(n)


def peers(quick: bool, rounds: int) -> dict[str, float]:
    ratios: dict[str, float] = {}
    mafs_found = {name: stirred(maf) for name, maf in mafs().items()}
    print(f"\nMAF, {D} entries, 2 x 512 units, {as_many(mafs_found)} parameters")
    for n in DRAWS:
        z = torch.randn(n, D, generator=generator())
        backwards: dict[str, Work] = {}
        for name, maf in mafs_found.items():
            if name == "zuko":
                transform = maf()
                forward, backward = transform, transform.inv
            else:
                forward, backward = (lambda x, maf=maf: maf(x)[0]), (lambda z, maf=maf: maf.inverse(z)[0])
            with torch.no_grad():
                same(forward(backward(z)), z, f"{name}'s MAF, there and back", 1e-2)
            backwards[name] = torch.no_grad()(lambda backward=backward, z=z: backward(z))
        ratios |= compared(f"maf/{n}-draws", backwards, rounds)
    for label, images in (("realnvp", False), ("glow", True)):
        found = {name: stirred(flow, 0.01) for name, flow in flows(images).items()}
        n = 64 if images else 256
        print(f"\n{label}, {as_many(found)} parameters, {n} events")
        torch.manual_seed(0)
        x = torch.randn(n, *((3, 16, 16) if images else (28,)), generator=generator())
        scored: dict[str, Work] = {}
        drawn: dict[str, Work] = {}
        for name, flow in found.items():
            reconstructed(name, flow, x)
            scored[name] = torch.no_grad()(lambda flow=flow, x=x: flow.log_prob(x))
            drawn[name] = lambda name=name, flow=flow, n=n: draws_of(name, flow, n)
        ratios |= compared(f"{label}/log_prob", scored, rounds)
        ratios |= compared(f"{label}/sample", drawn, rounds)
    return ratios


@torch.no_grad()
def reconstructed(name: str, flow: Any, x: Tensor) -> None:
    """Each library finds its own events again."""
    if name == "ours":
        back = flow.decode(flow.encode(x))
    elif name == "nflows":
        back = flow._transform.inverse(flow.transform_to_noise(x))[0]
    else:
        back = flow.forward(flow.inverse(x))
    same(back, x, f"{name}, there and back", 1e-2)


def compared(what: str, works: dict[str, Work], rounds: int) -> dict[str, float]:
    taken = in_turn({name: timed(work) for name, work in works.items()}, rounds)
    for name, seconds in taken.items():
        print(f"  {what:<18}{name:<12}{1e3 * statistics.median(seconds):>10.2f} CPU ms")
    return {f"{what}/over-{name}": ratio(taken[name], taken["ours"]) for name in works if name != "ours"}


# Diffusion.


def diffusion(quick: bool) -> dict[str, float]:
    """Root of the mean squared distance from where the exact probability flow ends, from the same noise."""
    toy = EightGaussians()
    covariance = (toy.noise**2 * torch.eye(2, dtype=torch.float64)).expand(8, 2, 2)
    denoiser = MixtureDenoiser(torch.full((8,), 0.125, dtype=torch.float64), toy.centres, covariance).at
    noise, schedule = torch.randn(300, 2, generator=generator(), dtype=torch.float64), schedule_named("cosine")
    exact = draw(sampler_named("heun"), denoiser, noise, schedule.grid(300 if quick else 1000, "log-snr"))
    print("\neight Gaussians, exact denoiser: distance from the exact flow's end, by evaluations of the denoiser")
    budgets, errors = (10, 20, 50, 100), {}
    print(f"  {'sampler':<16}" + "".join(f"{budget:>10}" for budget in budgets))
    for name in ("ddim", "dpm-solver++", "heun"):
        sampler, row = sampler_named(name), []
        for budget in budgets:
            grid = schedule.grid(budget // sampler.evaluations, sampler.spacing)
            end = draw(sampler, denoiser, noise, grid)
            row.append(math.sqrt((end - exact).square().sum(1).mean().item()))
            errors[f"diffusion/{name}/error-at-{budget}"] = float(f"{row[-1]:.3g}")
        print(f"  {name:<16}" + "".join(f"{error:>10.4f}" for error in row))
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute: events of 64 entries, one round")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    rounds, ratios, spent = 1 if quick else 5, {}, {}
    print(f"{'our way over the usual way':<38}{'ours':>10}{'usual':>10}  CPU ms")
    with torch.no_grad():
        for name, (ours, usual) in usual_ways(quick).items():
            same(ours(), usual(), name)
            taken = in_turn({"ours": timed(ours), "usual": timed(usual)}, rounds)
            ratios[name] = ratio(taken["usual"], taken["ours"])
            medians = (1e3 * statistics.median(taken[which]) for which in ("ours", "usual"))
            print(f"{name:<38}" + "".join(f"{median:>10.2f}" for median in medians), flush=True)
            spent[name] = statistics.median(taken["ours"])
    # O(DH): twice the entries cost twice the time
    ratios["nade/twice-the-entries"] = floored(spent["nade/over-anew"] / spent["nade/half-the-entries/over-anew"])
    ratios |= peers(quick, rounds)
    ratios |= diffusion(quick)
    print(f"\n{'ratio':<38}{'measured':>10}{'aim':>8}")
    for name, value in ratios.items():
        if not name.startswith("diffusion/"):
            print(f"{name:<38}{value:>10}{AIMS.get(name, ''):>8}")
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
