"""What the API needs of the server behind it. A whole node is one; tests have one that is a store alone."""

from typing import NamedTuple, Protocol

from raftimpl.store.requests import Range, RangeResponse, Response, Txn, TxnResponse, Write


class Member(NamedTuple):
    """A server of the cluster as clients see it; ids are unsigned 64-bit numbers, never 0."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]


class Status(NamedTuple):
    """What a server knows of itself. `leader` is a member's id, 0 if none is known; `db_size` in bytes."""

    leader: int
    raft_term: int
    raft_index: int
    raft_applied_index: int
    db_size: int


class Backend(Protocol):
    """A server. Everything but the three coroutines answers at once from what the server has."""

    cluster_id: int
    member_id: int

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
        """Return when the store's revision is greater than `revision`, or this server's leader has become another."""

    def read(self, request: Range | Txn) -> RangeResponse | TxnResponse:
        """Answer a request that only reads, from the store as it is here. Raises RequestError."""

    def changes(self, from_revision: int, most: int) -> "object":
        """See `raftimpl.store.store.Store.changes`."""

    def remaining_ttl(self, lease: int) -> int:
        """Return the seconds that a lease still has."""

    def status(self) -> Status:
        """Return what the server knows of itself."""

    def members(self) -> tuple[Member, ...]:
        """Return all servers of the cluster."""
