"""What a node needs of the world: a disk and a network. Real ones are folders and sockets; tests have others."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from raftimpl.errors import RaftError
from raftimpl.messages import Message
from raftimpl.state import DurableState
from raftimpl.step import Persist


class DiskError(RaftError):
    """The disk cannot be relied on: full, damaged, or in use. The text says what, where, and what to do.

    A node that meets it while it runs must stop: it cannot know what of its last writes is durable.
    """


class MissingSnapshotError(DiskError):
    """There is no snapshot of that name: none was stored, or it was replaced. Nothing is wrong with the disk."""


class Disk(Protocol):
    """One server's durable state: what the core persists, snapshots of the state machine, and how often it was started.

    Records are numbered from 1 on, through the whole life of the folder.
    """

    durable: DurableState
    """What was durable when the disk was opened."""

    @property
    def incarnation(self) -> int:
        """The how many-th opening this is, from 1 on; durable before the disk is handed out."""

    @property
    def records(self) -> int:
        """The number of the last record that was found, or appended since."""

    def append(self, write: Persist) -> int:
        """Take a write into the next sync; return its record's number."""

    async def sync(self) -> None:
        """Make everything appended so far durable, in its order. Raises DiskError."""

    async def save_snapshot(self, index: int, chunks: Iterator[bytes]) -> bytes:
        """Store a state machine as it was after the entry at `index`, durably; return its name. Raises DiskError.

        Names have the order of their indexes. The chunks are taken in another thread.
        """

    def read_snapshot(self, name: bytes) -> Iterable[bytes]:
        """Return a state machine that was stored, piece by piece.

        Raises DiskError if it is damaged, MissingSnapshotError if it is not there (any more).
        """

    def discard_before(self, snapshot: bytes) -> None:
        """Remove the records and snapshots that are not needed now that this snapshot is in the durable state."""


class Listener(Protocol):
    """Who is told of what comes from the other servers: the node."""

    @property
    def has_room(self) -> bool:
        """Whether more should be received now; if not, it can wait where it is."""

    def receive(self, sender: int, message: Message, clock: int) -> None:
        """Take a message, and its sender's logical clock when it was sent."""

    def heard_from(self, sender: int) -> None:
        """Note that a server is at work on something long, like sending a snapshot."""

    def remaining_ttl(self, lease: int) -> float | None:
        """Return the seconds that a lease still lasts; None if that is for another server to say."""

    def lost(self, sender: int) -> None:
        """Note that the way from a server has ended: it may have died. It may be there again soon."""

    def distrusted(self, by: Mapping[int, str]) -> None:
        """Note which servers do not count on this one because its disk is not what it was, and what they say."""


class Transport(Protocol):
    """The way to the other servers. Messages may be lost, repeated and overtaken."""

    def send(self, to: int, message: Message, clock: int) -> None:
        """Send a message, soon or never; returns at once. What an InstallSnapshot names is brought along."""

    def start(self, listener: Listener) -> None:
        """Begin to hand over what arrives."""
