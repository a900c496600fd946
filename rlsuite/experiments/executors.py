"""Where runs are made: threads for compiled ones, processes for those that Python steps; each pool when first needed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from rlsuite.environ import environment_variables
from rlsuite.experiments.deep_runs import prepare_worker


class Executors:
    """Threads for compiled runs (they release the GIL), processes for interpreted ones; each made when first needed."""

    def __init__(self, workers: int, stack: ExitStack) -> None:
        self.workers, self.stack = workers, stack
        self._made: dict[str, Executor] = {}
        self._stop: Any = None

    @property
    def threads(self) -> Executor:
        if "threads" not in self._made:
            self._made["threads"] = self.stack.enter_context(ThreadPoolExecutor(self.workers))
        return self._made["threads"]

    @property
    def processes(self) -> Executor:
        if "processes" not in self._made:
            import multiprocessing

            context = multiprocessing.get_context("spawn")
            self._stop = context.Event()
            self.stack.enter_context(_one_thread_each())
            self._made["processes"] = self.stack.enter_context(
                ProcessPoolExecutor(self.workers, context, prepare_worker, (self._stop,))
            )
        return self._made["processes"]

    def cancel(self) -> None:
        """Drop what is waiting; deep runs save themselves and stop, others end first."""
        if self._stop is not None:
            self._stop.set()
        for executor in self._made.values():
            executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """For processes started meanwhile: numerical libraries use one thread in each, since there are many processes."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    with environment_variables(dict.fromkeys(names, "1")):
        yield
