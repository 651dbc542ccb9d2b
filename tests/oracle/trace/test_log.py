"""Logs that are stored as runs of terms say what lists of terms say."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.oracle.trace.log import Entry, Log

TERMS = st.lists(st.integers(1, 4), max_size=12).map(sorted)


def log_of(terms: list[int], start: int = 0) -> Log:
    return Log(start, start).followed_by(map(Entry, terms))


@given(TERMS, st.integers(0, 12), st.integers(0, 12))
def test_cut_and_part(terms: list[int], start: int, last: int) -> None:
    log, start, last = log_of(terms), min(start, len(terms)), min(last, len(terms))
    assert [entry.term for entry in log.cut(last)] == terms[:last]
    part = log.part(min(start, last), last)
    assert [entry.term for entry in part] == terms[min(start, last) : last]
    assert all(one < other for one, other in pairwise(log.firsts))


@given(TERMS, TERMS, st.integers(0, 4))
def test_the_first_difference(one: list[int], other: list[int], start: int) -> None:
    """Compared with another whole log, and with the entries of a message."""
    for begin in (0, min(start, len(other))):
        mine = dict(enumerate(one, 1))
        theirs = dict(enumerate(other[begin:], begin + 1))
        different = [index for index, term in theirs.items() if mine.get(index) != term]
        assert log_of(one).first_difference(log_of(other[begin:], begin)) == min(different, default=len(other) + 1)


@given(TERMS, TERMS, st.integers(0, 12), st.integers(0, 12))
def test_the_first_difference_of_a_range(one: list[int], other: list[int], start: int, last: int) -> None:
    start, last = min(start, len(other)), min(last, len(other))
    places = [place for place in range(start + 1, last + 1) if one[place - 1 : place] != other[place - 1 : place]]
    expected = min(places, default=max(start, last) + 1)
    assert log_of(one).first_difference(log_of(other), start, last) == expected


@pytest.mark.parametrize("index", [0, 4])
def test_there_is_no_entry_outside(index: int) -> None:
    assert log_of([1, 2, 2]).entry(index) == Entry(0)
