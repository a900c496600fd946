"""Axes that the gallery's figures share: curves side by side, and tables of numbers as colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlsuite.experiments.figures import INK, MUTED, pen

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]


def panels(
    rows: int = 1, cols: int = 1, width: float = 3.9, height: float = 3.0, **options: Any
) -> tuple[Figure, NDArray[Any]]:
    """``(rows, cols)`` axes of ``width`` x ``height`` inches each, laid out without overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
    figure = Figure(figsize=(width * cols, height * rows), layout=layout)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, cols, squeeze=False, **options)


def curve(axes: Axes, index: int, x: Any, y: Any, label: str, error: Any = None, **options: Any) -> None:
    """A line in the colour of ``index``, with a band of two standard errors."""
    axes.plot(x, y, label=label, color=pen(index).color, ls=pen(index).dashes, **options)
    if error is not None:
        low, high = np.asarray(y) - 2 * np.asarray(error), np.asarray(y) + 2 * np.asarray(error)
        axes.fill_between(x, low, high, color=pen(index).color, alpha=0.16, lw=0)


def level(axes: Axes, y: float, text: str, at: float = 1.0, above: bool = True) -> None:
    """A dashed horizontal line with its meaning written on it; ``at`` is 0 (left) … 1 (right)."""
    axes.axhline(y, color=INK, lw=0.9, ls=(0, (4, 3)), zorder=1)
    axes.annotate(
        text, (at, y), xycoords=axes.get_yaxis_transform(), xytext=(0, 3 if above else -3),
        textcoords="offset points", ha="right" if at > 0.5 else "left", va="bottom" if above else "top",
        fontsize=8, color=MUTED,
    )  # fmt: skip


def heat(
    axes: Axes,
    table: Floats,
    *,
    limits: tuple[float, float],
    colours: str = "viridis",
    extent: Sequence[float] | None = None,
    origin: str = "lower",
) -> Any:
    """A table as colours, its first row at the bottom."""
    axes.grid(False)
    return axes.imshow(
        table, origin=origin, aspect="auto", cmap=colours, vmin=limits[0], vmax=limits[1], extent=extent,  # type: ignore[arg-type]
        interpolation="none",
    )  # fmt: skip
