"""The service Watch: changes of keys as they happen, or as they happened from some revision on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.backend import Backend
from raftimpl.etcd.service import Kind, Method
from raftimpl.etcd.watch_hub import WatchHub
from raftimpl.etcd.watch_index import FROM_KEY, Watcher
from raftimpl.etcd.watch_stream import NO_WATCH, WatchStream

SERVICE = "etcdserverpb.Watch"

DUPLICATE_ID = "mvcc: duplicate watch ID provided on the WatchStream"
EMPTY_RANGE = "mvcc: watcher range is empty"


class Watch:
    """Each call is a stream of any number of watches. `progress_interval` in seconds."""

    def __init__(self, backend: Backend, hub: WatchHub, progress_interval: float) -> None:
        self._backend = backend
        self._hub = hub
        self._progress_interval = progress_interval

    def methods(self) -> list[Method]:
        """Return the methods of the service."""
        return [Method(SERVICE, "Watch", Kind.BOTH_STREAM, rpc.WatchRequest, self.watch)]

    async def watch(self, requests: AsyncIterator[rpc.WatchRequest]) -> AsyncGenerator[rpc.WatchResponse, None]:
        """Answer requests, and tell of changes, until the client goes away; not only until it asks for nothing more."""
        stream = WatchStream(self._backend, self._hub)
        tasks = [
            asyncio.ensure_future(self._take_requests(stream, requests)),
            asyncio.ensure_future(self._tell_progress(stream)),
        ]
        try:
            async with aclosing(stream.responses()) as responses:
                async for response in responses:
                    yield response
        finally:
            stream.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take_requests(self, stream: WatchStream, requests: AsyncIterator[rpc.WatchRequest]) -> None:
        ids = Ids(stream)
        try:
            async for request in requests:
                name = request.WhichOneof("request_union")
                if name == "create_request":
                    create(stream, ids, request.create_request)
                elif name == "cancel_request":
                    stream.cancel(request.cancel_request.watch_id)
                elif name == "progress_request":
                    stream.request_progress()
                await stream.room()
        except Exception as failure:
            stream.fail(failure)

    async def _tell_progress(self, stream: WatchStream) -> None:
        while True:
            await asyncio.sleep(self._progress_interval)
            await stream.room()
            stream.tell_progress()


class Ids:
    """The ids that a stream gives to watches which bring none: 0, 1, 2, ..., but those that are taken."""

    def __init__(self, stream: WatchStream) -> None:
        self._stream = stream
        self._next = 0

    def choose(self) -> int:
        """Return a free id."""
        while self._next in self._stream:
            self._next += 1
        self._next += 1
        return self._next - 1


def create(stream: WatchStream, ids: Ids, request: rpc.WatchCreateRequest) -> None:
    """Begin a watch, or tell the client why not."""
    key = request.key or b"\0"
    reason = ""
    if request.range_end and request.range_end != FROM_KEY and request.range_end <= key:
        reason = EMPTY_RANGE
    elif request.watch_id and request.watch_id in stream:
        reason = DUPLICATE_ID
    if reason:
        stream.send(
            rpc.WatchResponse(
                header=stream.header(), watch_id=NO_WATCH, created=True, canceled=True, cancel_reason=reason
            )
        )
        return
    first = request.start_revision or stream.header().revision + 1
    watcher = Watcher(stream, request.watch_id or ids.choose(), key, request.range_end, first)
    watcher.with_puts = rpc.WatchCreateRequest.NOPUT not in request.filters
    watcher.with_deletions = rpc.WatchCreateRequest.NODELETE not in request.filters
    watcher.with_prev_kv = request.prev_kv
    watcher.in_fragments = request.fragment
    watcher.wants_progress = request.progress_notify
    stream.add(watcher)
