"""A Markdown page of reproduced figures: each with its command, what it shows, and its numbers beside the book's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlsuite.experiments.reproduce.reproduction import Written, number
from rlsuite.files import write_atomically

if TYPE_CHECKING:
    from rlsuite.experiments.reproduce import Entry

INTRODUCTION = """\
# Sutton and Barto, reproduced

Figures of *Reinforcement Learning: An Introduction* (2nd edition, 2018), S&B below, made by the suite's own environments
and agents. `rlsuite reproduce --list` lists them; `rlsuite reproduce FIGURE` makes one in seconds, as PNG and SVG, with a
JSON file that holds its numbers, versions and commit. `--seeds` sets the number of runs, `all` makes all in about a
minute. `make gallery` writes this page and its figures. With `--quick` there are fewer runs; that is how the test suite
makes every figure and checks every number below against its reference.

"Book" is what the book prints or shows; "exact" and "optimum" follow from dynamic programming or a closed form;
"reference" is an independent simulation of the book's experiment where the book only shows a curve.
"""


def write_page(made: Sequence[tuple[Entry, Written]], path: Path) -> Path:
    """Write the page; images are linked relative to it."""
    parts = [INTRODUCTION, *(section(entry, written, path.parent) for entry, written in made)]
    write_atomically(path, "\n".join(parts))
    return path


def section(entry: Entry, written: Written, folder: Path) -> str:
    """One figure of the page."""
    image = Path(os.path.relpath(written.png, folder)).as_posix()
    title = entry.title[0].upper() + entry.title[1:]
    rows = [f"| {check.what} | {number(check.measured)} | {check.reference} |" for check in written.checks]
    runs = f"{written.seeds:,} runs per curve. " if entry.seeds > 1 else ""
    return "\n".join(
        [
            f"## {title}",
            "",
            f"S&B {entry.source}. {runs}`rlsuite reproduce {entry.name}`",
            "",
            f"![{title}]({image})",
            "",
            _escaped(written.caption),
            "",
            "| quantity | measured | known |",
            "|---|---:|---|",
            *rows,
            "",
        ]
    )


def _escaped(text: str) -> str:
    """Prose in which nothing is markup."""
    return text.replace("*", r"\*").replace("_", r"\_")
