"""``rlsuite motion synth``: motions made from numbers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rlsuite.cli.motion import clips


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "synth",
        help="make a walk, run, jump … from numbers",
        description="Make a motion of the humanoid: gaits from published joint angles, other motions from key poses. "
        "Without a name, list what can be made.",
        epilog="example:  rlsuite motion synth walk --set speed=1.4 --out brisk.npz",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="of the motion (default: list all)")
    parser.add_argument(
        "--set", dest="assignments", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="e.g. speed=1.4"
    )
    parser.add_argument("--out", type=Path, metavar="CLIP", help="default: NAME.npz in this folder")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser


def run(arguments: argparse.Namespace) -> int:
    from rlsuite.motion import clip_files, quality, synthesis

    if arguments.name is None:
        for name, motion in synthesis.MOTIONS.items():
            print(f"{name:<12} {motion.help}")
            for key, parameter in motion.parameters.items():
                default = "" if parameter.default is None else f" (default {parameter.default})"
                print(f"{'':<14}{key}: {parameter.help}, {parameter.allowed}{default}")
        return 0
    values = dict(_assignment(text) for text in arguments.assignments)
    clip = synthesis.make(arguments.name, **values)
    out = clips.clip_output(arguments.out or Path(f"{arguments.name}.npz"), force=arguments.force)
    report = quality.check(clip)
    clip_files.save(report.marked(clip), out)
    loop = "repeats" if clip.loop == "wrap" else "plays once"
    print(f"{out}: {clip.n_frames} frames at {clip.fps:g} Hz, {clip.duration:.2f} s, {loop}; check: {report.verdict}")
    return 0


def _assignment(text: str) -> tuple[str, float | str]:
    from rlsuite.errors import MotionError

    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise MotionError(f"--set {text!r} is not NAME=VALUE")
    try:
        return name, float(value)
    except ValueError:
        return name, value
