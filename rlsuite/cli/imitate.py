"""``rlsuite imitate``: train a policy that makes the simulated humanoid perform a clip, and perhaps reach a goal."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli import resume, train
from rlsuite.cli.arguments import add_env_kwargs, add_minutes, add_set, positive_int, seed
from rlsuite.cli.motion.clips import CLIP_HELP
from rlsuite.errors import HyperparameterError

if TYPE_CHECKING:
    from rlsuite.experiments.run_prior import RunPrior
    from rlsuite.experiments.training_plan import TrainingPlan


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "imitate",
        help="train the simulated humanoid to perform a clip",
        description="Train a policy that makes the simulated humanoid perform a clip. A motion file that is not on the "
        "humanoid goes the way of `rlsuite motion import` first. The run is one of `rlsuite train`, with the clip in its "
        "folder; `rlsuite evaluate` and `rlsuite play` measure and show it. With --goal the body performs the clip and does "
        "something besides: the reward is 0.7 imitation and 0.3 goal, or as --env-kwargs 'mix=(0.5, 0.5)' says.",
        epilog="example:  rlsuite imitate --clip walk --minutes 30",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--clip", nargs="+", metavar="CLIP", help=f"{CLIP_HELP}; several with --multi")
    parser.add_argument(
        "--multi",
        choices=("selector", "max"),
        help="several clips: selector: the one wanted, which changes at random; max: whichever the body performs best",
    )
    parser.add_argument(
        "--goal", metavar="NAME", help="heading, location, strike, throw, getup or push; each has a clip of its own"
    )
    what.add_argument(
        "--resume", type=Path, metavar="RUN", help="go on with a run, as `rlsuite resume` does; its settings stay"
    )
    parser.add_argument(
        "--reward", metavar="NAME", help="preset of the reward (default: deepmimic-code, or the goal's)"
    )
    parser.add_argument(
        "--prior", type=Path, metavar="FILE",
        help="a motion prior of `rlsuite prior fit --fps 30` that rewards what looks natural to it",
    )  # fmt: skip
    parser.add_argument(
        "--prior-weights", type=float, nargs=2, metavar=("REWARD", "PRIOR"),
        help="of the reward and of the prior's (default: 0.5 0.5; 0 1: the prior alone)",
    )  # fmt: skip
    add_minutes(parser)
    parser.add_argument(
        "-n",
        "--n-timesteps",
        type=positive_int,
        metavar="N",
        help="steps to learn from (default: the preset's, or 1e5)",
    )
    parser.add_argument("--algo", default="ppo", metavar="NAME", help="default: ppo")
    parser.add_argument(
        "--backend", choices=("rlsuite", "sb3"), default="rlsuite", help="whose algorithm; sb3: stable-baselines3's"
    )
    parser.add_argument(
        "--n-envs", type=positive_int, metavar="N", help="bodies simulated together (default: the preset's, or 64)"
    )
    parser.add_argument("--seed", type=seed, metavar="K", help="default: 0")
    add_set(parser, grid=False)
    add_env_kwargs(parser)
    parser.add_argument("--show-config", action="store_true", help="print all settings and their sources, and stop")
    train.add_recording(parser)
    train.add_machine(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Prepare the clip and train, or go on; say where the run is and what to do with it."""
    if arguments.resume is not None:
        _require_no_settings(arguments)
        arguments.trust = False
        return resume.go_on(arguments, arguments.resume)
    plan = make_plan(arguments)
    return train.train_as(plan, arguments)


