"""Figures: readable colours, harmless labels, and the numbers that curves and matrices are drawn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from rlsuite.errors import InvalidEnvironmentError
from rlsuite.experiments import figures
from rlsuite.experiments.figures_curves import aggregate_curves, learning_curves, windowed_returns
from rlsuite.experiments.figures_episode import episode_gif
from rlsuite.experiments.figures_maps import value_map
from rlsuite.experiments.figures_scores import improvement, interval_plot, profile_plot
from rlsuite.experiments.maps import exact
from rlsuite.experiments.results import Entry, Run
from rlsuite.experiments.statistics import Interval
from rlsuite.experiments.tables import Table
from tests.experiments.drawable import cliff_task, comparison_of

LIGHT_PAGE, DARK_PAGE = figures.PAPER, "#12161c"


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2, definition of relative luminance)."""

    def luminance(color: str) -> float:
        rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize(("colors", "page"), [(figures.SERIES, LIGHT_PAGE), (figures.SERIES_DARK, DARK_PAGE)])
def test_lines_stand_out_from_the_page(colors: tuple[str, ...], page: str) -> None:
    assert min(contrast(color, page) for color in colors) >= 3  # WCAG 1.4.11, graphics


def test_text_can_be_read_on_both_pages() -> None:
    light, dark = (dict(pair.split(": ") for pair in css.split("; ")) for css in figures.theme_css())
    assert dark["--paper"] == DARK_PAGE
    assert light.keys() == dark.keys()
    for page in (light, dark):
        assert min(contrast(page[name], page["--paper"]) for name in ("--ink", "--muted")) >= 4.5  # WCAG 1.4.3


def test_pens_differ_until_colours_and_dashes_are_used_up() -> None:
    pens = {(figures.pen(i).color, str(figures.pen(i).dashes)) for i in range(32)}
    assert len(pens) == 32


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (12.34, "12.3"), (-488.4, "−488"), (9999, "10k"), (1_500_000, "1.5M"), (-13_000, "−13k")],
)
def test_short_numbers(number: float, text: str) -> None:
    assert figures.short(number) == text


def test_labels_are_one_printable_line() -> None:
    assert figures.plain("a\nb\x00c") == "a b c"
    assert figures.plain("_hidden").strip() == "_hidden"
    long = figures.plain("x" * 100 + "end", 20)
    assert len(long) == 20
    assert long.endswith("end")


def test_a_legend_is_as_wide_as_its_labels_allow() -> None:
    assert figures.legend_rows(["a", "b", "c"]) == (3, 1)
    assert figures.legend_rows(["a long label of an algorithm alpha=0.5"] * 3) == (1, 3)


def test_figures_leave_matplotlib_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    figures.to_png(learning_curves(cliff_task()))
    assert dict(matplotlib.rcParams) == before


def test_pictures_are_the_same_every_time() -> None:
    first, second = (figures.to_svg(learning_curves(cliff_task()), "x") for _ in range(2))
    assert first == second


def test_figures_are_written_as_their_suffix_says(tmp_path: Path) -> None:
    task = cliff_task()
    table = exact(task)
    assert task.mdp is not None
    assert task.mdp.layout is not None
    assert table is not None
    figure = value_map(task.mdp.layout, table, (-14.0, 0.0))
    assert figures.save_figure(figure, tmp_path / "a.svg").read_text(encoding="utf-8").count('fill="white"') == 1
    with Image.open(figures.save_figure(figure, tmp_path / "a.png")) as image:
        assert image.format == "PNG"
    with pytest.raises(ValueError, match=r"\.png or \.svg"):
        figures.save_figure(figure, tmp_path / "a.pdf")


# -- numbers behind the drawings ---------------------------------------------------------------------------------------


def test_training_returns_are_averaged_between_checkpoints() -> None:
    run = Run(
        0, np.array([0, 20, 20, 50]), np.array([0, 2, 2, 5]), np.zeros(4), np.array([1.0, 3, 4, 5, 9]), np.ones(5)
    )
    windows = windowed_returns(Entry("a", "a", "control", {}, (run,)))
    np.testing.assert_array_equal(windows, [[2.0, np.nan, 6.0]])


def test_an_episode_unfinished_at_the_end_counts_nowhere() -> None:
    run = Run(0, np.array([0, 30]), np.array([0, 3]), np.zeros(2), np.array([2.0, 4.0]), np.ones(2))
    assert windowed_returns(Entry("a", "a", "control", {}, (run,))).tolist() == [[3.0]]


