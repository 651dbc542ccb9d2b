"""Room for answers: a client that does not take those it has asked for gets no more of them made.

A call waits before it begins, and a read once more before it looks into the store: many may have begun at once, and
become answers at once. What a read finds is no older for having waited.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar


async def unlimited() -> None:
    """Return at once: a connection of HTTP/1.1 makes one answer after the other."""


ROOM: ContextVar[Callable[[], Awaitable[None]]] = ContextVar("ROOM", default=unlimited)
"""What waits for room on the connection of the call that this task answers."""


async def room() -> None:
    """Return when there is room for another answer."""
    await ROOM.get()()
