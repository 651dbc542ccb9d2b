"""The store against a real etcd: the same requests, one after the other, and equal answers, field by field."""

from pathlib import Path

import pytest

from raftimpl.store.requests import LeaseGrant, LeaseRevoke, Put, Range
from raftimpl.store.store import Store
from tests.store.asking import answer, ask
from tests.store.dice import Dice
from tests.store.real_etcd import ETCD, Etcd, running_etcd

pytestmark = pytest.mark.skipif(ETCD is None, reason="needs etcd on the path")

REQUESTS = 2000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_answer_is_that_of_etcd(seed: int, tmp_path: Path) -> None:
    store = Store()
    dice = Dice(seed, store)
    with running_etcd(tmp_path) as etcd:
        for number in range(REQUESTS):
            request = dice.request()
            assert ask(store, request) == answer(etcd.ask, request), f"request {number} of seed {seed}: {request}"
        assert leases_of(store) == {id: etcd.lease(id) for id in etcd.leases()}
        assert_equal_events(store, etcd)


def leases_of(store: Store) -> dict[int, tuple[int, list[bytes]]]:
    return {id: (lease.ttl, list(lease.keys)) for id in store.leases() if (lease := store.lease(id))}


def assert_equal_events(store: Store, etcd: Etcd) -> None:
    start = max(store.compact_revision, 1) + 1
    ours = [event for _, events in store.changes(start, store.revision) for event in events]
    theirs = list(etcd.events(start, store.revision))
    assert [(event.kv, event.is_deletion) for event in ours] == [(event.kv, event.is_deletion) for event in theirs]
    seen = set()
    for our, their in zip(ours, theirs, strict=True):
        change = (our.kv.key, our.kv.mod_revision)
        if change not in seen:  # for a second change at the same revision etcd tells what was there before the first
            assert our.prev_kv == their.prev_kv
        seen.add(change)


@pytest.mark.parametrize("ttl", [-5, 0, 1, 2, 3])
def test_short_leases_are_as_long_as_with_etcd(ttl: int, tmp_path: Path) -> None:
    store = Store()
    with running_etcd(tmp_path) as etcd:
        for request in (LeaseGrant(1, ttl), Put(b"a", b"1", 1), LeaseRevoke(1), Range(b"a")):
            assert ask(store, request) == answer(etcd.ask, request)
