"""Judging a trace in our own format: is every step of every server a sequence of actions of the specification?"""

from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

from msgspec.structs import replace

from raftcheck.model import ModelError
from raftcheck.oracle.judgement import Rejection
from raftcheck.oracle.trace.actions import Actions, Append, Refused
from raftcheck.oracle.trace.data import Data
from raftcheck.oracle.trace.handling import handle, say
from raftcheck.oracle.trace.log import Entry, Log
from raftcheck.oracle.trace.messages import Configuration, InstallSnapshot, Message, MessageBase, TracedEntry
from raftcheck.oracle.trace.network import NETWORKS, NetworkName, UndecidedError
from raftcheck.oracle.trace.promises import Promises
from raftcheck.oracle.trace.server import Members, Server, members_of
from raftcheck.oracle.trace.steps import Header, LogChange, State, Step
from raftcheck.oracle.trace.walk import Walk
from raftcheck.oracle.trace.words import message_in_words, step_in_words

STORAGE = "what a step of a server changes is on its disk before its messages leave"


class StepJudge:
    """Judges the steps of a cluster, one after the other."""

    def __init__(self, header: Header, network: NetworkName | None = None) -> None:
        members = Members(frozenset(header.servers), learners=frozenset(header.learners))
        self.network_name: NetworkName = network or header.network
        self.checked = 0
        self._network = NETWORKS[self.network_name]()
        self._actions = Actions(lambda entry, one, other: entry.change == other)
        self._servers: dict[str, Server] = {}
        self._first = {name: started(members) for name in (*header.servers, *header.learners)}
        self._matches: dict[str, tuple[int, dict[str, int]]] = {}
        self._promises, self._data = Promises(), Data()
        self._taken: Counter[str] = Counter()
        for server in self._first:
            self._actions.meet(server)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is taken for granted about network and storage."""
        return (NETWORKS[self.network_name].meaning, STORAGE)

    @property
    def details(self) -> dict[str, Any]:
        """What the steps consisted of."""
        taken = ", ".join(f"{name} {count:,}" for name, count in sorted(self._taken.items()))
        return {"servers": len(self._servers), "actions": taken or "none"}

    def step(self, step: Step) -> Rejection | None:
        """Judge a step; return why it is impossible, or None. Raises UndecidedError. After a rejection, no more."""
        before = self._servers.get(step.server)
        try:
            self._judge(step, before)
        except Refused as refusal:
            return Rejection(
                f"step {self.checked + 1:,}",
                step_in_words(step),
                refusal.action,
                refusal.reason,
                before.described() if before else {},
                claimed(step),
            )
        self.checked += 1
        return None

    def _judge(self, step: Step, before: Server | None) -> None:
        self._require_fields(step)
        content = self._receive(step)
        known = before or self._first_of(step.server)
        log = self._log_after(known.log, step.log)
        if isinstance(step.message, InstallSnapshot) and content is not None and step.log is None:
            log = with_snapshot(log, content, step.state.commit)
        if before is None or step.event == "start":
            walk = self._start(step, before)
        else:
            walk = Walk(self._actions, step.server, before)
            handle(walk, step, content, log)
        require_equal(walk, step, log)
        self._require_known(walk, step)
        self._promises.check(step.server, known, walk.now)
        for message in step.sends:
            append = say(walk, step, message)
            self._network.send((message.sender, message.to), key_of(message), append)
            self._data.check_message(message)
        self._servers[step.server] = walk.now
        self._taken.update(walk.taken)

    def _require_fields(self, step: Step) -> None:
        """Raise MalformedStepError if a step contradicts itself."""
        for server in (step.server, *(message.to for message in step.sends)):
            self._actions.meet(server)
        if (step.event == "receive") != (step.message is not None):
            raise MalformedStepError('a step has a message if, and only if, its event is "receive"')
        if step.message is not None and step.message.to != step.server:
            raise MalformedStepError(f"{step.server} receives a message to {step.message.to}")
        for message in step.sends:
            if message.sender != step.server:
                raise MalformedStepError(f"{step.server} sends a message from {message.sender}")

    def _receive(self, step: Step) -> Append | None:
        """Return what the message that is received contains."""
        message = step.message
        if message is None:
            return None
        content: Append | None = self._network.receive((message.sender, message.to), key_of(message))
        return content

    def _first_of(self, server: str) -> Server:
        """Return the state in which a server starts for the first time. One that joins later knows no members."""
        return self._first.get(server, started(Members()))

    def _start(self, step: Step, before: Server | None) -> Walk:
        """Start a server, for the first time or after a crash."""
        if step.event != "start":
            raise MalformedStepError('the first event of a server is not "start"')
        self._matches.pop(step.server, None)
        if before is None:
            if step.state.term or step.state.last:
                raise UndecidedError(f"server {step.server} does not begin with an empty log in term 0")
            return Walk(self._actions, step.server, self._first_of(step.server))
        walk = Walk(self._actions, step.server, before)
        wanted = members_of(step.state.configuration)
        index, members = next((had for had in before.had if had[1] == wanted), before.had[-1])
        walk.take("Restart", commit=step.state.commit, i=index, g=members)
        return walk

    def _log_after(self, log: Log, change: LogChange | None) -> Log:
        """Return a log with the change that a step claims."""
        if change is None:
            return log
        if change.keep > log.last:
            raise MalformedStepError(f"the first {change.keep} entries are kept of a log that ends at {log.last}")
        self._data.check(change.keep, change.entries)
        return log.cut(change.keep).followed_by(map(entry_of, change.entries))

    def _require_known(self, walk: Walk, step: Step) -> None:
        """Compare what a leader claims to know of the others, and a candidate of its votes. Less is allowed."""
        state, now, server = step.state, walk.now, step.server
        if state.match and not now.leader:
            raise MalformedStepError(f"{server} tells match indexes, and is no leader")
        if state.match is not None:
            self._require_match(server, now, state.match)
        if state.votes is not None and not state.votes <= now.votes_granted:
            raise Refused("HandleVote", f"a vote of {', '.join(sorted(state.votes - now.votes_granted))} is counted")

    def _require_match(self, server: str, now: Server, match: dict[str, int]) -> None:
        """Raise Refused unless match indexes are at most what was acknowledged, and do not go back in a term."""
        known = {**dict(now.match_index), server: now.log.last}
        term, last = self._matches.get(server, (0, {}))
        last = last if term == now.current_term else {}
        for follower, index in match.items():
            if index > known.get(follower, 0):
                reason = f"match index {index} of {follower}, which has acknowledged {known.get(follower, 0)}"
                raise Refused("HandleAcknowledgement", reason)
            if index < last.get(follower, 0):
                reason = f"the match index of {follower} goes back from {last[follower]} to {index}"
                raise Refused("HandleAcknowledgement", reason)
        self._matches[server] = (now.current_term, {**last, **match})


class MalformedStepError(ModelError):
    """Raised for a step that contradicts itself: that is no question of Raft, but of how it was recorded."""


def started(members: Members) -> Server:
    """Return a server that has never run."""
    return Server(configuration=members, had=((0, members),))


def with_snapshot(log: Log, snapshot: Append, commit: int) -> Log:
    """Return a log with a snapshot installed, if a commit index tells that it is: its entries need not be listed."""
    index = snapshot.entries.last
    return snapshot.entries if commit >= index >= log.first_difference(snapshot.entries) else log


def entry_of(traced: TracedEntry) -> Entry:
    """Return an entry as the specification has it."""
    return Entry(traced.term, members_of(traced.configuration))


def key_of(message: Message) -> Hashable:
    """Return what makes two messages the same: everything but the number that was given to them."""
    base: MessageBase = message
    return message if base.id is None else replace(message, id=None)


def require_equal(walk: Walk, step: Step, log: Log) -> None:
    """Raise Refused unless the actions have led to what a step claims; the rule is the action that made it differ."""
    claims = dict(claims_of(step.state, log))
    for name, specified in claims_of(state_of(walk.now, step.state), walk.now.log):
        if claims[name] != specified:
            by = f"after {', '.join(walk.taken)}" if walk.taken else "without any action"
            shown = [NOBODY if value is None else value for value in (specified, claims[name])]
            raise Refused(walk.changer_of(name), f"{by} the {name} is {shown[0]}, and {shown[1]} is claimed")


def claims_of(state: State, log: Log) -> Iterator[tuple[str, Any]]:
    """Yield what can be compared, by name."""
    yield "term", state.term
    yield "vote", state.vote
    yield "role", "follower" if state.role == "pre-candidate" else state.role
    yield "last index", state.last
    yield "log", log
    yield "commit index", state.commit
    if state.configuration is not None:
        yield "configuration", str(members_of(state.configuration))


def state_of(server: Server, like: State) -> State:
    """Return what the specification says of a server in the form of a claim."""
    members = None
    if like.configuration is not None:
        members = Configuration(*server.configuration)
    return State(
        server.current_term,
        server.voted_for,
        server.role,  # type: ignore[arg-type]
        server.commit_index,
        server.log.last,
        configuration=members,
    )


NOBODY = "none"
"""How it is shown that a server has not voted."""


def claimed(step: Step) -> dict[str, Any]:
    """Return what a step claims, for people."""
    state = step.state
    known: dict[str, Any] = {
        "term": state.term,
        "vote": state.vote or "none",
        "role": state.role,
        "commit": state.commit,
        "last": state.last,
    }
    if step.log:
        known["log"] = f"{step.log.keep} kept, then terms {[entry.term for entry in step.log.entries]}"
    if step.sends:
        known["sends"] = "; ".join(map(message_in_words, step.sends))
    return known
