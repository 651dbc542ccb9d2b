"""Calls of gRPC on streams of HTTP/2.

A message has a head of five bytes: whether it is compressed, and its length. The answer's trailers have the status.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from google.protobuf.message import DecodeError, Message

from raftimpl.etcd import refusals
from raftimpl.etcd.calls import CallCounter
from raftimpl.etcd.failures import report
from raftimpl.etcd.header_blocks import encode
from raftimpl.etcd.http2_stream import Exchange, Headers, Stream
from raftimpl.etcd.leadership import REQUIRE_LEADER, Leadership
from raftimpl.etcd.room import ROOM, room
from raftimpl.etcd.service import MAX_MESSAGE_BYTES, Kind, Method
from raftimpl.store.errors import RequestError

CONTENT_TYPE = b"application/grpc"

HEAD = encode([(b":status", b"200"), (b"content-type", CONTENT_TYPE)])
OK = encode([(b"grpc-status", b"0"), (b"grpc-message", b"")])

MESSAGE_HEAD_BYTES = 5

CANCELLED = 1

AUTH = b"/etcdserverpb.Auth/"

MOST_TIMEOUT_DIGITS = 8

UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
"""The units of a timeout, in seconds."""


def refused(refusal: RequestError) -> bytes:
    """Return the headers of an answer that is nothing but a status."""
    return encode([(b":status", b"200"), (b"content-type", CONTENT_TYPE), *status(refusal)])


def status(refusal: RequestError) -> list[tuple[bytes, bytes]]:
    """Return the status of a refusal as headers; the text is percent-encoded."""
    message = quote(refusal.text, safe="".join(map(chr, range(0x20, 0x7F))).replace("%", ""))
    return [(b"grpc-status", b"%d" % refusal.code), (b"grpc-message", message.encode())]


def framed(message: Message) -> bytes:
    """Return a message with its head."""
    data = message.SerializeToString()
    return b"\0" + len(data).to_bytes(4, "big") + data


def seconds_of(timeout: bytes) -> float:
    """Return how long a client wants to wait. Raises RequestError for what is no time in gRPC's protocol."""
    number, unit = timeout[:-1], timeout[-1:]
    if len(number) > MOST_TIMEOUT_DIGITS or not number.isdigit() or unit not in UNITS:
        raise refusals.malformed_timeout()
    return int(number) * UNITS[unit]


class MessageReader:
    """Cuts what arrives into messages, each when it is wanted: decoded, a small one takes fifty times its bytes."""

    def __init__(self, kind: type[Message]) -> None:
        self._kind = kind
        self._data: bytes | bytearray = b""
        self._position = 0

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        if self._position == len(self._data):
            self._data = data
        elif isinstance(self._data, bytearray):
            del self._data[: self._position]
            self._data += data
        else:
            self._data = bytearray(self._data[self._position :] + data)
        self._position = 0

    def next(self) -> tuple[Message, int] | None:
        """Return the next message and the bytes it took; None if it is not complete yet. Raises RequestError."""
        data, start = self._data, self._position + MESSAGE_HEAD_BYTES
        if len(data) < start:
            return None
        size = int.from_bytes(data[self._position + 1 : start], "big")
        if data[self._position]:
            raise refusals.compressed()
        if size > MAX_MESSAGE_BYTES:
            raise refusals.message_too_large(size, MAX_MESSAGE_BYTES)
        end = start + size
        if len(data) < end:
            return None
        try:
            message = self._kind.FromString(bytes(data[start:end]))
        except DecodeError:
            raise refusals.no_message(self._kind.DESCRIPTOR.full_name) from None
        self._position = end
        return message, MESSAGE_HEAD_BYTES + size


