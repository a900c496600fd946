"""Figures of states on a map: values as colours with the policy's arrows, and visit counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.layout import Layout
from rlsuite.experiments.figures import (
    INK,
    MUTED,
    PAPER,
    SERIES,
    canvas,
    plain,
    short,
    style,
)
from rlsuite.experiments.maps import GAP, Sheet, StateTable, arrange, likely_actions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as MarkerPath

WIDTH = 3.7  # inches; three maps stand side by side on a desktop page
MOST_TEXT, MOST_LETTERS, MOST_ARROWS = 80, 700, 1200  # cells, beyond which the map speaks by its colours alone
# These lie on coloured cells, so they are the same on light and dark pages (and differ from every themed colour).
DARK, LIGHT = "#10161d", "#fafcfe"
_CELLS = {"#": "#4a5461", "G": "#bfe5cb", "H": "#f3c6bf", "C": "#f3c6bf"}
_OVER, _UNKNOWN = "#dde2e8", "#b3bac3"


def value_map(layout: Layout, table: StateTable, limits: tuple[float, float], unit: str = "value") -> Figure:
    """State values as colours between ``limits``, the policy as arrows (or names, or a second map of colours)."""
    import matplotlib

    sheet = arrange(layout)
    with style():
        coloured_policy = table.policy is not None and not _policy_fits(layout, sheet)
        figure, (axes, *second) = _sheets(layout, sheet, 2 if coloured_policy else 1, 0.42)
        rgba = matplotlib.colormaps["viridis"](_scaled(sheet.place(table.values), limits))
        _paint(axes, layout, sheet, rgba, np.isfinite(sheet.place(table.values)))
        _write_values(axes, sheet, table, rgba)
        low, high = limits
        below, above = bool((table.values < low).any()), bool((table.values > high).any())
        ends = [f"{'≤ ' * below}{low:.4g}", f"{'≥ ' * above}{high:.4g}"]
        _colour_bar(figure, axes, "viridis", ends, unit)
        if coloured_policy:
            _paint_policy(figure, second[0], layout, sheet, table)
        elif table.policy is not None:
            _write_policy(axes, layout, sheet, table.policy, rgba)
    return figure


def visit_map(layout: Layout, counts: NDArray[np.float64], largest: float) -> Figure:
    """Mean visits as colours on a logarithmic scale from 1 to ``largest``; states never visited stay grey."""
    import matplotlib

    sheet = arrange(layout)
    with style():
        figure, (axes,) = _sheets(layout, sheet, 1, 0.42)
        placed = sheet.place(counts)
        logarithm = np.log10(np.maximum(np.where(placed > 0, placed, np.nan), 1.0))
        rgba = matplotlib.colormaps["magma"](_scaled(logarithm, (0.0, max(np.log10(max(largest, 1.0)), 1e-9))))
        _paint(axes, layout, sheet, rgba, placed > 0)
        if _values_fit(sheet):
            for (row, col), count in np.ndenumerate(placed):
                if count > 0:
                    axes.text(col, row, short(count), ha="center", va="center", size=8, color=_on(rgba[row, col]))
        _colour_bar(figure, axes, "magma", ["≤ 1", short(largest)], "visits per run, log scale")
    return figure


# -- sheets ------------------------------------------------------------------------------------------------------------


def _sheets(layout: Layout, sheet: Sheet, count: int, foot: float) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` equal maps one above the other, each over a strip ``foot`` inches high."""
    rows, cols = sheet.shape
    panel = layout.panels[0]
    left = 0.12 + (0.1 + 0.075 * max(map(len, panel.row_labels)) if panel.row_labels else 0)
    left += 0.25 if panel.row_name else 0
    bottom = (0.2 if panel.col_labels else 0.0) + (0.18 if panel.col_name else 0.0) + 0.05
    top = 0.24 if any(p.title for p in layout.panels) else 0.05
    wide = WIDTH - left - 0.1
    high = min(wide * rows / cols, 4.6)
    each = high + bottom + foot + top
    figure, first = canvas(
        each * count, width=WIDTH, left=left, right=0.1, bottom=each * (count - 1) + bottom + foot, top=top
    )
    axes = [first]
    for i in range(1, count):
        below = (
            left / WIDTH,
            (each * (count - 1 - i) + bottom + foot) / (each * count),
            wide / WIDTH,
            high / each / count,
        )
        axes.append(figure.add_axes(below))
    return figure, axes


