"""A store in the manner of etcd: documents under keys, revisions, transactions.

What put, get, delete, compare-and-set and list mean is told by `raftspec.keyvalue`; here are the numbers around it, as
etcd counts them (its API's documentation: "Revisions", "Key-Value pair", "Transaction").
"""

import operator
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from raftcheck.oracle.history import etcd_requests as requests
from raftcheck.oracle.history.etcd_requests import Compare, request_of
from raftcheck.oracle.history.events import UNKNOWN, History, Operation
from raftcheck.oracle.history.models import Model, State
from raftcheck.oracle.history.values import At, Items, frozen
from raftspec import keyvalue as spec

SIGNS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

FIRST_REVISION = 1
"""The revision of an empty store."""


@dataclass(frozen=True)
class Record:
    """A document and its numbers; those that are not followed are 0."""

    document: spec.Document
    create_revision: int = 0
    mod_revision: int = 0
    version: int = 0


@dataclass(frozen=True)
class Store:
    """The whole state: the records in the order of their keys."""

    revision: int
    records: tuple[tuple[spec.Key, Record], ...] = ()


class Etcd(Model):
    """Documents under keys; `get`, `put`, `delete`, `cas`, `list`, `txn`: see `etcd_requests`.

    `numbers` are those that histories record, of "version", "create_revision", "mod_revision" and "revision" (that of
    the store, recorded beside a result). The others are not followed. The revision counts the writes of all keys, so
    with it the keys cannot be judged apart.
    """

    name = "etcd"
    functions = frozenset({"get", "put", "delete", "cas", "list", "txn"})

    def __init__(self, numbers: Iterable[str] = (*requests.NUMBERS, "revision"), initial: Store | None = None) -> None:
        self.numbers = frozenset(numbers)
        self._counts = bool(self.numbers - {"version"})
        self._initial = initial
        self.together = "revisions are recorded, which count the writes of all keys" if self._counts else ""

    def initial(self) -> State:
        """Return the store before the first operation: empty, at revision 1, unless told otherwise."""
        return self._initial or Store(FIRST_REVISION if self._counts else 0)

    def is_read(self, operation: Operation, result: Any) -> bool:
        """Tell whether it reads."""
        return operation.function in ("get", "list")

    def check(self, operation: Operation, result: Any) -> None:
        """Refuse what is no operation of such a store."""
        super().check(operation, result)
        request = request_of(operation)
        told = result.result if isinstance(result, At) else result
        if told is UNKNOWN:
            return
        if operation.function == "txn":
            requests.require_responses(told)
        else:
            requests.require_told(request.success[0], told)

    def keys(self, operation: Operation) -> Iterable[Hashable] | None:
        """Return the keys of an operation, all if revisions are followed."""
        return None if self._counts else request_of(operation).keys()

    def fitted(self, history: History) -> "Etcd":
        """Return the model that follows the numbers that a history records."""
        numbers = set()
        for call in history.calls:
            request = request_of(call.operation)
            numbers |= {compare.target for compare in request.compares} - {"value"}
            told = call.result
            if isinstance(told, At):
                numbers.add("revision")
                told = told.result
            numbers |= set(requests.numbers_in(told))
        fitted = Etcd(numbers)
        if history.initial is not None:
            fitted = Etcd(numbers, fitted.store_of(history.initial))
        if not fitted.together and any(call.operation.function == "list" for call in history.calls):
            fitted.together = "keys are listed, which reads all of them"
        return fitted

    def store_of(self, initial: Mapping[str, Any]) -> Store:
        """Return the store that {"revision": ..., "records": [...]} describes. Raises ValueError if it is none."""
        fields = requests.mapping_of(frozen(initial), "initial", ("revision", "records"))
        revision = requests.number_of(fields.get("revision", FIRST_REVISION), "revision")
        records = {}
        for item in requests.list_of(fields.get("records", ())):
            requests.require_record(item, ("key",))
            told: dict[Any, Any] = dict(item.pairs)
            lacking = [name for name in requests.NUMBERS if name in self.numbers and name not in told]
            if lacking:
                raise ValueError(f"the history records {', '.join(lacking)}, so every record of initial needs it")
            followed = {name: told[name] for name in requests.NUMBERS if name in self.numbers}
            records[told["key"]] = Record(requests.document_of(told["value"]), **followed)
        return Store(revision if self._counts else 0, tuple(sorted(records.items())))

    def step(self, state: State, operation: Operation, result: Any) -> State | None:
        """Return the store after an operation, None if it could not have told that."""
        assert isinstance(state, Store)
        request = request_of(operation)
        holds = all(is_true(compare, dict(state.records)) for compare in request.compares)
        after, told = state, []
        for wanted in request.success if holds else request.failure:
            before = dict(after.records)
            documents, answer = spec.apply({key: record.document for key, record in before.items()}, wanted)
            told.append((wanted, answer, before))
            after = self._after(state, after, wanted, documents, answer)
        if result is UNKNOWN:
            return after
        if isinstance(result, At):
            if result.revision != after.revision:
                return None
            result = result.result
        if operation.function != "txn":
            return after if fits(*told[0], result) else None
        fields: dict[Any, Any] = dict(result.pairs)
        if fields["succeeded"] is not holds:
            return None
        responses = fields.get("responses")
        if responses is None:
            return after
        fit = len(responses) == len(told) and all(fits(*one, item) for one, item in zip(told, responses, strict=True))
        return after if fit else None

    def _after(
        self, before: Store, now: Store, wanted: spec.Operation, documents: spec.Store, answer: spec.Result
    ) -> Store:
        """Return the store after one operation of a request. All writes of a request have one revision."""
        if isinstance(wanted, spec.Get | spec.ListPrefix) or (not answer.succeeded):
            return now
        records, revision = dict(now.records), before.revision + self._counts
        if wanted.key not in documents:
            del records[wanted.key]
        else:
            old = records.get(wanted.key, Record("", create_revision=revision))
            new = Record(documents[wanted.key], old.create_revision, revision, old.version + 1)
            records[wanted.key] = self._followed(new)
        return Store(revision, tuple(sorted(records.items())))

    def _followed(self, record: Record) -> Record:
        """Return a record without the numbers that are not followed."""
        return Record(
            record.document, **{name: getattr(record, name) for name in requests.NUMBERS if name in self.numbers}
        )

    def assumptions(self) -> tuple[str, ...]:
        """Return what the store holds at first."""
        if self._initial:
            return ("the store was at first as the history says",)
        return (f"the store was empty at first{', at revision 1' if self._counts else ''}",)

    def show(self, state: State) -> str:
        """Return the store."""
        assert isinstance(state, Store)
        records = ", ".join(
            f"{key} = {record.document}"
            + "".join(f" {name} {getattr(record, name)}" for name in requests.NUMBERS if name in self.numbers)
            for key, record in state.records
        )
        return (f"revision {state.revision}: " if self._counts else "") + (records or "empty")


