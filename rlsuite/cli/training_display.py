"""What `train` and `resume` show while an agent learns: a progress bar, and a table at every log interval."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlsuite.experiments.recording import Report


def add_display(parser: argparse.ArgumentParser) -> None:
    """``--no-progress``, ``--quiet`` and ``--verbose``."""
    parser.add_argument("--no-progress", action="store_true", help="no progress bar")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("-q", "--quiet", action="store_true", help="no tables and no progress bar")
    how.add_argument("-v", "--verbose", action="store_true", help="also say what is done on the side")


class TrainingDisplay:
    """Called with every report of a run; a context manager."""

    def __init__(self, arguments: argparse.Namespace, console: Any, total: int | None = None) -> None:
        self.console, self.quiet, self.verbose = console, arguments.quiet, arguments.verbose
        self.bar_wanted = console.is_terminal and not (arguments.quiet or arguments.no_progress)
        self.total = total
        self.evaluation: dict[str, float] = {}
        self._bar: Any = None

    def __enter__(self) -> TrainingDisplay:
        self._stack = ExitStack()
        if self.verbose:
            self._stack.enter_context(_telling())
        if self.bar_wanted:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = self._stack.enter_context(Progress(*columns, console=self.console, transient=True))
            self._task = self._bar.add_task("steps", total=self.total)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, report: Report) -> None:
        if report.kind == "evaluation":
            self.evaluation = report.metrics
        elif report.kind == "log" and not self.quiet:
            from rlsuite.cli.log_table import log_table

            self.console.print(
                log_table(self.evaluation | report.metrics), end="", markup=False, highlight=False, soft_wrap=True
            )
            self.evaluation = {}
        if self._bar is not None:
            best = self.evaluation.get("eval/mean_reward")
            told = {} if best is None else {"description": f"evaluation {best:.4g}"}
            self._bar.update(self._task, completed=report.timesteps, **told)


@contextmanager
def _telling() -> Iterator[None]:
    """The suite's own messages, also those that only inform, on standard error."""
    logger, handler = logging.getLogger("rlsuite"), logging.StreamHandler()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
