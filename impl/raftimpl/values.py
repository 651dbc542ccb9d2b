"""The base of everything the core computes with."""

from msgspec import Struct


class Value(Struct, frozen=True, cache_hash=True, forbid_unknown_fields=True):
    """An immutable record: equality and hash cover all fields, and no class may write its own.

    The checker compares millions of these, so the hash is computed once per object.
    """


def with_item(values: tuple[int, ...], position: int, value: int) -> tuple[int, ...]:
    """Return `values` with the item at `position` replaced."""
    return (*values[:position], value, *values[position + 1 :])
