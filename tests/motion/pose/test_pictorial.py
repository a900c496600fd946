"""Pictorial structures against brute force: the distance transform, exact inference, min-marginals."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError
from rlsuite.motion import body
from rlsuite.motion.pose import pictorial_kernels as kernels
from rlsuite.motion.pose.pictorial import infer, softmin
from rlsuite.motion.pose.springs import SpringModel, Springs, tree


def springs(rng, parents, types):
    n = len(parents)
    return Springs(
        parents,
        offset=rng.normal(0, 2, (n, types, 2)),
        stiffness=rng.uniform(0.05, 2, (n, types, 2)),
        cost=rng.uniform(0, 1, (n, types)),
    )


def reciprocals(n):
    return 1 / np.maximum(np.arange(n), 1)


def enumerated(unary, springs):
    """Costs ``(HW, ..., HW)`` of all placements."""
    n, height, width = unary.shape
    cells = np.array(list(itertools.product(range(height), range(width))))[:, ::-1]  # (HW, 2), columns first
    cost = np.zeros((len(cells),) * n)
    for j in range(n):
        shape = [1] * n
        shape[j] = len(cells)
        cost = cost + unary[j].reshape(shape)
    for j, parent in enumerate(springs.parents):
        if parent >= 0:
            stretch = cells[None] - cells[:, None]  # (parent, part, 2)
            types = [
                c + 0.5 * (k * (stretch - mu) ** 2).sum(-1)
                for mu, k, c in zip(springs.offset[j], springs.stiffness[j], springs.cost[j], strict=True)
            ]
            shape = [1] * n
            shape[parent] = shape[j] = len(cells)
            cost = cost + np.min(types, 0).reshape(shape)
    return cells, cost


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 12), st.floats(0.01, 5), st.floats(-15, 15), st.integers(0, 2**32 - 1))
def test_distance_transform_of_a_line_is_brute_force(n, w, shift, seed):
    f = np.random.default_rng(seed).normal(0, 3, n)
    out = np.empty(n)
    kernels.transform_line(f, w, shift, out, np.empty(n, np.int64), np.empty(n + 1), reciprocals(n))
    q = np.arange(n)
    np.testing.assert_allclose(out, (f + w * (q[:, None] + shift - q) ** 2).min(1), rtol=1e-12, atol=1e-12)


def test_distance_transform_of_a_grid_is_brute_force():
    rng = np.random.default_rng(1)
    f, w, shift = rng.normal(0, 3, (5, 7)), np.array([0.3, 0.8]), np.array([1.4, -2.7])
    out = np.empty_like(f)
    kernels.transform(f, w, shift, out, np.empty((8, 7)), np.empty(7, np.int64), np.empty(8), reciprocals(7))
    y, x = np.mgrid[:5, :7]
    at = lambda p, s, q: (p[..., None, None] + s - q) ** 2  # noqa: E731
    brute = (f + w[0] * at(x, shift[0], x) + w[1] * at(y, shift[1], y)).min((-2, -1))
    np.testing.assert_allclose(out, brute, rtol=1e-12)


@pytest.mark.parametrize("parents", [(-1, 0, 1, 2), (-1, 0, 0, 0), (-1, 0, 0, 1)], ids=["chain", "star", "tree"])
@pytest.mark.parametrize("types", [1, 2])
def test_inference_is_exhaustive_search_on_a_6x6_grid(parents, types):
    rng = np.random.default_rng(types)
    unary, joined = rng.normal(0, 3, (4, 6, 6)), springs(rng, parents, types)
    cells, cost = enumerated(unary, joined)
    found = infer(unary, joined)
    best = np.unravel_index(cost.argmin(), cost.shape)
    assert found.energy == pytest.approx(cost.min(), rel=1e-12)
    np.testing.assert_array_equal(found.cells, cells[list(best)])
    chosen = unary[np.arange(4), found.cells[:, 1], found.cells[:, 0]].sum() + joined.energy(found.cells)
    assert chosen == pytest.approx(found.energy, rel=1e-12)
    for j in range(4):  # the min-marginal of a part: the least of all placements that put it there
        others = tuple(axis for axis in range(4) if axis != j)
        np.testing.assert_allclose(found.marginals[j].ravel(), cost.min(others), rtol=1e-10, atol=1e-10)


def test_softmin_of_marginals_sums_to_one_and_is_surest_at_the_placement():
    rng = np.random.default_rng(3)
    found = infer(rng.normal(0, 3, (5, 8, 6)), springs(rng, (-1, 0, 1, 1, 3), 2))
    weight = softmin(found.marginals)
    np.testing.assert_allclose(weight.sum((1, 2)), 1, rtol=1e-12)
    for j, (u, v) in enumerate(found.cells):
        assert weight[j, v, u] == weight[j].max()
    np.testing.assert_allclose(
        np.log(weight[0, 0, 0] / weight[0, 3, 3]), found.marginals[0, 3, 3] - found.marginals[0, 0, 0]
    )


def test_a_false_peak_is_overruled_by_the_springs():
    """Two parts 5 cells apart; the second's heatmap is highest in a far corner, the springs know better."""
    unary = np.full((2, 16, 16), 8.0)
    unary[0, 8, 3] = unary[1, 8, 8] = 1.0
    unary[1, 0, 15] = 0.0  # false, and surer
    joined = Springs((-1, 0), np.array([[[0.0, 0.0]], [[5.0, 0.0]]]), np.ones((2, 1, 2)), np.zeros((2, 1)))
    np.testing.assert_array_equal(infer(unary, joined).cells, [[3, 8], [8, 8]])


