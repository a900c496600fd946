"""One battery per capability, over every model that declares it."""

from importlib import import_module
from pathlib import Path

import pytest
import torch

from rlsuite.errors import CapabilityError, HyperparameterError, RecordError
from rlsuite.generative import (
    Bound,
    Completion,
    Density,
    Energy,
    Latent,
    Score,
    Streaming,
    create,
    load,
    model_names,
    require,
    save,
)
from rlsuite.generative.diagonal import log_normal
from tests.generative.battery import Case, all_events, generator, grid, total_variation

FAMILIES = [
    import_module(f"tests.generative.{path.parent.name}.cases")
    for path in sorted(Path(__file__).parent.glob("*/cases.py"))
]
CASES: list[Case] = [case for family in FAMILIES for case in family.CASES]
LACKING = {
    name for family in FAMILIES for name in getattr(family, "LACKING", ())
}  # models whose extra is not installed


def having(*kinds):
    chosen = [case for case in CASES if all(isinstance(case.make(), kind) for kind in kinds)]
    return pytest.mark.parametrize("case", chosen, ids=[case.name for case in chosen])


def discrete(case: Case) -> bool:
    model = case.make()
    return model.support != "real" and (2 if model.support == "binary" else model.n_values) ** model.event_size <= 4096


every = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def test_every_registered_model_has_a_case():
    assert sorted({case.make().name for case in CASES} | LACKING) == model_names()


@every
def test_loss_has_the_shape_of_the_batch_and_broadcasts_the_condition(case):
    model = case.make()
    x = case.data[:6]
    c = None if case.condition is None else case.condition[:6]
    loss = model.loss(x, c, generator=generator())
    assert loss.shape == (6,) and torch.isfinite(loss).all()
    grouped = model.loss(x.reshape(2, 3, *model.event_shape), None if c is None else c.reshape(2, 3, *c.shape[1:]),
                         generator=generator())  # fmt: skip
    torch.testing.assert_close(grouped.reshape(6), loss)
    if case.condition is not None:
        assert model.loss(x, case.first, generator=generator()).shape == (6,)


@every
def test_samples_have_the_shape_asked_for_and_depend_on_the_seed_alone(case):
    model = case.make().eval()
    condition = None if case.condition is None else case.condition[:2]
    batch = () if condition is None else (2,)
    first = model.sample((3,), condition, generator=generator(1))
    assert first.shape == (3, *batch, *model.event_shape)
    torch.manual_seed(0)  # the global generator must not matter
    assert torch.equal(first, model.sample((3,), condition, generator=generator(1)))
    assert not torch.equal(first, model.sample((3,), condition, generator=generator(2)))


@every
def test_fitting_is_deterministic_and_lowers_the_held_out_loss_or_keeps_it(case):
    histories, models = [], []
    for _ in range(2):
        model = case.make()
        histories.append(model.fit(case.data, case.condition, steps=6, seed=3, batch_size=32, evaluate_every=2))
        models.append(model)
    assert histories[0].held_out == histories[1].held_out and histories[0].loss == histories[1].loss
    for a, b in zip(models[0].state_dict().values(), models[1].state_dict().values(), strict=True):
        assert torch.equal(a, b)


@every
def test_a_saved_model_comes_back_the_same(case, tmp_path):
    model = case.make()
    model.fit(case.data, case.condition, steps=2, seed=0, batch_size=16)
    path = save(model, tmp_path / "model", about={"data": "test"})
    again = load(path).to(model.normalizer.mean.dtype)
    assert type(again) is type(model) and again.hyperparameters == model.hyperparameters
    c = None if case.condition is None else case.condition[:4]
    torch.testing.assert_close(
        again.loss(case.data[:4], c, generator=generator()), model.loss(case.data[:4], c, generator=generator())
    )
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(RecordError):
        load(path)


@every
def test_wrong_shapes_are_named(case):
    model = case.make()
    with pytest.raises(HyperparameterError, match="events have shape"):
        model.loss(torch.zeros(3, *model.event_shape, 7), case.first)
    with pytest.raises(HyperparameterError, match="condition"):
        model.loss(case.data[:2], torch.zeros(3, 99) if case.condition is None else None)


@having(Density)
def test_densities_are_normalised(case):
    model = case.make().eval()
    if discrete(case):
        assert model.log_prob(all_events(model), case.first).detach().double().exp().sum() == pytest.approx(
            1.0, abs=1e-5
        )
    elif "quadrature" in case.facts:
        points, volume = grid(case.facts["quadrature"], model.event_size, 400 if model.event_size == 2 else 4000)
        points = points.reshape(-1, *model.event_shape).to(model.normalizer.mean)
        assert model.log_prob(points, case.first).detach().double().exp().sum() * volume == pytest.approx(1.0, abs=1e-3)
    else:
        pytest.skip("neither enumerable nor of one or two real entries; its family's tests do it otherwise")


@having(Density)
def test_samples_follow_the_density(case):
    model = case.make().eval()
    if not discrete(case):
        pytest.skip("real events: its family's tests compare moments")
    events = all_events(model)
    p = model.log_prob(events, case.first).detach().double().exp()
    n = 4000
    samples = model.sample((n,), case.first, generator=generator(5))
    allowed = 1.5 * float((p * (1 - p) / n).sqrt().sum()) / 2 + 0.02  # 0.8 of it is the expectation
    assert total_variation(samples, p, events) < allowed


