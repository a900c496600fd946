"""``rlsuite motion check``: what is wrong with a clip, and mending it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rlsuite.cli.motion import clips


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="find what is wrong with a clip, and mend it",
        description="Penetration, floating, foot skate, self-collision, joint limits, leaps, jitter and forces, frame by "
        "frame. The exit status is 0 where the verdict is ok or warn, and 1 where it is bad.",
        epilog="example:  rlsuite motion check walk.npz --fix --out mended.npz",
    )
    parser.add_argument("clip", metavar="CLIP", help=clips.CLIP_HELP)
    parser.add_argument("--fix", action="store_true", help="mend height, spikes and skate, and say what was changed")
    parser.add_argument("--out", type=Path, metavar="CLIP", help="where --fix writes to (default: NAME-fixed.npz)")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    clips.add_body(parser, "the clip's body, where it is not the humanoid")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    clips.add_reading(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from rlsuite.errors import MotionError
    from rlsuite.motion import clip_files, models, quality
    from rlsuite.motion.mending import Change, mend

    out: Path = arguments.out or Path(f"{Path(arguments.clip).stem}-fixed.npz")
    if arguments.fix:
        clips.clip_output(out, force=arguments.force)
    elif arguments.out:
        raise MotionError("--out is where --fix writes to; give --fix as well")
    clip = clips.read(arguments.clip, arguments)
    model = models.from_mjcf(arguments.body) if arguments.body else None
    report = quality.check(clips.named(clip, arguments.clip), model=model)
    changes: tuple[Change, ...] = ()
    if arguments.fix:
        mended, changes = mend(clip, report, model=model)
        after = quality.check(clips.named(mended, str(out)), model=model)
        clip_files.save(after.marked(mended), out)
    if arguments.json:
        result = report.to_dict()
        if arguments.fix:
            result |= {"changes": [change.to_dict() for change in changes], "fixed": after.to_dict(), "out": str(out)}
        print(json.dumps(result))
    else:
        print(report.text())
        if arguments.fix:
            print()
            for change in changes:
                print(f"{'mended' if change.done else 'not mended'}: {change.text()}")
            print("nothing to mend" if not changes else after.text())
            print(f"written: {out}")
    return int((after if arguments.fix else report).verdict == "bad")
