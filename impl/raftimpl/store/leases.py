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
    """A lease as it is now: its id, the seconds that it was granted, its keys in their order."""

    id: int
    ttl: int
    keys: tuple[bytes, ...]


class Leases:
    """All leases. A key has at most one, the one that it was last put with."""

    def __init__(self) -> None:
        self._ttls: dict[int, int] = {}
        self._keys: dict[int, set[bytes]] = {}

    def __contains__(self, id: int) -> bool:
        return id in self._ttls

    def __iter__(self) -> Iterator[int]:
        """Go through the ids, the oldest lease first."""
        return iter(self._ttls)

    def ttl(self, id: int) -> int:
        """Return the seconds that a lease was granted."""
        return self._ttls[id]

    def find(self, id: int) -> Lease | None:
        """Return a lease, if there is one under this id."""
        if id not in self._ttls:
            return None
        return Lease(id, self._ttls[id], tuple(sorted(self._keys[id])))

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
        return self._ttls[id]

    def end(self, id: int) -> None:
        """Forget a lease, which has no keys any more."""
        del self._ttls[id], self._keys[id]

    def move(self, key: bytes, before: int, after: int) -> None:
        """Take a key from one lease to another. 0, and a lease that has ended since, stand for none."""
        if before in self._keys:
            self._keys[before].discard(key)
        if after in self._keys:
            self._keys[after].add(key)
