"""Messages between servers over TCP.

Each server dials every other, and sends on that connection alone; what it receives comes on connections that others
have dialled. A message that cannot be sent at once, because there is no connection or the other side is slow to take
what was sent before, is lost, as Raft allows: its sender repeats what still matters.

A connection begins with a greeting, which names the cluster and both servers, and an answer to it: welcome, or why not.
Then come frames: four bytes of length, big-endian, and a message with its sender's logical clock, in MessagePack. A
snapshot goes by a connection of its own, in pieces that are acknowledged one by one. So does the question how long a
lease still lasts, which no part of Raft needs.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Annotated, Protocol

import msgspec

from raftimpl.errors import MalformedInputError, RaftError
from raftimpl.messages import InstallSnapshot, Message
from raftimpl.running.frames import read_frame, write_frame
from raftimpl.running.logs import logger
from raftimpl.running.ports import DiskError, Listener

Address = tuple[str, int]

VERSION = 1
LONGEST_WAIT = 1.0
"""Seconds between two attempts to connect, at most."""
FIRST_WAIT = 0.05
PATIENCE = 5.0
"""Seconds that a connection may take to be made and greeted, and a piece of a snapshot to be acknowledged."""
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

FORGETFUL = (
    "server {server} was here with another data folder, or with a later state of this one: what it has promised"
    " since then is forgotten, and acknowledged writes could be lost. Bring that folder back, or leave the server off"
)
"""Why a server is refused whose folder is new, or an old copy."""

BACKLOG = 1 << 20
"""Bytes that may wait to be sent to one server; what comes when there are more is lost."""


class Greeting(msgspec.Struct, frozen=True):
    """What a connection begins with. It is for the snapshot that is named, the lease that is asked about, or messages.

    `marks` are those of the sender's folder (see `raftimpl.running.openings`), `client_urls` is where its clients go.
    """

    version: int
    cluster_id: int
    sender: int
    to: int
    marks: Annotated[tuple[int, ...], msgspec.Meta(min_length=1)]
    client_urls: tuple[str, ...] = ()
    snapshot: bytes | None = None
    lease: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a greeting is answered with: why the connection is refused, "" if it is not.

    `must_stop` says that the server which has greeted cannot be trusted any more.
    """

    refusal: str = ""
    must_stop: bool = False


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """A message and its sender's logical clock."""

    clock: int
    message: Message


class PeerError(RaftError):
    """Another server will not talk to this one, or not in this way. The text says why."""


NO_CONNECTION = (OSError, EOFError, TimeoutError, PeerError, msgspec.DecodeError)
"""What is raised when another server cannot be reached, or does not answer as it should."""


class Storage(Protocol):
    """What the transport needs of the folder: snapshots, and by what servers know each other."""

    @property
    def marks(self) -> tuple[int, ...]:
        """The marks of this server's folder."""

    async def meet(self, server: int, marks: Sequence[int]) -> bool:
        """Tell whether another server's folder is the one that was here last, and remember it."""

    def read_snapshot(self, name: bytes) -> Iterable[bytes]:
        """Return one, piece by piece."""

    async def receive_snapshot(self, name: bytes, chunks: AsyncIterator[bytes]) -> None:
        """Store one that another server sends. Raises MalformedInputError if it is not what its name says."""


class Deaf:
    """The listener as long as there is no other: what arrives is lost."""

    has_room = True

    def receive(self, sender: int, message: Message, clock: int) -> None:
        """Lose a message."""

    def heard_from(self, sender: int) -> None:
        """Do nothing."""

    def remaining_ttl(self, lease: int) -> None:
        """Know nothing."""

    def lost(self, sender: int) -> None:
        """Do nothing."""

    def must_stop(self, reason: str) -> None:
        """Do nothing."""


ENCODER = msgspec.msgpack.Encoder()
GREETINGS: msgspec.msgpack.Decoder[Greeting] = msgspec.msgpack.Decoder(Greeting)
ANSWERS: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
SECONDS: msgspec.msgpack.Decoder[float | None] = msgspec.msgpack.Decoder(float | None)
ENVELOPES: msgspec.msgpack.Decoder[Envelope] = msgspec.msgpack.Decoder(Envelope)


