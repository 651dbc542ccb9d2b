"""An event loop whose clock jumps: nothing waits, everything happens in one order, which a seed repeats.

It runs ordinary asyncio code that uses neither threads nor sockets. When all tasks wait, time goes on to the next timer
at once.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class DeadlockError(Exception):
    """Everybody waits, and nothing could end it."""


class _NoWaiting(selectors.SelectSelector):
    """Instead of waiting for sockets, of which there are none, lets time pass."""

    def __init__(self, end: float) -> None:
        super().__init__()
        self.now, self._end = 0.0, end

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise DeadlockError("all tasks wait for each other, and no timer is set")
        self.now += max(timeout, 0.0)
        if self.now > self._end:
            raise DeadlockError(f"after {self._end:,.0f} seconds of virtual time there is no end in sight")
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop with its own clock, which starts at 0 and may not go beyond `end`."""

    def __init__(self, end: float = 100_000) -> None:
        self._virtual = _NoWaiting(end)
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine, and all tasks that it starts, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
