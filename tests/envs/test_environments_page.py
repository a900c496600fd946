"""The documentation page lists every environment with its arguments and limit, and its code runs."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from rlsuite.envs import registered_ids

PAGE = Path(__file__).parents[2] / "docs" / "environments.md"
ROWS = {row.split("`")[1]: row for row in PAGE.read_text().splitlines() if row.startswith("| `rlsuite/")}


def test_page_lists_exactly_the_registered_environments():
    assert list(ROWS) == registered_ids()


@pytest.mark.parametrize("id", registered_ids())
def test_page_gives_arguments_and_limit(id):
    env = gym.make(id)
    _, _, _, arguments, limit, _, _ = ROWS[id].split("|")
    accepted = [name for name in inspect.signature(type(env.unwrapped)).parameters if name != "render_mode"]
    assert re.findall(r"`(\w+)[=`]", arguments) == accepted
    assert int(limit) == env.spec.max_episode_steps


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_code_on_the_page_runs(code, tmp_path):
    (tmp_path / "docs" / "img").mkdir(parents=True)
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=tmp_path)
