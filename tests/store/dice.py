"""Random requests from a seed, chosen with an eye on the revisions that a store is at; lawful and not."""

from random import Random
from typing import TypeVar

from raftimpl.store.requests import (
    Compact,
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Operation,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
    Write,
)
from raftimpl.store.store import Store

T = TypeVar("T")

KEYS = [b"a", b"a\0", b"aa", b"b", b"ba", b"c", b"d", b"\xff", b"\0"]
RANGE_ENDS = [b"", b"", b"", b"aa", b"b", b"c", b"\xff", b"\0", b"\0"]
VALUES = [b"", b"1", b"2", b"2\0", b"3", b"\xff"]
LEASES = [1, 2, 3, -4]
LONG = [1000, 2000, 9_000_000_000]
"""Seconds; so that no lease expires while it is looked at."""


class Dice:
    """Chooses what to ask next."""

    def __init__(self, seed: int, store: Store) -> None:
        self.random = Random(seed)
        self.store = store

    def request(self) -> Write | Range:
        """Return a request: mostly reads and writes of keys."""
        makers = {
            self.range: 30, self.put: 30, self.delete: 8, self.txn: 30, self.compact: 1, self.grant: 4, self.revoke: 2,
            self.keep_alive: 2,
        }  # fmt: skip
        (make,) = self.random.choices(list(makers), list(makers.values()))
        return make()

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def some(self, value: T, probability: float, otherwise: T) -> T:
        return value if self.chance(probability) else otherwise

    def key(self) -> bytes:
        return b"" if self.chance(0.005) else self.random.choice(KEYS)

    def range_end(self) -> bytes:
        return self.random.choice(RANGE_ENDS)

    def revision(self) -> int:
        """Return a revision that can be read, or is close to one that can."""
        oldest, newest = max(0, self.store.compact_revision - 3), self.store.revision + 2
        return self.some(0, 0.5, self.some(self.random.randint(-2, 1), 0.1, self.random.randint(oldest, newest)))

    def bound(self) -> int:
        return self.some(0, 0.85, self.random.randint(max(1, self.store.revision - 40), self.store.revision + 1))

    def lease(self) -> int:
        return self.some(0, 0.6, self.random.choice(LEASES))

    def range(self) -> Range:
        return Range(
            self.key(), self.range_end(), self.some(0, 0.4, self.random.randint(-1, 5)), self.revision(),
            self.random.choice(list(SortOrder)), self.random.choice(list(SortTarget)), self.chance(0.3),
            self.chance(0.15), self.chance(0.1), self.bound(), self.bound(), self.bound(), self.bound(),
        )  # fmt: skip

    def put(self) -> Put:
        ignore_value, ignore_lease = self.chance(0.1), self.chance(0.1)
        value, lease = self.random.choice(VALUES), self.lease()
        if ignore_value and self.chance(0.9):
            value = b""
        if ignore_lease and self.chance(0.9):
            lease = 0
        return Put(self.key(), value, lease, self.chance(0.5), ignore_value, ignore_lease)

    def delete(self) -> DeleteRange:
        range_end = self.some(b"", 0.5, self.range_end())
        return DeleteRange(self.key(), range_end, self.chance(0.5))

    def compare(self) -> Compare:
        target = self.random.choice(list(CompareTarget))
        operand = {
            CompareTarget.VALUE: self.random.choice(VALUES),
            CompareTarget.LEASE: self.lease(),
            CompareTarget.VERSION: self.random.randint(0, 4),
        }.get(target, self.random.randint(max(0, self.store.revision - 40), self.store.revision))
        result = self.random.choice(list(CompareResult))
        return Compare(result, target, self.key(), operand, self.range_end())

    def txn(self, depth: int = 0) -> Txn:
        """Return a transaction, with others in it as deep as three."""
        compares = tuple(self.compare() for _ in range(self.random.choice([0, 1, 1, 2])))
        success, failure = (self.operations(depth) for _ in range(2))
        return Txn(compares, success, failure)

    def operations(self, depth: int) -> tuple[Operation, ...]:
        makers = [self.range, self.put, self.put, self.delete]
        if depth < 3:
            makers.append(lambda: self.txn(depth + 1))
        return tuple(self.random.choice(makers)() for _ in range(self.random.choice([0, 1, 1, 2, 3])))

    def compact(self) -> Compact:
        oldest, newest = self.store.compact_revision, self.store.revision
        near = self.random.randint(oldest - 1, newest + 1)
        return Compact(self.some(near, 0.3, self.random.randint(oldest, (oldest + newest) // 2 + 1)))

    def grant(self) -> LeaseGrant:
        ttl = 9_000_000_001 if self.chance(0.1) else self.random.choice(LONG)
        return LeaseGrant(self.random.choice(LEASES), ttl)

    def revoke(self) -> LeaseRevoke:
        return LeaseRevoke(self.random.choice([*LEASES, 7]))

    def keep_alive(self) -> LeaseKeepAlive:
        return LeaseKeepAlive(self.random.choice([*LEASES, 7]))
