"""Where the body meets the floor: parts below it, bodies held by nothing, feet that slide while they stand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
        notes.append(f"frames {start}-{stop - 1}: {seconds:.2f} s, vertical acceleration {acceleration:.1f} m/s^2")
    return above("floating", "body", fault, "m", limits.floating, "; ".join(notes))


def skate(clip: MotionClip, solids: Solids | Soles, limits: Limits) -> list[Finding]:
    """Speed over the ground of feet that stand: of the slowest of a foot's low points, so that rolling is no sliding.

    A foot stands where a point of its sole is lower than ``contact_height`` in two successive frames, less the 0.05 s in
    which it is set down or taken off.
    """
    owners, points = solids.points
    found = []
    for foot in clip.skeleton.feet:
        mine = points[:, owners == clip.skeleton.body(foot)]
        speed = np.zeros(clip.n_frames)
        for start, stop, values in stance(clip, mine, limits):
            for step, value in zip(range(start, stop), values, strict=True):
                if value > limits.skate[0]:
                    speed[step : step + 2] = np.maximum(speed[step : step + 2], value)
        found += above("skate", foot, speed, "m/s", limits.skate)
    return found


def stance(clip: MotionClip, points: Array, limits: Limits) -> list[tuple[int, int, Array]]:
    """Stretches of steps ``t -> t + 1`` in which a foot with sole ``points (T, P, 3)`` stands, and its speed in each."""
    if points.shape[1] == 0 or clip.n_frames < 2:
        return []
    low = np.maximum(points[1:, :, 2], points[:-1, :, 2]) < limits.contact_height
    way = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)
    slowest = np.where(low, way, np.inf).min(axis=1) * clip.fps
    edge = max(1, round(_TRANSITION * clip.fps))
    found = []
    for start, stop in runs(np.isfinite(slowest)):
        first = start if start == 0 else start + edge
        last = stop if stop == clip.n_frames - 1 else stop - edge
        if last > first:
            found.append((first, last, slowest[first:last]))
    return found
