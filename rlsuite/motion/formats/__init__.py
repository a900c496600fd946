"""Motion files: read any known format into a :class:`~rlsuite.motion.clip.MotionClip`, write those that can hold one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.formats.detection import detect
from rlsuite.motion.formats.registry import FORMATS, Format
from rlsuite.motion.skeleton import Skeleton

__all__ = ["FORMATS", "Format", "detect", "read", "write"]


def read(
    path: str | Path,
    *,
    format: str | None = None,
    unit: str | None = None,
    up: str | None = None,
    forward: str | None = None,
    skeleton: Skeleton | None = None,
    start: int = 0,
    stop: int | None = None,
    stride: int = 1,
    **options: Any,
) -> MotionClip:
    """The motion in a file, in metres, Z up, X forward.

    Args:
        format: a name in :data:`FORMATS`; default: judged by the content (:func:`detect`).
        unit: length unit of the file, for formats that leave it open (``"m"``, ``"cm"``, ``"inch"``, ``"cmu"``, …).
        up: axis that points up in the file; forward: axis that the rest pose faces (``"x"``, ``"-z"``, …).
        skeleton: the tree of the poses, for formats that do not carry one.
        start, stop, stride: frames to keep, as in ``frames[start:stop:stride]``; the rate becomes ``fps / stride``.
        options: of the format alone, see ``FORMATS[name].read_options``.

    Raises:
        MotionFormatError: the file is missing, of no known format, or malformed.
        MotionError: an option that the format does not take, or frames that the file does not have.
        UnknownNameError: no format is called ``format``.
    """
    path = Path(path)
    if start < 0 or (stop is not None and stop <= start) or stride < 1:
        raise MotionError(
            f"frames {start}:{stop}:{stride}: start must be at least 0, stop beyond it and stride at least 1"
        )
    entry = FORMATS[format or detect(path)]
    common = {"unit": unit, "up": up, "forward": forward, "skeleton": skeleton}
    given = options | {name: value for name, value in common.items() if value is not None}
    _check_options(entry.name, given, entry.read_options)
    if {"start", "stop", "stride"} <= set(entry.read_options):  # the reader leaves the other frames where they are
        return entry.read(path, **given, start=start, stop=stop, stride=stride)
    return _frames(entry.read(path, **given), start, stop, stride)


def write(clip: MotionClip, path: str | Path, *, format: str | None = None, **options: Any) -> None:
    """Write ``clip`` in ``format`` (default: the one that the suffix of ``path`` names), in one step.

    Raises:
        MotionFormatError: the suffix names no format, or it is one that can only be read.
        MotionError: an option that the format does not take, or a clip that it cannot hold.
        UnknownNameError: no format is called ``format``.
    """
    path = Path(path)
    writers = {name: entry for name, entry in FORMATS.items() if entry.write is not None}
    if format is None:
        found = [name for name, entry in writers.items() if path.suffix.lower() in entry.suffixes]
        if not found:
            known = ", ".join(f"{name} ({' '.join(entry.suffixes)})" for name, entry in writers.items())
            raise MotionFormatError(
                f"{path}: the suffix names no format to write; name one of {known} (--to, in Python `format`)"
            )
        format = found[0]
    entry = FORMATS[format]
    if entry.write is None:
        raise MotionFormatError(f"{path}: {format} files are only read; written are {', '.join(writers)}")
    _check_options(format, options, entry.write_options)
    entry.write(clip, path, **options)


def _check_options(format: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        raise MotionError(f"format {format!r} has no option {unknown[0]!r}; {takes}")


def _frames(clip: MotionClip, start: int, stop: int | None, stride: int) -> MotionClip:
    if (start, stop, stride) == (0, None, 1):
        return clip
    keep = slice(start, stop, stride)
    if start >= clip.n_frames:
        raise MotionError(f"clip {clip.name!r} has {clip.n_frames} frames; the first one asked for is {start}")
    masks = {
        name: getattr(clip, name)[keep]
        for name in ("contacts", "confidence", "startable")
        if getattr(clip, name) is not None
    }
    part = replace(clip, qpos=clip.qpos[keep], fps=clip.fps / stride, loop="once", wrap_heading=False, **masks)
    return part.with_step("slice", start=start, stop=stop, stride=stride)
