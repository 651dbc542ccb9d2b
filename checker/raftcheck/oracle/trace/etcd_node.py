"""One server of a trace of etcd's raft: the states that it may be in, as far as the trace tells.

A trace does not say whether a message that was received has been handled: that shows in the events that follow. So a
server may be in several states at once, the alternatives; every event leaves those that it fits.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec.structs import replace

from raftcheck.oracle.trace.actions import Actions, Append, Fact, Refused
from raftcheck.oracle.trace.etcd_events import (
    BECOME_FOLLOWER,
    NOBODY,
    PRE_CANDIDATE,
    ROLES,
    EtcdChange,
    EtcdMessage,
    Event,
)
from raftcheck.oracle.trace.log import Log
from raftcheck.oracle.trace.network import UndecidedError
from raftcheck.oracle.trace.server import Server
from raftcheck.oracle.trace.walk import Walk

T = TypeVar("T")

MOST_ALTERNATIVES = 64
MOST_VERSIONS = 10_000


class Received(NamedTuple):
    """A message that was received and may still be handled; what it contains, if it is of entries."""

    message: EtcdMessage
    append: Append | None


class Alternative(NamedTuple):
    """A state that a server may be in. `lost` are the numbers of versions that a crash took: after, up to."""

    server: Server
    pending: Received | None = None
    lost: tuple[tuple[int, int], ...] = ()

    def has_lost(self, number: int) -> bool:
        """Tell whether a crash took what the server had come to by then."""
        return any(after < number <= until for after, until in self.lost)


class Node(msgspec.Struct):
    """A server.

    `versions` are the states that may be on its disk: from the event of a number on, any of several. The first of them
    is what it has answered for to somebody who has received that. `proposed` and `changes` are about to be appended.
    `restored` are the voters with which it comes back after a crash, once an event has told. It `asks_around` if the
    event before has shown it as a pre-candidate. `watched` is the latest state of which it was certain, and the
    promises of Raft were checked.
    """

    name: str
    alternatives: list[Alternative] = msgspec.field(default_factory=lambda: [Alternative(Server())])
    phase: str = "new"
    number: int = 0
    versions: list[tuple[int, tuple[Alternative, ...]]] = msgspec.field(
        default_factory=lambda: [(0, (Alternative(Server()),))]
    )
    has_forgotten: bool = False
    proposed: int = 0
    changes: tuple[EtcdChange, ...] = ()
    restarts: int = 0
    booted: tuple[str, ...] = ()
    watched: Server = Server()
    asks_around: bool = False
    restored: frozenset[str] | None = None

    def become(self, alternatives: list[Alternative]) -> None:
        """Take note of what the server may be after an event."""
        if len(alternatives) > MOST_ALTERNATIVES:
            raise UndecidedError(f"server {self.name} may be in more than {MOST_ALTERNATIVES} states")
        self.alternatives = alternatives
        self.number += 1
        if self.phase == "bootstrap":
            return  # only the whole set of first members is ever on a disk
        number, latest = self.versions[-1]
        if len(alternatives) == len(latest) == 1 and alternatives[0].server is latest[0].server:
            return
        possible = different(alternative._replace(pending=None) for alternative in alternatives)
        if all(any(durable(one.server) == durable(other.server) for other in latest) for one in possible):
            self.versions[-1] = (number, possible)
        else:
            self.versions.append((self.number, possible))
        if len(self.versions) > MOST_VERSIONS:
            del self.versions[: MOST_VERSIONS // 2]
            self.has_forgotten = True

    def on_disk(self, last: int) -> list[Alternative]:
        """Return what may be on its disk with a log up to `last`, with what a crash has taken then."""
        untils = [number - 1 for number, _ in self.versions[1:]] + [self.number]
        return [
            one._replace(lost=(*one.lost, (until, self.number)))
            for until, (_, possible) in zip(untils, self.versions, strict=True)
            for one in possible
            if one.server.log.last == last
        ]

    def restarted(self, alternatives: list[Alternative]) -> None:
        """Begin anew with what was on its disk."""
        self.phase = "running"
        self.versions = [(self.number, tuple(alternatives))]

    def leave(self, remaining: list[Alternative]) -> None:
        """Only some alternatives are left: those of earlier states that had lost the same lead to them."""
        self.alternatives = remaining
        if self.phase == "restarting":
            return  # the earlier states are forgotten anyway, once it has begun
        losses = {one.lost for one in remaining}
        kept = [(number, tuple(one for one in possible if one.lost in losses)) for number, possible in self.versions]
        self.versions = [version for version in kept if version[1]]

    def rely_on(self, number: int) -> None:
        """Somebody has received what the server had answered by then: that is on its disk."""
        while len(self.versions) > 1 and self.versions[1][0] <= number:
            del self.versions[0]


def different(values: Iterable[T]) -> tuple[T, ...]:
    """Return the values that are different, in their order. They are compared, for a hash would read whole logs."""
    found: list[T] = []
    for value in values:
        if value not in found:
            found.append(value)
    return tuple(found)


def durable(server: Server) -> tuple[Any, ...]:
    """Return what has to be on disk before it is answered for. How much is committed may be on disk, too."""
    return server.current_term, server.voted_for, server.log


# What the server may have come to


def fitting(actions: Actions, node: Node, event: Event, *, with_configuration: bool = True) -> list[Alternative]:
    """Return the alternatives that an event's state fits, handled messages included. Raises Refused if there are none.

    The reason is told of the alternative that comes closest.
    """
    found: list[Alternative] = []
    for alternative in node.alternatives:
        for stage in stages(actions, node.name, alternative, may_follow=event.name == BECOME_FOLLOWER):
            found += [one for one in (stage, *asking_around(stage, event)) if fits(one.server, event)]
    if not found:
        raise mismatch(actions, node, event)
    found = without_repetitions(found)
    if not with_configuration:
        return found
    right = [alternative for alternative in found if configuration_fits(alternative.server, event)]
    if not right:
        known, (voters, outgoing) = found[0].server.configuration, event.conf
        raise Refused("ApplyConfiguration", f"the configuration is {known}, and {voters} and {outgoing} is claimed")
    return right


def stages(actions: Actions, n: str, alternative: Alternative, *, may_follow: bool = False) -> Iterator[Alternative]:
    """Yield what a server may have come to with the message that it has received last: nothing, part of it, or all.

    The message may be answered later, and is handled again then, which changes nothing. Newer terms are taken, and
    leaders followed, with an event that says so.
    """
    yield alternative
    pending = alternative.pending
    if pending is None:
        return
    walk, message = Walk(actions, n, alternative.server), pending.message
    if may_follow and message.term > walk.now.current_term and may_update(walk, message):
        yield alternative._replace(server=walk.now)
    if message.term != walk.now.current_term:
        return
    if may_follow and pending.append is not None and walk.now.candidate:
        walk.hear(pending.append)
        yield alternative._replace(server=walk.now)
    if attempt(walk, pending):
        yield alternative._replace(server=walk.now)


def asking_around(alternative: Alternative, event: Event) -> Iterator[Alternative]:
    """Yield what a candidate is that asks around before the next election: that is no event of its own."""
    if event.role == PRE_CANDIDATE and alternative.server.candidate:
        yield alternative._replace(server=replace(alternative.server, candidate=False))


def may_update(walk: Walk, message: EtcdMessage) -> bool:
    """Take the newer term of a message, if that is possible."""
    try:
        walk.update_term(message.term)
    except Refused:
        return False
    return True


def attempt(walk: Walk, pending: Received) -> bool:
    """Handle a message of the server's term, if that is possible."""
    try:
        return handled(walk, pending)
    except Refused:
        return False


