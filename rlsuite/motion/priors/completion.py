"""Missing joints or frames of a clip, filled in by a motion prior whose model can complete events.

Joints, all the time: a prior of poses fills in frame by frame, one of windows over time. Frames, all joints: windows are
slid over the gap, each completed from the frames before it (and after it, where it reaches so far) and those already filled
in, the first half of what it drew kept. The model's draw is conditional on all that is known in the window: exact for PPCA
and the Gaussian, exact for one order in orderless NADE, approximate (in-filling) for diffusion.

The root's path is the sum of its velocities. A gap in frames therefore ends beside where the recording goes on; the
difference, on the ground and in heading, is spread evenly over the gap. What was given stays, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from rlsuite.errors import CapabilityError, MotionError
from rlsuite.generative.capabilities import Completion, require
from rlsuite.motion import rotations as rot
from rlsuite.motion import sampling
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.priors.coordinates import ROOT, PoseCoordinates
from rlsuite.motion.priors.prior import MotionPrior
from rlsuite.motion.skeleton import Skeleton

Array: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
UP = (0.0, 0.0, 1.0)


def complete(
    prior: MotionPrior,
    clip: MotionClip,
    *,
    joints: Sequence[str] = (),
    frames: tuple[int, int] | None = None,
    draws: int = 1,
    seed: int = 0,
) -> MotionClip:
    """``clip`` at the prior's rate with what is missing drawn anew.

    Args:
        joints: names of bodies or joints that are missing, in all frames, or in ``frames`` where those are given.
        frames: first, and one past the last, of the clip at the prior's rate.
        draws: 1 draws; more gives their mean, nearer to the truth on average and less lively.

    Raises:
        CapabilityError: the model cannot complete events, or is not of poses or windows, or frames are missing as a whole
            and it is of poses, which know no time.
        MotionError: nothing is missing, or everything; no such joint or frames; another skeleton.
    """
    require(prior.model, Completion, "filling in what is missing")
    if prior.kind == "next":
        raise CapabilityError("filling in takes a prior of poses or windows; this one is of next frames")
    if draws < 1:
        raise MotionError(f"draws is at least 1, not {draws!r}")
    clip = at_rate(clip, prior.fps)
    rows = prior.coordinates.encode(clip)
    known = known_entries(prior.coordinates, len(rows), joints, frames)
    if prior.kind == "pose" and not known.any(axis=1).all():
        raise CapabilityError("whole frames are filled in by a prior of windows; one of poses knows no time")
    generator = torch.Generator().manual_seed(seed)
    filled = np.mean([_fill(prior, rows, known, generator) for _ in range(draws)], axis=0)
    filled[known] = rows[known]
    made = _put_together(prior, clip, filled, joints, frames)
    return made.with_step(
        "completed", model=prior.model.name, joints=list(joints), frames=None if frames is None else list(frames),
        draws=draws, seed=seed,
    )  # fmt: skip


def at_rate(clip: MotionClip, fps: float) -> MotionClip:
    """The clip itself if it has that rate, or, being a cycle, the nearest that keeps its period; else resampled."""
    same = clip.fps == fps or (clip.loop == "wrap" and abs(fps - clip.fps) * clip.duration < 0.5)
    return clip if same else sampling.resample(clip, fps)


def known_entries(coordinates: PoseCoordinates, n: int, joints: Sequence[str], frames: tuple[int, int] | None) -> Mask:
    """``(n, size)``: true where an entry is given. The velocity into a gap in frames is missing with it."""
    if not joints and frames is None:
        raise MotionError("nothing is missing: name joints, or frames, or both")
    first, last = (0, n) if frames is None else frames
    if not 0 <= first < last <= n:
        raise MotionError(f"frames {first}:{last} are none of the clip's {n} at the prior's rate")
    columns = np.zeros(coordinates.size, np.bool_)
    for joint in joints:
        columns |= _columns(coordinates, joint)
    if not joints:
        columns[:] = True
    known = np.ones((n, coordinates.size), np.bool_)
    known[first:last, columns] = False
    if coordinates.root and not joints and first > 0:
        known[first - 1, 3:6] = False
    if not known.any():
        raise MotionError("everything is missing: leave some joints or frames")
    return known


def _columns(coordinates: PoseCoordinates, name: str) -> Mask:
    """Entries of a body (``right_hip``: all that its joints have) or of one joint."""
    skeleton = coordinates.skeleton
    wanted = {name, *(f"{name} {axis}" for axis in "xyz")}
    if name in skeleton.body_names:
        body = skeleton.body(name)
        wanted |= {skeleton.joints[j].name for j in skeleton.joints_of[body]}
        if body == 0 and coordinates.root:
            wanted |= set(ROOT)
    found = np.array([entry in wanted for entry in coordinates.names])
    if not found.any():
        choices = sorted({entry.rsplit(" ", 1)[0] if entry[-2:-1] == " " else entry for entry in coordinates.names})
        raise MotionError(
            f"there is no joint {name!r} in the prior; it has {', '.join(c for c in choices if c not in ROOT)}"
        )
    return found


def _fill(prior: MotionPrior, rows: Array, known: Mask, generator: torch.Generator) -> Array:
    values = torch.from_numpy(np.where(known, rows, np.nan).astype(np.float32))  # what is missing is not there
    given = torch.from_numpy(known.copy())
    if prior.kind == "pose":
        todo = ~given.all(1)
        values[todo] = prior.model.sample(known=values[todo], mask=given[todo], generator=generator)
        return values.double().numpy()
    n, length = len(rows), prior.length
    if n < length:
        raise MotionError(f"the clip has {n} frames at {prior.fps:g} Hz, and the prior's windows {length}")
    while not given.all():
        first = int((~given).any(1).nonzero()[0])
        at = min(max(0, first - length // 2), n - length)
        window = slice(at, at + length)
        drawn = prior.model.sample(known=values[window], mask=given[window], generator=generator)
        end = at + length
        if end < n and not given[end - 1].all():  # what is missing goes on behind the window
            end = first + (end - first + 1) // 2
        values[at:end], given[at:end] = drawn[: end - at], True
    return values.double().numpy()


def _put_together(
    prior: MotionPrior, clip: MotionClip, filled: Array, joints: Sequence[str], frames: tuple[int, int] | None
) -> MotionClip:
    """A clip of the filled coordinates; poses and places that were given are the clip's own."""
    skeleton, coordinates, n = clip.skeleton, prior.coordinates, len(filled)
    first, last = (0, n) if frames is None else frames
    from_before = not joints and coordinates.root and first > 0  # the path goes on from the last frame that is given
    start = clip.qpos[first - 1 if from_before else first]
    place = float(start[0]), float(start[1]), float(rot.heading_angle(start[3:7]))
    if from_before:
        made = coordinates.decode(filled[first - 1 : last + 1], clip.fps, place)[1:]
        if last < n:
            made = _meet(made, clip.qpos[last])
    else:
        made = coordinates.decode(filled[first:last], clip.fps, place)
    made = made[: last - first]
    qpos = clip.qpos.copy()
    if not joints:
        if not coordinates.root:
            made[:, :7] = qpos[first:last, :7]
        qpos[first:last] = skeleton.follow(np.concatenate([qpos[first - 1 : first], made]))[min(first, 1) :]
        return replace(clip, qpos=qpos)
    moved = _addresses(skeleton, joints)
    qpos[first:last, moved] = made[:, moved]
    return replace(clip, qpos=qpos)


def _meet(path: Array, end: Array) -> Array:
    """``(T + 1, nq)`` turned and shifted, more and more, so that its last frame has the place and heading of ``end``."""
    share = np.arange(1, len(path) + 1) / len(path)
    turn = rot.heading_angle(rot.multiply(end[3:7], rot.conjugate(path[-1, 3:7])))
    out = path.copy()
    out[:, 3:7] = rot.multiply(rot.from_axis_angle(UP, share * turn), path[:, 3:7])
    out[:, :2] += share[:, None] * (end[:2] - path[-1, :2])
    return out


def _addresses(skeleton: Skeleton, joints: Sequence[str]) -> NDArray[np.intp]:
    """Columns of qpos of these bodies or joints."""
    width = {"free": 7, "ball": 4}
    found = [
        np.arange(width.get(joint.kind, 1)) + address
        for body, own in enumerate(skeleton.joints_of)
        for joint, address in ((skeleton.joints[j], skeleton.qpos_address[j]) for j in own)
        if joint.name in joints or skeleton.body_names[body] in joints
    ]
    return np.concatenate(found) if found else np.zeros(0, np.intp)
