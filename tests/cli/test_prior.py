"""``rlsuite prior`` as a user types it: fit, sample, score, list, and what is wrong said in one line."""

import json
import subprocess
import sys

import pytest


def rlsuite(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "rlsuite", *map(str, arguments)], cwd=cwd, capture_output=True, text=True
    )


def test_fit_sample_score_list(tmp_path):
    fitted = rlsuite("prior", "fit", "--model", "var", "--data", "walk", "--past", 1, "--steps", 1, cwd=tmp_path)
    assert fitted.returncode == 0, fitted.stderr
    assert "var(1)" in fitted.stdout and "held-out frames" in fitted.stdout
    drawn = rlsuite("prior", "sample", "var.safetensors", "-n", 2, "--seconds", 0.5, "--out", "made.npz", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == ["made-0.npz", "made-1.npz"]
    scored = rlsuite("prior", "score", "var.safetensors", "walk", "made-0.npz", "--json", cwd=tmp_path)
    rows = json.loads(scored.stdout)
    assert [row["clip"] for row in rows] == ["walk", "var-0"] and all(row["exact"] for row in rows)
    listed = rlsuite("prior", "list", ".", cwd=tmp_path)
    assert listed.stdout.startswith("var.safetensors") and "next" in listed.stdout
    assert "motion-vae" in rlsuite("prior", "list", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fit", "--model", "wavnet"], "wavenet"),
        (["fit", "--model", "var", "--data", "walkk"], "did you mean 'walk'"),
        (["fit", "--model", "gaussian", "--kind", "frames"], "pose, next, window"),
        (["fit", "--model", "vae", "--set", "latnt_size=3"], "latent_size"),
        (["fit", "--model", "vae", "--out", "vae.npz"], ".safetensors"),
        (["sample", "none.safetensors"], "none.safetensors"),
        (["list", "nowhere"], "no such folder"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, says, tmp_path):
    done = rlsuite("prior", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not list(tmp_path.iterdir())