class TcpTransport:
    """The way from one server to the others. `peers` tells where each other server listens."""

    def __init__(
        self,
        cluster_id: int,
        server: int,
        peers: dict[int, Address],
        storage: Storage,
        own_client_urls: tuple[str, ...] = (),
        dial_tls: ssl.SSLContext | None = None,
        listen_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.cluster_id, self.server, self.peers = cluster_id, server, peers
        self.own_client_urls = own_client_urls
        self.client_urls: dict[int, tuple[str, ...]] = {}
        """Where other servers' clients go, as far as they have said it."""
        self._storage, self._dial_tls, self._listen_tls = storage, dial_tls, listen_tls
        self._links = {peer: Link(self, peer, address) for peer, address in peers.items()}
        self._listener: Listener = Deaf()
        self._listeners: list[asyncio.Server] = []
        self._incoming: set[asyncio.Task[None]] = set()
        self._shipping: dict[int, asyncio.Task[None]] = {}

    async def listen(self, addresses: Iterable[Address]) -> list[Address]:
        """Accept connections at these addresses; return them, with the ports that were chosen for 0. Raises OSError."""
        for host, port in addresses:
            self._listeners.append(await asyncio.start_server(self._accept, host, port, ssl=self._listen_tls))
        return [each.getsockname()[:2] for listener in self._listeners for each in listener.sockets]

    def start(self, listener: Listener) -> None:
        """Begin to dial, and to hand over what arrives."""
        self._listener = listener
        for link in self._links.values():
            link.start()

    def send(self, to: int, message: Message, clock: int) -> None:
        """Send a message, or lose it."""
        if isinstance(message, InstallSnapshot):
            self._ship_later(to, message, clock)
        else:
            self._links[to].send(clock, message)

    async def close(self) -> None:
        """Close all connections."""
        for listener in self._listeners:
            listener.close()
        tasks = [*self._incoming, *self._shipping.values(), *(link.task for link in self._links.values() if link.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What others send

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._incoming.add(task)
        task.add_done_callback(self._incoming.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet, then take what comes until the connection ends."""
        end_when_cut(writer)
        try:
            async with asyncio.timeout(PATIENCE):
                greeting = await read_frame(reader)
            answer = await self._answer(greeting)
            write_frame(writer, ENCODER.encode(answer))
            if answer.refusal:
                remote = writer.get_extra_info("peername")
                logger.warning("a connection was refused", reason=answer.refusal, remote=remote)
                await writer.drain()
                return
            known = GREETINGS.decode(greeting)
            self.client_urls[known.sender] = known.client_urls
            if known.lease is not None:
                write_frame(writer, ENCODER.encode(self._listener.remaining_ttl(known.lease)))
                await writer.drain()
            elif known.snapshot is not None:
                await self._take_snapshot(known.sender, known.snapshot, reader, writer)
            else:
                await self._take_messages(known.sender, reader)
        except (OSError, EOFError, TimeoutError, msgspec.DecodeError, MalformedInputError, DiskError) as error:
            logger.debug("a connection ended", error=str(error) or type(error).__name__)
        finally:
            writer.close()

    async def _answer(self, encoded: bytes) -> Answer:
        """Return what to say to whoever has greeted so."""
        refusal = self._refusal(encoded)
        if refusal:
            return Answer(refusal)
        greeting = GREETINGS.decode(encoded)
        if not await self._storage.meet(greeting.sender, greeting.marks):
            return Answer(FORGETFUL.format(server=greeting.sender), must_stop=True)
        return Answer()

    def _refusal(self, encoded: bytes) -> str:
        """Return why this server does not talk to whoever has greeted so; nothing if it does."""
        try:
            greeting = GREETINGS.decode(encoded)
        except msgspec.DecodeError:
            return "this is the peer port of a raftproof server; clients have another one"
        if greeting.version != VERSION:
            return f"the peer protocol here has version {VERSION}, there {greeting.version}"
        if greeting.cluster_id != self.cluster_id:
            return f"this server belongs to cluster {self.cluster_id:x}, not {greeting.cluster_id:x}"
        if greeting.to != self.server or greeting.sender not in self.peers:
            return f"this is server {self.server}; server {greeting.sender} looks for server {greeting.to}"
        return ""

    async def _take_messages(self, sender: int, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                envelope = ENVELOPES.decode(await read_frame(reader, lambda: self._listener.heard_from(sender)))
                self._listener.receive(sender, envelope.message, envelope.clock)
                while not self._listener.has_room:
                    await asyncio.sleep(FIRST_WAIT)
        finally:
            self._listener.lost(sender)

    async def _take_snapshot(
        self, sender: int, name: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Store a snapshot, then hand over the message that names it."""

        async def chunks() -> AsyncIterator[bytes]:
            while chunk := await read_frame(reader):
                yield chunk
                self._listener.heard_from(sender)
                write_frame(writer, b"")

        await self._storage.receive_snapshot(name, chunks())
        envelope = ENVELOPES.decode(await read_frame(reader))
        self._listener.receive(sender, envelope.message, envelope.clock)

    # Snapshots for others

    def _ship_later(self, to: int, message: InstallSnapshot, clock: int) -> None:
        """Begin to send a snapshot, unless one is on its way."""
        if to in self._shipping:
            return
        task = asyncio.get_running_loop().create_task(self._ship(to, message, clock))
        self._shipping[to] = task
        task.add_done_callback(lambda _: self._shipping.pop(to))

    async def _ship(self, to: int, message: InstallSnapshot, clock: int) -> None:
        name = message.snapshot.content
        try:
            reader, writer = await self.dial(to, name)
        except NO_CONNECTION:
            return
        try:
            for chunk in self._storage.read_snapshot(name):
                write_frame(writer, chunk)
                await writer.drain()
                async with asyncio.timeout(PATIENCE):
                    await read_frame(reader)
                self._listener.heard_from(to)
            write_frame(writer, b"")
            write_frame(writer, ENCODER.encode(Envelope(clock, message)))
            await writer.drain()
            logger.info("a snapshot was sent", to=to, index=message.snapshot.last_included_index)
            writer.close()
            await asyncio.sleep(PATIENCE)  # it is being read there; the next one is sent only if that fails
        except (OSError, EOFError, TimeoutError, DiskError) as error:
            logger.warning("a snapshot was not sent", to=to, error=str(error) or type(error).__name__)
        finally:
            writer.close()

    async def remaining_ttl(self, to: int, lease: int) -> float | None:
        """Ask a server how many seconds a lease still lasts; None if it does not answer, or does not lead."""
        try:
            reader, writer = await self.dial(to, lease=lease)
            try:
                async with asyncio.timeout(PATIENCE):
                    return SECONDS.decode(await read_frame(reader))
            finally:
                writer.close()
        except NO_CONNECTION:
            return None

    async def dial(
        self, to: int, snapshot: bytes | None = None, lease: int | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a server and greet it. Raises what is in NO_CONNECTION; PeerError if it refuses."""
        host, port = self.peers[to]
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host, port, ssl=self._dial_tls)
            end_when_cut(writer)
            try:
                marks, urls = self._storage.marks, self.own_client_urls
                greeting = Greeting(VERSION, self.cluster_id, self.server, to, marks, urls, snapshot, lease)
                write_frame(writer, ENCODER.encode(greeting))
                answer = ANSWERS.decode(await read_frame(reader))
            except BaseException:
                writer.close()
                raise
        if answer.refusal:
            writer.close()
            if answer.must_stop:
                self._listener.must_stop(answer.refusal)
            raise PeerError(answer.refusal)
        return reader, writer


def end_when_cut(writer: asyncio.StreamWriter) -> None:
    """Let a connection end soon after the network between its ends is gone."""
    connection: socket.socket = writer.get_extra_info("socket")
    for option in SOCKET_OPTIONS:
        connection.setsockopt(*option)


class Link:
    """A server's own connection to another one, made again whenever it breaks."""

    def __init__(self, transport: TcpTransport, peer: int, address: Address) -> None:
        self._transport, self._peer, self._address = transport, peer, address
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
                reader, self._writer = await self._transport.dial(self._peer)
                logger.info("connected", peer=self._peer)
                wait, told = FIRST_WAIT, ""
                await reader.read(1)  # nothing comes, until the connection ends
            except NO_CONNECTION as error:
                if str(error) != told:
                    told = str(error)
                    logger.warning("no connection", peer=self._peer, address=self._address, error=told)
            finally:
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