def _paint(axes: Axes, layout: Layout, sheet: Sheet, rgba: NDArray[np.float64], known: NDArray[np.bool_]) -> None:
    """Colours, walls, places and labels of the map; ``rgba`` counts where ``known``."""
    from matplotlib.colors import to_rgba

    rows, cols = sheet.shape
    picture = np.empty((rows, cols, 4))
    for kind in np.unique(sheet.cells):
        picture[sheet.cells == kind] = to_rgba(_CELLS.get(str(kind), _OVER if kind not in ".S" else _UNKNOWN))
    picture[sheet.states == GAP] = 0.0
    picture[known] = rgba[known]
    axes.imshow(picture, interpolation="none", aspect="equal", extent=(-0.5, cols - 0.5, rows - 0.5, -0.5))
    axes.grid(False)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    if sheet.states.size <= MOST_ARROWS:
        _rule(axes, sheet)
    small = sheet.states.size <= MOST_LETTERS
    size = min(11.0, 0.55 * _cell_points(axes, sheet))
    for (row, col), kind in np.ndenumerate(sheet.cells):
        if kind in "#. " or (kind in "CH" and not small) or size < 3:
            continue
        if known[row, col]:  # the arrow needs the middle
            colour = _on(rgba[row, col])
            axes.text(col - 0.44, row - 0.4, kind, ha="left", va="top", size=0.55 * size, color=colour, weight="bold")
        else:
            axes.text(col, row, kind, ha="center", va="center_baseline", size=0.8 * size, color=DARK)
    _label_panels(axes, sheet)


def _rule(axes: Axes, sheet: Sheet) -> None:
    """Thin lines between cells."""
    lines: list[list[tuple[float, float]]] = []
    for top, left, panel in sheet.panels:
        height, width = panel.states.shape
        bottom, right = top + height - 0.5, left + width - 0.5
        lines += [[(left - 0.5, top + r - 0.5), (right, top + r - 0.5)] for r in range(1, height)]
        lines += [[(left + c - 0.5, top - 0.5), (left + c - 0.5, bottom)] for c in range(1, width)]
    joined = np.array([point for line in lines for point in (*line, (np.nan, np.nan))]).reshape(-1, 2)
    axes.plot(joined[:, 0], joined[:, 1], color=PAPER, lw=0.5, scalex=False, scaley=False)


