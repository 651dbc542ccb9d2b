"""What all watches of a server share: one task that follows the store and tells those that have caught up with it."""

import asyncio

from raftimpl.etcd.backend import Backend
from raftimpl.etcd.failures import report_failure
from raftimpl.etcd.watch_index import Watcher, WatchIndex
from raftimpl.store.errors import RequestError

MOST_EVENTS = 1000
"""About how many events are taken from the store at once; then others have their turn."""


class WatchHub:
    """Watches are either here, and are told of every change when it happens, or catch up on their own (`WatchStream`).

    `revision` is up to where the watches here have been told.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._index = WatchIndex()
        self._following: asyncio.Task[None] | None = None
        self.revision = backend.store.revision

    def join(self, watcher: Watcher) -> bool:
        """Take a watch in if it has heard of everything up to here; tell whether that is so."""
        if self._following is None:
            self.revision = self._backend.store.revision
        if watcher.next_revision <= self.revision:
            return False
        self._index.add(watcher)
        if self._following is None:
            self._following = asyncio.ensure_future(self._follow())
            self._following.add_done_callback(report_failure)
        return True

    def leave(self, watcher: Watcher) -> None:
        """Forget a watch. Without any, the store is not followed."""
        self._index.discard(watcher)
        if not self._index and self._following is not None:
            self._following.cancel()
            self._following = None

    async def _follow(self) -> None:
        while True:
            await self._backend.wait_for_change(self.revision)
            while self.advance():
                await asyncio.sleep(0)

    def advance(self) -> bool:
        """Tell the watches of the next changes; return whether there were any."""
        try:
            changes = self._backend.store.changes(self.revision + 1, MOST_EVENTS)
        except RequestError:
            self._send_away()
            return False
        for revision, events in changes:
            for watcher, matching in self._index.matching(events).items():
                if revision >= watcher.next_revision:
                    watcher.stream.tell(watcher, revision, matching)
            self.revision = revision
        return bool(changes)

    def _send_away(self) -> None:
        """Let all watches see for themselves: what comes next for them has been compacted already.

        That can only be if very much happened since the last time that this task had its turn, or if the store
        was replaced by a snapshot.
        """
        for watcher in list(self._index):
            watcher.stream.fall_behind(watcher, max(watcher.next_revision, self.revision + 1))
        self.revision = self._backend.store.revision

    async def stop(self) -> None:
        """End the task."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
            self._following = None
