"""What ``rlsuite evaluate`` and ``rlsuite play`` do with policies that perform a clip."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.motion import clips
from rlsuite.errors import HyperparameterError, InvalidEnvironmentError

if TYPE_CHECKING:
    from rich.table import Table

    from rlsuite.experiments.imitation.episodes import Episode
    from rlsuite.experiments.imitation.live import LiveViewer
    from rlsuite.experiments.imitation.performers import Performer

SHARES = ("success", "goal_success")  # rows told in per cent
PLAY_SECONDS = 10.0  # of a film, where nothing else is said


def evaluate(arguments: argparse.Namespace) -> int:
    """Measure a policy, print the table, and write it beside the run as JSON."""
    from rlsuite.envs.humanoid.medley import clips_of
    from rlsuite.experiments.imitation.episodes import clip_names
    from rlsuite.experiments.imitation.evaluation import EPISODES, evaluate_each, led
    from rlsuite.experiments.imitation.evaluation import evaluate as measure
    from rlsuite.experiments.records import plain
    from rlsuite.files import write_atomically
    from rlsuite.seeding import run_seeds

    if arguments.video:
        require_suffix(arguments.video, "--video")
    performer = _performer(arguments)
    episodes = arguments.episodes or EPISODES
    planning = getattr(performer.agent, "kind", None) == "planning"  # pushing it would take hours
    pushes = {"trials": 0} if planning else {}
    found, played = measure(
        performer.act, performer.env_kwargs, episodes=episodes, seed=run_seeds(arguments.seed).evaluation, **pushes
    )
    result = {**performer.about, "policy": how(arguments), "seed": arguments.seed, **plain(found)}
    multi = performer.env_kwargs.get("multi")
    if multi is not None:
        names = clip_names(clips_of(performer.env_kwargs["clip"]))
        result["clip_shares"] = led(played, names)
    if multi == "selector":
        seed = run_seeds(arguments.seed).evaluation
        result["clips"] = plain(evaluate_each(performer.act, performer.env_kwargs, episodes=episodes, seed=seed))
    written = None
    if performer.folder is not None:
        written = performer.folder / f"imitation-{performer.about['checkpoint']}.json"
        write_atomically(written, json.dumps(result, indent=2) + "\n")
    if arguments.video:
        film(arguments.video, played[0], None)
        result["video"] = str(arguments.video)
    if arguments.json:
        print(json.dumps(result))
        return 0
    _print_table(performer, result)
    if written is not None:
        print(f"written: {written}")
    return 0


def play(arguments: argparse.Namespace) -> int:
    """Show a policy: in the browser, on film, as a strip of poses, or save what it did as a clip."""
    files = checked_files(arguments)
    performer = _performer(arguments)
    if arguments.clip and (performer.env_kwargs.get("multi") != "selector" or not files):
        raise HyperparameterError(
            "--clip chooses among the clips of a policy that was trained with --multi selector, for --video, --strip or "
            "--rollout; in the browser there are buttons"
        )
    if files:
        return _write(arguments, performer)
    return _live(arguments, performer)


def checked_files(arguments: argparse.Namespace) -> dict[str, Path]:
    """The files to write, by option: what cannot be is told before anything is played."""
    files = {name: getattr(arguments, name) for name in ("video", "strip", "rollout") if getattr(arguments, name)}
    for name, path in files.items():
        require_suffix(path, f"--{name}")
    if arguments.window:
        raise InvalidEnvironmentError("a humanoid is shown in the browser, not in a window; leave --window out")
    if files and arguments.episodes != 1:
        raise HyperparameterError("--episodes is for other environments; a film of a clip shows one")
    return files


def _write(arguments: argparse.Namespace, performer: Performer) -> int:
    from rlsuite.experiments.imitation.episodes import evaluation_env, lasting
    from rlsuite.experiments.imitation.episodes import play as perform
    from rlsuite.seeding import run_seeds

    seconds = arguments.seconds or PLAY_SECONDS
    chosen = {"interval": None} if arguments.clip else {}
    env = evaluation_env({**performer.env_kwargs, **chosen}, 1, seconds=seconds)
    options = None if lasting(env) else {"time": 0.0}
    cycle = env.reference.duration
    seed = run_seeds(arguments.seed).evaluation
    (episode,) = perform(performer.act, env, seed, options=options, wanted=arguments.clip or ())
    env.close()
    about = {name: performer.about[name] for name in ("checkpoint", "timesteps") if name in performer.about}
    write_episode(arguments, episode, cycle, name=performer.name, **about)
    end = "and fell" if episode.fell else "without a fall"
    steps = len(episode.rewards)
    print(f"{steps / episode.performed.fps:.1f} s {end}, normalised return {episode.normalised_return:.3f}")
    return 0


def write_episode(arguments: argparse.Namespace, episode: Episode, cycle: float, **about: Any) -> None:
    """The files that ``rlsuite play`` was asked for; a strip is of ``cycle`` seconds unless told otherwise."""
    from rlsuite.motion import clip_files

    if arguments.video:
        film(arguments.video, episode, None)
        print(f"film: {arguments.video}")
    if arguments.strip:
        from rlsuite.experiments.imitation.filming import strip

        print(f"strip: {strip(arguments.strip, episode, seconds=arguments.seconds or cycle)}")
    if arguments.rollout:
        clip_files.save(episode.performed.with_step("policy", **about), arguments.rollout)
        print(f"clip: {arguments.rollout}; `rlsuite motion view` shows it")


def _live(arguments: argparse.Namespace, performer: Performer) -> int:
    from rlsuite.experiments.imitation.live import LiveViewer

    viewer = LiveViewer(performer.act, performer.env_kwargs, performer.name, port=arguments.port, seed=arguments.seed)
    return serve(viewer, arguments)


def serve(viewer: LiveViewer, arguments: argparse.Namespace) -> int:
    """Until Ctrl-C."""
    try:
        print(f"{viewer.name} at {viewer.url} (Ctrl-C to stop)", flush=True)
        if not arguments.no_browser:
            import webbrowser

            webbrowser.open(viewer.url)
        viewer.wait()
    except KeyboardInterrupt:
        print()
    finally:
        viewer.close()
    return 0


def _performer(arguments: argparse.Namespace) -> Performer:
    from rlsuite.experiments.imitation.performers import performer

    return performer(
        arguments.run_folder, arguments.checkpoint, deterministic=not arguments.stochastic, trust=arguments.trust
    )


def how(arguments: argparse.Namespace) -> str:
    return "stochastic" if arguments.stochastic else "deterministic"


def require_suffix(path: Path, option: str) -> None:
    """What cannot be written is told before anything is played."""
    from rlsuite.motion.render.video import SUFFIXES, checked_suffix

    known = {"--video": SUFFIXES, "--strip": (".png",), "--rollout": (".npz",)}[option]
    checked_suffix(clips.output(path, option), known)


def film(path: Path, episode: Episode, seconds: float | None) -> None:
    from rlsuite.cli.motion.view import frame_progress, renderer_log
    from rlsuite.experiments.imitation.filming import film

    with renderer_log(), frame_progress() as progress:
        film(path, episode, seconds=seconds, progress=progress)


def _print_table(performer: Performer, result: dict[str, Any]) -> None:
    from rich.table import Table

    from rlsuite.cli.console import OutputConsole
    from rlsuite.experiments.imitation.evaluation import ROWS
    from rlsuite.experiments.imitation.pushes import MOST

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    shown = ("checkpoint", "timesteps", "policy") if performer.folder else ("policy",)
    for name in shown:
        value = result[name]
        table.add_row(name, value if isinstance(value, str) else f"{value:,}", "")
    table.add_row("episodes", f"{result['episodes']}", f"of {result['seconds']:g} s")
    for name, (unit, title) in ROWS.items():
        if name in result:
            value = result[name]
            text = {"falls": f"{value}", **dict.fromkeys(SHARES, f"{100 * value:.0f}")}.get(name, number(value))
            most = "at least " if unit == "N" and value > 0.99 * MOST else ""
            table.add_row(title, most + text, "%" if name in SHARES else unit)
    for name, share in result.get("clip_shares", {}).items():
        table.add_row(f"{name}: time", f"{100 * share:.0f}", "%")
    console = OutputConsole()
    console.print(table)
    if "clips" in result:
        console.print(_by_clip(result["clips"]))


def _by_clip(clips: dict[str, dict[str, Any]]) -> Table:
    """Each clip apart, wanted from beginning to end."""
    from rich.table import Table

    from rlsuite.experiments.imitation.evaluation import ROWS

    table = Table(box=None, pad_edge=False)
    table.add_column("one clip throughout")
    for name in clips:
        table.add_column(name, justify="right")
    table.add_column()
    for name, (unit, title) in ROWS.items():
        if all(name in found for found in clips.values()):
            percent = name in SHARES
            cells = [number((100 if percent else 1) * found[name]) for found in clips.values()]
            table.add_row(title, *cells, "%" if percent else unit)
    return table


def number(value: float) -> str:
    if value == 0.0:
        return "0"
    return f"{value:.3f}" if abs(value) < 1.0 else f"{value:.3g}" if abs(value) < 100.0 else f"{value:.0f}"
