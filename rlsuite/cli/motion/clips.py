"""How sub-commands name clips, how a file is to be read, and where one can be written."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rlsuite.errors import nearest

if TYPE_CHECKING:
    from rlsuite.motion.clip import MotionClip

CLIP_HELP = "a motion file of any known format, or the name of a built-in clip"


OPTIONS: dict[str, Callable[[str], float | int | bool | str]] = {
    "fps": float,
    "height": float,
    "skip_rest_frame": {"true": True, "false": False}.__getitem__,
    "trajectory": lambda text: int(text) if text.isdecimal() else text,
    "walker": str,
}
EXAMPLES = {
    "fps": "fps=120 (AMC)",
    "height": "height=1.82 (AMASS)",
    "skip_rest_frame": "skip_rest_frame=true (BVH)",
    "trajectory": "trajectory=CMU_016_22 (dm_control)",
    "walker": "walker=walker_0 (dm_control)",
}


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
    group.add_argument(
        "--option",
        dest="options",
        type=_option,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help=f"what one format alone takes: {', '.join(EXAMPLES.values())}",
    )


def _option(text: str) -> tuple[str, float | int | bool | str]:
    """``NAME=VALUE`` of a format's own option."""
    name, _, value = text.partition("=")
    if name not in OPTIONS:
        meant = "".join(f"; did you mean {close}?" for close in nearest(name, OPTIONS, n=1))
        raise argparse.ArgumentTypeError(f"there is no {name!r}{meant} ({', '.join(OPTIONS)})")
    try:
        return name, OPTIONS[name](value)
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"{text!r}; it looks like {EXAMPLES[name]}") from None


def find(name: str) -> MotionClip:
    """The clip of this name or path.

    Raises:
        RlsuiteError: no such clip or file, or one that cannot be read.
    """
    from rlsuite.motion import catalogue

    return catalogue.find(name)


def read(name: str, arguments: argparse.Namespace) -> MotionClip:
    """The clip of this name, or the file read as the options of :func:`add_reading` say."""
    from rlsuite.motion import catalogue

    options = {key: getattr(arguments, key) for key in ("format", "unit", "up", "forward", "skeleton_file", "stop")}
    given = {key: value for key, value in options.items() if value is not None}
    return catalogue.find(name, start=arguments.start, stride=arguments.stride, **given, **dict(arguments.options))


def add_body(parser: argparse.ArgumentParser, help: str) -> None:
    """``--body``, an MJCF file that is there."""
    parser.add_argument("--body", type=_mjcf, metavar="MJCF", help=help)


def _mjcf(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text}: no such file; an MJCF file, as humanoid.xml, is expected")
    return Path(text)


def named(clip: MotionClip, name: str) -> MotionClip:
    """``clip`` under the name that was typed: of two clips made from one recording each is told apart."""
    return replace(clip, name=Path(name).stem or clip.name)


def output(path: Path, option: str = "--out", *, force: bool = True) -> Path:
    """``path``, which can be written: looked at before the work that would be lost.

    Raises:
        MotionError: it is a folder, or cannot be made; or it is there, without ``force``.
    """
    from rlsuite.errors import MotionError

    if path.is_dir():
        raise MotionError(f"{option} {path}: a folder; name a file in it")
    if path.exists() and not force:
        raise MotionError(f"{option} {path}: there is such a file already; --force replaces it")
    folder = next(above for above in path.absolute().parents if above.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MotionError(f"{option} {path}: nothing can be written in {folder}: {error.strerror}") from error
    return path


def clip_output(path: Path, *, force: bool) -> Path:
    """:func:`output`, for a clip.

    Raises:
        MotionError: as :func:`output`, or another suffix than ``.npz``.
    """
    from rlsuite.errors import MotionError

    if path.suffix.lower() != ".npz":
        raise MotionError(f"--out {path}: clips are .npz files; `rlsuite motion convert` writes other formats")
    return output(path, force=force)
