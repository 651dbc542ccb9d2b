"""What clients ask of an etcd-like store and are told, as histories record it.

A *record* is {"value": ..., "version": ..., "create_revision": ..., "mod_revision": ...}; only the value must be there.

| function | key | value | result |
|---|---|---|---|
| get | key | | a record, or null |
| put | key | document | null, or {"previous": record or null} |
| delete | key | | null, or {"deleted": 0 or 1, "previous": ...} |
| cas | key | [expected or null, document] | true, false, or {"succeeded": ..., "previous": ...} |
| list | prefix | | records with their "key", in the order of the keys |
| txn | | {"compare": [...], "success": [...], "failure": [...]} | {"succeeded": ..., "responses": [...]} |
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raftcheck.oracle.history.events import Operation
from raftcheck.oracle.history.values import Items, text_of
from raftspec import keyvalue as spec

NUMBERS = ("version", "create_revision", "mod_revision")
"""The fields of a record that count."""

TARGETS = (*NUMBERS, "value")
SIGNS = ("=", "!=", ">", "<")


@dataclass(frozen=True)
class Compare:
    """A condition of a transaction: a field of a record, a sign, and what it is compared with."""

    key: str
    target: str
    sign: str
    operand: Any


@dataclass(frozen=True)
class Request:
    """A transaction: what is done if all conditions hold, and what is done if not.

    Every other operation is one without conditions.
    """

    compares: tuple[Compare, ...]
    success: tuple[spec.Operation, ...]
    failure: tuple[spec.Operation, ...] = ()

    def keys(self) -> Iterator[str] | None:
        """Yield the keys that it reads or writes; None: all that there may be."""
        done = (*self.success, *self.failure)
        if any(isinstance(operation, spec.ListPrefix) for operation in done):
            return None
        keys = [operation.key for operation in done if not isinstance(operation, spec.ListPrefix)]
        return iter([*keys, *(compare.key for compare in self.compares)])


def request_of(operation: Operation) -> Request:
    """Return what an operation asks. Raises ValueError if that is nothing."""
    if operation.function == "txn":
        asked = mapping_of(operation.value, "txn", ("compare", "success", "failure"))
        return Request(
            tuple(compare_of(item) for item in list_of(asked.get("compare", ()))),
            tuple(inner_of(item) for item in list_of(asked.get("success", ()))),
            tuple(inner_of(item) for item in list_of(asked.get("failure", ()))),
        )
    return Request((), (single_of(operation.function, operation.key, operation.value),))


def single_of(function: str, key: Hashable, value: Any) -> spec.Operation:
    """Return an operation of the specification. Raises ValueError if there is none."""
    if not isinstance(key, str):
        raise ValueError(f"{function} needs a key that is a text, not {text_of(key)}")
    match function:
        case "get":
            return spec.Get(key)
        case "put":
            return spec.Put(key, document_of(value))
        case "delete":
            return spec.Delete(key)
        case "list":
            return spec.ListPrefix(key)
        case "cas":
            if not (isinstance(value, tuple) and len(value) == 2):
                raise ValueError(f"cas needs [expected, new], not {text_of(value)}")
            expected, new = value
            return spec.CompareAndSet(key, None if expected is None else document_of(expected), document_of(new))
    raise ValueError(f"etcd has no operation {function!r}; it has cas, delete, get, list, put, txn")


def inner_of(item: Any) -> spec.Operation:
    """Return an operation in a transaction."""
    asked = mapping_of(item, "an operation in a txn", ("f", "key", "value"))
    if asked.get("f") not in ("get", "put", "delete"):
        raise ValueError(f"an operation in a txn is get, put or delete, not {text_of(asked.get('f'))}")
    return single_of(asked["f"], asked.get("key"), asked.get("value"))


def compare_of(item: Any) -> Compare:
    """Return a condition of a transaction."""
    asked = mapping_of(item, "a comparison", ("key", "target", "sign", "value"))
    key, target, sign = asked.get("key"), asked.get("target", "value"), asked.get("sign", "=")
    if not isinstance(key, str) or target not in TARGETS or sign not in SIGNS:
        raise ValueError(f"a comparison has key, target ({', '.join(TARGETS)}) and sign ({' '.join(SIGNS)})")
    if target == "value":
        if sign not in ("=", "!="):
            raise ValueError("values are compared with = and != only")
        return Compare(key, target, sign, document_of(asked.get("value")))
    return Compare(key, target, sign, number_of(asked.get("value"), target))


def require_told(operation: spec.Operation, told: Any) -> None:
    """Raise ValueError unless an operation can tell something of that form."""
    match operation:
        case spec.Get():
            require_record(told)
        case spec.ListPrefix():
            for item in list_of(told):
                require_record(item, ("key",))
        case spec.CompareAndSet():
            if not isinstance(told, bool):
                fields = mapping_of(told, "the result of cas", ("succeeded", "previous"))
                require_flag(fields, "cas")
                require_record(fields.get("previous"))
        case spec.Put():
            if told is not None:
                require_record(mapping_of(told, "the result of put", ("previous",)).get("previous"))
        case spec.Delete():
            if told is not None:
                fields = mapping_of(told, "the result of delete", ("deleted", "previous"))
                number_of(fields.get("deleted", 0), "deleted")
                require_record(fields.get("previous"))


def require_responses(told: Any) -> None:
    """Raise ValueError unless a transaction can tell something of that form."""
    fields = mapping_of(told, "the result of txn", ("succeeded", "responses"))
    require_flag(fields, "txn")
    for response in list_of(fields.get("responses", ())):
        if response is not None:
            mapping_of(response, "a response in a txn", ("value", *NUMBERS, "deleted", "previous"))


def require_flag(fields: Mapping[str, Any], what: str) -> None:
    """Raise ValueError unless a result says whether it succeeded."""
    if not isinstance(fields.get("succeeded"), bool):
        raise ValueError(f'the result of {what} has "succeeded", true or false')


def require_record(value: Any, more: tuple[str, ...] = ()) -> None:
    """Raise ValueError for what is neither a record nor nothing."""
    if value is not None or more:
        fields = mapping_of(value, "a record", ("value", *NUMBERS, *more))
        if not {"value", *more} <= set(fields):
            raise ValueError(f"a record has {' and '.join(['value', *more])}; this is {text_of(value)}")
        document_of(fields["value"])
        for name in NUMBERS:
            number_of(fields.get(name, 0), name)


def numbers_in(value: Any) -> Iterator[str]:
    """Yield the names of the numbers that a result records."""
    match value:
        case Items(pairs):
            names = dict(pairs)
            if "value" in names:
                yield from (name for name in NUMBERS if name in names)
            else:
                for item in names.values():
                    yield from numbers_in(item)
        case tuple():
            for item in value:
                yield from numbers_in(item)


def mapping_of(value: Any, what: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Return a mapping with some of these names. Raises ValueError for anything else."""
    if not isinstance(value, Items):
        raise ValueError(f"{what} is an object with {', '.join(names)}, not {text_of(value)}")
    fields: dict[Any, Any] = dict(value.pairs)
    strange = [text_of(name) for name in fields if name not in names]
    if strange:
        raise ValueError(f"{what} has {', '.join(names)}, but not {', '.join(strange)}")
    return fields


def list_of(value: Any) -> tuple[Any, ...]:
    """Return a list. Raises ValueError for anything else."""
    if not isinstance(value, tuple):
        raise ValueError(f"{text_of(value)} is no list")
    return value


def number_of(value: Any, what: str) -> int:
    """Return a whole number that is not negative. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{what} is a whole number, not {text_of(value)}")
    return value


def document_of(value: Hashable) -> spec.Document:
    """Return a value as a document. Raises ValueError if it is none."""
    return spec.document(thawed(value))


def thawed(value: Any) -> Any:
    """Return a value as JSON has it."""
    match value:
        case Items(pairs):
            return {key: thawed(item) for key, item in pairs}
        case tuple():
            return [thawed(item) for item in value]
    return value
