"""The API as JSON over HTTP, as etcd's gateway has it: POST /v3/kv/put and so on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from http import HTTPStatus

from google.protobuf.message import Message

from raftimpl.etcd import refusals
from raftimpl.etcd.calls import CallCounter
from raftimpl.etcd.gojson import NotAMessageError, all_from_json, from_json, pieces, to_json, written
from raftimpl.etcd.http_server import Request, Response, plain
from raftimpl.etcd.leadership import Leadership
from raftimpl.etcd.service import MAX_MESSAGE_BYTES, Kind, Method
from raftimpl.store.errors import Code, RequestError

PREFIXES = ("/v3/", "/v3beta/")

ROUTES = {
    "kv/range": "KV/Range",
    "kv/put": "KV/Put",
    "kv/deleterange": "KV/DeleteRange",
    "kv/txn": "KV/Txn",
    "kv/compaction": "KV/Compact",
    "watch": "Watch/Watch",
    "lease/grant": "Lease/LeaseGrant",
    "lease/revoke": "Lease/LeaseRevoke",
    "kv/lease/revoke": "Lease/LeaseRevoke",
    "lease/keepalive": "Lease/LeaseKeepAlive",
    "lease/timetolive": "Lease/LeaseTimeToLive",
    "kv/lease/timetolive": "Lease/LeaseTimeToLive",
    "lease/leases": "Lease/LeaseLeases",
    "kv/lease/leases": "Lease/LeaseLeases",
    "cluster/member/add": "Cluster/MemberAdd",
    "cluster/member/remove": "Cluster/MemberRemove",
    "cluster/member/update": "Cluster/MemberUpdate",
    "cluster/member/list": "Cluster/MemberList",
    "cluster/member/promote": "Cluster/MemberPromote",
    "maintenance/alarm": "Maintenance/Alarm",
    "maintenance/status": "Maintenance/Status",
    "maintenance/defragment": "Maintenance/Defragment",
    "maintenance/hash": "Maintenance/Hash",
    "maintenance/snapshot": "Maintenance/Snapshot",
    "maintenance/transfer-leadership": "Maintenance/MoveLeader",
}

AUTH = "auth/"

STATUSES: dict[int, HTTPStatus] = {
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.FAILED_PRECONDITION: HTTPStatus.PRECONDITION_FAILED,
    Code.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    Code.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of HTTP for each code of gRPC; all others are the server's own failure."""

UNKNOWN = 2

PIECE_CHARACTERS = 10_000
"""How much of an answer is written before others get their turn, at least."""

JSON = "application/json"
FROM_GRPC = {"Grpc-Metadata-Content-Type": "application/grpc"}
REQUIRE_LEADER_HEADER = "grpc-metadata-hasleader"


class Gateway:
    """Calls the methods of the API for clients that speak JSON."""

    def __init__(self, methods: Sequence[Method], leadership: Leadership, counter: CallCounter) -> None:
        by_name = {f"{method.service.partition('.')[2]}/{method.name}": method for method in methods}
        self._routes = {path: by_name[name] for path, name in ROUTES.items()}
        self._leadership = leadership
        self._counter = counter

    async def __call__(self, request: Request) -> Response | None:
        """Answer a request; None if its path is none of the gateway's."""
        prefix = next((prefix for prefix in PREFIXES if request.path.startswith(prefix)), None)
        if prefix is None:
            return None
        path = request.path.removeprefix(prefix)
        if path.startswith(AUTH):
            return refused(refusals.no_authentication(path.removeprefix(AUTH)))
        method = self._routes.get(path)
        if method is None:
            return plain(HTTPStatus.NOT_FOUND)
        if request.method != "POST":
            return plain(HTTPStatus.METHOD_NOT_ALLOWED)
        return await CALLS[method.kind](self, method, request)

    async def _unary(self, method: Method, request: Request) -> Response:
        count = self._counter.of(method)
        try:
            message = from_json(method.request, text_of(request))
            require_message_size(message)
            response: Message = await method.handler(message)
        except NotAMessageError as error:
            return failure(Code.INVALID_ARGUMENT, str(error))
        except RequestError as refusal:
            count(refusal.code)
            return refused(refusal)
        count(0)
        return Response(HTTPStatus.OK, await body_of(response), JSON, FROM_GRPC)

    async def _stream(self, method: Method, request: Request) -> Response:
        try:
            messages = list(all_from_json_until_bad(method.request, text_of(request)))
        except NotAMessageError as error:
            return failure(UNKNOWN, str(error))
        if method.kind is Kind.SERVER_STREAM:
            responses = method.handler(messages[0] if messages else method.request())
        else:
            responses = method.handler(one_by_one(messages))
        if request.headers.get(REQUIRE_LEADER_HEADER) == "true":
            responses = self._leadership.guard(responses)
        return Response(HTTPStatus.OK, self._lines(method, responses), JSON, FROM_GRPC)

    async def _lines(self, method: Method, responses: AsyncGenerator[Message, None]) -> AsyncGenerator[bytes, None]:
        count = self._counter.of(method)
        try:
            async with aclosing(responses):
                async for response in responses:
                    yield f'{{"result":{to_json(response)}}}\n'.encode()
        except RequestError as refusal:
            count(refusal.code)
            yield stream_failure(refusal)
        else:
            count(0)


CALLS = {Kind.UNARY: Gateway._unary, Kind.SERVER_STREAM: Gateway._stream, Kind.BOTH_STREAM: Gateway._stream}


async def body_of(response: Message) -> bytes:
    """Return a message as JSON; others get their turn meanwhile."""
    body = bytearray()
    for piece in pieces(response):
        if len(piece) > PIECE_CHARACTERS:
            await asyncio.sleep(0)
        body += piece.encode()
    return bytes(body)


def text_of(request: Request) -> str:
    """Return the body as text; bytes that are no UTF-8 become the replacement character, as in Go."""
    return request.body.decode("utf-8", "replace")


def all_from_json_until_bad(kind: type[Message], text: str) -> list[Message]:
    """Return the messages of a stream, up to the first that is none; if that is the first, raise NotAMessageError."""
    messages: list[Message] = []
    try:
        messages.extend(all_from_json(kind, text))
    except NotAMessageError:
        if not messages:
            raise
    return messages


async def one_by_one(messages: Sequence[Message]) -> AsyncIterator[Message]:
    """Yield messages as if they came one after the other."""
    for message in messages:
        yield message


def require_message_size(message: Message) -> None:
    """Raise RequestError for what would be too large for gRPC."""
    size = message.ByteSize()
    if size > MAX_MESSAGE_BYTES:
        raise refusals.message_too_large(size, MAX_MESSAGE_BYTES)


def refused(refusal: RequestError) -> Response:
    """Return a refusal as an answer."""
    return failure(refusal.code, refusal.text)


def failure(code: int, text: str) -> Response:
    """Return an answer with a code of gRPC."""
    body = written({"error": text, "message": text, "code": int(code)})
    return Response(STATUSES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR), body.encode(), JSON)


def stream_failure(refusal: RequestError) -> bytes:
    """Return the last line of a stream that fails."""
    status = STATUSES.get(refusal.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    error = {"grpc_code": int(refusal.code), "http_code": int(status), "message": refusal.text,
             "http_status": status.phrase}  # fmt: skip
    return written({"error": error}).encode() + b"\n"
