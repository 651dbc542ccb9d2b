"""Judging traces of etcd's raft, event by event.

What such a trace does not say is followed up: the terms of entries come from the leaders that append them, the contents
of messages from the logs of those who send them, what was on disk shows after a crash. Where several things may have
happened, all are kept until an event tells them apart: see `raftcheck.oracle.trace.etcd_node`.
"""

from collections import Counter
from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import msgspec
from msgspec.structs import replace

from raftcheck.oracle.judgement import Rejection, UnreadableError
from raftcheck.oracle.lines import Lines
from raftcheck.oracle.trace.actions import Actions, Append, Refused
from raftcheck.oracle.trace.etcd_events import (
    APPLY_CHANGE,
    BECOME_FOLLOWER,
    FOLLOWER,
    INIT_STATE,
    NOBODY,
    PRE_CANDIDATE,
    EtcdChange,
    EtcdMessage,
    Event,
    SingleChange,
    read_event,
)
from raftcheck.oracle.trace.etcd_messages import SPEAKERS, UNASKED, meaningless, require_own_match
from raftcheck.oracle.trace.etcd_node import (
    Alternative,
    Node,
    Received,
    each,
    fitting,
    require,
    require_shown,
    stages,
)
from raftcheck.oracle.trace.log import Entry, Log
from raftcheck.oracle.trace.network import NETWORKS, NetworkName, UndecidedError
from raftcheck.oracle.trace.promises import Promises
from raftcheck.oracle.trace.server import Members, Server
from raftcheck.oracle.trace.walk import Walk

STORAGE = "a vote or an acknowledgement that anybody has received was on the disk of who gave it"
COMPLETE = "every event of the kinds that etcd's raft records is in the trace; an id is one server for ever"

NEEDS_DISK = ("MsgAppResp", "MsgVoteResp")
"""Messages that may leave only when what they answer for is on disk (raft.go, send)."""

MOST_ORDERS = 32

PHASES = {
    "new": (APPLY_CHANGE, BECOME_FOLLOWER),
    "bootstrap": (APPLY_CHANGE,),
    "restarting": (APPLY_CHANGE, BECOME_FOLLOWER),
}
"""What may come next of a server that begins. After that it is "fresh" until it does something, and then "running"."""


WHILE_PROPOSED = ("ChangeConf", "Replicate", "SendAppendEntriesResponse")
"""What happens from the proposal of a change of the membership until it is appended."""


class Sent(msgspec.Struct):
    """What a message that was sent contains; by which versions of its sender it was sent, if it needs its disk."""

    append: Append | None
    numbers: list[int]
    restarts: int


def leads_to(entry: Entry, one: Members, other: Members) -> bool:
    """Tell whether a change may give the other configuration: at once, or by joint consensus, as several always do."""
    change: EtcdChange = entry.change
    if not change.changes:
        return bool(one.outgoing) and other == Members(one.voters)
    voters = change.voters_after(one.voters)
    is_simple = len(change.changes) == 1 and other == Members(voters)
    return not one.outgoing and (is_simple or other == Members(voters, one.voters))


