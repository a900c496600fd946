"""``rlsuite completion``: a shell completion script on standard output."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "completion",
        help="print a shell completion script",
        description='Print a completion script for your shell, e.g. `eval "$(rlsuite completion bash)"` in ~/.bashrc.',
    )
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Write the script; environment and algorithm names are completed as they are registered now."""
    import gymnasium as gym
    import shtab

    from rlsuite.agents.registry import agent_names
    from rlsuite.cli.main import build_parser

    parser = build_parser()
    names = {"env": sorted(gym.registry), "algo": agent_names()}
    for action in _actions(parser):
        if action.dest in names and action.choices is None:
            action.choices = names[action.dest]
        if action.dest in ("out", "run_folder"):
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=arguments.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    found: list[argparse.Action] = []
    for action in parser._actions:
        found.append(action)
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                found.extend(_actions(sub))
    return found
