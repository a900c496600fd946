"""Models of maps: exact likelihoods, conditioning on solvability, novelty by hand, files."""

import itertools

import numpy as np
import pytest
import torch

from rlsuite.envs.maps import cells, generators, measures, model
from rlsuite.envs.maps.suitability import representation, suitable_names
from rlsuite.errors import CapabilityError, ConvergenceError, HyperparameterError, RecordError
from rlsuite.generative import create, model_class, save


def all_maps(alphabet, rows, cols):
    return np.array(list(itertools.product(alphabet, repeat=rows * cols))).reshape(-1, rows, cols)


def chars(*rows):
    return np.array([list(row) for row in rows])


@pytest.mark.parametrize("name", ["tabular", "made", "pixelcnn", "transformer"])
@pytest.mark.parametrize(("alphabet", "shape"), [(".#SG", (2, 2)), (".#", (3, 3))])
def test_probabilities_of_all_maps_sum_to_one(name, alphabet, shape):
    ends = "learned" if "S" in alphabet else "farthest"
    every = all_maps(alphabet, *shape)
    trained = (
        np.stack([maze for maze in every if cells.solution_length(maze) is not None]) if "S" in alphabet else every
    )
    fitted, _ = model.fit(trained, name, ends=ends, steps=3, held_out=0.0)
    assert fitted.score_name == "exact"
    nats = fitted.scores(every) * shape[0] * shape[1]
    assert np.exp(-nats).sum() == pytest.approx(1.0, abs=1e-5)


def test_the_tabular_model_says_how_often_a_map_was_seen():
    often, seldom = chars("S.", "#G"), chars("SG", "##")
    maps = np.stack([often] * 30 + [seldom] * 10)
    fitted, _ = model.fit(maps, "tabular", steps=1, held_out=0.0, hyperparameters={"pseudo_count": 0.0})
    assert np.exp(-4 * fitted.scores(np.stack([often, seldom]))) == pytest.approx([0.75, 0.25], abs=1e-6)
    assert fitted.ends == "learned" and fitted.alphabet == ".#SG"
    assert np.isposinf(fitted.scores(chars("GS", "##")[None])).all()


def test_solvable_samples_follow_the_model_given_that_they_are():
    """Three maps, one of which cannot be solved: the others keep their odds, 3 to 1, and a third are drawn in vain."""
    a, b, c = chars("S.", "#G"), chars("SG", "##"), chars("S#", "#G")
    maps = np.stack([a] * 30 + [b] * 10 + [c] * 20)
    fitted, _ = model.fit(maps, "tabular", steps=1, held_out=0.0, hyperparameters={"pseudo_count": 0.0})
    drawn, tried = fitted.sample(3000, 7, solvable=True)
    share = np.mean([np.array_equal(maze, a) for maze in drawn])
    assert all(cells.solution_length(maze) is not None for maze in drawn)
    assert share == pytest.approx(0.75, abs=0.04)  # five standard deviations
    assert tried == pytest.approx(4500, rel=0.06)
    free, drawn_for = fitted.sample(3000, 7)
    assert drawn_for == 3000
    assert np.mean([np.array_equal(maze, c) for maze in free]) == pytest.approx(1 / 3, abs=0.045)


def test_a_model_of_unsolvable_maps_gives_up():
    maps = np.stack([chars("S#", "#G")] * 10)
    fitted, _ = model.fit(maps, "tabular", steps=1, held_out=0.0, hyperparameters={"pseudo_count": 0.0})
    with pytest.raises(ConvergenceError, match="0 of 400 maps of this tabular can be solved, 2 are wanted"):
        fitted.sample(2, 0, solvable=True)


def test_novelty_by_hand():
    training = np.stack([chars("S.", ".G"), chars("S#", ".G")])
    maps = np.stack([chars("S.", ".G"), chars("S#", "#G"), chars("##", "##"), chars("G.", ".S")])
    assert measures.novelty(maps, training).tolist() == [0, 1, 3, 2]


def test_novelty_in_chunks_is_the_same(monkeypatch):
    maps = generators.generate(["obstacles"], 8, 30, seed=0)
    whole = measures.novelty(maps[:10], maps[10:])
    monkeypatch.setattr(measures, "CHUNK", 2000)
    assert np.array_equal(measures.novelty(maps[:10], maps[10:]), whole)
    assert whole[0] == min((maps[0] != other).sum() for other in maps[10:])


def test_measures_count_copies_and_duplicates():
    training = np.stack([chars("S.", "#G")] * 4)
    fitted, _ = model.fit(training, "tabular", steps=1, held_out=0.0)
    maps = np.stack([chars("S.", "#G"), chars("S.", "#G"), chars("S#", "#G"), chars("SS", "#G")])
    figures = measures.measure(fitted, maps).summary()
    assert (figures["solvable"], figures["well formed"], figures["median steps"]) == (0.5, 0.75, 2.0)
    assert (figures["copies"], figures["duplicates"], figures["mean novelty"]) == (2, 1, 0.5)


def test_fixed_endpoints_are_free_where_the_model_can_complete():
    maps = generators.generate(["obstacles"], 5, 60, seed=0)
    fitted, _ = model.fit(maps, "rbm", steps=2, hyperparameters={"sample_steps": 5})
    assert (fitted.ends, fitted.fixed, fitted.score_name) == ("fixed", ((0, 0), (4, 4)), "energy")
    drawn, _ = fitted.sample(40, 0)
    assert (drawn[:, 0, 0] == "S").all() and (drawn[:, 4, 4] == "G").all() and (drawn == "#").any()


