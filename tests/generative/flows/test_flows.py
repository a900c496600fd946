"""Every flow: density against base and Jacobian, codes and events the inverse of each other, draws that fit the density."""

import math

import pytest
import torch

from rlsuite.errors import HyperparameterError
from rlsuite.generative import create
from rlsuite.generative.flows.bases import Mixture
from rlsuite.generative.flows.coupling import AffineCoupling
from rlsuite.generative.flows.multiscale import MultiScale
from rlsuite.generative.flows.transform import Composition
from tests.generative.battery import generator, grid
from tests.generative.flows.cases import CASES, CONDITIONS, PAIRS, VECTORS
from tests.generative.flows.checks import jacobian_log_det

CONTINUOUS = 1e-4  # of transforms that integrate; the others are right to rounding
every = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def prepared(case):
    """The case's flow in double precision, its normalisers and what depends on data set."""
    model = case.make().double()
    if case.facts.get("approximate"):
        model.normalizer.fit(case.data.double())
    else:
        model.fit(case.data.double(), None if case.condition is None else case.condition.double(), steps=1, seed=0)
    some = None if case.condition is None else case.condition[:4].double()
    tolerance = {"rtol": CONTINUOUS, "atol": CONTINUOUS} if case.facts.get("approximate") else {}
    return model.eval(), case.data[:4].double(), some, tolerance


@every
def test_density_is_that_of_the_code_times_the_determinant(case):
    model, x, c, tolerance = prepared(case)

    def code(events, conditions):
        return model.encode(events, conditions), None

    expected = model.base_distribution.log_prob(model.encode(x, c)) + jacobian_log_det(code, x, c)
    torch.testing.assert_close(model.log_prob(x, c), expected, **tolerance)


@every
def test_codes_decode_to_their_events(case):
    model, x, c, tolerance = prepared(case)
    for recorded in (True, False):
        with torch.set_grad_enabled(recorded):
            torch.testing.assert_close(
                model.decode(model.encode(x, c), c), x, **(tolerance or {"rtol": 1e-6, "atol": 1e-6})
            )


@every
def test_draws_are_the_decoded_draws_of_the_base(case):
    model, _, c, _ = prepared(case)
    drawn = model.sample((), c, generator=generator(3)) if c is not None else model.sample(4, generator=generator(3))
    z = model.base_distribution.sample(4, generator(3))
    with torch.no_grad():
        torch.testing.assert_close(drawn, model.decode(z, c), rtol=0.0, atol=0.0)


@pytest.mark.parametrize("name", ["realnvp", "maf", "iaf"])
def test_moments_of_the_draws_are_those_of_the_density(name):
    case = next(case for case in CASES if case.name == name)
    model = case.make().double().eval()
    points, volume = grid(12.0, 2, 500)
    with torch.no_grad():
        p = model.log_prob(points).exp() * volume
        drawn = model.sample(40_000, generator=generator(7))
    for moment in (torch.sin, torch.cos, lambda x: x[:, :1] * x[:, 1:].tanh()):
        values = moment(drawn)
        error = values.std(0) / math.sqrt(len(drawn))
        assert ((values.mean(0) - (p[:, None] * moment(points)).sum(0)).abs() < 4.5 * error + 1e-4).all()


@pytest.mark.parametrize("name", ["realnvp", "nice", "glow", "maf", "iaf"])
def test_new_flows_do_not_depend_on_the_condition(name):
    """Their networks' last layers begin at zero."""
    model = create(name, seed=0, event_shape=5, condition_shape=3, **({"levels": 1} if name == "glow" else {}))
    x = VECTORS[:6]
    assert torch.equal(model.log_prob(x, CONDITIONS[:6]), model.log_prob(x, CONDITIONS[6:12]))


@pytest.mark.parametrize("name", ["realnvp", "nice", "maf", "iaf"])
def test_new_flows_are_their_base(name):
    model = create(name, seed=0, event_shape=5)
    x = torch.randn(6, 5, generator=generator(1))
    if name == "nice":
        expected = (-x - 2.0 * torch.nn.functional.softplus(-x)).sum(1)  # the logistic density
    else:
        expected = torch.distributions.Normal(0.0, 1.0).log_prob(x).sum(1)
    torch.testing.assert_close(model.log_prob(x), expected)


