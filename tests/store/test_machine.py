"""Batches: each applied once, in the log's order, by all servers alike."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftimpl.errors import InvariantViolationError, MalformedInputError
from raftimpl.store import errors
from raftimpl.store.machine import Applied, Batch, Machine, decode_batch, encode_batch, thaw
from raftimpl.store.requests import Put, PutResponse, Range
from tests.store.asking import frozen, store_after
from tests.store.strategies import WRITES

BATCHES = st.builds(
    Batch, st.integers(1, 3), st.integers(1, 2), st.integers(1, 5), st.lists(WRITES, max_size=3).map(tuple)
)
COMMANDS = st.lists(st.one_of(BATCHES.map(encode_batch), st.none(), st.binary(max_size=5)), max_size=20)


def batch(origin: int, incarnation: int, sequence: int) -> bytes:
    return encode_batch(Batch(origin, incarnation, sequence, (Put(b"a", b"%d" % sequence),)))


def machine_after(*commands: bytes | None) -> Machine:
    machine = Machine()
    for index, command in enumerate(commands, 1):
        machine.apply(index, command)
    return machine


NUMBERS: dict[str, tuple[list[tuple[int, int, int]], list[bool]]] = {
    "in order": ([(1, 1, 1), (1, 1, 2), (1, 1, 3)], [False, False, False]),
    "repeated": ([(1, 1, 1), (1, 1, 1)], [False, True]),
    "overtaken": ([(1, 1, 2), (1, 1, 1), (1, 1, 3)], [False, True, False]),
    "lost": ([(1, 1, 1), (1, 1, 5)], [False, False]),
    "a new start": ([(1, 1, 7), (1, 2, 1), (1, 2, 2)], [False, False, False]),
    "from before a new start": ([(1, 2, 1), (1, 1, 8), (1, 2, 2)], [False, True, False]),
    "of another server": ([(1, 1, 1), (2, 1, 1), (1, 1, 1), (2, 1, 2)], [False, False, True, False]),
    "of server 0, numbered from 0": ([(0, 0, 0), (0, 0, 0)], [False, True]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_batch_is_applied_once(name: str) -> None:
    numbers, repeated = NUMBERS[name]
    machine, revision = Machine(), 1
    for index, (number, is_repeated) in enumerate(zip(numbers, repeated, strict=True), 1):
        revision += not is_repeated
        answers = () if is_repeated else (PutResponse(revision),)
        assert machine.apply(index, batch(*number)) == Applied(*number, answers, is_repeated)
        assert machine.store.revision == revision


def test_refusals_are_answers_and_do_not_keep_others_back() -> None:
    requests = (Put(b"a"), Put(b""), Put(b"b", lease=1), Put(b"b"))
    applied = Machine().apply(1, encode_batch(Batch(1, 1, 1, requests)))
    assert applied is not None
    assert applied.answers == (PutResponse(2), errors.empty_key(), errors.lease_not_found(), PutResponse(3))


NESTED = encode_batch(Batch(1, 1, 1, ())).replace(b"\x95", b"\x96", 1) + b"\x91" * 200_000
"""A batch with one field too many, which is a list in a list in a list ..."""


@pytest.mark.parametrize(
    "command",
    [None, b"", b"\xc1", b"\x90", encode_batch(Batch(1, 1, 1, ()))[:-1], pytest.param(NESTED, id="nested too deeply")],
)
def test_no_ops_and_bytes_that_are_no_batch_are_passed_over(command: bytes | None) -> None:
    machine = Machine()
    assert machine.apply(1, command) is None
    assert (machine.applied_index, machine.store.revision, machine.sessions) == (1, 1, {})


@pytest.mark.parametrize("index", [0, 1, 3])
def test_entries_are_applied_one_after_the_other(index: int) -> None:
    machine = machine_after(batch(1, 1, 1))
    with pytest.raises(InvariantViolationError, match=f"entry {index} .* after entry 1"):
        machine.apply(index, batch(1, 1, 2))
    assert (machine.applied_index, machine.store.revision) == (1, 2)


@given(BATCHES)
def test_batches_are_read_as_they_were_written(batch: Batch) -> None:
    assert decode_batch(encode_batch(batch)) == batch


@given(st.binary(max_size=40))
def test_other_bytes_are_no_batch(encoded: bytes) -> None:
    with suppress(MalformedInputError):
        assert isinstance(decode_batch(encoded), Batch)


def test_a_read_is_no_write() -> None:
    with pytest.raises(MalformedInputError, match="not a batch"):
        decode_batch(encode_batch(Batch(1, 1, 1, (Range(b"a"),))))


@settings(max_examples=100, deadline=None)
@given(COMMANDS, COMMANDS)
def test_a_frozen_machine_thaws_to_an_equal_one(commands: list[bytes | None], later: list[bytes | None]) -> None:
    machine, again = machine_after(*commands), machine_after(*commands)
    thawed = thaw(machine.freeze().chunks())
    assert b"".join(thawed.freeze().chunks()) == b"".join(again.freeze().chunks())
    for index, command in enumerate(later, len(commands) + 1):
        assert thawed.apply(index, command) == again.apply(index, command)
    assert (thawed.sessions, thawed.applied_index) == (again.sessions, again.applied_index)
    assert frozen(thawed.store) == frozen(again.store)


def test_a_store_alone_is_no_machine() -> None:
    with pytest.raises(MalformedInputError, match="not a state machine"):
        thaw([frozen(store_after())])
