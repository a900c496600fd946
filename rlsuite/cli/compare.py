"""``rlsuite compare``: algorithms × seeds × environments, and a verdict."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.arguments import add_env_kwargs, add_set, discount, positive_int

if TYPE_CHECKING:
    from rlsuite.experiments.compare import Plan

DEFAULT_EPISODES = 500


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="compare algorithms over seeds and write a verdict",
        description="Run every algorithm on every environment with the same seeds and write one HTML page with "
        "learning curves, intervals, tests and maps. The same command again adds what is missing.",
        epilog="example:  rlsuite compare --env CliffWalking-v1 --algo sarsa q-learning expected-sarsa --seeds 100 "
        "--set alpha=0.5",
    )
    parser.add_argument("--env", nargs="+", required=True, metavar="ID", help="Gymnasium ids, or my_module:My-v0")
    parser.add_argument("--algo", nargs="+", required=True, metavar="NAME", help="see `rlsuite list algos`")
    parser.add_argument("--seeds", type=positive_int, default=30, metavar="N", help="runs 0…N-1 each (default: 30)")
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--episodes", type=positive_int, metavar="N", help=f"episodes to learn (default: {DEFAULT_EPISODES})"
    )
    budget.add_argument(
        "-n", "--n-timesteps", type=positive_int, metavar="N", help="environment steps to learn, instead"
    )
    parser.add_argument(
        "--gamma", type=discount, metavar="G", help="discount factor of all algorithms (default: theirs)"
    )
    parser.add_argument(
        "--max-episode-steps", type=positive_int, metavar="N", help="time limit (default: the environment's, else 1000)"
    )
    add_env_kwargs(parser)
    add_set(parser, grid=True)
    parser.add_argument(
        "--checkpoints", type=positive_int, default=50, metavar="N", help="points per curve (default: 50)"
    )
    parser.add_argument(
        "--eval-episodes",
        type=positive_int,
        default=10,
        metavar="N",
        help="per score without a model (default: 10)",
    )
    parser.add_argument("--workers", type=positive_int, metavar="N", help="parallel runs (default: all processors)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: runs/compare/ENVS)")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the comparison, print the verdict, write the report."""
    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments import compare
    from rlsuite.experiments.report import write_report
    from rlsuite.experiments.tables import console_table
    from rlsuite.experiments.verdict import judge

    plan = make_plan(arguments)
    console = OutputConsole()
    comparison = _run_with_progress(compare, plan, console)
    verdict = judge(comparison)
    with console.status("writing the report"):
        page = write_report(comparison, verdict, plan.out)
    for table in verdict.tables:
        if table.essential:
            console.print(console_table(table))
    for warning in verdict.warnings:
        console.print(f"[yellow]warning:[/] {warning}", highlight=False)
    console.print(verdict.headline, highlight=False, markup=False)
    console.print(f"report: {page}", highlight=False, markup=False, soft_wrap=True)
    return 130 if any(note.startswith("interrupted") for note in comparison.notes) else 0


def make_plan(arguments: argparse.Namespace) -> Plan:
    """The plan that the arguments ask for, checked before anything runs."""
    from rlsuite.experiments.compare import Plan
    from rlsuite.experiments.env_arguments import parse_env_kwargs
    from rlsuite.experiments.records import slug
    from rlsuite.experiments.runner import Budget
    from rlsuite.experiments.settings import expand

    env_ids = tuple(dict.fromkeys(arguments.env))
    if arguments.n_timesteps:
        budget = Budget("timesteps", arguments.n_timesteps, arguments.checkpoints)
    else:
        budget = Budget("episodes", arguments.episodes or DEFAULT_EPISODES, arguments.checkpoints)
    return Plan(
        env_ids=env_ids,
        settings=tuple(expand(arguments.algo, arguments.assignments, arguments.gamma)),
        n_seeds=arguments.seeds,
        budget=budget,
        out=arguments.out or Path("runs/compare") / "+".join(slug(env_id) for env_id in env_ids),
        env_kwargs=parse_env_kwargs(env_ids, arguments.env_kwargs),
        max_episode_steps=arguments.max_episode_steps,
        eval_episodes=arguments.eval_episodes,
        workers=arguments.workers,
    )


def _run_with_progress(compare: Any, plan: Plan, console: Any) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("runs", total=None)
        told = False

        def show(progress: Any) -> None:
            nonlocal told
            if progress.compiling and not told:
                console.print("compiling the algorithms for this machine (first use only; kept for next time)")
                told = True
            what = f"compiling {progress.label}" if progress.compiling else progress.label
            bar.update(task, completed=progress.done, total=progress.total, description=what)

        return compare.run(plan, show)
