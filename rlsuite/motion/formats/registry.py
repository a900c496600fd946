"""What a motion format is, and which there are: a module of this package that defines ``FORMAT``, found by looking.

Adding a format is adding a file. Modules are imported when a format is first looked up, so they keep optional packages
inside their functions.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

from rlsuite.errors import UnknownNameError
from rlsuite.motion.clip import MotionClip


@dataclass(frozen=True)
class Format:
    """One kind of motion file.

    Attributes:
        name: what ``format=`` calls it. suffixes: usual ones, lower case with the dot. description: one line for lists.
        sniff: ``sniff(head, path)``: whether a file that begins with the bytes ``head`` (at most
            :data:`rlsuite.motion.formats.detection.HEAD_BYTES`) is of this kind. It never raises on any content.
        read: ``read(path, *, options…) -> MotionClip``; its keyword-only parameters are the options that it takes.
        write: ``write(clip, path, *, options…)``, or ``None`` for formats that are only read.
        extra: name of the optional dependency group that reading needs, or ``""``.
    """

    name: str
    suffixes: tuple[str, ...]
    description: str
    sniff: Callable[[bytes, Path], bool]
    read: Callable[..., MotionClip]
    write: Callable[..., None] | None = None
    extra: str = ""

    @cached_property
    def read_options(self) -> tuple[str, ...]:
        return _keywords(self.read)

    @cached_property
    def write_options(self) -> tuple[str, ...]:
        return () if self.write is None else _keywords(self.write)


def _keywords(function: Callable[..., object]) -> tuple[str, ...]:
    parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)


class _Formats(Mapping[str, Format]):
    """All formats by name; the modules are imported at the first use."""

    @cached_property
    def _by_name(self) -> dict[str, Format]:
        package = import_module("rlsuite.motion.formats")
        names = (m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
        found = (vars(import_module(f"{package.__name__}.{name}")).get("FORMAT") for name in names)
        return {entry.name: entry for entry in found if isinstance(entry, Format)}

    def __getitem__(self, name: str) -> Format:
        if name not in self._by_name:
            raise UnknownNameError("motion format", name, self._by_name, f"formats: {', '.join(self._by_name)}")
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


FORMATS: Mapping[str, Format] = _Formats()
