"""`rlsuite imitate --prior`: a frozen motion prior rewards a run; recorded, resumed exactly, refused by what it lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlsuite.cli.main import main
from rlsuite.experiments.loading import what_was_run
from rlsuite.experiments.records import METRICS, read_config, read_rows
from rlsuite.generative import registry
from rlsuite.motion.catalogue import find
from rlsuite.motion.priors.data import motion_data
from rlsuite.motion.priors.prior import MotionPrior, shapes

SMALL = ["--n-envs", 4, "--eval-episodes", 1, "--save-freq", 128, "--eval-freq", 256, "--log-interval", 64, "--no-clips",
         "-q", "--no-tensorboard", "--set", "n_steps=8", "batch_size=32", "n_epochs=1", "net_arch=8"]  # fmt: skip
RUNS = "runs/rlsuite-HumanoidImitate-v0/ppo"


def run(*arguments):
    return main([str(argument) for argument in arguments])


def imitate(*arguments):
    return run("imitate", "--clip", "walk", "-n", 256, *SMALL, *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a prior of each kind: windows, next frames, and one that cannot reward."""
    folder = tmp_path_factory.mktemp("priors")
    for name, kind, fps, settings in (
        ("ddpm", "window", 30.0, {"width": 16, "depth": 1}),
        ("var", "next", 30.0, {}),
        ("ppca", "window", 24.0, {"latent_size": 4}),
    ):
        data = motion_data([find("walk")], kind, fps=fps, past=2, length=4)
        model = registry.create(name, seed=0, **shapes(name, data), **settings)
        part = data.part("train")
        model.fit(part.events, part.condition, steps=1, held_out=0.0)
        starts = part.events[:1, :0].numpy().reshape(0, 2, data.coordinates.size)
        prior = MotionPrior(model.eval(), data.coordinates, data.kind, fps, 2, 4, data.spread, starts)
        prior.save(folder / f"{name}.safetensors")
    return folder


@pytest.fixture(autouse=True)
def _there(folder, monkeypatch):
    monkeypatch.chdir(folder)


def rows(name):
    return [
        {key: value for key, value in row.items() if not key.startswith("time/") or key.endswith("timesteps")}
        for row in read_rows(f"{RUNS}/{name}-s0/{METRICS}")
    ]


@pytest.mark.parametrize("name", ["ddpm", "var"])
def test_it_is_recorded_and_a_run_that_stopped_goes_on_exactly(name, folder):
    assert imitate("--prior", f"{name}.safetensors", "--name", f"whole-{name}") == 0
    config = read_config(f"{RUNS}/whole-{name}-s0")
    assert config["prior"] == {"file": "run:prior.safetensors", "weights": [0.5, 0.5]}
    assert (folder / RUNS / f"whole-{name}-s0" / "prior.safetensors").read_bytes() == (
        folder / f"{name}.safetensors"
    ).read_bytes()
    assert imitate("--prior", f"{name}.safetensors", "--name", f"cut-{name}", "--minutes", 1e-6) == 0
    assert len(rows(f"cut-{name}")) < len(rows(f"whole-{name}"))
    assert run("resume", f"{RUNS}/cut-{name}-s0", "-q") == 0
    assert rows(f"cut-{name}") == rows(f"whole-{name}")
    assert all(0.0 <= row["env/reward/prior"] <= 1.0 for row in rows(f"whole-{name}"))


def test_alone_it_is_all_the_reward_that_there_is():
    assert imitate("--prior", "ddpm.safetensors", "--prior-weights", 0, 1, "--name", "alone") == 0
    assert imitate("--name", "none") == 0
    assert rows("alone")[0]["train/value_loss"] != rows("none")[0]["train/value_loss"]
    assert "prior" not in read_config(f"{RUNS}/none-s0")
    _, made = what_was_run(Path(f"{RUNS}/alone-s0"))
    batch, single = made.batch(), made.single()
    batch.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(5):
        _, rewards, _, _, info = batch.step(rng.uniform(-0.5, 0.5, (4, 28)))
        assert (rewards == info["reward/prior"]).all() and (rewards > 0.0).all()
    single.reset(seed=0)
    assert "reward/prior" not in single.step(np.zeros(28, np.float32))[4]  # evaluations and films are without it
    batch.close(), single.close()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--prior", "ppca.safetensors"], "the prior's frames are 24 a second and the humanoid's 30: fit it at fps=30"),
        (["--prior", "none.safetensors"], "none.safetensors"),
        (["--prior-weights", 1, 1], "--prior-weights needs --prior FILE"),
        (["--prior", "ddpm.safetensors", "--prior-weights", -1, 1], "two weights"),
        (["--prior", "ddpm.safetensors", "--backend", "sb3"], "--backend sb3"),
    ],
)
def test_what_cannot_be_is_told_in_a_line_and_leaves_nothing(arguments, told, folder, capsys):
    before = sorted(folder.rglob("*"))
    assert imitate(*arguments, "--name", "refused") == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


def test_a_model_that_cannot_reward_is_refused_by_what_it_lacks(folder, capsys, monkeypatch):
    from rlsuite.envs.wrappers import prior_reward

    monkeypatch.setattr(prior_reward, "_is_diffusion", lambda model: False)  # a score, and nothing to denoise with
    monkeypatch.setattr(prior_reward, "KINDS", {"score": prior_reward.Score})
    assert imitate("--prior", "ddpm.safetensors") == 2
    error = capsys.readouterr().err
    assert "needs a model with the capability Density, Bound or Energy" in error and error.count("\n") == 1
