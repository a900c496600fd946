"""The checkpoints of a run: the newest few by steps, the best by evaluation, and which of them is whole.

``checkpoints/5000_steps.safetensors`` holds everything that learning on from step 5000 needs; ``best.safetensors`` only
what acting needs. ``last`` is no file but the newest whole one. Runs of earlier versions, whose ``last`` is a file, and
the checkpoints ``s0``, ``s1`` … of a comparison are read as they are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rlsuite.errors import RecordError
from rlsuite.experiments.records import CHECKPOINTS

logger = logging.getLogger("rlsuite")
T = TypeVar("T")
LAST, BEST = "last", "best"
_STEPS = re.compile(r"(\d{1,15})_steps")


def checkpoint_file(folder: Path, name: str) -> Path:
    """Where the checkpoint ``name`` of a run lies."""
    return folder / CHECKPOINTS / f"{name}.safetensors"


def steps_name(steps: int) -> str:
    """Name of the checkpoint taken after that many steps."""
    return f"{steps}_steps"


def saved_steps(folder: Path) -> list[int]:
    """Steps at which there are checkpoints to go on from, ascending."""
    found = [_STEPS.fullmatch(name) for name in _files(folder)]
    return sorted(int(match[1]) for match in found if match)


def checkpoint_names(folder: Path) -> list[str]:
    """Names under which a run's checkpoints can be asked for: ``best``, ``last``, by steps, then seeds in order."""
    names = _files(folder)
    if saved_steps(folder):
        names.add(LAST)
    return sorted(names, key=lambda name: (_order(name), name))


def choose_checkpoint(folder: str | Path, checkpoint: str | None = None) -> str:
    """The checkpoint that is meant: the one asked for, else ``last``, else the first seed's.

    Raises:
        RecordError: there is none of that name; the message says which there are.
    """
    names = checkpoint_names(Path(folder))
    default = LAST if LAST in names or not names or not _is_seed(names[-1]) else names[0]
    chosen = checkpoint or default
    if chosen not in names:
        has = f"it has {', '.join(names)}" if names else "it has none at all"
        raise RecordError(f"{folder} has no checkpoint {chosen!r}; {has}")
    return chosen


def read_checkpoint(folder: Path, name: str, read: Callable[[Path], T]) -> tuple[str, T]:
    """What ``read`` makes of the checkpoint ``name``, and which file it was; for ``last``, of the newest whole one.

    Raises:
        RecordError: the file is damaged, or, for ``last``, all of them are.
    """
    if name != LAST or not saved_steps(folder):  # a file called so, of an earlier version
        return name, read(checkpoint_file(folder, name))
    return read_newest(folder, read)


def read_newest(folder: Path, read: Callable[[Path], T]) -> tuple[str, T]:
    """What ``read`` makes of the newest checkpoint that it can read; a warning tells of each that it cannot.

    Raises:
        RecordError: there is none that can be read.
    """
    complaints: list[str] = []
    for steps in reversed(saved_steps(folder)):
        try:
            found = read(checkpoint_file(folder, steps_name(steps)))
        except RecordError as error:
            complaints.append(str(error))
            continue
        for complaint in complaints:
            logger.warning("%s; taking %s instead", complaint, steps_name(steps))
        return steps_name(steps), found
    raise RecordError(complaints[0] if complaints else f"{folder} has no checkpoint yet")


def prune(folder: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints by steps."""
    for steps in saved_steps(folder)[:-keep]:
        checkpoint_file(folder, steps_name(steps)).unlink(missing_ok=True)


def discard_after(folder: Path, steps: int) -> None:
    """Remove checkpoints of later steps: they are of a future that is about to be learned again."""
    for later in saved_steps(folder):
        if later > steps:
            checkpoint_file(folder, steps_name(later)).unlink(missing_ok=True)


def sweep_temporary(folder: Path) -> None:
    """Remove what a killed process left half-written; only for the one writer of a record."""
    for left in [*folder.glob(".*.yaml.*"), *(folder / CHECKPOINTS).glob(".*.safetensors.*")]:
        left.unlink(missing_ok=True)


def _files(folder: Path) -> set[str]:
    return {path.stem for path in (folder / CHECKPOINTS).glob("*.safetensors") if not path.name.startswith(".")}


def _order(name: str) -> tuple[int, int]:
    match = _STEPS.fullmatch(name)
    if match:
        return 1, int(match[1])
    return (2, int(name[1:])) if _is_seed(name) else (0, 0)


def _is_seed(name: str) -> bool:
    return name[0] == "s" and name[1:].isdigit()
