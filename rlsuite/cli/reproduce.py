"""``rlsuite reproduce``: figures of Sutton & Barto (2018), made again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rlsuite.cli.arguments import positive_int


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "reproduce",
        help="make figures of Sutton and Barto's book again",
        description="Run the experiments behind figures of Sutton and Barto (2018), draw them, and put the measured "
        "numbers beside the book's. Without a FIGURE, list them.",
        epilog="example:  rlsuite reproduce figure-7-2",
    )
    parser.add_argument("figure", nargs="*", metavar="FIGURE", help="names of figures, or all")
    parser.add_argument("--list", action="store_true", help="list the figures")
    parser.add_argument("--seeds", type=positive_int, metavar="N", help="runs per curve (default: each figure's own)")
    parser.add_argument("--quick", action="store_true", help="fewer runs and settings: seconds instead of a minute")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR", help="default: figures")
    parser.add_argument("--page", type=Path, metavar="FILE", help="also write a Markdown page of the figures")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Make the figures and say what they show."""
    from rlsuite.experiments.reproduce import chosen

    entries = chosen(arguments.figure)
    if arguments.list or not entries:
        _print_list()
        return 0
    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments.reproduce.page import write_page
    from rlsuite.experiments.reproduce.reproduction import reproduce

    console = OutputConsole()
    made = []
    for entry in entries:
        with console.status(f"{entry.name}: {entry.title}"):
            written = reproduce(entry, arguments.out, seeds=arguments.seeds, quick=arguments.quick)
        made.append((entry, written))
        console.print(f"[bold]{entry.name}[/]  {entry.title}  ({entry.source})", highlight=False)
        console.print(written.caption, highlight=False, markup=False)
        for check in written.checks:
            console.print(f"  {check}", highlight=False, markup=False, soft_wrap=True)
        if written.seeds < entry.quick and not all(check.holds for check in written.checks):
            console.print(f"  with fewer than {entry.quick} runs, differences may be chance", highlight=False)
        console.print(f"figure: {written.png}\n", highlight=False, markup=False, soft_wrap=True)
    if arguments.page:
        console.print(f"page: {write_page(made, arguments.page)}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _print_list() -> None:
    from rich.table import Table

    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments.reproduce import ENTRIES

    table = Table("name", "what it shows", "in the book", box=None, pad_edge=False)
    for entry in ENTRIES:
        table.add_row(entry.name, entry.title, entry.source)
    console = OutputConsole()
    console.print(table)
    console.print("\nrlsuite reproduce NAME makes one, rlsuite reproduce all makes all.", highlight=False)
