"""A frozen store that has suffered is refused, with an error that says so."""

from collections.abc import Iterable
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftimpl.errors import MalformedInputError
from raftimpl.store.frames import frame
from raftimpl.store.freezing import FORMAT, PIECE_SIZE, Base, Changes, End, Header, Written
from raftimpl.store.requests import Compact, DeleteRange, KeyValue, LeaseGrant, LeaseRevoke, Put, Txn
from raftimpl.store.store import Store, thaw
from tests.store.asking import frozen, store_after

EXAMPLE = frozen(
    store_after(LeaseGrant(1, 60), LeaseGrant(2, 60), *(Put(b"%d" % n, b"x" * n, 1 + n % 2) for n in range(9)),
                LeaseRevoke(2), Compact(5), Txn(success=(Put(b"a"), DeleteRange(b"1"))))
)  # fmt: skip

HEADER = Header(FORMAT, 5, -1, ((1, 60, 1),), 2)
A, B = KeyValue(b"a", 2, 4, 2, b"1", 1), KeyValue(b"b", 3, 3, 1, b"1")
BASE, PUT, END = Base((A, B)), Changes(((Written(b"c", b"2", 0),),)), End(5)

BROKEN: dict[str, tuple[Iterable[msgspec.Struct], str]] = {
    "nothing": ((), "does not begin as one"),
    "no header": ((BASE, PUT, END), "does not begin as one"),
    "another format": ((Header("store 0", 5, -1, (), 0), END), "does not begin as one"),
    "no end": ((HEADER, BASE, PUT), "without an end"),
    "something after the end": ((HEADER, BASE, PUT, END, END), "End at revision 5"),
    "another revision at the end": ((HEADER, BASE, PUT, PUT, END), "End at revision 6"),
    "a second header": ((HEADER, HEADER, PUT, END), "Header at revision 4"),
    "keys out of order": ((HEADER, Base((B, A)), PUT, END), "out of order"),
    "a key twice": ((HEADER, Base((A,)), Base((A,)), PUT, END), "out of order"),
    "a base after changes": ((HEADER, PUT, BASE, END), "out of order"),
    "a revision without changes": ((HEADER, BASE, Changes(((),)), END), "nothing changes at revision 5"),
    "a deletion of nothing": ((HEADER, BASE, Changes(((b"z",),)), END), "in it"),
    "a lease twice": ((Header(FORMAT, 5, -1, ((1, 60, 1), (1, 60, 2)), 2), BASE, PUT, END), "lease already exists"),
    "leases granted at once": ((Header(FORMAT, 5, -1, ((1, 60, 1), (2, 60, 1)), 2), BASE, PUT, END), "the same time"),
    "a lease renewed in the future": ((Header(FORMAT, 5, -1, ((1, 60, 3),), 2), BASE, PUT, END), "in the future"),
    "a lease never granted": ((Header(FORMAT, 5, -1, ((1, 60, 0),), 2), BASE, PUT, END), "in the future"),
    "a key with a lease that is not there": ((Header(FORMAT, 5, -1, (), 2), BASE, PUT, END), "the lease 1"),
    "compacted in the future": ((Header(FORMAT, 5, 6, ((1, 60, 1),), 2), BASE, PUT, END), "compacted at 6 of 5"),
    "before the first revision": ((Header(FORMAT, 0, -1, (), 0), End(-1)), "compacted at -1 of -1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_store_is_refused(name: str) -> None:
    pieces, complaint = BROKEN[name]
    with pytest.raises(MalformedInputError, match=complaint):
        thaw(map(frame, pieces))


def test_the_pieces_of_a_store_are_one() -> None:
    """What is broken above is broken by what the table says."""
    assert thaw(map(frame, (HEADER, BASE, PUT, END))).revision == 5


def test_every_beginning_of_a_store_is_refused() -> None:
    assert thaw([EXAMPLE]).revision > 5
    for length in range(len(EXAMPLE)):
        with pytest.raises(MalformedInputError, match="not a store"):
            thaw([EXAMPLE[:length]])


@settings(max_examples=300)
@given(st.integers(0, len(EXAMPLE) - 1), st.integers(1, 255))
def test_flipped_bits_make_another_store_or_none(position: int, flips: int) -> None:
    damaged = bytearray(EXAMPLE)
    damaged[position] ^= flips
    with suppress(MalformedInputError):
        assert thaw([bytes(damaged)]).revision > 0


def test_more_than_a_store_is_refused() -> None:
    with pytest.raises(MalformedInputError, match="it ends within a record, 3 bytes after its beginning"):
        thaw([EXAMPLE, b"\0\0", b"\1"])


def test_pieces_are_bounded() -> None:
    store = Store()
    for number in range(3000):
        store.apply(Put(b"%d" % (number % 1500), b"x" * 1000))
    sizes = [len(piece) for piece in store.freeze().chunks()]
    assert PIECE_SIZE / 2 < max(sizes) < PIECE_SIZE * 1.1
    assert sum(size > PIECE_SIZE / 2 for size in sizes) >= len(sizes) - 4


def test_what_is_frozen_stays_while_the_store_changes() -> None:
    """Keys with history and without, keys that are there and gone; then all of that changes."""
    store = store_after(Put(b"a"), Put(b"b"), Put(b"c"), Compact(4), Put(b"d"), Put(b"c"), DeleteRange(b"b"))
    expected, snapshot = frozen(store), store.freeze()
    for request in (Put(b"a", b"2"), Put(b"e"), DeleteRange(b"d"), LeaseGrant(1, 60), Compact(10)):
        store.apply(request)
    assert b"".join(snapshot.chunks()) == expected != frozen(store)
