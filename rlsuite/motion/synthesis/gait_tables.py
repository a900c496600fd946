"""Joint angles of normal gait as Fourier series over one stride, in degrees; phase 0 is the heel strike of that leg.

Walking: Schwartz, Rozumalski and Trost (2008), "The effect of walking speed on the gait of typically developing
children", J. Biomechanics 41(8):1639-1650: means at free speed (the middle of the published band of one standard
deviation) every 4 % of the stride, the knee every 2 % from another copy of the means. The series are our least-squares
fits, within 0.6 degrees of the means, the knee within 1.5. Left and right differ by half a stride, so pelvic rotation
and obliquity keep odd harmonics only and pelvic tilt even ones.

Running: approximate and not digitised. Key values of the known shape of the curves near 3.2 m/s (compare the figures of
Novacheck 1998, "The biomechanics of running", Gait and Posture 7:77-95), joined by a periodic spline and fitted.

Signs: flexion and dorsiflexion positive; pelvis tilted forward, up on that side and forward on that side positive.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlsuite.motion.synthesis.curves import Series


def _series(mean: float, *pairs: tuple[float, float], orders: tuple[int, ...] = ()) -> Series:
    return mean, tuple((k, a, b) for k, (a, b) in zip(orders or range(1, len(pairs) + 1), pairs, strict=True))


@dataclass(frozen=True)
class GaitTable:
    """Series of one leg and of the pelvis."""

    hip: Series
    knee: Series
    ankle: Series
    tilt: Series
    obliquity: Series
    rotation: Series


WALKING = GaitTable(
    hip=_series(18.45, (20.88, -3.19), (-3.13, -1.54), (-0.09, 1.62), (-0.09, -0.09), (-0.26, 0.26), (0.0, 0.09)),
    knee=_series(23.34, (-1.98, -18.9), (-14.12, 6.96), (-0.62, 4.52), (-0.89, 0.64), (-0.6, 0.74), (0.04, 0.24)),
    ankle=_series(
        0.75, (-2.04, 7.09), (0.82, -7.22), (-4.6, 0.86), (2.2, 0.23), (-0.52, -1.38), (0.27, 0.54), (0.53, -0.5)
    ),
    tilt=_series(11.59, (0.42, -0.72), (0.16, -0.03), orders=(2, 4)),
    obliquity=_series(0.0, (1.86, 2.12), (-1.18, 0.22), orders=(1, 3)),
    rotation=_series(0.0, (3.75, 2.1), (0.34, -0.37), (0.27, -0.06), orders=(1, 3, 5)),
)
RUNNING = GaitTable(
    hip=_series(31.02, (22.63, -16.75), (-5.63, 4.29), (-1.93, -0.74), (-0.28, 0.44), (-0.59, -0.04)),
    knee=_series(46.69, (-10.72, -23.93), (-13.72, 18.77), (-2.6, 0.92), (-0.26, 2.08), (-0.77, 0.46)),
    ankle=_series(3.63, (13.06, 2.7), (-8.09, 7.27), (-2.24, -5.63), (2.22, 0.16), (-1.12, 0.2), (0.24, -0.62)),
    tilt=_series(17.0, (0.5, -0.8), orders=(2,)),
    obliquity=_series(0.0, (2.5, 2.5), orders=(1,)),
    rotation=_series(0.0, (3.0, -3.0), orders=(1,)),
)
