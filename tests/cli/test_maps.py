"""``rlsuite maps``: run as a user runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rlsuite.cli.main import main
from rlsuite.envs.maps import cells, generators, map_files


def rlsuite(*arguments, cwd):
    command = [sys.executable, "-m", "rlsuite", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a model has been fitted from the command line."""
    folder = tmp_path_factory.mktemp("maps")
    done = rlsuite(
        "maps", "fit", "--model", "made", "--size", 6, "--maps", 200, "--steps", 150, "--set", "hidden=[64]",
        "--tensorboard", "events", "--out", "rooms", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "made: 180 maps of 6 x 6 from rooms, endpoints learned" in done.stdout
    assert "held out: 20 maps," in done.stdout and "nats per cell (exact)" in done.stdout
    return folder


def test_samples_are_maps_with_figures(folder):
    assert list((folder / "events").iterdir())
    again = rlsuite("maps", "fit", "--size", 6, "--out", "rooms", cwd=folder)
    assert again.returncode == 2 and again.stderr.strip().endswith("--force replaces it")
    done = rlsuite(
        "maps", "sample", "rooms.safetensors", "-n", 5, "--solvable", "--out", "new.txt", "--image", "sheet.png",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "100% solvable" in done.stdout and done.stdout.endswith("new.txt\nsheet.png\n")
    maps = map_files.read_maps(folder / "new.txt")
    assert maps.shape == (5, 6, 6) and all(cells.solution_length(maze) for maze in maps)
    first = (folder / "new.txt").read_text().splitlines()[0]
    assert first.startswith(f"; map 0: {cells.solution_length(maps[0])} step")
    assert (folder / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_figures_as_json_and_the_same_again(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    command = ["maps", "sample", "rooms.safetensors", "-n", "12", "--seed", "3", "--json", "--out", "maps"]
    assert main(command) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["maps"] == figures["drawn"] == 12 and figures["likelihood"] == "exact"
    files = sorted((folder / "maps").iterdir())
    lengths = [cells.solution_length(map_files.read_maps(file)[0]) for file in files if _well_formed(file)]
    assert len(files) == 12
    assert figures["solvable"] == sum(length is not None for length in lengths) / 12
    assert main(command) == 0 and json.loads(capsys.readouterr().out) == figures


def _well_formed(file):
    text = file.read_text().split("\n", 1)[1]
    return text.count("S") == text.count("G") == 1


def test_the_environment_goes_through_compare(folder):
    done = rlsuite(
        "compare", "--env", "rlsuite/GeneratedMaze-v0", "--algo", "q-learning", "sarsa", "--seeds", 2, "--episodes", 20,
        "--checkpoints", 2, "--env-kwargs", "model=rooms.safetensors", "level=2", "--workers", 1, "--out", "report",
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "report" / "index.html").exists() or list((folder / "report").glob("*.html"))


def test_the_example_tells_seen_levels_from_unseen_ones(folder):
    example = Path(__file__).parents[2] / "examples" / "generated_levels.py"
    command = [sys.executable, str(example), "rooms.safetensors", "-n", "1024", "--levels", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr
    *_, untrained, trained = done.stdout.splitlines()
    assert re.fullmatch(r"\| none \| – \| \d+% \|", untrained)
    assert re.fullmatch(r"\| 1 \| (0|100)% \| \d+% \|", trained)


def test_maps_of_a_file_are_learned(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mine = generators.generate(["cave"], 7, 30, seed=1)
    map_files.write_maps("mine.txt", mine)
    command = ["maps", "fit", "--from", "mine.txt", "--steps", "5", "--held-out", "0", "--out", "mine.safetensors"]
    assert main(command) == 0
    assert "30 maps of 7 x 7 from mine.txt" in capsys.readouterr().out
    from rlsuite.envs.maps.model import load

    learned = load("mine.safetensors").training
    assert sorted(map(cells.text, learned)) == sorted(map(cells.text, mine))


def test_errors_are_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.txt").write_text("S.\n.G\n\nS.\n.?\n")
    (tmp_path / "bad.safetensors").write_bytes(np.arange(50, dtype=np.uint8).tobytes())
    cases = [
        (["fit", "--from", "bad.txt"], "bad.txt, line 5, column 2: '?' is no cell"),
        (["fit", "--from", "romms"], "unknown map generator or file 'romms'; did you mean 'rooms'?"),
        (["fit", "--model", "mad"], "unknown generative model 'mad'; did you mean 'made'"),
        (["fit", "--model", "realnvp", "--steps", "1"], "realnvp does not suit maps"),
        (["fit", "--from", "perfect", "--size", "8"], "a perfect maze needs an odd size, is 8"),
        (["fit", "--set", "hidden"], "--set 'hidden' is not NAME=VALUE"),
        (["sample", "bad.safetensors"], "bad.safetensors is not a saved generative model, or is damaged"),
        (["sample", "absent.safetensors"], "no saved generative model at absent.safetensors"),
    ]
    for arguments, message in cases:
        assert main(["maps", *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1, error


def test_suitable_models_are_listed(capsys):
    assert main(["maps", "fit", "--model", "list"]) == 0
    names = capsys.readouterr().out.split()
    assert {"made", "pixelcnn", "rbm", "vae"} <= set(names) and "realnvp" not in names
