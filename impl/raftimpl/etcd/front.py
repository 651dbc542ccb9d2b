"""The client port: gRPC and HTTP/1.1 on one, as etcd has it, with TLS or without.

A connection tells by its first bytes what it is. HTTP/2 is passed on, byte by byte, to the gRPC server on its private
socket; anything else is for HTTP/1.1 to understand.
"""

import asyncio
from collections.abc import Callable
from typing import cast

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""The first bytes of every HTTP/2 connection (RFC 9113, section 3.4)."""

HttpFactory = Callable[[], asyncio.Protocol]


class Relay(asyncio.Protocol):
    """One of the two ends of a connection that is passed on: what arrives here leaves there.

    When one end does not take bytes as fast as the other brings them, no more are read of the other.
    """

    def __init__(self, peer: asyncio.Transport | None = None) -> None:
        self.transport: asyncio.Transport | None = None
        self.peer = peer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where bytes for this end go."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        if self.peer is not None:
            self.peer.write(data)

    def pause_writing(self) -> None:
        """Read no more of the other end until this one has taken what there is."""
        if self.peer is not None and not self.peer.is_closing():
            self.peer.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        if self.peer is not None and not self.peer.is_closing():
            self.peer.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        """Close the other end too, when it has taken what was read here."""
        if self.peer is not None:
            self.peer.close()


class Front(asyncio.Protocol):
    """A new connection of which it is not known yet what it speaks."""

    def __init__(self, grpc_path: str, http: HttpFactory, open_connections: set[asyncio.Transport]) -> None:
        self._grpc_path = grpc_path
        self._http = http
        self._open = open_connections
        self._received = b""
        self._connecting: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes."""
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self._transport)

    def connection_lost(self, _: Exception | None) -> None:
        """Forget the connection."""
        if self._transport is not None:
            self._open.discard(self._transport)
        if self._connecting is not None:
            self._connecting.cancel()

    def data_received(self, data: bytes) -> None:
        """Decide as soon as it is clear."""
        self._received += data
        if len(self._received) < len(PREFACE) and PREFACE.startswith(self._received):
            return
        assert self._transport is not None
        if self._connecting is None and self._received.startswith(PREFACE):
            self._transport.pause_reading()
            self._connecting = asyncio.ensure_future(self._pass_on(self._transport))
        elif self._connecting is None:
            self._hand_over(self._transport, self._http())

    def _hand_over(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        self._open.discard(transport)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._received)

    async def _pass_on(self, client: asyncio.Transport) -> None:
        try:
            server, _ = await asyncio.get_running_loop().create_unix_connection(lambda: Relay(client), self._grpc_path)
        except OSError:
            client.abort()
            return
        self._connecting = None
        self._open.discard(client)
        relay = TrackedRelay(server, self._open)
        client.set_protocol(relay)
        relay.connection_made(client)
        relay.data_received(self._received)
        client.resume_reading()


class TrackedRelay(Relay):
    """The client's end; it is among the open connections until it is lost."""

    def __init__(self, peer: asyncio.Transport, open_connections: set[asyncio.Transport]) -> None:
        super().__init__(peer)
        self._open = open_connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the connection."""
        super().connection_made(transport)
        self._open.add(cast("asyncio.Transport", transport))

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(error)
        if self.transport is not None:
            self._open.discard(self.transport)