def _label_panels(axes: Axes, sheet: Sheet) -> None:
    panel = sheet.panels[0][2]
    side, longest = _cell_points(axes, sheet), max(len(each.title) for _, _, each in sheet.panels)
    size = min(8.0, side * (panel.states.shape[1] + 1) / (0.58 * max(longest, 1)))
    for top, left, each in sheet.panels:
        if each.title:
            axes.text(left - 0.4, top - 0.6, plain(each.title), ha="left", va="bottom", size=size, color=INK)
    if panel.row_labels:
        first = [top for top, left, _ in sheet.panels if left == 0]
        every = -(-len(panel.row_labels) // 11)
        chosen = range(0, len(panel.row_labels), every)
        axes.set_yticks(
            [top + r for top in first for r in chosen], [plain(panel.row_labels[r], 8) for _ in first for r in chosen]
        )
    if panel.col_labels:
        last = max(top for top, _, _ in sheet.panels)
        lefts = [left for top, left, _ in sheet.panels if top == last]
        every = -(-len(panel.col_labels) * len(lefts) // 22)
        chosen = range(0, len(panel.col_labels), every)
        axes.set_xticks(
            [left + c for left in lefts for c in chosen],
            [plain(panel.col_labels[c], max(6, 40 // len(panel.col_labels))) for _ in lefts for c in chosen],
        )
    axes.tick_params(length=0, pad=2, labelsize=7.5)
    if panel.row_name:
        axes.set_ylabel(plain(panel.row_name, 40), size=8, labelpad=4)
    if panel.col_name:
        axes.set_xlabel(plain(panel.col_name, 40), size=8, labelpad=1)


def _colour_bar(figure: Figure, axes: Axes, colours: str, ends: Sequence[str], name: str) -> None:
    """A strip of colours in the foot of the map, its ends and its meaning written beside it."""
    import matplotlib

    box = axes.get_position()
    height = figure.get_size_inches()[1]
    panel_foot = box.y0 - (0.42 + _labels_below(axes)) / height
    strip = figure.add_axes((0.3, panel_foot + 0.2 / height, 0.4, 0.09 / height))
    strip.imshow(matplotlib.colormaps[colours](np.linspace(0, 1, 48))[None], aspect="auto", interpolation="none")
    strip.set_axis_off()
    middle = panel_foot + 0.245 / height
    figure.text(0.285, middle, ends[0], ha="right", va="center_baseline", size=8)
    figure.text(0.715, middle, ends[1], ha="left", va="center_baseline", size=8)
    figure.text(0.5, panel_foot + 0.03 / height, name, ha="center", va="bottom", size=8, color=MUTED)


def _labels_below(axes: Axes) -> float:
    """Inches that tick labels and name take below the map."""
    return (0.2 if len(axes.get_xticks()) else 0.0) + (0.18 if axes.get_xlabel() else 0.0) + 0.05


def _scaled(values: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.float64]:
    low, high = limits
    return np.nan_to_num((values - low) / (high - low if high > low else 1.0), nan=0.0).clip(0, 1)


def _cell_points(axes: Axes, sheet: Sheet) -> float:
    """Side of a cell in points."""
    width, height = axes.figure.get_size_inches()  # type: ignore[union-attr]
    box = axes.get_position()
    return 72 * min(box.width * width / sheet.shape[1], box.height * height / sheet.shape[0])


def _on(rgba: NDArray[np.float64]) -> str:
    """The ink that reads on a coloured cell."""
    return DARK if rgba[:3] @ (0.299, 0.587, 0.114) > 0.5 else LIGHT


# -- values and policies in cells -------------------------------------------------------------------------------------


def _policy_fits(layout: Layout, sheet: Sheet) -> bool:
    return layout.action_arrows is not None or sheet.states.size <= MOST_TEXT


def _values_fit(sheet: Sheet) -> bool:
    return sheet.states.size <= MOST_TEXT and sheet.shape[1] <= 8


def _write_values(axes: Axes, sheet: Sheet, table: StateTable, rgba: NDArray[np.float64]) -> None:
    if not _values_fit(sheet):
        return
    below = 0.47 if table.policy is not None else 0.0
    where = "bottom" if table.policy is not None else "center_baseline"
    size = min(7.5, 0.22 * _cell_points(axes, sheet))
    for (row, col), value in np.ndenumerate(sheet.place(table.values)):
        if np.isfinite(value):
            axes.text(col, row + below, f"{value:.3g}", ha="center", va=where, size=size, color=_on(rgba[row, col]))


def _write_policy(
    axes: Axes, layout: Layout, sheet: Sheet, policy: NDArray[np.float64], rgba: NDArray[np.float64]
) -> None:
    """An arrow for each likely action: through the middle where there is one, from the middle where there are more."""
    if sheet.states.size > MOST_ARROWS:
        return
    inside = sheet.states >= 0
    likely = np.zeros((*sheet.shape, policy.shape[1]), np.bool_)
    likely[inside] = likely_actions(policy[sheet.states[inside]])
    light = np.array(rgba[..., :3] @ (0.299, 0.587, 0.114) <= 0.5)
    alone = likely.sum(axis=-1) == 1
    side = _cell_points(axes, sheet)
    lift = 0.1 if _values_fit(sheet) else 0.0
    still = 0 if layout.action_arrows is None else int((layout.action_arrows == 0).all(axis=1).sum())
    for action, name in enumerate(layout.action_names):
        down, right = (0.0, 0.0) if layout.action_arrows is None else map(float, layout.action_arrows[action])
        length = np.hypot(down, right)
        for ink, colour in ((light, LIGHT), (~light, DARK)):
            if not length:
                for row, col in np.argwhere(likely[..., action] & ink):
                    word = plain(name, 6) if not still else "•" if still == 1 else plain(name).strip()[:1].upper()
                    axes.text(
                        col, row - lift, word, ha="center", va="center_baseline", size=min(8, 0.4 * side), color=colour
                    )
                continue
            for single, size, shift in ((alone, 0.55 * side, 0.0), (~alone, 0.3 * side, 0.2)):
                row, col = np.nonzero(likely[..., action] & ink & single)
                if row.size:
                    x, y = col + shift * right / length, row + shift * down / length - lift
                    axes.plot(
                        x, y, ls="none", marker=_arrow(down, right), ms=size, mfc=colour, mec="none",
                        scalex=False, scaley=False,
                    )  # fmt: skip


def _arrow(down: float, right: float) -> MarkerPath:
    """An arrow as a marker, pointing ``down`` and ``right`` on a map whose rows run downwards."""
    from matplotlib.path import Path as MarkerPath

    shape = np.array(
        [(-1, 0.13), (0.15, 0.13), (0.15, 0.52), (1, 0), (0.15, -0.52), (0.15, -0.13), (-1, -0.13), (-1, 0.13)]
    )
    x, y = np.array([right, -down]) / np.hypot(down, right)
    return MarkerPath(shape @ np.array([[x, y], [-y, x]]), closed=True)


def _paint_policy(figure: Figure, axes: Axes, layout: Layout, sheet: Sheet, table: StateTable) -> None:
    """The most probable action as a colour: named colours for a few actions, a scale for many."""
    import matplotlib
    from matplotlib.colors import to_rgba

    assert table.policy is not None
    acts = table.policy.sum(axis=1) > 0
    best = sheet.place(np.where(acts, table.policy.argmax(axis=1).astype(np.float64), np.nan))
    known = np.isfinite(best)
    names = [plain(name, 14) for name in layout.action_names]
    if len(names) <= len(SERIES):
        wheel = np.array([to_rgba(colour) for colour in _FIXED_SERIES])
        rgba = wheel[np.nan_to_num(best).astype(int)]
    else:
        rgba = matplotlib.colormaps["cividis"](_scaled(best, (0, len(names) - 1)))
    _paint(axes, layout, sheet, rgba, known)
    if len(names) > len(SERIES):
        _colour_bar(figure, axes, "cividis", [names[0], names[-1]], "most probable action, the first of ties")
        return
    from matplotlib.patches import Patch

    axes.legend(
        [Patch(color=_FIXED_SERIES[a]) for a in range(len(names))], names, loc="upper center",
        bbox_to_anchor=(0.5, -0.04 - _labels_below(axes) / (axes.get_position().height * figure.get_size_inches()[1])),
        ncols=4, fontsize=8, handlelength=1, columnspacing=1.2, borderaxespad=0,
    )  # fmt: skip


# like SERIES, but fills of cells on pages of either kind
_FIXED_SERIES = ("#3a8fc7", "#e0782f", "#2ba884", "#c777a8", "#c99a2e", "#79b8dc", "#8b8f96", "#a8796d")
