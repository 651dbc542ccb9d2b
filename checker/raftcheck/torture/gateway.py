"""Clients' way to real servers: etcd's JSON gateway over HTTP, a connection for each request."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from raftcheck.torture.clients import RefusedError, UnknownOutcomeError
from raftimpl.store.errors import Code
from raftimpl.store.requests import (
    Compare,
    DeleteRange,
    DeleteRangeResponse,
    KeyValue,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Txn,
    TxnResponse,
    Write,
)

Json = dict[str, Any]

UNKNOWN = (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)
"""Codes after which a write may still take effect."""


class Gateway:
    """The way to servers that listen on these ports of this machine."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.servers, self._ports = len(ports), ports

    async def ask(self, server: int, request: Write | Range) -> Any:
        """Ask a server and return its answer. Raises RefusedError or UnknownOutcomeError."""
        path, fields = REQUESTS[type(request)]
        answer = await self.call(server, path, fields(request))
        return ANSWERS[type(request)](answer) if type(request) in ANSWERS else answer

    async def call(self, server: int, path: str, request: Json) -> Json:
        """Ask in JSON. Raises RefusedError or UnknownOutcomeError."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._ports[server])
        except OSError as error:
            raise RefusedError(str(error)) from error
        try:
            writer.write(http_request(path, request))
            told = await reader.read()
        except OSError as error:
            raise UnknownOutcomeError(str(error)) from error
        finally:
            writer.close()
        return answered(told)


def http_request(path: str, request: Json) -> bytes:
    """Return a request that is the only one of its connection."""
    body = msgspec.json.encode(request)
    head = f"POST /v3/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answered(told: bytes) -> Json:
    """Return the answer in a response. Raises RefusedError, or UnknownOutcomeError where there is none."""
    head, separator, body = told.partition(b"\r\n\r\n")
    if not separator:
        raise UnknownOutcomeError("the connection ended without an answer")
    if b"transfer-encoding: chunked" in head.lower():
        body = unchunked(body)
    try:
        answer: Json = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise UnknownOutcomeError(f"the answer is cut off: {error}") from error
    if head.split(b" ", 2)[1] == b"200":
        return answer
    text, code = answer.get("error", ""), answer.get("code")
    raise UnknownOutcomeError(text) if code in UNKNOWN else RefusedError(text)


def unchunked(body: bytes) -> bytes:
    """Return what was sent in chunks."""
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size or b"0", 16)
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


def text(value: bytes) -> str:
    """Return bytes as JSON has them."""
    return b64encode(value).decode()


def range_fields(request: Range) -> Json:
    """Return a read."""
    return {
        "key": text(request.key),
        "range_end": text(request.range_end),
        "revision": request.revision,
        "serializable": request.serializable,
    }


def put_fields(request: Put) -> Json:
    """Return a write."""
    return {
        "key": text(request.key),
        "value": text(request.value),
        "lease": request.lease,
        "prev_kv": request.prev_kv,
    }


def delete_fields(request: DeleteRange) -> Json:
    """Return a deletion."""
    return {"key": text(request.key), "range_end": text(request.range_end), "prev_kv": request.prev_kv}


def txn_fields(request: Txn) -> Json:
    """Return a transaction."""
    return {
        "compare": [compare_fields(compare) for compare in request.compare],
        "success": [operation_fields(one) for one in request.success],
        "failure": [operation_fields(one) for one in request.failure],
    }


def compare_fields(compare: Compare) -> Json:
    """Return a condition; what it compares with stands in a field of its target's name."""
    operand = text(compare.value) if isinstance(compare.value, bytes) else compare.value
    field = {"CREATE": "create_revision", "MOD": "mod_revision"}.get(compare.target.name, compare.target.name.lower())
    return {"key": text(compare.key), "target": compare.target.name, "result": compare.result.name, field: operand}


def operation_fields(operation: Any) -> Json:
    """Return an operation of a transaction."""
    return {INNER_REQUESTS[type(operation)]: REQUESTS[type(operation)][1](operation)}


INNER_REQUESTS: Mapping[type, str] = {
    Range: "request_range",
    Put: "request_put",
    DeleteRange: "request_delete_range",
}


REQUESTS: Mapping[type, tuple[str, Callable[[Any], Json]]] = {
    Range: ("kv/range", range_fields),
    Put: ("kv/put", put_fields),
    DeleteRange: ("kv/deleterange", delete_fields),
    Txn: ("kv/txn", txn_fields),
    LeaseGrant: ("lease/grant", lambda request: {"ID": request.id, "TTL": request.ttl}),
    LeaseRevoke: ("lease/revoke", lambda request: {"ID": request.id}),
    LeaseKeepAlive: ("lease/keepalive", lambda request: {"ID": request.id}),
}


def revision(answer: Json) -> int:
    """Return the store's revision that an answer tells."""
    return int(answer.get("header", {}).get("revision", 0))


def key_value(told: Json) -> KeyValue:
    """Return a key's version. Numbers that are 0 are left out."""
    return KeyValue(
        b64decode(told["key"]),
        int(told.get("create_revision", 0)),
        int(told.get("mod_revision", 0)),
        int(told.get("version", 0)),
        b64decode(told.get("value", "")),
        int(told.get("lease", 0)),
    )


def key_values(told: Sequence[Json]) -> tuple[KeyValue, ...]:
    """Return versions of keys."""
    return tuple(map(key_value, told))


def range_answer(answer: Json) -> RangeResponse:
    """Return what a read told."""
    return RangeResponse(revision(answer), key_values(answer.get("kvs", ())))


def put_answer(answer: Json) -> PutResponse:
    """Return what a write told."""
    previous = answer.get("prev_kv")
    return PutResponse(revision(answer), key_value(previous) if previous else None)


def delete_answer(answer: Json) -> DeleteRangeResponse:
    """Return what a deletion told."""
    return DeleteRangeResponse(revision(answer), int(answer.get("deleted", 0)), key_values(answer.get("prev_kvs", ())))


def txn_answer(answer: Json) -> TxnResponse:
    """Return what a transaction told."""
    responses = tuple(inner_answer(one) for one in answer.get("responses", ()))
    return TxnResponse(revision(answer), answer.get("succeeded", False), responses)


def inner_answer(told: Json) -> Any:
    """Return what an operation of a transaction told."""
    ((name, answer),) = told.items()
    inner = {"response_range": range_answer, "response_put": put_answer, "response_delete_range": delete_answer}
    return inner[name](answer)


ANSWERS: Mapping[type, Callable[[Json], Any]] = {
    Range: range_answer,
    Put: put_answer,
    DeleteRange: delete_answer,
    Txn: txn_answer,
}
