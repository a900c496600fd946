"""``rlsuite motion``: read, check, mend, make, measure and show clips; one file a sub-command."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

SUBCOMMANDS = ("import_", "view", "check", "info", "list_", "metrics", "synth", "fetch", "convert")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "motion",
        help="read, check, retarget, make and show motion",
        description="Motion clips: from a BVH, ASF/AMC, AMASS, DeepMimic … file onto the humanoid, checked, mended, "
        "measured and shown. A CLIP is a file of any known format or the name of a built-in clip (rlsuite motion list).",
        epilog="A first look:  rlsuite motion import walk.bvh --out walk.npz && rlsuite motion view walk.npz",
    )
    subcommands = parser.add_subparsers(
        dest="motion_command", metavar="SUBCOMMAND", required=True, parser_class=type(parser)
    )
    for name in SUBCOMMANDS:
        module = import_module(f"rlsuite.cli.motion.{name}")
        sub = module.add_parser(subcommands)
        sub.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
        )
        sub.set_defaults(run_motion=module.run)
    return parser


def run(arguments: argparse.Namespace) -> int:
    return int(arguments.run_motion(arguments))
