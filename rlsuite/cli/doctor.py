"""``rlsuite doctor``: whether this machine can train, watch and record, and how to mend what it cannot."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlsuite.experiments.doctor import Check

COLOURS = {"ok": "green", "warning": "yellow", "failing": "red"}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="check this installation; each line that fails says how to mend it",
        description="Check python, packages, device, graphics, threads and folders. The exit status is 1 where "
        "something that training needs is missing, and 0 otherwise; a GPU or graphics are not needed.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the checks as they are made."""
    from rlsuite.experiments.doctor import examine

    checks = list(examine()) if arguments.json else _print(examine())
    if arguments.json:
        print(json.dumps({"checks": [vars(check) for check in checks]}, indent=2))
    return int(any(check.status == "failing" for check in checks))


def _print(checks: Iterable[Check]) -> list[Check]:
    from rich.table import Table
    from rich.text import Text

    from rlsuite.cli.console import OutputConsole

    console = OutputConsole()
    made = []
    for check in checks:
        made.append(check)
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for width in (7, 13):
            table.add_column(width=width)
        table.add_column(overflow="fold")
        table.add_row(Text(check.status, COLOURS[check.status]), check.name, Text(check.detail))
        if check.remedy:
            table.add_row("", "", Text(f"to mend it: {check.remedy}", "bold"))
        console.print(table)
    counts = [f"{sum(check.status == status for check in made)} {status}" for status in COLOURS]
    console.print(f"\n{', '.join(counts)}", highlight=False)
    return made
