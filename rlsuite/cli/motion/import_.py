"""``rlsuite motion import``: a file becomes a clean clip on the humanoid."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.motion import clips

if TYPE_CHECKING:
    from rlsuite.motion.clip import MotionClip
    from rlsuite.motion.importing import Imported


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "import",
        help="put a motion file onto the humanoid, checked and mended",
        description="Read a motion file of any known format, retarget it to the humanoid (or another body), check it, "
        "mend what can be mended, and write a clip.",
        epilog="example:  rlsuite motion import 01_01.bvh --out jump.npz",
    )
    parser.add_argument("file", metavar="FILE", help=clips.CLIP_HELP)
    parser.add_argument("--out", type=Path, metavar="CLIP", help="default: the file's name with .npz in this folder")
    parser.add_argument("--fps", type=float, metavar="HZ", help="frames per second of the clip (default: the file's)")
    clips.add_body(parser, "another body to retarget to (default: the humanoid)")
    parser.add_argument("--map", type=Path, metavar="JSON", help="roles of the file's bodies, where names do not tell")
    parser.add_argument("--scale", type=float, metavar="X", help="of the path (default: the ratio of leg lengths)")
    parser.add_argument("--no-fix", action="store_true", help="only check, mend nothing")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--verbose", "-v", action="store_true", help="print the whole reports")
    clips.add_reading(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from rlsuite.errors import MotionError
    from rlsuite.motion import catalogue, clip_files, inverse_kinematics, models
    from rlsuite.motion.body import skeleton as humanoid
    from rlsuite.motion.importing import import_clip
    from rlsuite.motion.skeleton import Skeleton

    read_from = catalogue.locate(arguments.file)
    out = arguments.out or Path(f"{read_from.stem}.npz")
    if not arguments.out and out.exists() and out.samefile(read_from):
        raise MotionError(f"{out} is the file that is read; name the clip with --out")
    clips.clip_output(out, force=arguments.force)
    if arguments.fps is not None and not 1.0 <= arguments.fps <= 1000.0:
        raise MotionError(f"--fps must be a number from 1 to 1000, not {arguments.fps:g}")
    model = models.from_mjcf(arguments.body) if arguments.body else None
    target = None if model is None else Skeleton.from_model(model, arguments.body.stem)
    source = clips.read(arguments.file, arguments)
    if not source.skeleton.same_tree(target or humanoid()) and not inverse_kinematics.compiled_before():
        print("compiling   inverse kinematics for this machine (first use only; kept for next time)", flush=True)
    done = import_clip(
        source,
        target,
        mapping=arguments.map,
        scale=arguments.scale,
        fps=arguments.fps,
        fix=not arguments.no_fix,
        model=model,
    )
    clip_files.save(done.clip, out)
    tell(source, done, verbose=arguments.verbose)
    unused = [name for name, value in (("--map", arguments.map), ("--scale", arguments.scale)) if value is not None]
    if unused and done.retargeting is None:
        print(f"not used    {' and '.join(unused)}: nothing was retargeted")
    if done.after.verdict != "ok" and not arguments.verbose:
        body = f" --body {shlex.quote(str(arguments.body))}" if arguments.body else ""
        print(f"            rlsuite motion check {shlex.quote(str(out))}{body} tells what is left")
    print(f"written     {out}")
    return 0


def tell(source: MotionClip, done: Imported, *, verbose: bool = False) -> None:
    """What importing has done to ``source``."""
    print(
        f"read        {source.n_frames} frames at {source.fps:g} Hz, {source.duration:.2f} s, on {source.skeleton.name!r}"
    )
    if done.retargeting is None:
        print("retargeted  not needed: it is on this body already")
    elif verbose:
        print(done.retargeting)
    else:
        report = done.retargeting
        error = report.end_effector_error
        print(
            f"retargeted  to {report.target!r}, scaled by {report.scale:.3f}: hands and feet within {error.mean:.1f} cm "
            f"(95 %: {error.p95:.1f}), {report.limit_violations} joint-limit violations, feet slide "
            f"{report.slide.mean:.1f} cm/s"
        )
    for change in done.changes:
        if change.done or verbose:
            print(f"{'mended' if change.done else 'not mended':<11} {change.text()}")
    if undone := [change.step for change in done.changes if not change.done and not verbose]:
        print(f"not mended  {', '.join(undone)}: each would make something else worse (--verbose says what)")
    counts = [int((done.after.frame_verdicts == level).sum()) for level in range(3)]
    print(
        f"checked     {done.after.verdict}: {counts[0]} frames ok, {counts[1]} warn, {counts[2]} bad; a simulation can "
        f"start from {int(done.after.startable.sum())}"
    )
    if verbose:
        print(done.after.text())
