"""The network of a system in numbers: see `raftcheck.explore.kernels.inboxes`."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from raftcheck.explore.columns import Array, IntegerMap
from raftcheck.explore.kernels import inboxes as kernels
from raftcheck.explore.kernels.rows import EMPTY
from raftcheck.explore.networks import Contents
from raftcheck.explore.tables import Tables
from raftcheck.model import Envelope, Network

KINDS = {
    Network.LOSSY_DUPLICATING: kernels.SET,
    Network.UNORDERED: kernels.MULTISET,
    Network.ORDERED: kernels.QUEUES,
}


class NetworkTables:
    """All inboxes met so far, and what operations make of them."""

    def __init__(self, network: Network, tables: Tables) -> None:
        self._network, self._tables = network, tables
        self._starts, self._lengths = np.zeros(256, np.int64), np.zeros(256, np.int32)
        self._items, self._slots = np.zeros(1024, np.int32), np.full(512, EMPTY, np.int32)
        self._operations = IntegerMap()
        self._counts = np.zeros(3, np.int64)
        kernels.number_of(self.arrays(), np.zeros(1, np.int32), 0)

    def arrays(self) -> kernels.Inboxes:
        """Return the tables as compiled code uses them."""
        return kernels.Inboxes(
            KINDS[self._network],
            self._tables.senders.array,
            self._tables.renamed_messages.array,
            self._starts,
            self._lengths,
            self._items,
            self._slots,
            self._operations.keys,
            self._operations.values,
            self._counts,
        )

    def answer(self, operations: Array) -> None:
        """Perform the operations that compiled code asks for."""
        done = 0
        while done < len(operations):
            longest = int(self._lengths[: self._counts[0]].max()) + 1
            self._make_room(longest)
            done = kernels.perform(self.arrays(), operations, done, np.empty(longest + 1, np.int32))

    def _make_room(self, longest: int) -> None:
        inboxes, items, operations = (int(count) for count in self._counts)
        if inboxes + 1 >= len(self._starts):
            self._starts.resize(2 * len(self._starts), refcheck=False)
            self._lengths.resize(2 * len(self._lengths), refcheck=False)
        if items + 2 * (longest + 1) >= len(self._items):
            self._items.resize(2 * len(self._items) + 2 * longest, refcheck=False)
        if inboxes * 10 > self._slots.size * 6:
            self._slots = np.full(2 * self._slots.size, EMPTY, np.int32)
            kernels.fill_inbox_slots(self.arrays())
        self._operations.count = operations
        self._operations.reserve()

    def length(self, inbox: int) -> int:
        """Return how many messages an inbox holds."""
        return int(self._lengths[inbox])

    def items(self, inbox: int) -> list[int]:
        """Return the messages of an inbox."""
        start = self._starts[inbox]
        return [int(message) for message in self._items[start : start + self._lengths[inbox]]]

    def known(self, messages: Iterable[int]) -> int | None:
        """Return the number of a list of messages, None if it was not met."""
        items = np.array(list(messages), np.int32)
        inbox = int(kernels.find_inbox(self.arrays(), items, len(items)))
        return inbox if inbox >= 0 else None

    def contents(self, inboxes: Iterable[int]) -> Contents:
        """Return a network as a plain value."""
        envelopes = [self._tables.messages.values[m] for inbox in inboxes for m in self.items(inbox)]
        if self._network is Network.LOSSY_DUPLICATING:
            return frozenset(envelopes)
        if self._network is Network.UNORDERED:
            return frozenset(Counter(envelopes).items())
        queues: dict[tuple[int, int], list[object]] = {}
        for to, sender, message in envelopes:
            queues.setdefault((to, sender), []).append(message)
        return frozenset((link, tuple(messages)) for link, messages in queues.items())

    def inboxes(self, contents: Contents, processes: int) -> list[list[int]]:
        """Return the message numbers in each inbox of a network given as a plain value."""
        lists: list[list[int]] = [[] for _ in range(processes)]
        for envelope in self._envelopes(contents):
            lists[envelope.to].append(self._tables.message(envelope))
        return [self._in_order(messages) for messages in lists]

    def renamed(self, messages: list[int], renaming: int) -> list[int]:
        """Return an inbox, renamed."""
        return self._in_order([int(self._tables.renamed_messages.array[m, renaming]) for m in messages])

    def _in_order(self, messages: list[int]) -> list[int]:
        if self._network is Network.ORDERED:
            return sorted(messages, key=lambda message: int(self._tables.senders.array[message]))
        return sorted(messages)

    def _envelopes(self, contents: Contents) -> list[Envelope]:
        if self._network is Network.LOSSY_DUPLICATING:
            return list(contents)
        if self._network is Network.UNORDERED:
            return [envelope for envelope, count in contents for _ in range(count)]
        return [Envelope(to, sender, message) for (to, sender), messages in contents for message in messages]
