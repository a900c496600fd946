"""``rlsuite maps sample``: new maps, and what they are worth."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rlsuite.cli.arguments import positive_int, seed


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "sample",
        help="new maps of a fitted model",
        description="Draw maps; say how many can be solved, how far they are from the training maps (in cells), and how "
        "probable the model holds them.",
        epilog="example:  rlsuite maps sample maps.safetensors -n 16 --solvable --out new.txt --image sheet.png",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="file of a model of maps")
    parser.add_argument("-n", type=positive_int, default=16, metavar="N", help="how many maps (default: 16)")
    parser.add_argument("--solvable", action="store_true", help="draw until N maps can be solved, and give those")
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="default: 0")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="PATH",
        help="a .txt file for all maps, or a folder for one file each; default: print",
    )
    parser.add_argument("--image", type=Path, metavar="FILE", help="draw the maps to this .png")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu (default), cuda …")
    parser.add_argument("--json", action="store_true", help="print the measures as one JSON object")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Sample, measure, write."""
    from rlsuite.envs.maps.cells import text
    from rlsuite.envs.maps.map_files import write_maps
    from rlsuite.envs.maps.measures import measure
    from rlsuite.envs.maps.model import load

    fitted = load(arguments.model, device=arguments.device)
    maps, tried = fitted.sample(arguments.n, arguments.seed, solvable=arguments.solvable)
    measures = measure(fitted, maps)
    remarks = [
        ("no way" if steps < 0 else f"{steps} step" + "s" * (steps > 1)) + f", {new} new"
        for steps, new in zip(measures.steps.tolist(), measures.novelty.tolist(), strict=True)
    ]
    if arguments.out is None:
        if not arguments.json:
            print(
                "\n\n".join(
                    f"; map {i}: {remark}\n{text(cells)}"
                    for i, (cells, remark) in enumerate(zip(maps, remarks, strict=True))
                ),
                end="\n\n",
            )
    elif arguments.out.suffix == ".txt":
        write_maps(arguments.out, maps, [f"map {i}: {remark}" for i, remark in enumerate(remarks)])
    else:
        for i, (cells, remark) in enumerate(zip(maps, remarks, strict=True)):
            write_maps(arguments.out / f"map-{i:04d}.txt", cells[None], [remark])
    if arguments.image is not None:
        from rlsuite.envs.maps.sheet import write_sheet

        write_sheet(arguments.image, maps, remarks)
    figures = measures.summary() | {"drawn": tried}
    if arguments.json:
        finite = {name: None if value != value else value for name, value in figures.items()}
        print(json.dumps(finite))
        return 0
    print(
        f"{figures['maps']} maps, {tried} drawn: {figures['solvable']:.0%} solvable ({figures['well formed']:.0%} have one "
        f"start and one goal), median way "
        f"{figures['median steps']:g} steps; {figures['mean novelty']:.1f} cells from the nearest training map on average, "
        f"{figures['copies']} copies of one, {figures['duplicates']} duplicates; {figures['nats per cell']:.4f} nats per "
        f"cell ({figures['likelihood']})"
    )
    for path in (arguments.out, arguments.image):
        if path is not None:
            print(path)
    return 0
