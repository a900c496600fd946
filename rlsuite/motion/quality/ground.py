"""Where the body meets the floor: parts below it, bodies held by nothing, feet that slide while they stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlsuite.motion import contacts
from rlsuite.motion.clip import MotionClip
from rlsuite.motion.contacts import runs
from rlsuite.motion.quality.findings import Finding, above
from rlsuite.motion.quality.limits import Limits
from rlsuite.motion.quality.solids import Soles, Solids

Array = NDArray[np.float64]
GRAVITY = 9.81
_SHORT_FLIGHT = 0.15  # seconds: too short to measure the acceleration of
_BALLISTIC = (-1.5 * GRAVITY, -0.5 * GRAVITY)
_TRANSITION = 0.05  # seconds in which a foot is set down or taken off, and may still move


def penetration(solids: Solids | Soles, limits: Limits) -> list[Finding]:
    """Depth of the lowest point of every body below the floor."""
    names = solids.clip.skeleton.body_names
    found = []
    for owner in np.unique(solids.bodies):
        depth = -solids.lowest[:, solids.bodies == owner].min(axis=1)
        found += above("penetration", names[owner], depth, "m", limits.penetration)
    return found


def floating(clip: MotionClip, clearance: Array, height: Array, limits: Limits) -> list[Finding]:
    """Stretches without support that are no flight.

    A body that nothing holds falls with ``g``: over a stretch of at least 0.15 s the parabola fitted to ``height`` must
    bend by 0.5 to 1.5 g, and a flight does not last longer than ``limits.flight``. Shorter stretches cannot be told.

    Args:
        clearance: ``(T,)`` height of the lowest point. height: ``(T,)`` of the centre of mass, or of the root.
    """
    fault = np.zeros(clip.n_frames)
    notes = []
    for start, stop in runs(clearance > limits.floating[0]):
        seconds = (stop - start) / clip.fps
        if seconds < _SHORT_FLIGHT or stop - start < 4:
            continue
        t = np.arange(stop - start) / clip.fps
        acceleration = 2.0 * np.polyfit(t - t.mean(), height[start:stop], 2)[0]
        if seconds <= limits.flight and _BALLISTIC[0] <= acceleration <= _BALLISTIC[1]:
            continue
        fault[start:stop] = clearance[start:stop]
        bend = round(float(acceleration), 1) + 0.0  # no "-0.0"
        notes.append(f"frames {start}-{stop - 1}: {seconds:.2f} s, vertical acceleration {bend:.1f} m/s^2")
    return above("floating", "body", fault, "m", limits.floating, "; ".join(notes))


def skate(clip: MotionClip, solids: Solids | Soles, limits: Limits) -> list[Finding]:
    """Speed over the ground of feet that stand (:func:`stance`)."""
    found = []
    for foot, speed in slide(clip, solids, limits).items():
        fast = np.where(speed > limits.skate[0], speed, 0.0)
        both = np.maximum(np.append(fast, 0.0), np.append(0.0, fast))[: clip.n_frames]  # both frames of a step
        found += above("skate", foot, both, "m/s", limits.skate)
    return found


def slide(clip: MotionClip, solids: Solids | Soles, limits: Limits) -> dict[str, Array]:
    """Foot to ``(T - 1,)`` its speed over the ground in every step, NaN where it does not stand."""
    speeds = {}
    for foot in clip.skeleton.feet:
        speeds[foot] = np.full(clip.n_frames - 1, np.nan)
        for start, stop, values in stance(clip, foot, sole(clip, solids, foot), limits):
            speeds[foot][start:stop] = values
    return speeds


def sole(clip: MotionClip, solids: Solids | Soles, foot: str) -> Array:
    """``(T, P, 3)`` points of a foot: corners of its solid parts, and those that its skeleton names on the sole."""
    owners, points = solids.points
    named = tuple(point for point in contacts.sole_points(clip.skeleton) if point.foot == foot)
    places = contacts.on_bodies(clip.bodies, named)
    places[..., 2] -= np.array([point.clearance for point in named])
    return np.concatenate((points[:, owners == clip.skeleton.body(foot)], places), axis=1)


def stance(clip: MotionClip, foot: str, points: Array, limits: Limits) -> list[tuple[int, int, Array]]:
    """Stretches of steps ``t -> t + 1`` in which a foot with sole ``points (T, P, 3)`` stands, and its speed in each.

    It stands where the clip's own labels say so. Besides, and without labels, where a point of its sole stays lower than
    ``contact_height`` (``touch_height`` where the labels say that it does not stand), less the 0.05 s in which it is set
    down or taken off.
    """
    if points.shape[1] == 0 or clip.n_frames < 2:
        return []
    labels = contacts.labels_of(clip, foot)
    labelled = np.zeros(clip.n_frames - 1, bool) if labels is None else labels[1:] & labels[:-1]
    height = np.where(labelled | (labels is None), limits.contact_height, limits.touch_height)
    speed = contacts.slowest(points, clip.fps, height)
    edge = max(1, round(_TRANSITION * clip.fps))
    found = [(start, stop) for start, stop in runs(labelled & np.isfinite(speed))]
    for start, stop in runs(~labelled & np.isfinite(speed)):
        first = start if start == 0 else start + edge
        last = stop if stop == clip.n_frames - 1 else stop - edge
        if last > first:
            found.append((first, last))
    return [(start, stop, speed[start:stop]) for start, stop in sorted(found)]
