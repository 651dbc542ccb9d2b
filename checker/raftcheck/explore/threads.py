"""Threads that work on numbers: compiled code runs without the interpreter's lock."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Timer
from typing import Any

from raftcheck.explore.limits import Watch

ANNOUNCED_AFTER_SECONDS = 1.0


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Threads:
    """So many threads as workers are wanted (None: one a core), but no more than `most`."""

    def __init__(self, workers: int | None, most: int) -> None:
        self._workers = min(workers or available_cores(), most)
        self._executor = ThreadPoolExecutor(self._workers)

    def each(self, numbers: Sequence[int], task: Callable[[int], Any]) -> None:
        """Do a task for each number, on all threads."""
        if self._workers == 1 or len(numbers) <= 1:
            for number in numbers:
                task(number)
        else:
            tasks = [self._executor.submit(task, number) for number in numbers]
            try:
                for running in tasks:
                    running.result()
            finally:
                # After an exception, too, nobody may read the tables while a thread still changes them.
                for running in tasks:
                    running.cancel()
                wait(tasks)

    def close(self) -> None:
        """Let the threads go."""
        self._executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def compilation_announced(watch: Watch) -> Iterator[None]:
    """Say so if the block takes so long that it must be compiling, which happens once on a machine."""
    timer = Timer(ANNOUNCED_AFTER_SECONDS, watch.note, ["compiling the explorer, once on this machine"])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
