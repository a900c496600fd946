"""Schedules: values that change with the progress of a call of ``learn``, from 0 at its beginning to 1 at its end."""

from __future__ import annotations


def linear(start: float, end: float, progress: float, fraction: float = 1.0) -> float:
    """From ``start`` to ``end`` over the first ``fraction`` of the call, then ``end``."""
    if progress >= fraction:
        return end
    return start + (end - start) * progress / fraction


def annealed(value: float, schedule: str, progress: float) -> float:
    """``value`` under ``schedule``: ``"constant"``, or ``"linear"`` down to 0 at the end of the call."""
    return value * (1.0 - progress) if schedule == "linear" else value
