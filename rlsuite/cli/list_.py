"""``rlsuite list``: environments, algorithms, and one algorithm's hyperparameters."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "list",
        help="list environments or algorithms; with a NAME, its hyperparameters or arguments",
        description="List environments or algorithms; with a NAME, print what can be set on it.",
    )
    parser.add_argument("what", choices=("envs", "algos"), help="what to list")
    parser.add_argument("name", nargs="?", help="one of them, in full")
    parser.add_argument("--all", action="store_true", help="envs: also those whose spaces are not finite")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    from rich.console import Console

    console = Console(soft_wrap=False)
    if arguments.what == "algos":
        _algo(console, arguments.name) if arguments.name else _algos(console)
    else:
        _env(console, arguments.name) if arguments.name else _envs(console, arguments.all)
    return 0


def _algos(console: Any) -> None:
    from rich.table import Table

    from rlsuite.agents.registry import agent_class, agent_names

    table = Table("name", "kind", "what it is", box=None, pad_edge=False)
    agents = [(name, agent_class(name)) for name in agent_names()]
    order = {"planning": 0, "prediction": 1, "control": 2}
    for name, cls in sorted(agents, key=lambda item: (order.get(item[1].kind, 3), item[0])):
        table.add_row(name, cls.kind, _summary(cls))
    console.print(table)
    console.print("\nrlsuite list algos NAME prints its hyperparameters.", highlight=False)


def _algo(console: Any, name: str) -> None:
    from rich.table import Table

    from rlsuite.agents.hyperparameters import fields
    from rlsuite.agents.registry import agent_class

    cls = agent_class(name)
    console.print(f"[bold]{cls.name}[/] ({cls.kind}): {_summary(cls)}\n", highlight=False)
    table = Table("hyperparameter", "type", "range", "default", "meaning", box=None, pad_edge=False)
    for field in fields(cls.Hyperparameters).values():
        default = "none" if field.default is None else str(field.default)
        table.add_row(field.name, field.type_name, field.limits.describe(), default, field.help)
    console.print(table)


def _envs(console: Any, everything: bool) -> None:
    from rich.table import Table

    from rlsuite.envs.catalogue import environments, summary

    table = Table("id", "time limit", "what it is", box=None, pad_edge=False)
    for spec in environments(everything):
        table.add_row(spec.id, str(spec.max_episode_steps or "none"), summary(spec))
    console.print(table)
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


def _summary(cls: type) -> str:
    return (cls.__doc__ or "").strip().split("\n")[0].rstrip(".")
