"""Limits of an exploration: reaching one makes the verdict "inconclusive", never "holds"."""

import math
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from raftcheck.explore.result import Progress
from raftcheck.model import ModelError

PROGRESS_SECONDS = 0.25


def peak_memory() -> int:
    """Return the greatest resident memory that this process ever had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def used_memory() -> int:
    """Return the resident memory of this process in bytes; where the system does not tell, the greatest it ever had.

    What compiling took once and gave back does not count against a limit.
    """
    try:
        with open("/proc/self/statm", encoding="ascii") as pages:
            return int(pages.read().split()[1]) * resource.getpagesize()
    except OSError:
        return peak_memory()


@dataclass(frozen=True)
class Limits:
    """How far an exploration may go; None is no limit.

    `max_states` distinct states, `max_depth` steps from the initial state, `max_seconds`, `max_memory` bytes
    (of the whole Python process).
    """

    max_states: int | None = None
    max_depth: int | None = None
    max_seconds: float | None = None
    max_memory: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("max_states", 1), ("max_depth", 0), ("max_seconds", 0), ("max_memory", 1)):
            value = getattr(self, name)
            if value is not None and not least <= value < math.inf:
                raise ModelError(f"{name} must be at least {least}, not {value}")


class MemoryLimitError(MemoryError):
    """Raised instead of taking memory beyond `max_memory`; its text is the limit."""


class Watch:
    """Looks at clock and memory now and then, and reports progress."""

    def __init__(self, limits: Limits, progress: Callable[[Progress], None] | None) -> None:
        self._limits = limits
        self._progress = progress
        self._start = time.monotonic()
        self._reported = self._start
        self.round = 1

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    def note(self, text: str) -> None:
        """Report what takes long."""
        if self._progress:
            self._progress(Progress(0, 0, 0, 0, self.seconds, text))

    def limit_reached(self, states: int, transitions: int, depth: int, frontier: int) -> str | None:
        """Report progress if it is time to; return the limit of time or memory that is reached, if any."""
        limits, now = self._limits, time.monotonic()
        if self._progress and now - self._reported >= PROGRESS_SECONDS:
            self._reported = now
            self._progress(Progress(states, transitions, depth, frontier, now - self._start, round=self.round))
        if limits.max_seconds is not None and now - self._start >= limits.max_seconds:
            return f"max_seconds={limits.max_seconds:g}"
        if limits.max_memory is not None and used_memory() >= limits.max_memory:
            return f"max_memory={limits.max_memory}"
        return None

    def afford(self, more: int) -> None:
        """Raise MemoryLimitError if so many more bytes would be beyond the limit of memory."""
        most = self._limits.max_memory
        if most is not None and used_memory() + more > most:
            raise MemoryLimitError(f"max_memory={most}")
