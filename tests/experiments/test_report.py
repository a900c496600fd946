"""The page: complete, self-contained, safe with any text, and drawn for unusual comparisons too."""

from __future__ import annotations

import csv
import itertools
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import Markup
from PIL import Image

from rlsuite.envs.finite.layout import Layout, Panel
from rlsuite.experiments import figures
from rlsuite.experiments.report import draw, write_page, write_report
from rlsuite.experiments.report_sections import Section
from rlsuite.experiments.results import Comparison, Task
from rlsuite.experiments.tables import Table
from rlsuite.experiments.verdict import judge
from tests.experiments.drawable import cliff, cliff_task, comparison_of, invented_entry

EVIL = '<script>alert("1")</script> $x_{$ & "quoted" | `pipe` _hidden'


class Page(HTMLParser):
    """What a page holds: tags with their attributes, and the text outside styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        if not self._style:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(comparison: Comparison, out: Path, **options: Any) -> Page:
    options = {"films": False, **options}
    return Page(write_report(comparison, judge(comparison), out, **options).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything: two environments, films, and a section of somebody else."""
    folder = tmp_path_factory.mktemp("report")
    first = cliff_task()
    second = replace(first, env_id="Other/Cliff-v0", mdp=None)
    extra = Section("An extra section", text=("It says <b>this</b>.",), html=Markup("<p><em>trusted</em></p>"))
    comparison = comparison_of(first, second)
    write_report(comparison, judge(comparison), folder, extra_sections=[extra])
    return folder


@pytest.fixture(scope="module")
def page(out: Path) -> Page:
    return Page((out / "index.html").read_text(encoding="utf-8"))


def test_the_page_loads_nothing_and_runs_nothing(page: Page) -> None:
    assert not page.all("script")
    assert not page.all("link")
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            address = attributes.get(name)
            assert address is None or address.startswith(("#", "data:")), (tag, address)
        assert not any(name.startswith("on") for name in attributes)


def test_styles_load_nothing(out: Path) -> None:
    text = (out / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"@import|url\((?!['\"]?#)", text)


def test_the_page_is_small(out: Path) -> None:
    assert (out / "index.html").stat().st_size < 3_000_000


def test_the_verdict_comes_before_everything_else(page: Page) -> None:
    verdict = judge(comparison_of(cliff_task())).sentences[0]
    assert verdict in page.text
    assert page.text.index("Verdict") < page.text.index("Warnings") < page.text.index("Learning curves")
    assert "a note of the comparison" in page.text


def test_the_page_holds_every_label_table_and_version(page: Page) -> None:
    first = cliff_task()
    comparison = comparison_of(first, replace(first, env_id="Other/Cliff-v0", mdp=None))
    for label in comparison.labels:
        assert label in page.text
    for table in judge(comparison).tables:
        assert table.title in page.text
        assert all(cell in page.text for row in table.cells for cell in row)
    assert "rlsuite compare --env CliffWalking-v1" in page.text
    assert "numpy 2.0" in page.text
    assert "0–5" in page.text  # the seeds


