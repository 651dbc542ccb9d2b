"""What is in log entries, if a trace tells it: the same wherever an entry of that index and term appears."""

from collections import OrderedDict
from collections.abc import Iterable

from raftcheck.oracle.trace.actions import Refused
from raftcheck.oracle.trace.messages import AppendEntries, Message, TracedEntry
from raftcheck.oracle.trace.network import REMEMBERED, UndecidedError


class Data:
    """Remembers the contents of entries. Those of the lowest indexes are forgotten if there are too many."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered, self._known = remembered, OrderedDict[tuple[int, int], str]()
        self._highest_forgotten = 0

    def check_message(self, message: Message) -> None:
        """Check the entries of a message."""
        if isinstance(message, AppendEntries):
            self.check(message.prev_index, message.entries)

    def check(self, prev: int, entries: Iterable[TracedEntry]) -> None:
        """Check entries that follow on an index. Raises Refused if one is not what it was when it was seen first."""
        for index, entry in enumerate(entries, prev + 1):
            if entry.data is None:
                continue
            place = (index, entry.term)
            if place not in self._known and index <= self._highest_forgotten:
                raise UndecidedError(f"entry {index} was seen more than {self._remembered:,} entries ago, or never")
            known = self._known.setdefault(place, entry.data)
            if known != entry.data:
                raise Refused("Log Matching", f"entry {index} of term {entry.term} is {entry.data!r}; it was {known!r}")
            if len(self._known) > self._remembered:
                (forgotten, _), _ = self._known.popitem(last=False)
                self._highest_forgotten = max(self._highest_forgotten, forgotten)
