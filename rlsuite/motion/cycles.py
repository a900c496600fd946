"""Loops in a motion: where it repeats itself, and a clip cut there that wraps without a seam.

Two frames are alike when the bodies, seen from the root's place on the ground and its heading, are in the same places
with the same velocities. Autocorrelation over all pairs gives the period, the best pair of that period the cut.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import editing, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.tracks import Tracks

Array = NDArray[np.float64]
VELOCITY_SECONDS = 0.1  # a difference of 1 m/s counts as 0.1 m
MAX_FRAMES = 3000  # compared with one another; longer clips are searched at a lower rate


@dataclass(frozen=True)
class Cycle:
    """Frames ``start`` and ``stop`` of a clip at which it is in the same phase.

    Attributes:
        start, stop: the first frame and the one like it. period: seconds between them.
        distance: metres, root mean square over the bodies, between the two (velocities in tenths of a metre per second).
        repeats: from 0 (no relation) to 1 (perfectly periodic): the autocorrelation at this period.
    """

    start: int
    stop: int
    period: float
    distance: float
    repeats: float


def local_motion(clip: MotionClip) -> Array:
    """``(T, nbody * 6)`` positions and velocities of bodies, seen from the root's place on the ground and its heading."""
    position = clip.bodies[0]
    velocity = np.gradient(position, 1.0 / clip.fps, axis=0) if clip.n_frames > 1 else np.zeros_like(position)
    if clip.skeleton.has_free_root:
        root = clip.qpos[:, None, :3] * np.array([1.0, 1.0, 0.0])
        back = rot.conjugate(rot.heading(clip.qpos[:, None, 3:7]))
        position, velocity = rot.rotate(back, position - root), rot.rotate(back, velocity)
    return np.concatenate((position, VELOCITY_SECONDS * velocity), axis=-1).reshape(clip.n_frames, -1)


