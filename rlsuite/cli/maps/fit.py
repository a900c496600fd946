"""``rlsuite maps fit``: a generative model learns maps."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.arguments import discount, positive_int, positive_number, seed

if TYPE_CHECKING:
    from rlsuite.envs.maps.cells import Chars


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "fit",
        help="fit a model to maps",
        description="Fit a generative model to maps of generators or files; a share of them is held out, and the weights "
        "that suit those best are kept. The maps travel with the model, so that samples can be compared with them.",
        epilog="example:  rlsuite maps fit --model gated-pixelcnn --size 12 --from rooms cave --out maps.safetensors",
    )
    parser.add_argument("--model", default="made", metavar="NAME", help="default: made; “list” lists those that suit")
    parser.add_argument(
        "--from",
        dest="sources",
        nargs="+",
        default=["rooms"],
        metavar="SOURCE",
        help="generators (obstacles, perfect, rooms, cave) or map files; default: rooms",
    )
    parser.add_argument("--size", type=positive_int, metavar="N", help="cells a side of generated maps (default: 8)")
    parser.add_argument("--maps", type=positive_int, default=2000, metavar="N", help="maps to generate (default: 2000)")
    parser.add_argument(
        "--endpoints",
        choices=("learned", "fixed", "farthest"),
        help="starts and goals are kinds of cells, are in the same cells always, or are put as far apart as can be "
        "(default: the first of these that model and maps allow)",
    )
    parser.add_argument("--held-out", type=discount, default=0.1, metavar="SHARE", help="of the maps (default: 0.1)")
    parser.add_argument("--steps", type=positive_int, default=2000, metavar="N", help="updates (default: 2000)")
    parser.add_argument("--batch-size", type=positive_int, default=128, metavar="N", help="default: 128")
    parser.add_argument("--learning-rate", type=positive_number, default=1e-3, metavar="X", help="default: 1e-3")
    parser.add_argument(
        "--patience", type=positive_int, metavar="N", help="stop after N fiftieths of the steps without improvement"
    )
    parser.add_argument(
        "--set",
        dest="assignments",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="hyperparameters of the model: channels=64, hidden=[512,512]",
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="of everything (default: 0)")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto (default), cpu, cuda …")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write TensorBoard events there")
    parser.add_argument(
        "--out", type=Path, default=Path("maps.safetensors"), metavar="FILE", help="default: maps.safetensors"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Fit, save, and say how well held-out maps are predicted."""
    from rlsuite.envs.maps import model as map_models
    from rlsuite.envs.maps.measures import measure
    from rlsuite.envs.maps.suitability import suitable_names
    from rlsuite.errors import HyperparameterError
    from rlsuite.tensor_files import with_suffix

    if arguments.model == "list":
        print("\n".join(suitable_names()))
        return 0
    out = with_suffix(arguments.out)
    if out.exists() and not arguments.force:
        raise HyperparameterError(f"{out} is there already; --force replaces it")
    maps, sources = _training_maps(arguments)
    fitted, history = map_models.fit(
        maps,
        arguments.model,
        ends=arguments.endpoints,
        held_out=arguments.held_out,
        steps=arguments.steps,
        seed=arguments.seed,
        hyperparameters=dict(_assignment(text) for text in arguments.assignments),
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        patience=arguments.patience,
        device=arguments.device,
        log_dir=arguments.tensorboard,
        progress=True,
    )
    about: dict[str, Any] = {"sources": sources, "seed": arguments.seed, "best_step": history.best_step}
    rows, cols = fitted.shape
    print(
        f"{arguments.model}: {len(fitted.training)} maps of {rows} x {cols} from {', '.join(sources)}, endpoints "
        f"{fitted.ends}; best at step {history.best_step} of {arguments.steps}, {history.seconds:.0f} s"
    )
    if len(fitted.held_out):
        figures = measure(fitted, fitted.held_out).summary()
        about["held_out"] = figures
        print(
            f"held out: {figures['maps']} maps, {figures['nats per cell']:.4f} nats per cell ({figures['likelihood']}), "
            f"{figures['mean novelty']:.1f} cells from the nearest training map"
        )
    print(fitted.save(out, about))
    return 0


def _training_maps(arguments: argparse.Namespace) -> tuple[Chars, list[str]]:
    """Maps of all sources, and the sources' names: generators, and files without their folders."""
    import numpy as np

    from rlsuite.envs.maps.generators import GENERATORS, generate
    from rlsuite.envs.maps.map_files import read_maps
    from rlsuite.errors import HyperparameterError, UnknownNameError

    names = [source for source in arguments.sources if source in GENERATORS]
    parts = []
    for source in arguments.sources:
        if source in GENERATORS:
            continue
        if not Path(source).exists() and not Path(source).suffix:
            raise UnknownNameError("map generator or file", source, GENERATORS, f"known: {', '.join(GENERATORS)}")
        parts.append(read_maps(source))
        if arguments.size and parts[-1].shape[1:] != (arguments.size, arguments.size):
            raise HyperparameterError(
                f"{source} has maps of {parts[-1].shape[1]} x {parts[-1].shape[2]}, not of --size {arguments.size}"
            )
    if names:
        size = arguments.size or (parts[0].shape[1] if parts else 8)
        parts.append(generate(names, size, arguments.maps, arguments.seed))
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        sizes = ", ".join(f"{rows} x {cols}" for rows, cols in sorted(shapes))
        raise HyperparameterError(f"all maps of a model have one size, not {sizes}")
    return np.concatenate(parts), [Path(source).name for source in arguments.sources]


def _assignment(text: str) -> tuple[str, Any]:
    from rlsuite.errors import HyperparameterError

    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise HyperparameterError(f"--set {text!r} is not NAME=VALUE")
    try:
        read = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        read = {"true": True, "false": False}.get(value.lower(), value)
    return name, tuple(read) if isinstance(read, list) else read
