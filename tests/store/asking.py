"""Asking a store, where refusals are answers too."""

from collections.abc import Callable
from typing import Any

from raftimpl.store.checks import is_read_only
from raftimpl.store.errors import RequestError
from raftimpl.store.requests import KeyValue, Range, Txn, Write
from raftimpl.store.store import Store

EVERYTHING = (b"\0", b"\0")
"""The key and the end of the range of all keys."""


def answer(ask: Callable[[Any], Any], request: object) -> object:
    """Return the answer, or the refusal."""
    try:
        return ask(request)
    except RequestError as error:
        return error


def ask(store: Store, request: Write | Range) -> object:
    """Apply what writes, read what only reads; return the answer or the refusal."""
    is_read = isinstance(request, Range) or (isinstance(request, Txn) and is_read_only(request))
    return answer(store.read if is_read else store.apply, request)


def store_after(*requests: Write) -> Store:
    """Return a store that has been asked all this, lawful or not."""
    store = Store()
    for request in requests:
        answer(store.apply, request)
    return store


def all_at(store: Store, revision: int = 0) -> tuple[KeyValue, ...]:
    """Return all keys as they were at a revision."""
    return tuple(store.read(Range(*EVERYTHING, revision=revision)).kvs)


def frozen(store: Store) -> bytes:
    """Return the store as bytes."""
    return b"".join(store.freeze().chunks())
