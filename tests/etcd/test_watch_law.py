"""What every watch is told, whatever happens and however slowly it is read: its part of the history, in order."""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd import watch_hub, watch_stream
from raftimpl.etcd.watch import Watch
from raftimpl.etcd.watch_hub import WatchHub
from raftimpl.etcd.watch_index import Watcher, WatchIndex
from raftimpl.etcd.watch_stream import WatchStream
from raftimpl.store.requests import DeleteRange, Event, KeyValue, Put, Txn, Write
from tests.etcd.local_backend import LocalBackend

KEYS = [b"a", b"b", b"c", b"d"]

keys = st.sampled_from(KEYS)
writes = st.one_of(
    st.builds(Put, keys, st.binary(max_size=2)),
    st.builds(DeleteRange, keys, st.sampled_from([b"", b"c", b"\0"])),
    st.builds(
        lambda put, deleted: Txn(success=tuple(put) + ((DeleteRange(deleted),) if deleted else ())),
        st.lists(st.builds(Put, st.sampled_from([b"a", b"b"])), max_size=2, unique_by=lambda each: each.key),
        st.sampled_from([None, b"c", b"d"]),
    ),
)


class Ask(NamedTuple):
    """Create a watch when so many writes have happened."""

    key: bytes
    range_end: bytes
    start: int
    filters: list[int]


asks = st.builds(Ask, keys, st.sampled_from([b"", b"zz", b"\0"]), st.integers(0, 12), st.sampled_from([[], [0], [1]]))
steps = st.lists(st.one_of(writes, asks, st.integers(1, 5)), max_size=30)


class Client:
    """Asks for watches and reads responses one by one; notes what each watch is told."""

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend
        self.requests: asyncio.Queue[rpc.WatchRequest] = asyncio.Queue()
        self.responses = Watch(backend, WatchHub(backend), 1000).watch(self._requests())
        self.heard: dict[int, list[tuple[int, bytes, int]]] = {}
        self.asked: list[tuple[Ask, int]] = []
        self.progress = 0

    async def _requests(self) -> AsyncIterator[rpc.WatchRequest]:
        while True:
            yield await self.requests.get()

    async def read(self) -> bool:
        """Read a response if one comes without delay."""
        try:
            async with asyncio.timeout(0.001):
                response = await asyncio.shield(self._next())
        except TimeoutError:
            return False
        self.note(response)
        return True

    def _next(self) -> asyncio.Future[rpc.WatchResponse]:
        if not hasattr(self, "_reading") or self._reading.done():
            self._reading = asyncio.ensure_future(anext(self.responses))
        return self._reading

    def note(self, response: rpc.WatchResponse) -> None:
        if response.watch_id == -1:
            self.progress = response.header.revision
        heard = self.heard.setdefault(response.watch_id, [])
        heard += [(event.kv.mod_revision, event.kv.key, event.type) for event in response.events]

    async def finish(self) -> None:
        """Read until everything up to now was told."""
        self.requests.put_nowait(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
        async with asyncio.timeout(10):
            while self.progress < self.backend.store.revision:
                self.note(await self._next())
        await self.responses.aclose()


def wanted(ask: Ask, first: int, history: list[Event]) -> list[tuple[int, bytes, int]]:
    """Return what a watch has to be told, by looking at every event."""
    return [
        (event.kv.mod_revision, event.kv.key, int(event.is_deletion))
        for event in history
        if event.kv.mod_revision >= first
        and (event.kv.key == ask.key if not ask.range_end else ask.key <= event.kv.key)
        and (ask.range_end in (b"", b"\0") or event.kv.key < ask.range_end)
        and int(event.is_deletion) not in ask.filters
    ]


async def play(script: list[Write | Ask | int]) -> None:
    backend = LocalBackend()
    client = Client(backend)
    for step in script:
        if isinstance(step, Ask):
            client.requests.put_nowait(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(
                key=step.key, range_end=step.range_end, start_revision=step.start, filters=step.filters)))  # fmt: skip
            before = len(client.heard)
            while len(client.heard) == before:
                client.note(await client._next())
            client.asked.append((step, step.start or backend.store.revision + 1))
        elif isinstance(step, int):
            for _ in range(step):
                await asyncio.sleep(0)
        else:
            backend.apply(step)
    await client.finish()
    history = [event for _, events in backend.store.changes(2, 10_000) for event in events]
    for id, (ask, first) in enumerate(client.asked):
        assert client.heard[id] == wanted(ask, first, history)


@pytest.mark.parametrize(("waiting", "at_once"), [(2 * 1024 * 1024, 1000), (1, 1000), (500, 2), (1, 1)])
@given(script=steps)
def test_every_watch_is_told_its_part_of_the_history(
    script: list[Write | Ask | int], waiting: int, at_once: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch_stream, "MOST_BYTES_WAITING", waiting)
        patch.setattr(watch_stream, "MOST_EVENTS", at_once)
        patch.setattr(watch_hub, "MOST_EVENTS", at_once)
        asyncio.run(play(script))


def test_watches_of_other_keys_cost_a_change_nothing() -> None:
    def lines_executed(watches: int) -> int:
        index = WatchIndex(Watcher(None, n, b"key %d" % n, b"", 1) for n in range(watches))  # type: ignore[arg-type]
        lines = 0

        def trace(*_: object) -> object:
            nonlocal lines
            lines += 1
            return trace

        sys.settrace(trace)  # type: ignore[arg-type]
        found = index.matching([Event(KeyValue(b"key 7", 2, 2, 1))])
        sys.settrace(None)
        assert [watcher.id for watcher in found] == [7]
        return lines

    assert lines_executed(10_000) == lines_executed(10)


def test_progress_waits_for_watches_that_fall_behind_only_now() -> None:
    """The server has not come round to its watches yet, and there is no room for all of them."""

    async def scenario() -> None:
        backend = LocalBackend()
        client = Client(backend)
        for _ in range(3):
            client.requests.put_nowait(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"a")))
            client.note(await client._next())
        backend.wait_for_change = lambda _: asyncio.sleep(60)  # type: ignore[method-assign]
        await asyncio.sleep(0)
        backend.store.apply(Put(b"a"))
        await client.finish()
        assert [client.heard[id] for id in range(3)] == [[(2, b"a", 0)]] * 3

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watch_stream, "MOST_BYTES_WAITING", 500)
        asyncio.run(scenario())


def test_progress_is_not_told_where_events_were() -> None:
    async def scenario() -> None:
        backend = LocalBackend()
        hub = WatchHub(backend)
        stream = WatchStream(backend, hub)
        for id, wants_progress in ((0, True), (1, False)):
            watcher = Watcher(stream, id, b"a", b"", 2)
            watcher.wants_progress = wants_progress
            stream.add(watcher)
        sent = stream._waiting
        sent.clear()
        backend.apply(Put(b"a"))
        stream.tell_progress()
        assert [(response.watch_id, len(response.events)) for _, response in sent] == [(0, 1), (1, 1)]
        stream.tell_progress()
        assert [(response.watch_id, response.header.revision) for _, response in sent][2:] == [(0, 2)]
        stream.close()
        await hub.stop()

    asyncio.run(scenario())
