"""The store against the specification of the key-value store, where their operations meet."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from raftimpl.store.requests import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    KeyValue,
    Put,
    Range,
    Txn,
)
from raftimpl.store.store import Store
from raftspec import keyvalue

KEYS = st.sampled_from(["a", "ab", "b", "\N{GREEK SMALL LETTER ALPHA}"])
DOCUMENTS = st.sampled_from(['"1"', "2", "null"])
OPERATIONS = st.one_of(
    st.builds(keyvalue.Put, KEYS, DOCUMENTS),
    st.builds(keyvalue.Delete, KEYS),
    st.builds(keyvalue.CompareAndSet, KEYS, st.none() | DOCUMENTS, DOCUMENTS),
    st.builds(keyvalue.Get, KEYS),
    st.builds(keyvalue.ListPrefix, st.sampled_from(["", "a", "b", "c"])),
)


def compare_and_set(key: bytes, expected: str | None, document: str) -> Txn:
    if expected is None:
        condition = Compare(CompareResult.EQUAL, CompareTarget.VERSION, key, 0)
    else:
        condition = Compare(CompareResult.EQUAL, CompareTarget.VALUE, key, expected.encode())
    return Txn((condition,), (Put(key, document.encode(), prev_kv=True),), (Range(key),))


def carry_out(store: Store, operation: keyvalue.Operation) -> keyvalue.Result:
    response: Any
    match operation:
        case keyvalue.Put(key, document):
            response = store.apply(Put(key.encode(), document.encode(), prev_kv=True))
            return keyvalue.Result(True, documents(response.prev_kv))
        case keyvalue.Delete(key):
            response = store.apply(DeleteRange(key.encode(), prev_kv=True))
            return keyvalue.Result(response.deleted > 0, documents(*response.prev_kvs))
        case keyvalue.CompareAndSet(key, expected, document):
            response = store.apply(compare_and_set(key.encode(), expected, document))
            (inner,) = response.responses
            found = documents(inner.prev_kv) if response.succeeded else documents(*inner.kvs)
            return keyvalue.Result(response.succeeded, found)
        case keyvalue.Get(key):
            response = store.read(Range(key.encode()))
            return keyvalue.Result(response.count > 0, documents(*response.kvs))
        case keyvalue.ListPrefix(prefix):
            start = prefix.encode()
            end = start[:-1] + bytes([start[-1] + 1]) if start else b"\0"
            return keyvalue.Result(True, documents(*store.read(Range(start or b"\0", end)).kvs))


def documents(*kvs: KeyValue | None) -> tuple[tuple[str, str], ...]:
    return tuple((kv.key.decode(), kv.value.decode()) for kv in kvs if kv)


@given(st.lists(OPERATIONS, max_size=20))
def test_results_are_those_of_the_specification(operations: list[keyvalue.Operation]) -> None:
    store, specified = Store(), keyvalue.EMPTY
    for operation in operations:
        specified, result = keyvalue.apply(specified, operation)
        assert carry_out(store, operation) == result
