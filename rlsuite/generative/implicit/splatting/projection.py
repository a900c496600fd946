"""Compiled projection of Gaussians into a picture, and its derivatives by hand; :func:`.reference.project` is the oracle.

``p_i`` are the rows of ``J W``, ``r_k`` the columns of the rotation, ``m_ik = s_k p_i . r_k``, and the covariance is
``M M^T``. The backward pass runs the same chain from its end; with ``X`` the conic as a matrix and ``G`` the gradient by it
as a symmetric matrix (half of the gradient by ``B`` in each off-diagonal entry), the gradient by the covariance is
``-X G X``.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.generative.implicit.cameras import Pinhole
from rlsuite.generative.implicit.splatting.gaussians import Gaussians
from rlsuite.generative.implicit.splatting.kernels import entry_kernel
from rlsuite.generative.implicit.splatting.reference import DEFAULT, Settings, Splats


class View(NamedTuple):
    """A camera for kernels: ``W (3, 3)`` right, down and away, its place, ``K``, and bounds ``(2)`` of slopes for ``J``."""

    W: NDArray[np.float64]
    t: NDArray[np.float64]
    K: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    near: float
    low_pass: float

    @classmethod
    def of(cls, camera: Pinhole, settings: Settings) -> View:
        R, t, K = (torch.as_tensor(v).detach().cpu().numpy().astype(np.float64) for v in (camera.R, camera.t, camera.K))
        size, focal, middle = np.array((camera.width, camera.height)), np.diag(K)[:2], K[:2, 2]
        low, high = (-settings.margin * size - middle) / focal, ((1 + settings.margin) * size - middle) / focal
        W = np.ascontiguousarray(R.T * np.array((1.0, -1.0, -1.0))[:, None])
        return cls(W, t, K, low, high, float(settings.near), float(settings.low_pass))


def project(gaussians: Gaussians, camera: Pinhole, settings: Settings = DEFAULT) -> Splats:
    """As :func:`.reference.project`, on the CPU; gradients flow to the Gaussians, not to the camera."""
    means, quats, scales, _, _ = gaussians
    return Splats(*_Project.apply(means, quats, scales, View.of(camera, settings)))


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, means: Tensor, quats: Tensor, scales: Tensor, view: View) -> tuple[Tensor, Tensor, Tensor]:
        ctx.view = view
        ctx.save_for_backward(means, quats, scales)
        mean, conic, depth = means.new_empty(len(means), 2), means.new_empty(len(means), 3), means.new_empty(len(means))
        m, q, s = (x.detach().contiguous().numpy() for x in (means, quats, scales))
        project_forward(m, q, s, view, mean.numpy(), conic.numpy(), depth.numpy())
        return mean, conic, depth

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        m, q, s = (x.detach().contiguous().numpy() for x in ctx.saved_tensors)
        by_mean, by_conic, by_depth = (g.contiguous().numpy() for g in gradients)
        results = tuple(torch.zeros_like(x, memory_format=torch.contiguous_format) for x in ctx.saved_tensors)
        to = tuple(x.numpy() for x in results)
        project_backward(m, q, s, ctx.view, by_mean, by_conic, by_depth, to[0], to[1], to[2])
        return *results, None


@entry_kernel
def chain(
    mean: NDArray, quat: NDArray, scale: NDArray, view: View, x: NDArray, J: NDArray, P: NDArray, R: NDArray, M: NDArray
) -> None:
    """Of one Gaussian: place ``x (3)`` in the camera's axes, ``J (2, 3)``, ``P = J W``, ``R (3, 3)`` and ``M (2, 3)``."""
    W, K = view.W, view.K
    for i in range(3):
        x[i] = W[i, 0] * (mean[0] - view.t[0]) + W[i, 1] * (mean[1] - view.t[1]) + W[i, 2] * (mean[2] - view.t[2])
    z = x[2] if x[2] > view.near else 1.0
    bx = min(max(x[0] / z, view.low[0]), view.high[0])
    by = min(max(x[1] / z, view.low[1]), view.high[1])
    for i in range(2):
        J[i, 0], J[i, 1], J[i, 2] = K[i, 0] / z, K[i, 1] / z, -(K[i, 0] * bx + K[i, 1] * by) / z
    n = math.sqrt(quat[0] ** 2 + quat[1] ** 2 + quat[2] ** 2 + quat[3] ** 2)
    w, a, b, c = quat[0] / n, quat[1] / n, quat[2] / n, quat[3] / n
    R[0, 0], R[0, 1], R[0, 2] = 1 - 2 * (b * b + c * c), 2 * (a * b - w * c), 2 * (a * c + w * b)
    R[1, 0], R[1, 1], R[1, 2] = 2 * (a * b + w * c), 1 - 2 * (a * a + c * c), 2 * (b * c - w * a)
    R[2, 0], R[2, 1], R[2, 2] = 2 * (a * c - w * b), 2 * (b * c + w * a), 1 - 2 * (a * a + b * b)
    for i in range(2):
        for k in range(3):
            P[i, k] = J[i, 0] * W[0, k] + J[i, 1] * W[1, k] + J[i, 2] * W[2, k]
        for k in range(3):
            M[i, k] = (P[i, 0] * R[0, k] + P[i, 1] * R[1, k] + P[i, 2] * R[2, k]) * scale[k]


