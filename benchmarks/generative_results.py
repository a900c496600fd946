"""Generative models on data whose best value is known or agreed: toy densities, and scikit-learn's 8 x 8 digits.

    python benchmarks/generative_results.py toys
    python benchmarks/generative_results.py digits
    python benchmarks/generative_results.py bits

With ``--models`` only the rows named are made anew in the table; the sheet of pictures then shows those alone.

``toys``: NLL - H of every model with a density of two real numbers, on two moons, eight Gaussians and the checkerboard.
``digits``: nats per picture of 64 entries in 0 … 16, in the order of the file, 1000 for fitting, 350 to stop at the best
weights, 447 for the test; ``bits``: the same pictures, 1 where an entry is 8 or more. Bounds are marked as such. Needs
scikit-learn (``pip install 'rlsuite[bench]'``).

One thread, fixed seeds; a table ``results/generative/<what>.csv``, and a sheet of samples in ``docs/img``.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlsuite.generative import Bound, Density, GenerativeModel, create
from rlsuite.generative.energy.rbm import RBM
from rlsuite.generative.toy import TOYS, measure, toy_named

ROOT = Path(__file__).parents[1]
SEED = 0
Row = dict[str, Any]

# name of the row: model, its arguments, steps, what fit is told beside them
TOY_MODELS: dict[str, tuple[str, dict[str, Any], int, dict[str, Any]]] = {
    "gaussian": ("gaussian", {}, 1, {}),
    "rnade": ("rnade", {"hidden": 128, "components": 32}, 2000, {"learning_rate": 8e-3}),
    "made": ("made", {"n_values": 0, "hidden": (128, 128), "components": 32}, 2000, {}),
    "orderless-nade": ("orderless-nade", {"n_values": 0, "hidden": (128, 128), "components": 32}, 2000, {}),
    "nice": ("nice", {"hidden": (128, 128)}, 2000, {}),
    "realnvp": ("realnvp", {"hidden": (128, 128)}, 4000, {}),
    "realnvp, mixture base": ("realnvp", {"hidden": (128, 128), "base": "mixture"}, 2000, {}),
    "glow": ("glow", {"levels": 1, "steps": 8, "hidden": (128, 128)}, 2000, {}),
    "maf": ("maf", {"layers": 10}, 2500, {}),
    "iaf": ("iaf", {"layers": 8}, 1200, {}),
    "vp-sde": ("vp-sde", {"flow_steps": 16}, 3000, {"learning_rate": 2e-3}),
    "styleflow": ("styleflow", {"hidden": [32, 32], "tolerance": 1e-3}, 150, {"learning_rate": 2e-3}),
}
# fitted only when asked for by name
SLOW = ("realnvp, mixture base", "styleflow")
SHEET_OF_TOYS = ("rnade", "nice", "realnvp", "glow", "maf", "vp-sde")

PICTURES: dict[str, tuple[str, dict[str, Any], int, dict[str, Any]]] = {
    "fvsbn": ("fvsbn", {}, 600, {"weight_decay": 1e-3}),
    "nade": ("nade", {"hidden": 128}, 800, {}),
    "made": ("made", {"hidden": (256, 256)}, 500, {}),
    "made, 8 random orders": ("made", {"hidden": (256, 256), "order": "random", "masks": 8}, 800, {}),
    "orderless-nade": ("orderless-nade", {"hidden": (256, 256)}, 800, {}),
    "conv-nade": ("conv-nade", {"channels": 32, "layers": 5}, 800, {}),
    "pixelcnn": ("pixelcnn", {"channels": 32, "layers": 4}, 800, {}),
    "gated-pixelcnn": ("gated-pixelcnn", {"channels": 24, "layers": 3}, 600, {}),
    "pixel-rnn, row": ("pixel-rnn", {"variant": "row", "channels": 32}, 400, {}),
    "pixel-rnn, diagonal": ("pixel-rnn", {"channels": 32}, 300, {}),
    "wavenet": ("wavenet", {"channels": 32, "levels": 6, "stacks": 1}, 500, {}),
    "transformer": ("transformer", {"width": 48, "heads": 4, "layers": 2, "dropout": 0.1}, 500, {}),
    "vae": ("vae", {"latent_size": 16}, 1000, {}),
    "vae, 8 particles": ("vae", {"latent_size": 16, "particles": 8}, 1000, {}),
    "cvae, label given": ("cvae", {"latent_size": 16}, 1000, {}),
}
BITS = ("fvsbn", "nade", "made", "orderless-nade", "gated-pixelcnn", "vae")
SHEET_OF_PICTURES = ("nade", "made", "conv-nade", "gated-pixelcnn", "transformer", "vae", "rbm")


def size_of(model: GenerativeModel) -> int:
    return sum(weights.numel() for weights in model.parameters())


def toys(only: list[str], share: float, keep: Callable[[Row], None], sheet: dict[str, dict[str, Tensor]]) -> None:
    for toy in TOYS:
        generator = torch.Generator().manual_seed(SEED)
        sheet.setdefault(toy, {})["truth"] = toy_named(toy).sample(6000, generator)
    for label in only or [label for label in TOY_MODELS if label not in SLOW]:
        name, arguments, steps, settings = TOY_MODELS[label]
        for toy in TOYS:
            model = create(name, seed=SEED, event_shape=2, **arguments)
            began = time.process_time()
            given = {"learning_rate": 4e-3, "cosine_decay": True, "max_grad_norm": 5.0, **settings}
            steps_here = max(1, round(share * steps))
            found = measure(
                model, toy, steps=steps_here, seed=SEED, n=200_000, n_test=10_000, batch_size=512, held_out=0.01,
                evaluate_every=max(1, steps_here // 20), **given,
            )  # fmt: skip
            taken = time.process_time() - began
            keep(
                {
                    "toy": toy, "model": label, "parameters": size_of(model), "steps": steps_here,
                    "entropy": f"{found.entropy:.3f}", "nll_minus_entropy": f"{found.gap:.3f}",
                    "standard_error": f"{found.error:.3f}", "cpu_seconds": f"{taken:.0f}",
                }
            )  # fmt: skip
            if label in SHEET_OF_TOYS:
                sheet[toy][label] = model.eval().sample(6000, generator=torch.Generator().manual_seed(SEED))


def digits() -> tuple[list[Tensor], list[Tensor]]:
    """Pictures ``(n, 8, 8)`` of 0 … 16 and labels ``(n, 10)`` one-hot: 1000 to fit to, 350 to stop by, 447 to test."""
    from sklearn.datasets import load_digits

    data = load_digits()
    pictures = torch.from_numpy(data.images).float()
    labels = torch.nn.functional.one_hot(torch.from_numpy(data.target).long(), 10).float()
    sizes = [1000, 350, 447]
    return list(pictures.split(sizes)), list(labels.split(sizes))


@torch.no_grad()
def nats(model: GenerativeModel, x: Tensor, condition: Tensor | None, particles: int) -> Tensor:
    """−log p(x), or the bound of it by ``particles`` ``(n)``."""
    generator, found = torch.Generator().manual_seed(SEED), []
    model.eval()
    for at in range(0, len(x), 100):
        c = None if condition is None else condition[at : at + 100]
        if isinstance(model, Density):
            found.append(-model.log_prob(x[at : at + 100], c))
        elif isinstance(model, Bound):
            found.append(-model.bound(x[at : at + 100], c, particles=particles, generator=generator))
    return torch.cat(found)


def pictures(
    binary: bool, only: list[str], share: float, keep: Callable[[Row], None], sheet: dict[str, Tensor]
) -> None:
    splits, labels = digits()
    n_values = 2 if binary else 17
    if binary:
        splits = [(x >= 8).float() for x in splits]
    train, valid, test = splits
    sheet["data"] = test[:16]
    names = list(BITS) if binary else [name for name in PICTURES if name in only or name not in SLOW]
    rest = {"event_shape": (8, 8), "seed": SEED}
    keep(row_of("uniform", None, 0, torch.full((1,), 64 * math.log(n_values)), "exact", 0.0))
    for label in [name for name in names if not only or name in only]:
        name, arguments, steps, settings = PICTURES[label]
        conditional = name == "cvae"
        shape = {"condition_shape": 10} if conditional else {}
        kind = {"likelihood": "bernoulli" if binary else "categorical"} if "vae" in name else {}
        if name in ("wavenet", "transformer"):
            rest = {"event_shape": (64,), "seed": SEED}
        else:
            rest = {"event_shape": (8, 8), "seed": SEED}
        values = {} if binary and "vae" in name else {"n_values": n_values}
        model = create(name, **rest, **arguments, **shape, **kind, **values)
        fit_to, stop_by, test_on = (x.reshape(-1, *model.event_shape) for x in (train, valid, test))
        began = time.process_time()
        model.fit(
            fit_to, labels[0] if conditional else None, steps=max(1, round(share * steps)), seed=SEED, batch_size=64,
            learning_rate=2e-3, max_grad_norm=5.0, held_out=(stop_by, labels[1] if conditional else None),
            evaluate_every=25, patience=8, **settings,
        )  # fmt: skip
        steps_taken, taken = max(1, round(share * steps)), time.process_time() - began
        condition = labels[2] if conditional else None
        if isinstance(model, Density):
            keep(row_of(label, model, steps_taken, nats(model, test_on, condition, 1), "exact", taken))
        else:
            for particles in (1, 200):
                found = nats(model, test_on, condition, particles)
                kept = f"bound, {particles} particle{'s' * (particles > 1)}"
                keep(row_of(label, model, steps_taken, found, kept, taken))
        if label in SHEET_OF_PICTURES:
            sheet[label] = model.sample(16, generator=torch.Generator().manual_seed(SEED)).reshape(-1, 8, 8)
    if binary and (not only or "rbm" in only):
        model = create("rbm", **rest, n_hidden=64, steps=5)
        began, steps = time.process_time(), max(1, round(share * 2000))
        model.fit(
            train, steps=steps, seed=SEED, batch_size=64, learning_rate=2e-3, held_out=(valid, None), evaluate_every=50
        )
        assert isinstance(model, RBM)
        log_z, error = model.annealed_log_partition(200, 2000, torch.Generator().manual_seed(SEED))
        with torch.no_grad():
            found = model.energy(test) + log_z
        keep(row_of("rbm", model, steps, found, f"annealed, log Z ± {error:.2f}", time.process_time() - began))
        sheet["rbm"] = model.sample(16, generator=torch.Generator().manual_seed(SEED))


def row_of(label: str, model: GenerativeModel | None, steps: int, found: Tensor, kind: str, taken: float) -> Row:
    error = found.std().item() / math.sqrt(len(found)) if len(found) > 1 else 0.0
    return {
        "model": label, "parameters": size_of(model) if model else 0, "steps_at_most": steps, "kind": kind,
        "nats": f"{found.mean().item():.2f}", "standard_error": f"{error:.2f}", "cpu_seconds": f"{taken:.0f}",
    }  # fmt: skip


def draw_toys(sheet: dict[str, dict[str, Tensor]], path: Path) -> None:
    import matplotlib.pyplot as plt

    columns = ["truth", *SHEET_OF_TOYS]
    figure, axes = plt.subplots(
        len(sheet), len(columns), figsize=(1.75 * len(columns), 1.75 * len(sheet) + 0.3), squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for row, (toy, drawn) in zip(axes, sheet.items(), strict=True):
        truth = drawn["truth"]
        low, high = truth.min(0).values - 0.4, truth.max(0).values + 0.4
        middle, half = (low + high) / 2, float((high - low).max()) / 2
        limits = [[float(m) - half, float(m) + half] for m in middle]
        for axis, name in zip(row, columns, strict=True):
            axis.hist2d(*drawn[name].mT.numpy(), bins=90, range=limits, cmap="magma", vmax=6000 / 90**2 * 8)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_aspect("equal")
            if toy == next(iter(sheet)):
                axis.set_title(name, fontsize=10)
        row[0].set_ylabel(toy, fontsize=10)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_pictures(sheet: dict[str, Tensor], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(sheet), 1, figsize=(8.0, 0.56 * len(sheet)), squeeze=False)
    figure.subplots_adjust(left=0.16, right=0.99, top=0.98, bottom=0.02)
    for (axis,), (name, drawn) in zip(axes, sheet.items(), strict=True):
        framed = torch.nn.functional.pad(drawn, (1, 1), value=float("nan"))
        axis.imshow(framed.permute(1, 0, 2).flatten(1).numpy(), cmap="gray_r", vmin=0, vmax=float(drawn.max()))
        axis.axis("off")
        axis.text(-0.02, 0.5, name, fontsize=10, ha="right", va="center", transform=axis.transAxes)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("toys", "digits", "bits"))
    parser.add_argument("--models", nargs="+", default=[], help="rows of the table; all without")
    parser.add_argument("--share", type=float, default=1.0, help="of the steps, to see that everything runs")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "generative")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "img")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    options.pictures.mkdir(parents=True, exist_ok=True)
    table = options.out / f"{options.what}.csv"
    rows: list[Row] = []
    if options.models and table.exists():
        with table.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["model"] not in (*options.models, "uniform")]

    def keep(row: Row) -> None:
        rows.append(row)
        print("  ".join(str(value) for value in row.values()), flush=True)
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(row), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    picture = options.pictures / f"generative-{options.what}.png"
    if options.what == "toys":
        of_toys: dict[str, dict[str, Tensor]] = {}
        toys(options.models, options.share, keep, of_toys)
        if not options.models:
            draw_toys(of_toys, picture)
    else:
        of_pictures: dict[str, Tensor] = {}
        pictures(options.what == "bits", options.models, options.share, keep, of_pictures)
        draw_pictures(of_pictures, picture)


if __name__ == "__main__":
    main()
