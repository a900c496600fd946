"""Curves of time: minimum-jerk moves, splines through keys, Fourier series, and joints of two curves that keep C2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

Array = NDArray[np.float64]
Series = tuple[float, tuple[tuple[int, float, float], ...]]


def fourier(series: Series, phase: ArrayLike) -> Array:
    """``mean + sum_k a_k cos(2 pi k phase) + b_k sin(2 pi k phase)`` of a series ``(mean, ((k, a_k, b_k), ...))``."""
    turn = 2.0 * np.pi * np.asarray(phase, np.float64)
    mean, harmonics = series
    return mean + sum((a * np.cos(k * turn) + b * np.sin(k * turn) for k, a, b in harmonics), np.zeros_like(turn))


def harmonics_of(values: Array, orders: Sequence[int]) -> Series:
    """The series of these orders nearest to one period of equally spaced ``values`` ``(n,)``, by its discrete transform."""
    spectrum = 2.0 * np.fft.rfft(values) / len(values)
    return float(values.mean()), tuple((k, float(spectrum[k].real), float(-spectrum[k].imag)) for k in orders)


def ease(share: ArrayLike) -> Array:
    """0 to 1 with least jerk, ``10 u^3 - 15 u^4 + 6 u^5`` (Flash and Hogan 1985), held outside of [0, 1]."""
    u = np.clip(np.asarray(share, np.float64), 0.0, 1.0)
    return u**3 * (10.0 + u * (6.0 * u - 15.0))


def window(x: ArrayLike, rise: tuple[float, float], fall: tuple[float, float]) -> Array:
    """0, then 1 from the end of ``rise`` to the beginning of ``fall``, then 0 again, with least jerk between."""
    x = np.asarray(x, np.float64)
    return ease((x - rise[0]) / (rise[1] - rise[0])) * (1.0 - ease((x - fall[0]) / (fall[1] - fall[0])))


def moves(times: Array, keys: Sequence[tuple[float, ArrayLike]]) -> Array:
    """Rest at every key ``(time, value)``, minimum-jerk moves between: ``(T,)`` for numbers, ``(T, n)`` for vectors."""
    at = np.array([t for t, _ in keys], np.float64)
    values = np.array([v for _, v in keys], np.float64)
    k = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(at) - 2)
    share = ease((times - at[k]) / (at[k + 1] - at[k]))
    share = share.reshape(share.shape + (1,) * (values.ndim - 1))
    return values[k] + share * (values[k + 1] - values[k])


def spline(times: Array, keys: Sequence[tuple[float, ArrayLike]]) -> Array:
    """C2 through every key ``(time, value)`` without stopping, at rest at both ends."""
    curve = CubicSpline([t for t, _ in keys], np.array([v for _, v in keys], np.float64), bc_type="clamped")
    return curve(np.clip(times, keys[0][0], keys[-1][0]))


def bridge(x: ArrayLike, ends: tuple[float, float], start: Array, stop: Array, shares: tuple[float, float]) -> Array:
    """From ``start`` to ``stop``, each ``(3, ...)``: value, first and second derivative at the ``ends``; C2.

    Each end's Taylor polynomial, faded out with least jerk: its value over the whole way, its slope and curvature over
    that end's of the ``shares``, where the one quintic for all would carry a jolt at one end through the whole curve.
    """
    x, length = np.asarray(x, np.float64), ends[1] - ends[0]
    value = np.zeros((*x.shape, *np.shape(start)[1:]))
    for derivatives, t, share in ((start, x - ends[0], shares[0]), (stop, x - ends[1], shares[1])):
        for power, derivative in enumerate(derivatives):
            fading = t**power / max(power, 1) * (1.0 - ease(np.abs(t) / ((share if power else 1.0) * length)))
            value = value + np.multiply.outer(fading, derivative)
    return value


def jet(curve: object, x: float, step: float = 1e-4) -> Array:
    """``(3, ...)``: value, first and second derivative of the callable ``curve`` at ``x``, by central differences."""
    before, here, after = curve(np.array([x - step, x, x + step]))  # type: ignore[operator]
    return np.stack((here, (after - before) / (2.0 * step), (after - 2.0 * here + before) / step**2))
