"""HTTP/1.1 on a connection: requests one after the other, answers whole or piece by piece. h11 knows the protocol."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import NamedTuple, cast

import h11

from raftimpl.etcd.failures import report
from raftimpl.etcd.front import PATIENCE

MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024
"""More than any request needs that is not too large for the store, in base64."""

PLAIN_TEXT = "text/plain; charset=utf-8"

COMMON_HEADERS = {
    "Access-Control-Allow-Headers": "accept, content-type, authorization",
    "Access-Control-Allow-Methods": "POST, GET, OPTIONS, PUT, DELETE",
    "Access-Control-Allow-Origin": "*",
}
"""What etcd adds to every answer, so that pages of any origin may read it."""


class Request(NamedTuple):
    """A request; the names of headers are in lower case, the target is without the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Response(NamedTuple):
    """An answer: its body at once, or in pieces as they come."""

    status: int
    body: bytes | AsyncGenerator[bytes, None] = b""
    content_type: str = PLAIN_TEXT
    headers: Mapping[str, str] = {}


Application = Callable[[Request], Awaitable[Response]]


def plain(status: int, text: str | None = None, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer for people."""
    return Response(status, f"{text or HTTPStatus(status).phrase}\n".encode(), PLAIN_TEXT, headers or {})


class HttpConnection(asyncio.Protocol):
    """A connection that speaks HTTP/1.1, or what its bytes are taken for."""

    def __init__(
        self, application: Application, open_connections: "set[HttpConnection]", patience: float = PATIENCE
    ) -> None:
        self._application = application
        self._open = open_connections
        self._patience = patience
        self._impatience: asyncio.TimerHandle | None = None
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADER_BYTES)
        self._head: h11.Request | None = None
        self._body = bytearray()
        self._answering: asyncio.Task[None] | None = None
        self._is_endless = False
        self._is_stopping = False
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)
        self._expect_request()

    def _expect_request(self) -> None:
        """Close the connection if no whole request comes in time, be it slow or none."""
        self._impatience = asyncio.get_running_loop().call_later(self._patience, self._transport.abort)

    def _expect_nothing(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()

    def connection_lost(self, _: Exception | None) -> None:
        """Stop answering whom nobody listens to."""
        self._open.discard(self)
        self._expect_nothing()
        if self._answering is not None:
            self._answering.cancel()

    def stop(self) -> None:
        """Take no more requests; finish the answer that is under way, unless it goes on for ever."""
        self._is_stopping = True
        if self._answering is None or self._is_endless:
            self._transport.close()

    def close(self) -> None:
        """Close the connection now."""
        self._transport.close()

    def pause_writing(self) -> None:
        """Wait with further pieces until the client has taken those that there are."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes; while a request is being answered, those of the next one wait."""
        if self._answering is not None:
            self._transport.pause_reading()
        self._http.receive_data(data)
        self._proceed()

    def _proceed(self) -> None:
        try:
            self._take_events()
        except h11.RemoteProtocolError as error:
            self._refuse(error.error_status_hint, str(error))

    def _take_events(self) -> None:
        while self._answering is None:
            event = self._http.next_event()
            if isinstance(event, h11.Request):
                self._head = event
                self._body.clear()
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY_BYTES:
                    self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MAX_BODY_BYTES} bytes")
                    return
            elif isinstance(event, h11.EndOfMessage):
                self._answer()
            else:
                if self._http.they_are_waiting_for_100_continue:
                    self._send(h11.InformationalResponse(status_code=100, headers=[]))
                return

    def _refuse(self, status: int, reason: str) -> None:
        """Answer what is no request of HTTP, and close the connection."""
        if self._answering is None and self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = f"{status} {HTTPStatus(status).phrase}: {reason}\n".encode()
            headers = {"Content-Type": PLAIN_TEXT, "Connection": "close", "Content-Length": str(len(body))}
            self._send_head(status, headers)
            self._send(h11.Data(data=body))
            self._send(h11.EndOfMessage())
        self._transport.close()

    def _answer(self) -> None:
        assert self._head is not None
        self._expect_nothing()
        request = Request(
            self._head.method.decode("ascii"),
            self._head.target.decode("ascii").partition("?")[0],
            {name.decode("ascii"): value.decode("latin-1") for name, value in self._head.headers},
            bytes(self._body),
        )
        self._answering = asyncio.ensure_future(self._respond(request))
        self._answering.add_done_callback(self._answered)

    async def _respond(self, request: Request) -> None:
        response = await self._application(request)
        headers = {**COMMON_HEADERS, "Content-Type": response.content_type, **response.headers}
        if isinstance(response.body, bytes):
            headers["Content-Length"] = str(len(response.body))
            self._send_head(response.status, headers)
            self._send(h11.Data(data=response.body))
        else:
            self._send_head(response.status, headers)
            self._is_endless = True
            async with aclosing(response.body) as pieces:
                async for piece in pieces:
                    self._send(h11.Data(data=piece))
                    await self._may_write.wait()
        self._send(h11.EndOfMessage())
        await self._may_write.wait()  # else a client that reads nothing could have answer upon answer made

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering = None
        if task.cancelled() or self._transport.is_closing():
            return
        if self._http.our_state is h11.MUST_CLOSE:
            self._transport.close()
            return
        if self._http.our_state is not h11.DONE:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed to answer")
            report(task.exception() or RuntimeError("an answer did not come to its end"))
            return
        if self._http.their_state is not h11.DONE or self._is_stopping:
            self._transport.close()
            return
        self._is_endless = False
        self._http.start_next_cycle()
        self._expect_request()
        self._transport.resume_reading()
        self._proceed()

    def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        reason = HTTPStatus(status).phrase.encode()
        self._send(h11.Response(status_code=status, reason=reason, headers=list(headers.items())))

    def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data and not self._transport.is_closing():
            self._transport.write(data)
