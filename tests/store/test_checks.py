"""What is refused whatever the store holds, conditions, and what only reads."""

import pytest

from raftimpl.store import errors
from raftimpl.store.checks import check, is_read_only
from raftimpl.store.errors import RequestError
from raftimpl.store.requests import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    LeaseGrant,
    Operation,
    Put,
    Range,
    Txn,
)
from tests.store.asking import answer, ask, store_after

A, B, ALL = Put(b"a"), Put(b"b"), DeleteRange(b"\0", b"\0")
IS_A = Compare(CompareResult.EQUAL, CompareTarget.VERSION, b"a", 0)


def then(*operations: Operation) -> Txn:
    return Txn(success=operations)


def either(success: Operation, failure: Operation) -> Txn:
    return Txn(success=(success,), failure=(failure,))


def nested(depth: int) -> Txn:
    """Return a transaction in a transaction in ..."""
    txn = then(A)
    for _ in range(depth):
        txn = then(txn)
    return txn


def many(count: int) -> tuple[Put, ...]:
    return tuple(Put(b"%d" % number) for number in range(count))


TOO_MANY, DUPLICATE, NO_KEY = errors.too_many_operations(), errors.duplicate_key(), errors.empty_key()

CHECKED: dict[str, tuple[Txn, RequestError | None]] = {
    "as many as allowed": (then(*many(128)), None),
    "one more": (then(*many(129)), TOO_MANY),
    "one more on the other side": (Txn(failure=many(129)), TOO_MANY),
    "as many conditions": (Txn(compare=(IS_A,) * 128), None),
    "one condition more": (Txn(compare=(IS_A,) * 129), TOO_MANY),
    "the longest list counts, not their sum": (Txn((IS_A,) * 128, many(128), many(128)), None),
    "an inner one has what is left": (then(then(*many(127))), None),
    "an inner one has more than what is left": (then(then(*many(128))), TOO_MANY),
    "a tower": (nested(127), None),
    "a tower that is too high": (nested(128), TOO_MANY),
    "a condition without a key": (Txn(compare=(Compare(CompareResult.EQUAL, CompareTarget.MOD, b"", 0),)), NO_KEY),
    "a range without a key": (then(Range(b"")), NO_KEY),
    "a deletion without a key": (Txn(failure=(DeleteRange(b""),)), NO_KEY),
    "a put with too much": (then(Put(b"a", b"1", ignore_value=True)), errors.value_provided()),
    "a put with too much, inside": (then(then(Put(b"a", lease=1, ignore_lease=True))), errors.lease_provided()),
    "no key comes before duplicates": (then(A, A, Range(b"")), NO_KEY),
    "two puts": (then(A, A), DUPLICATE),
    "two puts in the other branch": (Txn(failure=(A, A)), DUPLICATE),
    "a put on either side": (either(A, A), None),
    "a put and a deletion": (then(A, DeleteRange(b"a")), DUPLICATE),
    "a deletion and a put": (then(DeleteRange(b"a"), A), DUPLICATE),
    "a put in a deleted range": (then(DeleteRange(b"a", b"b"), A), DUPLICATE),
    "a put at its end": (then(DeleteRange(b"a", b"b"), B), None),
    "a put in the longest of several": (
        then(DeleteRange(b"a", b"z"), DeleteRange(b"b", b"c"), Put(b"d")), DUPLICATE),
    "a put between ranges": (then(DeleteRange(b"a", b"b"), DeleteRange(b"c", b"z"), B), None),
    "a range that ends before it begins": (then(DeleteRange(b"z", b"a"), B), None),
    "deleting from a key on is not seen": (then(DeleteRange(b"a", b"\0"), B), None),
    "deletions may overlap": (then(DeleteRange(b"a"), DeleteRange(b"a", b"z")), None),
    "an inner put and a put": (then(then(A), A), DUPLICATE),
    "an inner put on either side and a put": (then(either(B, A), A), DUPLICATE),
    "one inner put on either side": (then(either(A, A)), None),
    "two inner puts": (then(then(A), then(A)), DUPLICATE),
    "two inner puts on other sides": (then(either(A, B), either(B, Put(b"c"))), DUPLICATE),
    "an inner put and a deletion": (then(then(A), DeleteRange(b"a")), DUPLICATE),
    "an inner deletion and a put": (then(then(DeleteRange(b"a")), A), DUPLICATE),
    "an inner deletion on the other side and a put": (then(either(B, DeleteRange(b"a")), A), DUPLICATE),
    "an inner deletion, an inner put": (then(then(DeleteRange(b"a")), then(A)), DUPLICATE),
    "an inner put, an inner deletion": (then(then(A), then(DeleteRange(b"a"))), None),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKED)
