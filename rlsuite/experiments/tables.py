"""Tables of results: raw values with a format for each column, written as Markdown, CSV or a rich console table.

Rounding never flatters: the ends of an interval are rounded outwards, a fraction reads 100 % or 0 % only where it is
exactly that, a probability 1.00 or 0.00 likewise, and p-values are rounded up. CSV holds the numbers unrounded, an
interval as three columns.
"""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rlsuite.experiments.statistics import Interval

if TYPE_CHECKING:
    import rich.table

Format = Literal["text", "integer", "number", "interval", "amount", "percent", "probability", "p-value"]
MISSING = "–"
NOISE = 5e-13  # no result is smaller, but rounding errors are
SIGNIFICANT = 4  # digits of a number that no interval says how to round


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        name: stem of its file, unique within a verdict.
        title, caption: what it shows, and how to read it.
        columns: headings. formats: how each column is written.
        rows: raw values: ``str``, numbers, :class:`~rlsuite.experiments.statistics.Interval` (formats ``interval``,
            ``probability``, and ``amount`` of experience); NaN or ``None`` is a missing value, ``inf`` means never.
        brief: the columns that a terminal shows (default: all).
        essential: whether a terminal shows the table at all; the report shows every one.
    """

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    formats: tuple[Format, ...]
    rows: tuple[tuple[Any, ...], ...]
    brief: tuple[str, ...] = ()
    essential: bool = False

    def __post_init__(self) -> None:
        widths = {len(self.columns), len(self.formats), *map(len, self.rows)}
        if len(widths) != 1:
            raise ValueError(f"table {self.name!r}: columns, formats and rows differ in length ({sorted(widths)})")

    @property
    def cells(self) -> list[list[str]]:
        """The rows as they are shown."""
        return [[format_value(v, f) for v, f in zip(row, self.formats, strict=True)] for row in self.rows]


# -- writing -----------------------------------------------------------------------------------------------------------


def markdown(table: Table) -> str:
    """GitHub-flavoured Markdown: heading, table, caption."""

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells) + " |"

    rule = ["---" if form == "text" else "---:" for form in table.formats]
    lines = [line(list(table.columns)), line(rule), *map(line, table.cells)]
    return f"### {table.title}\n\n" + "\n".join(lines) + f"\n\n{table.caption}\n"


def to_csv(table: Table) -> str:
    """Comma-separated values for machines: full precision, missing values empty, intervals as three columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    spread = [
        any(isinstance(row[i], Interval) for row in table.rows) or form == "interval"
        for i, form in enumerate(table.formats)
    ]
    header: list[str] = []
    for column, wide in zip(table.columns, spread, strict=True):
        header += [column, f"{column} low", f"{column} high"] if wide else [column]
    writer.writerow(header)
    for row in table.rows:
        cells: list[str] = []
        for value, wide in zip(row, spread, strict=True):
            values = value if isinstance(value, Interval) else (value, None, None) if wide else (value,)
            cells += [_raw(v) for v in values]
        writer.writerow(cells)
    return out.getvalue()