def is_true(compare: Compare, records: Mapping[spec.Key, Record]) -> bool:
    """Tell whether a condition holds. The numbers of a key that is absent are 0; its value equals nothing."""
    record = records.get(compare.key)
    if compare.target == "value":
        return record is not None and bool(record.document == compare.operand) is (compare.sign == "=")
    number = getattr(record, compare.target) if record else 0
    return SIGNS[compare.sign](number, compare.operand)


def fits(wanted: spec.Operation, answer: spec.Result, before: Mapping[spec.Key, Record], told: Any) -> bool:
    """Tell whether an operation could have told that. What is not recorded fits."""
    match wanted:
        case spec.Get(key):
            return record_fits(before.get(key), told)
        case spec.ListPrefix():
            keys = [key for key, _ in answer.documents]
            return [dict(item.pairs)["key"] for item in told] == keys and all(
                record_fits(before[key], item) for key, item in zip(keys, told, strict=True)
            )
        case spec.CompareAndSet() if isinstance(told, bool):
            return told is answer.succeeded
    fields: dict[Any, Any] = dict(told.pairs) if isinstance(told, Items) else {}
    return (
        fields.get("succeeded", answer.succeeded) is answer.succeeded
        and fields.get("deleted", int(answer.succeeded)) == int(answer.succeeded)
        and ("previous" not in fields or record_fits(before.get(wanted.key), fields["previous"]))
    )


def record_fits(record: Record | None, told: Any) -> bool:
    """Tell whether a record is what was told of it."""
    if record is None or told is None:
        return record is None and told is None
    fields: dict[Any, Any] = dict(told.pairs)
    if "value" not in fields or requests.document_of(fields["value"]) != record.document:
        return False
    return all(bool(fields[name] == getattr(record, name)) for name in requests.NUMBERS if name in fields)
