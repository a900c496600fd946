"""Root finders: the order of the secant method on x² − 2, equal values, and brackets that are kept."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlsuite.errors import HyperparameterError
from rlsuite.generative.implicit.roots import illinois, secant


def recorded(f, calls):
    def ask(x):
        calls.append(x.clone())
        return f(x)

    return ask


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_the_secant_method_has_the_golden_ratio_as_its_order():
    """e_{n+1} / (e_n e_{n−1}) tends to f''/2f' = 1/(2√2), whose growth equation is p² = p + 1."""
    calls = []
    root = secant(recorded(lambda x: x**2 - 2, calls), double(1.0), double(2.0), tolerance=1e-15)
    errors = [abs(float(x) - math.sqrt(2)) for x in calls]
    assert float(root.x) == pytest.approx(math.sqrt(2), abs=1e-15)
    seen = [e for e in errors if e > 1e-13]
    assert seen[-1] / (seen[-2] * seen[-3]) == pytest.approx(1 / (2 * math.sqrt(2)), rel=2e-3)
    # with e_{n+1} = C e_n^p in the limit, C = (f''/2f')^(p − 1)
    p = (1 + math.sqrt(5)) / 2
    constant = (1 / (2 * math.sqrt(2))) ** (p - 1)
    measured = math.log(seen[-1] / constant) / math.log(seen[-2])
    assert measured == pytest.approx(p, abs=0.03)


def test_equal_values_do_not_divide_by_nought():
    root = secant(lambda x: x**2 - 2, double(-1.0), double(1.0))
    assert bool(root.converged) and abs(float(root.x)) == pytest.approx(math.sqrt(2), abs=1e-12)


def test_a_constant_has_no_root_and_says_so():
    root = secant(lambda x: torch.ones_like(x), double(0.0), double(1.0))
    assert not bool(root.converged) and bool(torch.isfinite(root.x).all())


def test_many_at_once_are_each_as_alone():
    target = double(0.5, 2.0, 9.0)
    together = secant(lambda x: x**3 - target, double(1.0, 1.0, 1.0), double(2.0, 2.0, 2.0))
    torch.testing.assert_close(together.x, target ** (1 / 3))
    for i, alone in enumerate(target):
        torch.testing.assert_close(secant(lambda x, y=alone: x**3 - y, double(1.0), double(2.0)).x[0], together.x[i])


@given(st.floats(-0.9, 0.9), st.floats(0.1, 40.0), st.sampled_from([1, 3, 5]))
def test_illinois_stays_in_its_bracket_and_converges(centre, slope, power):
    calls = []
    f = recorded(lambda x: slope * (x - centre) + 3 * (x - centre) ** power, calls)
    root = illinois(f, double(-1.0), double(1.0), tolerance=1e-10, max_steps=60)
    assert all(-1 <= float(x) <= 1 for x in calls)
    assert bool(root.converged) and float(root.x) == pytest.approx(centre, abs=1e-8)


def test_illinois_is_far_quicker_than_regula_falsi_where_one_end_stays():
    """On x⁵ − 0.1 in (0, 2) regula falsi creeps up from the left: its right end never moves."""
    f = lambda x: x**5 - 0.1  # noqa: E731
    a, b = 0.0, 2.0
    for _ in range(40):
        a = b - (b**5 - 0.1) * (b - a) / (b**5 - a**5)  # the left end moves each time, the right one never
    root = illinois(f, double(0.0), double(2.0), tolerance=1e-12, max_steps=40)
    assert bool(root.converged)
    assert abs(a**5 - 0.1) > 1e-3


def test_a_root_at_an_end_is_found_at_once():
    assert float(illinois(lambda x: x, double(0.0), double(1.0)).x) == 0.0


def test_equal_signs_are_no_bracket():
    with pytest.raises(HyperparameterError, match="opposite signs"):
        illinois(lambda x: x**2 + 1, double(-1.0), double(1.0))


def test_known_ends_are_not_asked_for_again():
    calls = []
    illinois(recorded(lambda x: x, calls), double(-1.0), double(2.0), double(-1.0), double(2.0), max_steps=1)
    assert len(calls) == 1
