"""The messages of a run: where each came from, and what a network may still deliver."""

from typing import NamedTuple

from raftcheck.oracle.lockstep.events import Event
from raftcheck.oracle.trace.messages import Message
from raftcheck.oracle.trace.network import NetworkName


class Sent(NamedTuple):
    """A message that was sent; see `Event` for `source` and `position`. `place` counts the messages of its link."""

    source: int
    position: int
    place: int
    message: Message

    @property
    def link(self) -> tuple[str, str]:
        """Return from whom to whom it goes."""
        return self.message.sender, self.message.to


def delivery(number: int, sent: Sent) -> Event:
    """Return the event that a message is delivered."""
    return Event(number, "deliver", sent.message.to, sent.message.sender, sent.source, sent.position)


class Mail:
    """All messages of a run.

    `waiting` are those that were not delivered yet and may be, in the order of sending. What is set aside waits no
    longer: it is late or lost; `old` has those and the delivered ones that may come (again).
    """

    def __init__(self, network: NetworkName) -> None:
        self.network = network
        self.waiting: list[Sent] = []
        self.old: list[Sent] = []
        self._sent: dict[tuple[int, str, int], Sent] = {}
        self._links: dict[tuple[str, str], int] = {}
        self._next: dict[tuple[str, str], int] = {}
        self._delivered: set[tuple[int, str, int]] = set()

    def send(self, source: int, messages: tuple[Message, ...]) -> None:
        """Take note of messages that an event has sent."""
        count: dict[str, int] = {}
        for message in messages:
            position = count.get(message.to, 0)
            count[message.to] = position + 1
            link = (message.sender, message.to)
            place = self._links.get(link, 0)
            self._links[link] = place + 1
            sent = Sent(source, position, place, message)
            self._sent[source, message.to, position] = sent
            self.waiting.append(sent)

    def find(self, source: int, to: str, position: int) -> Sent | None:
        """Return a message, if there is one and the network may deliver it now."""
        sent = self._sent.get((source, to, position))
        return sent if sent is not None and self.may_arrive(sent) else None

    def like(self, sender: str | None, to: str) -> Sent | None:
        """Return the message that has waited longest on a link, if any does."""
        return next((sent for sent in self.waiting if sent.link == (sender, to)), None)

    def may_arrive(self, sent: Sent) -> bool:
        """Tell whether the network may deliver a message now."""
        if self.network == "any":
            return True
        if self.network == "fifo":
            return sent.place >= self._next.get(sent.link, 0)
        return (sent.source, sent.message.to, sent.position) not in self._delivered

    def delivered(self, sent: Sent) -> None:
        """Note that a message is delivered."""
        self._delivered.add((sent.source, sent.message.to, sent.position))
        self._next[sent.link] = sent.place + 1
        if self.network == "fifo":
            self.waiting[:] = [other for other in self.waiting if self.may_arrive(other)]
        else:
            self.set_aside(sent)
            if self.network == "at-most-once":
                self.old.remove(sent)

    def set_aside(self, sent: Sent) -> None:
        """Let a message wait no longer. It may still come, but for a network that keeps the order."""
        if sent in self.waiting:
            self.waiting.remove(sent)
            if self.network != "fifo":
                self.old.append(sent)
