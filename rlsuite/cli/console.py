"""The console that commands print to."""

from __future__ import annotations

from typing import NoReturn

from rich.console import Console


class OutputConsole(Console):
    """A console for which a reader that stops reading (``| head``) is no error."""

    def on_broken_pipe(self) -> NoReturn:
        self.quiet = True
        raise BrokenPipeError  # main() ends the command quietly