def console_table(table: Table) -> rich.table.Table:
    """The brief columns for ``rich.print``; cells wrap where the terminal is narrow, and are never cut."""
    import rich.box
    import rich.table
    from rich.text import Text

    shown = rich.table.Table(title=Text(table.title), box=rich.box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    chosen = [i for i, column in enumerate(table.columns) if not table.brief or column in table.brief]
    for i in chosen:
        justify: Literal["left", "right"] = "left" if table.formats[i] == "text" else "right"
        words = any(" " in cells[i] for cells in table.cells)  # labels stay whole while anything else can wrap
        shown.add_column(Text(table.columns[i]), justify=justify, overflow="fold", no_wrap=not words)
    for cells in table.cells:
        shown.add_row(*(Text(cells[i]) for i in chosen))
    return shown


# -- numbers -----------------------------------------------------------------------------------------------------------


def format_value(value: Any, form: Format) -> str:
    """One cell as text."""
    if value is None:
        return MISSING
    if isinstance(value, Interval):
        return format_interval(value, form)
    if form == "text":
        return str(value)
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "never"
    if form == "integer":
        return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    if form == "percent":
        return _bounded(value, 1.0, 0, 100, " %")
    if form == "probability":
        return _bounded(value, 0.01, 2, 1, "")
    if form == "p-value":
        return format_p(value)
    if form == "amount":
        return _amount(value)
    return _number(value, _decimals(value))


def format_interval(interval: Interval, form: Format = "interval") -> str:
    """``estimate [low, high]``: the ends rounded outwards to a digit that is small against the interval's width; the
    estimate alone where both ends equal it."""
    estimate, low, high = interval
    if math.isnan(estimate):
        return MISSING
    if estimate == low == high:
        return format_value(estimate, "number" if form == "interval" else form)
    if form == "probability":
        if math.isnan(low):
            return f"{format_value(estimate, form)} [?, ?]"
        return f"{format_value(estimate, form)} [{_outwards(low, 2, math.floor)}, {_outwards(high, 2, math.ceil)}]"
    if math.isnan(low):
        return f"{format_value(estimate, 'number')} [?, ?]"
    if form == "amount":
        if math.isinf(low):
            return "never"
        return f"{_amount(estimate)} [{_outwards(low, 0, math.floor)}, {_outwards(high, 0, math.ceil)}]"
    finite = [end for end in interval if math.isfinite(end)]
    width = max(finite) - min(finite) if finite else 0.0
    scale = max((abs(end) for end in finite), default=0.0)
    if scale < NOISE:
        return _number(0.0, 1)
    if width <= 1e-12 * scale:  # all that is finite agrees
        decimals = _decimals(estimate if math.isfinite(estimate) else low)
        if len(finite) == 3:
            return _number(estimate, decimals)
        shown = [_number(end, decimals) for end in interval]
    else:
        decimals = min(12, max(0, math.ceil(-math.log10(max(width / 4, 1e-12)))))
        middle = _number(estimate, decimals, short=False)
        shown = [middle, _outwards(low, decimals, math.floor), _outwards(high, decimals, math.ceil)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def format_p(p: float) -> str:
    """A p-value, rounded up to three decimals."""
    if p < 0.001:
        return "< 0.001"
    return f"{math.ceil(round(p * 1000, 9)) / 1000:.3f}"


def _amount(value: float) -> str:
    """Steps or episodes: whole, or the half that the median of an even number of runs can have."""
    return "never" if math.isinf(value) else f"{value:.0f}" if value.is_integer() else f"{value:.1f}"


def _bounded(value: float, unit: float, decimals: int, top: float, suffix: str) -> str:
    """A fraction of 1 shown on the scale 0…top; the ends only where they are exact."""
    shown = value * top
    if 0 < shown < unit / 2:
        return f"< {unit:.{decimals}f}{suffix}"
    if top - unit / 2 < shown < top:
        return f"> {top - unit:.{decimals}f}{suffix}"
    return f"{shown:.{decimals}f}{suffix}"


def _decimals(value: float) -> int:
    """Decimals that show :data:`SIGNIFICANT` digits, at least one."""
    if abs(value) < NOISE or not math.isfinite(value):
        return 1
    return min(12, max(1, SIGNIFICANT - 1 - math.floor(math.log10(abs(value)) + 1e-12)))


def _number(value: float, decimals: int, short: bool = True) -> str:
    if math.isinf(value):
        return "never"
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    while short and decimals > 1 and text.endswith("0") and abs(float(text) - value) <= 1e-12 * abs(value):
        text, decimals = text[:-1], decimals - 1  # an exact -13 reads -13.0, not -13.00
    return text


def _outwards(value: float, decimals: int, rounding: Any) -> str:
    if math.isinf(value):
        return "never"
    scaled = value * 10**decimals
    nearest = round(scaled)
    whole = nearest if abs(scaled - nearest) <= 1e-9 * max(1.0, abs(scaled)) else rounding(scaled)
    text = f"{whole / 10**decimals:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def _raw(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value if isinstance(value, str) else repr(value.item() if hasattr(value, "item") else value)