@pytest.mark.parametrize("name", ["srflow", "srflow-images", "cflow", "cflow-shapes"])
def test_new_conditional_flows_have_a_condition_that_does_not_matter(name):
    case = next(case for case in CASES if case.name == name)
    model = create(case.make().name, seed=0, **case.make().hyperparameters)
    x, c = case.data[:4], case.condition
    assert torch.equal(model.log_prob(x, c[:4]), model.log_prob(x, c[4:8]))
    assert not torch.equal(case.make().log_prob(x, c[:4]), case.make().log_prob(x, c[4:8]))


@pytest.mark.parametrize("case", [c for c in CASES if c.condition is not None], ids=lambda case: case.name)
def test_an_unchanged_condition_gives_the_event_back_and_another_does_not(case):
    model, x, c, tolerance = prepared(case)
    with torch.no_grad():
        torch.testing.assert_close(model.edit(x, c, c), x, **(tolerance or {"rtol": 1e-6, "atol": 1e-6}))
        assert (model.edit(x, c, c + 1.0) - x).abs().flatten(1).amax(1).min() > 1e-3


def test_coupled_flows_have_the_joint_density_of_event_and_condition():
    """log p(x | c) + log p(c) = log N(codes) + log-determinant of the whole Jacobian."""
    model, x, c, _ = prepared(next(case for case in CASES if case.name == "cflow"))
    model.normalizer.fit(PAIRS.double())
    both = torch.cat([x, c], 1)

    def codes(events, _):
        source = model.coupled.source(model.condition_normalizer(events[:, 2:]))[0]
        return torch.cat([model.encode(events[:, :2], events[:, 2:]), source], 1), None

    z = codes(both, None)[0]
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1) + jacobian_log_det(codes, both)
    torch.testing.assert_close(model.log_prob(x, c) + model.condition_log_prob(c), expected)
    units = model.normalizer.log_det + model.condition_normalizer.log_det
    torch.testing.assert_close(-model.loss(x, c) + units, expected)


def test_the_source_flow_samples_its_own_density():
    model, _, _, _ = prepared(next(case for case in CASES if case.name == "cflow"))
    drawn = model.sample_condition(20_000, generator=generator(1))
    z = model.coupled.source(model.condition_normalizer(drawn))[0]
    torch.testing.assert_close(z.mean(0), torch.zeros(3, dtype=torch.float64), atol=0.04, rtol=0.0)
    torch.testing.assert_close(z.mT.cov(), torch.eye(3, dtype=torch.float64), atol=0.05, rtol=0.0)


def test_the_log_determinant_of_nice_is_one_number():
    model = next(case for case in CASES if case.name == "nice-conditional").make()
    chain = Composition(model.transform.parts[:-1])  # without the sigmoid before the uniform base
    ladj = chain(VECTORS[:6], CONDITIONS[:6])[1]
    torch.testing.assert_close(ladj, ladj[:1].expand(6))


def test_the_mixture_is_that_of_torch():
    base = Mixture(3, 4)
    with torch.no_grad():
        base.logits.copy_(torch.randn(4, generator=generator(1)))
        base.log_scales.copy_(0.3 * torch.randn(4, 3, generator=generator(2)))
    d = torch.distributions
    reference = d.MixtureSameFamily(
        d.Categorical(logits=base.logits), d.Independent(d.Normal(base.means, base.log_scales.exp()), 1)
    )
    z = torch.randn(6, 3, generator=generator(3))
    torch.testing.assert_close(base.log_prob(z), reference.log_prob(z))
    torch.testing.assert_close(base.sample(60_000, generator(4)).mean(0), reference.mean, atol=0.03, rtol=0.0)


