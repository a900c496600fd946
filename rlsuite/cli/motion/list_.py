"""``rlsuite motion list``: built-in clips, clips in a folder, formats."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

NUMBERS = ("frames", "Hz", "seconds")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "list",
        help="built-in clips, or the motion files in a folder",
        description="The clips that come with rlsuite and those to download, or the motion files of a folder.",
        epilog="example:  rlsuite motion list captures/",
    )
    parser.add_argument("folder", type=Path, nargs="?", help="folder whose motion files are listed instead")
    parser.add_argument("--formats", action="store_true", help="list the formats that are read and written")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from rich.markup import escape
    from rich.table import Table

    from rlsuite.cli.console import OutputConsole
    from rlsuite.errors import MotionFormatError, RlsuiteError
    from rlsuite.motion import catalogue, fetching, formats

    console = OutputConsole(width=None if sys.stdout.isatty() else 1000)  # in a file or a pipe nothing is folded
    table = Table(box=None, pad_edge=False, header_style="bold")
    if arguments.formats:
        for column in ("format", "suffixes", "read", "written", "what it is"):
            table.add_column(column)
        for entry in formats.FORMATS.values():
            extra = f" (needs rlsuite[{entry.extra}])" if entry.extra else ""
            written = "yes" if entry.write else ""
            table.add_row(entry.name, " ".join(entry.suffixes), "yes", written, escape(entry.description + extra))
        console.print(table)
        return 0
    for column in ("clip", "frames", "Hz", "seconds", "plays", "skeleton"):
        table.add_column(
            column, justify="right" if column in NUMBERS else "left", overflow="fold", no_wrap=column in NUMBERS
        )
    if arguments.folder is None:
        for name in catalogue.NAMES:
            _add(table, name, catalogue.find(name))
        console.print(table)
        console.print(f"\nto download: {', '.join(fetching.CATALOGUE)} (rlsuite motion fetch NAME)", soft_wrap=False)
        return 0
    if not arguments.folder.is_dir():
        there = arguments.folder.exists()
        raise MotionFormatError(
            f"{arguments.folder}: {'a file, and no folder; `rlsuite motion info` reads it' if there else 'no such folder'}"
        )
    unread = 0
    for path in sorted(p for p in arguments.folder.rglob("*") if p.is_file()):
        try:
            _add(table, escape(str(path.relative_to(arguments.folder))), formats.read(path))
        except RlsuiteError:
            unread += 1
    console.print(table)
    if unread:
        others = "1 other file is" if unread == 1 else f"{unread} other files are"
        console.print(f"{others} no motion that is known here; `rlsuite motion info FILE` says why", soft_wrap=True)
    return 0


def _add(table: Any, name: str, clip: Any) -> None:
    plays = "in a loop" if clip.loop == "wrap" else "once"
    table.add_row(name, str(clip.n_frames), f"{clip.fps:.2f}", f"{clip.duration:.2f}", plays, clip.skeleton.name)
