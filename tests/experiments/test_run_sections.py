"""A recorded run on a page."""

import json
import subprocess
import sys

import pytest

from rlsuite.errors import RecordError
from rlsuite.experiments.report import write_page
from rlsuite.experiments.run_sections import require_run, run_section

TRAIN = "--algo q-learning --env FrozenLake-v1 -n 2000 --eval-freq 500 --eval-episodes 5 --set alpha=0.5 --quiet"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    command = [sys.executable, "-m", "rlsuite.cli.main", "train", *TRAIN.split(), "--out", str(folder), "--name", "a"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "FrozenLake-v1" / "q-learning" / "a-s0"


def test_the_curve_is_that_of_the_evaluations(run, tmp_path):
    section = run_section(run, tmp_path, film=False)
    rows = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    drawn = section.pictures[0].figure.axes[0].lines[0]
    assert list(drawn.get_xdata()) == [row["time/total_timesteps"] for row in rows]
    assert list(drawn.get_ydata()) == [row["eval/mean_reward"] for row in rows]
    assert f"The best of {len(rows)} evaluations" in section.text[0]
    assert ("alpha", "0.5") in section.children[0].tables[0].rows


def test_the_page_holds_curve_and_film(run, tmp_path):
    page = write_page(tmp_path, "a page", [run_section(run, tmp_path)])
    text = page.read_text()
    assert "q-learning on FrozenLake-v1, one run" in text and "data:image/gif" in text
    assert (tmp_path / "figures" / "run-FrozenLake-v1-q-learning-a-s0.gif").read_bytes()[:6] == b"GIF89a"


def test_what_is_no_run_is_refused(run, tmp_path):
    with pytest.raises(RecordError, match=r"is not a run: it has no config\.yaml"):
        require_run(tmp_path)
    (tmp_path / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    with pytest.raises(RecordError, match="has no evaluations to show"):
        require_run(tmp_path)
