"""``rlsuite motion info``: what is in a clip."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rlsuite.cli.motion import clips


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "info",
        help="what is in a clip",
        description="Frames, rate, skeleton, extent, contacts, what was done to the clip, and its licence.",
        epilog="example:  rlsuite motion info walk.bvh",
    )
    parser.add_argument("clips", nargs="+", metavar="CLIP", help=clips.CLIP_HELP)
    parser.add_argument("--json", action="store_true", help="print one JSON object a clip")
    clips.add_reading(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from rlsuite.motion.describing import describe, in_words

    for i, name in enumerate(arguments.clips):
        facts = describe(clips.read(name, arguments))
        if arguments.json:
            print(json.dumps(facts))
            continue
        print("" if i == 0 else "\n", end="")
        print(in_words(facts))
    return 0
