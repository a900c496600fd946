"""``rlsuite tune``: search for hyperparameters."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.arguments import add_env_kwargs, add_set, positive_int, seed

if TYPE_CHECKING:
    from rlsuite.experiments.tuning import TuningPlan


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "tune",
        help="search for hyperparameters",
        description="Try hyperparameters that Optuna proposes, stop trials that others were better than, and write the "
        "best as a file for `rlsuite train --config`. A search that was stopped, or killed, goes on with the same "
        "command. Trials are scored on seeds of their own, not on those you report with. Needs rlsuite[tune].",
        epilog="example:  rlsuite tune --algo dqn --env CartPole-v1 --trials 50 -n 20000",
    )
    parser.add_argument("--algo", required=True, metavar="NAME", help="see `rlsuite list algos`")
    parser.add_argument("--env", required=True, metavar="ID", help="Gymnasium id, or my_module:My-v0")
    parser.add_argument("--trials", type=positive_int, default=50, metavar="N", help="in all (default: 50)")
    parser.add_argument("-n", "--n-timesteps", type=positive_int, metavar="N", help="steps of each run")
    parser.add_argument("--n-envs", type=positive_int, metavar="N", help="environments stepped together (deep agents)")
    parser.add_argument("--seeds", type=positive_int, default=1, metavar="K", help="runs per trial (default: 1)")
    parser.add_argument("--evaluations", type=positive_int, default=10, metavar="K", help="per run (default: 10)")
    parser.add_argument("--eval-episodes", type=positive_int, metavar="N", help="per evaluation (default: 10)")
    parser.add_argument("--sampler", choices=("tpe", "random"), default="tpe", help="default: tpe")
    parser.add_argument("--pruner", choices=("median", "none"), default="median", help="default: median")
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="of the search (default: 0)")
    add_set(parser, grid=False)
    add_env_kwargs(parser)
    parser.add_argument("--jobs", type=positive_int, default=1, metavar="J", help="processes (default: 1)")
    parser.add_argument("--timeout", type=positive_int, metavar="SECONDS", help="begin no trial after that long")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda, cuda:1 …")
    parser.add_argument("--study-name", default="study", metavar="NAME", help="default: study")
    parser.add_argument("--storage", type=Path, metavar="FILE", help="journal, or SQLite if it ends in .db")
    parser.add_argument("--out", type=Path, default=Path("tuning"), metavar="DIR", help="default: tuning")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Tune, a line for every trial; then the best setting."""
    from rlsuite.experiments.tuning_storage import require_optuna

    require_optuna()
    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments.tuning import tune
    from rlsuite.experiments.tuning_report import importances, outcome, write_report
    from rlsuite.experiments.tuning_storage import counted

    console = OutputConsole()
    plan = make_plan(arguments)

    def show(study: Any, trial: Any) -> None:
        settings = "  ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in trial.params.items())
        why = f"  ({trial.user_attrs['failure']})" if "failure" in trial.user_attrs else ""
        line = f"trial {trial.number:<3} {outcome(trial):>8}  {settings}{why}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    study = tune(plan, show)
    path = write_report(plan, study)
    states = [trial.state.name for trial in counted(study)]
    best = study.best_trial
    console.print(
        f"\n{len(states)} trials: {states.count('COMPLETE')} complete, {states.count('PRUNED')} pruned, "
        f"{states.count('FAIL')} failed; best {study.best_value:.4g} (trial {best.number})",
        highlight=False,
    )
    _print_best(console, best.params, importances(study))
    console.print(f"report: {plan.folder / 'index.html'}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"train:  rlsuite train --config {path}", highlight=False, markup=False, soft_wrap=True)
    return 0


def make_plan(arguments: argparse.Namespace) -> TuningPlan:
    """The plan that the arguments ask for, checked before anything runs."""
    from rlsuite.errors import RecordError
    from rlsuite.experiments import presets
    from rlsuite.experiments.env_arguments import parse_env_kwargs
    from rlsuite.experiments.records import run_folder, slug
    from rlsuite.experiments.settings import values_for
    from rlsuite.experiments.tuning import TuningPlan

    if slug(arguments.study_name) != arguments.study_name:
        raise RecordError(f"{arguments.study_name!r} cannot be a --study-name; use letters, digits and . _ = , + -")
    names = ("env", "algo", "n_timesteps", "n_envs", "seed", "eval_episodes", "device")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    fixed = values_for(arguments.algo, arguments.assignments)
    if arguments.env_kwargs:
        given["env_kwargs"] = parse_env_kwargs([arguments.env], arguments.env_kwargs)[arguments.env]
    training = presets.make_plan({**given, "hyperparameters": fixed})
    folder = run_folder(arguments.out, training.env_id, training.agent_type.name, arguments.study_name)
    return TuningPlan(
        training,
        trials=arguments.trials,
        folder=folder,
        storage=arguments.storage or folder / "study.journal",
        study_name=arguments.study_name,
        fixed=tuple(fixed),
        n_seeds=arguments.seeds,
        n_evaluations=arguments.evaluations,
        sampler=arguments.sampler,
        pruner=arguments.pruner,
        jobs=arguments.jobs,
        timeout=arguments.timeout,
    )


def _print_best(console: Any, params: dict[str, Any], weights: dict[str, float]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("hyperparameter", "best", "importance"):
        table.add_column(name, justify="left" if name == "hyperparameter" else "right")
    for name in sorted(params, key=lambda name: -weights.get(name, 0.0)):
        value = params[name]
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(name, shown, f"{weights[name]:.2f}" if name in weights else "")
    console.print(table)
