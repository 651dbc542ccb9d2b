"""Values in histories: what a client wrote or read, as hashable Python values, compared by kind as well.

Numbers, texts, None, tuples for lists, `Items` for mappings, frozensets for sets, `Name` for what has no Python kind.
"""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Name:
    """A keyword or symbol, as it is written: `:timeout`."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Items:
    """A mapping as its items. Equal mappings are equal, whatever their order."""

    pairs: frozenset[tuple[Hashable, Hashable]]


@dataclass(frozen=True)
class At:
    """A result, and the revision of the store that was told with it."""

    result: Hashable
    revision: int

    def __str__(self) -> str:
        return f"{text_of(self.result)} at revision {self.revision}"


def frozen(value: Any) -> Hashable:
    """Return a value as a hashable one. Raises ValueError if it cannot be."""
    match value:
        case list() | tuple():
            return tuple(frozen(item) for item in value)
        case set() | frozenset():
            return frozenset(frozen(item) for item in value)
        case Mapping():
            return Items(frozenset((frozen(key), frozen(item)) for key, item in value.items()))
        case None | bool() | int() | float() | str() | Name() | Items():
            return value
        case Hashable():
            return value
    raise ValueError(f"{value!r} is no value that can be compared")


def distinct(value: Any) -> Hashable:
    """Return a key that is equal for equal values of a kind alone: in Python, True equals 1."""
    match value:
        case bool():
            return (bool, value)
        case tuple():
            return (tuple, *map(distinct, value))
        case At(result, revision):
            return (At, distinct(result), revision)
        case frozenset():
            return (frozenset, frozenset(map(distinct, value)))
        case Items(pairs):
            return (Items, frozenset((distinct(key), distinct(item)) for key, item in pairs))
    return value  # type: ignore[no-any-return]


def same(value: Any, other: Any) -> bool:
    """Tell whether two values are equal and of a kind: 1 is 1.0, but not true."""
    return bool(value == other) and distinct(value) == distinct(other)


def text_of(value: Any) -> str:
    """Return a value as people read it."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case tuple():
            return f"[{' '.join(map(text_of, value))}]"
        case frozenset():
            return f"#{{{' '.join(sorted(map(text_of, value)))}}}"
        case Items(pairs):
            return "{" + ", ".join(sorted(f"{text_of(key)} {text_of(item)}" for key, item in pairs)) + "}"
    return str(value)
