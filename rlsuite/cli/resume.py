"""``rlsuite resume``: go on with a run that was stopped, exactly."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rlsuite.cli.arguments import add_minutes, positive_int
from rlsuite.cli.training_display import TrainingDisplay, add_display


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "resume",
        help="go on with a run that was stopped",
        description="Go on with a run from its newest checkpoint that is whole, to what it would have been had it never "
        "been stopped. What was recorded after that checkpoint is cut and recorded again.",
        epilog="example:  rlsuite resume runs/CartPole-v1/dqn/run1-s0",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "-n",
        "--n-timesteps",
        type=positive_int,
        metavar="N",
        help="once the run is finished, learn N more steps, as a new call of learn: schedules begin anew",
    )
    add_minutes(parser)
    parser.add_argument("--trust", action="store_true", help="import the modules the run names, which runs their code")
    add_display(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Go on, showing progress; say where the run is."""
    return go_on(arguments, arguments.run_folder)


def go_on(arguments: argparse.Namespace, folder: Path) -> int:
    """The same for the run in ``folder``."""
    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments.training import resume

    console = OutputConsole()
    with TrainingDisplay(arguments, console) as display:
        agent, went_on = resume(
            folder, display, n_timesteps=arguments.n_timesteps, minutes=arguments.minutes, trust=arguments.trust
        )
    if not went_on:
        console.print(
            f"finished: {agent.num_timesteps} steps are learned; -n N learns N more", highlight=False, markup=False
        )
    console.print(f"run: {folder}", highlight=False, markup=False, soft_wrap=True)
    return 0
