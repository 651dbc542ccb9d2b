"""Requests of HTTP/2 that are no calls of gRPC: the same pages and gateway as over HTTP/1.1.

Over TLS a client that speaks both gets HTTP/2, and so asks for JSON and pages there.
"""

import asyncio
from contextlib import aclosing
from http import HTTPStatus

from raftimpl.etcd.failures import report
from raftimpl.etcd.header_blocks import encode
from raftimpl.etcd.http2_frames import ErrorCode
from raftimpl.etcd.http2_stream import Exchange, ExchangeFactory, Headers, Stream
from raftimpl.etcd.http_server import COMMON_HEADERS, MAX_BODY_BYTES, Application, Request, Response, plain
from raftimpl.etcd.room import ROOM, room

GRPC = b"application/grpc"


class PageRequest:
    """A request, gathered until it is complete; then a task answers it."""

    def __init__(self, stream: Stream, headers: Headers, application: Application) -> None:
        self._stream = stream
        self._headers = headers
        self._application = application
        self._body = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._is_endless = False

    def receive(self, data: bytes) -> None:
        """Take a part of the body; refuse one that is too large."""
        self._body += data
        if len(self._body) > MAX_BODY_BYTES and self._task is None:
            response = plain(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self._task = asyncio.get_running_loop().create_task(self._send(response))

    def finish(self) -> None:
        """Answer, if the body is as long as was said."""
        length = self._headers.get(b"content-length")
        if length is not None and length != b"%d" % len(self._body):
            self._stream.abort(ErrorCode.PROTOCOL_ERROR)
        elif self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._answer())

    def reset(self) -> None:
        """Nobody wants the answer."""
        if self._task is not None:
            self._task.cancel()

    def stop(self) -> None:
        """End an answer that goes on for ever."""
        if self._is_endless and self._task is not None:
            self._task.cancel()
            self._stream.abort(ErrorCode.CANCEL)

    async def _answer(self) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._headers.items()}
        path = headers.get(":path", "/").partition("?")[0]
        request = Request(headers.get(":method", ""), path, headers, bytes(self._body))
        ROOM.set(self._stream.connection)
        await room()
        try:
            response = await self._application(request)
        except Exception as error:
            report(error)
            response = plain(HTTPStatus.INTERNAL_SERVER_ERROR)
        await self._send(response)

    async def _send(self, response: Response) -> None:
        headers = {**COMMON_HEADERS, "Content-Type": response.content_type, **response.headers}
        fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self._stream.send_head(encode([(b":status", b"%d" % response.status), *fields]))
        if isinstance(response.body, bytes):
            self._stream.send(response.body)
        else:
            self._is_endless = True
            async with aclosing(response.body) as pieces:
                async for piece in pieces:
                    self._stream.send(piece)
                    await self._stream.sent()
        self._stream.end()


class Exchanges:
    """Decides by a request's headers what it is."""

    def __init__(self, grpc: ExchangeFactory, application: Application) -> None:
        self._grpc = grpc
        self._application = application

    def __call__(self, stream: Stream, headers: Headers) -> Exchange:
        """Begin an exchange."""
        if headers.get(b"content-type", b"").startswith(GRPC):
            return self._grpc(stream, headers)
        return PageRequest(stream, headers, self._application)
