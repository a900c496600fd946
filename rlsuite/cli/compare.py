"""``rlsuite compare``: algorithms × seeds × environments, and a verdict."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.arguments import MOST, add_env_kwargs, add_set, discount, positive_int

if TYPE_CHECKING:
    from rlsuite.experiments.compare import Plan

DEFAULT_EPISODES = 500
DEFAULT_TIMESTEPS = 50_000  # where deep agents are compared
PRESET = "preset"  # -n: the budgets that the presets name
TABULAR, DEEP = (30, 50), (10, 25)  # default numbers of seeds and of checkpoints


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="compare algorithms over seeds and write a verdict",
        description="Run every algorithm on every environment with the same seeds and write one HTML page with "
        "learning curves, intervals, tests and maps. The same command again adds what is missing, and goes on with deep "
        "runs that were stopped.",
        epilog="example:  rlsuite compare --env CliffWalking-v1 --algo sarsa q-learning expected-sarsa --seeds 100 "
        "--set alpha=0.5",
    )
    parser.add_argument("--env", nargs="+", required=True, metavar="ID", help="Gymnasium ids, or my_module:My-v0")
    parser.add_argument("--algo", nargs="+", required=True, metavar="NAME", help="see `rlsuite list algos`")
    parser.add_argument(
        "--seeds", type=positive_int, metavar="N", help="runs 0…N-1 each (default: 30; with deep agents 10)"
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument(
        "--episodes",
        type=positive_int,
        metavar="N",
        help=f"episodes to learn (default: {DEFAULT_EPISODES}; see -n)",
    )
    budget.add_argument(
        "-n",
        "--n-timesteps",
        type=_timesteps,
        metavar="N",
        help=f"environment steps to learn, instead (default with deep agents: {DEFAULT_TIMESTEPS}); "
        f"“{PRESET}”: each agent as many as its preset for the environment names",
    )
    parser.add_argument(
        "--n-envs",
        type=positive_int,
        metavar="N",
        help="environments each deep agent learns in (default: its preset's)",
    )
    parser.add_argument(
        "--preset",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="deep agents begin with their tuned settings for each environment (--no-preset: with their defaults)",
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
        "--checkpoints",
        type=positive_int,
        metavar="N",
        help="points per curve (default: 50; with deep agents 25)",
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
    parser.add_argument(
        "--include-run",
        nargs="+",
        type=Path,
        default=[],
        metavar="RUN",
        help="also show these runs on the page: learning curve, settings, an episode; or shipped policies by name",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the comparison, print the verdict, write the report."""
    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments import compare
    from rlsuite.experiments.report import write_report
    from rlsuite.experiments.run_sections import require_run, run_section
    from rlsuite.experiments.tables import console_table
    from rlsuite.experiments.verdict import judge

    plan = make_plan(arguments)
    for folder in arguments.include_run:
        require_run(folder)
    console = OutputConsole()
    comparison = _run_with_progress(compare, plan, console)
    verdict = judge(comparison)
    with console.status("writing the report"):
        included = [run_section(folder, plan.out) for folder in arguments.include_run]
        page = write_report(comparison, verdict, plan.out, extra_sections=included)
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
    from rlsuite.errors import HyperparameterError
    from rlsuite.experiments.compare import Plan
    from rlsuite.experiments.env_arguments import parse_env_kwargs
    from rlsuite.experiments.records import slug
    from rlsuite.experiments.runner import Budget
    from rlsuite.experiments.settings import expand

    env_ids = tuple(dict.fromkeys(arguments.env))
    settings = tuple(expand(arguments.algo, arguments.assignments, arguments.gamma))
    deep = any(setting.deep for setting in settings)
    seeds, checkpoints = DEEP if deep else TABULAR
    checkpoints = arguments.checkpoints or checkpoints
    own_budgets = arguments.n_timesteps == PRESET
    if arguments.n_timesteps or (deep and not arguments.episodes):
        amount = DEFAULT_TIMESTEPS if own_budgets else arguments.n_timesteps
        budget = Budget("timesteps", amount or DEFAULT_TIMESTEPS, checkpoints)
    else:
        budget = Budget("episodes", arguments.episodes or DEFAULT_EPISODES, checkpoints)
    if arguments.n_envs is not None and not deep:
        raise HyperparameterError(f"--n-envs is for deep agents; {', '.join(arguments.algo)} learn in one environment")
    return Plan(
        env_ids=env_ids,
        settings=settings,
        n_seeds=arguments.seeds or seeds,
        budget=budget,
        out=arguments.out or Path("runs/compare") / "+".join(slug(env_id) for env_id in env_ids),
        env_kwargs=parse_env_kwargs(env_ids, arguments.env_kwargs),
        max_episode_steps=arguments.max_episode_steps,
        eval_episodes=arguments.eval_episodes,
        workers=arguments.workers,
        presets=arguments.preset,
        n_envs=arguments.n_envs,
        preset_budgets=own_budgets,
    )


def _timesteps(text: str) -> int | str:
    """A positive whole number, or the word that stands for the presets' own."""
    try:
        return PRESET if text == PRESET else positive_int(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a positive whole number (at most {MOST:.0e}) nor “{PRESET}”"
        ) from None


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
            bar.update(task, completed=progress.done + progress.share, total=progress.total, description=what)

        return compare.run(plan, show)
