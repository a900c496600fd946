"""What `train` and `resume` show while an agent learns: a progress bar, and a table at log intervals."""

from __future__ import annotations

import argparse
import logging
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlsuite.experiments.recording import Report


SECONDS_BETWEEN_TABLES = 1.0  # of those without an evaluation: fast runs would fill the screen; metrics.jsonl has all


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
        self._untold: dict[str, float] = {}
        self._told_at = -math.inf

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
        if self._untold:  # the last one says where the run stands
            self._tell()
        self._stack.close()

    def _tell(self) -> None:
        from rlsuite.cli.log_table import log_table

        table = log_table(self.evaluation | self._untold)
        self.console.print(table, end="", markup=False, highlight=False, soft_wrap=True)
        self.evaluation, self._untold, self._told_at = {}, {}, time.monotonic()

    def __call__(self, report: Report) -> None:
        if report.kind == "evaluation":
            self.evaluation = report.metrics
        elif report.kind == "log" and not self.quiet:
            self._untold = report.metrics
            if self.evaluation or time.monotonic() - self._told_at >= SECONDS_BETWEEN_TABLES:
                self._tell()
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