@entry_kernel
def project_forward(
    means: NDArray,
    quats: NDArray,
    scales: NDArray,
    view: View,
    mean: NDArray,
    conic: NDArray,
    depth: NDArray,
) -> None:
    """Fill ``mean (n, 2)``, ``conic (n, 3)`` and ``depth (n)``."""
    x, J, P, R, M = np.empty(3), np.empty((2, 3)), np.empty((2, 3)), np.empty((3, 3)), np.empty((2, 3))
    K = view.K
    for g in range(len(means)):
        chain(means[g], quats[g], scales[g], view, x, J, P, R, M)
        z = x[2] if x[2] > view.near else 1.0
        mean[g, 0] = (K[0, 0] * x[0] + K[0, 1] * x[1]) / z + K[0, 2]
        mean[g, 1] = (K[1, 0] * x[0] + K[1, 1] * x[1]) / z + K[1, 2]
        depth[g] = x[2]
        xx = M[0, 0] ** 2 + M[0, 1] ** 2 + M[0, 2] ** 2 + view.low_pass
        yy = M[1, 0] ** 2 + M[1, 1] ** 2 + M[1, 2] ** 2 + view.low_pass
        xy = M[0, 0] * M[1, 0] + M[0, 1] * M[1, 1] + M[0, 2] * M[1, 2]
        determinant = xx * yy - xy * xy
        conic[g, 0], conic[g, 1], conic[g, 2] = yy / determinant, -xy / determinant, xx / determinant


