"""``rlsuite train``: one agent, recorded."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.arguments import add_env_kwargs, add_minutes, add_set, positive_int, seed
from rlsuite.cli.training_display import TrainingDisplay, add_display

if TYPE_CHECKING:
    from rlsuite.experiments.training_plan import TrainingPlan

PREPROCESSING = ("pixels", "max_and_skip", "grayscale", "resize", "frame_stack")
# of the command line, named as in a --config file
SETTINGS = (
    "env", "algo", "n_timesteps", "n_envs", "seed", "eval_freq", "eval_episodes", "save_freq", "keep", "log_interval",
    "device", "num_threads", "tensorboard", "clips",
)  # fmt: skip


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="train one agent and record the run",
        description="Train one agent; the run lands in OUT/ENV/ALGO/NAME-sSEED with its config, metrics, evaluations, "
        "checkpoints and TensorBoard events. Settings come from the command line, else from --config, else from the "
        "preset of the algorithm for the environment, else from the algorithm's defaults; --show-config tells which.",
        epilog="example:  rlsuite train --algo dqn --env CartPole-v1 -n 50000 --n-envs 8 --seed 0 "
        "--set learning_rate=1e-3",
    )
    parser.add_argument("--algo", metavar="NAME", help="see `rlsuite list algos`")
    parser.add_argument("--env", metavar="ID", help="Gymnasium id, or my_module:My-v0")
    parser.add_argument(
        "-n",
        "--n-timesteps",
        type=positive_int,
        metavar="N",
        help="steps to learn from (default: the preset's, or 1e5)",
    )
    add_minutes(parser)
    parser.add_argument("--n-envs", type=positive_int, metavar="N", help="environments stepped together (deep agents)")
    parser.add_argument("--seed", type=seed, metavar="K", help="default: 0")
    add_set(parser, grid=False)
    add_env_kwargs(parser)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML; the config.yaml of a run is one")
    parser.add_argument("--show-config", action="store_true", help="print all settings and their sources, and stop")

    add_recording(parser)

    images = parser.add_argument_group("preprocessing of observations (deep agents)")
    images.add_argument("--pixels", action="store_true", default=None, help="observe what the environment renders")
    images.add_argument("--max-and-skip", type=positive_int, metavar="N", help="repeat actions, maximum of two frames")
    images.add_argument("--grayscale", action="store_true", default=None, help="grey images")
    images.add_argument("--resize", type=positive_int, metavar="N", help="images of N x N")
    images.add_argument("--frame-stack", type=positive_int, metavar="N", help="the last N observations at once")

    add_machine(parser)
    return parser


def add_recording(parser: argparse.ArgumentParser) -> None:
    """How often a run is evaluated, saved and logged."""
    progress = parser.add_argument_group("evaluating, saving, logging; every N environment steps")
    progress.add_argument("--eval-freq", type=positive_int, metavar="N", help="evaluate (default: a tenth of the run)")
    progress.add_argument("--eval-episodes", type=positive_int, metavar="N", help="per evaluation (default: 10)")
    progress.add_argument(
        "--save-freq", type=positive_int, metavar="N", help="checkpoint (default: a tenth of the run)"
    )
    progress.add_argument("--keep", type=positive_int, metavar="K", help="newest checkpoints kept (default: 2)")
    progress.add_argument(
        "--log-interval", type=positive_int, metavar="N", help="log (default: a hundredth of the run)"
    )
    progress.add_argument(
        "--tensorboard",
        action=argparse.BooleanOptionalAction,
        help="write TensorBoard events (default for deep agents)",
    )
    progress.add_argument(
        "--clips",
        action=argparse.BooleanOptionalAction,
        help="film evaluations that are a new best, a quarter of the run apart (default for deep agents)",
    )


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Where a run computes, lands and shows itself."""
    machine = parser.add_argument_group("machine and output")
    machine.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda, cuda:1 …")
    machine.add_argument(
        "--num-threads", type=positive_int, metavar="N", help="torch threads (default: 1, fastest for small networks)"
    )
    machine.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    machine.add_argument("--name", help="of the run (default: run1, run2 …)")
    add_display(machine)  # type: ignore[arg-type]  # a group adds arguments as a parser does


def run(arguments: argparse.Namespace) -> int:
    """Train, showing progress; say where the run is."""
    return train_as(make_plan(arguments), arguments)


def train_as(plan: TrainingPlan, arguments: argparse.Namespace) -> int:
    """The same for a plan that is made."""
    from rlsuite.experiments.presets import show

    if arguments.show_config:
        print(show(plan), end="")
        return 0
    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments.training import train

    console = OutputConsole()
    with TrainingDisplay(arguments, console, plan.n_timesteps) as display:
        _, folder = train(plan, display, minutes=arguments.minutes)
    console.print(f"run: {folder}", highlight=False, markup=False, soft_wrap=True)
    return 0


def make_plan(arguments: argparse.Namespace) -> TrainingPlan:
    """The plan that the arguments ask for, checked before anything runs."""
    from rlsuite.experiments import presets
    from rlsuite.experiments.env_arguments import parse_env_kwargs
    from rlsuite.experiments.settings import values_for

    given = {name: getattr(arguments, name) for name in SETTINGS if getattr(arguments, name) is not None}
    in_file = presets.read_config_file(arguments.config).settings if arguments.config else {}
    env_id, algo = (given.get(name, in_file.get(name)) for name in ("env", "algo"))
    if isinstance(algo, str) and arguments.assignments:
        given["hyperparameters"] = values_for(algo, arguments.assignments)
    if isinstance(env_id, str) and arguments.env_kwargs:
        given["env_kwargs"] = parse_env_kwargs([env_id], arguments.env_kwargs)[env_id]
    flags = {name: getattr(arguments, name) for name in PREPROCESSING if getattr(arguments, name) is not None}
    if flags:
        given["preprocessing"] = flags
    return presets.make_plan(given, config=arguments.config, out=arguments.out, name=arguments.name)
