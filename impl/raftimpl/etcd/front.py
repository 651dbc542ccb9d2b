"""The client port: HTTP/2 (gRPC, and the pages and the gateway too) and HTTP/1.1 on one, with TLS or without.

A connection tells by its first bytes what it speaks. What does not begin as HTTP/2 is for HTTP/1.1 to understand.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from raftimpl.etcd.http2_frames import PREFACE

ProtocolFactory = Callable[[], asyncio.Protocol]

PATIENCE = 60.0
"""Seconds within which a client must have said what it speaks, and sent a whole request of HTTP/1.1."""


class Front(asyncio.Protocol):
    """A new connection of which it is not known yet what it speaks."""

    def __init__(
        self, http1: ProtocolFactory, http2: ProtocolFactory, fresh: "set[Front]", patience: float = PATIENCE
    ) -> None:
        self._http1 = http1
        self._http2 = http2
        self._fresh = fresh
        self._patience = patience
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._impatience: asyncio.TimerHandle | None = None
        fresh.add(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes."""
        self._transport = cast("asyncio.Transport", transport)
        self._impatience = asyncio.get_running_loop().call_later(self._patience, self._transport.abort)
        notice_when_the_peer_is_gone(transport.get_extra_info("socket"))

    def connection_lost(self, _: Exception | None) -> None:
        """Forget the connection."""
        self.forget()

    def forget(self) -> None:
        """It is not new any more, or gone."""
        self._fresh.discard(self)
        if self._impatience is not None:
            self._impatience.cancel()

    def close(self) -> None:
        """Close the connection, if there is one already."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Decide as soon as it is clear, and hand over."""
        self._received += data
        if len(self._received) < len(PREFACE) and PREFACE.startswith(self._received):
            return
        self.forget()
        assert self._transport is not None
        protocol = self._http2() if self._received.startswith(PREFACE) else self._http1()
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(self._received)


IDLE_SECONDS = 30
"""After how long without a sign of life the system asks a client for one."""


def notice_when_the_peer_is_gone(connected: socket.socket | None) -> None:
    """Let the system find out when a client has vanished without a word; a watch may be silent for days."""
    if connected is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_KEEPIDLE"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_SECONDS)