def test_fixed_endpoints_in_walls_make_a_map_that_cannot_be_solved():
    maps = generators.generate(["obstacles"], 5, 60, seed=0)
    fitted, _ = model.fit(maps, "made", ends="fixed", steps=1, learning_rate=1e-6)
    drawn, _ = fitted.sample(64, 0)
    walled = drawn[:, 0, 0] == "#"
    assert walled.any() and not walled.all()
    assert all(cells.solution_length(maze) is None for maze in drawn[walled])


def test_farthest_endpoints_are_where_samples_have_room():
    maps = cells.without_endpoints(generators.generate(["cave"], 6, 60, seed=0))
    fitted, _ = model.fit(maps, "made", steps=20)
    assert (fitted.ends, fitted.alphabet) == ("farthest", ".#")
    drawn, _ = fitted.sample(20, 0)
    for maze in drawn:
        length = cells.solution_length(maze)
        assert length == cells.solution_length(cells.farthest_endpoints(cells.without_endpoints(maze)))


def test_dequantised_bound_is_below_the_probability():
    """Rounding down a Gaussian over one cell's number has a known probability; the bound must stay below it."""
    maps = all_maps(".#", 2, 2)
    fitted, _ = model.fit(maps, "gaussian", ends="farthest", steps=1, held_out=0.0)
    assert fitted.score_name == "bound (dequantised)"
    gaussian = fitted.model
    draws = gaussian.sample(200_000, generator=torch.Generator().manual_seed(0)).floor().clamp(0, 1).flatten(1)
    frequency = (draws == torch.tensor([0.0, 1.0, 1.0, 0.0])).all(1).double().mean().item()
    bound = np.mean([fitted.scores(chars(".#", "#.")[None], seed=k)[0] * 4 for k in range(50)])
    assert np.exp(-bound) < frequency + 5 * (frequency / 200_000) ** 0.5


def test_what_is_saved_is_loaded(file, tmp_path):
    first, second = model.load(file), model.load(file)
    a, b = first.sample(6, 3)[0], second.sample(6, 3)[0]
    assert np.array_equal(a, b) and not np.array_equal(a, first.sample(6, 4)[0])
    assert np.array_equal(first.training, second.training) and first.training.shape == (270, 5, 5)
    assert first.held_out.shape == (30, 5, 5)
    again = model.load(first.save(tmp_path / "again"))
    assert np.array_equal(again.scores(a), first.scores(a)) and np.array_equal(again.training, first.training)
    assert file.stat().st_size < 200_000


def test_files_that_are_none(file, tmp_path):
    with pytest.raises(RecordError, match="no saved generative model"):
        model.load(tmp_path / "absent.safetensors")
    whole = file.read_bytes()
    for name, raw in {"half": whole[: len(whole) // 2], "bit": whole[:-3] + b"xyz", "text": b"S.\n.G\n"}.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(raw)
        with pytest.raises(RecordError, match="is not a saved generative model, or is damaged"):
            model.load(path)
    plain = save(create("made", seed=0, event_shape=4), tmp_path / "plain")
    with pytest.raises(RecordError, match="none of maps; `rlsuite maps fit` makes one"):
        model.load(plain)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("alphabet", ".#XY"),
        ("endpoints", "fixed"),
        ("endpoints", ["learned"]),
        ("fixed", [[0, 0], [1, 1]]),
        ("shape", [5, 6]),
        ("shape", None),
        ("shape", [10**30, 5]),
        ("training", ["S."]),
        ("training", []),
        ("training", ["x" * 25]),
        ("held_out", "S"),
    ],
)
def test_descriptions_that_contradict_themselves_are_refused(file, tmp_path, key, value):
    from rlsuite.generative import storage

    about = storage.about(file)["about"]
    path = save(storage.load(file), tmp_path / "bad", about={**about, "maps": {**about["maps"], key: value}})
    with pytest.raises(RecordError, match="bad"):
        model.load(path)


def test_models_are_chosen_by_what_they_declare():
    names = suitable_names()
    assert {"made", "pixelcnn", "gated-pixelcnn", "nade", "rbm", "tabular", "vae", "transformer", "vq-vae"} <= set(
        names
    )
    assert not {"realnvp", "cvae", "pca", "motion-vae", "latent-diffusion"} & set(names)
    kinds = {name: representation(model_class(name)) for name in ("made", "rbm", "ddpm")}
    assert kinds == {"made": "categorical", "rbm": "walls", "ddpm": "dequantised"}
    maps = generators.generate(["rooms"], 5, 20)
    with pytest.raises(CapabilityError, match="realnvp does not suit maps: its events are real numbers"):
        model.fit(maps, "realnvp", steps=1)
    with pytest.raises(CapabilityError, match="cvae does not suit maps: it needs a condition"):
        model.fit(maps, "cvae", steps=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "rbm", "ends": "learned"}, "rbm knows walls and nothing else"),
        ({"ends": "fixed"}, "not fixed: the maps have them in different cells"),
        ({"ends": "anywhere"}, "endpoints are learned, fixed, farthest, not 'anywhere'"),
        ({"held_out": 1.0}, "held_out leaves no maps"),
        ({"hyperparameters": {"n_values": 3}}, "n_values is decided by the maps"),
        ({"hyperparameters": {"widths": 3}}, "made has no hyperparameter 'widths'"),
    ],
)
def test_settings_that_do_not_fit(settings, message):
    maps = generators.generate(["rooms"], 5, 20)
    with pytest.raises(HyperparameterError, match=message):
        model.fit(maps, **{"model": "made", "steps": 1, **settings})


def test_pits_are_learned_by_categorical_models_only():
    maps = np.stack([chars("S.H", ".#.", "..G")] * 20)
    fitted, _ = model.fit(maps, "made", steps=1)
    assert fitted.alphabet == ".#SGH"
    with pytest.raises(HyperparameterError, match="these maps have pits"):
        model.fit(maps, "rbm", steps=1)
