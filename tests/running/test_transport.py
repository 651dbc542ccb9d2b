"""Messages between servers over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest

from raftimpl.messages import AppendEntries, Entry, InstallSnapshot, Message, RequestVote, Snapshot
from raftimpl.running.dialling import Dialler
from raftimpl.running.frames import read_frame, write_frame
from raftimpl.running.greetings import ANSWERS, ENCODER, LONGEST_GREETING, VERSION, Answer, Greeting, PeerError
from raftimpl.running.transport import MOST_STRANGERS, TcpTransport

CLUSTER = 0xC1
NAMES = ("s1", "s2")


class Storage:
    """Keeps snapshots in memory."""

    def __init__(self) -> None:
        self.kept: dict[bytes, bytes] = {}
        self.needed_mark = 1

    async def show_marks(self) -> tuple[int, ...]:
        return (1, 2)

    async def meet(self, server: int, marks: Sequence[int]) -> bool:
        return self.needed_mark in marks

    def read_snapshot(self, name: bytes) -> Iterable[bytes]:
        content = self.kept[name]
        return [content[at : at + 1000] for at in range(0, len(content), 1000)]

    async def receive_snapshot(self, name: bytes, chunks: AsyncIterator[bytes]) -> None:
        self.kept[name] = b"".join([chunk async for chunk in chunks])


class Peer:
    """A server that does nothing but send and receive."""

    def __init__(self, dialler: Dialler, transport: TcpTransport, storage: Storage) -> None:
        self.dialler, self.transport, self.storage = dialler, transport, storage
        self.received: asyncio.Queue[tuple[int, Message, int]] = asyncio.Queue()
        self.has_room = True
        self.distrusted_by: dict[int, str] = {}
        self.heard: list[int] = []
        self.missed: list[int] = []

    def receive(self, sender: int, message: Message, clock: int) -> None:
        self.received.put_nowait((sender, message, clock))

    def heard_from(self, sender: int) -> None:
        self.heard.append(sender)

    def remaining_ttl(self, lease: int) -> float | None:
        return {7: 2.5}.get(lease)

    def lost(self, sender: int) -> None:
        self.missed.append(sender)

    def distrusted(self, by: Mapping[int, str]) -> None:
        self.distrusted_by.update(by)

    async def next(self) -> tuple[int, Message, int]:
        async with asyncio.timeout(10):
            return await self.received.get()


@asynccontextmanager
async def pair(cluster_of_second: int = CLUSTER) -> AsyncIterator[tuple[Peer, Peer]]:
    peers = []
    for server, cluster in ((0, CLUSTER), (1, cluster_of_second)):
        storage = Storage()
        address = ("127.0.0.1", 0)
        dialler = Dialler(cluster, server, {1 - server: address}, NAMES, storage.show_marks, (f"http://c{server}:1",))
        transport = TcpTransport(dialler, storage)
        peers.append(Peer(dialler, transport, storage))
    first, second = peers
    for one, other in ((first, second), (second, first)):
        [address] = await one.transport.listen([("127.0.0.1", 0)])
        other.dialler.peers[one.dialler.server] = address
    try:
        for peer in peers:
            peer.transport.start(peer)
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
        sender.transport.send(receiver.dialler.server, message, clock)
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
        first.storage.kept[b"name"] = b"state" * 2_000
        message = InstallSnapshot(3, Snapshot(9, 2, b"name"))
        first.transport.send(1, message, 4)
        first.transport.send(1, message, 4)  # one is enough
        assert await second.next() == (0, message, 4)
        assert second.storage.kept == first.storage.kept
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


@on_a_loop
async def test_the_end_of_a_connection_is_told() -> None:
    async with pair() as (first, second):
        await sent_until_received(first, second, RequestVote(1, 0, 0))
        assert second.missed == []
        await first.transport.close()
        async with asyncio.timeout(10):
            while not second.missed:
                await asyncio.sleep(0.01)
        assert second.missed == [0]


@on_a_loop
async def test_what_comes_too_fast_waits_outside() -> None:
    async with pair() as (first, second):
        await sent_until_received(first, second, RequestVote(1, 0, 0))
        second.has_room = False
        for term in range(2, 50):
            first.transport.send(1, RequestVote(term, 0, 0), 7)
        await asyncio.sleep(0.2)
        assert second.received.qsize() <= 2
        second.has_room = True
        while (await second.next())[1].term < 49:
            pass


@on_a_loop
async def test_a_lease_is_asked_about() -> None:
    async with pair() as (first, second):
        assert await first.transport.remaining_ttl(1, 7) == 2.5
        assert await first.transport.remaining_ttl(1, 8) is None
        await second.transport.close()
        assert await first.transport.remaining_ttl(1, 7) is None


REFUSED: list[tuple[Greeting, str]] = [
    (Greeting(VERSION + 1, CLUSTER, 0, 1, (1,)), "the peer protocol here has version 1, there 2"),
    (Greeting(VERSION, 0xBAD, 0, 1, (1,)), "this server belongs to cluster c1, not bad"),
    (Greeting(VERSION, CLUSTER, 0, 2, (1,)), "this is s2; s1 looks for server 2"),
    (Greeting(VERSION, CLUSTER, 5, 1, (1,)), "this is s2; server 5 looks for s2"),
]


@pytest.mark.parametrize(("greeting", "text"), REFUSED, ids=lambda value: str(value)[:40])
def test_strangers_are_told_why_they_are_refused(greeting: Greeting, text: str) -> None:
    async def main() -> None:
        async with pair() as (first, _):
            host, port = first.dialler.peers[1]
            reader, writer = await asyncio.open_connection(host, port)
            write_frame(writer, ENCODER.encode(greeting))
            assert ANSWERS.decode(await read_frame(reader)) == Answer(text)
            writer.close()

    asyncio.run(main())


@on_a_loop
async def test_strangers_cannot_take_all_room() -> None:
    async with pair() as (first, second):
        await sent_until_received(first, second, RequestVote(1, 0, 0))
        address = first.dialler.peers[1]
        idle = [await asyncio.open_connection(*address) for _ in range(MOST_STRANGERS)]
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection(*address)
        assert await reader.read() == b""
        assert (await sent_until_received(first, second, RequestVote(2, 0, 0)))[1] == RequestVote(2, 0, 0)
        for _, each in [*idle, (reader, writer)]:
            each.close()


@on_a_loop
async def test_a_greeting_that_is_too_long_is_not_waited_for() -> None:
    async with pair() as (first, _):
        reader, writer = await asyncio.open_connection(*first.dialler.peers[1])
        writer.write((LONGEST_GREETING + 1).to_bytes(4))
        assert await reader.read() == b""
        writer.close()


@on_a_loop
async def test_servers_of_which_one_has_forgotten_do_not_talk() -> None:
    async with pair() as (first, second):
        second.storage.needed_mark = 3
        async with asyncio.timeout(10):
            while not first.distrusted_by:
                await asyncio.sleep(0.01)
        assert first.distrusted_by[1].startswith("s2 has met s1 with another data folder, or with a later state")
        assert second.distrusted_by == {}
        for _ in range(100):
            first.transport.send(1, RequestVote(1, 0, 0), 7)
            second.transport.send(0, RequestVote(1, 0, 0), 7)
            await asyncio.sleep(0.01)
        assert second.received.empty()
        assert first.received.qsize() < 100, "it has stopped to listen"
        with pytest.raises(PeerError, match="s2 does not trust the data folder of s1, so s1 does not listen to s2"):
            await second.dialler.dial(0)
        second.storage.needed_mark = 1
        assert await sent_until_received(first, second, RequestVote(2, 0, 0))
        while first.received.qsize():
            first.received.get_nowait()
        assert await sent_until_received(second, first, RequestVote(2, 0, 0))


@on_a_loop
async def test_a_server_of_another_cluster_is_not_talked_to() -> None:
    async with pair(cluster_of_second=0xC2) as (first, _):
        with pytest.raises(PeerError, match="this server belongs to cluster c2, not c1"):
            await first.dialler.dial(1)


@on_a_loop
async def test_garbage_ends_its_connection_and_nothing_else() -> None:
    async with pair() as (first, second):
        host, port = first.dialler.peers[1]
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\4junk", b"\xff" * 8):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(garbage)
            await reader.read()
            writer.close()
        assert (await sent_until_received(first, second, RequestVote(1, 0, 0)))[0] == 0
