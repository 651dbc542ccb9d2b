"""The operations of the specification, as requests to the store that runs."""

from typing import Any

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


def compare_and_set(key: bytes, expected: str | None, document: str) -> Txn:
    if expected is None:
        condition = Compare(CompareResult.EQUAL, CompareTarget.VERSION, key, 0)
    else:
        condition = Compare(CompareResult.EQUAL, CompareTarget.VALUE, key, expected.encode())
    return Txn((condition,), (Put(key, document.encode(), prev_kv=True),), (Range(key),))


def carry_out(store: Store, operation: keyvalue.Operation) -> keyvalue.Result:
    """Carry out an operation; return what the store tells of it, in the specification's words."""
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
    """Return keys with their documents, of those that are there."""
    return tuple((kv.key.decode(), kv.value.decode()) for kv in kvs if kv)
