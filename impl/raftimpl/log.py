"""The log: a tuple of entries; the entry at index i is log[i - 1]."""

from raftimpl.messages import Entry

Log = tuple[Entry, ...]


def last_index(log: Log) -> int:
    """Return the index of the last entry, 0 for an empty log."""
    return len(log)


def term_at(log: Log, index: int) -> int:
    """Return the term of the entry at `index`, 0 for index 0. Raises IndexError beyond the log."""
    return log[index - 1].term if index > 0 else 0


def last_term(log: Log) -> int:
    """Return the term of the last entry, 0 for an empty log."""
    return term_at(log, last_index(log))


def entries_after(log: Log, index: int, limit: int) -> Log:
    """Return at most `limit` entries that follow the one at `index`."""
    return log[index : index + limit]


def has_entry(log: Log, index: int, term: int) -> bool:
    """Tell whether the log has an entry with that index and term; (0, 0) is in every log."""
    return index <= last_index(log) and term_at(log, index) == term


def first_index_of_term(log: Log, term: int) -> int | None:
    """Return the index of the first entry of that term, None if there is none."""
    return next((index for index, entry in enumerate(log, 1) if entry.term == term), None)


def last_index_of_term(log: Log, term: int, at_most: int) -> int | None:
    """Return the index of the last entry of that term among the first `at_most`, None if there is none."""
    return next((i for i in range(min(at_most, len(log)), 0, -1) if log[i - 1].term == term), None)
