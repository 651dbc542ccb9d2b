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
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import msgspec

from raftimpl.errors import MalformedInputError
from raftimpl.messages import InstallSnapshot, Message
from raftimpl.running.dialling import FIRST_WAIT, PATIENCE, Address, Dialler, Link, end_when_cut
from raftimpl.running.frames import read_frame, write_frame
from raftimpl.running.greetings import (
    ENCODER,
    ENVELOPES,
    ESTRANGED,
    FORGETFUL,
    GREETINGS,
    LONGEST_GREETING,
    NO_CONNECTION,
    SECONDS,
    Answer,
    Envelope,
    refusal,
)
from raftimpl.running.logs import logger
from raftimpl.running.ports import DiskError, Listener

MOST_STRANGERS = 64
"""Connections that may be open and not greeted yet; more are closed at once."""


class Storage(Protocol):
    """What the transport needs of the folder: snapshots, and by what servers know each other."""

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

    def distrusted(self, by: Mapping[int, str]) -> None:
        """Do nothing."""


class TcpTransport:
    """The way from one server to the others. With `tls` whoever connects must speak it."""

    def __init__(self, dialler: Dialler, storage: Storage, tls: ssl.SSLContext | None = None) -> None:
        self.client_urls: dict[int, tuple[str, ...]] = {}
        """Where other servers' clients go, as far as they have said it."""
        self._dialler, self._storage, self._tls = dialler, storage, tls
        self._names = dialler.names
        self._links = {peer: Link(dialler, peer) for peer in dialler.peers}
        self._listener: Listener = Deaf()
        self._accepting: list[asyncio.Server] = []
        self._incoming: set[asyncio.Task[None]] = set()
        self._strangers = 0
        self._shipping: dict[int, asyncio.Task[None]] = {}

    async def listen(self, addresses: Iterable[Address]) -> list[Address]:
        """Accept connections at these addresses; return them, with the ports that were chosen for 0. Raises OSError."""
        for host, port in addresses:
            patience = PATIENCE if self._tls else None
            accepting = await asyncio.start_server(
                self._accept, host, port, ssl=self._tls, ssl_handshake_timeout=patience
            )
            self._accepting.append(accepting)
        return [each.getsockname()[:2] for accepting in self._accepting for each in accepting.sockets]

    def start(self, listener: Listener) -> None:
        """Begin to dial, and to hand over what arrives."""
        self._listener, self._dialler.distrusted = listener, listener.distrusted
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
        for accepting in self._accepting:
            accepting.close()
        tasks = [*self._incoming, *self._shipping.values(), *(link.task for link in self._links.values() if link.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What others send

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._strangers >= MOST_STRANGERS:
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._incoming.add(task)
        task.add_done_callback(self._incoming.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet, then take what comes until the connection ends."""
        end_when_cut(writer)
        try:
            greeting = await self._greeting(reader)
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

    async def _greeting(self, reader: asyncio.StreamReader) -> bytes:
        """Return what a stranger says first."""
        self._strangers += 1
        try:
            async with asyncio.timeout(PATIENCE):
                return await read_frame(reader, longest=LONGEST_GREETING)
        finally:
            self._strangers -= 1

    async def _answer(self, encoded: bytes) -> Answer:
        """Return what to say to whoever has greeted so."""
        refused = refusal(encoded, self._dialler.cluster_id, self._dialler.server, self._names)
        if refused:
            return Answer(refused)
        greeting = GREETINGS.decode(encoded)
        sender = greeting.sender
        says = partial(str.format, me=self._names[self._dialler.server], sender=self._names[sender])
        if not await self._storage.meet(sender, greeting.marks):
            return Answer(says(FORGETFUL), is_distrusted=True)
        if sender in self._dialler.distrusted_by:
            return Answer(says(ESTRANGED))
        return Answer()

    async def _take_messages(self, sender: int, reader: asyncio.StreamReader) -> None:
        try:
            while sender not in self._dialler.distrusted_by:
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
            reader, writer = await self._dialler.dial(to, name)
        except NO_CONNECTION:
            return
        try:
            for chunk in await asyncio.to_thread(self._storage.read_snapshot, name):
                write_frame(writer, chunk)
                await writer.drain()
                async with asyncio.timeout(PATIENCE):
                    await read_frame(reader)
                self._listener.heard_from(to)
            write_frame(writer, b"")
            write_frame(writer, ENCODER.encode(Envelope(clock, message)))
            await writer.drain()
            logger.info("a snapshot was sent", to=self._names[to], index=message.snapshot.last_included_index)
            writer.close()
            await asyncio.sleep(PATIENCE)  # it is being read there; the next one is sent only if that fails
        except (OSError, EOFError, TimeoutError, DiskError) as error:
            logger.warning("a snapshot was not sent", to=self._names[to], error=str(error) or type(error).__name__)
        finally:
            writer.close()

    async def remaining_ttl(self, to: int, lease: int) -> float | None:
        """Ask a server how many seconds a lease still lasts; None if it does not answer, or does not lead."""
        try:
            reader, writer = await self._dialler.dial(to, lease=lease)
            try:
                async with asyncio.timeout(PATIENCE):
                    return SECONDS.decode(await read_frame(reader))
            finally:
                writer.close()
        except NO_CONNECTION:
            return None
