"""Which format a file is in, judged by its content: magic bytes, first words, JSON keys, members of an archive.

The suffix only decides between formats whose content could be either's.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from rlsuite.errors import MotionFormatError
from rlsuite.motion.formats.registry import FORMATS

HEAD_BYTES = 1 << 16
MAX_MEMBERS = 10_000


def detect(path: str | Path) -> str:
    """Name of the format of ``path``.

    Raises:
        MotionFormatError: there is no such file, or its content is of no known format.
    """
    path = Path(path)
    head = read_head(path)
    found = [name for name, entry in FORMATS.items() if entry.sniff(head, path)]
    if len(found) > 1:
        found = [name for name in found if path.suffix.lower() in FORMATS[name].suffixes] or found
    if found:
        return found[0]
    what = "an empty file" if not head else "not a motion file that is known here"
    raise MotionFormatError(
        f"{path}: {what}; the formats are {', '.join(FORMATS)} (--format, in Python `format`, names one)"
    )


def read_head(path: Path) -> bytes:
    """The first :data:`HEAD_BYTES` bytes.

    Raises:
        MotionFormatError: the file cannot be opened.
    """
    try:
        if not path.is_file() and path.exists():  # opening a pipe would wait for ever
            raise MotionFormatError(f"{path}: not a file")
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise MotionFormatError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise MotionFormatError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def zip_members(head: bytes, path: Path) -> frozenset[str]:
    """Names in a ``.zip`` or ``.npz`` archive without the suffix ``.npy``; empty where it is none."""
    if not head.startswith(b"PK"):
        return frozenset()
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(name.removesuffix(".npy") for name in archive.namelist()[:MAX_MEMBERS])
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return frozenset()


def json_keys(head: bytes) -> frozenset[str]:
    """Words that stand as keys (``"key":``) in the head of a JSON object; empty where it does not begin as one."""
    text = decoded(head)
    if not text.lstrip().startswith("{"):
        return frozenset()
    return frozenset(re.findall(r'"([^"\\\n]{1,100})"\s{0,100}:', text))


def decoded(raw: bytes) -> str:
    """Text of bytes in UTF-8 or UTF-16 by its mark, else Latin-1, in which every byte means something."""
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    return raw.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
