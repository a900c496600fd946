"""Times of works that are compared: of the processor, and in turn.

Where other work shares the machine, the clock favours the shorter of two works, which more often finishes before it is
interrupted; the processor's time does not. What neighbours do to caches and clock rates disturbs all works alike when
they take turns.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """``work`` as a clock of itself: each call does it and gives the processor's seconds that it took."""

    def clock() -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    return clock


def in_turn(clocks: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every work in every round, after a round that is not counted.

    In a round a work is done once, or up to three times while that takes under a tenth of a second; the fastest counts.
    """
    times: dict[str, list[float]] = {name: [] for name in clocks}
    for clock in clocks.values():
        clock()
    for _ in range(rounds):
        for name, clock in clocks.items():
            taken = [clock()]
            while len(taken) < 3 and sum(taken) < 0.1:
                taken.append(clock())
            times[name].append(min(taken))
    return times


def ratio(peer: list[float], ours: list[float]) -> float:
    """How many times as long the peer takes: the median over the rounds, rounded down."""
    median = statistics.median(p / o for p, o in zip(peer, ours, strict=True))
    return floored(median)


def floored(value: float) -> float:
    """Rounded down to a tenth, below 10 to a hundredth: no ratio is stated larger than it was measured."""
    digits = 10 if value >= 10 else 100
    return math.floor(value * digits) / digits
