"""The first Ctrl-C is remembered, the second one ends at once; handlers are put back."""

from __future__ import annotations

import signal
import threading

import pytest

from rlsuite.experiments.interrupts import DeferredInterrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [False, True])  # as in a job that a shell's script started in the background
def test_the_first_is_deferred_and_the_second_is_not(number, ignored):
    before = signal.signal(number, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        expected = signal.getsignal(number)
        with DeferredInterrupt() as interrupt:
            assert not interrupt.requested
            signal.raise_signal(number)
            assert interrupt.requested
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(number)
        assert signal.getsignal(number) is expected
    finally:
        signal.signal(number, before)


def test_in_another_thread_nothing_is_touched():
    found = []

    def work():
        with DeferredInterrupt() as interrupt:
            found.append((signal.getsignal(signal.SIGINT), interrupt.requested))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(before, False)]