def test_transactions_are_checked(name: str) -> None:
    request, refusal = CHECKED[name]
    assert answer(check, request) == refusal
    assert (ask(store_after(), request) == refusal) is (refusal is not None)


def test_a_tower_that_never_ends_is_refused() -> None:
    """Refused by its height and not by what the machine can bear, or servers would disagree about it."""
    assert answer(check, nested(10_000)) == TOO_MANY
    assert ask(store_after(), then(A, nested(10_000))) == TOO_MANY


def test_what_only_reads() -> None:
    for request in (Txn(), then(Range(b"a")), then(then(Range(b"a"))), Txn(compare=(IS_A,))):
        assert is_read_only(request), request
    for request in (then(A), Txn(failure=(ALL,)), then(Range(b"a"), then(Txn(failure=(A,))))):
        assert not is_read_only(request), request


# Conditions: a is created at 2 and changed at 3, with value 5 and lease 1; b is created at 4, with value 5.

STORE = (LeaseGrant(1, 60), Put(b"a", b"5"), Put(b"a", b"5", 1), Put(b"b", b"5"))
FOUND = {
    CompareTarget.VERSION: 2, CompareTarget.CREATE: 2, CompareTarget.MOD: 3, CompareTarget.LEASE: 1,
}  # fmt: skip
OUTCOMES = {
    CompareResult.EQUAL: (False, True, False),
    CompareResult.NOT_EQUAL: (True, False, True),
    CompareResult.GREATER: (True, False, False),
    CompareResult.LESS: (False, False, True),
}
"""Whether a condition holds if what is given is less, equal, greater than what is found."""


def holds(target: CompareTarget, result: CompareResult, key: bytes, value: bytes | int, range_end: bytes = b"") -> bool:
    return store_after(*STORE).read(Txn(compare=(Compare(result, target, key, value, range_end),))).succeeded


@pytest.mark.parametrize("result", CompareResult)
def test_conditions_on_a_key(result: CompareResult) -> None:
    for target, number in FOUND.items():
        for given, outcome in zip((number - 1, number, number + 1), OUTCOMES[result], strict=True):
            assert holds(target, result, b"a", given) is outcome, (target, given)
    for value, outcome in zip((b"4", b"5", b"50"), OUTCOMES[result], strict=True):
        assert holds(CompareTarget.VALUE, result, b"a", value) is outcome, value


@pytest.mark.parametrize("result", CompareResult)
def test_conditions_on_a_key_that_is_not_there(result: CompareResult) -> None:
    for target in FOUND:
        for given, outcome in zip((-1, 0, 1), OUTCOMES[result], strict=True):
            assert holds(target, result, b"z", given) is outcome, (target, given)
            assert holds(target, result, b"y", given, b"z") is outcome, (target, given)
    assert not holds(CompareTarget.VALUE, result, b"z", b"")


def test_a_condition_on_a_range_is_one_on_every_key() -> None:
    assert holds(CompareTarget.VALUE, CompareResult.EQUAL, b"a", b"5", b"\0")
    assert holds(CompareTarget.CREATE, CompareResult.GREATER, b"a", 1, b"c")
    assert not holds(CompareTarget.CREATE, CompareResult.EQUAL, b"a", 2, b"c")
    assert holds(CompareTarget.CREATE, CompareResult.EQUAL, b"a", 2, b"b")


def test_an_operand_of_the_wrong_type_counts_as_none() -> None:
    assert holds(CompareTarget.VERSION, CompareResult.GREATER, b"a", b"7")
    assert holds(CompareTarget.VALUE, CompareResult.GREATER, b"a", 7)


def test_inner_conditions_are_about_what_was_there_before() -> None:
    store = store_after()
    response = store.apply(then(A, Txn(compare=(IS_A,), success=(B,))))
    assert response.responses[1].succeeded
    assert store.read(Range(b"b")).count == 1
