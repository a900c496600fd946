"""Compiled loops of the readers; imported only when a file is large or numba is loaded anyway.

Positions are unsigned, so that numba leaves out its handling of negative indices; text ends in a line feed, which ends
every loop over it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rlsuite.kernel_cache import compiled_in, folder_for

_FOLDER = folder_for([Path(__file__)])
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_1, _9, _10, _48 = np.uint64(1), np.uint64(9), np.uint64(10), np.uint64(48)
_LONG = np.int64(100_000_000_000_000_000)


def _number(text: Any, at: Any, powers: Any) -> Any:
    """Any decimal number that begins at ``at``, sign passed: its value, where it ends, and whether it is one."""
    mantissa, digits, scale, point = np.int64(0), 0, np.int64(0), False
    while True:
        digit = np.uint64(text[at]) - _48
        if digit <= _9:
            if mantissa < _LONG:
                mantissa = mantissa * 10 + np.int64(digit)
                scale -= point
            else:
                scale += not point
            digits += 1
        elif text[at] == 46 and not point:
            point = True
        else:
            break
        at += _1
    good = digits > 0
    if text[at] == 101 or text[at] == 69:  # e, E
        at += _1
        negative = text[at] == 45
        if negative or text[at] == 43:
            at += _1
        power, digits = np.int64(0), 0
        while True:
            digit = np.uint64(text[at]) - _48
            if digit > _9:
                break
            power = power * 10 + np.int64(digit) if power < 100_000 else power
            digits, at = digits + 1, at + _1
        good = good and digits > 0
        scale += -power if negative else power
    value = np.float64(mantissa)
    if -22 <= scale <= 0:
        value = value / powers[-scale]
    elif 0 < scale <= 22:
        value = value * powers[scale]
    elif mantissa != 0:
        half = scale // 2  # in two steps: the power alone may be too small for a double, or too large
        value = value * 10.0**half * 10.0 ** (scale - half)
    return value, at, good and text[at] <= 32


number: Any = compiled_in(_FOLDER, _number, **_OPTIONS)


def _tokenise_rows(text: Any, end: Any, out: Any, row: Any, last: Any, start: Any, stride: Any, powers: Any) -> Any:
    """:func:`rlsuite.motion.formats.number_rows.tokenise_plainly`, byte by byte."""
    columns = out.shape[1]
    at, lines = np.uint64(0), 0
    while at < end and row < last:
        begin = at
        while text[at] == 32 or text[at] == 9 or text[at] == 13:
            at += _1
        if text[at] == 10:  # blank
            at += _1
            lines += 1
            continue
        if row < start or (row - start) % stride != 0:
            while text[at] != 10:
                at += _1
            at += _1
            lines += 1
            row += 1
            continue
        target, column = out[(row - start) // stride], 0
        while True:
            byte = text[at]
            if byte == 32 or byte == 9 or byte == 13:
                at += _1
                continue
            if byte == 10:
                break
            if column == columns:
                return row, lines, begin, True
            negative = byte == 45
            if negative or byte == 43:
                at += _1
            # the usual number: digits, a point, digits, together few enough to be exact; any other by `number`
            first, mantissa = at, np.uint64(0)
            digit = np.uint64(text[at]) - _48
            while digit <= _9:
                mantissa = mantissa * _10 + digit
                at += _1
                digit = np.uint64(text[at]) - _48
            decimals = np.uint64(0)
            if text[at] == 46:
                at += _1
                point = at
                digit = np.uint64(text[at]) - _48
                while digit <= _9:
                    mantissa = mantissa * _10 + digit
                    at += _1
                    digit = np.uint64(text[at]) - _48
                decimals = at - point
            length = at - first
            if text[at] <= 32 and np.uint64(2) <= length <= np.uint64(16):
                value = np.float64(np.int64(mantissa)) / powers[decimals]
            else:
                value, at, good = number(text, first, powers)
                if not good:
                    return row, lines, begin, True
            target[column] = -value if negative else value
            column += 1
        if column != columns:
            return row, lines, begin, True
        at += _1
        lines += 1
        row += 1
    return row, lines, at, False


tokenise_rows: Any = compiled_in(_FOLDER, _tokenise_rows, **_OPTIONS)


def _euler_quaternions(angles: Any, columns: Any, addresses: Any, i: Any, j: Any, k: Any, signs: Any, out: Any) -> None:
    """:func:`rlsuite.motion.formats.euler_channels.quaternions` of columns of degrees, into columns of ``out``."""
    even = 1.0 if (j - i) % 3 == 1 else -1.0
    half = signs * (np.pi / 360.0)
    for t in range(angles.shape[0]):
        for n in range(columns.shape[0]):
            a = angles[t, columns[n, 0]] * half[0]
            b = angles[t, columns[n, 1]] * half[1]
            c = angles[t, columns[n, 2]] * half[2]
            c1, s1, c2, s2, c3, s3 = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
            at = addresses[n]
            out[t, at] = c1 * c2 * c3 - even * s1 * s2 * s3
            out[t, at + 1 + i] = s1 * c2 * c3 + even * c1 * s2 * s3
            out[t, at + 1 + j] = c1 * s2 * c3 - even * s1 * c2 * s3
            out[t, at + 1 + k] = c1 * c2 * s3 + even * s1 * s2 * c3


euler_quaternions: Any = compiled_in(_FOLDER, _euler_quaternions, **_OPTIONS)
