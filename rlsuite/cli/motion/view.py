"""``rlsuite motion view``: clips in the browser, as a film, or as a strip of poses."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.arguments import port, positive_int
from rlsuite.cli.motion import clips

if TYPE_CHECKING:
    import mujoco

    from rlsuite.motion.clip import MotionClip


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "view",
        help="show clips in the browser, as a film or as a strip of poses",
        description="Show clips side by side: in the browser with a timeline (needs rlsuite[viewer]), or with --video and "
        "--strip as files, which need no screen and no graphics driver.",
        epilog="example:  rlsuite motion view walk run --video gaits.mp4",
    )
    parser.add_argument("clips", nargs="+", metavar="CLIP", help=clips.CLIP_HELP)
    parser.add_argument("--ghost", metavar="CLIP", help="a reference shown transparent over the first clip")
    clips.add_body(parser, "draw the clips that are on this body as it, not as a figure of sticks")
    parser.add_argument("--port", type=port, default=8080, help="of the page on 127.0.0.1 (default: 8080)")
    parser.add_argument("--no-browser", action="store_true", help="only print the page's address")
    files = parser.add_argument_group("files instead of the browser")
    files.add_argument("--video", type=Path, metavar="FILE", help="write a film: .mp4 or .gif")
    files.add_argument(
        "--strip", type=Path, metavar="FILE", help="write a row of poses: .png (of several clips: one each)"
    )
    files.add_argument("--poses", type=positive_int, default=8, metavar="N", help="in a strip (default: 8)")
    files.add_argument("--seconds", type=float, metavar="S", help="of motion (default: the longest clip)")
    files.add_argument("--speed", type=float, default=1.0, metavar="X", help="0.5 is slow motion (default: 1)")
    files.add_argument("--size", type=_size, default=(960, 540), metavar="WxH", help="of a film (default: 960x540)")
    files.add_argument("--still-camera", action="store_true", help="a camera that stands and sees all of the motion")
    files.add_argument(
        "--backend", choices=("auto", "mujoco", "software"), default="auto", help="renderer (default: auto)"
    )
    clips.add_reading(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    if arguments.video or arguments.strip:
        _check_outputs(arguments)
    shown = [clips.named(clips.read(name, arguments), name) for name in arguments.clips]
    ghost = clips.find(arguments.ghost) if arguments.ghost else None
    body = _body(arguments.body, [*shown, *([ghost] if ghost else [])])
    if arguments.video or arguments.strip:
        _write(shown, ghost, body, arguments)
        return 0
    from rlsuite.motion.viewer import Viewer

    viewer = Viewer(shown, ghosts=[ghost] if ghost else (), body=body, port=arguments.port)
    try:
        print(f"{', '.join(clip.name for clip in shown)} at {viewer.url} (Ctrl-C to stop)", flush=True)
        if not arguments.no_browser:
            import webbrowser

            webbrowser.open(viewer.url)
        viewer.wait()
    except KeyboardInterrupt:
        print()
    finally:
        viewer.close()
    return 0


def _check_outputs(arguments: argparse.Namespace) -> None:
    """What cannot be written is told before anything is drawn."""
    from rlsuite.motion.render.video import SUFFIXES, checked_suffix

    for option, path, suffixes in (("--video", arguments.video, SUFFIXES), ("--strip", arguments.strip, (".png",))):
        if path:
            checked_suffix(clips.output(path, option), suffixes)


def _body(path: Path | None, shown: list[MotionClip]) -> mujoco.MjModel | None:
    """The model that ``--body`` names."""
    if path is None:
        return None
    from rlsuite.errors import MotionError
    from rlsuite.motion import models

    model = models.from_mjcf(path)
    if not any(models.is_body_of(model, clip.skeleton) for clip in shown):
        raise MotionError(f"--body {path}: no clip is on it; `rlsuite motion import FILE --body {path}` makes one")
    return model


def _write(
    shown: list[MotionClip], ghost: MotionClip | None, body: mujoco.MjModel | None, arguments: argparse.Namespace
) -> None:
    from rlsuite.motion import filming

    if arguments.video:
        width, height = arguments.size
        with renderer_log(), frame_progress() as progress:
            path = filming.film_clips(
                arguments.video, shown, ghost=ghost, body=body, seconds=arguments.seconds, speed=arguments.speed,
                width=width, height=height, follow=not arguments.still_camera, backend=arguments.backend, progress=progress,
            )  # fmt: skip
        print(path)
    if arguments.strip:
        for i, clip in enumerate(shown):
            strip: Path = arguments.strip
            path = strip if len(shown) == 1 else strip.with_stem(f"{strip.stem}-{i + 1}-{clip.name or 'clip'}")
            print(filming.strip_clip(path, clip, n=arguments.poses, body=body))


@contextmanager
def renderer_log() -> Iterator[None]:
    """The renderer says which one it is; other libraries say nothing."""
    import logging

    logger, handler = logging.getLogger("rlsuite"), logging.StreamHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def frame_progress() -> Iterator[Callable[[int, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from rlsuite.cli.console import OutputConsole

    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=OutputConsole(stderr=True), transient=True)
    task = bar.add_task("frames", total=None)

    def show(done: int, total: int) -> None:
        if not bar.console.is_terminal:  # where it would leave an empty line
            return
        bar.start()  # at the first frame: an error before that is its own line
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size; one looks like 960x540") from None
    if not (16 <= width <= 3840 and 16 <= height <= 3840) or width % 2 or height % 2:
        raise argparse.ArgumentTypeError(f"{text!r}: width and height are even numbers from 16 to 3840")
    return width, height
