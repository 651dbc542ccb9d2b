"""Streams whose client wants to know when the leader is lost, as etcd's clients can ask for by metadata."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from raftimpl.etcd.backend import Backend
from raftimpl.store import errors

Item = TypeVar("Item")

REQUIRE_LEADER = (b"hasleader", b"true")
"""The metadata by which a client says so."""

PATIENCE = 3.0
"""Seconds for which a server may know no leader before these streams end: as in etcd, three election timeouts."""

LOOKS = 3
"""How often it is looked in that time."""


class Leadership:
    """Notices that a server has no leader for longer than an election takes."""

    def __init__(self, backend: Backend, patience: float = PATIENCE) -> None:
        self._backend = backend
        self._patience = patience

    @property
    def present(self) -> bool:
        """Whether a leader is known, or none has been since the start: one that never was is not lost.

        Clients that come back to a server after its restart would else give up. etcd lets them wait until it has joined
        the others.
        """
        return self._backend.leader != 0 or self._backend.measurements().leader_changes == 0

    def require(self) -> None:
        """Raise RequestError if no leader is known."""
        if not self.present:
            raise errors.no_leader()

    async def lost(self) -> None:
        """Return when no leader has been known for some time."""
        missing = 0
        while missing < LOOKS:
            await asyncio.sleep(self._patience / LOOKS)
            missing = 0 if self.present else missing + 1

    async def guard(self, items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
        """Yield the items as long as there is a leader; raise RequestError when there is none any more."""
        self.require()
        task = asyncio.current_task()
        assert task is not None
        watcher = asyncio.ensure_future(self.lost())
        watcher.add_done_callback(lambda done: None if done.cancelled() else task.cancel())
        try:
            async with aclosing(items):
                async for item in items:
                    yield item
        except asyncio.CancelledError:
            if watcher.done() and not watcher.cancelled():
                task.uncancel()
                raise errors.no_leader() from None
            raise
        finally:
            watcher.cancel()
