"""``rlsuite play``: watch the policy of a run, in a window or on film."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rlsuite.cli import composite, imitation
from rlsuite.cli.arguments import port, positive_int, positive_number, seed
from rlsuite.errors import InvalidEnvironmentError

SUFFIXES = (".mp4", ".gif")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "play",
        help="watch the policy of a run",
        description="Play episodes with a run's policy: in a window where there is a screen, else on film, in RUN/videos. "
        "A policy that imitates a clip acts in the browser, where it can be pushed (needs rlsuite[viewer]), or in files.",
        epilog="example:  rlsuite play RUN --video walk.mp4",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a run, or a shipped policy's name")
    parser.add_argument("--checkpoint", metavar="NAME", help="last (default), best, 5000_steps …")
    parser.add_argument("--episodes", type=positive_int, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--window", action=argparse.BooleanOptionalAction, help="open a window (default: where there is a screen)"
    )
    parser.add_argument("--video", type=video, metavar="FILE", help="film to this .mp4 or .gif, without a window")
    clip = parser.add_argument_group("policies that imitate a clip")
    clip.add_argument("--strip", type=Path, metavar="FILE", help="write a row of poses, the reference below: .png")
    clip.add_argument(
        "--clip",
        nargs="+",
        metavar="NAME",
        help="of several clips those to perform in these files, one after the other",
    )
    clip.add_argument("--rollout", type=Path, metavar="FILE", help="write what the body did as a clip: .npz")
    clip.add_argument(
        "--seconds", type=positive_number, metavar="S", help="of these files (default: 10; a strip: a cycle)"
    )
    clip.add_argument("--port", type=port, default=8080, help="of the page on 127.0.0.1 (default: 8080)")
    clip.add_argument("--no-browser", action="store_true", help="only print the page's address")
    composite.add_arguments(parser)
    add_policy(parser)
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="of the episodes (default: 0)")
    parser.add_argument("--trust", action="store_true", help="import the modules the run names, which runs their code")
    return parser


def add_policy(parser: argparse.ArgumentParser) -> None:
    """``--deterministic`` and ``--stochastic``."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--deterministic", action="store_true", help="always take the most probable action")
    how.add_argument(
        "--stochastic",
        action="store_true",
        help="draw actions (default: deterministic for deep agents, else whichever the policy learned is)",
    )


def video(text: str) -> Path:
    """A path that ends in .mp4 or .gif."""
    path = Path(text)
    if path.suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a film; its name must end in {' or '.join(SUFFIXES)}")
    return path


def run(arguments: argparse.Namespace) -> int:
    """Play the episodes; print their returns, and where the film is."""
    from rlsuite.agents.evaluation import episode_seeds, run_episodes
    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments.imitation.performers import performs
    from rlsuite.experiments.loading import load_checkpoint, what_was_run
    from rlsuite.experiments.recording import VIDEOS, evaluates_deterministically
    from rlsuite.screen import has_screen
    from rlsuite.seeding import run_seeds

    if arguments.composite:
        return composite.play(arguments)
    if performs(arguments.run_folder):
        return imitation.play(arguments)
    if arguments.strip or arguments.rollout or arguments.clip:
        raise InvalidEnvironmentError("--strip, --rollout and --clip are for policies that imitate a clip")
    agent, name = load_checkpoint(
        arguments.run_folder, arguments.checkpoint, trust=arguments.trust, training_state=False
    )
    _, environment = what_was_run(arguments.run_folder, trust=arguments.trust)
    deterministic = arguments.deterministic or (evaluates_deterministically(agent) and not arguments.stochastic)
    seeds = episode_seeds(run_seeds(arguments.seed).evaluation, arguments.episodes)
    console = OutputConsole()
    window = arguments.window if arguments.window is not None else has_screen() and arguments.video is None
    if window:
        if not has_screen():
            raise InvalidEnvironmentError("there is no screen for a window; leave --window out for a film")
        env = environment.single("human")
        try:
            returns, lengths = run_episodes(agent, env, seeds, deterministic=deterministic)
        finally:
            env.close()
    else:
        path = arguments.video or arguments.run_folder / VIDEOS / f"{name}.mp4"
        returns, lengths = film(path, agent, environment, seeds, deterministic)
        console.print(f"film: {path}", highlight=False, markup=False, soft_wrap=True)
    for total, length in zip(returns, lengths, strict=True):
        console.print(f"return {total:g} in {length} steps", highlight=False)
    return 0


def film(path: Path, agent: Any, environment: Any, seeds: list[int], deterministic: bool) -> Any:
    """Film one episode per seed to an MP4 or GIF; returns and lengths.

    Raises:
        InvalidEnvironmentError: the environment cannot be rendered here.
    """
    from rlsuite.experiments.video import record_episodes, record_mp4
    from rlsuite.films import write_gif
    from rlsuite.screen import off_screen

    with off_screen():
        env = environment.single("rgb_array")
        try:
            if path.suffix.lower() == ".mp4":
                return record_mp4(path, agent, env, seeds, deterministic=deterministic)
            recording = record_episodes(agent, env, seeds, deterministic=deterministic)
        finally:
            env.close()
    write_gif(path, recording.frames, recording.fps)
    return recording.returns, recording.lengths
