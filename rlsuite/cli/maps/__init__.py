"""``rlsuite maps``: gridworld maps from generative models; one file a sub-command."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

SUBCOMMANDS = ("fit", "sample")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "maps",
        help="learn gridworld maps and make new ones",
        description="Fit a generative model to gridworld maps, of the suite's generators or of your own files, and sample "
        "new ones, as text, as a picture, or as the levels of rlsuite/GeneratedMaze-v0.",
        epilog="A first look:  rlsuite maps fit --model pixelcnn --from rooms --out maps.safetensors && "
        "rlsuite maps sample maps.safetensors --image sheet.png",
    )
    subcommands = parser.add_subparsers(
        dest="maps_command", metavar="SUBCOMMAND", required=True, parser_class=type(parser)
    )
    for name in SUBCOMMANDS:
        module = import_module(f"rlsuite.cli.maps.{name}")
        sub = module.add_parser(subcommands)
        sub.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
        )
        sub.set_defaults(run_maps=module.run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    return int(arguments.run_maps(arguments))
