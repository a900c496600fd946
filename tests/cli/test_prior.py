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


def test_complete(tmp_path):
    fitted = rlsuite(
        "prior", "fit", "--model", "ppca", "--kind", "window", "--data", "walk", "--steps", 1, "--set", "latent_size=8",
        cwd=tmp_path,
    )  # fmt: skip
    assert fitted.returncode == 0, fitted.stderr
    made = rlsuite(
        "prior", "complete", "ppca.safetensors", "walk", "--missing", "right_knee", "--frames", "4:9", cwd=tmp_path
    )  # fmt: skip
    assert made.returncode == 0 and made.stdout.startswith("walk-completed.npz"), made.stderr
    wrong = rlsuite("prior", "complete", "ppca.safetensors", "walk", "--frames", "9", "--out", "b.npz", cwd=tmp_path)
    assert wrong.returncode == 2 and "A:B" in wrong.stderr


def test_upsample(tmp_path):
    made = rlsuite("prior", "upsample", "up.safetensors", "walk", "--fit", "kick", "idle", "--steps", 2, cwd=tmp_path)
    assert made.returncode == 0 and "walk-upsampled.npz" in made.stdout, made.stderr
    assert (tmp_path / "up.safetensors").is_file()