def test_springs_are_those_of_the_examples_and_grow_with_the_body():
    rng = np.random.default_rng(0)
    heights = rng.uniform(50, 200, 4000)
    offset = rng.normal([0.2, -0.1], [0.03, 0.05], (4000, 2)) * heights[:, None]
    root = rng.uniform(0, 500, (4000, 2))
    model = SpringModel.fit((-1, 0), np.stack([root, root + offset], 1), heights)
    np.testing.assert_allclose(model.mean[1, 0], [0.2, -0.1], atol=0.003)
    np.testing.assert_allclose(model.deviation[1, 0], [0.03, 0.05], rtol=0.05)
    np.testing.assert_allclose(model.at(100).offset, 2 * model.at(50).offset)
    np.testing.assert_allclose(model.at(100).stiffness, model.at(50).stiffness / 4)


def test_types_of_a_spring_are_its_clusters():
    rng = np.random.default_rng(0)
    side = np.where(rng.random(3000) < 0.25, -1.0, 1.0)
    points = np.stack([np.zeros((3000, 2)), np.stack([side, 0 * side], -1) + rng.normal(0, 0.05, (3000, 2))], 1)
    model = SpringModel.fit((-1, 0), points, np.ones(3000), types=2)
    order = np.argsort(model.mean[1, :, 0])
    np.testing.assert_allclose(model.mean[1, order, 0], [-1, 1], atol=0.02)
    np.testing.assert_allclose(model.share[1, order], [0.25, 0.75], atol=0.03)


def test_tree_follows_the_skeleton():
    skeleton = body.skeleton()
    names = list(skeleton.keypoints)
    parent = {name: names[p] if p >= 0 else None for name, p in zip(names, tree(skeleton), strict=True)}
    assert parent["pelvis"] is None
    assert (parent["left_wrist"], parent["left_elbow"], parent["left_shoulder"]) == (
        "left_elbow",
        "left_shoulder",
        "chest",
    )
    assert (parent["right_toe"], parent["right_ankle"], parent["right_hip"]) == ("right_ankle", "right_knee", "pelvis")
    assert parent["nose"] == "neck"


def test_errors_say_what_is_wrong():
    with pytest.raises(MotionError, match="earlier part"):
        Springs((-1, 2, 0), np.zeros((3, 1, 2)), np.ones((3, 1, 2)), np.zeros((3, 1)))
    with pytest.raises(MotionError, match="stiffness"):
        Springs((-1, 0), np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), np.zeros((2, 1)))
    with pytest.raises(MotionError, match="finite"):
        infer(np.full((2, 4, 4), np.inf), Springs((-1, 0), np.zeros((2, 1, 2)), np.ones((2, 1, 2)), np.zeros((2, 1))))
    with pytest.raises(MotionError, match="examples"):
        SpringModel.fit((-1, 0), np.zeros((1, 2, 2)), np.ones(1))
