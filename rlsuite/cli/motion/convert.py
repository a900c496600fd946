"""``rlsuite motion convert``: a clip in another format, on the skeleton it has."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rlsuite.cli.motion import clips


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "convert",
        help="write a clip in another format",
        description="Write a clip as BVH, DeepMimic JSON or .npz, on the skeleton it has (import puts it on the humanoid).",
        epilog="example:  rlsuite motion convert 01_01.amc jump.bvh",
    )
    parser.add_argument("clip", metavar="CLIP", help=clips.CLIP_HELP)
    parser.add_argument(
        "out", type=Path, metavar="FILE", help="its suffix names the format: .bvh, .txt (DeepMimic), .npz"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--to", metavar="FORMAT", help="format to write, where the suffix does not say it")
    clips.add_reading(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from rlsuite.motion import formats

    clips.output(arguments.out, "FILE", force=arguments.force)
    clip = clips.read(arguments.clip, arguments)
    formats.write(clip, arguments.out, format=arguments.to)
    print(f"{arguments.out}: {clip.n_frames} frames at {clip.fps:g} Hz")
    return 0
