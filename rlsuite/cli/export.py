"""``rlsuite export``: the policy of a run for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

IN_THE_RUN = Path()  # --onnx without a file


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "export",
        help="write the policy of a run as ONNX, or as a small file that plays by itself",
        description="Write the deterministic policy of a deep agent, normalisation and action scaling included, as an "
        "ONNX graph for batches of any size, after checking that it answers as the agent does (needs rlsuite[onnx]). A "
        "policy that imitates a clip can be written, once measured, as a small file that `rlsuite play` takes.",
        epilog="example:  rlsuite export runs/CartPole-v1/dqn/run1-s0 --onnx cartpole.onnx",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a run")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--onnx", type=Path, nargs="?", const=IN_THE_RUN, metavar="FILE", help="default: RUN/policy.onnx")
    how.add_argument("--policy", type=Path, metavar="FILE", help="network and normaliser (.safetensors), with a card")
    parser.add_argument("--checkpoint", metavar="NAME", help="last (default), best, 5000_steps …")
    parser.add_argument("--trust", action="store_true", help="import the modules the run names, which runs their code")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Export; say where to."""
    if arguments.policy is not None:
        return _write_policy(arguments)
    from rlsuite.experiments.exporting import SAMPLES, export_onnx, require_onnx
    from rlsuite.experiments.loading import load_checkpoint

    require_onnx()
    agent, checkpoint = load_checkpoint(arguments.run_folder, arguments.checkpoint, trust=arguments.trust)
    target = arguments.run_folder / "policy.onnx" if arguments.onnx == IN_THE_RUN else arguments.onnx
    path = export_onnx(agent, target, run=str(arguments.run_folder))
    print(f"checkpoint {checkpoint} as {path}, which answers as the agent does on {SAMPLES} observations")
    return 0


def _write_policy(arguments: argparse.Namespace) -> int:
    """Measure the policy and write it with a card."""
    from rlsuite.errors import RecordError
    from rlsuite.experiments.imitation.performers import is_policy, performer, performs
    from rlsuite.experiments.imitation.shipping import ship

    source = arguments.run_folder
    if arguments.policy.suffix != ".safetensors":
        raise RecordError(f"--policy {arguments.policy}: the file's name must end in .safetensors")
    if not performs(source) or is_policy(source):
        raise RecordError(f"{source}: only a run that imitates a clip can be written as such a policy")
    card = ship(performer(source, arguments.checkpoint, trust=arguments.trust), arguments.policy)
    size = arguments.policy.stat().st_size
    print(f"{arguments.policy}: {size / 1024:.0f} kB, normalised return {card['normalised_return']:.2f} or more")
    return 0
