"""The three kinds of network as plain values and the obvious operations on them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

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
