"""An agent in one file works as the documentation says, and an edit of its kernels is never answered from the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlsuite.agents import agent_class
from rlsuite.errors import InvalidEnvironmentError, UnknownNameError

EXAMPLE = Path(__file__).parents[2] / "examples" / "my_agent.py"


def python(*arguments: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, env=os.environ.copy())
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example_checks_itself_and_is_compared(tmp_path: Path) -> None:
    lines = python(str(EXAMPLE), cwd=tmp_path).splitlines()
    assert lines[0] == "check_agent: passed"
    assert [line.split(":")[0] for line in lines[1:]] == ["advantage-learning", "q-learning"]


def test_the_command_line_finds_the_file_in_the_current_folder() -> None:
    command = Path(sys.executable).with_name("rlsuite")
    done = subprocess.run(
        [command, "list", "algos", "my_agent:advantage-learning"], cwd=EXAMPLE.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("advantage-learning (control)")


def test_an_edited_kernel_takes_effect_in_the_next_process(tmp_path: Path) -> None:
    """The loop contains the user's kernels; a loop cached on disk would go on running the old ones."""
    copy = tmp_path / "my_agent.py"
    program = (
        "from rlsuite.agents import agent_class\n"
        "agent = agent_class('my_agent:advantage-learning')('FrozenLake-v1', seed=0)\n"
        "print(agent.learn(500).memory.exploration.episode[0], agent.num_episodes)"
    )
    source = EXAMPLE.read_text()
    for calls in (1, 1, 3):
        edited = source.replace("    begin_episode(m.exploration)\n", "    begin_episode(m.exploration)\n" * calls)
        copy.write_text(edited)
        counted, finished = map(int, python("-c", program, cwd=tmp_path).split())
        assert finished > 5
        assert counted - calls * finished in (0, calls)  # one more episode may have begun


def test_a_module_before_the_name_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidEnvironmentError, match="no_such_module"):
        agent_class("no_such_module:q-learning")
    (tmp_path / "broken_agents.py").write_text("import math\nmath.nothing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidEnvironmentError, match="AttributeError"):
        agent_class("broken_agents:q-learning")
    with pytest.raises(UnknownNameError, match="did you mean 'q-learning'"):
        agent_class("math:q-lerning")
