"""When leases end. The store knows how long they last; the leader keeps the time, and ends them through the log."""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from raftimpl.store.errors import RequestError
from raftimpl.store.requests import LeaseExpire, LeaseGrantResponse, LeaseKeepAliveResponse, Response
from raftimpl.store.store import Store

Clock = Callable[[], float]

SPARE = 1_000
"""Deadlines that may be kept in vain, besides as many as there are leases."""


class Deadline(NamedTuple):
    """When a lease ends that has not begun again since `renewal` (see `raftimpl.store.leases.Lease`)."""

    end: float
    id: int
    renewal: int


class Lessor:
    """When each lease ends, by the leader's clock; other servers keep no time.

    Grants and renewals are seen when they are applied, so that a lease never ends here before a client was promised. A
    new leader lets every lease begin again, as in etcd: it cannot know what the last one had seen. What the leader has
    not seen, the store has: a lease that begins again ahead of its end in the log does not end (`LeaseExpire`).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._store = Store()
        self.end_office()

    def begin_office(self, store: Store) -> None:
        """Let all leases of a store begin now: this server leads."""
        self._store, now = store, self._clock()
        leases = filter(None, map(store.lease, store.leases()))
        self._keep({lease.id: Deadline(now + lease.ttl, lease.id, lease.renewal) for lease in leases})

    def end_office(self) -> None:
        """Keep no time any more."""
        self._keep({})

    def _keep(self, deadlines: dict[int, Deadline]) -> None:
        self._deadlines = deadlines
        self._next = sorted(deadlines.values())  # a heap; it may also hold deadlines that were put off since
        self._most = 2 * len(deadlines) + SPARE

    def applied(self, answer: Response | RequestError) -> None:
        """Take note of what was applied while this server leads."""
        if isinstance(answer, LeaseGrantResponse | LeaseKeepAliveResponse):
            renewal = self._store.renewal(answer.id)
            if renewal is not None:
                self._await(Deadline(self._clock() + answer.ttl, answer.id, renewal))

    def _await(self, deadline: Deadline) -> None:
        self._deadlines[deadline.id] = deadline
        heappush(self._next, deadline)
        if len(self._next) > self._most:
            self._keep({id: each for id, each in self._deadlines.items() if self._is_alive(each)})

    def _is_alive(self, deadline: Deadline) -> bool:
        """Tell whether a lease is there, and has not begun again."""
        return self._store.renewal(deadline.id) == deadline.renewal

    def remaining(self, id: int) -> float:
        """Return the seconds that a lease still has; 0 if it is over or unknown."""
        deadline = self._deadlines.get(id)
        return max(0.0, deadline.end - self._clock()) if deadline else 0.0

    def expired(self) -> Iterator[LeaseExpire]:
        """Yield what ends the leases that are over, each once until it is `asked`."""
        now = self._clock()
        while self._next and self._next[0].end <= now:
            deadline = heappop(self._next)
            if self._is_alive(deadline):
                yield LeaseExpire(deadline.id, deadline.renewal)

    def asked(self, request: LeaseExpire) -> None:
        """Note that a request was answered or refused: a lease that is still there and over is to be tried again."""
        deadline = self._deadlines.get(request.id)
        if deadline and deadline.renewal == request.renewal and self._is_alive(deadline):
            heappush(self._next, deadline)
