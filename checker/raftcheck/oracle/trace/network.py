"""What is under way: what can be received was sent; how often and in which order, the network says."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Any, Literal, Protocol

from raftcheck.oracle.trace.actions import Refused

NetworkName = Literal["any", "at-most-once", "fifo"]

REMEMBERED = 200_000
"""How many messages are remembered: with more, the oldest are forgotten, so that memory stays bounded."""

RULE = "Network"


class UndecidedError(Exception):
    """Raised when the trace does not tell enough, or too much to remember: the text says what."""


class Network(Protocol):
    """Remembers what was sent. Messages are compared as they are; `content` comes back with them."""

    def send(self, link: tuple[str, str], message: Hashable, content: Any) -> None:
        """Take note of a message."""

    def receive(self, link: tuple[str, str], message: Hashable) -> Any:
        """Return the content of a message that arrives. Raises Refused, and UndecidedError if it may be forgotten."""

    def latest(self, link: tuple[str, str], message: Hashable) -> Any:
        """Return the content of a message that is under way and would be replaced by another one; None if none is."""


class Unreliable:
    """Messages may get lost, repeated and overtaken."""

    meaning = "messages may be lost, repeated and reordered"

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered, self._sent = remembered, OrderedDict[Hashable, Any]()
        self._has_forgotten = False

    def send(self, link: tuple[str, str], message: Hashable, content: Any) -> None:
        """Take note of a message; forget the one that was sent (or sent again) longest ago, if there are too many."""
        self._sent[message] = content
        self._sent.move_to_end(message)
        if len(self._sent) > self._remembered:
            self._sent.popitem(last=False)
            self._has_forgotten = True

    def receive(self, link: tuple[str, str], message: Hashable) -> Any:
        """Return the content of a message that arrives."""
        if message not in self._sent:
            raise not_sent(self._has_forgotten, self._remembered)
        return self._sent[message]

    def latest(self, link: tuple[str, str], message: Hashable) -> Any:
        """Return what was sent before."""
        return self._sent.get(message)


class AtMostOnce:
    """Messages may get lost and overtaken; each arrives once at most."""

    meaning = "messages may be lost and reordered; each arrives at most once"

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered, self._sent = remembered, OrderedDict[Hashable, list[Any]]()
        self._count, self._has_forgotten = 0, False

    def send(self, link: tuple[str, str], message: Hashable, content: Any) -> None:
        """Take note of a message; forget the ones of the oldest kind, if there are too many."""
        self._sent.setdefault(message, []).append(content)
        self._count += 1
        if self._count > self._remembered:
            _, forgotten = self._sent.popitem(last=False)
            self._count -= len(forgotten)
            self._has_forgotten = True

    def receive(self, link: tuple[str, str], message: Hashable) -> Any:
        """Return the content of a message that arrives, and take it out."""
        if message not in self._sent:
            raise not_sent(self._has_forgotten, self._remembered)
        contents = self._sent[message]
        self._count -= 1
        if len(contents) == 1:
            del self._sent[message]
        return contents.pop(0)

    def latest(self, link: tuple[str, str], message: Hashable) -> Any:
        """Return nothing: every message is one of its own."""
        return None


class Fifo:
    """Messages may get lost; those of one sender to one receiver arrive in their order, each once at most."""

    meaning = "messages may be lost; those of one sender to one receiver arrive in their order, each at most once"

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._links: dict[tuple[str, str], deque[tuple[Hashable, Any]]] = {}
        self._has_forgotten = False

    def send(self, link: tuple[str, str], message: Hashable, content: Any) -> None:
        """Take note of a message; forget the oldest of its link, if there are too many."""
        queue = self._links.setdefault(link, deque())
        queue.append((message, content))
        if len(queue) > self._remembered:
            queue.popleft()
            self._has_forgotten = True

    def receive(self, link: tuple[str, str], message: Hashable) -> Any:
        """Return the content of a message that arrives; those before it are lost.

        Of several that are the same it is the first: with that one, the most can still arrive.
        """
        queue = self._links.get(link, deque())
        place = next((place for place, (sent, _) in enumerate(queue) if sent == message), None)
        if place is None:
            raise not_sent(self._has_forgotten, self._remembered)
        for _ in range(place):
            queue.popleft()
        return queue.popleft()[1]

    def latest(self, link: tuple[str, str], message: Hashable) -> Any:
        """Return nothing: every message is one of its own."""
        return None


def not_sent(has_forgotten: bool, remembered: int) -> Exception:
    """Return what to raise for a message that is not under way."""
    if has_forgotten:
        return UndecidedError(
            f"a message arrives that is not among the last {remembered:,}; it may have been sent before them"
        )
    return Refused(RULE, "no such message is under way from this sender")


NETWORKS: dict[NetworkName, type[Unreliable | AtMostOnce | Fifo]] = {
    "any": Unreliable,
    "at-most-once": AtMostOnce,
    "fifo": Fifo,
}
