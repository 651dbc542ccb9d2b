"""The replicated store against its specification."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftimpl.errors import MalformedInputError
from raftimpl.keyvalue import (
    Answer,
    Command,
    Record,
    Store,
    apply_command,
    apply_write,
    decode_command,
    encode_command,
    read,
)
from raftspec import keyvalue as spec
from raftspec.keyvalue import CompareAndSet, Delete, Get, ListPrefix, Put, Result, document

KEYS = st.sampled_from(["a", "a/1", "a/2", "b", "", "ü"])
DOCUMENTS = st.sampled_from([document(value) for value in (1, 2, None, {"x": [1, "y"]}, "text")])
WRITES = st.one_of(
    st.builds(Put, KEYS, DOCUMENTS),
    st.builds(Delete, KEYS),
    st.builds(CompareAndSet, KEYS, st.none() | DOCUMENTS, DOCUMENTS),
)
READS = st.one_of(st.builds(Get, KEYS), st.builds(ListPrefix, KEYS))


@given(st.lists(WRITES | READS, max_size=40))
def test_the_store_agrees_with_its_specification(operations: list[spec.Operation]) -> None:
    store, model = Store(), spec.EMPTY
    for operation in operations:
        model_after, expected = spec.apply(model, operation)
        if isinstance(operation, Get | ListPrefix):
            answer = read(store, operation)
            assert answer == Answer(expected, store.revision)
        else:
            before = store
            store, result = apply_write(store, operation)
            assert result == expected
            assert store.revision == before.revision + (result.succeeded)
            assert {key: record.document for key, record in before.records.items()} == model
        model = model_after
        assert {key: record.document for key, record in store.records.items()} == model


def test_revisions_are_etcds() -> None:
    store, _ = apply_write(Store(), Put("a", "1"))
    store, _ = apply_write(store, Put("b", "1"))
    store, _ = apply_write(store, Put("a", "2"))
    assert store.revision == 4
    assert store.records["a"] == Record("2", create_revision=2, mod_revision=4, version=2)
    assert store.records["b"] == Record("1", create_revision=3, mod_revision=3, version=1)
    store, _ = apply_write(store, Delete("missing"))
    assert store.revision == 4
    store, _ = apply_write(store, Delete("a"))
    store, _ = apply_write(store, Put("a", "3"))
    assert store.records["a"] == Record("3", create_revision=6, mod_revision=6, version=1)


def test_a_repeated_write_is_applied_once_and_answered_alike() -> None:
    put, again = Command("alice", 1, Put("a", "1")), Command("alice", 2, Put("a", "2"))
    store, first = apply_command(Store(), put)
    repeated, second = apply_command(store, put)
    assert (repeated, second) == (store, first)
    store, third = apply_command(store, again)
    assert third == Answer(Result(True, (("a", "1"),)), 3)
    assert apply_command(store, put) == (store, None)
    assert apply_command(store, Command("bob", 1, Put("a", "1")))[0].revision == 4


@given(st.builds(Command, st.text(max_size=5), st.integers(1, 2**40), WRITES))
def test_commands_survive_the_log(command: Command) -> None:
    assert decode_command(encode_command(command)) == command


def test_texts_that_are_no_unicode_are_refused() -> None:
    with pytest.raises(ValueError, match="not a JSON document"):
        document("\ud800")
    with pytest.raises(MalformedInputError, match="surrogates not allowed"):
        encode_command(Command("client", 1, Delete("\ud800")))


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"w1",
        b"[]",
        b'["c",1,"drop",{}]',
        b'["c",1,"put",{"key":1,"document":"1"}]',
        b'["c","1","put",{}]',
        b"\xff",
        b'["c",1,"put",' + b"[" * 200_000,
    ],
)
def test_bytes_that_are_no_command_are_a_typed_error(encoded: bytes) -> None:
    with pytest.raises(MalformedInputError, match="not a command of the key-value store"):
        decode_command(encoded)
