"""The cache of machine code: never an old copy, never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rlsuite
from rlsuite import kernel_cache
from rlsuite.agents.tabular import kernels


def run(program: str, cache: Path, **environment: str) -> str:
    """Output of a fresh process, which takes the package that lies beside the cache, if one does."""
    env = {**os.environ, "RLSUITE_CACHE_DIR": str(cache), **environment}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=cache.parent, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# step_size (exploration.py) is called by the kernels of td_control.py, inside the loop of interaction.py, which is cached
STEP = """
import numpy as np, rlsuite
agent = rlsuite.agent("q-learning", "CliffWalking-v1", seed=0, alpha=1e-3).learn(50)
print(float(np.abs(agent.action_values).max()) > 1.0)
"""


def test_an_edited_helper_in_another_file_is_compiled_anew(tmp_path) -> None:
    shutil.copytree(Path(rlsuite.__file__).parent, tmp_path / "rlsuite", ignore=shutil.ignore_patterns("__pycache__"))
    before = run(STEP, tmp_path / "cache")
    helper = tmp_path / "rlsuite/agents/tabular/exploration.py"
    text = helper.read_text()
    assert text.count("        return alpha\n") == 1
    helper.write_text(text.replace("        return alpha\n", "        return 100.0 * alpha\n"))
    assert (before, run(STEP, tmp_path / "cache")) == ("False", "True")


@pytest.mark.parametrize("source", ["agents/tabular/window.py", "agents/tabular/kernels.py", "envs/finite/mdp.py"])
def test_the_folder_changes_with_every_kernel_source(source, tmp_path) -> None:
    where = "from rlsuite.agents.tabular.kernels import cache_directory; print(cache_directory())"
    shutil.copytree(Path(rlsuite.__file__).parent, tmp_path / "rlsuite", ignore=shutil.ignore_patterns("__pycache__"))
    before = run(where, tmp_path / "cache")
    assert before == run(where, tmp_path / "cache")
    with (tmp_path / "rlsuite" / source).open("a") as file:
        file.write("# edited\n")
    assert run(where, tmp_path / "cache") != before


def test_old_generations_go_and_one_that_vanishes_meanwhile_is_no_error(tmp_path, monkeypatch) -> None:
    root = tmp_path / "kernels"
    for age in range(20):
        (root / f"g{age:02}").mkdir(parents=True)
        os.utime(root / f"g{age:02}", (1e9 - age, 1e9 - age))
    (root / "vanished").symlink_to(tmp_path / "nowhere")  # its stat fails, as that of a removed folder does
    monkeypatch.setenv("RLSUITE_CACHE_DIR", str(tmp_path))
    folder = kernels.cache_directory.__wrapped__()
    left = {path.name for path in root.iterdir()} - {"vanished", folder.name}
    assert left == {f"g{age:02}" for age in range(kernel_cache.KEPT_GENERATIONS - 1)}


def test_where_no_cache_can_be_kept_nothing_is_left_behind(tmp_path) -> None:
    (tmp_path / "file").touch()  # no folder can be made below a file
    (tmp_path / "temporary").mkdir()
    program = "from rlsuite.agents.tabular.kernels import cache_directory; print(cache_directory().is_dir())"
    assert run(program, tmp_path / "file", TMPDIR=str(tmp_path / "temporary")) == "True"
    assert list((tmp_path / "temporary").iterdir()) == []
