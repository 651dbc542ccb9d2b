"""Reading the keys in a range. After etcd's etcdserver/apply.go (Range) and mvcc/kvstore_txn.go (rangeKeys)."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from raftimpl.store import errors
from raftimpl.store.contents import Contents
from raftimpl.store.requests import KeyValue, Range, RangeResponse, SortOrder, SortTarget

SORT_KEYS: dict[SortTarget, Callable[[KeyValue], Any]] = {
    SortTarget.KEY: attrgetter("key"),
    SortTarget.VERSION: attrgetter("version"),
    SortTarget.CREATE: attrgetter("create_revision"),
    SortTarget.MOD: attrgetter("mod_revision"),
    SortTarget.VALUE: attrgetter("value"),
}

BOUNDS: tuple[tuple[Callable[[Range], int], Callable[[KeyValue, int], bool]], ...] = (
    (attrgetter("min_mod_revision"), lambda kv, bound: kv.mod_revision >= bound),
    (attrgetter("max_mod_revision"), lambda kv, bound: kv.mod_revision <= bound),
    (attrgetter("min_create_revision"), lambda kv, bound: kv.create_revision >= bound),
    (attrgetter("max_create_revision"), lambda kv, bound: kv.create_revision <= bound),
)
"""The bounds that a request can set, 0 for none, and which keys they let through."""


def read_range(contents: Contents, request: Range) -> RangeResponse:
    """Answer a range. Raises RequestError for a revision that is compacted, or not there yet.

    `count` is of all keys in the range, whatever filters and the limit leave of them.
    """
    revision = readable_revision(contents, request.revision)
    kvs, count = contents.found(request.key, request.range_end, revision, _most_to_fetch(request))
    kvs = _filtered(request, kvs)
    kvs = _sorted(request, kvs)
    more = 0 < request.limit < len(kvs)
    if more:
        del kvs[request.limit :]
    if request.keys_only:
        kvs = [_without_value(kv) for kv in kvs]
    return RangeResponse(contents.newest, tuple(kvs), more, count)


def readable_revision(contents: Contents, revision: int) -> int:
    """Return the revision to read at; none in particular means the newest. Raises RequestError if it cannot be read."""
    if revision > contents.newest:
        raise errors.future_revision()
    if revision <= 0:
        return contents.newest
    if revision < contents.compact_revision:
        raise errors.compacted()
    return revision


def _most_to_fetch(request: Range) -> int | None:
    """Return how many keys are needed to answer, None for all: one more than the limit tells whether there are more.

    etcd does so even when it then sorts by something else than the key without having been told an order: it sorts
    those that come first by their keys.
    """
    if request.count_only:
        return 0
    if request.limit <= 0 or request.sort_order is not SortOrder.NONE or any(bound(request) for bound, _ in BOUNDS):
        return None
    return request.limit + 1


def _filtered(request: Range, kvs: list[KeyValue]) -> list[KeyValue]:
    for bound_of, is_within in BOUNDS:
        bound = bound_of(request)
        if bound:
            kvs = [kv for kv in kvs if is_within(kv, bound)]
    return kvs


def _sorted(request: Range, kvs: list[KeyValue]) -> list[KeyValue]:
    """Sort what comes in the order of keys; equals stay in that order, whichever way the rest goes."""
    if request.sort_target is SortTarget.KEY and request.sort_order is not SortOrder.DESCEND:
        return kvs
    return sorted(kvs, key=SORT_KEYS[request.sort_target], reverse=request.sort_order is SortOrder.DESCEND)


def _without_value(kv: KeyValue) -> KeyValue:
    return KeyValue(kv.key, kv.create_revision, kv.mod_revision, kv.version, b"", kv.lease)
