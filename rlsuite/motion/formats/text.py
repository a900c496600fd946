"""Text files of any origin as one stream of bytes: UTF-8 with or without its mark, UTF-16, or an 8-bit alphabet.

Numbers and keywords are ASCII in all of them, so nothing is decoded but names; UTF-16 is recoded on the way.
"""

from __future__ import annotations

import codecs
import io
import math
from pathlib import Path
from typing import Any, NoReturn

from rlsuite.errors import MotionFormatError

MAX_LINE = 1 << 16  # bytes of one line of a header
LARGEST = 1e9  # of any number in a motion file: beyond it nothing is a length or an angle


class TextFile:
    """Lines and blocks of a text file, with the number of the line that was read last; use it in a ``with``.

    Raises:
        MotionFormatError: the file cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.line = path, 0
        try:
            if not path.is_file() and path.exists():  # opening a pipe would wait for ever
                raise MotionFormatError(f"{path}: not a file")
            self.size = path.stat().st_size
            self._file: io.BufferedReader = path.open("rb")
            mark = self._file.peek(3)[:3]
        except FileNotFoundError:
            raise MotionFormatError(f"{path}: no such file") from None
        except (OSError, ValueError) as error:
            raise MotionFormatError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
        if mark.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self._file = io.BufferedReader(_Recoded(self._file))
        elif mark == codecs.BOM_UTF8:
            self._file.read(3)

    def __enter__(self) -> TextFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read_line(self) -> bytes:
        """The next line, or ``b""`` at the end."""
        raw = self._file.readline(MAX_LINE)
        self.line += bool(raw)
        if len(raw) == MAX_LINE:
            self.fail(f"a line of more than {MAX_LINE} bytes; this is no text of a motion")
        return raw

    def read_block(self, size: int) -> bytes:
        """At most ``size`` bytes; ``b""`` at the end. Lines in them are counted by whoever takes them apart."""
        return self._file.read(size)

    def fail(self, message: str, line: int | None = None) -> NoReturn:
        """Raise the error about a line (default: the last one)."""
        raise MotionFormatError(f"{self.path}, line {self.line if line is None else line}: {message}")

    def number(self, token: str, what: str) -> float:
        """The finite decimal number that ``token`` is."""
        try:
            value = float(token)
        except ValueError:
            self.fail(f"{what}: a number expected, found {shortened(token)}")
        if not math.isfinite(value) or abs(value) > LARGEST or "_" in token:
            self.fail(f"{what}: a finite number of at most {LARGEST:g} expected, found {shortened(token)}")
        return value


class _Recoded(io.RawIOBase):
    """UTF-16 read as UTF-8."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-16", errors="replace", newline="")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raw = self._text.read(max(1, len(buffer) // 4)).encode("utf-8", errors="replace")
        buffer[: len(raw)] = raw
        return len(raw)

    def close(self) -> None:
        self._text.close()
        super().close()


def name_of(raw: bytes) -> str:
    """A name in UTF-8, or in Latin-1 where it is not (old exporters)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def shortened(token: object, length: int = 40) -> str:
    """``token`` quoted for an error message, in printable characters and not longer than ``length``."""
    text = token.decode("latin-1") if isinstance(token, bytes) else str(token)
    return repr(text if len(text) <= length else text[: length - 1] + "…")
