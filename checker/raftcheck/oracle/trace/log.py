"""Logs as they can be known from a trace: the term of every entry, and which of them change the membership.

A log of a million entries of a few terms takes a few numbers: what is stored is where each term begins.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class Entry(NamedTuple):
    """A log entry. `change` says how it changes the membership; None if it does not."""

    term: int
    change: Any = None


class Log(NamedTuple):
    """The entries after `start` up to `last`: `terms[k]` is the term from `firsts[k]` on; `changes` by rising index.

    A whole log starts at 0; a part of one is what a message carries. Immutable.
    """

    start: int = 0
    last: int = 0
    firsts: tuple[int, ...] = ()
    terms: tuple[int, ...] = ()
    changes: tuple[tuple[int, Any], ...] = ()

    def term_at(self, index: int) -> int:
        """Return the term of the entry at an index; 0 where there is none."""
        if not self.start < index <= self.last:
            return 0
        return self.terms[bisect_right(self.firsts, index) - 1]

    def entry(self, index: int) -> Entry:
        """Return the entry at an index; one of term 0 where there is none."""
        return Entry(self.term_at(index), self.change_at(index))

    def change_at(self, index: int) -> Any:
        """Return how the entry at an index changes the membership; None if it does not."""
        position = bisect_left(self.changes, index, key=index_of)
        found = self.changes[position : position + 1]
        return found[0][1] if found and found[0][0] == index else None

    def cut(self, last: int) -> "Log":
        """Return the log without the entries after `last`."""
        if last >= self.last:
            return self
        runs = bisect_right(self.firsts, last)
        changes = self.changes[: bisect_right(self.changes, last, key=index_of)]
        return Log(self.start, last, self.firsts[:runs], self.terms[:runs], changes)

    def part(self, start: int, last: int) -> "Log":
        """Return the entries after `start` up to `last`."""
        whole = self.cut(last)
        if start <= whole.start:
            return whole
        if start >= whole.last:
            return Log(start, start)
        first = bisect_right(whole.firsts, start + 1) - 1
        changes = whole.changes[bisect_right(whole.changes, start, key=index_of) :]
        return Log(start, whole.last, (start + 1, *whole.firsts[first + 1 :]), whole.terms[first:], changes)

    def followed_by(self, entries: Iterable[Entry]) -> "Log":
        """Return the log with more entries at its end."""
        last, term_before = self.last, self.terms[-1] if self.terms else 0
        firsts, terms, changes = [], [], []
        for term, change in entries:
            last += 1
            if term != term_before:
                firsts.append(last)
                terms.append(term)
                term_before = term
            if change is not None:
                changes.append((last, change))
        # Without a new term, the tuples stay the same objects: appending does not grow with the number of terms.
        return Log(self.start, last, self.firsts + tuple(firsts), self.terms + tuple(terms),
                   self.changes + tuple(changes))  # fmt: skip

    def __iter__(self) -> Iterator[Entry]:
        return (self.entry(index) for index in range(self.start + 1, self.last + 1))

    def __len__(self) -> int:
        return self.last - self.start

    def first_difference(self, other: "Log", start: int | None = None, last: int | None = None) -> int:
        """Return the first index at which this log has no entry of the other's term; if there is none, the next.

        Compared are the entries after `start` up to `last`; by default all that the other has.
        """
        index = (other.start if start is None else start) + 1
        last = other.last if last is None else last
        runs = bisect_right(other.firsts, last)
        if runs and self.start == other.start and self.has_runs(other.firsts[:runs], other.terms[:runs]):
            begin = other.firsts[runs - 1]
            index = max(index, min(self.end_of_run(begin), other.end_of_run(begin), last) + 1)
        while index <= last and self.term_at(index) == other.term_at(index):
            index = min(self.end_of_run(index), other.end_of_run(index), last) + 1
        return index

    def has_runs(self, firsts: tuple[int, ...], terms: tuple[int, ...]) -> bool:
        """Tell whether the log begins with runs of these terms: what two logs have in common is long, most often."""
        return self.firsts[: len(firsts)] == firsts and self.terms[: len(terms)] == terms

    def end_of_run(self, index: int) -> int:
        """Return the last index up to which the entries have the term of the one at an index."""
        run = bisect_right(self.firsts, index)
        return self.firsts[run] - 1 if run < len(self.firsts) else self.last

    def __str__(self) -> str:
        runs = zip(self.firsts, self.terms, strict=True)
        texts = (f"{first}-{self.end_of_run(first)}: term {term}" for first, term in runs)
        return f"[{', '.join(texts)}]"


def index_of(change: tuple[int, Any]) -> int:
    """Return at which index a change stands."""
    return change[0]