def find_cycle(clip: MotionClip, *, shortest: float = 0.3, longest: float | None = None, cycles: int = 1) -> Cycle:
    """The best loop of ``cycles`` periods, the period being from ``shortest`` to ``longest`` seconds.

    Of periods that repeat about equally well (a period and its multiples) the shortest is taken.

    Raises:
        MotionError: the clip is too short, or nothing moves.
    """
    stride = max(1, -(-clip.n_frames // MAX_FRAMES))
    motion = local_motion(clip)[::stride]
    motion = motion - motion.mean(axis=0)
    n, rate = len(motion), clip.fps / stride
    low = max(2, int(np.ceil(shortest * rate)))
    high = min(n - 1, n - 1 if longest is None else int(longest * rate))
    if cycles < 1 or low > high or low * cycles > n - 1:
        raise MotionError(
            f"clip {clip.name!r}: {clip.duration:g} s are too short for {cycles} cycles of {shortest:g} s"
        )
    square = np.sum(motion**2, axis=1)
    if square.mean() < 1e-10:
        raise MotionError(f"clip {clip.name!r}: nothing moves, so there is no cycle")
    distance = np.maximum(square[:, None] + square[None, :] - 2.0 * motion @ motion.T, 0.0)  # (n, n), metres squared
    lags = np.arange(low, high + 1)
    profile = np.array([np.diagonal(distance, lag).mean() for lag in lags]) / (2.0 * square.mean())
    lag = lags[_first_good_minimum(profile)]
    slack = max(1, round(0.1 * lag))
    best = (np.inf, 0, 0)
    for length in range(max(low, cycles * lag - slack), min(n - 1, cycles * lag + slack) + 1):
        pairs = np.diagonal(distance, length)
        start = int(np.argmin(pairs))
        if pairs[start] < best[0] - 1e-15:
            best = (float(pairs[start]), start, start + length)
    if not np.isfinite(best[0]):
        raise MotionError(
            f"clip {clip.name!r}: {clip.duration:g} s are too short for {cycles} cycles of {lag / rate:g} s"
        )
    start, stop = best[1] * stride, best[2] * stride
    return Cycle(
        start=start,
        stop=stop,
        period=(stop - start) / clip.fps,
        distance=float(np.sqrt(best[0] / clip.skeleton.nbody)),
        repeats=float(np.clip(1.0 - profile[lag - low], 0.0, 1.0)),
    )


def _first_good_minimum(profile: Array) -> int:
    """The first local minimum that is within a tenth of the range of the lowest."""
    enough = profile.min() + 0.1 * (profile.max() - profile.min())
    padded = np.concatenate(([np.inf], profile, [np.inf]))
    minima = (profile <= padded[:-2]) & (profile <= padded[2:]) & (profile <= enough)
    # the first lag allowed may begin a descent from lag 0 that is no period: it counts only if the profile rises there
    return int(np.argmax(minima))


def cyclify(clip: MotionClip, cycle: Cycle | None = None, *, turning: bool | None = None) -> MotionClip:
    """A ``wrap`` clip cut at ``cycle`` (default: :func:`find_cycle`), continuous at its seam in pose and velocity.

    What the last frame lacks to be the first is spread over the cycle along a cubic, half of it before the seam and half
    after; likewise the difference in velocity. Place on the ground is left free, and with ``turning`` the heading too
    (default: where it changes by more than 15 degrees).

    Raises:
        MotionError: there is no cycle, or it lies outside the clip.
    """
    cycle = cycle or find_cycle(clip)
    if not 0 <= cycle.start < cycle.stop < clip.n_frames or cycle.stop - cycle.start < 2:
        raise MotionError(
            f"clip {clip.name!r}: a cycle from frame {cycle.start} to {cycle.stop} does not lie within it"
        )
    part, free = editing.at_frames(clip, np.arange(cycle.start, cycle.stop + 1)), clip.skeleton.has_free_root
    n, early, late = part.n_frames - 1, int(cycle.start > 0), int(cycle.stop < clip.n_frames - 1)
    # one frame more on either side, where there is one, for the velocities at the ends
    tracks = Tracks(clip.skeleton, clip.qpos[cycle.start - early : cycle.stop + late + 1])
    rows, turns, start, stop = tracks.qpos.copy(), tracks.turns.copy(), early, early + n
    change = 0.0
    if free:
        change = float(rot.heading_angle(rot.multiply(rows[stop, 3:7], rot.conjugate(rows[start, 3:7]))))
    turning = free and (abs(change) > np.deg2rad(15.0) if turning is None else turning)
    around = rot.from_axis_angle((0.0, 0.0, 1.0), change if turning else 0.0)

    # the gap in pose: -1/2 of it at the start and 1/2 at the end, level there
    u = (np.arange(len(rows)) - start)[:, None] / n
    smooth = u * u * (3.0 - 2.0 * u)
    hinges = [a for j, a in zip(clip.skeleton.joints, clip.skeleton.qpos_address, strict=True) if j.kind == "hinge"]
    gap = rows[start] - rows[stop]
    gap[hinges] -= 2.0 * np.pi * np.round(gap[hinges] / (2.0 * np.pi))
    end = turns[stop].copy()
    if free:
        gap[:2] = 0.0
        end[0] = rot.multiply(rot.conjugate(around), end[0])  # a turn about the vertical is no gap
    turn_gap = rot.log(rot.multiply(rot.conjugate(end), turns[start]))
    rows += (smooth - 0.5) * gap
    turns = rot.multiply(turns, rot.exp((smooth[..., None] - 0.5) * turn_gap))

    # then the gap in velocity: a parabola that is 0 at both ends, with slopes of -1/2 and 1/2 of it
    rates, spins = [], []
    for before, after in ((0, start + 1), (stop - 1, len(rows) - 1)):
        rates.append((rows[after] - rows[before]) / (after - before))
        spins.append(rot.log(rot.multiply(rot.conjugate(turns[before]), turns[after])) / (after - before))
    if free:
        rates[1][:3] = rot.rotate(rot.conjugate(around), rates[1][:3])
    inner = slice(start, stop + 1)
    bend = (-0.5 * n * u * (1.0 - u))[inner]
    shift = bend * (rates[0] - rates[1])
    if turning:  # seen from the heading at that time
        shift[:, :3] = rot.rotate(rot.from_axis_angle((0.0, 0.0, 1.0), smooth[inner, 0] * change), shift[:, :3])
    qpos = tracks.with_turns(
        rows[inner] + shift, rot.multiply(turns[inner], rot.exp(bend[..., None] * (spins[0] - spins[1])))
    )
    contacts = part.contacts
    if contacts is not None:
        contacts = np.concatenate((contacts[:-1], contacts[:1]))
    looped = replace(part, qpos=part.skeleton.follow(qpos), contacts=contacts, loop="wrap", wrap_heading=bool(turning))
    return looped.with_step("cyclify", start=cycle.start, stop=cycle.stop, gap=seam(looped)[0])


def seam(clip: MotionClip) -> tuple[float, float]:
    """Largest jumps of a ``wrap`` clip at its seam: of pose (rad or m), and of velocity from one step to the next (per s).

    Raises:
        MotionError: the clip is played once.
    """
    if clip.loop != "wrap":
        raise MotionError(f"clip {clip.name!r} is played once and has no seam")
    ends = np.stack((clip.qpos[0], clip.qpos[-1], clip.qpos[1]))
    if clip.skeleton.has_free_root:
        sampling.displace_cycles(clip, ends, np.array([1.0, 0.0, 1.0]))
    turns = Tracks(clip.skeleton, ends).turns
    triples = [
        clip.skeleton.qpos_address[j] for b in clip.skeleton.spherical_hinges for j in clip.skeleton.joints_of[b]
    ]
    quaternions = [at + i for at in clip.skeleton.quaternions for i in range(4)]
    rest = np.setdiff1d(np.arange(clip.skeleton.nq), [*triples, *quaternions])
    pose = max(
        float(rot.angle_between(turns[0], turns[1]).max(initial=0.0)),
        float(np.abs(ends[0, rest] - ends[1, rest]).max(initial=0.0)),
    )
    before = sampling.difference(clip.skeleton, clip.qpos[-2], clip.qpos[-1])
    after = sampling.difference(clip.skeleton, ends[0], ends[2])
    return pose, float(np.abs(after - before).max() * clip.fps)
