"""The programs on the pages run as printed, in the order of the page, and make the figures shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# environments.md and export.md have tests of their own; compare.md, statistics.md, gallery.md and speed.md have no Python
PAGES = ("README", *(f"docs/{name}" for name in ("index", "agents", "extending", "train", "planning")))
PAGES += tuple(
    f"docs/{name}" for name in ("monte-carlo", "td", "dyna", "policy-gradient", "deep", "motion", "motion-formats")
)
PAGES += ("docs/motion-metrics", "docs/imitation", "docs/priors", "docs/maps")
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# what a page's program loads is made by the page's own commands, which then run first
COMMANDS = {
    "docs/train": re.compile(r"^rlsuite (train .*)", re.MULTILINE),
    "docs/maps": re.compile(r"^rlsuite (maps fit .* --out maps\.safetensors)", re.MULTILINE),
}


def run(arguments: list[str], folder: Path) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_programs_run_and_make_the_figures_of_the_page(page: str, tmp_path: Path) -> None:
    text = (ROOT / f"{page}.md").read_text()
    (tmp_path / "docs" / "img").mkdir(parents=True)
    for arguments in COMMANDS[page].findall(text) if page in COMMANDS else ():
        run(["-m", "rlsuite", *arguments.split()], tmp_path)
    programs = PROGRAM.findall(text)
    assert programs
    for program in programs:
        run(["-W", "error", "-c", program], tmp_path)
    shown = set(re.findall(r"\((?:docs/)?img/([\w.-]+)\)", text))
    made = {path.name for path in (tmp_path / "docs" / "img").iterdir()}
    assert made == shown or page in (
        "README",
        "docs/deep",
        "docs/motion",
        "docs/imitation",
        "docs/maps",
        "docs/priors",
    )  # whose pictures come from the commands above them
    assert all((ROOT / "docs" / "img" / name).is_file() for name in shown)


def test_every_page_with_programs_is_tested_here() -> None:
    pages = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    with_programs = {page for page in pages if PROGRAM.search(page.read_text())}
    assert with_programs - {ROOT / f"{page}.md" for page in PAGES} == {
        ROOT / "docs" / name for name in ("environments.md", "export.md")
    }


LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.mark.parametrize("page", ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))])
def test_links_lead_to_files(page: str) -> None:
    path = ROOT / page
    assert [link for link in LINK.findall(path.read_text()) if not (path.parent / link).exists()] == []
