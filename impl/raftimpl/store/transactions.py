"""Transactions: conditions, then operations, all or nothing, at one revision. After etcd's etcdserver/apply.go (Txn).

All conditions, also those of inner transactions, are about what there was before the whole.
"""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from raftimpl.store import errors
from raftimpl.store.contents import Contents
from raftimpl.store.operations import delete_range, put, require_key, require_lease
from raftimpl.store.ranges import read_range, readable_revision
from raftimpl.store.requests import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    KeyValue,
    OperationResponse,
    Put,
    Range,
    Txn,
    TxnResponse,
)


class Branch(NamedTuple):
    """The way that a transaction goes: whether its conditions hold, and what it therefore does."""

    succeeded: bool
    steps: "tuple[Range | Put | DeleteRange | Branch, ...]"


def run_transaction(contents: Contents, request: Txn) -> TxnResponse:
    """Carry out a transaction. Raises RequestError if one of its operations is refused; then undo what is uncommitted.

    etcd looks at the puts before it begins, then at the ranges. What it does not see then (a deletion takes away the
    key whose value a later put is to keep) makes it crash; here it is refused.
    """
    branch = _choose(contents, request)
    operations = list(_operations(branch))
    for operation in operations:
        if isinstance(operation, Put):
            require_key(contents, operation)
            require_lease(contents, operation)
    for operation in operations:
        if isinstance(operation, Range) and operation.revision:
            _require_revision(contents, operation.revision)
    responses = _carry_out(contents, branch)
    return TxnResponse(contents.newest, branch.succeeded, responses)


def _require_revision(contents: Contents, revision: int) -> None:
    """Refuse, as etcd does within transactions alone, a negative revision too."""
    readable_revision(contents, revision)
    if revision < contents.compact_revision:
        raise errors.compacted()


def _choose(contents: Contents, request: Txn) -> Branch:
    succeeded = all(_holds(contents, compare) for compare in request.compare)
    steps = request.success if succeeded else request.failure
    return Branch(succeeded, tuple(_choose(contents, step) if isinstance(step, Txn) else step for step in steps))


def _operations(branch: Branch) -> Iterator[Range | Put | DeleteRange]:
    for step in branch.steps:
        if isinstance(step, Branch):
            yield from _operations(step)
        else:
            yield step


def _carry_out(contents: Contents, branch: Branch) -> tuple[OperationResponse, ...]:
    return tuple(
        # etcd gives an inner transaction no revision of its own.
        TxnResponse(0, step.succeeded, _carry_out(contents, step))
        if isinstance(step, Branch)
        else OPERATIONS[type(step)](contents, step)
        for step in branch.steps
    )


OPERATIONS: dict[type, Callable[[Contents, Any], OperationResponse]] = {
    Range: read_range,
    Put: put,
    DeleteRange: delete_range,
}

# Conditions

RESULTS: dict[CompareResult, Callable[[Any, Any], bool]] = {
    CompareResult.EQUAL: lambda found, given: found == given,
    CompareResult.GREATER: lambda found, given: found > given,
    CompareResult.LESS: lambda found, given: found < given,
    CompareResult.NOT_EQUAL: lambda found, given: found != given,
}

TARGETS: dict[CompareTarget, Callable[[KeyValue], Any]] = {
    CompareTarget.VERSION: attrgetter("version"),
    CompareTarget.CREATE: attrgetter("create_revision"),
    CompareTarget.MOD: attrgetter("mod_revision"),
    CompareTarget.VALUE: attrgetter("value"),
    CompareTarget.LEASE: attrgetter("lease"),
}

ABSENT = KeyValue(b"", 0, 0, 0)


def _holds(contents: Contents, compare: Compare) -> bool:
    """Tell whether a condition holds of every key in its range.

    Where there is no key the numbers are 0; no condition on a value holds there. An operand of the wrong type counts
    as empty, or 0, as a missing one does in etcd.
    """
    kvs, _ = contents.found(compare.key, compare.range_end, contents.newest, None)
    is_about_value = compare.target is CompareTarget.VALUE
    if not kvs:
        if is_about_value:
            return False
        kvs = [ABSENT]
    expected = bytes if is_about_value else int
    given = compare.value if isinstance(compare.value, expected) else expected()
    holds, found = RESULTS[compare.result], TARGETS[compare.target]
    return all(holds(found(kv), given) for kv in kvs)
