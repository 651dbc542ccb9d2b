"""The store: etcd's data model. It changes in place, and by what it is asked alone, so that all servers have the same.

A single thread uses it; what it has answered and frozen never changes.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from raftimpl.store import errors, freezing
from raftimpl.store.checks import check, is_read_only
from raftimpl.store.contents import Contents
from raftimpl.store.errors import RequestError
from raftimpl.store.freezing import Frozen
from raftimpl.store.leases import Lease
from raftimpl.store.operations import (
    compact,
    delete_range,
    expire_lease,
    grant_lease,
    keep_lease_alive,
    put,
    revoke_lease,
)
from raftimpl.store.ranges import read_range
from raftimpl.store.requests import (
    Compact,
    DeleteRange,
    Event,
    LeaseExpire,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
    Range,
    RangeResponse,
    Response,
    Txn,
    TxnResponse,
    Write,
)
from raftimpl.store.transactions import run_transaction

WRITES: dict[type, Callable[[Contents, Any], Response]] = {
    Put: put,
    DeleteRange: delete_range,
    Txn: run_transaction,
    Compact: compact,
    LeaseGrant: grant_lease,
    LeaseRevoke: revoke_lease,
    LeaseKeepAlive: keep_lease_alive,
    LeaseExpire: expire_lease,
}


class Store:
    """Keys with all their versions since the last compaction, and leases."""

    def __init__(self, contents: Contents | None = None) -> None:
        self._contents = contents or Contents()

    @property
    def revision(self) -> int:
        """The revision of the last change; 1 when nothing has changed yet."""
        return self._contents.revision

    @property
    def compact_revision(self) -> int:
        """The oldest revision that can be read; -1 if everything can."""
        return self._contents.compact_revision

    @property
    def size(self) -> int:
        """About how many bytes the store takes, history included."""
        return self._contents.size

    def apply(self, request: Write) -> Response:
        """Carry out a write. Raises RequestError if it is refused; then nothing has changed.

        A compaction takes time in proportion to what it forgets, all else in proportion to the keys that it is about.
        """
        check(request)
        try:
            response = WRITES[type(request)](self._contents, request)
        except RequestError:
            self._contents.roll_back()
            raise
        self._contents.commit()
        return response

    def read(self, request: Range | Txn) -> RangeResponse | TxnResponse:
        """Answer a request that only reads (`is_read_only`). Raises RequestError if it is refused."""
        check(request)
        if isinstance(request, Range):
            return read_range(self._contents, request)
        if not is_read_only(request):
            raise TypeError("a transaction that writes is applied, not read")
        return run_transaction(self._contents, request)

    def changes(self, from_revision: int, most: int) -> Sequence[tuple[int, Sequence[Event]]]:
        """Return revisions with their changes, from one on: whole revisions, and at most about `most` changes.

        There is at least one revision if there are any. Every event has the version before it, if there was one.
        Takes time in proportion to the result. Raises RequestError if the revision is compacted; the changes of the
        compacted revision itself are still known.
        """
        if from_revision < self.compact_revision:
            raise errors.compacted()
        return self._contents.changes(from_revision, most)

    def lease(self, id: int) -> Lease | None:
        """Return a lease, if there is one under this id."""
        return self._contents.leases.find(id)

    def renewal(self, id: int) -> int | None:
        """Return a lease's `renewal`, however many keys it has; None if there is no lease under this id."""
        return self._contents.leases.renewal(id)

    def leases(self) -> Sequence[int]:
        """Return the ids of all leases, the oldest first."""
        return tuple(self._contents.leases)

    def hash(self, revision: int = 0) -> int:
        """Return a number of 32 bits that is equal where the store's keys are, up to a revision; 0 means the newest.

        To be compared between stores that are compacted at the same revision. Takes time in proportion to all that
        the store holds. Raises RequestError if the revision is compacted, or not there yet.
        """
        if 0 < revision <= self.compact_revision:
            raise errors.compacted()
        if revision > self.revision:
            raise errors.future_revision()
        return self.freeze().hash(revision or self.revision)

    def freeze(self) -> Frozen:
        """Return the store as it is now, to be encoded while it goes on changing. Takes some 0.1 us a key."""
        return Frozen(self._contents)


def thaw(chunks: Iterable[bytes]) -> Store:
    """Return the store that was frozen. Raises MalformedInputError for bytes that are none."""
    return Store(freezing.thaw(chunks))
