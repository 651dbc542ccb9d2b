"""Messages between servers over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import pytest

from raftimpl.messages import AppendEntries, Entry, InstallSnapshot, Message, RequestVote, Snapshot
from raftimpl.running.frames import read_frame, write_frame
from raftimpl.running.transport import ENCODER, VERSION, Greeting, PeerError, TcpTransport

CLUSTER = 0xC1


class Snapshots:
    """Keeps snapshots in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}

    def read_snapshot(self, name: bytes) -> Iterable[bytes]:
        content = self.kept[name]
        return [content[at : at + 1000] for at in range(0, len(content), 1000)]

    async def receive_snapshot(self, name: bytes, chunks: AsyncIterator[bytes]) -> None:
        self.kept[name] = b"".join([chunk async for chunk in chunks])


class Peer:
    """A server that does nothing but send and receive."""

    def __init__(self, transport: TcpTransport, snapshots: Snapshots) -> None:
        self.transport, self.snapshots = transport, snapshots
        self.received: asyncio.Queue[tuple[int, Message, int]] = asyncio.Queue()
        self.heard: list[int] = []

    async def next(self) -> tuple[int, Message, int]:
        async with asyncio.timeout(10):
            return await self.received.get()


@asynccontextmanager
async def pair(cluster_of_second: int = CLUSTER) -> AsyncIterator[tuple[Peer, Peer]]:
    peers = []
    for server, cluster in ((0, CLUSTER), (1, cluster_of_second)):
        snapshots = Snapshots()
        transport = TcpTransport(cluster, server, {1 - server: ("127.0.0.1", 0)}, snapshots, (f"http://c{server}:1",))
        peers.append(Peer(transport, snapshots))
    first, second = peers
    for one, other in ((first, second), (second, first)):
        [address] = await one.transport.listen([("127.0.0.1", 0)])
        other.transport.peers[one.transport.server] = address
    try:
        for peer in peers:
            peer.transport.start(lambda *got, to=peer: to.received.put_nowait(got), peer.heard.append)
        yield first, second
    finally:
        for peer in peers:
            await peer.transport.close()


def on_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def wrapped() -> None:
        async def main() -> None:
            async with asyncio.timeout(30):
                await test()

        asyncio.run(main())

    wrapped.__name__ = test.__name__
    return wrapped


async def sent_until_received(
    sender: Peer, receiver: Peer, message: Message, clock: int = 7
) -> tuple[int, Message, int]:
    """Send until there is a connection: what is sent before is lost."""
    while receiver.received.empty():
        sender.transport.send(receiver.transport.server, message, clock)
        await asyncio.sleep(0.01)
    return await receiver.next()


@on_a_loop
async def test_messages_arrive_as_they_were_sent_in_both_directions() -> None:
    async with pair() as (first, second):
        assert await sent_until_received(first, second, RequestVote(3, 2, 1)) == (0, RequestVote(3, 2, 1), 7)
        large = AppendEntries(3, 2, 1, tuple(Entry(3, b"x" * 100_000) for _ in range(30)))
        assert await sent_until_received(second, first, large, 9) == (1, large, 9)


@on_a_loop
async def test_clients_addresses_are_told() -> None:
    async with pair() as (first, second):
        await sent_until_received(first, second, RequestVote(1, 0, 0))
        assert second.transport.client_urls == {0: ("http://c0:1",)}


@on_a_loop
async def test_a_snapshot_is_brought_along_with_its_message_and_is_heard_of_on_the_way() -> None:
    async with pair() as (first, second):
        first.snapshots.kept[b"name"] = b"state" * 2_000
        message = InstallSnapshot(3, Snapshot(9, 2, b"name"))
        first.transport.send(1, message, 4)
        first.transport.send(1, message, 4)  # one is enough
        assert await second.next() == (0, message, 4)
        assert second.snapshots.kept == first.snapshots.kept
        assert second.heard == [0] * 10
        assert first.heard == [1] * 10
        await asyncio.sleep(0.05)
        assert second.received.empty()


@on_a_loop
async def test_a_connection_that_breaks_is_made_again() -> None:
    async with pair() as (first, second):
        await sent_until_received(first, second, RequestVote(1, 0, 0))
        for task in list(second.transport._incoming):
            task.cancel()
        while not second.received.empty():
            second.received.get_nowait()
        await asyncio.sleep(0.05)
        assert (await sent_until_received(first, second, RequestVote(2, 0, 0)))[1] == RequestVote(2, 0, 0)


REFUSED: list[tuple[Greeting, str]] = [
    (Greeting(VERSION + 1, CLUSTER, 0, 1), "the peer protocol here has version 1, there 2"),
    (Greeting(VERSION, 0xBAD, 0, 1), "this server belongs to cluster c1, not bad"),
    (Greeting(VERSION, CLUSTER, 0, 2), "this is server 1; server 0 looks for server 2"),
    (Greeting(VERSION, CLUSTER, 5, 1), "this is server 1; server 5 looks for server 1"),
]


@pytest.mark.parametrize(("greeting", "text"), REFUSED, ids=lambda value: str(value)[:40])
def test_strangers_are_told_why_they_are_refused(greeting: Greeting, text: str) -> None:
    async def main() -> None:
        async with pair() as (first, _):
            host, port = first.transport.peers[1]
            reader, writer = await asyncio.open_connection(host, port)
            write_frame(writer, ENCODER.encode(greeting))
            assert (await read_frame(reader)).decode() == text
            writer.close()

    asyncio.run(main())


@on_a_loop
async def test_a_server_of_another_cluster_is_not_talked_to() -> None:
    async with pair(cluster_of_second=0xC2) as (first, _):
        with pytest.raises(PeerError, match="this server belongs to cluster c2, not c1"):
            await first.transport.dial(1)


@on_a_loop
async def test_garbage_ends_its_connection_and_nothing_else() -> None:
    async with pair() as (first, second):
        host, port = first.transport.peers[1]
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\4junk", b"\xff" * 8):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(garbage)
            await reader.read()
            writer.close()
        assert (await sent_until_received(first, second, RequestVote(1, 0, 0)))[0] == 0