class Call:
    """What all calls have in common: a task that answers, a time by which it must have, a count of how it ended."""

    def __init__(self, stream: Stream, headers: Headers, entry: "Entry") -> None:
        """Begin. Raises RequestError if the headers will not do."""
        self._stream = stream
        self._entry = entry
        self._reader = MessageReader(entry.method.request)
        self._needs_leader = headers.get(REQUIRE_LEADER[0]) == REQUIRE_LEADER[1]
        self._task: asyncio.Task[None] | None = None
        self._is_over = False
        self._deadline: asyncio.TimerHandle | None = None
        timeout = headers.get(b"grpc-timeout")
        if timeout is not None:
            self._deadline = asyncio.get_running_loop().call_later(seconds_of(timeout), self._expire)

    def receive(self, data: bytes) -> None:
        """Take bytes of messages."""
        if self._is_over:
            return
        try:
            self._reader.feed(data)
            self.arrived()
        except RequestError as refusal:
            self.refuse(refusal)
            self._cancel()

    def arrived(self) -> None:
        """See to what has arrived. Raises RequestError if it is no message."""
        raise NotImplementedError

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Work on the answer."""
        self._task = asyncio.get_running_loop().create_task(self._run(work))

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except RequestError as refusal:
            self.refuse(refusal)
        except Exception as error:
            self.refuse(refusals.broken())
            report(error)

    def refuse(self, refusal: RequestError) -> None:
        """End the call with a refusal."""
        if not self.over(refusal.code):
            self._stream.end(refused(refusal))

    def over(self, code: int) -> bool:
        """Note that the call has ended with a code; return whether it had before."""
        if self._is_over:
            return True
        self._is_over = True
        self._entry.count(code)
        if self._deadline is not None:
            self._deadline.cancel()
        return False

    def _expire(self) -> None:
        """The client does not wait any longer."""
        self.refuse(refusals.deadline_exceeded())
        self._cancel()

    def reset(self) -> None:
        """The client is gone, or wants no answer."""
        self.over(CANCELLED)
        self._cancel()

    def stop(self) -> None:
        """Nothing: the answer will come."""

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


class UnaryCall(Call):
    """One request, one response."""

    def arrived(self) -> None:
        """Answer the request if it is complete."""
        if self._task is None and (found := self._reader.next()):
            self.start(self._answer(found[0]))

    def finish(self) -> None:
        """Refuse if there was no request."""
        if self._task is None:
            self.refuse(refusals.no_message(self._entry.method.request.DESCRIPTOR.full_name))

    async def _answer(self, message: Message) -> None:
        if self._needs_leader:
            self._entry.leadership.require()
        ROOM.set(self._stream.connection)
        await room()
        response = await self._entry.method.handler(message)
        if not self.over(0):
            self._stream.answer(HEAD, framed(response), OK)


class StreamCall(Call):
    """Many responses; `requests` is what the handler is given."""

    _has_head = False

    async def _send_all(self, responses: AsyncGenerator[Message, None]) -> None:
        if self._needs_leader:
            responses = self._entry.leadership.guard(responses)
        async with aclosing(responses):
            async for response in responses:
                if not self._has_head:
                    self._has_head = True
                    self._stream.send_head(HEAD)
                self._stream.send(framed(response))
                await self._stream.sent()
        if not self.over(0):
            self._stream.end(OK if self._has_head else HEAD + OK)

    def refuse(self, refusal: RequestError) -> None:
        """End the call with a refusal; headers have been sent already if there was a response."""
        if not self.over(refusal.code):
            self._stream.end(encode(status(refusal)) if self._has_head else refused(refusal))

    def stop(self) -> None:
        """End the call; the client is to go on with another server."""
        self.refuse(refusals.stopped())
        self._cancel()


class ServerStreamCall(StreamCall):
    """One request, many responses."""

    def arrived(self) -> None:
        """Begin with the answer if the request is complete."""
        if self._task is None and (found := self._reader.next()):
            self.start(self._send_all(self._entry.method.handler(found[0])))

    def finish(self) -> None:
        """Refuse if there was no request."""
        if self._task is None:
            self.refuse(refusals.no_message(self._entry.method.request.DESCRIPTOR.full_name))


class BothStreamCall(StreamCall):
    """Many requests, many responses.

    Requests wait as bytes until the handler wants them; of these the client may send only as many as its window has.
    """

    def __init__(self, stream: Stream, headers: Headers, entry: "Entry") -> None:
        super().__init__(stream, headers, entry)
        self._are_all = False
        self._news = asyncio.Event()
        self.start(self._send_all(entry.method.handler(self._take_requests())))

    def arrived(self) -> None:
        """Tell the handler that there may be a request."""
        self._news.set()

    def finish(self) -> None:
        """Tell the handler that there will be no more."""
        self._are_all = True
        self._news.set()

    async def _take_requests(self) -> AsyncIterator[Message]:
        while True:
            while found := self._reader.next():
                message, size = found
                self._stream.taken(size)
                yield message
            if self._are_all:
                return
            self._news.clear()
            await self._news.wait()


class Entry:
    """A method, and what its calls need."""

    def __init__(self, method: Method, leadership: Leadership, counter: CallCounter) -> None:
        self.method = method
        self.leadership = leadership
        self.count = counter.of(method)


CALLS: dict[Kind, Callable[[Stream, Headers, Entry], Exchange]] = {
    Kind.UNARY: UnaryCall,
    Kind.SERVER_STREAM: ServerStreamCall,
    Kind.BOTH_STREAM: BothStreamCall,
}


class Refused:
    """A call that was refused by its headers alone; whatever else comes is not wanted."""

    def __init__(self, stream: Stream, block: bytes) -> None:
        stream.end(block)

    def receive(self, data: bytes) -> None:
        """Pass over it."""

    def finish(self) -> None:
        """Pass over it."""

    def reset(self) -> None:
        """Pass over it."""

    def stop(self) -> None:
        """Pass over it."""


class GrpcCalls:
    """All methods by their path."""

    def __init__(self, methods: Sequence[Method], leadership: Leadership, counter: CallCounter) -> None:
        self._entries = {
            f"/{method.service}/{method.name}".encode(): Entry(method, leadership, counter) for method in methods
        }

    def __call__(self, stream: Stream, headers: Headers) -> Exchange:
        """Begin a call."""
        path = headers.get(b":path", b"")
        entry = self._entries.get(path)
        if entry is not None:
            try:
                return CALLS[entry.method.kind](stream, headers, entry)
            except RequestError as refusal:
                return Refused(stream, refused(refusal))
        if path.startswith(AUTH):
            method = path.removeprefix(AUTH).decode("utf-8", "replace")
            return Refused(stream, refused(refusals.no_authentication(method)))
        return Refused(stream, refused(refusals.unknown_method(path.decode("utf-8", "replace"))))
