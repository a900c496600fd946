"""Clips by name: those that come with the package, those fetched before, and any file.

``find("walk")`` is a shipped clip and ``locate("walk")`` where it is; both take paths as well.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from rlsuite.errors import MotionFormatError, UnknownNameError
from rlsuite.motion import fetching
from rlsuite.motion.clip import MotionClip

CLIPS = Path(__file__).parent / "clips"
MANIFEST = CLIPS / "manifest.json"


@lru_cache(maxsize=1)
def manifest() -> dict[str, dict[str, Any]]:
    """What is known of each shipped clip: ``name -> {file, motion, parameters, frames, fps, duration, loop, licence}``.

    Raises:
        MotionFormatError: the package's own list is damaged.
    """
    try:
        return dict(json.loads(MANIFEST.read_text(encoding="utf-8"))["clips"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MotionFormatError(
            f"{MANIFEST}: the list of shipped clips is damaged ({error}); install rlsuite again"
        ) from error


NAMES = tuple(manifest())  # of the shipped clips


def locate(name: str | Path) -> Path:
    """Where a clip is: a shipped one by its name, one fetched before by its name, or a file by its path.

    A name with a suffix or a folder in it is a path; a shipped clip goes before a file of the same bare name.

    Raises:
        UnknownNameError: neither a clip nor a file; the message offers the nearest names.
        MotionFormatError: a path to nothing, or a clip that can be fetched but has not been.
    """
    text = str(name)
    if text in NAMES:
        return CLIPS / manifest()[text]["file"]
    if text in fetching.CATALOGUE:
        path = fetching.location(text)
        if not path.is_file():
            raise MotionFormatError(f"clip {text!r} is not on this machine yet; fetch it: rlsuite motion fetch {text}")
        return path
    path = Path(text)
    if path.is_file():
        return path
    if path.is_dir():
        raise MotionFormatError(
            f"{text or '.'}: a folder, and no motion file; `rlsuite motion list FOLDER` reads all in it"
        )
    if path.exists():
        raise MotionFormatError(f"{text}: a device or pipe; motion is read from files")
    if path.suffix or len(path.parts) > 1:
        raise MotionFormatError(f"{text}: no such file")
    raise UnknownNameError("clip", text, [*NAMES, *fetching.CATALOGUE], f"shipped: {', '.join(NAMES)}")


def find(name: str | Path, **options: Any) -> MotionClip:
    """The clip of :func:`locate`, in whatever format it is. ``options``: of :func:`rlsuite.motion.formats.read`.

    Raises:
        UnknownNameError: neither a clip nor a file; the message offers the nearest names.
        MotionFormatError: there is no such file, it is not fetched yet, or it cannot be read.
    """
    from rlsuite.motion import formats

    return formats.read(locate(name), **options)
