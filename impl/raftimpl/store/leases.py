"""Leases, and the keys that end with them. Time is not theirs: whoever drives the store keeps the deadlines.

After etcd's lease/lessor.go.
"""

from collections.abc import Iterator

import msgspec

from raftimpl.store import errors

MINIMUM_TTL = 2
"""Seconds. etcd grants no less than one and a half election timeouts in whole seconds; with its settings, this."""

MAXIMUM_TTL = 9_000_000_000
"""Seconds. What is asked beyond this is refused."""


class Lease(msgspec.Struct, frozen=True):
    """A lease as it is now: its id, the seconds that it was granted, its keys in their order.

    `renewal` tells since when it has its time: it is the number of the grant or renewal that this began with. All of
    a store's grants and renewals are numbered together, so an id that is granted again never has the same one again.
    """

    id: int
    ttl: int
    keys: tuple[bytes, ...]
    renewal: int


class Leases:
    """All leases. A key has at most one, the one that it was last put with."""

    def __init__(self) -> None:
        self._ttls: dict[int, int] = {}
        self._keys: dict[int, set[bytes]] = {}
        self._renewals: dict[int, int] = {}
        self.last_renewal = 0
        """The number of the last grant or renewal of any lease."""

    def __contains__(self, id: int) -> bool:
        return id in self._ttls

    def __iter__(self) -> Iterator[int]:
        """Go through the ids, the oldest lease first."""
        return iter(self._ttls)

    def summary(self, id: int) -> tuple[int, int, int]:
        """Return what `restore` needs to make a lease again."""
        return id, self._ttls[id], self._renewals[id]

    def ttl(self, id: int) -> int:
        """Return the seconds that a lease was granted."""
        return self._ttls[id]

    def find(self, id: int) -> Lease | None:
        """Return a lease, if there is one under this id."""
        if id not in self._ttls:
            return None
        return Lease(id, self._ttls[id], tuple(sorted(self._keys[id])), self._renewals[id])

    def renewal(self, id: int) -> int | None:
        """Return since which grant or renewal a lease has its time; None if there is none under this id."""
        return self._renewals.get(id)

    def grant(self, id: int, ttl: int) -> int:
        """Make a lease and return the seconds that it has: at least `MINIMUM_TTL`.

        Raises RequestError for an id that is 0 or taken, and for a time that is too long.
        """
        if id == 0:
            raise errors.lease_not_found()
        if ttl > MAXIMUM_TTL:
            raise errors.lease_ttl_too_large()
        if id in self._ttls:
            raise errors.lease_exists()
        self._ttls[id] = max(ttl, MINIMUM_TTL)
        self._keys[id] = set()
        self.renew(id)
        return self._ttls[id]

    def renew(self, id: int) -> None:
        """Note that a lease's time begins again."""
        self.last_renewal += 1
        self._renewals[id] = self.last_renewal

    def restore(self, id: int, ttl: int, renewal: int) -> None:
        """Make a lease as it was. Raises RequestError as `grant` does."""
        self.grant(id, ttl)
        self._renewals[id] = renewal

    def end(self, id: int) -> None:
        """Forget a lease, which has no keys any more."""
        del self._ttls[id], self._keys[id], self._renewals[id]

    def move(self, key: bytes, before: int, after: int) -> None:
        """Take a key from one lease to another. 0, and a lease that has ended since, stand for none."""
        if before in self._keys:
            self._keys[before].discard(key)
        if after in self._keys:
            self._keys[after].add(key)
