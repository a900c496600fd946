"""Compiled loops of the readers; imported only when a file is large or numba is loaded anyway.

Positions are unsigned, so that numba leaves out its handling of negative indices; text ends in a line feed, which ends
every loop over it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from rlsuite.kernel_cache import compiled_in, folder_for

_FOLDER = folder_for([Path(__file__)])
_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
_1, _9, _10, _48 = np.uint64(1), np.uint64(9), np.uint64(10), np.uint64(48)
_LONG = np.int64(100_000_000_000_000_000)
# Taylor's series of the sine and of the cosine
_S0, _S1, _S2, _S3, _S4, _S5, _S6, _S7 = ((-1.0) ** k / math.factorial(2 * k + 1) for k in range(8))
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8 = ((-1.0) ** k / math.factorial(2 * k) for k in range(9))


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
    at, lines, largest = np.uint64(0), 0, 0.0
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
                return row, lines, begin, True, largest
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
                    return row, lines, begin, True, largest
            largest = max(largest, value)
            target[column] = -value if negative else value
            column += 1
        if column != columns:
            return row, lines, begin, True, largest
        at += _1
        lines += 1
        row += 1
    return row, lines, at, False, largest


tokenise_rows: Any = compiled_in(_FOLDER, _tokenise_rows, **_OPTIONS)


def _half_angles(degrees: Any, cosines: Any, sines: Any) -> None:
    """Cosine and sine of half of every angle, within 2e-15, in a loop of nothing but arithmetic, for vector units.

    Half an angle is ``n`` quarter turns and a rest within an eighth of a turn. Of the rest, Taylor's series to the 16th
    power err by less than 1e-16; ``n`` says which of the two is the cosine and what signs both have.
    """
    for m in range(degrees.shape[0]):
        quarters = degrees[m] * (1.0 / 180.0)
        n = np.rint(quarters)
        x = (quarters - n) * (0.5 * np.pi)
        z = x * x
        sine = x * (_S0 + z * (_S1 + z * (_S2 + z * (_S3 + z * (_S4 + z * (_S5 + z * (_S6 + z * _S7)))))))
        cosine = _C0 + z * (_C1 + z * (_C2 + z * (_C3 + z * (_C4 + z * (_C5 + z * (_C6 + z * (_C7 + z * _C8)))))))
        phase = n - 4.0 * np.floor(0.25 * n)  # 0, 1, 2 or 3
        odd = (phase == 1.0) | (phase == 3.0)
        c, s = (sine if odd else cosine), (cosine if odd else sine)
        cosines[m] = -c if (phase == 1.0) | (phase == 2.0) else c
        sines[m] = -s if phase >= 2.0 else s


half_angles: Any = compiled_in(_FOLDER, _half_angles, fastmath={"contract"}, **_OPTIONS)


def _euler_quaternions(angles: Any, columns: Any, addresses: Any, i: Any, j: Any, k: Any, signs: Any, out: Any) -> None:
    """:func:`rlsuite.motion.formats.euler_channels.quaternions` of columns of degrees, into columns of ``out``."""
    even = 1.0 if (j - i) % 3 == 1 else -1.0
    joints = columns.shape[0]
    degrees, cosines, sines = np.empty(3 * joints), np.empty(3 * joints), np.empty(3 * joints)
    for t in range(angles.shape[0]):
        for n in range(joints):
            degrees[3 * n] = angles[t, columns[n, 0]] * signs[0]
            degrees[3 * n + 1] = angles[t, columns[n, 1]] * signs[1]
            degrees[3 * n + 2] = angles[t, columns[n, 2]] * signs[2]
        half_angles(degrees, cosines, sines)
        for n in range(joints):
            c1, c2, c3 = cosines[3 * n], cosines[3 * n + 1], cosines[3 * n + 2]
            s1, s2, s3 = sines[3 * n], sines[3 * n + 1], sines[3 * n + 2]
            at = addresses[n]
            out[t, at] = c1 * c2 * c3 - even * s1 * s2 * s3
            out[t, at + 1 + i] = s1 * c2 * c3 + even * c1 * s2 * s3
            out[t, at + 1 + j] = c1 * s2 * c3 - even * s1 * c2 * s3
            out[t, at + 1 + k] = c1 * c2 * s3 + even * s1 * s2 * c3


euler_quaternions: Any = compiled_in(_FOLDER, _euler_quaternions, **_OPTIONS)
