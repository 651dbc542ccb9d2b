"""What the messages of etcd's raft say: the action that each is sent by, and how it is taken."""

from collections.abc import Callable, Iterator
from typing import Any

from raftcheck.oracle.trace.actions import Append, Refused
from raftcheck.oracle.trace.etcd_events import NOBODY, EtcdMessage, Event
from raftcheck.oracle.trace.etcd_node import Received, contents, get_request_vote, handled
from raftcheck.oracle.trace.server import Server
from raftcheck.oracle.trace.walk import Walk

Spoken = tuple[Append | None, Received | None]
"""What a message contains, and the message that may still be handled after it."""


def ask_for_vote(walk: Walk, message: EtcdMessage, pending: Received | None) -> Spoken:
    """Ask for a vote."""
    walk.take("RequestVote")
    said = ("request_vote", (walk.n, message.term, message.index, message.log_term))
    if said not in walk.said:
        log = walk.now.log
        raise Refused("RequestVote", f"its log ends at {log.last} in term {log.term_at(log.last)}")
    return None, pending


def answer_vote(walk: Walk, message: EtcdMessage, pending: Received | None) -> Spoken:
    """Vote, or refuse to."""
    if message.to == walk.n:
        if message.reject or walk.now.voted_for != walk.n or not walk.now.candidate:
            raise Refused("Timeout", "it votes for itself, and is no candidate that has")
        return None, pending
    require_answer(message, pending, ("MsgVote",))
    assert pending is not None
    if message.reject:
        get_request_vote(walk, pending.message, "RefuseVote")
    else:
        handled(walk, pending)
    return None, None


def send_entries(walk: Walk, message: EtcdMessage, pending: Received | None) -> Spoken:
    """Send entries, as they are in the leader's log."""
    entries = walk.now.log.part(message.index, message.index + message.entries)
    if len(entries) != message.entries:
        raise Refused("AppendEntries", f"there are {message.entries} entries after {message.index}, of {walk.now.log}")
    append = Append(message.term, walk.n, message.log_term, entries, message.commit)
    walk.send(append)
    return append, pending


def send_heartbeat(walk: Walk, message: EtcdMessage, pending: Received | None) -> Spoken:
    """Send a heartbeat: no entries after the last one that is committed and known to be there."""
    walk.take("Heartbeat", p=message.to, commit=message.commit)
    log, commit = walk.now.log, message.commit
    append = Append(message.term, walk.n, log.term_at(commit), log.part(commit, commit), commit)
    walk.send(append)
    return append, pending


def send_snapshot(walk: Walk, message: EtcdMessage, pending: Received | None) -> Spoken:
    """Send a snapshot: everything up to an index, as committed."""
    log, index = walk.now.log, message.entries
    walk.send(Append(message.term, walk.n, log.term_at(index), log.part(index, index), index))
    return Append(message.term, walk.n, 0, log.part(0, index), index), pending


def answer_entries(walk: Walk, message: EtcdMessage, pending: Received | None) -> Spoken:
    """Acknowledge entries, or refuse them."""
    require_answer(message, pending, ("MsgApp", "MsgHeartbeat", "MsgSnap"))
    assert pending is not None
    if pending.append is None or (not message.reject and message.index == 0):
        return None, pending
    append = contents(walk.now.log, pending)
    if message.reject:
        if message.index != append.entries.start:
            raise Refused("RefuseAppendEntries", f"it refuses index {message.index}, not {append.entries.start}")
        walk.take("RefuseAppendEntries", append=append)
        return None, None
    if message.index == append.entries.last and not append.entries.start < message.index <= walk.now.commit_index:
        walk.handle(append)
    elif message.index > walk.acknowledged_in(message.term):
        walk.take("AcknowledgeCommitted", append=append, i=message.index)
    return None, None


def answer_heartbeat(walk: Walk, message: EtcdMessage, pending: Received | None) -> Spoken:
    """Answer a heartbeat: what it calls committed is."""
    require_answer(message, pending, ("MsgHeartbeat",))
    assert pending is not None
    if pending.message.term == walk.now.current_term and not walk.now.leader:
        handled(walk, pending)
    return None, None


def require_answer(message: EtcdMessage, pending: Received | None, kinds: tuple[str, ...]) -> None:
    """Raise Refused unless the server has received something from whom it answers."""
    if pending is None or pending.message.source != message.to or pending.message.type not in kinds:
        what = pending.message if pending else "nothing"
        raise Refused("Network", f"it answers {message.to}, and has received {what}")


Speaker = Callable[[Walk, EtcdMessage, Received | None], Spoken]

SPEAKERS: dict[str, tuple[str, Speaker]] = {
    "MsgVote": ("RequestVote", ask_for_vote),
    "MsgVoteResp": ("HandleRequestVote", answer_vote),
    "MsgApp": ("AppendEntries", send_entries),
    "MsgHeartbeat": ("Heartbeat", send_heartbeat),
    "MsgSnap": ("AppendEntries", send_snapshot),
    "MsgAppResp": ("HandleAppendEntries", answer_entries),
    "MsgHeartbeatResp": ("Heartbeat", answer_heartbeat),
}
"""Which action says a message, and what it means."""

UNASKED = ("MsgVote", "MsgApp", "MsgHeartbeat", "MsgSnap")

NOTHING: dict[str, dict[str, Any]] = {
    "MsgVote": {"entries": 0, "commit": 0, "vote": NOBODY, "reject": False, "hint": 0},
    "MsgVoteResp": {"entries": 0, "log_term": 0, "index": 0, "commit": 0, "vote": NOBODY, "hint": 0},
    "MsgApp": {"vote": NOBODY, "reject": False, "hint": 0},
    "MsgHeartbeat": {"entries": 0, "log_term": 0, "index": 0, "vote": NOBODY, "reject": False, "hint": 0},
    "MsgSnap": {"log_term": 0, "index": 0, "commit": 0, "vote": NOBODY, "reject": False, "hint": 0},
    "MsgAppResp": {"entries": 0, "log_term": 0, "vote": NOBODY, "hint": 0},
    "MsgHeartbeatResp": {"entries": 0, "log_term": 0, "index": 0, "commit": 0, "vote": NOBODY, "reject": False,
                         "hint": 0},
}  # fmt: skip
"""Fields that a kind of message does not use."""

HINTS = ("log_term", "hint")
"""What a refusal of entries says besides: where to go on, which is advice."""


def meaningless(message: EtcdMessage, commit: int) -> Iterator[str]:
    """Yield the fields that say something where nothing is to be said. An answer may tell the sender's commit index."""
    for name, zero in NOTHING[message.type].items():
        if getattr(message, name) != zero and not (message.reject and name in HINTS):
            yield name
    if message.type == "MsgAppResp" and message.commit not in (0, commit):
        yield "commit"


def require_own_match(event: Event, server: Server) -> None:
    """Raise Refused if a leader tells a higher match index of its own than it can know: with less it can do less."""
    known, told = dict(server.match_index).get(event.nid, 0), event.prop.match
    if told is not None and told > known:
        raise Refused("HandleAcknowledgement", f"its own match index is {known}, and {told} is claimed")
