"""Argument types that several commands share; each error says what would be right."""

from __future__ import annotations

import argparse

MOST = 10**12  # no count that anyone will live to see finished is larger


def positive_int(text: str) -> int:
    """A whole number of at least 1; ``1e5`` and ``100_000`` are fine."""
    try:
        number = float(text)
        value = int(text) if "e" not in text.lower() else int(number)
        if value != number or not 1 <= value <= MOST:
            raise ValueError
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number (at most {MOST:.0e})") from None
    return value


def seed(text: str) -> int:
    """A whole number of at least 0."""
    try:
        value = int(text)
        if value < 0:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed; seeds are whole numbers from 0") from None
    return value


def positive_number(text: str) -> float:
    """A finite number above 0."""
    try:
        value = float(text)
        if not 0.0 < value < float("inf"):
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0") from None
    return value


def port(text: str) -> int:
    """The number of a port."""
    try:
        value = int(text)
        if not 1 <= value <= 65535:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; ports are whole numbers from 1 to 65535") from None
    return value


def discount(text: str) -> float:
    """A number in [0, 1]."""
    try:
        value = float(text)
        if not 0.0 <= value <= 1.0:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a discount factor in [0, 1]") from None
    return value


def add_set(parser: argparse.ArgumentParser, grid: bool) -> None:
    """``--set``, repeatable, each time with one or more assignments."""
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="NAME=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="hyperparameters: alpha=0.5, or for one algorithm q-learning.alpha=0.5"
        + ("; commas make a grid (alpha=0.1,0.5), lists take brackets" if grid else ""),
    )


def add_minutes(parser: argparse.ArgumentParser) -> None:
    """``--minutes``."""
    parser.add_argument(
        "--minutes",
        type=positive_number,
        metavar="M",
        help="stop after that time, saved as by Ctrl-C, where the steps are not learned by then",
    )


def add_env_kwargs(parser: argparse.ArgumentParser) -> None:
    """``--env-kwargs``."""
    parser.add_argument(
        "--env-kwargs",
        metavar="NAME=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="arguments of the environment, e.g. is_slippery=false or FrozenLake-v1.map_name=8x8",
    )
