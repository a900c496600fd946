"""Gradients and Gauss-Newton matrices of the fit's terms, against finite differences on the manifold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rlsuite.errors import CapabilityError
from rlsuite.motion import body, contacts, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.pose import fitting
from rlsuite.motion.pose.fitting_descent import descend, descend_frames, step_of
from rlsuite.motion.pose.fitting_prior import PriorTerm, default_prior
from rlsuite.motion.pose.fitting_system import Iterate, Term, assembled, costs, moved_camera
from rlsuite.motion.pose.fitting_terms import CameraPlace, Ground, Reprojection, Smoothness, difference_slopes
from tests.motion.pose.projected import cameras_of, seen, still_clip

CLIP = still_clip("walk", 0.2)
SKELETON = body.skeleton()
RNG = np.random.default_rng(0)
WATCHED, NAMES = fitting._watched(SKELETON, tuple(SKELETON.keypoints))


def _now() -> Iterate:
    qpos = sampling.integrate(SKELETON, CLIP.qpos, 0.05 * RNG.normal(size=(CLIP.n_frames, SKELETON.nv)))
    return Iterate(SKELETON, qpos, CLIP.fps, WATCHED, tuple(cameras_of(CLIP, 2)))


def _pictures(finding: bool = False) -> Reprojection:
    view = seen(CLIP, cameras_of(CLIP, 2)[0], noise=3.0, missing=0.2)
    term = fitting._pictures(view, 0, NAMES, fitting.FitSettings(outlier=4.0))
    return replace(term, finding=finding)


def _ground() -> Ground:
    points = contacts.sole_points(SKELETON)
    standing = RNG.random((CLIP.n_frames, len(points))) < 0.6
    clearance = np.array([point.clearance for point in points]) + 0.05
    return Ground(len(WATCHED.bodies) - len(points), clearance, standing)


def _gradient(terms: list[Term], now: Iterate, eps: float = 1e-6) -> np.ndarray:
    """``(T, nv)`` by central differences of the whole cost."""
    out = np.empty((len(now.qpos), SKELETON.nv))
    for t in range(len(now.qpos)):
        for k in range(SKELETON.nv):
            step = np.zeros(out.shape)
            step[t, k] = eps
            up, down = (
                costs(terms, replace(now, qpos=sampling.integrate(SKELETON, now.qpos, sign * step))).sum()
                for sign in (1.0, -1.0)
            )
            out[t, k] = (up - down) / (2.0 * eps)
    return out


@pytest.mark.parametrize(
    "term", [_pictures(), Smoothness(np.full(SKELETON.nv, 7.0)), _ground()], ids=lambda t: type(t).__name__
)
def test_gradients_are_those_of_finite_differences(term: Term) -> None:
    now = _now()
    system = assembled([term], now)
    np.testing.assert_allclose(system.gradient, _gradient([term], now), rtol=2e-5, atol=2e-4)
    np.testing.assert_allclose(system.cost, term.cost(now))


def test_the_priors_gradient_too() -> None:
    """In single precision, hence by larger differences."""
    now = replace(_now(), qpos=_now().qpos[:2])
    term = PriorTerm.of(default_prior(("walk",)))
    np.testing.assert_allclose(assembled([term], now).gradient, _gradient([term], now, eps=3e-3), rtol=2e-2, atol=2e-2)


def test_a_gaussian_priors_matrix_is_its_precision() -> None:
    """What its samples say, within their error."""
    term = PriorTerm.of(default_prior(("walk",)))
    model = term.prior.model
    import torch

    x = torch.from_numpy(term.mean.astype(np.float32))
    hessian = torch.autograd.functional.hessian(lambda y: -model.log_prob(y[None]).sum(), x).double().numpy()  # type: ignore[operator]
    assert np.linalg.norm(term.precision - hessian) < 0.15 * np.linalg.norm(hessian)


def test_the_cameras_gradient_is_that_of_finite_differences() -> None:
    now, eps = _now(), 1e-6
    terms: list[Term] = [
        _pictures(finding=True),
        CameraPlace(moved_camera(now.cameras[0], np.full(6, 0.1)), np.full(6, 0.3)),
    ]
    numeric = np.array([
        (costs(terms, _shifted(now, eps * axis)).sum() - costs(terms, _shifted(now, -eps * axis)).sum()) / (2 * eps)
        for axis in np.eye(6)
    ])  # fmt: skip
    np.testing.assert_allclose(assembled(terms, now).camera_gradient, numeric, rtol=1e-5, atol=1e-4)


def _shifted(now: Iterate, step: np.ndarray) -> Iterate:
    return replace(now, cameras=(moved_camera(now.cameras[0], step), *now.cameras[1:]))


def test_the_matrix_of_accelerations_is_that_of_their_derivatives() -> None:
    now, term, eps = _now(), Smoothness(np.full(SKELETON.nv, 9.0)), 1e-6
    size = now.qpos.shape[0] * SKELETON.nv
    slope = np.empty(((len(now.qpos) - 2) * SKELETON.nv, size))
    for k, step in enumerate(np.eye(size)):
        moved = [
            sampling.integrate(SKELETON, now.qpos, (sign * eps * step).reshape(-1, SKELETON.nv)) for sign in (1.0, -1.0)
        ]
        up, down = (term._residual(replace(now, qpos=qpos))[0] for qpos in moved)
        slope[:, k] = ((up - down) / (2.0 * eps)).ravel()
    np.testing.assert_allclose(assembled([term], now).matrix.dense(), slope.T @ slope, rtol=1e-5, atol=1e-2)


def test_differences_on_the_manifold_have_these_derivatives() -> None:
    eps = 1e-6
    a, b = (sampling.integrate(SKELETON, SKELETON.rest_qpos, RNG.normal(size=SKELETON.nv)) for _ in range(2))
    start, end = difference_slopes(SKELETON, sampling.difference(SKELETON, a, b))
    for k, axis in enumerate(np.eye(SKELETON.nv)):
        moved = [sampling.integrate(SKELETON, q, s * eps * axis) for q in (a, b) for s in (1, -1)]
        by_a = (sampling.difference(SKELETON, moved[0], b) - sampling.difference(SKELETON, moved[1], b)) / (2 * eps)
        by_b = (sampling.difference(SKELETON, a, moved[2]) - sampling.difference(SKELETON, a, moved[3])) / (2 * eps)
        np.testing.assert_allclose(start[:, k], by_a, atol=1e-6)
        np.testing.assert_allclose(end[:, k], by_b, atol=1e-6)


def test_the_bordered_step_is_the_dense_one() -> None:
    now = _now()
    system = assembled([_pictures(finding=True), Smoothness(np.full(SKELETON.nv, 9.0)), _ground()], now)
    fixed = np.zeros(system.gradient.shape, np.bool_)
    step, camera = step_of(system, fixed, 1e-3, find_camera=True)
    n = system.gradient.size
    whole = np.zeros((n + 6, n + 6))
    whole[:n, :n], whole[n:, n:] = system.matrix.dense(), system.camera_matrix
    whole[:n, n:] = system.border.reshape(n, 6)
    whole[n:, :n] = whole[:n, n:].T
    whole += 1e-3 * np.diag(np.diag(whole) + 1.0)
    dense = -np.linalg.solve(whole, np.concatenate([system.gradient.ravel(), system.camera_gradient]))
    longest = np.abs(dense[:n].reshape(step.shape)).max(axis=1, keepdims=True)
    np.testing.assert_allclose(step, dense[:n].reshape(step.shape) * np.minimum(1.0, 0.5 / longest), atol=1e-7)
    assert camera is not None
    np.testing.assert_allclose(camera, dense[n:] * min(1.0, 0.5 / np.abs(dense[n:]).max()), atol=1e-7)


def test_the_cost_never_rises_and_limits_are_kept() -> None:
    now = _now()
    terms: list[Term] = [_pictures(), Smoothness(np.full(SKELETON.nv, 9.0)), _ground()]
    before = costs(terms, now).sum()
    trace = [before]
    for _ in range(4):
        now = descend(terms, now, iterations=1)
        trace.append(costs(terms, now).sum())
    assert (np.diff(trace) <= 1e-9).all() and trace[-1] < 0.5 * trace[0]
    low, high = SKELETON.qpos_range.T
    assert (now.qpos >= low).all() and (now.qpos <= high).all()


def test_frames_by_themselves_end_where_each_alone_does() -> None:
    now = _now()
    prior = PriorTerm.of(default_prior(("walk",)))
    term = _pictures()
    _, together = descend_frames([term, prior], now, iterations=6)
    row = replace(term, pixels=term.pixels[2:3], confidence=term.confidence[2:3])
    _, alone = descend_frames([row, prior], replace(now, qpos=now.qpos[2:3]), iterations=6)
    assert together[2] == pytest.approx(alone[0], rel=1e-4)


def test_poses_coordinates_have_these_derivatives() -> None:
    coordinates, eps = default_prior().coordinates, 1e-6
    qpos = CLIP.qpos[::3]
    slope = coordinates.jacobian(qpos)
    for k, axis in enumerate(np.eye(SKELETON.nv)):
        up, down = (
            coordinates.encode(replace(CLIP, qpos=sampling.integrate(SKELETON, qpos, s * eps * axis))) for s in (1, -1)
        )
        np.testing.assert_allclose(slope[..., k], (up - down) / (2 * eps), atol=1e-7)


def test_inverse_right_jacobian_is_the_logarithms_derivative() -> None:
    for vector in (np.zeros(3), np.array([1e-5, 0, 0]), np.array([0.3, -1.2, 0.7]), np.array([2.0, 1.0, 1.0])):
        numeric = np.stack([
            (rot.log(rot.multiply(rot.exp(vector), rot.exp(1e-6 * axis)))
             - rot.log(rot.multiply(rot.exp(vector), rot.exp(-1e-6 * axis)))) / 2e-6
            for axis in np.eye(3)
        ], axis=-1)  # fmt: skip
        np.testing.assert_allclose(rot.inverse_right_jacobian(vector), numeric, atol=1e-6)


def test_a_prior_of_windows_is_refused() -> None:
    prior = replace(default_prior(), kind="window")
    with pytest.raises(CapabilityError, match="prior of poses"):
        PriorTerm.of(prior)
