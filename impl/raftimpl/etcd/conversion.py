"""Between the messages on the wire and the requests and responses of the store."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from raftimpl.etcd import mvcc_pb2 as mvcc
from raftimpl.etcd import refusals
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.service import MOST_NESTED
from raftimpl.store import errors
from raftimpl.store import requests as store
from raftimpl.store.checks import MOST_OPERATIONS

# Requests


def range_request(message: rpc.RangeRequest) -> store.Range:
    """Return what a client wants to read. An order or target that is not known is taken as the default, as in etcd."""
    return store.Range(
        message.key,
        message.range_end,
        message.limit,
        message.revision,
        SORT_ORDERS.get(message.sort_order, store.SortOrder.NONE),
        SORT_TARGETS.get(message.sort_target, store.SortTarget.KEY),
        message.serializable,
        message.keys_only,
        message.count_only,
        message.min_mod_revision,
        message.max_mod_revision,
        message.min_create_revision,
        message.max_create_revision,
    )


SORT_ORDERS = {int(order): order for order in store.SortOrder}
SORT_TARGETS = {int(target): target for target in store.SortTarget}


def put_request(message: rpc.PutRequest) -> store.Put:
    """Return what a client wants to write."""
    return store.Put(
        message.key, message.value, message.lease, message.prev_kv, message.ignore_value, message.ignore_lease
    )


def delete_range_request(message: rpc.DeleteRangeRequest) -> store.DeleteRange:
    """Return what a client wants to delete."""
    return store.DeleteRange(message.key, message.range_end, message.prev_kv)


def txn_request(message: rpc.TxnRequest, most: int = MOST_OPERATIONS, level: int = 1) -> store.Txn:
    """Return a transaction, of so many levels of them.

    Raises RequestError for an operation that is none, for more than `most` in a list, and for too many levels. They are
    counted first, as by `raftimpl.store.checks`: a message has room for a million that nobody wants converted.
    """
    count = max(len(message.compare), len(message.success), len(message.failure))
    if count > most:
        raise errors.too_many_operations()
    if level > MOST_NESTED:
        raise refusals.nested_too_deep(MOST_NESTED)
    return store.Txn(
        tuple(map(compare, message.compare)),
        tuple(operation(each, most - count, level) for each in message.success),
        tuple(operation(each, most - count, level) for each in message.failure),
    )


OPERATIONS: dict[str, Callable[[Any], store.Operation]] = {
    "request_range": range_request,
    "request_put": put_request,
    "request_delete_range": delete_range_request,
}


def operation(message: rpc.RequestOp, most: int, level: int) -> store.Operation:
    """Return an operation of a transaction at a level; one that is a transaction may have `most` operations.

    Raises RequestError if it is none, with etcd's strange choice of words.
    """
    name = message.WhichOneof("request")
    if name is None:
        raise errors.key_not_found()
    if name == "request_txn":
        return txn_request(message.request_txn, most, level + 1)
    return OPERATIONS[name](getattr(message, name))


TARGETS: dict[int, tuple[store.CompareTarget, str]] = {
    store.CompareTarget.VERSION: (store.CompareTarget.VERSION, "version"),
    store.CompareTarget.CREATE: (store.CompareTarget.CREATE, "create_revision"),
    store.CompareTarget.MOD: (store.CompareTarget.MOD, "mod_revision"),
    store.CompareTarget.VALUE: (store.CompareTarget.VALUE, "value"),
    store.CompareTarget.LEASE: (store.CompareTarget.LEASE, "lease"),
}
"""For each target the field that holds what to compare with."""

RESULTS = {int(result): result for result in store.CompareResult}


def compare(message: rpc.Compare) -> store.Compare:
    """Return a condition. What it compares with is taken from the field that its target names; unset means 0 or empty.

    Raises RequestError for a target or result that does not exist.
    """
    if message.target not in TARGETS or message.result not in RESULTS:
        raise refusals.unknown_comparison()
    target, field = TARGETS[message.target]
    return store.Compare(RESULTS[message.result], target, message.key, getattr(message, field), message.range_end)


# Responses


def key_value(kv: store.KeyValue) -> mvcc.KeyValue:
    """Return a key for the wire."""
    return mvcc.KeyValue(
        key=kv.key,
        create_revision=kv.create_revision,
        mod_revision=kv.mod_revision,
        version=kv.version,
        value=kv.value,
        lease=kv.lease,
    )


def key_values(kvs: Iterable[store.KeyValue]) -> list[mvcc.KeyValue]:
    """Return keys for the wire."""
    return [key_value(kv) for kv in kvs]


def event(change: store.Event, with_prev_kv: bool) -> mvcc.Event:
    """Return a change of a key for the wire."""
    return mvcc.Event(
        type=mvcc.Event.DELETE if change.is_deletion else mvcc.Event.PUT,
        kv=mvcc.KeyValue(key=change.kv.key, mod_revision=change.kv.mod_revision)
        if change.is_deletion
        else key_value(change.kv),
        prev_kv=key_value(change.prev_kv) if with_prev_kv and change.prev_kv else None,
    )


def range_response(response: store.RangeResponse, header: rpc.ResponseHeader) -> rpc.RangeResponse:
    """Return what was read."""
    return rpc.RangeResponse(header=header, kvs=key_values(response.kvs), more=response.more, count=response.count)


SLICE_KEYS = 1000
"""How many keys are converted while everything else waits: it takes some 3 ms."""


async def large_range_response(response: store.RangeResponse, header: rpc.ResponseHeader) -> rpc.RangeResponse:
    """Return what was read, made slice by slice, so that others get their turn."""
    message = rpc.RangeResponse(header=header, more=response.more, count=response.count)
    for start in range(0, len(response.kvs), SLICE_KEYS):
        message.kvs.extend(key_values(response.kvs[start : start + SLICE_KEYS]))
        await asyncio.sleep(0)
    return message


def put_response(response: store.PutResponse, header: rpc.ResponseHeader) -> rpc.PutResponse:
    """Return what became of a write."""
    if response.prev_kv is None:
        return rpc.PutResponse(header=header)
    return rpc.PutResponse(header=header, prev_kv=key_value(response.prev_kv))


def delete_range_response(response: store.DeleteRangeResponse, header: rpc.ResponseHeader) -> rpc.DeleteRangeResponse:
    """Return what was deleted."""
    return rpc.DeleteRangeResponse(header=header, deleted=response.deleted, prev_kvs=key_values(response.prev_kvs))


def txn_response(response: store.TxnResponse, header: rpc.ResponseHeader) -> rpc.TxnResponse:
    """Return what became of a transaction."""
    return rpc.TxnResponse(
        header=header, succeeded=response.succeeded, responses=[inner_response(each) for each in response.responses]
    )


INNER: dict[type, tuple[str, Callable[[Any, rpc.ResponseHeader], Any]]] = {
    store.RangeResponse: ("response_range", range_response),
    store.PutResponse: ("response_put", put_response),
    store.DeleteRangeResponse: ("response_delete_range", delete_range_response),
    store.TxnResponse: ("response_txn", txn_response),
}


def inner_response(response: store.OperationResponse) -> rpc.ResponseOp:
    """Return an operation's answer. Its header has the revision alone."""
    name, convert = INNER[type(response)]
    return rpc.ResponseOp(**{name: convert(response, rpc.ResponseHeader(revision=response.revision))})