def test_the_matrix_of_improvement_is_complementary() -> None:
    rows = (("a", "b", Interval(0.8, 0.7, 0.9)), ("c", "a", Interval(0.25, 0.1, 0.4)))
    table = Table("p", "P", "", ("A", "B", "P(A better)"), ("text", "text", "probability"), rows)
    nan = np.nan
    np.testing.assert_allclose(
        improvement(table, ("a", "b", "c")), [[nan, 0.8, 0.75], [0.2, nan, nan], [0.25, nan, nan]]
    )


def test_curves_across_tasks_end_at_the_normalised_scores() -> None:
    """Without noise the curve of learners that end at -15 (random -63, optimum -13) ends at 48/50."""
    task = cliff_task()
    for run in task.entries[0].runs:
        run.score[-1] = -15.0
    (axes,) = aggregate_curves(comparison_of(task, task), [task, task], ("sarsa",)).axes
    assert axes.lines[0].get_ydata()[-1] == pytest.approx(48 / 50)


def test_intervals_are_drawn_where_the_table_puts_them() -> None:
    row = ("a", Interval(2.0, 1.0, 3.0), Interval(2.5, 1.5, 3.5), Interval(2.2, np.nan, np.nan))
    table = Table("f", "F", "", ("algorithm", "IQM", "mean", "median"), ("text", *["interval"] * 3), (row,))
    (axes,) = interval_plot(table, ("a",), "score", (4.0, "optimum")).axes
    drawn = [sorted(set(np.asarray(line.get_xdata(), float))) for line in axes.lines]
    assert drawn == [[1.0, 3.0], [2.0], [1.5, 3.5], [2.5], [2.2], [4.0]]


def test_what_lies_below_the_floor_is_marked_at_the_edge() -> None:
    row = ("a", Interval(-9.0, -9.5, -8.0), Interval(0.5, 0.4, 0.6), Interval(0.5, 0.5, 0.5))
    table = Table("f", "F", "", ("algorithm", "IQM", "mean", "median"), ("text", *["interval"] * 3), (row,))
    (axes,) = interval_plot(table, ("a",), "score", (1.0, "optimum"), floor=-0.5).axes
    assert axes.get_xlim()[0] == -0.5
    assert [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "<"] == [-0.5]


def test_a_profile_counts_the_runs_above_each_threshold() -> None:
    (axes,) = profile_plot({"a": [np.array([-4.0, 0.5, 0.75, 2.0])]}, ("a",), "score", floor=0.0).axes
    x, y = axes.lines[0].get_data()
    assert x[0] == 0.0
    assert [y[np.searchsorted(x, at)] for at in (0.1, 0.6, 1.0)] == [0.75, 0.5, 0.25]
    assert y[-1] == 0


# -- films -------------------------------------------------------------------------------------------------------------


class Corridor(gym.Env[int, int]):
    """Ends after five steps; every frame differs."""

    def __init__(self, size: tuple[int, int] = (40, 400)) -> None:
        self.observation_space, self.action_space = gym.spaces.Discrete(6), gym.spaces.Discrete(2)
        self.size, self.at = size, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        self.at = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.at += action
        return self.at, 0.0, self.at == 5, False, {}

    def render(self) -> Any:
        frame = np.full((*self.size, 3), 255, np.uint8)
        frame[:, self.at * 60 : self.at * 60 + 50] = (200, 30, 30)
        return frame


def test_a_film_shows_every_state_of_the_episode(tmp_path: Path) -> None:
    with Image.open(episode_gif(Corridor(), lambda _: 1, tmp_path / "a.gif")) as film:
        assert film.n_frames == 6  # five steps and the start
        assert film.size == (320, 32)
        assert film.info["loop"] == 0


def test_a_film_of_an_endless_episode_stops(tmp_path: Path) -> None:
    steps = []
    path = episode_gif(Corridor(), lambda _: steps.append(0) or 0, tmp_path / "a.gif", most_frames=7)
    assert len(steps) == 6
    assert path.is_file()


def test_an_environment_without_images_is_told(tmp_path: Path) -> None:
    env = Corridor()
    env.render = lambda: "text"  # type: ignore[method-assign]
    with pytest.raises(InvalidEnvironmentError, match="rgb_array"):
        episode_gif(env, lambda _: 1, tmp_path / "a.gif")
