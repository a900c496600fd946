"""``rlsuite evaluate``: how good the policy of a run is."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rlsuite.cli.arguments import positive_int, seed


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "evaluate",
        help="evaluate the policy of a run",
        description="Play episodes with a run's policy; where the environment has a model, print the exact value too.",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--checkpoint", metavar="NAME", help="last, best, or s3 for seed 3 of a comparison")
    parser.add_argument("--episodes", type=positive_int, default=100, metavar="N", help="default: 100")
    parser.add_argument("--stochastic", action="store_true", help="sample actions instead of the most probable one")
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="of the evaluation episodes (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print mean, spread and exact value."""
    import numpy as np

    from rlsuite.agents.evaluation import evaluate_policy
    from rlsuite.experiments.loading import load
    from rlsuite.seeding import run_seeds

    agent: Any = load(arguments.run_folder, arguments.checkpoint)
    returns, lengths = evaluate_policy(
        agent,
        agent.env,
        n_eval_episodes=arguments.episodes,
        deterministic=not arguments.stochastic,
        seed=run_seeds(arguments.seed).evaluation,
        return_episode_rewards=True,
    )
    result: dict[str, float] = {
        "episodes": arguments.episodes,
        "mean_reward": float(np.mean(returns)),
        "std_reward": float(np.std(returns)),
        "mean_ep_length": float(np.mean(lengths)),
    }
    if agent.mdp is not None and not arguments.stochastic:
        from rlsuite.agents.tabular.evaluation import finite_horizon_optimum, finite_horizon_value
        from rlsuite.experiments.runner import DEFAULT_HORIZON

        horizon = agent.mdp.max_episode_steps or DEFAULT_HORIZON
        result["horizon"] = horizon
        result["exact_return"] = finite_horizon_value(agent.mdp, agent.target_policy(), horizon)
        result["optimal_return"] = finite_horizon_optimum(agent.mdp, horizon)
    if arguments.json:
        print(json.dumps(result))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in result.items():
        table.add_row(name, f"{value:,.6g}")
    Console().print(table)
    return 0
