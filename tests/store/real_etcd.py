"""A real etcd on this machine, asked through its JSON gateway: from our requests to its form, and back."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raftimpl.store.errors import Code, RequestError
from raftimpl.store.requests import (
    Compact,
    CompactResponse,
    Compare,
    CompareTarget,
    DeleteRange,
    DeleteRangeResponse,
    Event,
    KeyValue,
    LeaseGrant,
    LeaseGrantResponse,
    LeaseKeepAlive,
    LeaseKeepAliveResponse,
    LeaseRevoke,
    LeaseRevokeResponse,
    Operation,
    OperationResponse,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Response,
    Txn,
    TxnResponse,
    Write,
)

ETCD = shutil.which("etcd")
Json = dict[str, Any]

SECONDS_TO_START = 30


class Etcd:
    """A client that asks one question after the other."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, request: Write | Range) -> Response:
        """Return etcd's answer, in our form. Raises RequestError as etcd refuses."""
        path, body, response_of = FORMS[type(request)]
        return response_of(self.post(path, body(request)))

    def post(self, path: str, body: Json) -> Json:
        with self.open(path, body) as answer:
            return json.loads(answer.readline())

    def open(self, path: str, body: Json) -> Any:
        data = json.dumps(body).encode()
        try:
            return urllib.request.urlopen(urllib.request.Request(self.url + path, data), timeout=20)
        except urllib.error.HTTPError as refusal:
            told = json.load(refusal)
            raise RequestError(Code(told["code"]), told["message"]) from None

    def lease(self, id: int) -> tuple[int, list[bytes]]:
        """Return the seconds that a lease was granted, and its keys."""
        told = self.post("/v3/lease/timetolive", {"ID": id, "keys": True})
        return int(told["grantedTTL"]), sorted(map(base64.b64decode, told.get("keys", [])))

    def leases(self) -> list[int]:
        return sorted(int(each["ID"]) for each in self.post("/v3/lease/leases", {}).get("leases", []))

    def events(self, from_revision: int, to_revision: int) -> Iterator[Event]:
        """Go through all changes from one revision to another, as a watch tells them."""
        everything = {"key": text(b"\0"), "range_end": text(b"\0"), "start_revision": from_revision, "prev_kv": True}
        with self.open("/v3/watch", {"create_request": everything}) as stream:
            for line in stream:
                events = [event_of(told) for told in json.loads(line)["result"].get("events", [])]
                yield from events
                if events and events[-1].kv.mod_revision == to_revision:  # those of one revision come together
                    return


@contextmanager
def running_etcd(folder: Path) -> Iterator[Etcd]:
    """Start an etcd, and end it."""
    client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
    command = [
        ETCD, "--name", "s", "--data-dir", str(folder / "data"), "--log-level", "error", "--logger", "zap",
        "--listen-client-urls", client, "--advertise-client-urls", client,
        "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"s={peer}",
    ]  # fmt: skip
    with (folder / "etcd.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_until_healthy(client)
            yield Etcd(client)
        finally:
            process.kill()


def wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            with urllib.request.urlopen(url + "/health", timeout=5) as answer:
                if json.load(answer)["health"] == "true":
                    return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


# From ours to etcd's


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def fields(request: Any, **others: object) -> Json:
    values = {name: getattr(request, name) for name in request.__struct_fields__}
    return {name: text(value) if isinstance(value, bytes) else value for name, value in {**values, **others}.items()}


def compare_body(compare: Compare) -> Json:
    body = fields(compare)
    operand = {CompareTarget.CREATE: "create_revision", CompareTarget.MOD: "mod_revision"}
    body[operand.get(compare.target, compare.target.name.lower())] = body.pop("value")
    return body


def txn_body(request: Txn) -> Json:
    return {
        "compare": list(map(compare_body, request.compare)),
        "success": list(map(operation_body, request.success)),
        "failure": list(map(operation_body, request.failure)),
    }


def operation_body(operation: Operation) -> Json:
    name = {Range: "request_range", Put: "request_put", DeleteRange: "request_delete_range", Txn: "request_txn"}
    return {name[type(operation)]: FORMS[type(operation)][1](operation)}


# And back


def revision_of(told: Json) -> int:
    return int(told.get("header", {}).get("revision", 0))


def key_value_of(told: Json) -> KeyValue:
    numbers = (int(told.get(name, 0)) for name in ("create_revision", "mod_revision", "version"))
    value = base64.b64decode(told.get("value", ""))
    return KeyValue(base64.b64decode(told["key"]), *numbers, value, int(told.get("lease", 0)))


def event_of(told: Json) -> Event:
    before = told.get("prev_kv")
    return Event(key_value_of(told["kv"]), told.get("type") == "DELETE", key_value_of(before) if before else None)


def range_of(told: Json) -> RangeResponse:
    kvs = tuple(map(key_value_of, told.get("kvs", [])))
    return RangeResponse(revision_of(told), kvs, told.get("more", False), int(told.get("count", 0)))


def put_of(told: Json) -> PutResponse:
    return PutResponse(revision_of(told), key_value_of(told["prev_kv"]) if "prev_kv" in told else None)


def deletion_of(told: Json) -> DeleteRangeResponse:
    kvs = tuple(map(key_value_of, told.get("prev_kvs", [])))
    return DeleteRangeResponse(revision_of(told), int(told.get("deleted", 0)), kvs)


def txn_of(told: Json) -> TxnResponse:
    responses = tuple(map(operation_response_of, told.get("responses", [])))
    return TxnResponse(revision_of(told), told.get("succeeded", False), responses)


def operation_response_of(told: Json) -> OperationResponse:
    ((name, response),) = told.items()
    kinds: dict[str, Callable[[Json], OperationResponse]] = {
        "response_range": range_of,
        "response_put": put_of,
        "response_delete_range": deletion_of,
        "response_txn": txn_of,
    }
    return kinds[name](response)


def grant_of(told: Json) -> LeaseGrantResponse:
    return LeaseGrantResponse(revision_of(told), int(told["ID"]), int(told["TTL"]))


def keep_alive_of(told: Json) -> LeaseKeepAliveResponse:
    result = told["result"]
    return LeaseKeepAliveResponse(revision_of(result), int(result["ID"]), int(result.get("TTL", 0)))


FORMS: dict[type, tuple[str, Callable[[Any], Json], Callable[[Json], Response]]] = {
    Range: ("/v3/kv/range", fields, range_of),
    Put: ("/v3/kv/put", fields, put_of),
    DeleteRange: ("/v3/kv/deleterange", fields, deletion_of),
    Txn: ("/v3/kv/txn", txn_body, txn_of),
    Compact: ("/v3/kv/compaction", fields, lambda told: CompactResponse(revision_of(told))),
    LeaseGrant: ("/v3/lease/grant", lambda request: {"ID": request.id, "TTL": request.ttl}, grant_of),
    LeaseRevoke: (
        "/v3/lease/revoke", lambda request: {"ID": request.id}, lambda told: LeaseRevokeResponse(revision_of(told)),
    ),
    LeaseKeepAlive: ("/v3/lease/keepalive", lambda request: {"ID": request.id}, keep_alive_of),
}  # fmt: skip