def make_plan(arguments: argparse.Namespace) -> TrainingPlan:
    """The plan that the arguments ask for, checked, with the clip it takes along."""
    from rlsuite.cli.motion.import_ import tell
    from rlsuite.envs.humanoid.presets import reward_terms
    from rlsuite.experiments.env_arguments import parse_env_kwargs
    from rlsuite.experiments.imitation import all_arguments, environment_for
    from rlsuite.experiments.imitation.preparing import plan_imitation, prepare
    from rlsuite.experiments.presets import preset_layers
    from rlsuite.experiments.settings import values_for

    if arguments.clip is None and arguments.goal is None:
        raise HyperparameterError(
            "imitate what? give --clip CLIP, --goal NAME (it has a clip of its own) or --resume RUN"
        )
    env_id = environment_for(arguments.goal)
    algo = f"sb3:{arguments.algo}" if arguments.backend == "sb3" else arguments.algo
    given = {name: getattr(arguments, name, None) for name in train.SETTINGS if name not in ("env", "algo")}
    given = {name: value for name, value in given.items() if value is not None} | {"algo": algo}
    if not any("n_envs" in layer.settings for layer in preset_layers(algo, env_id)):
        given.setdefault("n_envs", 64)
    given["hyperparameters"] = values_for(algo, arguments.assignments) if arguments.assignments else {}
    env_kwargs = parse_env_kwargs([env_id], arguments.env_kwargs)[env_id]
    if "clip" in env_kwargs or "multi" in env_kwargs:
        raise HyperparameterError("--env-kwargs: clips are named by --clip, and how to perform several by --multi")
    if arguments.goal is not None:
        _require_goal(env_id, env_kwargs)
    if arguments.reward is not None:
        reward_terms(arguments.reward)
        env_kwargs["reward"] = arguments.reward
    prepared = [prepare(name) for name in arguments.clip or [all_arguments(env_id, {})["clip"]]]
    for _, source, imported in prepared:
        if imported is not None and not arguments.show_config:
            tell(source, imported)
    clips = [clip for clip, _, _ in prepared]
    if (len(clips) > 1) != (arguments.multi is not None):
        raise HyperparameterError("several clips after --clip need --multi selector or --multi max, and one takes none")
    if arguments.multi is not None:
        env_kwargs["multi"] = arguments.multi
    given["env"] = env_id
    given["env_kwargs"] = env_kwargs
    return plan_imitation(clips, given, out=arguments.out, name=arguments.name, prior=_prior(arguments))


def _prior(arguments: argparse.Namespace) -> RunPrior | None:
    """What ``--prior`` and ``--prior-weights`` ask for."""
    from rlsuite.experiments.run_prior import RunPrior

    if arguments.prior is None:
        if arguments.prior_weights is not None:
            raise HyperparameterError("--prior-weights needs --prior FILE")
        return None
    if arguments.backend == "sb3":
        raise HyperparameterError("--prior is for the suite's own algorithms: leave --backend sb3 out")
    weights = {} if arguments.prior_weights is None else {"weights": arguments.prior_weights}
    return RunPrior.from_dict({"file": str(arguments.prior), **weights}, "--prior-weights")


def _require_goal(env_id: str, env_kwargs: dict[str, Any]) -> None:
    """The goal of ``env_kwargs``, which has its numbers, is that of the environment; the mix is one."""
    from rlsuite.envs.humanoid.goals import make_goal, mixture
    from rlsuite.experiments.imitation import all_arguments

    asked, given = all_arguments(env_id, {})["goal"], env_kwargs.get("goal")
    if "goal" in env_kwargs and make_goal(given).name != asked:
        raise HyperparameterError(
            f"--goal {asked} takes its numbers as --env-kwargs 'goal={{\"{asked}\": {{…}}}}', not {given!r}"
        )
    mixture(make_goal(asked), env_kwargs.get("mix"))


def _require_no_settings(arguments: argparse.Namespace) -> None:
    names = (*train.SETTINGS, "goal", "multi", "reward", "prior", "prior_weights", "assignments", "env_kwargs", "name")
    chosen = [name for name in names if name not in ("algo", "n_timesteps") and getattr(arguments, name, None)]
    if chosen:
        raise HyperparameterError(
            f"--resume goes on with the settings of the run; leave out {', '.join(sorted(chosen))} (-n and --minutes are "
            "fine)"
        )
