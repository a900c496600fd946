"""``rlsuite motion metrics``: how far one motion is from another."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rlsuite.cli.motion import clips


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "metrics",
        help="how far one motion is from another",
        description="Position errors (global, root-aligned, Procrustes-aligned), joint angles, velocities, accelerations, "
        "dynamic time warping and foot skate of two clips; docs/motion-metrics.md defines each.",
        epilog="example:  rlsuite motion metrics performed.npz reference.npz",
    )
    parser.add_argument("a", metavar="A", help=clips.CLIP_HELP)
    parser.add_argument("b", metavar="B", help="the reference it is measured against")
    parser.add_argument("--band", type=float, metavar="SECONDS", help="how far time warping may shift (default: any)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from rlsuite.errors import MotionError
    from rlsuite.motion import metrics

    if arguments.band is not None and not 0.0 <= arguments.band < float("inf"):
        raise MotionError(f"--band is a number of seconds from 0, not {arguments.band:g}")
    result = metrics.compare(clips.find(arguments.a), clips.find(arguments.b), band=arguments.band)
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, unit in metrics.UNITS.items():
            value = result[name]
            text = (
                "does not apply" if value is None else str(value) if isinstance(value, bool) else f"{value:.4g} {unit}"
            )
            print(f"{name:<20} {text}")
        print(f"over {result['frames']} frames at {result['fps']:.4g} Hz, {result['points']} points")
        for note in result["notes"]:
            print(f"note: {note}")
    return 0