class EtcdLines:
    """Judges the lines of a trace of etcd's raft."""

    unit = "events"
    against = (
        "the actions of the specification (raftspec.extended: with membership, snapshots, heartbeats that commit) and "
        "the promises of Raft (Figure 3)"
    )

    def __init__(self, network: NetworkName | None) -> None:
        self._network_name: NetworkName = network or "any"
        self._network = NETWORKS[self._network_name]()
        self._actions, self._promises = Actions(leads_to), Promises()
        self._nodes: dict[str, Node] = {}
        self._bootstrap: list[str] = []
        self._has_first_election = False
        self._in_force: dict[int, Members] = {}
        self._kinds: Counter[str] = Counter()
        self.checked = 0

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is taken for granted about network, storage and recording."""
        return (NETWORKS[self._network_name].meaning, STORAGE, COMPLETE)

    def end(self, lines: Lines) -> None:
        """Raise UnreadableError for a trace without an event."""
        if not self.checked:
            raise UnreadableError(lines.name, 0, "there is no event in it")

    def line(self, lines: Lines, text: str) -> Rejection | None:
        """Judge an event."""
        event = read_event(lines, text, HANDLERS)
        node = self._nodes.get(event.nid)
        before = node.alternatives[0].server if node else None
        try:
            self._judge(event, node)
        except Refused as refusal:
            where, known = f"event {self.checked + 1:,}", before.described() if before else {}
            return Rejection(where, str(event), refusal.action, refusal.reason, known, event.shown())
        self.checked += 1
        self._kinds[event.name] += 1
        return None

    @property
    def details(self) -> dict[str, Any]:
        """What there was to judge."""
        kinds = ", ".join(f"{name} {count:,}" for name, count in sorted(self._kinds.items()))
        return {"servers": len(self._nodes), "events": kinds}

    def _judge(self, event: Event, node: Node | None) -> None:
        if event.name == INIT_STATE:
            self._init(event, node)
            return
        if node is None and not self._nodes:
            raise UndecidedError(f"server {event.nid} has no {INIT_STATE}: the trace does not begin at its beginning")
        if node is None:
            raise Refused("Restart", f"a server begins with {INIT_STATE}, and others have")
        if event.name not in PHASES.get(node.phase, HANDLERS):
            raise Refused("Restart", f"it has only begun, and {' or '.join(PHASES[node.phase])} has to come first")
        self._note_role(event, node)
        if node.phase == "fresh" and event.name != BECOME_FOLLOWER:
            node.phase = "running"
        if event.name not in WHILE_PROPOSED:
            node.changes = ()  # the library has dropped them: its log would have grown too large
        alternatives = HANDLERS[event.name](self, event, node)
        if len(alternatives) == 1:
            self._promises.check(node.name, node.watched, alternatives[0].server)
            node.watched = alternatives[0].server
        self._note_in_force(alternatives)
        node.become(alternatives)

    def _note_role(self, event: Event, node: Node) -> None:
        """Only that a voter asks around is not recorded; that it gives up is. To the specification it is a follower."""
        asks = event.role == PRE_CANDIDATE
        if (
            asks
            and not node.asks_around
            and not any(a.server.configuration.is_voter(node.name) for a in node.alternatives)
        ):
            raise Refused("RequestPreVote", "it asks around before an election, and is no voter")
        if node.asks_around and event.role == FOLLOWER and event.name != BECOME_FOLLOWER:
            raise Refused("StepAside", f"it was asking around, and follows without {BECOME_FOLLOWER}")
        node.asks_around = asks

    # Beginning, and beginning again

    def _init(self, event: Event, node: Node | None) -> None:
        """A server starts; of what was on its disk only the last index shows."""
        self._actions.meet(event.nid)
        if (event.state.term, event.state.vote, event.role, event.conf) != (0, NOBODY, FOLLOWER, ((), ())):
            raise Refused("Restart", "it shows a state before it has read any from its disk")
        if event.state.commit > event.log:
            raise Refused("Restart", f"entry {event.state.commit} is committed, but the log ends at {event.log}")
        if node is None:
            if event.log or event.state.commit:
                raise UndecidedError(
                    f"server {event.nid} starts with a log of {event.log} entries, whose terms the trace does not tell"
                )
            self._nodes[event.nid] = Node(event.nid)
            return
        on_disk = node.on_disk(event.log)
        if not on_disk and node.has_forgotten:
            raise UndecidedError(f"server {event.nid} starts again from a state that is too long ago to be remembered")
        if not on_disk:
            ends = sorted({one.server.log.last for _, possible in node.versions for one in possible})
            known = ", ".join(map(str, ends[:5])) + (", ..." if len(ends) > 5 else "")
            raise Refused("Restart", f"its log ends at {event.log}; on its disk it may have ended at {known}")
        node.alternatives = on_disk
        has_run = any(one.server != Server() for one in on_disk)
        node.phase, node.restarts = "restarting" if has_run else "new", node.restarts + 1
        node.watched, node.asks_around, node.restored = Server(), False, None
        node.proposed, node.changes, node.booted = 0, (), ()

    def _restarted(self, event: Event, node: Node) -> list[Alternative]:
        """Term, vote and commit index are read from the disk."""

        def after(chosen: tuple[Alternative, tuple[int, Members]]) -> Alternative:
            alternative, (index, members) = chosen
            walk = Walk(self._actions, node.name, alternative.server)
            walk.take("Restart", commit=event.state.commit, i=index, g=members)
            now = require(walk, event, alternative)
            if node.restored not in (None, members.voters):
                raise Refused("Restart", f"it comes back with {event.conf}, which was never in force there")
            had = tuple(had for had in now.server.had if had[0] <= index)  # the later ones come again
            return now._replace(server=replace(now.server, had=had))

        possible = ((one, had) for one in node.alternatives for had in dict.fromkeys(one.server.had))
        found = list(dict.fromkeys(each(possible, after)))
        node.restarted(found)
        return found

    def _become_follower(self, event: Event, node: Node) -> list[Alternative]:
        """A server follows: it starts, is set up with its first members, sees a newer term, or steps aside."""
        if node.phase == "restarting":
            return self._restarted(event, node)
        if node.phase == "new":
            node.phase = "fresh"
            return require_shown(node.alternatives, event)
        if node.phase == "fresh" and self._may_bootstrap(event, node):
            node.phase = "bootstrap"
            self._actions.reached.add(1)
            booted = [one._replace(server=replace(one.server, current_term=1)) for one in node.alternatives]
            return require_shown(booted, event)
        node.phase = "running"
        try:
            return fitting(self._actions, node, event)
        except Refused:
            return each(node.alternatives, lambda alternative: self._follow_unasked(event, node, alternative))

    def _may_bootstrap(self, event: Event, node: Node) -> bool:
        """Tell whether a server seems to be set up with first members: in term 1, in which there is no election."""
        server = node.alternatives[0].server
        return event.state.term == 1 and not self._has_first_election and server.configuration == Members()

    def _follow_unasked(self, event: Event, node: Node, alternative: Alternative) -> Alternative:
        """Follow for no reason that the trace tells: a message of a kind that is not recorded, or no quorum."""
        walk = Walk(self._actions, node.name, alternative.server)
        if event.state.term > walk.now.current_term:
            walk.update_term(event.state.term)
        elif walk.now.candidate or walk.now.leader:
            walk.take("StepAside")
        return require(walk, event, alternative)

    # Elections

    def _become_candidate(self, event: Event, node: Node) -> list[Alternative]:
        """An election begins. Its own vote a server counts only when it has come to it."""
        self._has_first_election |= event.state.term == 1
        begun = self._each(event, node, Walk.time_out)
        return [one._replace(server=replace(one.server, votes_granted=frozenset())) for one in begun]

    def _become_leader(self, event: Event, node: Node) -> list[Alternative]:
        """An election is won."""
        return self._each(event, node, Walk.become_leader)

    def _each(self, event: Event, node: Node, take: Callable[[Walk], None]) -> list[Alternative]:
        """Take an action in each alternative in which it is possible, and leads to what the event shows."""

        def after(stage: Alternative) -> Alternative:
            walk = Walk(self._actions, node.name, stage.server)
            take(walk)
            return require(walk, event, stage)._replace(pending=None)

        possible = (stage for one in node.alternatives for stage in stages(self._actions, node.name, one))
        return each(possible, after)

    # Replication

    def _settle(self, event: Event, node: Node) -> list[Alternative]:
        """Nothing happens; the event shows the state."""
        return fitting(self._actions, node, event)

    def _commit(self, event: Event, node: Node) -> list[Alternative]:
        """A leader advances its commit index, or finds that it cannot."""

        def after(alternative: Alternative) -> Alternative:
            walk = Walk(self._actions, node.name, alternative.server)
            if walk.now.leader and event.state.commit > walk.now.commit_index:
                walk.commit(event.state.commit)
            return alternative._replace(server=walk.now)

        node.alternatives = each(node.alternatives, after)
        return fitting(self._actions, node, event)

    def _replicate(self, event: Event, node: Node) -> list[Alternative]:
        """A leader is about to append an entry."""
        found = fitting(self._actions, node, event)
        self._require_leader(found, "ClientRequest")
        node.proposed += 1
        return found

    def _change_configuration(self, event: Event, node: Node) -> list[Alternative]:
        """A leader is about to append a change of the membership."""
        found = fitting(self._actions, node, event)
        self._require_leader(found, "ChangeConfiguration")
        node.changes = (*node.changes, EtcdChange(event.prop.cc.changes))
        return found

    def _require_leader(self, found: list[Alternative], action: str) -> None:
        if not all(alternative.server.leader for alternative in found):
            raise Refused(action, 'it is not true that "it leads"')

    def _append(self, event: Event, node: Node) -> list[Alternative]:
        """A leader has appended what was proposed, and answers for it to itself."""
        message = event.msg
        assert message is not None

        def after(chosen: tuple[Alternative, list[Entry]]) -> Alternative:
            alternative, entries = chosen
            walk = Walk(self._actions, node.name, alternative.server)
            for entry in entries:
                walk.append_entry(entry)
            walk.take("AcknowledgeOwn", i=message.index)
            return require(walk, event, alternative)

        possible = (
            (one, entries)
            for one in node.alternatives
            for entries in self._orders(node, one.server, event.log - one.server.log.last)
        )
        found = each(possible, after)
        node.proposed, node.changes = 0, ()
        return found

    def _orders(self, node: Node, server: Server, grown: int) -> list[list[Entry]]:
        """Return in which orders the proposed entries may have been appended."""
        term = server.current_term
        changes = [Entry(term, change) for change in node.changes]
        normal = node.proposed
        if grown == normal + len(changes) + 1 and server.configuration.outgoing:
            changes.append(Entry(term, EtcdChange()))  # leaving joint consensus is not recorded
        if grown != normal + len(changes):
            raise Refused(
                "ClientRequest", f"the log grows by {grown}, and {normal + len(changes)} entries were proposed"
            )
        places = list(combinations(range(grown), len(changes)))
        if len(places) > MOST_ORDERS:
            raise UndecidedError(f"{len(changes)} changes of the membership among {grown} entries at once")
        orders = []
        for chosen in places:
            entries = [Entry(term)] * grown
            for place, change in zip(chosen, changes, strict=True):
                entries[place] = change
            orders.append(entries)
        return orders

    # Membership

    def _apply_change(self, event: Event, node: Node) -> list[Alternative]:
        """A configuration comes into force: the event shows the state before, and the voters after."""
        new = frozenset(event.prop.cc.newconf)
        if node.phase == "restarting":
            node.restored = new
            return node.alternatives
        if node.phase == "new":
            shown = require_shown(node.alternatives, event)
            return [self._first_members(node, alternative, new) for alternative in shown]
        if node.phase == "bootstrap":
            return [self._boot(event, node)]
        snapshots = [a.pending for a in node.alternatives if a.pending and a.pending.message.type == "MsgSnap"]
        is_restored = bool(snapshots) and not any(event.conf)
        found = fitting(self._actions, node, event, with_configuration=not is_restored)
        if is_restored:
            return each(
                found, lambda one: one._replace(server=self._of_snapshot(one.server, new), pending=snapshots[0])
            )
        joint = (Members(new, one.server.configuration.voters) for one in found)
        return each(
            product(found, dict.fromkeys((Members(new), *joint))),
            lambda chosen: self._in_force_after(node, *chosen),
        )

    def _first_members(self, node: Node, alternative: Alternative, new: frozenset[str]) -> Alternative:
        """Set up a server that has never run with the members that it is given: the same for all."""
        members = Members(new)
        if new:
            self._require_first(members)
        server = replace(alternative.server, configuration=members, had=((0, members),))
        return alternative._replace(server=server)

    def _require_first(self, members: Members) -> None:
        """Raise Refused if others began with other members."""
        if self._in_force.setdefault(0, members) != members:
            raise Refused("Bootstrap", f"its first members are {members}, and others began with {self._in_force[0]}")

    def _boot(self, event: Event, node: Node) -> Alternative:
        """Set up a server with a log of its first members: one entry for each, in term 1, which are committed."""
        new, old = frozenset(event.prop.cc.newconf), frozenset(node.booted)
        added = new - old
        count, position = event.log, len(node.booted)
        shown = (event.state.term, event.state.vote, event.state.commit, event.role, *map(set, event.conf))
        if shown != (1, NOBODY, count, FOLLOWER, old, set()) or len(added) != 1 or not old < new or position >= count:
            raise Refused("Bootstrap", f"after {list(node.booted)} come {sorted(new)}, in a log of {count} entries")
        (server_added,) = added
        if position == len(self._bootstrap):
            self._bootstrap.append(server_added)
        if self._bootstrap[position] != server_added:
            raise Refused("Bootstrap", f"member {position + 1} is {server_added}, and was {self._bootstrap[position]}")
        node.booted = (*node.booted, server_added)
        members = Members(frozenset(node.booted))
        entries = [Entry(1, EtcdChange((SingleChange(name, "AddNewServer"),))) for name in node.booted]
        log = Log().followed_by([*entries, *[Entry(1)] * (count - len(entries))])
        if position + 1 == count:
            node.phase = "running"
            if len(self._bootstrap) != count:
                raise Refused("Bootstrap", f"there are {count} first members, and others have {self._bootstrap}")
            self._require_first(members)
            self._in_force[count] = members
        alternative, had = node.alternatives[0], ((0, Members()), (0, members))
        return alternative._replace(
            server=replace(alternative.server, log=log, commit_index=count, configuration=members, had=had)
        )

    def _in_force_after(self, node: Node, alternative: Alternative, members: Members) -> Alternative:
        """Apply the next change."""
        walk = Walk(self._actions, node.name, alternative.server)
        if not walk.next_change():
            raise Refused("ApplyConfiguration", f"there is no change in its log that leads to {members}")
        walk.apply_change(walk.next_change(), members)
        return alternative._replace(server=walk.now)

    def _of_snapshot(self, server: Server, new: frozenset[str]) -> Server:
        """Return a server with the configuration of its snapshot: the one that others had there."""
        index = max((at for at, _ in server.log.changes if at <= server.commit_index), default=0)
        members = self._in_force.get(index, Members())
        if members.voters != new:
            raise Refused("ApplyConfiguration", f"at {index} the members were {members}, not {sorted(new)}")
        had = (*server.had, (index, members))
        return replace(server, configuration=members, configuration_index=index, had=had)

    def _note_in_force(self, alternatives: list[Alternative]) -> None:
        """Take note of where changes lead, once the events leave one alternative: the same for all servers.

        Only the servers that come later go through the first members one by one.
        """
        if len(alternatives) != 1:
            return
        server = alternatives[0].server
        index, members = server.configuration_index, server.configuration
        if index >= max(1, len(self._bootstrap)) and self._in_force.setdefault(index, members) != members:
            raise Refused(
                "State Machine Safety",
                f"the change at {index} leads to {members}, and led to {self._in_force[index]} elsewhere",
            )

    # Messages

    def _receive(self, event: Event, node: Node) -> list[Alternative]:
        """A message arrives. What it tells is used at once if that only lets the server do more; else it may be."""
        message = event.msg
        assert message is not None
        found = fitting(self._actions, node, event)
        if message.to != node.name:
            raise Refused("Network", f"it is for {message.to}")
        sent: Sent = self._network.receive((message.source, message.to), message)
        self._rely(message, sent)
        return [self._with_message(node, alternative, message, sent.append) for alternative in found]

    def _rely(self, message: EtcdMessage, sent: Sent) -> None:
        """Whoever sent a message that needs its disk had on its disk what it answered for."""
        if message.type not in NEEDS_DISK:
            return
        sender = self._nodes[message.source]
        remembering = [a for a in sender.alternatives if any(not a.has_lost(number) for number in sent.numbers)]
        if not remembering:
            raise Refused("Restart", f"{message.source} has crashed and lost what it says here")
        if len(remembering) < len(sender.alternatives):
            sender.leave(remembering)
        survived = (n for n in sent.numbers if any(not alternative.has_lost(n) for alternative in remembering))
        sender.rely_on(min(survived))

    def _with_message(
        self, node: Node, alternative: Alternative, message: EtcdMessage, append: Append | None
    ) -> Alternative:
        walk = Walk(self._actions, node.name, alternative.server)
        if message.type == "MsgVoteResp" and not message.reject:
            walk.count_vote(message.source, message.term)
        if message.type == "MsgAppResp" and not message.reject:
            walk.count_acknowledgement(message.source, message.term, message.index)
        return alternative._replace(server=walk.now, pending=Received(message, append))

    def _send(self, event: Event, node: Node) -> list[Alternative]:
        """A message is sent: an action has to say what it says."""
        message = event.msg
        assert message is not None
        if message.source != node.name:
            raise Refused("Network", f"it is from {message.source}")
        if message.to == node.name and message.type not in NEEDS_DISK:
            raise Refused("Network", "it is for its sender")
        for name in meaningless(message, event.state.commit):
            raise Refused(SPEAKERS[message.type][0], f"{name} is {getattr(message, name)} in a {message.type}")
        is_own = message.to == node.name and message.type == "MsgAppResp"
        if is_own and message.reject:
            raise Refused("AcknowledgeOwn", "it refuses its own entries")
        if is_own:
            found, contained = self._append(event, node), None
        else:
            found, contained = self._said(event, node, message)
        if message.term != event.state.term:
            raise Refused("UpdateTerm", f"in term {event.state.term} it sends a message of term {message.term}")
        self._put(node, message, contained)
        return found

    def _said(self, event: Event, node: Node, message: EtcdMessage) -> tuple[list[Alternative], Append | None]:
        """Return the alternatives in which a message is said, and what it contains."""
        _, speak = SPEAKERS[message.type]
        contained: dict[Append | None, None] = {}

        def after(alternative: Alternative) -> Alternative:
            require_own_match(event, alternative.server)
            walk = Walk(self._actions, node.name, alternative.server)
            if message.type == "MsgVoteResp":  # it is sent before the vote is noted
                require(walk, event, alternative)
            append, pending = speak(walk, message, alternative.pending)
            now = alternative._replace(server=walk.now, pending=pending)
            if message.type != "MsgVoteResp":
                require(walk, event, now)
            contained[append] = None
            return now

        is_unasked = message.type in UNASKED or message.to == node.name
        found = each(fitting(self._actions, node, event) if is_unasked else self._asked(event, node), after)
        if len(contained) > 1:
            raise UndecidedError("the trace does not tell which entries are sent")
        return found, next(iter(contained))

    def _asked(self, event: Event, node: Node) -> list[Alternative]:
        """Return the alternatives in which a server may answer: with the message before it, in its term or a newer."""
        found = [
            stage
            for alternative in node.alternatives
            for stage in stages(self._actions, node.name, alternative)
            if stage.pending is not None and stage.server.current_term == event.state.term
        ]
        if not found:
            raise Refused("Network", "it answers, and has received nothing to be answered")
        return found

    def _put(self, node: Node, message: EtcdMessage, append: Append | None) -> None:
        """Send a message. If the same was sent before, and no crash took that, the earlier counts."""
        sent = Sent(append, [node.number + 1], node.restarts)
        if message.type in NEEDS_DISK:
            earlier = self._network.latest((message.source, message.to), message)
            if earlier is not None and earlier.restarts == node.restarts:
                sent = earlier
            elif earlier is not None:
                sent.numbers = [*earlier.numbers, node.number + 1]
        self._network.send((message.source, message.to), message, sent)


HANDLERS: dict[str, Callable[[EtcdLines, Event, Node], list[Alternative]]] = {
    INIT_STATE: EtcdLines._settle,  # never asked: with it a server begins, and there are no alternatives yet
    "BecomeFollower": EtcdLines._become_follower,
    "BecomeCandidate": EtcdLines._become_candidate,
    "BecomeLeader": EtcdLines._become_leader,
    "Commit": EtcdLines._commit,
    "Replicate": EtcdLines._replicate,
    "ChangeConf": EtcdLines._change_configuration,
    "ApplyConfChange": EtcdLines._apply_change,
    "Ready": EtcdLines._settle,
    **{
        f"{verb}{what}{kind}": handler
        for verb, handler in (("Send", EtcdLines._send), ("Receive", EtcdLines._receive))
        for what in ("AppendEntries", "RequestVote")
        for kind in ("Request", "Response")
    },
}
