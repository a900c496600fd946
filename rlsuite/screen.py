"""Rendering in memory, with no screen: which back ends SDL and MuJoCo are to take."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes.util import find_library

from rlsuite.environ import environment_variables


@contextmanager
def off_screen() -> Iterator[None]:
    """Render in memory: keep SDL (pygame) from looking for a screen, and MuJoCo too where there is none.

    MuJoCo's back end is chosen when an environment renders for the first time; a ``MUJOCO_GL`` of the user's is kept.
    """
    chosen = {"SDL_VIDEODRIVER": "dummy"}
    if "MUJOCO_GL" not in os.environ and not has_screen():
        installed = [name for name, library in (("egl", "EGL"), ("osmesa", "OSMesa")) if find_library(library)]
        chosen |= {"MUJOCO_GL": installed[0]} if installed else {}
    with environment_variables(chosen):
        yield


def has_screen() -> bool:
    """Whether a window can be opened; on Linux, whether a display server is named."""
    return not sys.platform.startswith("linux") or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
