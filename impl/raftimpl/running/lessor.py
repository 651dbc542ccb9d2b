"""When leases end. The store knows how long they last; the leader keeps the time, and ends them through the log."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from raftimpl.store.errors import RequestError
from raftimpl.store.requests import LeaseExpire, LeaseGrantResponse, LeaseKeepAliveResponse, Response
from raftimpl.store.store import Store

Clock = Callable[[], float]


class Deadline(NamedTuple):
    """When a lease ends that has not begun again since `renewal` (see `raftimpl.store.leases.Lease`)."""

    end: float
    renewal: int


class Lessor:
    """When each lease ends, by this server's clock. Every server keeps its own; only the leader's count.

    Grants and renewals are seen when they are applied, so that a lease never ends here before a client was promised. A
    new leader lets every lease begin again, as in etcd: it cannot know what the last one had seen. What the leader has
    not seen, the store has: a lease that begins again ahead of its end in the log does not end (`LeaseExpire`).
    """

    def __init__(self, clock: Clock, store: Store) -> None:
        self._clock, self._store = clock, store
        self._deadlines: dict[int, Deadline] = {}
        self._asked: set[LeaseExpire] = set()
        self.begin_all(store)

    def begin_all(self, store: Store) -> None:
        """Let all leases of a store begin now."""
        self._store, now = store, self._clock()
        leases = filter(None, map(store.lease, store.leases()))
        self._deadlines = {lease.id: Deadline(now + lease.ttl, lease.renewal) for lease in leases}
        self._asked.clear()

    def applied(self, answer: Response | RequestError) -> None:
        """Take note of what was applied."""
        if isinstance(answer, LeaseGrantResponse | LeaseKeepAliveResponse):
            renewal = self._store.renewal(answer.id)
            if renewal is not None:
                self._deadlines[answer.id] = Deadline(self._clock() + answer.ttl, renewal)

    def remaining(self, id: int) -> float:
        """Return the seconds that a lease still has; 0 if it is over or unknown."""
        deadline = self._deadlines.get(id)
        return max(0.0, deadline.end - self._clock()) if deadline else 0.0

    def expired(self) -> Iterator[LeaseExpire]:
        """Yield what ends the leases that are over, each once until it is `asked`."""
        now = self._clock()
        for id, deadline in [each for each in self._deadlines.items() if each[1].end <= now]:
            request = LeaseExpire(id, deadline.renewal)
            if self._store.renewal(id) is None:
                del self._deadlines[id]
            elif request not in self._asked:
                self._asked.add(request)
                yield request

    def asked(self, request: LeaseExpire) -> None:
        """Note that a request was answered or refused: a lease that is still there and over is to be tried again."""
        self._asked.discard(request)
