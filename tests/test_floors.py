"""The house: imports go down its floors, never up, and light entrances stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rlsuite

PACKAGE = Path(rlsuite.__file__).parent
FLOORS = ["generative", "motion", "envs", "agents", "experiments", "cli"]  # from the ground up
MODULES = sorted(PACKAGE.rglob("*.py"))
# Agents and environments meet through Gymnasium; the finite MDP is the one contract they share. Registration makes an
# environment from its id with good errors, and knows no environment class itself (their entry points are strings).
SHARED_WITH_AGENTS = {"finite.mdp", "finite.spaces", "finite.layout", "registration"}


def imported(path):
    """Absolute names of the rlsuite modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("rlsuite."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rlsuite"):
            assert node.level == 0
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path):
    own = path.relative_to(PACKAGE).parts[0]
    if own not in FLOORS:
        return  # errors, files, seeding: the ground that every floor stands on (checked below)
    for name in imported(path):
        other = name.split(".")[1]
        if other in FLOORS:
            assert FLOORS.index(other) <= FLOORS.index(own), f"{path.name} ({own}) imports {name}"
        if own == "agents" and other == "envs":
            module = name.removeprefix("rlsuite.envs.")
            shared = any(module == known or module.startswith(f"{known}.") for known in SHARED_WITH_AGENTS)
            assert shared, f"{path.name} knows the environment {name}"


@pytest.mark.parametrize("name", ["devices", "errors", "files", "imports", "seeding", "starting", "tensor_files"])
def test_the_ground_imports_nothing_above_it(name):
    assert [module for module in imported(PACKAGE / f"{name}.py") if module.split(".")[1] in FLOORS] == []


def test_generative_models_are_pure_torch():
    for path in (PACKAGE / "generative").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            assert not {name.split(".")[0] for name in names} & {"gymnasium", "mujoco", "stable_baselines3"}, path


@pytest.mark.parametrize("module", ["rlsuite", "rlsuite.agents", "rlsuite.cli.main"])
def test_light_entrances(module):
    program = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'matplotlib', 'numba', 'scipy', 'jinja2', 'rich', 'PIL', 'pygame'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
