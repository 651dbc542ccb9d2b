"""The connections that a server makes to the others."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

from raftimpl.messages import Message
from raftimpl.running.frames import read_frame, write_frame
from raftimpl.running.greetings import ANSWERS, ENCODER, NO_CONNECTION, VERSION, Envelope, Greeting, PeerError
from raftimpl.running.logs import logger

Address = tuple[str, int]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LONGEST_WAIT = 1.0
"""Seconds between two attempts to connect, at most."""

FIRST_WAIT = 0.05

PATIENCE = 5.0
"""Seconds that a connection may take to be made and greeted, and a piece of a snapshot to be acknowledged."""

BACKLOG = 1 << 20
"""Bytes that may wait to be sent to one server; what comes when there are more is lost."""

SOCKET_OPTIONS = tuple(
    (level, getattr(socket, name), value)
    for level, name, value in (
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 2),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 5_000),
    )
    if hasattr(socket, name)
)
"""They end a connection within seconds when the network is cut; TCP alone would try for minutes, ever more seldom."""


class Dialler:
    """Connects a server to the others. `peers` tells where each of them listens.

    `client_urls` is where its own clients go; `show_marks` returns its folder's marks, by which the others know it.
    `must_stop` is called with the reason if another server knows that this one has forgotten what it promised.
    """

    def __init__(
        self,
        cluster_id: int,
        server: int,
        peers: dict[int, Address],
        show_marks: Callable[[], Awaitable[tuple[int, ...]]],
        client_urls: tuple[str, ...],
        tls: ssl.SSLContext | None,
    ) -> None:
        self.peers, self._cluster_id, self._server = peers, cluster_id, server
        self._show_marks, self._client_urls, self._tls = show_marks, client_urls, tls
        self.must_stop: Callable[[str], None] = lambda _: None

    async def dial(self, to: int, snapshot: bytes | None = None, lease: int | None = None) -> Connection:
        """Connect to a server and greet it. Raises what is in NO_CONNECTION; PeerError if it refuses."""
        host, port = self.peers[to]
        marks = await self._show_marks()
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port, ssl=self._tls)
            end_when_cut(writer)
            try:
                greeting = Greeting(
                    VERSION, self._cluster_id, self._server, to, marks, self._client_urls, snapshot, lease
                )
                write_frame(writer, ENCODER.encode(greeting))
                answer = ANSWERS.decode(await read_frame(reader))
            except BaseException:
                writer.close()
                raise
        if answer.refusal:
            writer.close()
            if answer.must_stop:
                self.must_stop(answer.refusal)
            raise PeerError(answer.refusal)
        return reader, writer


def end_when_cut(writer: asyncio.StreamWriter) -> None:
    """Let a connection end soon after the network between its ends is gone."""
    connection: socket.socket = writer.get_extra_info("socket")
    for option in SOCKET_OPTIONS:
        connection.setsockopt(*option)


class Link:
    """A server's own connection to another one, made again whenever it breaks."""

    def __init__(self, dialler: Dialler, peer: int) -> None:
        self._dialler, self._peer = dialler, peer
        self._writer: asyncio.StreamWriter | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect."""
        self.task = asyncio.get_running_loop().create_task(self._keep_connected())

    def send(self, clock: int, message: Message) -> None:
        """Send a message, or lose it."""
        writer = self._writer
        if writer is not None and writer.transport.get_write_buffer_size() < BACKLOG:
            write_frame(writer, ENCODER.encode(Envelope(clock, message)))

    async def _keep_connected(self) -> None:
        wait, told = FIRST_WAIT, ""
        while True:
            try:
                reader, self._writer = await self._dialler.dial(self._peer)
                logger.info("connected", peer=self._peer)
                wait, told = FIRST_WAIT, ""
                await reader.read(1)  # nothing comes, until the connection ends
            except NO_CONNECTION as error:
                if str(error) != told:
                    told = str(error)
                    logger.warning(
                        "no connection", peer=self._peer, address=self._dialler.peers[self._peer], error=told
                    )
            finally:
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
