"""Drawing: one style and one palette for every figure, as SVG for the page and PNG for everything else.

Figures are built with matplotlib's object-oriented interface alone (no ``pyplot``, no global state) and are sized in
inches for half a page, so that their text stays readable on a telephone. Every colour that must differ between light
and dark pages is one of the names below; :func:`themed_svg` turns them into CSS variables.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER = "#1d2733", "#5b6673", "#d3d9e0", "#fdfefe"

# Okabe and Ito's hues, safe for the colour-blind, darkened to 3:1 contrast on white; dark pages have their own.
SERIES = ("#0072b2", "#d55e00", "#008f68", "#b8558f", "#a87400", "#2f8fc4", "#6b6f76", "#8c564b")
SERIES_DARK = ("#5cb3f2", "#ff8b4d", "#2fcb9e", "#e79ac9", "#f0b429", "#9bd6ff", "#c6ccd4", "#d3a08f")
_DASHES: tuple[Any, ...] = ("solid", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))

WIDTH = 4.6  # inches; a third of a desktop page, all of a telephone
STYLE: Any = {  # matplotlib's own type of this dictionary names every key and differs between versions
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "text.parse_math": False,  # labels are the user's text, a dollar sign is a dollar sign
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "path.simplify": True,
    "path.simplify_threshold": 0.4,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Picture:
    """A figure with the words that go with it.

    Attributes:
        name: stem of its files, unique on a page.
        title, caption: what is shown, and how to read it. alt: what a reader who cannot see it should know.
        figure: the drawing.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure


@dataclass(frozen=True)
class Pen:
    """How one entry is drawn everywhere: a colour, and dashes once the colours are used up."""

    color: str
    dashes: Any


def pen(index: int) -> Pen:
    """The pen of the entry at ``index`` of a comparison."""
    return Pen(SERIES[index % len(SERIES)], _DASHES[index // len(SERIES) % len(_DASHES)])


def plain(text: str, limit: int = 46) -> str:
    """User text made safe to draw: one printable line, the middle left out where it is longer than ``limit``."""
    line = "".join(c if c.isprintable() else " " for c in text).strip()
    if len(line) > limit:
        line = f"{line[: limit - limit // 3 - 1]}…{line[-(limit // 3) :]}"
    return f" {line}" if line.startswith("_") else line  # matplotlib hides labels that begin with an underscore


def short(number: float) -> str:
    """A count in few characters: ``950``, ``12k``, ``3.5M``."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}".replace("-", "−")
    return f"{number:.3g}".replace("-", "−")


@contextmanager
def style() -> Iterator[None]:
    """Within it, figures are made and written in the suite's style; outside nothing changes."""
    import matplotlib

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # the browser has the letter
        yield


def canvas(
    height: float = 2.8,
    *,
    width: float = WIDTH,
    left: float = 0.7,
    right: float = 0.14,
    bottom: float = 0.5,
    top: float = 0.12,
) -> tuple[Figure, Axes]:
    """A figure with one pair of axes inside margins given in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    box = (left / width, bottom / height, (width - left - right) / width, (height - bottom - top) / height)
    return figure, figure.add_axes(box)


def legend_rows(labels: Sequence[str], width: float = WIDTH) -> tuple[int, int]:
    """``(columns, rows)`` in which a legend of these labels fits into ``width`` inches."""
    longest = max((len(label) for label in labels), default=1)
    columns = max(1, min(len(labels), int(width / (0.066 * longest + 0.5))))
    return columns, -(-len(labels) // columns)


def legend_height(labels: Sequence[str], width: float = WIDTH) -> float:
    """Inches that :func:`legend_above` takes."""
    return 0.18 * legend_rows(labels, width)[1] + 0.1


def legend_above(axes: Axes, handles: Iterable[Any], labels: Sequence[str], left: float = 0.1) -> None:
    """A legend at the top of the figure, above the axes, as wide as the figure."""
    figure = axes.figure
    width, height = figure.get_size_inches()  # type: ignore[union-attr]
    columns, _ = legend_rows(labels, width)
    axes.legend(
        list(handles),
        list(labels),
        loc="upper left",
        bbox_to_anchor=(left / width, 1 - 0.03 / height),
        bbox_transform=figure.transFigure,
        ncols=columns,
        borderaxespad=0,
        borderpad=0,
        handlelength=1.9,
        columnspacing=1.3,
        labelspacing=0.3,
    )


def to_svg(figure: Figure, salt: str) -> str:
    """The drawing as SVG text, transparent; ``salt`` keeps the ids of several drawings on one page apart."""
    import matplotlib

    buffer = io.StringIO()
    with style(), matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return re.sub(r'(?<= d=")[^"]*', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), text)


def to_png(figure: Figure, dpi: int = 120) -> bytes:
    """The drawing as PNG on white."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", pil_kwargs={"compress_level": 3})
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure on white as the suffix of ``path`` says: ``.png`` or ``.svg``."""
    path = Path(path)
    if path.suffix == ".png":
        write_atomically(path, to_png(figure))
    elif path.suffix == ".svg":
        write_atomically(path, on_white(to_svg(figure, path.stem)))
    else:
        raise ValueError(f"{path}: figures are written as .png or .svg")
    return path


def on_white(svg: str) -> str:
    """An SVG to stand alone: with a white ground."""
    return re.sub(r"(<svg [^>]*>)", r'\1<rect width="100%" height="100%" fill="white"/>', svg, count=1)


def themed_svg(svg: str) -> str:
    """An SVG to stand inside HTML: no prologue, no idle ids, and colours as CSS variables with their light values.

    The page defines ``--ink``, ``--muted``, ``--grid``, ``--paper`` and ``--series-0`` … for light and dark.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
    svg = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", svg)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r"(?<=<svg )", 'aria-hidden="true" focusable="false" ', svg, count=1)
    names = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"}
    names |= {color: f"series-{i}" for i, color in enumerate(SERIES)}
    pattern = re.compile(r'style="[^"]*"')
    color = re.compile("|".join(names))
    svg = pattern.sub(lambda m: color.sub(lambda c: f"var(--{names[c[0]]}, {c[0]})", m[0]), svg)
    svg = re.sub(r"<style[^>]*>.*?</style>", "", svg, count=1, flags=re.DOTALL)  # the page has these two rules
    return re.sub(r"font-family: [^;\"]*", "font-family: var(--sans, sans-serif)", svg)


def theme_css() -> tuple[str, str]:
    """CSS declarations of the drawing's variables, on light and on dark pages."""
    series = [f"--series-{i}: {color}" for i, color in enumerate(SERIES)]
    series_dark = [f"--series-{i}: {color}" for i, color in enumerate(SERIES_DARK)]
    light = [f"--ink: {INK}", f"--muted: {MUTED}", f"--grid: {GRID}", f"--paper: {PAPER}", *series]
    dark = ["--ink: #e6eaf0", "--muted: #a3adba", "--grid: #333c48", "--paper: #12161c", *series_dark]
    return "; ".join(light), "; ".join(dark)
