"""``rlsuite evaluate``: how good the policy of a run is."""

from __future__ import annotations

import argparse
import contextlib
import json
from pathlib import Path
from typing import Any

from rlsuite.cli import composite, imitation
from rlsuite.cli.arguments import positive_int, seed
from rlsuite.cli.play import add_policy, film, video


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="evaluate the policy of a run",
        description="Play episodes with a run's policy; where the environment has a model, print the exact value too. "
        "Of a policy that imitates a clip, measure how well: returns, falls, distances, foot skate, torques, pushes.",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a run, or a shipped policy's name")
    parser.add_argument(
        "--checkpoint", metavar="NAME", help="last (default), best, 5000_steps …, or s3 for seed 3 of a comparison"
    )
    parser.add_argument("--episodes", type=positive_int, metavar="N", help="default: 100; of a clip 32")
    composite.add_arguments(parser)
    add_policy(parser)
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="of the evaluation episodes (default: 0)")
    parser.add_argument("--video", type=video, metavar="FILE", help="film the first episode to this .mp4 or .gif")
    parser.add_argument("--trust", action="store_true", help="import the modules the run names, which runs their code")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print mean, spread and exact value."""
    import numpy as np

    from rlsuite.agents.evaluation import episode_seeds, evaluate_policy
    from rlsuite.experiments.imitation.performers import performs
    from rlsuite.experiments.loading import choose_checkpoint, load_checkpoint, what_was_run
    from rlsuite.experiments.recording import evaluates_deterministically
    from rlsuite.seeding import run_seeds

    if arguments.composite:
        return composite.evaluate(arguments)
    if performs(arguments.run_folder):
        return imitation.evaluate(arguments)
    arguments.episodes = arguments.episodes or 100
    agent: Any
    agent, _ = load_checkpoint(arguments.run_folder, arguments.checkpoint, trust=arguments.trust, training_state=False)
    _, environment = what_was_run(arguments.run_folder, trust=arguments.trust)
    learned = evaluates_deterministically(agent)
    deterministic = arguments.deterministic or (learned and not arguments.stochastic)
    seed = run_seeds(arguments.seed).evaluation
    with environment.rendering(), contextlib.closing(environment.single()) as env:
        returns, lengths = evaluate_policy(
            agent,
            env,
            n_eval_episodes=arguments.episodes,
            deterministic=deterministic,
            seed=seed,
            return_episode_rewards=True,
        )
    result: dict[str, float | str] = {
        "checkpoint": choose_checkpoint(arguments.run_folder, arguments.checkpoint),
        "timesteps": agent.num_timesteps,
        "policy": "deterministic" if deterministic else "stochastic",
        "episodes": arguments.episodes,
        "mean_reward": float(np.mean(returns)),
        "std_reward": float(np.std(returns)),
        "mean_ep_length": float(np.mean(lengths)),
    }
    if arguments.video:  # the first of the episodes above, once more
        film(arguments.video, agent, environment, episode_seeds(seed, arguments.episodes)[:1], deterministic)
        result["video"] = str(arguments.video)
    if deterministic == learned and hasattr(agent, "target_policy"):  # the policy played is the policy learned
        result |= _exact(agent)
    if arguments.json:
        print(json.dumps(result))
        return 0
    from rich.table import Table

    from rlsuite.cli.console import OutputConsole

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in result.items():
        table.add_row(name, value if isinstance(value, str) else f"{value:,.6g}")
    OutputConsole().print(table)
    return 0


def _exact(agent: Any) -> dict[str, float | str]:
    """What the learned policy earns exactly, beside the optimum; nothing without a model."""
    from rlsuite.agents.tabular.evaluation import finite_horizon_optimum, finite_horizon_value
    from rlsuite.envs.finite.mdp import DEFAULT_HORIZON, FiniteMDP
    from rlsuite.errors import ModelUnavailableError

    try:
        mdp = FiniteMDP.from_env(agent.env)  # not agent.mdp, which exploring starts change
    except ModelUnavailableError:
        return {}
    horizon = mdp.max_episode_steps or DEFAULT_HORIZON
    optimum = "optimal_return" if mdp.fully_observed else "optimal_return_seeing_the_state"
    return {
        "horizon": horizon,
        "exact_return": finite_horizon_value(mdp, agent.target_policy(), horizon),
        optimum: finite_horizon_optimum(mdp, horizon),
    }
