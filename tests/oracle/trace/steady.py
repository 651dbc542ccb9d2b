"""A cluster that runs for ever, as etcd's raft would record it: a legal trace as long as wanted.

Three servers replicate entries, one a round, with a heartbeat now and then and an election now and then. Nothing is
lost or overtaken: what grows are indexes and terms.

    python -m tests.oracle.trace.steady EVENTS      writes so many lines
"""

import json
import sys
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

from tests.oracle.trace.shown import CANDIDATE, FOLLOWER, LEADER, NOBODY

NAMES = ["1", "2", "3"]
HEARTBEAT_EVERY, ELECTION_EVERY = 4, 500
"""In rounds."""


class Server:
    """What a server's events show."""

    def __init__(self, name: str) -> None:
        self.name, self.role, self.vote = name, FOLLOWER, NOBODY
        self.term = self.commit = self.log = self.last_term = 0
        self.conf: list[str] = []

    def event(self, name: str, **more: Any) -> str:
        state = {"term": self.term, "vote": self.vote, "commit": self.commit}
        event = {"name": name, "nid": self.name, "state": state, "role": self.role, "log": self.log,
                 "conf": [self.conf, []], **more}  # fmt: skip
        return json.dumps({"tag": "trace", "event": event})

    def message(self, kind: str, to: "Server", **fields: Any) -> dict[str, Any]:
        nothing = {"entries": 0, "logTerm": 0, "index": 0, "commit": 0, "vote": NOBODY, "reject": False,
                   "rejectHint": 0}  # fmt: skip
        return {"type": kind, "term": self.term, "from": self.name, "to": to.name, **nothing, **fields}


def says(verb: str, server: Server, message: dict[str, Any], **more: Any) -> str:
    what = "RequestVote" if "Vote" in message["type"] else "AppendEntries"
    kind = "Response" if message["type"].endswith("Resp") else "Request"
    return server.event(f"{verb}{what}{kind}", msg=message, **more)


def lines(election_every: int = ELECTION_EVERY) -> Iterator[str]:
    """The lines of a trace without end; elections are so many rounds apart."""
    servers = [Server(name) for name in NAMES]
    for server in servers:
        yield from beginning(server)
    for round_number in count():
        leader = servers[round_number // election_every % len(servers)]
        followers = [server for server in servers if server is not leader]
        if round_number % election_every == 0:
            yield from election(leader, followers)
        yield from replication(leader, followers)
        if round_number % HEARTBEAT_EVERY == 0 or (round_number + 1) % election_every == 0:
            yield from heartbeat(leader, followers)


def beginning(server: Server) -> Iterator[str]:
    """A server is set up with its first members."""
    yield server.event("InitState")
    yield server.event("BecomeFollower")
    server.term = 1
    yield server.event("BecomeFollower")
    server.log = server.commit = len(NAMES)
    server.last_term = 1
    for number in range(1, len(NAMES) + 1):
        yield server.event("ApplyConfChange", prop={"cc": {"newconf": NAMES[:number]}})
        server.conf = NAMES[:number]
    for _ in NAMES:  # when the first entries are applied, they change nothing any more
        yield server.event("ApplyConfChange", prop={"cc": {"newconf": NAMES}})


def election(candidate: Server, others: list[Server]) -> Iterator[str]:
    """All vote for the candidate."""
    candidate.role, candidate.term, candidate.vote = (
        CANDIDATE,
        max(s.term for s in [candidate, *others]) + 1,
        (candidate.name),
    )
    yield candidate.event("BecomeCandidate")
    own = candidate.message("MsgVoteResp", candidate)
    asks = [candidate.message("MsgVote", o, index=candidate.log, logTerm=candidate.last_term) for o in others]
    yield says("Send", candidate, own)
    yield from (says("Send", candidate, ask) for ask in asks)
    yield says("Receive", candidate, own)
    votes = []
    for other, ask in zip(others, asks, strict=True):
        yield says("Receive", other, ask)
        other.role, other.term, other.vote = FOLLOWER, candidate.term, NOBODY
        yield other.event("BecomeFollower")
        votes.append(other.message("MsgVoteResp", candidate))
        yield says("Send", other, votes[-1])
        other.vote = candidate.name
        yield other.event("Ready")
    yield says("Receive", candidate, votes[0])
    candidate.role = LEADER
    yield candidate.event("BecomeLeader")


def replication(leader: Server, followers: list[Server]) -> Iterator[str]:
    """An entry is proposed, appended by all, and committed by the leader."""
    yield leader.event("Replicate")
    before, before_term = leader.log, leader.last_term
    leader.log, leader.last_term = leader.log + 1, leader.term
    answers = [leader.message("MsgAppResp", leader, index=leader.log)]
    yield says("Send", leader, answers[0])
    for follower in followers:
        fields = {"index": before, "logTerm": before_term, "entries": 1, "commit": leader.commit}
        append = leader.message("MsgApp", follower, **fields)
        yield says("Send", leader, append, prop={"match": before, "next": leader.log})
        yield says("Receive", follower, append)
        follower.log, follower.last_term, follower.commit = leader.log, leader.term, leader.commit
        answers.append(follower.message("MsgAppResp", leader, index=follower.log))
        yield says("Send", follower, answers[-1])
    for known, answer in enumerate(answers):
        yield says("Receive", leader, answer)
        leader.commit = leader.log if known else leader.commit
        yield leader.event("Commit")


def heartbeat(leader: Server, followers: list[Server]) -> Iterator[str]:
    """The followers learn what is committed."""
    for follower in followers:
        beat = leader.message("MsgHeartbeat", follower, commit=leader.commit)
        yield says("Send", leader, beat)
        yield says("Receive", follower, beat)
        follower.commit = leader.commit
        answer = follower.message("MsgHeartbeatResp", leader)
        yield says("Send", follower, answer)
        yield says("Receive", leader, answer)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in islice(lines(), int(sys.argv[1])))