def test_headings_descend_one_level_at_a_time(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_every_picture_has_words(page: Page) -> None:
    drawings = [attributes for _, attributes in page.tags if attributes.get("role") == "img"]
    assert len(drawings) == len(page.all("svg")) > 10
    assert all(drawing["aria-label"] for drawing in drawings)
    assert all(image["alt"] for image in page.all("img"))


def test_ids_are_unique_across_drawings(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        clip = re.fullmatch(r"url\(#(.+)\)", attributes.get("clip-path") or "")
        assert clip is None or clip[1] in ids


def test_drawings_take_their_colours_from_the_page(page: Page) -> None:
    styles = " ".join(attributes.get("style") or "" for tag, attributes in page.tags if tag in ("path", "text", "use"))
    assert "var(--ink" in styles
    assert "var(--series-0" in styles
    assert not re.search(r"(?<!, )" + figures.INK, styles)  # only as the fallback of its variable


def test_extra_sections_escape_text_and_keep_trusted_markup(page: Page) -> None:
    assert "It says <b>this</b>." in page.text
    assert page.all("em")


def test_pictures_are_files_too(out: Path) -> None:
    names = {path.stem for path in (out / "figures").glob("*.svg")}
    assert {"CliffWalking-v1-learning", "CliffWalking-v1-values-exact", "across-profile"} <= names
    assert names == {path.stem for path in (out / "figures").glob("*.png")}
    for name in names:
        with Image.open(out / "figures" / f"{name}.png") as image:
            image.verify()
        assert ET.parse(out / "figures" / f"{name}.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_tables_are_files_too(out: Path) -> None:
    with (out / "tables" / "CliffWalking-v1-final.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows[1:]] == ["sarsa", "q-learning", "value-iteration"]


def test_markdown_names_files_that_exist(out: Path) -> None:
    text = (out / "report.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+)\)", text)
    assert linked
    assert all((out / path).is_file() for path in linked)


def test_films_show_the_learned_policies(out: Path, page: Page) -> None:
    films = sorted((out / "figures").glob("*.gif"))
    assert [film.stem for film in films] == [
        "CliffWalking-v1-episode-0-sarsa",
        "CliffWalking-v1-episode-1-q-learning",
        "CliffWalking-v1-episode-2-value-iteration",
    ]
    for film in films:
        with Image.open(film) as image:
            assert 2 <= image.n_frames <= 60
            assert max(image.size) <= 320
    assert len(page.all("img")) == len(films)


def test_hostile_text_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    task = cliff_task(labels=(EVIL, "b"), env_id=f"{EVIL}-v0", env_kwargs={"map": EVIL})
    page = written(comparison_of(task, command=f"rlsuite {EVIL}"), tmp_path, title=EVIL)
    assert not page.all("script")
    assert page.text.count('<script>alert("1")</script>') > 5
    assert "<script" not in (tmp_path / "report.md").read_text(encoding="utf-8").replace(f"rlsuite {EVIL}", "")
    assert not [path for path in tmp_path.rglob("*") if "<" in path.name]


def one_seed() -> Task:
    return cliff_task(n_runs=1)


def no_model() -> Task:
    task = cliff_task(mdp=None, reference=None)
    return replace(task, entries=tuple(replace(entry, tables=None) for entry in task.entries[:2]))


def no_layout() -> Task:
    return cliff_task(mdp=replace(cliff(), layout=None))


def planners_only() -> Task:
    task = cliff_task()
    return replace(task, entries=task.entries[-1:])


def one_checkpoint() -> Task:
    mdp = cliff()
    entries = tuple(invented_entry(name, mdp, [-15.0, -14.0], n_checkpoints=1) for name in "ab")
    return replace(cliff_task(), entries=entries)


def in_steps() -> Task:
    return cliff_task(budget_unit="timesteps")


def no_runs() -> Task:
    task = cliff_task()
    return replace(task, entries=(replace(task.entries[0], runs=(), tables=None), *task.entries[1:]))


def walk(metric: str) -> Task:
    """States on a line, one of them a wall, whose actions are no moves."""
    mdp = cliff()
    panel = Panel(np.append(np.arange(48), -1)[None], np.full((1, 49), "."), col_name="capital")
    mdp = replace(mdp, layout=Layout((panel,), ("a", "b", "c", "d")))
    return cliff_task(mdp=mdp, metric=metric)


def many_panels(arrows: bool) -> Task:
    panels = tuple(
        Panel(np.arange(12).reshape(3, 4) + 12 * k, np.full((3, 4), "."), f"panel {k}", tuple("abc"), tuple("wxyz"))
        for k in range(4)
    )
    moves = np.array([(0, 0), (0, 1), (1, 1), (0, 0)]) if arrows else None
    return cliff_task(mdp=replace(cliff(), layout=Layout(panels, ("pick", "right", "slant", "drop"), moves)))


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(make(), id=name)
        for name, make in {
            "one seed": one_seed,
            "no model": no_model,
            "no layout": no_layout,
            "planners only": planners_only,
            "one checkpoint": one_checkpoint,
            "timesteps": in_steps,
            "an entry without runs": no_runs,
            "states on a line": lambda: walk("return"),
            "many panels, two actions without direction": lambda: many_panels(True),
            "many panels, no directions": lambda: many_panels(False),
        }.items()
    ],
)
def test_unusual_comparisons_have_a_page(task: Task, tmp_path: Path) -> None:
    page = written(comparison_of(task), tmp_path)
    assert all(entry.label in page.text for entry in task.entries)
    assert page.all("svg")
    has_map = "What was learned" in page.text
    assert has_map == (task.mdp is not None and task.mdp.layout is not None)


def test_prediction_has_a_page_of_errors(tmp_path: Path) -> None:
    page = written(comparison_of(walk("rms-error")), tmp_path)
    assert "RMS error of the values" in page.text
    assert "lower is better" in page.text


def test_many_algorithms_have_a_page(tmp_path: Path) -> None:
    labels = tuple(f"q-learning alpha={i / 10} {'with a very long tail of settings ' * 9}" for i in range(14))
    page = written(comparison_of(cliff_task(labels=labels, n_runs=2)), tmp_path)
    assert all(label in page.text for label in labels)
    assert max(len(path.name) for path in (tmp_path / "figures").iterdir()) < 120
    assert len(list((tmp_path / "figures").glob("*-values-*.png"))) == 13  # the exact one and the first twelve


def test_runs_of_different_length_are_drawn_together(tmp_path: Path) -> None:
    task = cliff_task()
    short, *others = task.entries[0].runs
    cut = replace(short, steps=short.steps[:3], episodes=short.episodes[:3], score=short.score[:3])
    page = written(comparison_of(replace(task, entries=(replace(task.entries[0], runs=(cut, *others)),))), tmp_path)
    assert "Learning curves" in page.text


def test_the_same_comparison_gives_the_same_page(tmp_path: Path) -> None:
    comparison = comparison_of(cliff_task())
    pages = [write_report(comparison, judge(comparison), tmp_path / name, films=False) for name in "ab"]
    assert pages[0].read_bytes() == pages[1].read_bytes()


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_one_figure_can_be_drawn_alone(suffix: str, tmp_path: Path) -> None:
    path = draw(comparison_of(cliff_task()), "CliffWalking-v1-learning", tmp_path / f"figure{suffix}")
    assert path.stat().st_size > 5000


def test_an_unknown_figure_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="CliffWalking-v1-learning"):
        draw(comparison_of(cliff_task()), "nothing", tmp_path / "x.png")


def test_two_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    table = Table("t", "T", "", ("a",), ("text",), (("x",),))
    with pytest.raises(ValueError, match="used twice: t"):
        write_page(tmp_path, "page", [Section("s", tables=(table, table))])


def test_the_discounted_optimum_is_told_apart_from_the_score(tmp_path):
    """On the cliff 13 steps of -1 are worth -(1 - 0.99^13) / 0.01 = -12.25 at gamma 0.99."""
    from rlsuite.experiments.compare import Plan, run
    from rlsuite.experiments.runner import Budget
    from rlsuite.experiments.settings import expand

    plan = Plan(("CliffWalking-v1",), tuple(expand(["value-iteration"], [])), 1, Budget("episodes", 1), tmp_path)
    comparison = run(plan)
    page = write_report(comparison, judge(comparison), tmp_path, films=False).read_text()
    assert "the optimal value at the start is -12.25" in page


def test_an_environment_that_fails_to_render_costs_its_films_only(tmp_path, monkeypatch):
    from gymnasium.envs.toy_text.cliffwalking import CliffWalkingEnv

    def broken(self):
        raise RuntimeError("no brush")

    monkeypatch.setattr(CliffWalkingEnv, "render", broken)
    comparison = comparison_of(cliff_task())
    page = write_report(comparison, judge(comparison), tmp_path).read_text()
    assert "no episodes are shown, since rendering them failed with RuntimeError: no brush" in page
    assert "data:image/gif" not in page
