"""What the API needs of the server behind it. A whole node is one; tests have one that is a store alone."""

from typing import NamedTuple, Protocol

from raftimpl.store.requests import Response, Write
from raftimpl.store.store import Store


class Member(NamedTuple):
    """A server of the cluster as clients see it; ids are unsigned 64-bit numbers, never 0."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]


class Status(NamedTuple):
    """What a server knows of its log and disk; `db_size` in bytes."""

    raft_index: int
    raft_applied_index: int
    db_size: int


class Histogram(NamedTuple):
    """How often what was measured was at most each bound, in ascending order and not counting the lower ones again.

    `counts` has one more number than `bounds`, for what exceeded them all. Bounds and sum in seconds.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class Measurements(NamedTuple):
    """What a server has counted since it started."""

    leader_changes: int
    proposals_committed: int
    proposals_applied: int
    proposals_pending: int
    proposals_failed: int
    wal_fsync: Histogram


class Backend(Protocol):
    """A server. Everything but the coroutines answers at once from what the server has."""

    cluster_id: int
    member_id: int

    @property
    def store(self) -> Store:
        """The store as it is here, to read from; another object after a snapshot was installed."""

    @property
    def raft_term(self) -> int:
        """The current term."""

    @property
    def leader(self) -> int:
        """The leader's member id; 0 if none is known."""

    async def write(self, request: Write) -> Response:
        """Carry out a write by way of the log; return its answer when this server has applied it.

        Raises RequestError for what the store refuses, when no leader is known, and when no answer comes in time.
        """

    async def confirm_read(self) -> None:
        """Return when everything is applied here that was acknowledged anywhere before the call (ReadIndex).

        Raises RequestError when no leader is known, and when no answer comes in time.
        """

    async def move_leader(self, member: int) -> None:
        """Make another member the leader; return when it is. Raises RequestError as etcd does."""

    async def wait_for_change(self, revision: int) -> None:
        """Return when the store's revision is greater than `revision`."""

    async def remaining_ttl(self, lease: int) -> float:
        """Return the seconds that a lease of the store still has; the leader knows, so it may take a message.

        Raises RequestError when no leader is known, and when no answer comes in time.
        """

    def status(self) -> Status:
        """Return what the server knows of its log and disk."""

    def measurements(self) -> Measurements:
        """Return what the server has counted."""

    def members(self) -> tuple[Member, ...]:
        """Return all servers of the cluster."""
