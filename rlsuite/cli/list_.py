"""``rlsuite list``: environments, algorithms, and one algorithm's hyperparameters."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

# kinds of algorithms, in the order of the list
_GROUPS = {
    "planning": "planning, with the model",
    "prediction": "tabular prediction: the value of a given policy",
    "control": "tabular control",
    "deep": "deep",
    "sb3": "stable-baselines3's, in the suite's environments and files",
}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "list",
        help="list environments, algorithms or shipped policies; with a NAME, its hyperparameters or arguments",
        description="List environments, algorithms or shipped policies; with a NAME, print what can be set on it.",
    )
    parser.add_argument("what", choices=("envs", "algos", "policies"), help="what to list")
    parser.add_argument("name", nargs="?", help="one of them, in full")
    parser.add_argument("--all", action="store_true", help="envs: also those whose spaces are not finite")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    from rlsuite.cli.console import OutputConsole

    console = OutputConsole()
    if arguments.what == "policies":
        _policies(console, arguments.name)
    elif arguments.what == "algos":
        _algo(console, arguments.name) if arguments.name else _algos(console)
    else:
        _env(console, arguments.name) if arguments.name else _envs(console, arguments.all)
    return 0


def _algos(console: Any) -> None:
    from rlsuite.agents import sb3
    from rlsuite.agents.registry import agent_class, agent_names
    from rlsuite.experiments.training_plan import learns_from_batches

    groups: dict[str, list[tuple[str, ...]]] = {heading: [] for heading in _GROUPS.values()}
    for name in sorted(agent_names()):
        cls = agent_class(name)
        deep = learns_from_batches(cls)
        groups[_GROUPS["sb3" if name in sb3.NAMES else "deep" if deep else cls.kind]].append((name, _short(cls)))
    width = max(len(name) for rows in groups.values() for name, _ in rows)
    for heading, rows in groups.items():
        if rows:
            console.print(f"[bold]{heading}[/]", highlight=False)
            _print_table(console, None, rows, width)
            console.print()
    console.print("rlsuite list algos NAME prints its hyperparameters and where it comes from.", highlight=False)


def _algo(console: Any, name: str) -> None:
    from rlsuite.agents.hyperparameters import fields
    from rlsuite.agents.registry import agent_class

    cls = agent_class(name)
    console.print(f"[bold]{cls.name}[/] ({cls.kind}): {_summary(cls)}\n", highlight=False)
    rows = [
        (f.name, f.type_name, f.limits.describe(), "none" if f.default is None else str(f.default), f.help)
        for f in fields(cls.Hyperparameters).values()
    ]
    _print_table(console, ("hyperparameter", "type", "range", "default", "meaning"), rows)


def _envs(console: Any, everything: bool) -> None:
    from rlsuite.envs.catalogue import environments, summary

    rows = [(spec.id, str(spec.max_episode_steps or "none"), summary(spec)) for spec in environments(everything)]
    _print_table(console, ("id", "time limit", "what it is"), rows)
    if not everything:
        console.print("\nThese have finite spaces; --all lists every registered environment.", highlight=False)


def _env(console: Any, env_id: str) -> None:
    import inspect

    from rlsuite.envs.registration import make_env

    env = make_env(env_id)
    console.print(f"[bold]{env_id}[/]\n", highlight=False)
    console.print(inspect.getdoc(type(env.unwrapped)) or "(it has no description)", highlight=False, markup=False)
    console.print(
        f"\nobservations: {env.observation_space}\nactions: {env.action_space}", highlight=False, markup=False
    )
    env.close()


def _policies(console: Any, name: str | None) -> None:
    from rlsuite.experiments.imitation import policies

    if name is not None:
        for key, value in policies.card(policies.locate(name)).items():
            console.print(f"{key}: {value}", highlight=False, markup=False, soft_wrap=True)
        return
    cards = {shipped: policies.card(policies.locate(shipped)) for shipped in policies.shipped()}
    if not cards:
        console.print("no policies come with this version")
        return
    rows = [(key, str(c["clip"]), f"{c['normalised_return']:.2f}", str(c["algo"])) for key, c in cards.items()]
    _print_table(console, ("name", "clip", "normalised return at least", "trained by"), rows)
    console.print("\nrlsuite play NAME shows one; rlsuite list policies NAME prints its card.", highlight=False)


def _print_table(
    console: Any, columns: tuple[str, ...] | None, rows: Sequence[tuple[str, ...]], width: int = 0
) -> None:
    """A plain table whose first column, which is what people type, is never cut however narrow the terminal.

    ``columns``: headings, or none. ``width``: of the first column, at least.
    """
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=columns is not None)
    headings = columns or ("",) * len(rows[0])
    table.add_column(headings[0], no_wrap=True, min_width=max(width, *(len(row[0]) for row in rows)))
    for name in headings[1:]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").strip().split("\n")[0].rstrip(".")


def _short(cls: type) -> str:
    """The summary without its source, which ``list algos NAME`` gives, for one line of a terminal."""
    return re.sub(r" \([^()]*(\d{4}|secs?\. \d)[^()]*\)", "", _summary(cls))
