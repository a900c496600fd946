"""Clips cut, mirrored, warped, blended, placed and joined: every function takes clips and returns a new one.

All note what they did in the provenance of the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsuite.errors import MotionError
from rlsuite.motion import kinematics, sampling
from rlsuite.motion import rotations as rot
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.tracks import Tracks

Array = NDArray[np.float64]
UP = (0.0, 0.0, 1.0)


# Time -----------------------------------------------------------------------------------------------------------------


def at_frames(clip: MotionClip, frames: NDArray[np.intp]) -> MotionClip:
    """These frames of the clip with their masks, played once."""
    masks = {name: getattr(clip, name) for name in ("contacts", "confidence", "startable")}
    taken: dict[str, Any] = {name: None if value is None else value[frames] for name, value in masks.items()}
    return replace(clip, qpos=clip.qpos[frames], loop="once", wrap_heading=False, **taken)


def cut(
    clip: MotionClip, start: float | None = None, stop: float | None = None, *, in_frames: bool = False
) -> MotionClip:
    """From ``start`` to ``stop`` seconds, both frames included, or frames ``start`` to ``stop - 1``.

    Raises:
        MotionError: nothing is left, or the times lie outside the clip.
    """
    if in_frames:
        first, end = int(start or 0), clip.n_frames if stop is None else int(stop)
    else:
        first = 0 if start is None else round(start * clip.fps)
        end = clip.n_frames if stop is None else round(stop * clip.fps) + 1
    if not 0 <= first < end <= clip.n_frames:
        raise MotionError(
            f"clip {clip.name!r}: a cut must lie within its {clip.n_frames} frames ({clip.duration:g} s), "
            f"not be frames {first} to {end - 1}"
        )
    return at_frames(clip, np.arange(first, end)).with_step("cut", first=first, last=end - 1)


def reverse(clip: MotionClip) -> MotionClip:
    """Last frame first; a cycle stays one."""
    backward = at_frames(clip, np.arange(clip.n_frames)[::-1])
    return replace(backward, loop=clip.loop, wrap_heading=clip.wrap_heading).with_step("reverse")


def time_warp(clip: MotionClip, old: ArrayLike, new: ArrayLike) -> MotionClip:
    """What happened at ``old`` ``(n,)`` seconds happens at ``new`` ``(n,)``; between them by a monotone cubic (PCHIP).

    Raises:
        MotionError: the times do not rise, or the old ones leave the clip.
    """
    from scipy.interpolate import PchipInterpolator

    old, new = np.asarray(old, np.float64), np.asarray(new, np.float64)
    rising = old.ndim == 1 and old.shape == new.shape and len(old) >= 2
    if not (rising and (np.diff(old) > 0.0).all() and (np.diff(new) > 0.0).all()):
        raise MotionError("old and new must be two or more times each, as many of one as of the other, and rise")
    if old[0] < -1e-9 or old[-1] > clip.duration + 1e-9:
        raise MotionError(f"clip {clip.name!r}: old times must lie from 0 to {clip.duration:g} s")
    n = max(2, round((new[-1] - new[0]) * clip.fps) + 1)
    times = np.clip(PchipInterpolator(new, old)(np.linspace(new[0], new[-1], n)), 0.0, clip.duration)
    warped = at_frames(clip, np.rint(times * clip.fps).astype(np.intp))
    poses = sampling.interpolate_frames(clip, times * clip.fps)
    whole = old[0] < 1e-9 and old[-1] > clip.duration - 1e-9
    loop = clip.loop if whole else "once"
    warped = replace(warped, qpos=poses, fps=(n - 1) / (new[-1] - new[0]), loop=loop)
    warped = replace(warped, wrap_heading=clip.wrap_heading and loop == "wrap")
    return warped.with_step("time_warp", old=old.tolist(), new=new.tolist())


# Place ----------------------------------------------------------------------------------------------------------------


def _require_free_root(clip: MotionClip) -> None:
    if not clip.skeleton.has_free_root:
        raise MotionError(f"skeleton {clip.skeleton.name!r} has no free joint at its root, so it cannot be moved")


def translate(clip: MotionClip, shift: ArrayLike) -> MotionClip:
    """The root moved by ``shift`` ``(3,)`` metres."""
    _require_free_root(clip)
    shift = np.asarray(shift, np.float64).reshape(3)
    qpos = clip.qpos.copy()
    qpos[:, :3] += shift
    return replace(clip, qpos=qpos).with_step("translate", shift=shift.tolist())


def rotate(clip: MotionClip, angle: float, about: ArrayLike = (0.0, 0.0, 0.0)) -> MotionClip:
    """The whole motion turned by ``angle`` radians around the vertical through the point ``about`` ``(3,)``."""
    _require_free_root(clip)
    turn, about = rot.from_axis_angle(UP, angle), np.asarray(about, np.float64).reshape(3)
    qpos = clip.qpos.copy()
    qpos[:, :3] = about + rot.rotate(turn, qpos[:, :3] - about)
    qpos[:, 3:7] = rot.multiply(turn, qpos[:, 3:7])
    return replace(clip, qpos=qpos).with_step("rotate", angle=float(angle), about=about.tolist())


def align_heading(clip: MotionClip, heading: float = 0.0, frame: int = 0) -> MotionClip:
    """Turned about its own place so that at ``frame`` the root heads ``heading`` radians from X."""
    _require_free_root(clip)
    return rotate(clip, heading - float(rot.heading_angle(clip.qpos[frame, 3:7])), clip.qpos[frame, :3])


def set_height(clip: MotionClip, lowest: float = 0.0) -> MotionClip:
    """Raised or lowered so that its lowest key point (body, where it has none) is at ``lowest`` metres."""
    points = kinematics.keypoints(clip.skeleton, clip.qpos) if clip.skeleton.keypoints else clip.bodies[0]
    return translate(clip, (0.0, 0.0, lowest - float(points[..., 2].min())))


# Sides ----------------------------------------------------------------------------------------------------------------


def mirror(clip: MotionClip) -> MotionClip:
    """Left and right exchanged through the sagittal plane y = 0; twice gives the clip again.

    Joint for joint: a vector ``u`` of body i becomes ``F u = B_m' S B_i u`` on its partner m, where ``B`` are the rest
    orientations and ``S = diag(1, -1, 1)``; an axis of rotation, a pseudovector, becomes ``-F u``. On a body that is
    symmetric itself, the bodies of the mirrored clip are the mirrored bodies.

    Raises:
        MotionError: partners do not have the same joints about mirrored axes.
    """
    skeleton, partners = clip.skeleton, clip.skeleton.mirrored_bodies
    rest = kinematics.forward(skeleton, skeleton.rest_qpos)[1]
    frames, flip = rot.to_matrix(rest), np.diag([1.0, -1.0, 1.0])
    qpos = clip.qpos.copy()
    for body, partner in enumerate(partners):
        reflection = frames[partner].T @ flip @ frames[body]
        joints, theirs = skeleton.joints_of[body], skeleton.joints_of[partner]
        if len(joints) != len(theirs):
            raise _asymmetric(clip, body, partner)
        for j, k in zip(joints, theirs, strict=True):
            mine, other = skeleton.joints[j], skeleton.joints[k]
            at, to = skeleton.qpos_address[j], skeleton.qpos_address[k]
            if mine.kind != other.kind:
                raise _asymmetric(clip, body, partner)
            if mine.kind == "free":
                qpos[:, to : to + 3] = clip.qpos[:, at : at + 3] * np.diag(flip)
                to_partner = rot.multiply(rot.conjugate(_flipped(rest[body])), rest[partner])
                turned = _flipped(clip.qpos[:, at + 3 : at + 7])
                qpos[:, to + 3 : to + 7] = (
                    turned if np.allclose(to_partner, rot.IDENTITY, atol=1e-12) else rot.multiply(turned, to_partner)
                )
            elif mine.kind == "ball":
                qpos[:, to] = clip.qpos[:, at]
                qpos[:, to + 1 : to + 4] = clip.qpos[:, at + 1 : at + 4] @ -reflection.T
            else:
                image = reflection @ np.array(mine.axis) * (-1.0 if mine.kind == "hinge" else 1.0)
                sign = round(float(image @ np.array(other.axis)))
                if not np.allclose(image, sign * np.array(other.axis), atol=1e-3):
                    raise _asymmetric(clip, body, partner)
                qpos[:, to] = other.reference + sign * (clip.qpos[:, at] - mine.reference)
    swapped = {skeleton.body_names[i]: skeleton.body_names[j] for i, j in enumerate(partners)}
    names = tuple(swapped.get(name, name) for name in clip.contact_names)
    contacts = clip.contacts
    if contacts is not None and set(names) == set(clip.contact_names):
        contacts, names = contacts[:, [names.index(name) for name in clip.contact_names]], clip.contact_names
    return replace(clip, qpos=qpos, contacts=contacts, contact_names=names).with_step("mirror")


def _flipped(quat: Array) -> Array:
    """The rotation seen in a mirror on the plane y = 0."""
    return quat * np.array([1.0, -1.0, 1.0, -1.0])


def _asymmetric(clip: MotionClip, body: int, partner: int) -> MotionError:
    names = clip.skeleton.body_names
    return MotionError(f"cannot mirror: joints of {names[body]!r} and {names[partner]!r} are not mirror images")


# Several clips --------------------------------------------------------------------------------------------------------


def blend(a: MotionClip, b: MotionClip, share: ArrayLike) -> MotionClip:
    """Frame by frame between ``a`` (``share`` 0) and ``b`` (1); ``share`` is one number or one per frame ``(T,)``.

    Raises:
        MotionError: the clips differ in skeleton, length or rate.
    """
    _require_same_tree((a, b))
    if a.n_frames != b.n_frames or abs(a.fps - b.fps) > 1e-6 * a.fps:
        raise MotionError(
            f"clips to blend must be equally long and fast, not {a.n_frames} frames at {a.fps:g} and {b.n_frames} at "
            f"{b.fps:g} Hz; resample or time_warp one of them"
        )
    share = np.broadcast_to(np.asarray(share, np.float64), (a.n_frames,))
    if not ((share >= 0.0) & (share <= 1.0)).all():
        raise MotionError("share must be numbers from 0 to 1")
    qpos = sampling.interpolate(a.skeleton, a.qpos, b.qpos, share)
    nearer = a if share.mean() < 0.5 else b
    mixed = replace(nearer, qpos=a.skeleton.follow(qpos), skeleton=a.skeleton, name=a.name, startable=None)
    return mixed.with_step("blend", clips=[a.name, b.name], share=float(share.mean()))


def concatenate(clips: Sequence[MotionClip], transition: float = 0.3, *, align: bool = True) -> MotionClip:
    """One clip after another at the rate of the first, each going on from where the one before ends.

    With ``align`` each clip is placed and turned on the ground so that it begins where, and headed as, the one before
    ends. What then still differs at the seam, in pose and velocity, is added to the next clip and dies out over
    ``transition`` seconds along a cubic (inertialisation: Bollo 2018), so that pose and velocity are continuous. The
    last frame of one clip is the first of the next; with ``transition=0`` nothing is smoothed and both are kept.

    Raises:
        MotionError: there is no clip, or skeletons differ.
    """
    if not clips:
        raise MotionError("give at least one clip to concatenate")
    if transition < 0.0:
        raise MotionError(f"transition must be at least 0 s, not {transition:g}")
    _require_same_tree(clips)
    fps = clips[0].fps
    parts = [clip if abs(clip.fps - fps) < 1e-9 * fps else sampling.resample(clip, fps) for clip in clips]
    joined = [at_frames(parts[0], np.arange(parts[0].n_frames))]
    for clip in parts[1:]:
        end = joined[-1].qpos
        if align and clip.skeleton.has_free_root:
            clip = align_heading(clip, float(rot.heading_angle(end[-1, 3:7])))
            clip = translate(clip, (end[-1, :3] - clip.qpos[0, :3]) * np.array([1.0, 1.0, 0.0]))
        if transition > 0.0:
            clip = replace(clip, qpos=_inertialized(end[-2:], clip, transition))
        joined.append(at_frames(clip, np.arange(1 if transition > 0.0 and clip.n_frames > 1 else 0, clip.n_frames)))
    masks: dict[str, Any] = {}
    for name in ("contacts", "confidence", "startable"):
        values = [getattr(clip, name) for clip in joined]
        same = name != "contacts" or len({clip.contact_names for clip in joined}) == 1
        masks[name] = None if not same or any(v is None for v in values) else np.concatenate(values)
    qpos = clips[0].skeleton.follow(np.concatenate([clip.qpos for clip in joined]))
    licence = "\n".join(dict.fromkeys(clip.licence for clip in clips if clip.licence))
    result = replace(joined[0], qpos=qpos, licence=licence, **masks)
    return result.with_step("concatenate", clips=[clip.name for clip in clips], transition=float(transition))


def _inertialized(end: Array, clip: MotionClip, transition: float) -> Array:
    """Poses of ``clip`` that leave the last of the poses ``end`` ``(1 or 2, nq)`` with its velocity and become its own."""
    n = min(clip.n_frames, round(transition * clip.fps) + 1)
    if n < 2:
        return np.array(clip.qpos)
    # one step back in time of the clip, so that offsets now and one step ago give the rate of change to begin with
    back = sampling.integrate(clip.skeleton, clip.qpos[0], -clip.qvel[0] / clip.fps)
    tracks = Tracks(clip.skeleton, np.stack((end[0], end[-1], back, clip.qpos[0])))
    near = Tracks(clip.skeleton, clip.qpos[:n])
    turn_offset = rot.log(rot.multiply(rot.conjugate(tracks.turns[2:]), tracks.turns[:2]))  # (2, m, 3)
    row_offset = tracks.qpos[:2] - tracks.qpos[2:]
    hinges = [a for j, a in zip(clip.skeleton.joints, clip.skeleton.qpos_address, strict=True) if j.kind == "hinge"]
    row_offset[:, hinges] -= 2.0 * np.pi * np.round(row_offset[1, hinges] / (2.0 * np.pi))
    u = np.arange(n)[:, None] / (n - 1)
    stay, start = (1.0 - u) ** 2 * (1.0 + 2.0 * u), u * (1.0 - u) ** 2 * (n - 1)
    moving = 1.0 if len(end) > 1 else 0.0
    rows = stay * row_offset[1] + start * moving * (row_offset[1] - row_offset[0])
    turns = stay[..., None] * turn_offset[1] + start[..., None] * moving * (turn_offset[1] - turn_offset[0])
    qpos = np.array(clip.qpos)
    qpos[:n] = near.with_turns(qpos[:n] + rows, rot.multiply(near.turns, rot.exp(turns)))
    return qpos


def _require_same_tree(clips: Sequence[MotionClip]) -> None:
    for clip in clips[1:]:
        if not clip.skeleton.same_tree(clips[0].skeleton):
            raise MotionError(f"clips {clips[0].name!r} and {clip.name!r} are of different skeletons; retarget one")
