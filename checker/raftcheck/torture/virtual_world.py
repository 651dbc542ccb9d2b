"""A disk and a network that exist in memory only, with every fault that real ones have."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from raftimpl.codec import decode_message, encode_message
from raftimpl.messages import InstallSnapshot, Message
from raftimpl.rules import persisted
from raftimpl.running.ports import DiskError, Listener, MissingSnapshotError
from raftimpl.state import DurableState
from raftimpl.step import Persist

FASTEST_SYNC = 0.0001
USUAL_SYNC = 0.005
"""Seconds that a sync takes at least, and at most if the disk is well."""


@dataclass
class VirtualDisk:
    """What survives its server. `open` is called at every start, `crash` at every end."""

    random: Random
    slowest_sync: float = USUAL_SYNC
    durable: DurableState = field(default_factory=DurableState)
    incarnation: int = 0
    records: int = 0
    is_full: bool = False
    within_sync: Callable[[], None] | None = None
    """Called once, in the middle of the next sync, which never ends."""
    _snapshots: dict[bytes, bytes] = field(default_factory=dict)
    _synced_records: int = 0
    _appended: list[Persist] = field(default_factory=list)
    _crashed: asyncio.Event = field(default_factory=asyncio.Event)

    def open(self) -> "VirtualDisk":
        """Begin another life of the server."""
        self.incarnation += 1
        return self

    def crash(self) -> None:
        """Lose what was not synced, or only the end of it: a batch may have been torn."""
        self._crashed.set()
        self._crashed = asyncio.Event()
        self.within_sync = None
        self._settle(self.random.randint(0, len(self._appended)))
        self._appended.clear()
        self.records = self._synced_records

    def append(self, write: Persist) -> int:
        """Take a write into the next sync."""
        self._appended.append(write)
        self.records += 1
        return self.records

    async def sync(self) -> None:
        """Make durable what was appended before, after a while."""
        count = len(self._appended)
        await self._take_time()
        self._settle(count)

    async def _take_time(self) -> None:
        """Let the time of a write pass. Raises DiskError if the disk is full, or its server has crashed meanwhile."""
        crashed, notify, self.within_sync = self._crashed, self.within_sync, None
        await asyncio.sleep(self.random.uniform(FASTEST_SYNC, self.slowest_sync))
        if notify:
            notify()
            await crashed.wait()
        if crashed.is_set():
            raise DiskError("the server has crashed")
        if self.is_full:
            raise DiskError("no space left on the virtual disk")

    def _settle(self, count: int) -> None:
        for write in self._appended[:count]:
            self.durable = persisted(self.durable, write)
            self._synced_records += 1
        del self._appended[:count]

    async def save_snapshot(self, index: int, chunks: Iterator[bytes]) -> bytes:
        """Store a state machine."""
        content = b"".join(chunks)
        await self._take_time()
        name = b"%016x-%s" % (index, hashlib.sha256(content).hexdigest().encode())
        self._snapshots[name] = content
        return name

    def store_snapshot(self, name: bytes, content: bytes) -> None:
        """Store what another server has sent."""
        self._snapshots[name] = content

    def read_snapshot(self, name: bytes) -> Iterable[bytes]:
        """Return a state machine."""
        if name not in self._snapshots:
            raise MissingSnapshotError(f"there is no snapshot {name!r}")
        return [self._snapshots[name]]

    def discard_before(self, snapshot: bytes) -> None:
        """Remove earlier snapshots."""
        for name in [name for name in self._snapshots if name < snapshot]:
            del self._snapshots[name]


@dataclass
class Weather:
    """What the network does to messages: shares of 1, and seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    fastest: float = 0.0002
    slowest: float = 0.002


Link = tuple[int, int]
"""From one server to another; links are one-way."""


class VirtualNetwork:
    """Carries messages between the servers that are up."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.weather = Weather()
        self.cut: set[Link] = set()
        self.disks: dict[int, VirtualDisk] = {}
        self._listeners: dict[int, Listener] = {}
        self.delivered = 0

    def connect(self, server: int, listener: Listener) -> None:
        """Let a server receive; what is on its way to an earlier life of it may still arrive."""
        self._listeners[server] = listener

    def disconnect(self, server: int) -> None:
        """Let a server receive nothing. The others notice that it is gone, if they are not cut off from it."""
        self._listeners.pop(server, None)
        loop = asyncio.get_running_loop()
        for other in self._listeners:
            loop.call_later(self.random.uniform(self.weather.fastest, self.weather.slowest), self._lose, server, other)

    def _lose(self, sender: int, to: int) -> None:
        if to in self._listeners and (sender, to) not in self.cut:
            self._listeners[to].lost(sender)

    def send(self, sender: int, to: int, message: Message, clock: int) -> None:
        """Let a message arrive later, once, twice or never, in any order."""
        if (sender, to) in self.cut or self.random.random() < self.weather.loss:
            return
        encoded, loop = encode_message(message), asyncio.get_running_loop()
        copies = 1 + (self.random.random() < self.weather.duplication)
        for _ in range(copies):
            delay = self.random.uniform(self.weather.fastest, self.weather.slowest)
            if isinstance(message, InstallSnapshot):
                delay *= 3
                loop.call_later(delay / 2, self._be_heard, sender, to)
            loop.call_later(delay, self._arrive, sender, to, encoded, clock)

    def _be_heard(self, sender: int, to: int) -> None:
        """Let a server notice that a snapshot is on its way."""
        if to in self._listeners and (sender, to) not in self.cut:
            self._listeners[to].heard_from(sender)

    def _arrive(self, sender: int, to: int, encoded: bytes, clock: int) -> None:
        if to not in self._listeners or (sender, to) in self.cut:
            return
        message = decode_message(encoded)
        if isinstance(message, InstallSnapshot) and not self._copy_snapshot(sender, to, message.snapshot.content):
            return  # its sender has a newer one by now
        self.delivered += 1
        self._listeners[to].receive(sender, message, clock)

    def _copy_snapshot(self, sender: int, to: int, name: bytes) -> bool:
        try:
            content = b"".join(self.disks[sender].read_snapshot(name))
        except MissingSnapshotError:
            return False
        self.disks[to].store_snapshot(name, content)
        return True


class VirtualTransport:
    """One server's side of the network."""

    def __init__(self, network: VirtualNetwork, server: int) -> None:
        self._network, self._server = network, server

    def send(self, to: int, message: Message, clock: int) -> None:
        """Send a message."""
        self._network.send(self._server, to, message, clock)

    def start(self, listener: Listener) -> None:
        """Begin to receive."""
        self._network.connect(self._server, listener)
