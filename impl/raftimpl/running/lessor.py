"""When leases end. The store knows how long they last; the leader keeps the time, and revokes through the log."""

from collections.abc import Callable, Iterator

from raftimpl.store.errors import RequestError
from raftimpl.store.requests import LeaseGrantResponse, LeaseKeepAliveResponse, Response
from raftimpl.store.store import Store

Clock = Callable[[], float]


class Lessor:
    """When each lease ends, by this server's clock. Every server keeps its own; only the leader's count.

    Grants and renewals are seen when they are applied, so that a lease never ends here before a client was promised. A
    new leader lets every lease begin again, as in etcd: it cannot know what the last one had seen.
    """

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock, self._store = clock, store
        self._ends: dict[int, float] = {}
        self._revoking: set[int] = set()
        self.begin_all(store)

    def begin_all(self, store: Store) -> None:
        """Let all leases of a store begin now."""
        self._store, now = store, self._clock()
        self._ends = {id: now + lease.ttl for id in store.leases() if (lease := store.lease(id))}
        self._revoking.clear()

    def applied(self, answer: Response | RequestError) -> None:
        """Take note of what was applied."""
        if isinstance(answer, LeaseGrantResponse | LeaseKeepAliveResponse) and answer.ttl > 0:
            self._ends[answer.id] = self._clock() + answer.ttl

    def remaining(self, id: int) -> float:
        """Return the seconds that a lease still has; 0 if it is over or unknown."""
        return max(0.0, self._ends.get(id, 0.0) - self._clock())

    def expired(self) -> Iterator[int]:
        """Yield the leases that are over, each once until `retry`."""
        now = self._clock()
        for id in [id for id, end in self._ends.items() if end <= now and id not in self._revoking]:
            if self._store.lease(id) is None:
                del self._ends[id]
            else:
                self._revoking.add(id)
                yield id

    def retry(self, id: int) -> None:
        """Note that a lease could not be revoked: it is to be tried again."""
        self._revoking.discard(id)