@entry_kernel
def project_backward(
    means: NDArray,
    quats: NDArray,
    scales: NDArray,
    view: View,
    by_mean: NDArray,
    by_conic: NDArray,
    by_depth: NDArray,
    to_means: NDArray,
    to_quats: NDArray,
    to_scales: NDArray,
) -> None:
    """Fill the gradients ``to_...`` from those by what :func:`project_forward` gives."""
    x, J, P, R, M = np.empty(3), np.empty((2, 3)), np.empty((2, 3)), np.empty((3, 3)), np.empty((2, 3))
    to_M, to_P, to_J, G, to_x = np.empty((2, 3)), np.empty((2, 3)), np.empty((2, 3)), np.empty((3, 3)), np.empty(3)
    W, K = view.W, view.K
    for g in range(len(means)):
        chain(means[g], quats[g], scales[g], view, x, J, P, R, M)
        xx = M[0, 0] ** 2 + M[0, 1] ** 2 + M[0, 2] ** 2 + view.low_pass
        yy = M[1, 0] ** 2 + M[1, 1] ** 2 + M[1, 2] ** 2 + view.low_pass
        xy = M[0, 0] * M[1, 0] + M[0, 1] * M[1, 1] + M[0, 2] * M[1, 2]
        determinant = xx * yy - xy * xy
        A, B, C = yy / determinant, -xy / determinant, xx / determinant
        gA, gB, gC = by_conic[g, 0], 0.5 * by_conic[g, 1], by_conic[g, 2]
        hA, hB, hC, hD = A * gA + B * gB, A * gB + B * gC, B * gA + C * gB, B * gB + C * gC  # X G, by rows
        vxx, vxy, vyy = -(hA * A + hB * B), -(hA * B + hB * C), -(hC * B + hD * C)  # -X G X
        for k in range(3):
            to_M[0, k] = 2 * (vxx * M[0, k] + vxy * M[1, k])
            to_M[1, k] = 2 * (vxy * M[0, k] + vyy * M[1, k])
        for k in range(3):
            s, total = scales[g, k], 0.0
            for i in range(2):
                total += to_M[i, k] * (P[i, 0] * R[0, k] + P[i, 1] * R[1, k] + P[i, 2] * R[2, k])
            to_scales[g, k] = total
            for j in range(3):
                G[j, k] = s * (to_M[0, k] * P[0, j] + to_M[1, k] * P[1, j])
        for i in range(2):
            for j in range(3):
                to_P[i, j] = (
                    to_M[i, 0] * scales[g, 0] * R[j, 0]
                    + to_M[i, 1] * scales[g, 1] * R[j, 1]
                    + to_M[i, 2] * scales[g, 2] * R[j, 2]
                )
            for k in range(3):
                to_J[i, k] = to_P[i, 0] * W[k, 0] + to_P[i, 1] * W[k, 1] + to_P[i, 2] * W[k, 2]
        front = x[2] > view.near
        z = x[2] if front else 1.0
        to_z = 0.0
        for i in range(2):
            for k in range(3):
                to_z -= to_J[i, k] * J[i, k] / z
        for axis in range(2):
            slope = x[axis] / z
            by_slope = K[0, axis] * by_mean[g, 0] + K[1, axis] * by_mean[g, 1]
            if view.low[axis] < slope < view.high[axis]:  # the same bounds as in the forward pass
                by_slope -= (to_J[0, 2] * K[0, axis] + to_J[1, 2] * K[1, axis]) / z
            to_x[axis] = by_slope / z
            to_z -= by_slope * slope / z
        to_x[2] = by_depth[g] + (to_z if front else 0.0)
        for j in range(3):
            to_means[g, j] = W[0, j] * to_x[0] + W[1, j] * to_x[1] + W[2, j] * to_x[2]
        turn_back(quats[g], G, to_quats[g])


@entry_kernel
def turn_back(quat: NDArray, G: NDArray, to_quat: NDArray) -> None:
    """Gradient by a quaternion of any length from the one by its rotation matrix, ``G (3, 3)``."""
    n = math.sqrt(quat[0] ** 2 + quat[1] ** 2 + quat[2] ** 2 + quat[3] ** 2)
    w, x, y, z = quat[0] / n, quat[1] / n, quat[2] / n, quat[3] / n
    a = 2 * (-z * G[0, 1] + y * G[0, 2] + z * G[1, 0] - x * G[1, 2] - y * G[2, 0] + x * G[2, 1])
    b = 2 * (y * (G[0, 1] + G[1, 0]) + z * (G[0, 2] + G[2, 0]) - 2 * x * (G[1, 1] + G[2, 2]) + w * (G[2, 1] - G[1, 2]))
    c = 2 * (x * (G[0, 1] + G[1, 0]) + z * (G[1, 2] + G[2, 1]) - 2 * y * (G[0, 0] + G[2, 2]) + w * (G[0, 2] - G[2, 0]))
    d = 2 * (x * (G[0, 2] + G[2, 0]) + y * (G[1, 2] + G[2, 1]) - 2 * z * (G[0, 0] + G[1, 1]) + w * (G[1, 0] - G[0, 1]))
    along = a * w + b * x + c * y + d * z
    to_quat[0], to_quat[1] = (a - along * w) / n, (b - along * x) / n
    to_quat[2], to_quat[3] = (c - along * y) / n, (d - along * z) / n
