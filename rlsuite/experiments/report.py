"""The report of a comparison: one self-contained HTML page, and its tables and figures as files beside it.

``OUT/index.html`` needs nothing else: styles, drawings and films are inside it, it runs no script and loads nothing
from the network. ``OUT/report.md``, ``OUT/tables/*.csv`` and ``OUT/figures/*.{png,svg,gif}`` hold the same for
documents; ``OUT/results.md`` is one table of all results. Names of environments, labels and commands are the user's text
and are escaped wherever they are shown.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlsuite.errors import RlsuiteError
from rlsuite.experiments.figures import SERIES, Picture, on_white, save_figure, theme_css, themed_svg, to_png, to_svg
from rlsuite.experiments.records import slug
from rlsuite.experiments.report_results import write_results
from rlsuite.experiments.report_sections import Film, Section, comparison_sections
from rlsuite.experiments.results import Comparison, Entry, Task
from rlsuite.experiments.tables import Table, markdown, to_csv
from rlsuite.experiments.verdict import Verdict, judge
from rlsuite.files import write_atomically
from rlsuite.screen import off_screen

if TYPE_CHECKING:
    import gymnasium as gym

MOST_FILMS = 6  # per environment
FILES = ".report-files.json"  # what the page consists of, so that the next page here can replace it whole


def write_report(
    comparison: Comparison,
    verdict: Verdict,
    out_dir: str | Path,
    *,
    title: str | None = None,
    films: bool = True,
    extra_sections: Sequence[Section] = (),
) -> Path:
    """Write the page and its files into ``out_dir``.

    Args:
        title: of the page; by default it names the environments.
        films: whether to play an episode of each learned policy (takes about a second).
        extra_sections: shown after those of the comparison.

    Returns:
        The path of ``index.html``.
    """
    out = Path(out_dir)
    played: dict[str, list[Film]] = {}
    failed: list[str] = []
    for task in comparison.tasks if films else ():
        try:
            played[task.env_id] = play_episodes(task, out / "figures")
        except Exception as error:  # render() is the environment's own code; it must not cost a finished comparison
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            failed.append(f"{task.env_id}: no episodes are shown, since rendering them failed with {reason}")
    sections = [*comparison_sections(comparison, verdict, played), *extra_sections]
    write_results(comparison, verdict, out)
    title = title or f"Comparison on {', '.join(task.env_id for task in comparison.tasks)}"
    return write_page(
        out,
        title,
        sections,
        command=comparison.command,
        sentences=verdict.sentences,
        warnings=[*verdict.warnings, *failed],
        provenance=_provenance(comparison),
        labels=comparison.labels,
    )


def write_page(
    out: Path,
    title: str,
    sections: Sequence[Section],
    *,
    command: str = "",
    sentences: Sequence[str] = (),
    warnings: Sequence[str] = (),
    provenance: Sequence[tuple[str, str]] = (),
    labels: Sequence[str] = (),
) -> Path:
    """Write a page of any sections: what :func:`write_report` does for comparisons, open to other reports.

    Args:
        labels: names that get the dot of their colour wherever they stand first in a table's row.
    """
    drawings = {}
    for picture in _all(sections, "pictures"):
        svg = to_svg(picture.figure, picture.name)
        drawings[picture.name] = themed_svg(svg)
        write_atomically(out / "figures" / f"{picture.name}.svg", on_white(svg), durable=False)
        write_atomically(out / "figures" / f"{picture.name}.png", to_png(picture.figure), durable=False)
    for table in _all(sections, "tables"):
        write_atomically(out / "tables" / f"{table.name}.csv", to_csv(table), durable=False)
    context = {
        "title": title,
        "command": command,
        "sentences": sentences,
        "warnings": warnings,
        "sections": sections,
        "provenance": provenance,
        "drawings": drawings,
        "colors": {label: f"--series-{i % len(SERIES)}" for i, label in enumerate(labels)},
        "light": theme_css()[0],
        "dark": theme_css()[1],
    }
    names = [f"figures/{name}{suffix}" for name in drawings for suffix in (".svg", ".png")]
    names += [f"figures/{film.path.name}" for top in sections for part in top.walk() for film in part.films]
    names += [f"tables/{table.name}.csv" for table in _all(sections, "tables")]
    _forget_earlier(out, names)
    write_atomically(out / "report.md", _markdown_page(context, out))
    page = out / "index.html"
    write_atomically(page, _template().render(**context))
    return page


def _forget_earlier(out: Path, names: list[str]) -> None:
    """Remove the files of the page that stood here before, except those just written again; nothing else."""
    listing = out / FILES
    try:
        earlier = json.loads(listing.read_text())
    except (OSError, ValueError):
        earlier = []
    for name in set(map(str, earlier)) - set(names) if isinstance(earlier, list) else ():
        path = out / name
        if path.parent.parent == out and path.parent.name in ("figures", "tables"):  # never outside, whatever it says
            path.unlink(missing_ok=True)
    write_atomically(listing, json.dumps(names))


def draw(comparison: Comparison, name: str, path: str | Path, verdict: Verdict | None = None) -> Path:
    """Draw one figure of the report alone, e.g. for documentation: ``draw(c, "CliffWalking-v1-learning", "x.svg")``.

    Raises:
        KeyError: the report of this comparison has no figure of that name.
    """
    pictures = {p.name: p for p in _all(comparison_sections(comparison, verdict or judge(comparison), {}), "pictures")}
    if name not in pictures:
        raise KeyError(f"no figure {name!r}; there are {', '.join(pictures)}")
    return save_figure(pictures[name].figure, path)


# -- episodes ----------------------------------------------------------------------------------------------------------


def play_episodes(task: Task, folder: Path) -> list[Film]:
    """An episode of each learned policy; none where the environment has no model or renders no images."""
    shown = [entry for entry in task.entries if entry.tables is not None][:MOST_FILMS]
    if task.metric != "return" or not shown:
        return []
    with off_screen(), ExitStack() as stack:
        try:
            env = _rendering_env(task)
            if env is None:
                return []
            stack.callback(env.close)
            return [_play(task, i, entry, env, folder) for i, entry in enumerate(shown)]
        except (RlsuiteError, ImportError, _gymnasium_error()):
            return []  # it has no pictures to offer: no layout, no pygame, no rgb_array after all


def _play(task: Task, index: int, entry: Entry, env: gym.Env[Any, Any], folder: Path) -> Film:
    from rlsuite.envs.finite.spaces import DiscreteIndex
    from rlsuite.experiments.figures_episode import episode_gif
    from rlsuite.seeding import run_seeds

    assert entry.tables is not None
    policy, seeds = entry.tables.policy, run_seeds(entry.tables.seed)
    observations, actions = DiscreteIndex(env.observation_space), DiscreteIndex(env.action_space, "action")
    rng = np.random.default_rng(seeds.evaluation)

    def act(observation: Any) -> Any:
        row = policy[observations.index(observation)]
        return actions.value(int(rng.choice(row.size, p=row)))

    path = folder / f"{slug(task.env_id)}-episode-{index}-{slug(entry.label)[:60]}.gif"
    episode_gif(env, act, path, seed=seeds.evaluation)
    return Film(path, entry.label, f"An episode of {entry.label} on {task.env_id}.")


def _rendering_env(task: Task) -> gym.Env[Any, Any] | None:
    from rlsuite.envs.registration import make_env

    plain = make_env(task.env_id, **task.env_kwargs)
    modes = plain.metadata.get("render_modes") or ()
    plain.close()
    return make_env(task.env_id, **{**task.env_kwargs, "render_mode": "rgb_array"}) if "rgb_array" in modes else None


def _gymnasium_error() -> type[Exception]:
    import gymnasium as gym

    return gym.error.Error


# -- the page ----------------------------------------------------------------------------------------------------------


def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = _data_uri
    environment.filters["anchor"] = slug
    return environment.get_template("page.html")


def _data_uri(film: Film) -> str:
    return "data:image/gif;base64," + base64.b64encode(film.path.read_bytes()).decode()


def _provenance(comparison: Comparison) -> list[tuple[str, str]]:
    """Name and value of everything needed to trust or repeat the page."""
    rows: list[tuple[str, str]] = []
    for name, value in comparison.provenance.items():
        if name == "command":
            continue
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        rows.append((name.replace("_", " "), text))
    seeds = sorted({run.seed for task in comparison.tasks for entry in task.entries for run in entry.runs})
    if seeds:
        rows.append(("seeds", f"{_ranges(seeds)}; run k uses SeedSequence(k), the same for every algorithm"))
    time = sum(run.wall_time for task in comparison.tasks for entry in task.entries for run in entry.runs)
    rows.append(("time of all runs", f"{time:.1f} s, one after the other"))
    return rows


def _ranges(numbers: list[int]) -> str:
    """Sorted integers as ``0–9, 12``."""
    starts = [i for i, n in enumerate(numbers) if i == 0 or n != numbers[i - 1] + 1]
    parts = [numbers[a:b] for a, b in zip(starts, [*starts[1:], len(numbers)], strict=True)]
    return ", ".join(f"{p[0]}–{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def _all(sections: Iterable[Section], what: str) -> list[Any]:
    """The pictures (or tables) of all sections. Two of the same name would overwrite each other.

    Raises:
        ValueError: a name occurs twice.
    """
    found: list[Picture | Table] = [x for top in sections for section in top.walk() for x in getattr(section, what)]
    names = [x.name for x in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{what} of a page need names of their own; used twice: {', '.join(sorted(twice))}")
    return found


# -- Markdown ----------------------------------------------------------------------------------------------------------


def _markdown_page(context: dict[str, Any], out: Path) -> str:
    lines = [f"# {_md(context['title'])}", ""]
    if context["command"]:
        fence = "````" if "```" in context["command"] else "```"
        lines += [f"{fence}sh", context["command"], fence, ""]
    lines += [f"{_md(sentence)}\n" for sentence in context["sentences"]]
    lines += [f"> Warning: {_md(warning)}\n" for warning in context["warnings"]]
    for section in context["sections"]:
        lines += _markdown_section(section, 2, out)
    if context["provenance"]:
        lines += [
            "## How this was made",
            "",
            *(f"- {_md(name)}: {_md(value)}" for name, value in context["provenance"]),
        ]
    return "\n".join(lines) + "\n"


def _markdown_section(section: Section, level: int, out: Path) -> list[str]:
    lines = [f"{'#' * level} {_md(section.title)}", "", *(f"{_md(text)}\n" for text in section.text)]
    for picture in section.pictures:
        lines += [
            f"![{_md(picture.alt)}](figures/{picture.name}.svg)",
            f"**{_md(picture.title)}** {_md(picture.caption)}",
            "",
        ]
    for film in section.films:
        lines += [f"![{_md(film.alt)}]({film.path.relative_to(out).as_posix()})", f"**{_md(film.title)}**", ""]
    lines += [markdown(table).replace("<", "&lt;") for table in section.tables]
    for child in section.children:
        lines += _markdown_section(child, level + 1, out)
    return lines


def _md(text: str) -> str:
    """Text that Markdown shows as it is."""
    escaped: Callable[[str], str] = lambda c: f"\\{c}" if c in r"\`*_[]{}#|" else c  # noqa: E731
    return "".join(map(escaped, html.escape(" ".join(text.split()), quote=False)))
