"""A stream of HTTP/2: what happens on it, and where its answer goes."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from raftimpl.etcd import http2_frames as h2
from raftimpl.etcd.http2_frames import ErrorCode

Headers = Mapping[bytes, bytes]


class Exchange(Protocol):
    """What happens on a stream."""

    def receive(self, data: bytes) -> None:
        """Take a part of what the client sends."""

    def finish(self) -> None:
        """The client has sent all."""

    def reset(self) -> None:
        """The client is not interested any more, or gone."""

    def stop(self) -> None:
        """The server stops: end what would not end by itself."""


class Block:
    """The end of a stream, with trailers or without."""

    __slots__ = ("trailers",)

    def __init__(self, trailers: bytes | None) -> None:
        self.trailers = trailers


class Connection(Protocol):
    """What a stream needs of its connection: how much it may send, and that it is sent."""

    window: int
    frame_bytes: int
    is_paused: bool
    large_answer: asyncio.Lock
    """Is held by the call whose large answer is being made."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def pump(self, stream: "Stream") -> None:
        """Send what waits on a stream, as far as the windows allow."""

    def count_waiting(self, more: int) -> None:
        """Note that so many more bytes of answers wait to be sent."""

    async def room(self) -> None:
        """Return when another answer may be made."""

    def close_stream(self, stream: "Stream") -> None:
        """Forget a stream whose answer is complete."""

    def forget(self, stream: "Stream") -> None:
        """Have nothing to do with a stream any more."""


class Stream:
    """A stream as its exchange sees it: where the answer goes."""

    __slots__ = ("connection", "exchange", "id", "is_client_done", "pending", "room", "to_come", "window")

    def __init__(self, connection: Connection, id: int, window: int, to_come: int) -> None:
        """Begin with how much may be sent, and how much may come."""
        self.connection = connection
        self.to_come = to_come
        self.exchange: Exchange | None = None
        self.id = id
        self.window = window
        self.is_client_done = False
        self.pending: deque[memoryview | Block] = deque()
        self.room: asyncio.Future[None] | None = None

    def answer(self, head: bytes, data: bytes, trailers: bytes) -> None:
        """Send headers, data and trailers, and end the stream."""
        connection = self.connection
        size = len(data)
        if (
            size <= self.window
            and size <= connection.window
            and size <= connection.frame_bytes
            and not self.pending
            and not connection.is_paused
        ):
            connection.window -= size
            id = self.id
            connection.write(
                h2.frame(h2.HEADERS, h2.END_HEADERS, id, head)
                + h2.frame(h2.DATA, 0, id, data)
                + h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, id, trailers)
            )
            connection.close_stream(self)
        else:
            self.send_head(head)
            self.send(data)
            self.end(trailers)

    def send_head(self, block: bytes) -> None:
        """Send headers."""
        self.connection.write(h2.frame(h2.HEADERS, h2.END_HEADERS, self.id, block))

    def send(self, data: bytes) -> None:
        """Send data as soon as the client takes it."""
        self.pending.append(memoryview(data))
        self.connection.count_waiting(len(data))
        self.connection.pump(self)

    def end(self, trailers: bytes | None = None) -> None:
        """End the stream after all that was sent: with headers, or without."""
        self.pending.append(Block(trailers))
        self.connection.pump(self)

    def abort(self, code: ErrorCode) -> None:
        """End the stream now, whatever was to be sent."""
        self.connection.write(h2.reset(self.id, code))
        self.connection.forget(self)

    async def sent(self) -> None:
        """Return when all data has left."""
        if self.pending:
            self.room = asyncio.get_running_loop().create_future()
            await self.room

    def taken(self, size: int) -> None:
        """Let the client send as much more as was taken."""
        if not self.is_client_done:
            self.to_come += size
            self.connection.write(h2.window_update(self.id, size))


ExchangeFactory = Callable[[Stream, Headers], Exchange]
