"""Levenberg-Marquardt steps with a projected active set, one frame after another (:mod:`rlsuite.motion.inverse_kinematics`).

A frame's normal equations are built from the degrees of freedom that move each target alone, and solved by Cholesky's
decomposition over those that are free. The floor is one-sided: a step is taken against the corners that would be below it
afterwards, not those that are now (a semismooth Newton step; Qi and Sun 1993), or feet would stamp on it again and again.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion.compiled.kernels import entry_kernel, inverse, kernel, log, multiply
from rlsuite.motion.compiled.tree import (
    HINGE,
    SLIDE,
    Tree,
    column,
    difference,
    move,
    on_body,
    place,
    quaternion_at,
    vector_at,
)  # fmt: skip

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]
LONGEST_STEP = 0.7  # radians, or metres, of any coordinate in one iteration
FIRST_DAMPING, MOST_DAMPING = 1e-4, 1e6
STEADY = 1e-3  # of the diagonal that damping acts on, at least
LANDINGS = 4  # times that a step is tried against the corners that it would drive below the floor
SINGULAR = 1e-13  # share of a pivot that is left of it when it depends on those before


class Wanted(NamedTuple):
    """The targets of ``t`` frames; see :class:`rlsuite.motion.inverse_kinematics.Targets`."""

    bodies: Indices  # (n,)
    offsets: Array  # (n, 3)
    positions: Array  # (t, n, 3)
    weights: Array  # (t, n)
    turned: Indices  # (m,)
    rotations: Array  # (t, m, 4)
    turn_weights: Array  # (t, m)
    corners: Indices  # (k,)
    corner_offsets: Array  # (k, 3)
    heights: Array  # (t, k)
    floor_weight: float
    reference: Array  # (t, nq)
    pull: Array  # (t, nv)


class Placed(NamedTuple):
    """One pose: bodies and degrees of freedom in the world, and what is missing to the targets."""

    position: Array  # (nbody, 3)
    rotation: Array  # (nbody, 4)
    axis: Array  # (nv, 3)
    anchor: Array  # (nv, 3)
    points: Array  # (n, 3)
    shifts: Array  # (n, 3)
    turns: Array  # (m, 3)
    corners: Array  # (k, 3)
    apart: Array  # (nv,)


@kernel
def _evaluate(tree: Tree, wanted: Wanted, t: int, pose: Array, now: Placed) -> float:
    """Fill ``now`` with ``pose``; returns the sum of the squared residuals."""
    place(tree, pose, now.position, now.rotation, now.axis, now.anchor)
    cost = 0.0
    for i in range(len(wanted.bodies)):
        point = on_body(now.position, now.rotation, wanted.bodies[i], wanted.offsets[i])
        square = 0.0
        for k in range(3):
            now.points[i, k] = point[k]
            now.shifts[i, k] = wanted.positions[t, i, k] - point[k]
            square += now.shifts[i, k] ** 2
        cost += wanted.weights[t, i] ** 2 * square
    for i in range(len(wanted.turned)):
        here = quaternion_at(now.rotation[wanted.turned[i]], 0)
        x, y, z = log(multiply(quaternion_at(wanted.rotations[t, i], 0), inverse(here)))
        now.turns[i, 0], now.turns[i, 1], now.turns[i, 2] = x, y, z
        cost += wanted.turn_weights[t, i] ** 2 * (x * x + y * y + z * z)
    for i in range(len(wanted.corners)):
        point = on_body(now.position, now.rotation, wanted.corners[i], wanted.corner_offsets[i])
        now.corners[i, 0], now.corners[i, 1], now.corners[i, 2] = point
        cost += (wanted.floor_weight * max(0.0, wanted.heights[t, i] - point[2])) ** 2
    difference(tree, pose, wanted.reference[t], now.apart)
    for v in range(len(now.apart)):
        cost += (wanted.pull[t, v] * now.apart[v]) ** 2
    return cost


@kernel
def _normal_equations(
    tree: Tree, wanted: Wanted, t: int, now: Placed, hessian: Array, downhill: Array, columns: Array, below: Array,
    rise: Array, slope: Array,
) -> None:  # fmt: skip
    """``J^T J`` (its lower half) and ``J^T r`` without damping and without the floor, for which depth ``below (k,)`` and
    Jacobian ``rise (k, nv)`` of its corners; ``slope``: downhill with those that are below it."""
    hessian[:] = 0.0
    downhill[:] = 0.0
    for i in range(len(wanted.bodies)):
        square = wanted.weights[t, i] ** 2
        if square == 0.0:
            continue
        body, point = wanted.bodies[i], vector_at(now.points[i], 0)
        start, stop = tree.chains[body], tree.chains[body + 1]
        for c in range(start, stop):
            v = tree.chain[c]
            x, y, z = column(tree.turns, v, point, now.axis, now.anchor)
            columns[c - start, 0], columns[c - start, 1], columns[c - start, 2] = x, y, z
            downhill[v] += square * (x * now.shifts[i, 0] + y * now.shifts[i, 1] + z * now.shifts[i, 2])
            x, y, z = square * x, square * y, square * z
            for d in range(c - start + 1):
                hessian[v, tree.chain[start + d]] += x * columns[d, 0] + y * columns[d, 1] + z * columns[d, 2]
    for i in range(len(wanted.turned)):
        square = wanted.turn_weights[t, i] ** 2
        body = wanted.turned[i]
        start, stop = tree.chains[body], tree.chains[body + 1]
        for c in range(start, stop):
            v = tree.chain[c]
            if not tree.turns[v]:
                continue
            x, y, z = square * now.axis[v, 0], square * now.axis[v, 1], square * now.axis[v, 2]
            downhill[v] += x * now.turns[i, 0] + y * now.turns[i, 1] + z * now.turns[i, 2]
            for d in range(start, c + 1):
                u = tree.chain[d]
                if tree.turns[u]:
                    hessian[v, u] += x * now.axis[u, 0] + y * now.axis[u, 1] + z * now.axis[u, 2]
    for v in range(len(downhill)):
        square = wanted.pull[t, v] ** 2
        hessian[v, v] += square
        downhill[v] += square * now.apart[v]
        slope[v] = downhill[v]
    for i in range(len(wanted.corners)):
        below[i] = wanted.heights[t, i] - now.corners[i, 2]
        body, point = wanted.corners[i], vector_at(now.corners[i], 0)
        for c in range(tree.chains[body], tree.chains[body + 1]):
            v = tree.chain[c]
            rise[i, v] = column(tree.turns, v, point, now.axis, now.anchor)[2]
            slope[v] += wanted.floor_weight**2 * max(0.0, below[i]) * rise[i, v]


@kernel
def _with_floor(
    tree: Tree, wanted: Wanted, hessian: Array, downhill: Array, below: Array, rise: Array, active: Mask,
    damped: Array, push: Array,
) -> None:  # fmt: skip
    """The normal equations with the corners that are ``active`` held to the floor."""
    for v in range(len(downhill)):
        push[v] = downhill[v]
        for u in range(v + 1):
            damped[v, u] = hessian[v, u]
    square = wanted.floor_weight**2
    for i in range(len(below)):
        if active[i]:
            start, stop = tree.chains[wanted.corners[i]], tree.chains[wanted.corners[i] + 1]
            for c in range(start, stop):
                v = tree.chain[c]
                push[v] += square * below[i] * rise[i, v]
                for d in range(start, c + 1):
                    u = tree.chain[d]
                    damped[v, u] += square * rise[i, v] * rise[i, u]


@kernel
def _land(tree: Tree, wanted: Wanted, below: Array, rise: Array, step: Array, active: Mask) -> bool:
    """Make those corners active that are below the floor after ``step``; whether these are others than before."""
    changed = False
    for i in range(len(below)):
        ahead = below[i]
        for c in range(tree.chains[wanted.corners[i]], tree.chains[wanted.corners[i] + 1]):
            ahead -= rise[i, tree.chain[c]] * step[tree.chain[c]]
        changed = changed or active[i] != (ahead > 0.0)
        active[i] = ahead > 0.0
    return changed


@kernel
def _solve_free(
    hessian: Array, downhill: Array, held: Mask, free: Indices, lower: Array, spare: Array, step: Array
) -> None:
    """``hessian @ step = downhill`` over the degrees of freedom that are not held, which rest; Cholesky's decomposition,
    in which one that depends on those before it rests too."""
    n = 0
    for v in range(len(held) - 1, -1, -1):  # from the ends of limbs: so zeros stay zeros (Featherstone 2005)
        step[v] = 0.0
        if not held[v]:
            free[n] = v
            n += 1
    for i in range(n):
        for k in range(i + 1):
            lower[i, k] = hessian[free[k], free[i]]
        spare[i] = downhill[free[i]]
    for k in range(n):
        whole = hessian[free[k], free[k]]
        if lower[k, k] <= SINGULAR * whole:
            lower[k, k] = 0.0
            spare[k] = 0.0
            for i in range(k + 1, n):
                lower[i, k] = 0.0
            continue
        lower[k, k] = sqrt(lower[k, k])
        for i in range(k + 1, n):
            lower[i, k] /= lower[k, k]
        spare[k] /= lower[k, k]
        for i in range(k + 1, n):
            share = lower[i, k]
            if share == 0.0:
                continue  # neither moves what the other does
            spare[i] -= share * spare[k]
            for j in range(k + 1, i + 1):
                lower[i, j] -= share * lower[j, k]
    for k in range(n - 1, -1, -1):
        rest = spare[k]
        for i in range(k + 1, n):
            rest -= lower[i, k] * step[free[i]]
        step[free[k]] = rest / lower[k, k] if lower[k, k] > 0.0 else 0.0


@kernel
def _bounded_step(
    tree: Tree, pose: Array, hessian: Array, downhill: Array, held: Mask, free: Indices, lower: Array, spare: Array,
    fixed: Array, step: Array,
) -> None:  # fmt: skip
    """The damped Newton step with ``held`` degrees of freedom at rest, and then with those that it would drive out of range
    stopped at their bound: the others make up for them."""
    _solve_free(hessian, downhill, held, free, lower, spare, step)
    fixed[:] = 0.0
    out = False
    for j in range(len(tree.kind)):
        if tree.kind[j] in (SLIDE, HINGE):
            v, value = tree.dof[j], pose[tree.coordinate[j]]
            ahead = value + step[v]
            if ahead < tree.low[j] or ahead > tree.high[j]:
                fixed[v] = min(max(ahead, tree.low[j]), tree.high[j]) - value
                held[v] = True
                out = True
    if not out:
        return
    n = len(fixed)
    for v in range(n):
        if fixed[v] != 0.0:
            for u in range(n):
                downhill[u] -= fixed[v] * (hessian[u, v] if u >= v else hessian[v, u])
    _solve_free(hessian, downhill, held, free, lower, spare, step)
    for v in range(n):
        step[v] += fixed[v]


@kernel
def _hold(tree: Tree, pose: Array, downhill: Array, held: Mask) -> None:
    """Coordinates that rest on a bound and are pushed outwards."""
    held[:] = False
    for j in range(len(tree.kind)):
        if tree.kind[j] in (SLIDE, HINGE):
            v, value = tree.dof[j], pose[tree.coordinate[j]]
            held[v] = (value <= tree.low[j] and downhill[v] < 0.0) or (value >= tree.high[j] and downhill[v] > 0.0)


@entry_kernel
def descend(
    tree: Tree, wanted: Wanted, poses: Array, iterations: int, tolerance: float, gain: float,
    shift: Array, turn: Array, costs: Array, tried: Indices, done: Mask,
) -> None:  # fmt: skip
    """Bring ``poses (t, nq)`` nearer to the targets, in place, and fill in how near they came."""
    nbody, nv = len(tree.parent), len(tree.turns)
    points, turns, corners = len(wanted.bodies), len(wanted.turned), len(wanted.corners)
    now = Placed(
        np.empty((nbody, 3)), np.empty((nbody, 4)), np.empty((nv, 3)), np.empty((nv, 3)), np.empty((points, 3)),
        np.empty((points, 3)), np.empty((turns, 3)), np.empty((corners, 3)), np.empty(nv),
    )  # fmt: skip
    trial = np.empty(poses.shape[1])
    hessian, damped, lower, columns = np.empty((nv, nv)), np.empty((nv, nv)), np.empty((nv, nv)), np.empty((nv, 3))
    downhill, push, spare, fixed, step = np.empty(nv), np.empty(nv), np.empty(nv), np.empty(nv), np.empty(nv)
    held, free = np.empty(nv, np.bool_), np.empty(nv, np.int64)
    below, rise, slope, active = np.empty(corners), np.zeros((corners, nv)), np.empty(nv), np.empty(corners, np.bool_)
    for t in range(len(poses)):
        pose, damping, fresh = poses[t], FIRST_DAMPING, True
        cost = _evaluate(tree, wanted, t, pose, now)
        for _ in range(iterations):
            if fresh:
                _normal_equations(tree, wanted, t, now, hessian, downhill, columns, below, rise, slope)
            for i in range(corners):
                active[i] = below[i] > 0.0
            for _ in range(LANDINGS):
                _with_floor(tree, wanted, hessian, downhill, below, rise, active, damped, push)
                for v in range(nv):
                    damped[v, v] += damping * max(damped[v, v], STEADY)
                _hold(tree, pose, slope, held)
                _bounded_step(tree, pose, damped, push, held, free, lower, spare, fixed, step)
                if not _land(tree, wanted, below, rise, step, active):
                    break
            longest = 0.0
            for v in range(nv):
                longest = max(longest, abs(step[v]))
            if longest > LONGEST_STEP:
                for v in range(nv):
                    step[v] *= LONGEST_STEP / longest
            move(tree, pose, step, trial)
            new = _evaluate(tree, wanted, t, trial, now)
            fresh = new < cost
            tried[t] += 1
            damping *= 0.1 if fresh else 10.0
            slow = sqrt(cost) - sqrt(new) < gain * sqrt(cost)
            done[t] = longest < tolerance or (fresh and slow) or damping > MOST_DAMPING
            if fresh:
                pose[:] = trial
                cost = new
            if done[t]:
                break
        _evaluate(tree, wanted, t, pose, now)
        costs[t] = 0.5 * cost
        for i in range(points):
            x, y, z = vector_at(now.shifts[i], 0)
            shift[t, i] = sqrt(x * x + y * y + z * z)
        for i in range(turns):
            x, y, z = vector_at(now.turns[i], 0)
            turn[t, i] = sqrt(x * x + y * y + z * z)


@entry_kernel
def jacobian_rows(tree: Tree, poses: Array, bodies: Indices, offsets: Array, shifts: Array, turns: Array) -> None:
    """``(t, n, 3, nv)`` what every degree of freedom does to points on bodies, and to the bodies' rotation."""
    nbody, nv = len(tree.parent), len(tree.turns)
    position, rotation, axis, anchor = np.empty((nbody, 3)), np.empty((nbody, 4)), np.empty((nv, 3)), np.empty((nv, 3))
    for t in range(len(poses)):
        place(tree, poses[t], position, rotation, axis, anchor)
        for i in range(len(bodies)):
            point = on_body(position, rotation, bodies[i], offsets[i])
            for c in range(tree.chains[bodies[i]], tree.chains[bodies[i] + 1]):
                v = tree.chain[c]
                moved = column(tree.turns, v, point, axis, anchor)
                for k in range(3):
                    shifts[t, i, k, v] = moved[k]
                    turns[t, i, k, v] = axis[v, k] if tree.turns[v] else 0.0
