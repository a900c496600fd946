"""Rows of decimal numbers in text, one row to a line: a compiled tokeniser, and NumPy's parser as its plain twin.

Up to 15 significant digits the value is the double nearest to the decimal (mantissa and power of ten are both exact, so
that their quotient is rounded once: Clinger 1990, "How to read floating point numbers accurately"); beyond, and with
powers of ten above 22, it is within some units in the last place. The file is read in blocks, so memory goes by the
rows that are kept.
"""

from __future__ import annotations

import re
import sys

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.formats.text import LARGEST, TextFile, shortened

Array = NDArray[np.float64]

BLOCK_BYTES = 1 << 17  # stays in the processor's cache
COMPILE_BYTES = 1 << 25  # below, importing the compiler costs more than it saves, unless that is done already
MAX_NUMBER_BYTES = 400
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_POWERS = 10.0 ** np.arange(23)  # all of them exact


def read_rows(
    file: TextFile, columns: int, n_rows: int, start: int = 0, stop: int | None = None, stride: int = 1
) -> Array:
    """Rows ``start:stop:stride`` of the ``n_rows`` that the rest of ``file`` holds, ``(n, columns)``.

    Blank lines do not count. Reading ends at ``stop``; without it, there must be exactly ``n_rows`` rows.

    Raises:
        MotionFormatError: a row with another number of columns, something that is no number, or other than ``n_rows``.
    """
    last = n_rows if stop is None else min(stop, n_rows)
    if last * max(2 * columns - 1, 1) > file.size:
        file.fail(f"{last} frames of {columns} numbers cannot be in a file of {file.size} bytes; it is truncated")
    out = np.empty((len(range(start, last, stride)), columns))
    tokenise = tokenise_compiled if worth_compiling(file.size) else tokenise_plainly
    data, at = b"", 0
    longest = columns * MAX_NUMBER_BYTES
    row, rest, largest = 0, b"", 0.0
    while row < last:
        block = file.read_block(BLOCK_BYTES)
        data = rest + block if rest else block
        cut = data.rfind(b"\n") + 1 if block else len(data)
        row, lines, at, failed, magnitude = tokenise(data, cut, out, row, last, start, stride)
        if failed:
            _explain(
                file, data[at : data.find(b"\n", at) if b"\n" in data[at:] else None], file.line + lines + 1, columns
            )
        file.line += lines
        largest = max(largest, magnitude)
        rest = data[cut:]
        if not block:
            break
        if len(rest) > longest:
            file.fail(f"a line of more than {longest} bytes for {columns} numbers", file.line + 1)
    if row < last:
        file.fail(f"the file ends after {row} of {n_rows} frames; it is truncated (stop={row} reads what there is)")
    if stop is None:
        _expect_end(file, data[at:], n_rows)
    if largest > LARGEST:
        frame, column = np.argwhere(~(np.abs(out) <= LARGEST))[0]
        file.fail(f"frame {start + stride * frame}, number {column + 1}: beyond {LARGEST:g}", file.line)
    return out


def worth_compiling(size: int) -> bool:
    """Whether a file of ``size`` bytes is read by compiled loops: the compiler is there, or worth its import."""
    return size >= COMPILE_BYTES or "numba" in sys.modules


def _expect_end(file: TextFile, rest: bytes, n_rows: int) -> None:
    while True:
        lines = rest.split(b"\n")
        for i, line in enumerate(lines):
            if line.strip():
                file.fail(
                    f"{n_rows} frames were announced, but here is one more line: {shortened(line)}", file.line + i + 1
                )
        file.line += len(lines) - 1
        rest = file.read_block(BLOCK_BYTES)
        if not rest:
            return


def _explain(file: TextFile, line: bytes, number: int, columns: int) -> None:
    """Say in words what is wrong with a line that a tokeniser refused."""
    tokens = line.split()
    for i, token in enumerate(tokens):
        if not _NUMBER.fullmatch(token):
            comma = "; decimals take a point, not a comma" if re.fullmatch(rb"[+-]?\d+,\d+", token) else ""
            file.fail(f"number {i + 1} of {columns}: {shortened(token)} is not a finite decimal number{comma}", number)
    file.fail(f"{columns} numbers expected, one for each channel, found {len(tokens)}", number)


def tokenise_plainly(
    data: bytes, end: int, out: Array, row: int, last: int, start: int, stride: int
) -> tuple[int, int, int, bool, float]:
    """Take the lines of ``data[:end]`` apart; ``row`` counts those that are not blank.

    Returns:
        The next row, how many lines were consumed, where the next one begins, whether that one is malformed, and the
        largest magnitude of the numbers taken.
    """
    lines, at, largest = 0, 0, 0.0
    wanted: list[bytes] = []
    places: list[tuple[int, int, int]] = []  # row, lines before it, position
    while at < end and row < last:
        stop = data.find(b"\n", at, end) + 1 or end
        line = data[at:stop]
        if line.strip():
            if row >= start and (row - start) % stride == 0:
                wanted.append(line)
                places.append((row, lines, at))
            row += 1
        lines, at = lines + 1, stop
    if wanted:
        first = (places[0][0] - start) // stride
        part = out[first : first + len(wanted)]
        try:
            part[:] = np.loadtxt(wanted, ndmin=2, comments=None)
            good = bool(np.isfinite(part).all())
        except ValueError:
            good = False
        if not good:
            for line, place in zip(wanted, places, strict=True):
                tokens = line.split()
                if len(tokens) != out.shape[1] or not all(_NUMBER.fullmatch(token) for token in tokens):
                    return (*place, True, largest)
            for i, line in enumerate(wanted):  # numbers beyond the range of a double
                part[i] = [float(token) for token in line.split()]
        largest = float(np.abs(part).max(initial=0.0))
    return row, lines, at, False, largest


def tokenise_compiled(
    data: bytes, end: int, out: Array, row: int, last: int, start: int, stride: int
) -> tuple[int, int, int, bool, float]:
    """:func:`tokenise_plainly`, some eight times faster."""
    from rlsuite.motion.formats import _kernels

    if end and data[end - 1] != 10:
        data, end = data + b"\n", end + 1
    text = np.frombuffer(data, np.uint8)
    row, lines, at, failed, largest = _kernels.tokenise_rows(
        text, np.uint64(end), out, row, last, start, stride, _POWERS
    )
    return row, lines, int(at), failed, largest
