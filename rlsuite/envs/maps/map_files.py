"""Map files: plain text, one row of cells a line, a blank line between maps, ``;`` before a remark.

Characters are ``.`` (or Gymnasium's ``F``) free, ``#`` wall, ``S`` start, ``G`` goal, ``H`` pit; FrozenLake's maps are such
files. All maps of a file have one size, and each has one start and one goal, or neither::

    ; two maps
    S..#
    .#.G

    ...#
    S#.G
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlsuite.envs.maps.cells import FREE, GOAL, LARGEST_SIDE, LEAST_SIDE, PIT, START, WALL, Chars, text
from rlsuite.errors import MapFormatError
from rlsuite.files import write_atomically

LARGEST_FILE = 16 << 20  # bytes
KNOWN = FREE + "F" + WALL + START + GOAL + PIT


def read_maps(path: str | Path) -> Chars:
    """``(n, rows, cols)`` characters of all maps of a file.

    Raises:
        MapFormatError: the file is missing, too large, no text, or holds what is no map; the message gives the line.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise MapFormatError(f"{path}: {error.strerror or error}") from None
    if len(raw) > LARGEST_FILE:
        raise MapFormatError(f"{path} has more than {LARGEST_FILE >> 20} MiB; a file of maps is smaller")
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        bad = raw[: error.start].count(b"\n") + 1
        raise MapFormatError(f"{path}, line {bad}: is no text; a map file is plain text in UTF-8") from None
    maps: list[list[str]] = []
    rows: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        line = line.rstrip()
        if line.startswith(";"):
            continue
        if line:
            _check_row(path, number, line, rows[0] if rows else maps[0][0] if maps else None)
            rows.append(line.replace("F", FREE))
        elif rows:
            _check_map(path, number - 1, rows, maps)
            maps.append(rows)
            rows = []
    if not maps:
        raise MapFormatError(f"{path} holds no map; give rows of the characters {' '.join(KNOWN)}")
    return np.array([[list(row) for row in rows] for rows in maps])


def write_maps(path: str | Path, maps: Chars, remarks: Sequence[str] = ()) -> Path:
    """Write ``(n, rows, cols)`` maps, each below its remark; returns the path."""
    path = Path(path)
    blocks = [
        "".join(f"; {line}\n" for line in remarks[i : i + 1]) + text(cells) + "\n" for i, cells in enumerate(maps)
    ]
    write_atomically(path, "\n".join(blocks))
    return path


def _check_row(path: Path, number: int, row: str, first: str | None) -> None:
    for column, character in enumerate(row, 1):
        if character not in KNOWN:
            raise MapFormatError(
                f"{path}, line {number}, column {column}: {character!r} is no cell; known are . or F free, # wall, S start, "
                "G goal, H pit, and ; before a remark"
            )
    if first is not None and len(row) != len(first):
        raise MapFormatError(
            f"{path}, line {number}: {len(row)} cells where other rows have {len(first)}; all maps of a file have one size"
        )
    if not LEAST_SIDE <= len(row) <= LARGEST_SIDE:
        raise MapFormatError(
            f"{path}, line {number}: {len(row)} cells; a map has {LEAST_SIDE} to {LARGEST_SIDE} a side"
        )


def _check_map(path: Path, number: int, rows: list[str], maps: list[list[str]]) -> None:
    """``number``: the line of the last row."""
    if maps and len(rows) != len(maps[0]):
        raise MapFormatError(
            f"{path}, line {number}: a map of {len(rows)} rows where the first has {len(maps[0])}; "
            "all maps of a file have one size"
        )
    if not LEAST_SIDE <= len(rows) <= LARGEST_SIDE:
        raise MapFormatError(
            f"{path}, line {number}: a map of {len(rows)} rows; it has {LEAST_SIDE} to {LARGEST_SIDE} a side"
        )
    starts, goals = (sum(row.count(character) for row in rows) for character in (START, GOAL))
    if (starts, goals) not in ((1, 1), (0, 0)):
        raise MapFormatError(
            f"{path}, line {number}: the map that ends here has {starts} starts and {goals} goals; give one S and one G, "
            "or neither"
        )
    if len({bool(set("".join(m)) & {START, GOAL}) for m in [maps[0] if maps else rows, rows]}) > 1:
        raise MapFormatError(
            f"{path}, line {number}: some maps of this file have a start and a goal and some have not; all or none must"
        )