@having(Density)
def test_dependence_follows_the_causal_order(case):
    """d log p(x_i | earlier) / d x_j is 0 for later j; seen through the gradient of each factor."""
    model = case.make().eval()
    if "causal_order" not in case.facts:
        pytest.skip("not autoregressive")
    factors = case.facts["factors"]
    x = case.data[:1].clone().to(model.normalizer.mean).requires_grad_()
    order = list(case.facts["causal_order"])
    parts = factors(model, x).reshape(-1)
    for i, part in enumerate(parts):
        (gradient,) = torch.autograd.grad(part, x, retain_graph=True, allow_unused=True)
        touched = set() if gradient is None else set(gradient.reshape(-1).nonzero().reshape(-1).tolist())
        allowed = set(order[: order.index(i) + 1])
        assert touched <= allowed, f"factor {i} depends on {sorted(touched - allowed)}"


@having(Bound, Density)
def test_bounds_are_below_the_density(case):
    model = case.make().eval()
    x = case.data[:8]
    exact = model.log_prob(x, case.first)
    estimates = torch.stack([model.bound(x, case.first, generator=generator(s)) for s in range(400)]).double()
    error = estimates.std(0) / 20
    assert (estimates.mean(0) <= exact.double() + 4 * error + 1e-4).all()


@having(Bound)
def test_bounds_depend_on_the_generator_alone(case):
    model = case.make().eval()
    x, c = case.data[:4], case.first
    assert torch.equal(model.bound(x, c, generator=generator(1)), model.bound(x, c, generator=generator(1)))
    assert model.bound(x, c, particles=3, generator=generator(1)).shape == (4,)


@having(Energy)
def test_energies_have_the_shape_of_the_batch(case):
    model = case.make().eval()
    energy = model.energy(case.data[:5], case.first, generator=generator())
    assert energy.shape == (5,) and torch.isfinite(energy).all()


@having(Energy, Density)
def test_energy_differences_are_density_ratios(case):
    model = case.make().eval()
    x = case.data[:5]
    total = model.energy(x, case.first, generator=generator()) + model.log_prob(x, case.first)
    torch.testing.assert_close(total, total[:1].expand(5), rtol=1e-4, atol=1e-4)


@having(Score, Density)
def test_score_at_time_0_is_the_gradient_of_the_density(case):
    if case.facts.get("score") == "learned":
        pytest.skip("the score is a network's own, by its word")
    model = case.make().eval()
    x = case.data[:5].clone().to(model.normalizer.mean).requires_grad_()
    (gradient,) = torch.autograd.grad(model.log_prob(x, case.first).sum(), x)
    torch.testing.assert_close(model.score(x.detach(), torch.zeros(()), case.first), gradient, rtol=1e-3, atol=1e-4)


@having(Score)
def test_scores_are_those_of_the_noise_at_the_end(case):
    model = case.make().eval()
    x = case.data[:4]
    assert model.score(x, torch.full((), 0.7), case.first).shape == (4, *model.event_shape)


@having(Latent)
def test_codes_decode_to_events(case):
    model = case.make().eval()
    codes = model.encode(case.data[:4], case.first)
    assert codes.shape == (4, *model.latent_shape)
    assert model.decode(codes, case.first).shape == (4, *model.event_shape)


@having(Completion)
def test_known_entries_are_kept_and_unknown_ones_do_not_matter(case):
    model = case.make().eval()
    known = case.data[0].clone().to(model.normalizer.mean)
    mask = torch.zeros(model.event_shape, dtype=torch.bool)
    mask.view(-1)[::2] = True
    drawn = model.sample((5,), case.first, known=known, mask=mask, generator=generator(0))
    assert torch.equal(drawn[:, mask], known[mask].expand(5, -1))
    other = torch.where(mask, known, torch.full_like(known, float("nan")))
    assert torch.equal(drawn, model.sample((5,), case.first, known=other, mask=mask, generator=generator(0)))


@having(Completion, Density)
def test_completions_follow_the_conditional_density(case):
    model = case.make().eval()
    if not discrete(case) or case.facts.get("completion") == "approximate":
        pytest.skip("not enumerable, or approximate by its own word")
    events = all_events(model)
    known = events[len(events) // 3]
    mask = torch.zeros(model.event_shape, dtype=torch.bool)
    mask.view(-1)[1::2] = True
    matching = (events == known)[:, mask].all(1)
    p = model.log_prob(events, case.first).detach().double().exp() * matching
    samples = model.sample((4000,), case.first, known=known, mask=mask, generator=generator(6))
    p = p / p.sum()
    allowed = 1.5 * float((p * (1 - p) / 4000).sqrt().sum()) / 2 + 0.02
    assert total_variation(samples, p, events) < allowed


@having(Streaming)
def test_steps_put_together_are_a_sample(case):
    model = case.make().eval()
    c = None if case.condition is None else case.condition[:3]
    state, steps, source = model.start(3, c), [], generator(4)
    for _ in range(model.event_shape[0]):
        step, state = model.step(state, generator=source)
        assert step.shape == (3, *model.event_shape[1:])
        steps.append(step)
    loss = model.loss(torch.stack(steps, 1), c, generator=generator())
    assert torch.isfinite(loss).all()


class OnlyADensity(Density):
    """A standard Gaussian that can do nothing else."""

    def _log_prob(self, x, condition):
        return log_normal(x).flatten(1).sum(1)


def test_a_missing_capability_is_named():
    model = OnlyADensity(2)
    with pytest.raises(CapabilityError, match="Completion"):
        model.sample(known=torch.zeros(2), mask=torch.ones(2))
    with pytest.raises(CapabilityError, match="PriorReward needs a model with the capability Energy"):
        require(model, Energy, "PriorReward")


def test_names_and_arguments_are_checked():
    with pytest.raises(LookupError, match="gaussian"):
        create("gausian", event_shape=2)
    with pytest.raises(HyperparameterError, match="event_shape"):
        create("gaussian", event_shap=2)
