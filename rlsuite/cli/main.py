"""The ``rlsuite`` command: one sub-command a file; heavy imports happen inside the command that needs them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import rlsuite
from rlsuite import starting
from rlsuite.cli import (
    compare,
    completion,
    doctor,
    evaluate,
    export,
    imitate,
    list_,
    maps,
    motion,
    play,
    prior,
    reproduce,
    resume,
    train,
    tune,
)
from rlsuite.errors import RlsuiteError, nearest

COMMANDS = (
    compare, train, imitate, resume, evaluate, play, tune, export, list_, motion, maps, prior, reproduce, doctor, completion
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see `{self.prog} --help`)\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """As argparse does it, with the nearest of the choices."""
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        meant = "".join(f"; did you mean {name}?" for name in nearest(str(value), choices, n=1))
        raise argparse.ArgumentError(action, f"there is no {value!r}{meant} (choose from {', '.join(choices)})")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="rlsuite",
        description="Reinforcement learning on one Gymnasium interface: compare algorithms, train and evaluate agents; "
        "motion for simulated humanoids.",
        epilog="A first verdict:  rlsuite compare --env CliffWalking-v1 --algo sarsa q-learning --seeds 30",
    )
    parser.add_argument("--version", action="version", version=f"rlsuite {rlsuite.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        sub = command.add_parser(commands)
        sub.add_argument("--debug", action="store_true", help="show the traceback of an error")
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 doctor found something failing, 2 bad input, 130 interrupted."""
    arguments = build_parser().parse_args(argv)
    starting.done()
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append("")  # `my_module:My-v0` is looked for in the current folder, after everything installed
    try:
        return int(arguments.run(arguments))
    except RlsuiteError as error:
        if arguments.debug:
            raise
        print(f"rlsuite {arguments.command}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        if arguments.debug:
            raise
        print(f"\nrlsuite {arguments.command}: interrupted{f'; {stop}' if stop.args else ''}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `rlsuite list | head`: the reader has gone, which is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # the disk or a path on it, e.g. an output folder that cannot be made
        if arguments.debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"rlsuite {arguments.command}: error: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except MemoryError as error:
        if arguments.debug:
            raise
        print(f"rlsuite {arguments.command}: error: not enough memory ({error})", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