def handled(walk: Walk, pending: Received) -> bool:
    """Handle a message of the server's term; tell whether it is one that changes something. Raises Refused."""
    message = pending.message
    if message.type == "MsgVote":
        get_request_vote(walk, message, "HandleRequestVote")
        return True
    if pending.append is None or walk.now.leader:
        return False
    walk.handle(contents(walk.now.log, pending))
    return True


def get_request_vote(walk: Walk, message: EtcdMessage, action: str) -> None:
    """Answer a request for a vote: by HandleRequestVote or RefuseVote."""
    asked = ("request_vote", (message.source, message.term, message.index, message.log_term))
    heard: frozenset[Fact] = frozenset([asked])
    walk.take(action, heard=heard, c=message.source, i=message.index, u=message.log_term)


def contents(log: Log, pending: Received) -> Append:
    """Return what a message contains for a log: of a snapshot, what comes after what the log has in common with it."""
    append = pending.append
    assert append is not None
    if pending.message.type != "MsgSnap":
        return append
    common = log.first_difference(append.entries) - 1
    part = append.entries.part(common, append.entries.last)
    return append._replace(entries=part, prev_term=log.term_at(common))


def without_repetitions(found: list[Alternative]) -> list[Alternative]:
    """Return alternatives without those that another one includes: who has acknowledged more can say more."""
    kept: list[Alternative] = []
    for alternative in sorted(found, key=lambda one: one.server.acknowledged, reverse=True):
        if not any(alternative == with_acknowledged(other, alternative) for other in kept):
            kept.append(alternative)
    return kept


