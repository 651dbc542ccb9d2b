"""A server of the API for a test, and clients of it."""

import asyncio
import http.client
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message

from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.api import ApiServer
from tests.etcd.local_backend import LocalBackend

RESPONSES = {
    "KV/Compact": rpc.CompactionResponse,
    "Lease/LeaseTimeToLive": rpc.LeaseTimeToLiveResponse,
}
"""Where the name of a method does not tell the type of its response."""


class Served(NamedTuple):
    """A server, and a channel to it."""

    backend: LocalBackend
    server: ApiServer
    channel: grpc.aio.Channel

    @property
    def port(self) -> int:
        return self.server.addresses[0][1]

    async def call(self, name: str, request: Message, **options: Any) -> Any:
        """Call a unary method, as "KV/Put"."""
        return await self.method(name, self.channel.unary_unary)(request, **options)

    def method(self, name: str, kind: Callable[..., Any]) -> Any:
        """Return what calls a method of this kind."""
        response = RESPONSES.get(name) or getattr(rpc, f"{name.partition('/')[2]}Response")
        return kind(f"/etcdserverpb.{name}", lambda message: message.SerializeToString(), response.FromString)

    async def watch(self, *creations: rpc.WatchCreateRequest, **options: Any) -> Any:
        """Open a stream of watches, and return the call."""
        call = self.method("Watch/Watch", self.channel.stream_stream)(**options)
        for creation in creations:
            await call.write(rpc.WatchRequest(create_request=creation))
        return call

    async def http(self, method: str, path: str, body: str | bytes = b"") -> tuple[int, str]:
        """Send a request of HTTP; return status and body."""
        return await asyncio.to_thread(http_request, self.port, method, path, body)

    async def put(self, key: bytes, value: bytes = b"", **options: Any) -> rpc.PutResponse:
        """Write a key."""
        response = await self.call("KV/Put", rpc.PutRequest(key=key, value=value, **options))
        assert isinstance(response, rpc.PutResponse)
        return response


def http_request(port: int, method: str, path: str, body: str | bytes = b"") -> tuple[int, str]:
    """Send one request of HTTP, and return status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except http.client.RemoteDisconnected:
        return 0, "closed the connection"
    finally:
        connection.close()


@asynccontextmanager
async def served(**options: Any) -> AsyncIterator[Served]:
    """Run a server while the context lasts; no task may be left then."""
    before = asyncio.all_tasks()
    backend = LocalBackend()
    server = ApiServer(backend, [("127.0.0.1", 0)], **options)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.addresses[0][1]}") as channel:
            yield Served(backend, server, channel)
    finally:
        await server.stop(0)
    await eventually(lambda: not [task for task in asyncio.all_tasks() - before if "serve" not in repr(task)])


async def eventually(holds: Callable[[], object], seconds: float = 5) -> None:
    """Wait until something is so; fail if it is not in good time."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


def run(scenario: Callable[[Served], Awaitable[None]], **options: Any) -> None:
    """Run a scenario with a server of its own."""

    async def whole() -> None:
        async with served(**options) as one:
            await scenario(one)

    asyncio.run(whole())


async def refusal(call: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """Return the code and the text with which a call is refused."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    raise AssertionError("the call was answered")
