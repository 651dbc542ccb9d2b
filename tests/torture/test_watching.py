"""What a watch must be told: all that a store has seen, each event once, in order."""

import pytest

pytest.importorskip("google.protobuf")
pytest.importorskip("sortedcontainers")

from raftcheck.torture.watching import Change, history, untold
from raftimpl.store.requests import DeleteRange, Put, Txn
from raftimpl.store.store import Store

PUT, OTHER, DELETION = Change(2, b"a", b"x"), Change(2, b"b", b"y"), Change(3, b"a", None)
SEEN = [PUT, OTHER, DELETION]


def test_the_history_of_a_store() -> None:
    store = Store()
    assert history(store) == []
    store.apply(Txn(success=(Put(b"a", b"x"), Put(b"b", b"y"))))
    store.apply(DeleteRange(b"a"))
    assert history(store) == SEEN


def test_all_of_it_is_right() -> None:
    assert untold("s0", SEEN, SEEN) == []


@pytest.mark.parametrize(
    ("heard", "number"),
    [
        ([], 1),
        ([PUT, OTHER], 3),
        ([PUT, DELETION], 2),
        ([PUT, PUT, OTHER, DELETION], 2),
        ([*SEEN, DELETION], 4),
        ([OTHER, PUT, DELETION], 1),
        ([PUT, OTHER, Change(3, b"a", b"")], 3),
    ],
    ids=["nothing", "late", "lost", "twice", "twice at the end", "another order", "a put for a deletion"],
)
def test_what_differs_is_told(heard: list[Change], number: int) -> None:
    [finding] = untold("s0", heard, SEEN)
    assert finding.judge == "watches"
    assert finding.what.startswith(f"event {number} of a watch of s0 is ")
