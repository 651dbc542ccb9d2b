"""The API over gRPC: a server of grpcio on a private socket, and the table of methods as handlers of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from raftimpl.etcd import refusals
from raftimpl.etcd.calls import CallCounter
from raftimpl.etcd.leadership import REQUIRE_LEADER, Leadership
from raftimpl.etcd.service import MAX_MESSAGE_BYTES, Kind, Method
from raftimpl.store.errors import RequestError

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
    # Clients of etcd send a ping every two seconds if nothing else is under way.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)

CODES = {code.value[0]: code for code in grpc.StatusCode}

AUTH = "/etcdserverpb.Auth/"


class Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Finds the handler of a method by its name."""

    def __init__(self, methods: Sequence[Method], leadership: Leadership, counter: CallCounter) -> None:
        self._handlers = {
            f"/{method.service}/{method.name}": HANDLERS[method.kind](method, leadership, counter) for method in methods
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Return the handler, if there is such a method."""
        found = self._handlers.get(details.method)
        if found is None and details.method.startswith(AUTH):
            return grpc.unary_unary_rpc_method_handler(refuse_authentication)
        return found


async def refuse_authentication(_: bytes, context: Any) -> None:
    """Refuse any method of the service Auth."""
    await abort(context, refusals.no_authentication())


async def abort(context: Any, refusal: RequestError) -> None:
    """End a call with etcd's words."""
    await context.abort(CODES[refusal.code], refusal.text)


def requires_leader(context: Any) -> bool:
    """Tell whether a client wants to be told when there is no leader."""
    return REQUIRE_LEADER in ((key, value) for key, value in context.invocation_metadata() or ())


async def parsed(kind: type[Message], data: bytes, context: Any) -> Message:
    """Return a message; end the call if the bytes are none."""
    try:
        return kind.FromString(data)
    except DecodeError:
        await context.abort(grpc.StatusCode.INTERNAL, f"raftproof: not a {kind.DESCRIPTOR.full_name}")
        raise


def unary_handler(method: Method, leadership: Leadership, counter: CallCounter) -> grpc.RpcMethodHandler:
    """Return a handler of one request and one response."""
    count = counter.of(method)

    async def handle(data: bytes, context: Any) -> bytes:
        try:
            if not leadership.present and requires_leader(context):
                leadership.require()
            response: Message = await method.handler(await parsed(method.request, data, context))
        except RequestError as refusal:
            count(refusal.code)
            await abort(context, refusal)
            raise
        count(0)
        return response.SerializeToString()

    return grpc.unary_unary_rpc_method_handler(handle)


def server_stream_handler(method: Method, leadership: Leadership, counter: CallCounter) -> grpc.RpcMethodHandler:
    """Return a handler of one request and many responses."""

    async def handle(data: bytes, context: Any) -> AsyncIterator[bytes]:
        responses = method.handler(await parsed(method.request, data, context))
        async for response in streamed(method, responses, context, leadership, counter):
            yield response

    return grpc.unary_stream_rpc_method_handler(handle)


def both_stream_handler(method: Method, leadership: Leadership, counter: CallCounter) -> grpc.RpcMethodHandler:
    """Return a handler of many requests and many responses."""

    async def handle(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        messages = (await parsed(method.request, data, context) async for data in requests)
        async for response in streamed(method, method.handler(messages), context, leadership, counter):
            yield response

    return grpc.stream_stream_rpc_method_handler(handle)


async def streamed(
    method: Method, responses: AsyncGenerator[Message, None], context: Any, leadership: Leadership, counter: CallCounter
) -> AsyncIterator[bytes]:
    """Yield responses as bytes; whatever ends the stream, end what makes them too."""
    count = counter.of(method)
    if requires_leader(context):
        responses = leadership.guard(responses)
    try:
        async with aclosing(responses):
            async for response in responses:
                yield response.SerializeToString()
    except RequestError as refusal:
        count(refusal.code)
        await abort(context, refusal)
    except asyncio.CancelledError:
        count(grpc.StatusCode.CANCELLED.value[0])
        raise
    else:
        count(0)


HANDLERS: dict[Kind, Callable[[Method, Leadership, CallCounter], grpc.RpcMethodHandler]] = {
    Kind.UNARY: unary_handler,
    Kind.SERVER_STREAM: server_stream_handler,
    Kind.BOTH_STREAM: both_stream_handler,
}


class GrpcServer:
    """A server of grpcio that listens on a socket in the file system."""

    def __init__(self, methods: Sequence[Method], leadership: Leadership, counter: CallCounter) -> None:
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers((Handlers(methods, leadership, counter),))

    async def start(self, path: str) -> None:
        """Listen on a path. Raises OSError if that is not possible."""
        try:
            self._server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:
            raise OSError(f"cannot listen on {path}: {error}") from error
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """End all calls; those that are under way may take up to `grace` seconds more."""
        await self._server.stop(grace)
