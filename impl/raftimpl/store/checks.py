"""What is wrong with a request whatever the store holds: etcd looks at this before it proposes anything.

After etcd's api/v3rpc/key.go: checkRangeRequest, checkPutRequest, checkTxnRequest, checkIntervals.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from raftimpl.store import errors
from raftimpl.store.requests import DeleteRange, Operation, Put, Range, Txn, Write

MOST_OPERATIONS = 128
"""How many operations a transaction may have: etcd's --max-txn-ops."""


def check(request: Write | Range) -> None:
    """Raise RequestError for a request that no store would carry out.

    In a transaction the longest of its three lists counts. A transaction inside another may be as long as what
    the outer one leaves of the limit, so no tower of transactions is higher than the limit.
    """
    CHECKS.get(type(request), _nothing)(request)


def is_read_only(request: Txn) -> bool:
    """Tell whether a transaction changes nothing, whichever way it goes."""
    return all(
        isinstance(operation, Range) or (isinstance(operation, Txn) and is_read_only(operation))
        for operations in (request.success, request.failure)
        for operation in operations
    )


def _nothing(request: Write) -> None:
    """Compactions and leases are a matter of what the store holds."""


def _check_key(request: Range | DeleteRange) -> None:
    if not request.key:
        raise errors.empty_key()


def _check_put(request: Put) -> None:
    if not request.key:
        raise errors.empty_key()
    if request.ignore_value and request.value:
        raise errors.value_provided()
    if request.ignore_lease and request.lease:
        raise errors.lease_provided()


def _check_txn(request: Txn) -> None:
    _check_operations(request, MOST_OPERATIONS)
    # Only now, when their number is known to be bounded.
    _check_keys_written(request.success)
    _check_keys_written(request.failure)


def _check_operations(request: Txn, most: int) -> None:
    count = max(len(request.compare), len(request.success), len(request.failure))
    if count > most:
        raise errors.too_many_operations()
    if not all(compare.key for compare in request.compare):
        raise errors.empty_key()
    for operations in (request.success, request.failure):
        for operation in operations:
            if isinstance(operation, Txn):
                _check_operations(operation, most - count)
            else:
                CHECKS[type(operation)](operation)


CHECKS: dict[type, Callable[[Any], None]] = {
    Range: _check_key,
    DeleteRange: _check_key,
    Put: _check_put,
    Txn: _check_txn,
}


class Deletions:
    """The ranges that a list of operations deletes, as far as etcd watches over them.

    A range from a key on (`range_end` b"\\0") is for etcd one that ends before it begins, and holds no key: a
    transaction may put a key and delete all keys from there on.
    """

    def __init__(self) -> None:
        self.ranges: list[tuple[bytes, bytes]] = []
        self._starts: list[bytes] = []
        self._furthest: list[bytes] = []

    def add(self, ranges: Sequence[tuple[bytes, bytes]]) -> None:
        """Add ranges, each with its first key and the one that ends it."""
        if ranges:
            self.ranges = sorted([*self.ranges, *ranges])
            self._starts = [start for start, _ in self.ranges]
            self._furthest = list(accumulate((end for _, end in self.ranges), max))

    def __contains__(self, key: bytes) -> bool:
        before = bisect_right(self._starts, key)
        return before > 0 and self._furthest[before - 1] > key


def _check_keys_written(operations: Sequence[Operation]) -> tuple[set[bytes], Deletions]:
    """Return the keys that operations put and the ranges that they delete; raise RequestError if these meet.

    What etcd overlooks is overlooked here too: a put by one inner transaction and a deletion by a later one.
    """
    deleted = Deletions()
    deleted.add(
        [(each.key, each.range_end or each.key + b"\0") for each in operations if isinstance(each, DeleteRange)]
    )
    put: set[bytes] = set()
    for operation in operations:
        if isinstance(operation, Txn):
            keys_then, deleted_then = _check_keys_written(operation.success)
            keys_else, deleted_else = _check_keys_written(operation.failure)
            _add_keys(put, keys_then | keys_else, deleted)
            deleted.add(deleted_then.ranges + deleted_else.ranges)
    for operation in operations:
        if isinstance(operation, Put):
            _add_keys(put, {operation.key}, deleted)
    return put, deleted


def _add_keys(put: set[bytes], keys: set[bytes], deleted: Deletions) -> None:
    if not put.isdisjoint(keys) or any(key in deleted for key in keys):
        raise errors.duplicate_key()
    put |= keys
