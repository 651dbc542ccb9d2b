"""The connections that a server makes to the others."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence

from raftimpl.messages import Message
from raftimpl.running.frames import read_frame, write_frame
from raftimpl.running.greetings import ANSWERS, ENCODER, NO_CONNECTION, VERSION, Answer, Envelope, Greeting, PeerError
from raftimpl.running.logs import logger

Address = tuple[str, int]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

LONGEST_WAIT = 1.0
"""Seconds between two attempts to connect, at most."""

FIRST_WAIT = 0.05

PATIENCE = 5.0
"""Seconds that a connection may take to be made and greeted, and a piece of a snapshot to be acknowledged."""

REMINDER = 60.0
"""Seconds after which it is logged again that there is no connection, and why."""

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
    """Connects a server to the others. `peers` tells where each of them listens, `names` what all servers are called.

    `client_urls` is where its own clients go; `show_marks` returns its folder's marks, by which the others know it.
    `distrusted` is called with `distrusted_by`, the servers that do not trust this folder, and what they say.
    """

    def __init__(
        self,
        cluster_id: int,
        server: int,
        peers: dict[int, Address],
        names: Sequence[str],
        show_marks: Callable[[], Awaitable[tuple[int, ...]]],
        client_urls: tuple[str, ...],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.cluster_id, self.server, self.peers, self.names = cluster_id, server, peers, names
        self._show_marks, self._client_urls, self._tls = show_marks, client_urls, tls
        self.distrusted_by: dict[int, str] = {}
        self.distrusted: Callable[[Mapping[int, str]], None] = lambda _: None

    async def dial(self, to: int, snapshot: bytes | None = None, lease: int | None = None) -> Connection:
        """Connect to a server and greet it. Raises what is in NO_CONNECTION; PeerError if it refuses."""
        host, port = self.peers[to]
        marks = await self._show_marks()
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port, ssl=self._tls)
            end_when_cut(writer)
            try:
                greeting = Greeting(
                    VERSION, self.cluster_id, self.server, to, marks, self._client_urls, snapshot, lease
                )
                write_frame(writer, ENCODER.encode(greeting))
                answer = ANSWERS.decode(await read_frame(reader))
            except BaseException:
                writer.close()
                raise
        self._take_note(to, answer)
        if answer.refusal:
            writer.close()
            raise PeerError(answer.refusal)
        return reader, writer

    def _take_note(self, to: int, answer: Answer) -> None:
        """Remember who does not trust this server's folder."""
        self.distrusted_by.pop(to, None)
        if answer.is_distrusted:
            self.distrusted_by[to] = answer.refusal
            self.distrusted(self.distrusted_by)


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
        self._told, self._tell_again = "", 0.0
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
        wait = FIRST_WAIT
        while True:
            try:
                reader, self._writer = await self._dialler.dial(self._peer)
                logger.info("connected", peer=self._dialler.names[self._peer])
                wait, self._told = FIRST_WAIT, ""
                await reader.read(1)  # nothing comes, until the connection ends
            except NO_CONNECTION as error:
                self._tell(str(error) or type(error).__name__)
            finally:
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    def _tell(self, error: str) -> None:
        """Log why there is no connection, when that is new, and from time to time."""
        now = asyncio.get_running_loop().time()
        if error != self._told or now >= self._tell_again:
            self._told, self._tell_again = error, now + REMINDER
            peer, address = self._dialler.names[self._peer], self._dialler.peers[self._peer]
            logger.warning("no connection", peer=peer, address=address, error=error)
