"""Modules named by users (``module:id``): importing them with one clear line on failure, and whether to import at all."""

from __future__ import annotations

import sys
from importlib import import_module

from rlsuite.errors import InvalidEnvironmentError, RecordError


def import_named(module: str, what: str) -> None:
    """Import ``module``, which registers ``what``.

    Raises:
        InvalidEnvironmentError: importing it failed, for whatever reason.
    """
    try:
        import_module(module)
    except Exception as error:  # a user's module runs here, and it can raise anything
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        raise InvalidEnvironmentError(f"cannot import module {module!r} of {what}: {detail}") from error


def require_trust(name: str) -> None:
    """Refuse a ``module:id`` read from a record, unless the program has imported the module of itself.

    Raises:
        RecordError: loading it would run that module's code.
    """
    module = name.rpartition(":")[0]
    if module and module not in sys.modules:
        raise RecordError(
            f"the run names module {module!r}; loading it runs that module's code; pass trust=True, or --trust"
        )
