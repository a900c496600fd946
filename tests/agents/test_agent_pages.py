"""The programs on the pages about agents, Monte Carlo and policy gradient run as printed and make the figures shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("agents", "monte-carlo", "policy-gradient")
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_programs_run_and_make_the_figures_of_the_page(page: str, tmp_path: Path) -> None:
    text = (DOCS / f"{page}.md").read_text()
    (tmp_path / "docs" / "img").mkdir(parents=True)
    programs = PROGRAM.findall(text)
    assert programs
    for program in programs:
        done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    shown = set(re.findall(r"\(img/([\w.]+)\)", text))
    assert {path.name for path in (tmp_path / "docs" / "img").iterdir()} == shown
    assert all((DOCS / "img" / name).is_file() for name in shown)
