"""Tables: nothing is rounded in a flattering direction, and CSV gives back the numbers that went in."""

from __future__ import annotations

import csv
import io
import math
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from rlsuite.experiments.statistics import Interval
from rlsuite.experiments.tables import Table, console_table, format_interval, format_p, format_value, markdown, to_csv

finite = st.floats(-1e6, 1e6).filter(lambda x: x == 0 or abs(x) > 1e-6)
TABLE = Table(
    "test-final",
    "Final",
    "What it means.",
    ("algorithm", "runs", "IQM", "at optimum", "P", "p"),
    ("text", "integer", "interval", "percent", "probability", "p-value"),
    (
        ("q-learning a|b", 100, Interval(-13.04, -13.21, -12.93), 0.999, Interval(0.5, 0.0, 1.0), 0.0123),
        ("sarsa", 1, Interval(-17.0, np.nan, np.nan), 1.0, Interval(np.nan, np.nan, np.nan), np.nan),
    ),
)


@given(finite, st.floats(0, 1e5), st.floats(0, 1e5))
@example(0.0, 0.0, 5e-324)  # a quarter of it is zero
def test_interval_ends_are_rounded_outwards(estimate, below, above):
    interval = Interval(estimate, estimate - below, estimate + above)
    shown = [float(number) for number in re.findall(r"-?\d+\.?\d*", format_interval(interval))]
    width = interval.high - interval.low
    if width > 1e-6 * max(1.0, abs(estimate)):
        slack = 1e-9 * max(1.0, abs(interval.low), abs(interval.high))
        assert shown[1] <= interval.low + slack
        assert shown[2] >= interval.high - slack
        assert abs(shown[0] - estimate) <= width / 8 + slack  # half of a digit that is at most a quarter of the width


def test_intervals_as_shown():
    assert format_interval(Interval(-13.04, -13.21, -12.93)) == "-13.04 [-13.21, -12.93]"
    assert format_interval(Interval(-13.0, -13.0, -13.0)) == "-13.0"
    assert format_interval(Interval(0.744194, 0.744194, 0.744194)) == "0.7442"
    assert format_interval(Interval(-26.5, -27.31, -25.75)) == "-26.5 [-27.4, -25.7]"
    assert format_interval(Interval(5.0, np.nan, np.nan)) == "5.0 [?, ?]"
    assert format_interval(Interval(75.5, 50.0, np.inf), "amount") == "75.5 [50, never]"
    assert format_interval(Interval(np.inf, np.inf, np.inf), "amount") == "never"
    assert format_interval(Interval(50.0, 50.0, 50.0), "amount") == "50"
    assert format_interval(Interval(1.0, 1.0, 1.0), "probability") == "1.00"
    assert format_interval(Interval(0.0, -0.001, 0.002)) == "0.0000 [-0.0010, 0.0020]"


def test_rounding_noise_reads_zero():
    assert format_interval(Interval(7e-15, 7e-15, 7e-15)) == "0.0"
    assert format_interval(Interval(1e-15, -3e-15, 7e-15)) == "0.0"
    assert format_value(-2e-14, "number") == "0.0"


@pytest.mark.parametrize(
    ("value", "form", "shown"),
    [
        (0.999, "percent", "> 99 %"),
        (1.0, "percent", "100 %"),
        (0.001, "percent", "< 1 %"),
        (0.0, "percent", "0 %"),
        (0.9999, "probability", "> 0.99"),
        (1.0, "probability", "1.00"),
        (0.5, "probability", "0.50"),
        (0.04901, "p-value", "0.050"),
        (0.05, "p-value", "0.050"),
        (0.0004, "p-value", "< 0.001"),
        (math.inf, "number", "never"),
        (math.nan, "integer", "–"),
        (None, "interval", "–"),
        (12345.678, "number", "12345.7"),
        (0.0028763, "number", "0.002876"),
    ],
)
def test_values_as_shown(value, form, shown):
    assert format_value(value, form) == shown


@given(st.floats(0.001, 1))
def test_p_values_are_never_rounded_down(p):
    assert float(format_p(p)) >= p - 1e-12
    assert float(format_p(p)) <= p + 0.001


def test_markdown():
    lines = markdown(TABLE).splitlines()
    assert lines[0] == "### Final"
    assert lines[2] == "| algorithm | runs | IQM | at optimum | P | p |"
    assert lines[3] == "| --- | ---: | ---: | ---: | ---: | ---: |"
    assert lines[4] == r"| q-learning a\|b | 100 | -13.04 [-13.21, -12.93] | > 99 % | 0.50 [0.00, 1.00] | 0.013 |"
    assert lines[5] == "| sarsa | 1 | -17.0 [?, ?] | 100 % | – | – |"
    assert lines[7] == "What it means."


def test_csv_gives_the_numbers_back():
    first, second = csv.DictReader(io.StringIO(to_csv(TABLE)))
    assert first["algorithm"] == "q-learning a|b"
    assert [float(first[name]) for name in ("runs", "IQM", "IQM low", "IQM high")] == [100, -13.04, -13.21, -12.93]
    assert [float(first[name]) for name in ("at optimum", "P low", "p")] == [0.999, 0.0, 0.0123]
    assert (second["IQM"], second["IQM low"], second["p"]) == ("-17.0", "", "")


@pytest.mark.parametrize("width", [40, 60, 100])
def test_console_cuts_nothing_off(width):
    screen = Console(width=width, file=io.StringIO(), color_system=None)
    screen.print(console_table(TABLE))
    text = screen.file.getvalue()
    assert "…" not in text
    cells = [character for row in TABLE.cells for cell in row for character in cell if character not in " –"]
    assert all(text.count(character) >= cells.count(character) for character in set(cells))
    assert width < 100 or "-13.04 [-13.21, -12.93]" in text


def test_console_shows_the_brief_columns():
    brief = Table("n", "t", "c", ("a", "b"), ("text", "number"), (("left", 5.0),), brief=("a",))
    wide = Console(width=80, file=io.StringIO(), color_system=None)
    wide.print(console_table(brief))
    assert "left" in wide.file.getvalue()
    assert "5.0" not in wide.file.getvalue()


def test_ragged_tables_are_refused():
    with pytest.raises(ValueError, match="differ in length"):
        Table("n", "t", "c", ("a",), ("text",), (("x", "y"),))
