"""The store against a model of it that computes everything anew from the list of all changes; and other laws."""

from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftimpl.store.errors import RequestError
from raftimpl.store.requests import Compact, Event, Range, Write
from raftimpl.store.store import Store, thaw
from tests.store.asking import all_at, answer, frozen, store_after
from tests.store.model import Model
from tests.store.strategies import READS, WRITES

REQUESTS = st.lists(WRITES, max_size=25)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(WRITES, WRITES, READS), max_size=25))
def test_every_answer_is_that_of_the_model(requests: list[Write]) -> None:
    store, model = Store(), Model()
    for request in requests:
        is_read = isinstance(request, Range)
        assert answer(store.read if is_read else store.apply, request) == answer(model.apply, request)
        assert (store.revision, store.compact_revision) == (model.revision, model.compacted)
    assert list(store.leases()) == list(model.leases)
    for id in model.leases:
        lease = store.lease(id)
        assert lease is not None
        assert (lease.ttl, lease.renewal, list(lease.keys)) == (
            model.leases[id],
            model.renewal(id),
            [kv.key for kv in model.now().values() if kv.lease == id],
        )
    for revision in range(max(1, store.compact_revision), store.revision + 1):
        assert all_at(store, revision) == tuple(model.at(revision).values())


@settings(max_examples=100, deadline=None)
@given(REQUESTS, st.integers(-1, 20))
def test_what_is_not_compacted_reads_as_before(requests: list[Write], revision: int) -> None:
    store, compacted = store_after(*requests), store_after(*requests)
    if isinstance(answer(compacted.apply, Compact(revision)), RequestError):
        assert frozen(store) == frozen(compacted)
        return
    assert compacted.size <= store.size
    for each in range(max(revision, 1), store.revision + 1):
        assert all_at(store, each) == all_at(compacted, each)
        assert store.changes(each, 100) == compacted.changes(each, 100)
    for each in range(1, revision):
        with pytest.raises(RequestError, match="has been compacted"):
            all_at(compacted, each)


@settings(max_examples=100, deadline=None)
@given(REQUESTS, st.integers(1, 8))
def test_changes_from_any_revision_lead_to_what_there_is(requests: list[Write], most: int) -> None:
    store = store_after(*requests)
    for start in range(max(1, store.compact_revision), store.revision + 1):
        state = {kv.key: kv for kv in all_at(store, start)}
        for revision, events in chain.from_iterable(batches(store, start + 1, most)):
            for event in events:
                repeat(state, revision, event)
            assert tuple(state[key] for key in sorted(state)) == all_at(store, revision)


def batches(store: Store, revision: int, most: int) -> list[list[tuple[int, list[Event]]]]:
    result = []
    while revision <= store.revision:
        batch = list(store.changes(revision, most))
        assert [each for each, _ in batch] == list(range(revision, revision + len(batch)))
        assert len(batch) == 1 or sum(len(events) for _, events in batch) <= most
        result.append(batch)
        revision += len(batch)
    assert not store.changes(revision, most)
    return result


def repeat(state: dict[bytes, Any], revision: int, event: Event) -> None:
    key = event.kv.key
    assert event.kv.mod_revision == revision
    assert event.prev_kv == state.get(key)
    if event.is_deletion:
        del state[key]
    else:
        state[key] = event.kv


@settings(max_examples=100, deadline=None)
@given(REQUESTS, REQUESTS, st.integers(1, 50))
def test_a_frozen_store_thaws_to_an_equal_one(requests: list[Write], later: list[Write], size: int) -> None:
    store = store_after(*requests)
    before, hashed, held = store.freeze(), store.hash(), store.size
    expected = frozen(store)
    for request in later:
        answer(store.apply, request)
    encoded = b"".join(before.chunks())
    assert encoded == expected
    thawed = thaw(encoded[start : start + size] for start in range(0, len(encoded), size))
    assert (frozen(thawed), thawed.hash(), thawed.size) == (expected, hashed, held)
    again = store_after(*requests)
    for request in later:
        assert answer(thawed.apply, request) == answer(again.apply, request)
    assert frozen(thawed) == frozen(again) == frozen(store)


@settings(max_examples=100, deadline=None)
@given(REQUESTS, REQUESTS)
def test_hashes_up_to_a_revision_agree_with_stores_that_ended_there(requests: list[Write], later: list[Write]) -> None:
    store = store_after(*requests)
    revision, hashed = store.revision, store.hash()
    for request in later:
        if not isinstance(request, Compact):
            answer(store.apply, request)
    if revision > store.compact_revision:
        assert store.hash(revision) == hashed
    if store.revision > revision:
        assert store.hash() != hashed
