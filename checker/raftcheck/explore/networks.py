"""The three kinds of network as plain values and the obvious operations on them.

And once more as tables that are changed in place, for behaviours of many thousand steps.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from raftcheck.model import Envelope, Network

Contents = frozenset[Any]


class Operations(NamedTuple):
    """What can be done with one kind of network."""

    deliverable: Callable[[Contents], Iterable[Envelope]]
    remove: Callable[[Contents, Envelope], Contents]
    add: Callable[[Contents, tuple[Envelope, ...]], Contents]


def _set_deliverable(contents: Contents) -> Contents:
    return contents


def _set_remove(contents: Contents, _: Envelope) -> Contents:
    return contents


def _set_add(contents: Contents, envelopes: tuple[Envelope, ...]) -> Contents:
    return contents.union(envelopes)


def _multiset_deliverable(contents: Contents) -> Iterator[Envelope]:
    return (envelope for envelope, _ in contents)


def _multiset_remove(contents: Contents, envelope: Envelope) -> Contents:
    counts = dict(contents)
    counts[envelope] -= 1
    return frozenset((e, count) for e, count in counts.items() if count)


def _multiset_add(contents: Contents, envelopes: tuple[Envelope, ...]) -> Contents:
    counts = dict(contents)
    for envelope in envelopes:
        counts[envelope] = counts.get(envelope, 0) + 1
    return frozenset(counts.items())


def _queues_deliverable(contents: Contents) -> Iterator[Envelope]:
    return (Envelope(to, sender, messages[0]) for (to, sender), messages in contents)


def _queues_remove(contents: Contents, envelope: Envelope) -> Contents:
    queues = dict(contents)
    link = (envelope.to, envelope.sender)
    queues[link] = queues[link][1:]
    return frozenset((link, messages) for link, messages in queues.items() if messages)


def _queues_add(contents: Contents, envelopes: tuple[Envelope, ...]) -> Contents:
    queues = dict(contents)
    for to, sender, message in envelopes:
        queues[to, sender] = (*queues.get((to, sender), ()), message)
    return frozenset(queues.items())


OPERATIONS: dict[Network, Operations] = {
    Network.LOSSY_DUPLICATING: Operations(_set_deliverable, _set_remove, _set_add),
    Network.UNORDERED: Operations(_multiset_deliverable, _multiset_remove, _multiset_add),
    Network.ORDERED: Operations(_queues_deliverable, _queues_remove, _queues_add),
}


class Table(Protocol):
    """A network that is changed in place. It does what the Operations on plain values do."""

    def can_deliver(self, envelope: Envelope) -> bool:
        """Tell whether a message can be delivered now."""

    def remove(self, envelope: Envelope) -> bool:
        """Take a message out that was delivered or lost; tell whether that changed anything."""

    def add(self, envelopes: tuple[Envelope, ...]) -> bool:
        """Put messages in; tell whether that changed anything."""

    def contents(self) -> Contents:
        """Return the network as a plain value."""


class SetTable:
    """A set that only grows."""

    def __init__(self) -> None:
        self._envelopes: set[Envelope] = set()

    def can_deliver(self, envelope: Envelope) -> bool:
        """Tell whether the message was ever sent."""
        return envelope in self._envelopes

    def remove(self, envelope: Envelope) -> bool:
        """Leave the message where it is."""
        return False

    def add(self, envelopes: tuple[Envelope, ...]) -> bool:
        """Put messages in; tell whether one is new."""
        before = len(self._envelopes)
        self._envelopes.update(envelopes)
        return len(self._envelopes) > before

    def contents(self) -> Contents:
        """Return the network as a plain value."""
        return frozenset(self._envelopes)


class MultisetTable:
    """How many there are of each message."""

    def __init__(self) -> None:
        self._counts: Counter[Envelope] = Counter()

    def can_deliver(self, envelope: Envelope) -> bool:
        """Tell whether there is one."""
        return envelope in self._counts

    def remove(self, envelope: Envelope) -> bool:
        """Take one out."""
        self._counts[envelope] -= 1
        if not self._counts[envelope]:
            del self._counts[envelope]
        return True

    def add(self, envelopes: tuple[Envelope, ...]) -> bool:
        """Put messages in."""
        self._counts.update(envelopes)
        return bool(envelopes)

    def contents(self) -> Contents:
        """Return the network as a plain value."""
        return frozenset(self._counts.items())


class QueuesTable:
    """A queue for each link."""

    def __init__(self) -> None:
        self._queues: dict[tuple[int, int], deque[Any]] = {}

    def can_deliver(self, envelope: Envelope) -> bool:
        """Tell whether the message is the first of its queue."""
        queue = self._queues.get(envelope[:2])
        return bool(queue) and queue[0] == envelope.message  # type: ignore[index]

    def remove(self, envelope: Envelope) -> bool:
        """Take the first message of the queue out."""
        self._queues[envelope[:2]].popleft()
        return True

    def add(self, envelopes: tuple[Envelope, ...]) -> bool:
        """Put messages at the ends of their queues."""
        for envelope in envelopes:
            self._queues.setdefault(envelope[:2], deque()).append(envelope.message)
        return bool(envelopes)

    def contents(self) -> Contents:
        """Return the network as a plain value."""
        return frozenset((link, tuple(queue)) for link, queue in self._queues.items() if queue)


TABLES: dict[Network, Callable[[], Table]] = {
    Network.LOSSY_DUPLICATING: SetTable,
    Network.UNORDERED: MultisetTable,
    Network.ORDERED: QueuesTable,
}
