"""The gallery: every figure is made, and its numbers agree with the book's or the exact ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rlsuite.cli.main import main
from rlsuite.errors import UnknownNameError
from rlsuite.experiments.reproduce import ENTRIES, chosen, names
from rlsuite.experiments.reproduce.reproduction import near, over_seeds, reproduce

SUFFIXES = ("png", "svg", "json")


@pytest.mark.parametrize("entry", ENTRIES, ids=names())
def test_every_figure_agrees_with_the_book(entry, tmp_path):
    """Each check states its reference and its tolerance; see the file of its chapter."""
    written = reproduce(entry, tmp_path, quick=True)
    assert len(written.checks) >= 3
    assert [str(check) for check in written.checks if not check.holds] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{entry.name}.{s}" for s in SUFFIXES)
    assert written.png.read_bytes().startswith(b"\x89PNG")
    record = json.loads((tmp_path / f"{entry.name}.json").read_text())
    assert record["seeds"] == entry.quick
    assert record["provenance"]["versions"]["rlsuite"]
    assert [check["measured"] for check in record["checks"]] == [check.measured for check in written.checks]
    assert record["data"]


def test_the_same_seeds_give_the_same_numbers(tmp_path):
    """Threads do not matter: every run has streams of its own."""
    (entry,) = chosen(["example-6-5"])
    first, second = (reproduce(entry, tmp_path / name, seeds=4, quick=True) for name in "ab")
    assert first.checks == second.checks
    data = [json.loads((tmp_path / name / "example-6-5.json").read_text())["data"] for name in "ab"]
    assert data[0] == data[1]


def test_seeds_run_in_order():
    assert over_seeds(lambda seed: seed * seed, 7) == [0, 1, 4, 9, 16, 25, 36]


@pytest.mark.parametrize(("measured", "holds"), [(1.0, True), (1.09, True), (1.11, False), (np.nan, False)])
def test_a_check_holds_within_its_tolerance(measured, holds):
    check = near("x", measured, 1.0, 0.1, "book")
    assert check.holds is holds
    assert ("differs" in str(check)) is not holds


def test_names_are_unique_and_say_where_the_book_has_them():
    assert len(set(names())) == len(ENTRIES) >= 18
    for entry in ENTRIES:
        kind, chapter, number = entry.name.split("-")
        assert f"{kind} {chapter}.{number}" in entry.source


def test_choosing_figures():
    assert [entry.name for entry in chosen(["figure-7-2", "Figure_4.2"])] == ["figure-4-2", "figure-7-2"]
    assert chosen(["all"]) == list(ENTRIES)
    assert chosen([]) == []
    with pytest.raises(UnknownNameError, match="did you mean 'figure-7-2'"):
        chosen(["figur-7-2"])


def test_the_command_lists_and_rejects(capsys):
    for arguments in (["reproduce"], ["reproduce", "--list"]):
        assert main(arguments) == 0
        listed = capsys.readouterr().out
        assert all(name in listed for name in names())
    assert main(["reproduce", "figure-7-3"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "unknown figure 'figure-7-3'; did you mean 'figure-7-2'" in error


def test_the_command_makes_a_figure(tmp_path, capsys):
    page, folder = tmp_path / "page.md", tmp_path / "images"
    assert main(["reproduce", "figure-3-5", "--quick", "--out", str(folder), "--page", str(page)]) == 0
    said = capsys.readouterr().out
    assert "24.42 (book 24.4)" in said
    assert all((folder / f"figure-3-5.{suffix}").stat().st_size > 0 for suffix in SUFFIXES)
    assert "(images/figure-3-5.png)" in page.read_text()
    assert "| v of row 0, column 1 | 24.42 | book 24.4 |" in page.read_text()


def test_few_runs_are_called_few(tmp_path, capsys):
    assert main(["reproduce", "example-6-6", "--seeds", "1", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "<- differs" in said  # a single run has no standard error to allow for
    assert "with fewer than 60 runs, differences may be chance" in said


def test_the_gallery_page_shows_every_figure():
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "gallery.md").read_text()
    for name in names():
        assert f"(img/gallery/{name}.png)" in text
        assert 0 < (docs / "img" / "gallery" / f"{name}.png").stat().st_size < 150_000
    assert "differs" not in text


def test_listing_is_light():
    code = (
        "import sys; from rlsuite.cli.main import main; main(['reproduce']); "
        "sys.exit(len({'numba', 'matplotlib', 'scipy', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
