"""Room for answers: a client that does not take those it has asked for gets no more of them made.

A call waits before it begins, and a read once more before it looks into the store: many may have begun at once, and
become answers at once. What a read finds is no older for having waited. A large answer, which is made piece by piece,
is the only one of its connection: else many could find room before the first of them is there.
"""

import asyncio
from contextvars import ContextVar
from typing import Protocol


class Room(Protocol):
    """What there is room on: a connection."""

    @property
    def large_answer(self) -> asyncio.Lock | None:
        """Is held by the call whose large answer is being made; None if there is one call at a time anyway."""

    async def room(self) -> None:
        """Return when another answer may be made."""


class Unlimited:
    """A connection of HTTP/1.1 makes one answer after the other."""

    large_answer = None

    async def room(self) -> None:
        """Return at once."""


ROOM: ContextVar[Room] = ContextVar("ROOM", default=Unlimited())  # noqa: B039  # it has no state
"""The connection of the call that this task answers."""


async def room() -> None:
    """Return when there is room for another answer."""
    await ROOM.get().room()


async def room_for_a_large_answer() -> None:
    """Return when this task may make a large answer; no other task of its connection may until it has ended."""
    connection = ROOM.get()
    lock, task = connection.large_answer, asyncio.current_task()
    if lock is not None and task is not None:
        await lock.acquire()
        task.add_done_callback(lambda _: lock.release())
    await connection.room()
