"""What each operation answers, in tables: what was asked before, what is asked, what the answer is."""

from itertools import product

import pytest

from raftimpl.store import errors
from raftimpl.store.leases import Lease
from raftimpl.store.requests import (
    Compact,
    CompactResponse,
    DeleteRange,
    DeleteRangeResponse,
    KeyValue,
    LeaseExpire,
    LeaseGrant,
    LeaseGrantResponse,
    LeaseKeepAlive,
    LeaseKeepAliveResponse,
    LeaseRevoke,
    LeaseRevokeResponse,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    SortOrder,
    SortTarget,
    Txn,
    TxnResponse,
    Write,
)
from raftimpl.store.store import Store
from tests.store.asking import all_at, ask, frozen, store_after

A1, A2, B1 = Put(b"a", b"1"), Put(b"a", b"2"), Put(b"b", b"1")
ALL = DeleteRange(b"\0", b"\0")

ANSWERS: dict[str, tuple[tuple[Write, ...], Write | Range, object]] = {
    # Put
    "the first put makes revision 2": ((), A1, PutResponse(2)),
    "a put tells what was there only if asked": ((A1,), A2, PutResponse(3)),
    "what was there": ((A1,), Put(b"a", b"2", prev_kv=True), PutResponse(3, KeyValue(b"a", 2, 2, 1, b"1"))),
    "nothing was there": ((), Put(b"a", b"2", prev_kv=True), PutResponse(2)),
    "a put counts versions": ((A1, A2), Range(b"a"), RangeResponse(3, (KeyValue(b"a", 2, 3, 2, b"2"),), count=1)),
    "a key that comes again begins anew": (
        (A1, A2, DeleteRange(b"a"), A1),
        Range(b"a"),
        RangeResponse(5, (KeyValue(b"a", 5, 5, 1, b"1"),), count=1),
    ),
    "a value that is kept": (
        (LeaseGrant(7, 60), A1, Put(b"a", lease=7, ignore_value=True)),
        Range(b"a"),
        RangeResponse(3, (KeyValue(b"a", 2, 3, 2, b"1", 7),), count=1),
    ),
    "a lease that is kept": (
        (LeaseGrant(7, 60), Put(b"a", b"1", 7), Put(b"a", b"2", ignore_lease=True)),
        Range(b"a"),
        RangeResponse(3, (KeyValue(b"a", 2, 3, 2, b"2", 7),), count=1),
    ),
    "a value that is not there": ((), Put(b"a", ignore_value=True), errors.key_not_found()),
    "a lease that is not there": ((), Put(b"a", ignore_lease=True), errors.key_not_found()),
    "a put with an unknown lease": ((), Put(b"a", b"1", 7), errors.lease_not_found()),
    "a put without a key": ((), Put(b""), errors.empty_key()),
    "a value beside ignore_value": ((A1,), Put(b"a", b"1", ignore_value=True), errors.value_provided()),
    "a lease beside ignore_lease": ((A1,), Put(b"a", lease=7, ignore_lease=True), errors.lease_provided()),
    # DeleteRange
    "deleting nothing makes no revision": ((A1,), DeleteRange(b"b"), DeleteRangeResponse(2)),
    "deleting several keys makes one revision": ((A1, B1), ALL, DeleteRangeResponse(4, 2)),
    "what was deleted": (
        (A1, B1),
        DeleteRange(b"a", b"b", prev_kv=True),
        DeleteRangeResponse(4, 1, (KeyValue(b"a", 2, 2, 1, b"1"),)),
    ),
    "deleting without a key": ((A1,), DeleteRange(b""), errors.empty_key()),
    "a range that ends before it begins": ((A1, B1), DeleteRange(b"b", b"a"), DeleteRangeResponse(3)),
    # Range
    "a range of nothing": ((), Range(b"a"), RangeResponse(1)),
    "a range without a key": ((), Range(b""), errors.empty_key()),
    "a key at an earlier revision": (
        (A1, A2),
        Range(b"a", revision=2),
        RangeResponse(3, (KeyValue(b"a", 2, 2, 1, b"1"),), count=1),
    ),
    "a key before it was there": ((A1, B1), Range(b"b", revision=2), RangeResponse(3)),
    "a deleted key while it was there": (
        (A1, ALL),
        Range(b"a", revision=2),
        RangeResponse(3, (KeyValue(b"a", 2, 2, 1, b"1"),), count=1),
    ),
    "a negative revision is the newest": (
        (A1,),
        Range(b"a", revision=-1),
        RangeResponse(2, (KeyValue(b"a", 2, 2, 1, b"1"),), count=1),
    ),
    "a future revision": ((A1,), Range(b"a", revision=3), errors.future_revision()),
    "a compacted revision": ((A1, A2, Compact(3)), Range(b"a", revision=2), errors.compacted()),
    "the revision that was compacted": (
        (A1, A2, Compact(3)),
        Range(b"a", revision=3),
        RangeResponse(3, (KeyValue(b"a", 2, 3, 2, b"2"),), count=1),
    ),
    "keys alone": ((A1,), Range(b"a", keys_only=True), RangeResponse(2, (KeyValue(b"a", 2, 2, 1),), count=1)),
    "keys alone keep their leases": (
        (LeaseGrant(7, 60), Put(b"a", b"1", 7)),
        Range(b"a", keys_only=True),
        RangeResponse(2, (KeyValue(b"a", 2, 2, 1, b"", 7),), count=1),
    ),
    "the count of one key alone": ((A1,), Range(b"a", count_only=True), RangeResponse(2, (), False, 1)),
    "a limit that reaches beyond the range": (
        (A1, B1),
        Range(b"a", b"b", limit=5),
        RangeResponse(3, (KeyValue(b"a", 2, 2, 1, b"1"),), False, 1),
    ),
    "the count alone": ((A1, B1), Range(b"a", b"\0", count_only=True), RangeResponse(3, (), False, 2)),
    # Compact
    "a compaction": ((A1, A2), Compact(2), CompactResponse(3)),
    "a compaction at the newest": ((A1, A2), Compact(3), CompactResponse(3)),
    "a compaction in the future": ((A1, A2), Compact(4), errors.future_revision()),
    "a compaction once more": ((A1, A2, Compact(2)), Compact(2), errors.compacted()),
    "a compaction at 0 the first time": ((), Compact(0), CompactResponse(1)),
    "a compaction at 0 the second time": ((Compact(0),), Compact(0), errors.compacted()),
    "a negative compaction": ((), Compact(-1), errors.compacted()),
    # Leases
    "a lease": ((A1,), LeaseGrant(7, 60), LeaseGrantResponse(2, 7, 60)),
    "a lease that is too short": ((), LeaseGrant(7, 1), LeaseGrantResponse(1, 7, 2)),
    "a lease that is as long as can be": ((), LeaseGrant(7, 9_000_000_000), LeaseGrantResponse(1, 7, 9_000_000_000)),
    "a lease that is too long": ((), LeaseGrant(7, 9_000_000_001), errors.lease_ttl_too_large()),
    "a lease without an id": ((), LeaseGrant(0, 60), errors.lease_not_found()),
    "a lease that is there": ((LeaseGrant(7, 60),), LeaseGrant(7, 60), errors.lease_exists()),
    "a lease that is there, too long": ((LeaseGrant(7, 60),), LeaseGrant(7, 10**10), errors.lease_ttl_too_large()),
    "revoking a lease without keys": ((A1, LeaseGrant(7, 60)), LeaseRevoke(7), LeaseRevokeResponse(2)),
    "revoking a lease with keys": (
        (LeaseGrant(7, 60), Put(b"a", b"1", 7), Put(b"b", b"1", 7)),
        LeaseRevoke(7),
        LeaseRevokeResponse(4),
    ),
    "revoking no lease": ((), LeaseRevoke(7), errors.lease_not_found()),
    "keeping a lease alive": ((LeaseGrant(7, 60), A1), LeaseKeepAlive(7), LeaseKeepAliveResponse(2, 7, 60)),
    "keeping no lease alive": ((), LeaseKeepAlive(7), LeaseKeepAliveResponse(1, 7, 0)),
    "expiring a lease": ((LeaseGrant(7, 60), Put(b"a", b"1", 7)), LeaseExpire(7, 1), LeaseRevokeResponse(3)),
    "expiring a lease that was renewed since": (
        (LeaseGrant(7, 60), Put(b"a", b"1", 7), LeaseKeepAlive(7)),
        LeaseExpire(7, 1),
        LeaseRevokeResponse(2),
    ),
    "expiring a lease since its renewal": (
        (LeaseGrant(7, 60), Put(b"a", b"1", 7), LeaseKeepAlive(7)),
        LeaseExpire(7, 2),
        LeaseRevokeResponse(3),
    ),
    "expiring a lease while others are renewed": (
        (LeaseGrant(7, 60), LeaseGrant(8, 60), Put(b"a", b"1", 7), LeaseKeepAlive(8), LeaseKeepAlive(9)),
        LeaseExpire(7, 1),
        LeaseRevokeResponse(3),
    ),
    "expiring a lease that has ended and was granted again": (
        (LeaseGrant(7, 60), LeaseRevoke(7), LeaseGrant(7, 60), Put(b"a", b"1", 7)),
        LeaseExpire(7, 1),
        LeaseRevokeResponse(2),
    ),
    "expiring no lease": ((A1,), LeaseExpire(7, 1), LeaseRevokeResponse(2)),
    # Txn
    "an empty transaction": ((A1,), Txn(), TxnResponse(2, True)),
    "several changes at one revision": (
        (), Txn(success=(A1, B1)), TxnResponse(2, True, (PutResponse(2), PutResponse(2)))),
    "a range sees the puts before it": (
        (),
        Txn(success=(Range(b"a"), A1, Range(b"a"))),
        TxnResponse(
            2, True, (RangeResponse(1), PutResponse(2), RangeResponse(2, (KeyValue(b"a", 2, 2, 1, b"1"),), count=1))
        ),
    ),
    "a range at an earlier revision sees no puts before it": (
        (A1,),
        Txn(success=(A2, Range(b"a", b"\0", revision=2))),
        TxnResponse(3, True, (PutResponse(3), RangeResponse(3, (KeyValue(b"a", 2, 2, 1, b"1"),), count=1))),
    ),
    "an inner transaction has no revision": (
        (),
        Txn(success=(Txn(success=(A1,)),)),
        TxnResponse(2, True, (TxnResponse(0, True, (PutResponse(2),)),)),
    ),
    "deleting nothing in a transaction": (
        (A1,),
        Txn(success=(DeleteRange(b"z"), A2, DeleteRange(b"z"))),
        TxnResponse(3, True, (DeleteRangeResponse(2), PutResponse(3), DeleteRangeResponse(3))),
    ),
    "a put and the deletion of all keys from it on": (
        (),
        Txn(success=(A1, DeleteRange(b"a", b"\0"))),
        TxnResponse(2, True, (PutResponse(2), DeleteRangeResponse(2, 1))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_answers(name: str) -> None:
    before, request, expected = ANSWERS[name]
    store = store_after(*before)
    assert ask(store, request) == expected


REFUSED = {
    "a put with an unknown lease": (Txn(success=(A1, Put(b"b", b"1", 7))), errors.lease_not_found()),
    "no key before unknown lease": (Txn(success=(Put(b"z", b"", 7, ignore_value=True),)), errors.key_not_found()),
    "a put after a compacted range": (Txn(success=(Range(b"a", revision=2), B1)), errors.compacted()),
    "a put before a compacted range": (Txn(success=(B1, Range(b"a", revision=2))), errors.compacted()),
    "puts are looked at first": (Txn(success=(Range(b"a", revision=2), Put(b"b", b"", 7))), errors.lease_not_found()),
    "a negative revision is a compacted one": (Txn(success=(B1, Range(b"a", revision=-1))), errors.compacted()),
    "a revision that is about to come": (
        Txn(success=(B1, Range(b"a", revision=5))),
        errors.future_revision(),
    ),
    "one in an inner transaction": (Txn(success=(A1, Txn(success=(Put(b"b", b"", 7),)))), errors.lease_not_found()),
    "where etcd crashes": (
        Txn(success=(Put(b"z", b"1", 9), DeleteRange(b"a", b"\0"), Put(b"c", b"1"), Put(b"a", ignore_value=True))),
        errors.key_not_found(),
    ),
    "a key that is deleted and made before": (
        Txn(success=(B1, DeleteRange(b"a", b"\0"), Put(b"c", b"1"), Put(b"a", ignore_lease=True))),
        errors.key_not_found(),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_transaction_that_is_refused_changes_nothing(name: str) -> None:
    request, refusal = REFUSED[name]
    store = store_after(LeaseGrant(9, 60), A1, A2, Put(b"c", b"1", 9), Compact(3))
    before = frozen(store), store.size, store.lease(9)
    assert ask(store, request) == refusal
    assert (frozen(store), store.size, store.lease(9)) == before
    assert ask(store, Put(b"c", b"2")) == PutResponse(5)
    assert all_at(store, 4) == (KeyValue(b"a", 2, 3, 2, b"2"), KeyValue(b"c", 4, 4, 1, b"1", 9))


# Ranges, sorted and bounded

SORTED_KEYS = (
    Put(b"a", b"3"), Put(b"b", b"1"), Put(b"c", b"2"), Put(b"b", b"1"), Put(b"a", b"3"), Put(b"d", b"1"),
    DeleteRange(b"c"), Put(b"c", b"2"), Put(b"b", b"0"),
)  # fmt: skip
"""a: created at 2, changed at 6, version 2; b: 3, 10, 3; c: 9, 9, 1; d: 7, 7, 1."""

ASCEND, DESCEND, NONE = SortOrder.ASCEND, SortOrder.DESCEND, SortOrder.NONE
ORDERS: list[tuple[dict[str, object], str, bool]] = [
    ({}, "abcd", False),
    ({"sort_order": DESCEND}, "dcba", False),
    ({"sort_order": ASCEND, "sort_target": SortTarget.VERSION}, "cdab", False),
    ({"sort_order": DESCEND, "sort_target": SortTarget.VERSION}, "bacd", False),
    ({"sort_order": ASCEND, "sort_target": SortTarget.CREATE}, "abdc", False),
    ({"sort_order": DESCEND, "sort_target": SortTarget.CREATE}, "cdba", False),
    ({"sort_order": ASCEND, "sort_target": SortTarget.MOD}, "adcb", False),
    ({"sort_order": DESCEND, "sort_target": SortTarget.MOD}, "bcda", False),
    ({"sort_order": ASCEND, "sort_target": SortTarget.VALUE}, "bdca", False),
    ({"sort_order": DESCEND, "sort_target": SortTarget.VALUE}, "acdb", False),
    ({"sort_order": NONE, "sort_target": SortTarget.MOD}, "adcb", False),
    ({"sort_order": NONE, "sort_target": SortTarget.MOD, "limit": 1}, "a", True),
    ({"sort_order": NONE, "sort_target": SortTarget.VALUE, "limit": 2}, "bc", True),
    ({"sort_order": ASCEND, "sort_target": SortTarget.VALUE, "limit": 2}, "bd", True),
    ({"sort_order": DESCEND, "limit": 3}, "dcb", True),
    ({"limit": 2}, "ab", True),
    ({"limit": 4}, "abcd", False),
    ({"limit": -1}, "abcd", False),
    ({"min_mod_revision": 9}, "bc", False),
    ({"max_mod_revision": 7}, "ad", False),
    ({"min_create_revision": 3, "max_create_revision": 7}, "bd", False),
    ({"min_create_revision": 3, "limit": 2}, "bc", True),
    ({"min_create_revision": 3, "max_mod_revision": 9, "limit": 2}, "cd", False),
]


@pytest.mark.parametrize(("asked", "keys", "more"), ORDERS, ids=[str(i) for i in range(len(ORDERS))])
def test_ranges_are_sorted_and_bounded(asked: dict[str, object], keys: str, more: bool) -> None:
    response = store_after(*SORTED_KEYS).read(Range(b"a", b"\0", **asked))
    assert (b"".join(kv.key for kv in response.kvs).decode(), response.more, response.count) == (keys, more, 4)


def test_ranges_long_ago_and_long_ranges_look_at_different_things_and_agree() -> None:
    """Whichever is less is looked at: the keys in the range, or the changes since. Here each is less once."""
    store = store_after(*(Put(b"%03d" % number, b"1") for number in range(100)))
    at_first = store.revision
    for number in (*range(20, 30), 200):
        store.apply(Put(b"%03d" % number, b"2"))
    store.apply(DeleteRange(b"010", b"015"))
    names = [b"%03d" % number for number in range(100)]
    for start, end in product((b"000", b"008", b"012", b"014", b"022", b"098"), (b"013", b"025", b"\0")):
        expected = [name for name in names if start <= name and (end == b"\0" or name < end)]
        response = store.read(Range(start, end, revision=at_first, limit=10))
        assert [kv.key for kv in response.kvs] == expected[:10]
        assert (response.count, response.more) == (len(expected), len(expected) > 10)
        assert {kv.value for kv in response.kvs} <= {b"1"}


# Leases


def keys_of(store: Store, id: int) -> tuple[bytes, ...]:
    lease = store.lease(id)
    assert lease is not None
    return lease.keys


def test_a_key_belongs_to_the_lease_that_it_was_last_put_with() -> None:
    store = store_after(LeaseGrant(1, 60), LeaseGrant(2, 70), Put(b"b", b"", 1), Put(b"a", b"", 1), Put(b"c", b"", 2))
    assert (keys_of(store, 1), keys_of(store, 2), store.leases()) == ((b"a", b"b"), (b"c",), (1, 2))
    store.apply(Put(b"a", b"", 2))
    assert (keys_of(store, 1), keys_of(store, 2)) == ((b"b",), (b"a", b"c"))
    store.apply(Put(b"a", b"1", ignore_lease=True))
    store.apply(Put(b"c"))
    assert (keys_of(store, 1), keys_of(store, 2)) == ((b"b",), (b"a",))
    store.apply(DeleteRange(b"b"))
    assert (keys_of(store, 1), keys_of(store, 2)) == ((), (b"a",))
    store.apply(LeaseRevoke(2))
    assert (store.lease(2), store.leases(), [kv.key for kv in all_at(store)]) == (None, (1,), [b"c"])


def test_a_lease_that_expires_is_gone_and_one_that_was_renewed_is_not() -> None:
    store = store_after(LeaseGrant(1, 60), LeaseGrant(2, 60), LeaseKeepAlive(1), LeaseExpire(1, 1), LeaseExpire(2, 2))
    assert (store.leases(), store.renewal(1), store.renewal(2)) == ((1,), 3, None)
    assert store.lease(1) == Lease(1, 60, (), 3)


def test_revoking_deletes_the_keys_in_their_order_at_one_revision() -> None:
    store = store_after(LeaseGrant(1, 60), *(Put(key, b"", 1) for key in (b"c", b"a", b"b")), LeaseRevoke(1))
    ((revision, events),) = store.changes(5, 10)
    assert revision == 5
    assert [(event.kv, event.is_deletion, event.prev_kv.mod_revision) for event in events if event.prev_kv] == [
        (KeyValue(key, 0, 5, 0), True, put_at) for key, put_at in ((b"a", 3), (b"b", 4), (b"c", 2))
    ]


# Changes and compaction


def test_changes_come_as_whole_revisions() -> None:
    store = store_after(A1, Txn(success=(A2, B1)), ALL, A1)
    assert [(revision, len(events)) for revision, events in store.changes(0, 100)] == [(2, 1), (3, 2), (4, 2), (5, 1)]
    assert [revision for revision, _ in store.changes(2, 3)] == [2, 3]
    assert [revision for revision, _ in store.changes(2, 4)] == [2, 3]
    assert [revision for revision, _ in store.changes(3, 0)] == [3]
    assert [revision for revision, _ in store.changes(3, 1)] == [3]
    assert list(store.changes(6, 10)) == []


def test_the_changes_of_the_compacted_revision_are_still_known() -> None:
    store = store_after(A1, B1, ALL, A1, Compact(4))
    assert [revision for revision, _ in store.changes(4, 10)] == [4, 5]
    assert [event.is_deletion for event in store.changes(4, 1)[0][1]] == [True, True]
    with pytest.raises(errors.RequestError, match="has been compacted"):
        store.changes(3, 10)


def test_what_is_forgotten_takes_no_room() -> None:
    store = store_after(*[A1] * 50, *[B1] * 50, ALL)
    store.apply(Compact(store.revision))
    store.apply(Put(b"c", b"1"))
    store.apply(Compact(store.revision))
    fresh = store_after(Put(b"c", b"1"))
    assert store.size == fresh.size
    assert len(frozen(store)) <= len(frozen(fresh)) + 8


def test_the_hash_is_refused_where_etcd_refuses() -> None:
    store = store_after(A1, A2, B1, Compact(2))
    assert store.hash(0) == store.hash(4) != store.hash(3)
    for revision, refusal in ((2, "has been compacted"), (5, "is a future revision")):
        with pytest.raises(errors.RequestError, match=refusal):
            store.hash(revision)


def test_a_transaction_that_writes_is_not_read() -> None:
    with pytest.raises(TypeError):
        Store().read(Txn(success=(Txn(failure=(A1,)),)))
