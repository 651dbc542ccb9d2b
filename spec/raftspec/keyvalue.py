"""The sequential meaning of the store: what one client alone, on one machine that never fails, would see.

A store maps keys to documents. Every operation is a function from a store to the next store and a result.
The replicated store must look as if all operations of all clients went through `apply` one after another.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Key = str

Document = str
"""A JSON value as its canonical text (see `document`), so that equal documents are equal strings."""

Store = Mapping[Key, Document]

EMPTY: Store = {}


def document(value: Any) -> Document:
    """Return the canonical JSON text of a value: keys sorted, no spaces.

    Raises ValueError for what JSON cannot say (NaN, sets, keys that are no strings, ...).
    """
    _require_string_keys(value)
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        text.encode()  # a lone surrogate is no Unicode text
        return text
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"not a JSON document: {error}") from error


def _require_string_keys(value: Any) -> None:
    """Refuse mappings with other keys than strings: json.dumps would turn them into strings silently."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"not a JSON document: the key {key!r} is not a string")
            _require_string_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_string_keys(item)


@dataclass(frozen=True)
class Put:
    """Store a document under a key. The result holds what was there before."""

    key: Key
    document: Document


@dataclass(frozen=True)
class Delete:
    """Remove a key. It succeeds if the key was there; the result holds what was removed."""

    key: Key


@dataclass(frozen=True)
class CompareAndSet:
    """Store `document` under `key` if `expected` is there now (None: if the key is absent).

    The result holds what was there before, whether or not it was replaced.
    """

    key: Key
    expected: Document | None
    document: Document


@dataclass(frozen=True)
class Get:
    """Read one key. It succeeds if the key is there."""

    key: Key


@dataclass(frozen=True)
class ListPrefix:
    """Read all keys that start with `prefix`, in the order of the keys."""

    prefix: str = ""


Write = Put | Delete | CompareAndSet
Read = Get | ListPrefix
Operation = Write | Read


@dataclass(frozen=True)
class Result:
    """What a client is told: whether the operation succeeded, and the documents that it found or replaced."""

    succeeded: bool
    documents: tuple[tuple[Key, Document], ...] = ()


def apply(store: Store, operation: Operation) -> tuple[Store, Result]:
    """Return the store after the operation, and the operation's result. `store` itself is not changed."""
    match operation:
        case Get(key):
            return store, Result(key in store, _found(store, key))
        case ListPrefix(prefix):
            return store, Result(True, tuple(sorted(i for i in store.items() if i[0].startswith(prefix))))
        case Put(key, new):
            return {**store, key: new}, Result(True, _found(store, key))
        case Delete(key):
            return {k: d for k, d in store.items() if k != key}, Result(key in store, _found(store, key))
        case CompareAndSet(key, expected, new):
            matches = store.get(key) == expected
            return {**store, key: new} if matches else store, Result(matches, _found(store, key))


def _found(store: Store, key: Key) -> tuple[tuple[Key, Document], ...]:
    return ((key, store[key]),) if key in store else ()