def with_acknowledged(one: Alternative, like: Alternative) -> Alternative:
    """Return an alternative that has acknowledged what another one has."""
    return one._replace(server=replace(one.server, acknowledged=like.server.acknowledged))


def fits(server: Server, event: Event) -> bool:
    """Tell whether an event shows a server's state."""
    state = event.state
    return (
        server.current_term == state.term
        and (server.voted_for or NOBODY) == state.vote
        and server.commit_index == state.commit
        and server.log.last == event.log
        and server.role == ROLES.get(event.role)
    )


def configuration_fits(server: Server, event: Event) -> bool:
    """Tell whether an event shows the configuration that is in force for a server."""
    voters, outgoing = event.conf
    return server.configuration.voters == frozenset(voters) and server.configuration.outgoing == frozenset(outgoing)


def mismatch(actions: Actions, node: Node, event: Event) -> Refused:
    """Return why no alternative fits: what was tried last with the message, or what differs."""
    alternative = node.alternatives[0]
    walk, pending = Walk(actions, node.name, alternative.server), alternative.pending
    _, reason = differences(walk.now, event)
    try:
        if pending and pending.message.term > walk.now.current_term:
            walk.update_term(pending.message.term)
        if pending and pending.message.term == walk.now.current_term:
            if pending.append is not None:
                walk.hear(pending.append)
            handled(walk, pending)
    except Refused as refusal:
        return Refused(refusal.action, f"{refusal.reason}; {reason}")
    what, reason = differences(walk.now, event)
    by = f"after {', '.join(walk.taken)}" if walk.taken else "without any action"
    return Refused(walk.changer_of(what), f"{by} {reason}")


def differences(server: Server, event: Event) -> tuple[str, str]:
    """Return what differs between a server and what an event shows, and that in words."""
    state = event.state
    for what, known, shown in (
        ("term", server.current_term, state.term),
        ("role", server.role, ROLES.get(event.role, event.role)),
        ("vote", server.voted_for or NOBODY, state.vote),
        ("last index", server.log.last, event.log),
        ("commit index", server.commit_index, state.commit),
    ):
        if known != shown:
            return what, f"the {what} is {known}, and {shown} is claimed"
    return "configuration", f"the configuration is {server.configuration}, and {event.conf} is claimed"


def require(walk: Walk, event: Event, alternative: Alternative) -> Alternative:
    """Return the alternative as the walk has left it. Raises Refused unless that is what the event shows."""
    if not fits(walk.now, event) or not configuration_fits(walk.now, event):
        what, reason = differences(walk.now, event)
        raise Refused(walk.changer_of(what), reason)
    return alternative._replace(server=walk.now)


def each(possible: Iterable[T], step: Callable[[T], Alternative]) -> list[Alternative]:
    """Return what comes of each possibility, where something does. Raises Refused, as the last, if nothing does."""
    found: list[Alternative] = []
    refusal = Refused("no action", "nothing fits")
    for one in possible:
        try:
            found.append(step(one))
        except Refused as error:
            refusal = error
    if not found:
        raise refusal
    return found


def require_shown(alternatives: list[Alternative], event: Event) -> list[Alternative]:
    """Return the alternatives that an event shows. Raises Refused if there are none."""
    found = [one for one in alternatives if fits(one.server, event) and configuration_fits(one.server, event)]
    if not found:
        raise Refused("Bootstrap", differences(alternatives[0].server, event)[1])
    return found
