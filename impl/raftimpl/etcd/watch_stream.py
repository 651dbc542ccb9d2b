"""A stream of watches: what waits to be sent to one client.

Only so much is kept for a client. Of a watch for which there is no room nothing is kept at all: it falls behind, and
when the client has taken what was waiting, it is told from the store's history what it has missed.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence

from raftimpl.etcd import conversion
from raftimpl.etcd import mvcc_pb2 as mvcc
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.backend import Backend
from raftimpl.etcd.service import MAX_REQUEST_BYTES, header
from raftimpl.etcd.watch_hub import MOST_EVENTS, WatchHub
from raftimpl.etcd.watch_index import Watcher, WatchIndex
from raftimpl.store.requests import Event

MOST_BYTES_WAITING = 2 * 1024 * 1024
"""How much may wait for a client; a little more does when the last that found room was large."""

RESPONSE_BYTES = 200
"""About what a response takes beside keys and values."""

NO_WATCH = -1
"""The id in a response that is about no watch, or about all."""


class WatchStream:
    """The watches of one call."""

    def __init__(self, backend: Backend, hub: WatchHub) -> None:
        self._backend = backend
        self._hub = hub
        self._watchers: dict[int, Watcher] = {}
        self._behind: dict[Watcher, None] = {}
        self._waiting: deque[tuple[int, rpc.WatchResponse]] = deque()
        self._bytes_waiting = 0
        self._progress_requested = False
        self._work = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._failure: BaseException | None = None

    # What the client asks

    def __contains__(self, id: int) -> bool:
        return id in self._watchers

    def add(self, watcher: Watcher) -> None:
        """Begin a watch, and tell the client so."""
        self._watchers[watcher.id] = watcher
        self.send(rpc.WatchResponse(header=self.header(), watch_id=watcher.id, created=True))
        if not self._hub.join(watcher):
            self._behind[watcher] = None

    def cancel(self, id: int) -> None:
        """End a watch, and tell the client so; if there is none, do nothing."""
        watcher = self._watchers.get(id)
        if watcher is not None:
            self._forget(watcher)
            self.send(rpc.WatchResponse(header=self.header(), watch_id=id, canceled=True))

    def request_progress(self) -> None:
        """Tell the client a revision up to which it has been told everything."""
        self._progress_requested = True
        self._work.set()

    def tell_progress(self) -> None:
        """Tell it for each watch that wants to know, if nothing else was told of late."""
        while self._hub.advance():
            pass
        for watcher in self._watchers.values():
            if watcher.wants_progress and not watcher.has_been_told and watcher not in self._behind:
                self.send(rpc.WatchResponse(header=self.header(), watch_id=watcher.id))
            watcher.has_been_told = False

    def header(self) -> rpc.ResponseHeader:
        """Return the header of a response that is about the present."""
        return header(self._backend, self._backend.store.revision)

    async def room(self) -> None:
        """Return when the client has taken so much that it may ask for more."""
        await self._room.wait()

    # What happens in the store

    def tell(self, watcher: Watcher, revision: int, events: Sequence[Event]) -> None:
        """Tell a watch of a revision's events; without room for them, let it fall behind."""
        if self._bytes_waiting >= MOST_BYTES_WAITING:
            self.fall_behind(watcher, revision)
        elif wanted := watcher.wanted(events):
            self._send_events(watcher, revision, wanted)

    def fall_behind(self, watcher: Watcher, next_revision: int) -> None:
        """Note where a watch has to be told from later on."""
        self._hub.leave(watcher)
        watcher.next_revision = next_revision
        self._behind[watcher] = None
        self._work.set()

    # What is sent

    def send(self, response: rpc.WatchResponse, size: int = RESPONSE_BYTES) -> None:
        """Let a response wait its turn."""
        self._waiting.append((size, response))
        self._bytes_waiting += size
        self._work.set()
        if self._bytes_waiting >= MOST_BYTES_WAITING:
            self._room.clear()

    def fail(self, failure: BaseException) -> None:
        """End the stream with an exception when all that waits is sent."""
        self._failure = failure
        self._work.set()

    async def responses(self) -> AsyncGenerator[rpc.WatchResponse, None]:
        """Yield what is to be sent, for ever."""
        while True:
            while self._waiting:
                size, response = self._waiting.popleft()
                self._bytes_waiting -= size
                if self._bytes_waiting < MOST_BYTES_WAITING:
                    self._room.set()
                yield response
            if self._failure is not None:
                raise self._failure
            if self._behind:
                self._catch_up()
                await asyncio.sleep(0)
            elif self._progress_requested:
                self._answer_progress()
            else:
                self._work.clear()
                await self._work.wait()

    def _answer_progress(self) -> None:
        """Tell the present revision, if all watches have been told all that happened until now."""
        while self._hub.advance():
            pass
        if not self._behind:
            self._progress_requested = False
            self.send(rpc.WatchResponse(header=self.header(), watch_id=NO_WATCH))

    def close(self) -> None:
        """Forget all watches."""
        for watcher in list(self._watchers.values()):
            self._forget(watcher)

    def _forget(self, watcher: Watcher) -> None:
        del self._watchers[watcher.id]
        self._behind.pop(watcher, None)
        self._hub.leave(watcher)

    def _send_events(self, watcher: Watcher, revision: int, events: Sequence[Event]) -> None:
        watcher.has_been_told = True
        size = RESPONSE_BYTES + sum(map(held, events))
        converted = [conversion.event(event, watcher.with_prev_kv) for event in events]
        response = rpc.WatchResponse(header=header(self._backend, revision), watch_id=watcher.id)
        pieces = fragments(converted) if watcher.in_fragments and size > MAX_REQUEST_BYTES else [converted]
        for number, piece in enumerate(pieces, start=1):
            fragment = rpc.WatchResponse(fragment=number < len(pieces), events=piece)
            fragment.MergeFrom(response)
            self.send(fragment, size // len(pieces))

    # What was missed

    def _catch_up(self) -> None:
        """Tell the watches that are behind of the next changes that they have missed."""
        store = self._backend.store
        self._cancel_compacted(store.compact_revision)
        if not self._behind:
            return
        first = max(1, min(watcher.next_revision for watcher in self._behind))
        found, last = self._missed(within_size(store.changes(first, MOST_EVENTS)))
        for watcher, events in found.items():
            self._send_events(watcher, store.revision, events)
        told = store.revision if last is None else last
        for watcher in list(self._behind):
            watcher.next_revision = max(watcher.next_revision, told + 1)
            if self._hub.join(watcher):
                del self._behind[watcher]

    def _missed(self, changes: Iterable[tuple[int, Sequence[Event]]]) -> tuple[dict[Watcher, list[Event]], int | None]:
        """Return what each watch that is behind has to be told of these changes, and their last revision."""
        index = WatchIndex(self._behind)
        found: dict[Watcher, list[Event]] = {}
        last = None
        for revision, events in changes:
            last = revision
            for watcher, matching in index.matching(events).items():
                if revision >= watcher.next_revision and (wanted := watcher.wanted(matching)):
                    found.setdefault(watcher, []).extend(wanted)
        return found, last

    def _cancel_compacted(self, compact_revision: int) -> None:
        """End the watches that would have to be told what is forgotten. As from etcd, the header has no revision."""
        for watcher in list(self._behind):
            if watcher.next_revision < compact_revision:
                self._forget(watcher)
                self.send(
                    rpc.WatchResponse(
                        header=header(self._backend, 0),
                        watch_id=watcher.id,
                        canceled=True,
                        compact_revision=compact_revision,
                    )
                )


def held(event: Event) -> int:
    """Return about how many bytes an event takes."""
    before = len(event.prev_kv.value) if event.prev_kv else 0
    return len(event.kv.key) + len(event.kv.value) + before + RESPONSE_BYTES


def within_size(changes: Iterable[tuple[int, Sequence[Event]]]) -> Iterator[tuple[int, Sequence[Event]]]:
    """Yield revisions until there is enough to send."""
    size = 0
    for revision, events in changes:
        yield revision, events
        size += sum(map(held, events))
        if size >= MOST_BYTES_WAITING:
            return


def fragments(events: Sequence[mvcc.Event]) -> list[list[mvcc.Event]]:
    """Cut events into lists that are no larger than a request, if single events are not."""
    pieces: list[list[mvcc.Event]] = [[]]
    size = 0
    for event in events:
        more = event.ByteSize() + 8
        if pieces[-1] and size + more > MAX_REQUEST_BYTES:
            pieces.append([])
            size = 0
        pieces[-1].append(event)
        size += more
    return pieces
