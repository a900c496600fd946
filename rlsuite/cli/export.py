"""``rlsuite export``: the policy of a run for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "export",
        help="write the policy of a run as ONNX",
        description="Write the deterministic policy of a deep agent, normalisation and action scaling included, as an "
        "ONNX graph for batches of any size, after checking that it answers as the agent does. Needs rlsuite[onnx].",
        epilog="example:  rlsuite export runs/CartPole-v1/dqn/run1-s0 --onnx cartpole.onnx",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--onnx", type=Path, nargs="?", const=None, metavar="FILE", required=True, help="default: RUN/policy.onnx"
    )
    parser.add_argument("--checkpoint", metavar="NAME", help="last (default), best, 5000_steps …")
    parser.add_argument("--trust", action="store_true", help="import the modules the run names, which runs their code")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Export; say where to."""
    from rlsuite.experiments.exporting import SAMPLES, export_onnx, require_onnx
    from rlsuite.experiments.loading import load_checkpoint

    require_onnx()
    agent, checkpoint = load_checkpoint(arguments.run_folder, arguments.checkpoint, trust=arguments.trust)
    target = arguments.onnx or arguments.run_folder / "policy.onnx"
    path = export_onnx(agent, target, run=str(arguments.run_folder))
    print(f"checkpoint {checkpoint} as {path}, which answers as the agent does on {SAMPLES} observations")
    return 0
