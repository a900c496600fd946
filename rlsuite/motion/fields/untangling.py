"""Parting limbs that are inside one another, over a whole clip, by the gradient of the body's own distances.

The correction ``delta (T, hinges)`` of the hinge angles is the least of

    sum_t E(q_t + delta_t) + PULL |delta_t|^2 + PULL tau^4 |delta_{t-1} - 2 delta_t + delta_{t+1}|^2 + HOLD |feet moved|^2

with ``E`` the self-collision energy of :mod:`.energies`, ``tau`` frames of ``seconds`` (the length over which a correction
comes and goes), and standing feet held where they are. The root stays; frames far from any collision stay bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlsuite.motion import body, kinematics_torch
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.fields.energies import BodyEnergies

Array = NDArray[np.float64]
SECONDS = 0.12  # over which a correction comes and goes
MARGIN = 0.002  # metres by which limbs are parted further than they must be
PULL = 2e-5  # square metres per square radian: of a turn that is not needed
HOLD = 0.05  # of standing feet; a foot that stands inside the other has to move
OUTSIDE = 1.0  # square metres per square radian beyond a joint's limit
SMALLEST = 1e-5  # radians that are worth a change
STEPS = 20


def untangled(clip: MotionClip, energies: BodyEnergies | None = None, *, seconds: float = SECONDS) -> Array:
    """``(T, nq)`` of the clip with limbs parted where they overlap; ``clip.qpos`` itself where none do.

    A pose whose limbs cannot be parted by angles within their limits keeps the least overlap that was found.

    Raises:
        SkeletonError: without ``energies`` the clip must be on the suite's humanoid.
    """
    energies = energies or BodyEnergies(body.shape_of(clip.skeleton))
    cycle = clip.loop == "wrap"
    last = clip.n_frames - 1 if cycle else clip.n_frames  # the last frame of a cycle is its first
    qpos = torch.tensor(clip.qpos[:last])
    with torch.no_grad():
        overlap = (energies.gaps(qpos).amin(-1) < 0).numpy()
    if not overlap.any():
        return clip.qpos
    tau = max(1.0, seconds * clip.fps)
    rows = _around(overlap, round(4 * tau), cycle)
    hinges = [a for a, j in zip(clip.skeleton.qpos_address, clip.skeleton.joints, strict=True) if j.kind == "hinge"]
    delta = _correction(energies, qpos, rows, hinges, tau, cycle)
    changed = np.abs(delta).max(axis=1) > SMALLEST
    out = clip.qpos.copy()
    out[:last][np.ix_(changed, hinges)] += delta[changed]
    if cycle:
        out[-1, hinges] = np.where(changed[0], out[0, hinges], out[-1, hinges])
    return out


def _correction(
    energies: BodyEnergies, qpos: Tensor, rows: NDArray[np.intp], hinges: Sequence[int], tau: float, cycle: bool
) -> Array:
    """``(T, hinges)``, by L-BFGS over the frames ``rows``."""
    skeleton, poses = energies.skeleton, qpos[rows]
    limits = torch.tensor(skeleton.qpos_range[hinges].copy())
    low, high = torch.minimum(limits[:, 0], poses[:, hinges]), torch.maximum(limits[:, 1], poses[:, hinges])
    soles = [name for name, (owner, _) in skeleton.keypoints.items() if skeleton.body_names[owner] in skeleton.feet]
    owners = [skeleton.feet.index(skeleton.body_names[skeleton.keypoints[name][0]]) for name in soles]
    standing = torch.tensor(energies.touching(poses.numpy())[:, owners]).unsqueeze(-1)  # (rows, points, 1)
    held = kinematics_torch.keypoints(skeleton, poses, soles)
    free = torch.zeros((len(rows), len(hinges)), dtype=qpos.dtype, requires_grad=True)
    whole, index = torch.zeros((len(qpos), len(hinges)), dtype=qpos.dtype), torch.tensor(rows)

    def loss() -> Tensor:
        angles = poses[:, hinges] + free
        moved = poses.index_copy(1, torch.tensor(hinges), angles)
        overlap = (MARGIN - energies.gaps(moved)).clamp(min=0.0).square().sum()
        slip = ((kinematics_torch.keypoints(skeleton, moved, soles) - held) * standing).square().sum()
        outside = ((low - angles).clamp(min=0.0) + (angles - high).clamp(min=0.0)).square().sum()
        bend = _second_difference(whole.index_copy(0, index, free), cycle)
        return overlap + HOLD * slip + OUTSIDE * outside + PULL * (free.square().sum() + tau**4 * bend.square().sum())

    optimizer = torch.optim.LBFGS(
        [free],
        max_iter=STEPS,
        history_size=20,
        tolerance_grad=1e-9,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)
    inside = torch.minimum(torch.maximum(free.detach(), low - poses[:, hinges]), high - poses[:, hinges])
    return whole.index_copy(0, index, inside).numpy()


def _second_difference(values: Tensor, cycle: bool) -> Tensor:
    """``(T, n)`` along the frames; beyond the ends of what is no cycle the correction stays as it is there."""
    if cycle:
        return values.roll(1, 0) - 2 * values + values.roll(-1, 0)
    padded = torch.cat((values[:1], values, values[-1:]))
    return padded[:-2] - 2 * padded[1:-1] + padded[2:]


def _around(mask: NDArray[np.bool_], width: int, cycle: bool) -> NDArray[np.intp]:
    """Frames within ``width`` of one in ``mask (T,)``."""
    from scipy.ndimage import maximum_filter1d

    return np.flatnonzero(maximum_filter1d(mask, 2 * width + 1, mode="wrap" if cycle else "constant"))
