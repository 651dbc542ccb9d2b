"""The log: entries that follow on a snapshot (sections 5.3 and 7).

Indexes are those of the whole log, from 1 on, whatever part of it a snapshot stands for.
"""

from raftimpl.messages import Entry, Snapshot
from raftimpl.values import Value

Entries = tuple[Entry, ...]


class Log(Value, frozen=True):
    """The entries after those that the snapshot stands for."""

    entries: Entries = ()
    snapshot: Snapshot = Snapshot()

    @property
    def first_index(self) -> int:
        """The index of the first entry after the snapshot, whether or not there is one."""
        return self.snapshot.last_included_index + 1

    @property
    def last_index(self) -> int:
        """The index of the last entry, 0 for an empty log."""
        return self.snapshot.last_included_index + len(self.entries)

    @property
    def last_term(self) -> int:
        """The term of the last entry, 0 for an empty log."""
        return self.term_at(self.last_index)

    def entry_at(self, index: int) -> Entry:
        """Return the entry at an index. Raises IndexError for one that a snapshot stands for, or beyond the log."""
        if index < self.first_index:
            raise IndexError(f"the entry at index {index} is not kept: the log begins at {self.first_index}")
        return self.entries[index - self.first_index]

    def term_at(self, index: int) -> int:
        """Return the term of the entry at an index, 0 for index 0. Raises IndexError if it is not known."""
        if index == self.snapshot.last_included_index:
            return self.snapshot.last_included_term
        return self.entry_at(index).term

    def has_entry(self, index: int, term: int) -> bool:
        """Tell whether the log has an entry with that index and term; (0, 0) is in every log.

        Raises IndexError for an index before the snapshot's last.
        """
        return index <= self.last_index and self.term_at(index) == term

    def after(self, index: int, limit: int | None = None) -> Entries:
        """Return at most `limit` entries that follow the one at `index`, which is not before the snapshot's last."""
        start = index + 1 - self.first_index
        return self.entries[start : None if limit is None else start + limit]

    def up_to(self, index: int) -> "Log":
        """Return the log without the entries after `index`, which is not before the snapshot's last."""
        return Log(self.entries[: index + 1 - self.first_index], self.snapshot)

    def extended(self, entries: Entries) -> "Log":
        """Return the log with entries appended."""
        return Log(self.entries + entries, self.snapshot)

    def begun_by(self, snapshot: Snapshot) -> "Log":
        """Return the log with a later snapshot in place of the entries up to its last, and of those alone."""
        return Log(self.entries[snapshot.last_included_index + 1 - self.first_index :], snapshot)

    def first_index_of_term(self, term: int) -> int | None:
        """Return the index of the first entry of that term after the snapshot, None if there is none."""
        return next((index for index, entry in enumerate(self.entries, self.first_index) if entry.term == term), None)

    def last_index_of_term(self, term: int, at_most: int) -> int | None:
        """Return the index of the last entry of that term up to `at_most`, None if none is known."""
        known = range(min(at_most, self.last_index), max(self.snapshot.last_included_index, 1) - 1, -1)
        return next((index for index in known if self.term_at(index) == term), None)


EMPTY = Log()