def test_fitting_begins_with_actnorm_of_the_events():
    model = create("realnvp", seed=0, event_shape=2, layers=1, hidden=[4])
    model.fit(PAIRS, steps=1, held_out=0.0, learning_rate=0.0, normalise=False)
    z = model.encode(PAIRS)
    torch.testing.assert_close(z.mean(0), torch.zeros(2), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(z.std(0, unbiased=False), torch.ones(2), atol=1e-4, rtol=0.0)


def test_the_split_is_a_gaussian_prior_of_what_leaves_given_what_stays():
    """log N(code; μ, σ) of Glow's split is the standard normal of the coupled code plus its ladj."""
    scales = MultiScale((1, 4, 4), 2, lambda channels: Composition([]), 0, hidden=[5]).double()
    for parameter in scales.parameters():
        parameter.data.normal_(std=0.3, generator=generator(3))
    x = torch.randn(3, 1, 4, 4, generator=generator(1), dtype=torch.float64)
    z, ladj = scales(x)
    coupling = scales.splits[0]
    assert isinstance(coupling, AffineCoupling)
    stays, leaves = scales.levels[0](x)[0].chunk(2, 1)
    s, t = coupling.network(stays, None).chunk(2, 1)
    s = 3.0 * torch.tanh(s / 3.0)
    prior = torch.distributions.Normal(-t * torch.exp(-s), torch.exp(-s)).log_prob(leaves).flatten(1).sum(1)
    standard = torch.distributions.Normal(0.0, 1.0).log_prob(z[:, : leaves[0].numel()]).sum(1)
    torch.testing.assert_close(standard + ladj, prior)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("realnvp", {"event_shape": 1}, "two entries"),
        ("realnvp", {"event_shape": 2, "layers": 0}, "layers is 1 or more"),
        ("nice", {"event_shape": 2, "hidden": []}, "hidden layers"),
        ("maf", {"event_shape": 2, "base": "mixture", "components": 0}, "1 component"),
        ("glow", {"event_shape": [6, 3], "levels": 2}, "not divisible"),
        ("glow", {"event_shape": [2, 2, 2, 2]}, "images"),
        ("srflow", {"event_shape": [4, 3], "condition_shape": 3}, "goes from"),
        ("cflow", {"event_shape": 2, "condition_shape": 1}, "two entries or more"),
    ],
)
def test_arguments_that_make_no_flow_are_named(name, arguments, message):
    with pytest.raises(HyperparameterError, match=message):
        create(name, **arguments)


def test_an_unknown_base_is_named():
    with pytest.raises(LookupError, match="gaussian"):
        create("maf", event_shape=2, base="gausian")


@pytest.mark.parametrize("name", ["realnvp", "maf"])
def test_a_flow_that_begins_linear_begins_as_the_regression(name):
    """Before its first update it is the vector autoregression; without a condition, the full Gaussian."""
    x = torch.randn(400, 4, generator=generator(1), dtype=torch.float64).cumsum(1)
    past = torch.randn(400, 2, 4, generator=generator(2), dtype=torch.float64)
    x = x + past.flatten(1) @ torch.randn(8, 4, generator=generator(3), dtype=torch.float64)
    flow = create(name, seed=0, event_shape=(1, 4), condition_shape=(2, 4), layers=2, linear=True).double()
    flow.fit(x[:, None], past, steps=1, learning_rate=1e-12, held_out=0)
    inputs = torch.cat([past.flatten(1), torch.ones(400, 1, dtype=torch.float64)], 1)
    residual = x - inputs @ torch.linalg.lstsq(inputs, x).solution
    law = torch.distributions.MultivariateNormal(torch.zeros(4, dtype=torch.float64), residual.mT @ residual / 400)
    # ActNorm after it standardises what is left of the ridge
    torch.testing.assert_close(flow.log_prob(x[:, None], past), law.log_prob(residual), rtol=0.0, atol=1e-2)
    alone = create(name, seed=0, event_shape=4, layers=2, linear=True).double()
    alone.fit(x, steps=1, learning_rate=1e-12, held_out=0)
    law = torch.distributions.MultivariateNormal(x.mean(0), x.mT.cov(correction=0))
    torch.testing.assert_close(alone.log_prob(x), law.log_prob(x), rtol=0.0, atol=1e-2)
