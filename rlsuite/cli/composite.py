"""``--composite``: what ``rlsuite evaluate`` and ``rlsuite play`` do with several policies that take turns."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli import imitation
from rlsuite.cli.arguments import positive_number
from rlsuite.errors import HyperparameterError

if TYPE_CHECKING:
    from rlsuite.experiments.imitation.composite import Composite

ROWS = {
    "mean_reward": ("", "mean reward"), "standing": ("%", "standing"), "falls": ("", "falls"),
    "got_up": ("", "got up again"), "changes_per_minute": ("/min", "changes"), "mpjpe_mm": ("mm", "MPJPE in the world"),
    "mpjpe_root_mm": ("mm", "MPJPE from the root"), "foot_skate_mm": ("mm/frame", "foot skate"),
    "torque_nm": ("N m", "mean torque of a joint"), "power_w": ("W", "mechanical power"),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--composite`` and its numbers."""
    group = parser.add_argument_group("several policies that take turns, by what their values promise")
    group.add_argument("--composite", type=Path, nargs="+", metavar="RUN", help="the others, besides the first RUN")
    group.add_argument(
        "--temperature", type=positive_number, metavar="T", help="of the draw: exp(value / T) (default: 0.3)"
    )
    group.add_argument(
        "--every", type=positive_number, metavar="S", help="seconds from draw to draw (default: where a clip ends)"
    )


def evaluate(arguments: argparse.Namespace) -> int:
    """Measure the composite policy; print a table or JSON."""
    from rlsuite.envs.humanoid.vector_env import CONTROL_RATE
    from rlsuite.experiments.imitation.composite import composite_summary, nothing
    from rlsuite.experiments.imitation.episodes import play as perform
    from rlsuite.experiments.imitation.evaluation import EPISODES
    from rlsuite.experiments.records import plain
    from rlsuite.seeding import run_seeds

    if arguments.video:
        imitation.require_suffix(arguments.video, "--video")
    env = _composite(arguments, arguments.episodes or EPISODES)
    episodes = perform(nothing, env, run_seeds(arguments.seed).evaluation)
    env.close()
    names = [one.name for one in env.members]
    result = {
        "policies": names, "policy": imitation.how(arguments), "seed": arguments.seed, "temperature": env.temperature,
        "episodes": len(episodes), "seconds": env.limit / CONTROL_RATE, **plain(composite_summary(episodes, names)),
    }  # fmt: skip
    if arguments.video:
        imitation.film(arguments.video, episodes[0], None)
        result["video"] = str(arguments.video)
    if arguments.json:
        print(json.dumps(result))
    else:
        _print_table(result)
    return 0


def play(arguments: argparse.Namespace) -> int:
    """Show the composite policy: in the browser, on film, as a strip of poses, or save what it did as a clip."""
    from rlsuite.experiments.imitation.composite import composite_summary, nothing
    from rlsuite.experiments.imitation.episodes import play as perform
    from rlsuite.experiments.imitation.live import LiveViewer
    from rlsuite.seeding import run_seeds

    files = imitation.checked_files(arguments)
    env = _composite(arguments, 1, arguments.seconds or imitation.PLAY_SECONDS)
    names = [one.name for one in env.members]
    if not files:
        viewer = LiveViewer(nothing, {}, " + ".join(names), port=arguments.port, seed=arguments.seed, env=env)
        return imitation.serve(viewer, arguments)
    (episode,) = perform(nothing, env, run_seeds(arguments.seed).evaluation)
    env.close()
    imitation.write_episode(arguments, episode, env.reference.duration, name="+".join(names))
    found = composite_summary([episode], names)
    turns = ", ".join(f"{name} {100 * share:.0f} %" for name, share in found["shares"].items())
    print(f"mean reward {found['mean_reward']:.3f}, standing {100 * found['standing']:.0f} %; {turns}")
    return 0


def _composite(arguments: argparse.Namespace, n: int, seconds: float | None = None) -> Composite:
    from rlsuite.experiments.imitation.composite import TEMPERATURE, Composite, members
    from rlsuite.experiments.imitation.episodes import SECONDS

    if arguments.checkpoint or getattr(arguments, "clip", None):
        raise HyperparameterError(
            "--composite takes the last checkpoints, and chooses by itself: no --checkpoint, --clip"
        )
    sources = [arguments.run_folder, *arguments.composite]
    of = members(sources, deterministic=not arguments.stochastic, trust=arguments.trust)
    temperature = arguments.temperature or TEMPERATURE
    return Composite(of, n, seconds=seconds or SECONDS, temperature=temperature, every=arguments.every)


def _print_table(result: dict[str, Any]) -> None:
    from rich.table import Table

    from rlsuite.cli.console import OutputConsole

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    table.add_row("policy", result["policy"], "")
    table.add_row("episodes", f"{result['episodes']}", f"of {result['seconds']:g} s")
    for name, (unit, title) in ROWS.items():
        value = result[name]
        text = f"{value}" if name in ("falls", "got_up") else imitation.number(100 * value if unit == "%" else value)
        table.add_row(title, text, unit)
    for name, share in result["shares"].items():
        table.add_row(f"{name}: time", f"{100 * share:.0f}", "%")
    OutputConsole().print(table)
