"""How sub-commands name clips: a file of any known format or a built-in clip, and how the file is to be read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlsuite.motion.clip import MotionClip

CLIP_HELP = "a motion file of any known format, or the name of a built-in clip"


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Options about how a file is read."""
    group = parser.add_argument_group("reading")
    group.add_argument(
        "--format", metavar="NAME", help="default: judged by the content (rlsuite motion list --formats)"
    )
    group.add_argument("--unit", metavar="UNIT", help="of lengths in the file: m, cm, inch, cmu … (default: judged)")
    group.add_argument("--up", metavar="AXIS", help="axis that points up in the file: y, z, -z … (default: judged)")
    group.add_argument("--forward", metavar="AXIS", help="axis that the rest pose faces (default: judged)")
    group.add_argument("--start", type=int, default=0, metavar="FRAME", help="first frame to read (default: 0)")
    group.add_argument("--stop", type=int, metavar="FRAME", help="frame to stop before (default: the end)")
    group.add_argument("--stride", type=int, default=1, metavar="N", help="read every Nth frame (default: 1)")
    group.add_argument(
        "--skeleton-file", type=Path, metavar="FILE", help="ASF file of an AMC file (default: found beside it)"
    )


def find(name: str) -> MotionClip:
    """The clip of this name or path.

    Raises:
        RlsuiteError: no such clip or file, or one that cannot be read.
    """
    from rlsuite.motion import catalogue

    return catalogue.find(name)


def read(name: str, arguments: argparse.Namespace) -> MotionClip:
    """The clip of this name, or the file read as the options of :func:`add_reading` say."""
    from rlsuite.motion import formats

    options = {key: getattr(arguments, key) for key in ("unit", "up", "forward", "skeleton_file")}
    given = {key: value for key, value in options.items() if value is not None}
    frames = {"start": arguments.start, "stop": arguments.stop, "stride": arguments.stride}
    if not given and arguments.format is None and frames == {"start": 0, "stop": None, "stride": 1}:
        return find(name)
    return formats.read(name, format=arguments.format, **frames, **given)
