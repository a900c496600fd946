"""``rlsuite motion fetch``: openly licensed clips from where they are published."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "fetch",
        help="download openly licensed clips",
        description="Download a clip, verify its checksum and show its licence. An interrupted download goes on where it "
        "stopped. Without a name, list what there is.",
        epilog="example:  rlsuite motion fetch deepmimic-walk",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the clips (default: list all)")
    parser.add_argument("--folder", type=Path, help="where to (default: the cache of rlsuite)")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from rlsuite.errors import UnknownNameError
    from rlsuite.motion import fetching

    if not arguments.names:
        for name, source in fetching.CATALOGUE.items():
            print(f"{name:<26} {source.licence_name:<22} {source.description}")
        return 0
    for name in arguments.names:
        if name not in fetching.CATALOGUE:  # before anything is downloaded
            raise UnknownNameError("clip to download", name, fetching.CATALOGUE, "`rlsuite motion fetch` lists them")
    for name in arguments.names:
        fetched = fetching.fetch(name, arguments.folder)
        print(f"{fetched.path}\n  {fetched.licence}")
    return 0
