"""Steps of a server, written by hand: what is before, what happens, what is after, and what is wrong with it."""

from typing import Any

from msgspec.structs import replace

from raftcheck.model import Deliver, Send
from raftcheck.raft.process import Crash, Node
from raftimpl.log import Entries, Log
from raftimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    Entry,
    ForwardedRequest,
    Message,
    ReadIndexRequest,
    RequestVote,
    RequestVoteResponse,
)
from raftimpl.state import DurableState, Role, ServerState, durable
from raftimpl.step import ClientRequest, ElectionTimeout, HeartbeatTimeout, QuorumTimeout, ReadRequest

FOLLOWER, CANDIDATE, LEADER = Role
NO_OP, W1, W2 = Entry(1), Entry(1, b"w1"), Entry(1, b"w2")
OF_TERM_2 = Entry(2)


def follower(term: int = 0, log: Entries = (), voted_for: int | None = None, commit_index: int = 0) -> ServerState:
    return ServerState(id=0, current_term=term, voted_for=voted_for, log=Log(log), commit_index=commit_index)


def candidate(term: int = 1, log: Entries = (), votes: frozenset[int] = frozenset({0})) -> ServerState:
    return replace(follower(term, log, voted_for=0), role=CANDIDATE, votes_granted=votes)


def leader(term: int, log: Entries, match_index: tuple[int, ...], commit_index: int = 0) -> ServerState:
    return replace(follower(term, log, 0, commit_index), role=LEADER, match_index=match_index)


def node(server: ServerState, disk: DurableState | None = None) -> Node:
    return Node(server, disk or durable(server))


def to_all(message: Message) -> tuple[Send, ...]:
    return (Send(1, message), Send(2, message))


def from_1(message: Message) -> Deliver:
    return Deliver(1, message)


VOTE, ACK = RequestVoteResponse(1, True), AppendEntriesResponse(1, True, 1)
HEARTBEAT = AppendEntries(1, 0, 0)

STEPS: dict[str, tuple[ServerState, Any, ServerState, tuple[Send, ...], str | None]] = {
    # Elections
    "an election timeout": (
        follower(), ElectionTimeout(), candidate(), to_all(RequestVote(1, 0, 0)), None,
    ),
    "a timeout that asks for no votes": (follower(), ElectionTimeout(), candidate(), (), None),
    "a leader does not time out": (
        leader(1, (NO_OP,), (1, 0, 0)), ElectionTimeout(), candidate(2, (NO_OP,)), (),
        'Timeout is refused: not "it does not lead"',
    ),
    "a timeout that skips a term": (
        follower(), ElectionTimeout(), candidate(2), to_all(RequestVote(2, 0, 0)),
        "after Timeout, RequestVote the specification's current_term is 1 and the implementation's 2",
    ),
    "a timeout that votes for another": (
        follower(), ElectionTimeout(), replace(candidate(), voted_for=1), (),
        "after Timeout the specification's voted_for is s0 and the implementation's s1",
    ),
    "a request that shows a longer log": (
        follower(), ElectionTimeout(), candidate(), to_all(RequestVote(1, 1, 1)),
        "RequestVote(term=1, last_log_index=1, last_log_term=1) is not sent by Timeout, RequestVote",
    ),
    "a vote in a newer term": (
        follower(), from_1(RequestVote(1, 0, 0)), follower(1, voted_for=1), (Send(1, VOTE),), None,
    ),
    "a vote, once more": (
        follower(1, voted_for=1), from_1(RequestVote(1, 0, 0)), follower(1, voted_for=1), (Send(1, VOTE),), None,
    ),
    "a newer term alone": (follower(), from_1(RequestVote(1, 0, 0)), follower(1), (), None),
    "a message that is ignored": (follower(), from_1(RequestVote(1, 0, 0)), follower(), (), None),
    "a vote for another candidate": (
        follower(1, voted_for=2), from_1(RequestVote(1, 0, 0)), follower(1, voted_for=1), (Send(1, VOTE),),
        'HandleRequestVote is refused: not "the server has not voted for another"',
    ),
    "a vote for a stale log": (
        follower(1, (NO_OP,)), from_1(RequestVote(2, 0, 0)), follower(2, (NO_OP,), voted_for=1),
        (Send(1, RequestVoteResponse(2, True)),),
        'HandleRequestVote is refused: not "the candidate\'s log is at least as up to date as the server\'s"',
    ),
    "a vote that is not recorded": (
        follower(1), from_1(RequestVote(1, 0, 0)), follower(1), (Send(1, VOTE),),
        "after HandleRequestVote the specification's voted_for is s1 and the implementation's none",
    ),
    "a vote that goes to another": (
        follower(1), from_1(RequestVote(1, 0, 0)), follower(1, voted_for=1), (Send(2, VOTE),),
        "RequestVoteResponse(term=1, vote_granted=True) is not sent by HandleRequestVote",
    ),
    "a vote in the past": (
        follower(2), from_1(RequestVote(1, 0, 0)), follower(2, voted_for=1), (Send(1, VOTE),),
        'HandleRequestVote is refused: not "the candidate asks in the server\'s term"',
    ),
    "a vote that is taken back": (
        follower(1, voted_for=1), HeartbeatTimeout(), follower(1), (),
        "after no action the specification's voted_for is s1 and the implementation's none",
    ),
    "a vote that is counted": (
        replace(candidate(), votes_granted=frozenset({0})), from_1(VOTE),
        leader(1, (NO_OP,), (1, 0, 0)), to_all(AppendEntries(1, 0, 0, (NO_OP,))), None,
    ),
    "a refusal that is counted": (
        candidate(), from_1(RequestVoteResponse(1, False)), candidate(votes=frozenset({0, 1})), (),
        'HandleVote is refused: not "the vote is for this server"',
    ),
    "an old vote that is counted": (
        candidate(2), from_1(VOTE), candidate(2, votes=frozenset({0, 1})), (),
        'HandleVote is refused: not "it was given in the server\'s term"',
    ),
    "a follower that counts a vote": (
        follower(1), from_1(VOTE), leader(1, (NO_OP,), (1, 0, 0)), (),
        'HandleVote is refused: not "the server is a candidate"',
    ),
    "a leader that nobody elected": (
        follower(1), HeartbeatTimeout(), leader(1, (), (0, 0, 0)), (),
        'BecomeLeader is refused: not "it is a candidate"',
    ),
    "a leader without a quorum": (
        candidate(), HeartbeatTimeout(), leader(1, (), (0, 0, 0)), (),
        'BecomeLeader is refused: not "every server of a quorum has voted for it"',
    ),
    "a new leader that knows too much": (
        candidate(), from_1(VOTE), leader(1, (), (0, 0, 1)), (),
        "after HandleVote, BecomeLeader the specification's match_index is [0 0 0] and the implementation's [0 0 1]",
    ),
    "a term that goes back": (
        follower(2), HeartbeatTimeout(), follower(1), (),
        'UpdateTerm is refused: not "the term is newer"',
    ),
    "a leader that steps down in its term": (
        leader(1, (NO_OP,), (1, 0, 0)), QuorumTimeout(), follower(1, (NO_OP,), voted_for=0), (), None,
    ),
    "a leader that steps down in its term and clears its vote": (
        leader(1, (NO_OP,), (1, 0, 0)), QuorumTimeout(), follower(1, (NO_OP,)), (),
        "after StepAside the specification's voted_for is s0 and the implementation's none",
    ),
    "a candidate that gives up by itself": (
        candidate(), QuorumTimeout(), follower(1, voted_for=0), (),
        "after no action the specification's candidate is True and the implementation's False",
    ),
    "a leader that stays through a newer term": (
        leader(1, (NO_OP,), (1, 0, 0)), from_1(RequestVoteResponse(2, False)),
        replace(leader(2, (NO_OP,), (1, 0, 0)), voted_for=None), (),
        "after UpdateTerm the specification's leader is False and the implementation's True",
    ),
    # The leader
    "a client's request": (
        leader(1, (NO_OP,), (1, 0, 0)), ClientRequest(b"w1"), leader(1, (NO_OP, W1), (2, 0, 0)),
        to_all(AppendEntries(1, 0, 0, (NO_OP, W1))), None,
    ),
    "a request that is appended twice does no harm": (
        leader(1, (NO_OP,), (1, 0, 0)), ClientRequest(b"w1"), leader(1, (NO_OP, W1, W1), (3, 0, 0)), (), None,
    ),
    "a part of the log, and less than is committed": (
        leader(1, (NO_OP, W1, W2), (3, 2, 2), 2), HeartbeatTimeout(), leader(1, (NO_OP, W1, W2), (3, 2, 2), 2),
        (Send(1, AppendEntries(1, 1, 1, (W1,), 1)), Send(2, AppendEntries(1, 3, 1, (), 2))), None,
    ),
    "an entry of another term": (
        leader(1, (NO_OP,), (1, 0, 0)), ClientRequest(b"w1"), leader(1, (NO_OP, OF_TERM_2), (2, 0, 0)), (),
        'ClientRequest is refused: not "the entry is of its term"',
    ),
    "a follower's own entry": (
        follower(1), ClientRequest(b"w1"), follower(1, (W1,)), (),
        "after no action the specification's log is [] and the implementation's [1:w1]",
    ),
    "a leader that overwrites": (
        leader(1, (NO_OP, W1), (2, 0, 0)), ClientRequest(b"w2"), leader(1, (NO_OP, W2), (2, 0, 0)), (),
        "after ClientRequest the specification's log is [1:no-op 1:w1 1:w2] and the implementation's [1:no-op 1:w2]",
    ),
    "entries that are not in the log": (
        leader(1, (NO_OP,), (1, 0, 0)), HeartbeatTimeout(), leader(1, (NO_OP,), (1, 0, 0)),
        to_all(AppendEntries(1, 0, 0, (NO_OP, W1))),
        'AppendEntries is refused: not "the entries are a part of its log"',
    ),
    "entries other than in the log": (
        leader(1, (NO_OP,), (1, 0, 0)), HeartbeatTimeout(), leader(1, (NO_OP,), (1, 0, 0)),
        to_all(AppendEntries(1, 0, 0, (W1,))),
        "AppendEntries(term=1, prev_log_index=0, prev_log_term=0, entries=[1:w1]) is not sent by AppendEntries",
    ),
    "a previous term that is not the log's": (
        leader(2, (NO_OP,), (1, 0, 0)), HeartbeatTimeout(), leader(2, (NO_OP,), (1, 0, 0)),
        to_all(AppendEntries(2, 1, 2)),
        "AppendEntries(term=2, prev_log_index=1, prev_log_term=2) is not sent by AppendEntries",
    ),
    "a commit index that the leader does not know": (
        leader(1, (NO_OP,), (1, 0, 0)), HeartbeatTimeout(), leader(1, (NO_OP,), (1, 0, 0)),
        to_all(AppendEntries(1, 0, 0, (NO_OP,), 1)),
        'AppendEntries is refused: not "it knows as much to be committed"',
    ),
    "a follower that sends entries": (
        follower(1), HeartbeatTimeout(), follower(1), to_all(HEARTBEAT),
        'AppendEntries is refused: not "it leads"',
    ),
    "an acknowledgement that commits": (
        leader(1, (NO_OP,), (1, 0, 0)), from_1(ACK), leader(1, (NO_OP,), (1, 1, 0), 1),
        to_all(AppendEntries(1, 1, 1, (), 1)), None,
    ),
    "an acknowledgement that is old news": (
        leader(1, (NO_OP, W1), (2, 2, 0)), from_1(ACK), leader(1, (NO_OP, W1), (2, 1, 0)), (),
        'HandleAcknowledgement is refused: not "the leader did not know"',
    ),
    "more than was acknowledged": (
        leader(1, (NO_OP, W1), (2, 0, 0)), from_1(ACK), leader(1, (NO_OP, W1), (2, 2, 0)), (),
        'HandleAcknowledgement is refused: not "the follower has acknowledged as much"',
    ),
    "an acknowledgement of an earlier term": (
        leader(2, (NO_OP,), (1, 0, 0)), from_1(ACK), leader(2, (NO_OP,), (1, 1, 0)), (),
        'HandleAcknowledgement is refused: not "in the leader\'s term"',
    ),
    "an acknowledgement that counts for another": (
        leader(1, (NO_OP,), (1, 0, 0)), from_1(ACK), leader(1, (NO_OP,), (1, 0, 1)), (),
        'HandleAcknowledgement is refused: not "the follower has acknowledged as much"',
    ),
    "an entry that no quorum has": (
        leader(1, (NO_OP,), (1, 0, 0)), HeartbeatTimeout(), leader(1, (NO_OP,), (1, 0, 0), 1), (),
        'AdvanceCommitIndex is refused: not "every server of a quorum has it"',
    ),
    "an entry of an earlier term that a quorum has": (
        leader(2, (NO_OP,), (1, 0, 0)), from_1(AppendEntriesResponse(2, True, 1)), leader(2, (NO_OP,), (1, 1, 0), 1),
        (), 'AdvanceCommitIndex is refused: not "the entry is of the leader\'s own term"',
    ),
    "a leader that commits what it has not": (
        leader(1, (NO_OP,), (1, 0, 0)), HeartbeatTimeout(), leader(1, (NO_OP,), (1, 0, 0), 2), (),
        'AdvanceCommitIndex is refused: not "the leader has the entry"',
    ),
    "a leader's commit index that goes back": (
        leader(1, (NO_OP,), (1, 1, 1), 1), HeartbeatTimeout(), leader(1, (NO_OP,), (1, 1, 1)), (),
        'AdvanceCommitIndex is refused: not "the commit index advances"',
    ),
    # The follower
    "new entries": (
        follower(1, (NO_OP,)), from_1(AppendEntries(1, 1, 1, (W1, W2), 2)),
        follower(1, (NO_OP, W1, W2), commit_index=2), (Send(1, AppendEntriesResponse(1, True, 3)),), None,
    ),
    "entries of a newer term": (
        candidate(), from_1(AppendEntries(2, 0, 0, (OF_TERM_2,))), follower(2, (OF_TERM_2,)),
        (Send(1, AppendEntriesResponse(2, True, 1)),), None,
    ),
    "a conflict": (
        follower(2, (NO_OP, W1)), from_1(AppendEntries(2, 1, 1, (OF_TERM_2,))), follower(2, (NO_OP, OF_TERM_2)),
        (Send(1, AppendEntriesResponse(2, True, 2)),), None,
    ),
    "a refusal, and the leader is followed": (
        candidate(), from_1(AppendEntries(1, 1, 1, (W1,))), follower(1, voted_for=0),
        (Send(1, AppendEntriesResponse(1, False, 1, 1)),), None,
    ),
    "a candidate that gives up for an old leader": (
        candidate(2), from_1(HEARTBEAT), follower(2, voted_for=0), (),
        'StepDown is refused: not "by the leader of the server\'s term"',
    ),
    "a candidate that gives up its vote": (
        candidate(), from_1(HEARTBEAT), follower(1), (Send(1, AppendEntriesResponse(1, True)),),
        "after StepDown, HandleAppendEntries the specification's voted_for is s0 and the implementation's none",
    ),
    "a candidate that takes entries": (
        candidate(), from_1(AppendEntries(1, 0, 0, (NO_OP,))), candidate(log=(NO_OP,)), (Send(1, ACK),),
        'HandleAppendEntries is refused: not "the server is a follower"',
    ),
    "entries after an entry of another term": (
        follower(2, (NO_OP,)), from_1(AppendEntries(2, 1, 2, (OF_TERM_2,))), follower(2, (NO_OP, OF_TERM_2)),
        (Send(1, AppendEntriesResponse(2, True, 2)),),
        'HandleAppendEntries is refused: not "its log has the entry before the new ones"',
    ),
    "entries of an old leader": (
        follower(2), from_1(AppendEntries(1, 0, 0, (NO_OP,))), follower(2, (NO_OP,)),
        (Send(1, AppendEntriesResponse(2, True, 1)),),
        'HandleAppendEntries is refused: not "by the leader of the server\'s term"',
    ),
    "a heartbeat that truncates": (
        follower(1, (NO_OP, W1)), from_1(AppendEntries(1, 1, 1)), follower(1, (NO_OP,)), (Send(1, ACK),),
        "after HandleAppendEntries the specification's log is [1:no-op 1:w1] and the implementation's [1:no-op]",
    ),
    "entries that are appended twice": (
        follower(1), from_1(AppendEntries(1, 0, 0, (NO_OP,))), follower(1, (NO_OP, NO_OP)), (Send(1, ACK),),
        "after HandleAppendEntries the specification's log is [1:no-op] and the implementation's [1:no-op 1:no-op]",
    ),
    "an acknowledgement of more than the message has": (
        follower(1, (NO_OP, W1)), from_1(AppendEntries(1, 0, 0, (NO_OP,))), follower(1, (NO_OP, W1)),
        (Send(1, AppendEntriesResponse(1, True, 2)),),
        "AppendEntriesResponse(term=1, success=True, index=2) is not sent by HandleAppendEntries",
    ),
    "an acknowledgement that nobody asked for": (
        follower(1, (NO_OP,)), HeartbeatTimeout(), follower(1, (NO_OP,)), (Send(1, ACK),),
        "AppendEntriesResponse(term=1, success=True, index=1) is not sent by any action",
    ),
    "a commit index beyond what matches": (
        follower(1, (NO_OP, W1)), from_1(AppendEntries(1, 1, 1, (), 2)), follower(1, (NO_OP, W1), commit_index=2),
        (Send(1, ACK),),
        "after HandleAppendEntries the specification's commit_index is 1 and the implementation's 2",
    ),
    "a commit index that goes back": (
        follower(1, (NO_OP,), commit_index=1), from_1(HEARTBEAT), follower(1, (NO_OP,)),
        (Send(1, AppendEntriesResponse(1, True)),),
        "after HandleAppendEntries the specification's commit_index is 1 and the implementation's 0",
    ),
    # What the specification does not see
    "a request handed on": (
        replace(follower(1), leader_id=1), ClientRequest(b"w1"), replace(follower(1), leader_id=1),
        (Send(1, ForwardedRequest(1, b"w1")),), None,
    ),
    "a question for the read index": (
        replace(follower(1), leader_id=1), ReadRequest(1), replace(follower(1), leader_id=1),
        (Send(1, ReadIndexRequest(1, 1)),), None,
    ),
    "another next_index": (
        replace(leader(1, (NO_OP,), (1, 0, 0)), next_index=(0, 2, 2)), from_1(AppendEntriesResponse(1, False, 1, 1)),
        replace(leader(1, (NO_OP,), (1, 0, 0)), next_index=(0, 1, 2)),
        (Send(1, AppendEntries(1, 0, 0, (NO_OP,))),), None,
    ),
    # Crashes
    "a crash": (
        leader(1, (NO_OP,), (1, 1, 0), 1), Crash(), follower(1, (NO_OP,), voted_for=0), (), None,
    ),
    "a crash that costs an entry": (
        follower(1, (NO_OP,)), Crash(), follower(1), (),
        "after Restart the specification's log is [1:no-op] and the implementation's []",
    ),
    "a crash that costs a vote": (
        follower(1, voted_for=1), Crash(), follower(1), (),
        "after Restart the specification's voted_for is s1 and the implementation's none",
    ),
    "a crash that leaves a leader with less": (
        leader(1, (NO_OP,), (1, 1, 0), 1), Crash(), leader(1, (NO_OP,), (1, 0, 0)), (),
        "after Restart the specification's leader is False and the implementation's True",
    ),
    "a crash that nobody notices": (follower(1, (NO_OP,)), Crash(), follower(1, (NO_OP,)), (), None),
    "a crash that leaves a commit index": (
        follower(1, (NO_OP, W1), commit_index=2), Crash(), follower(1, (NO_OP, W1), commit_index=1), (), None,
    ),
    "a crash that leaves more of a commit index than there was": (
        follower(1, (NO_OP, W1), commit_index=1), Crash(), follower(1, (NO_OP, W1), commit_index=2), (),
        'Restart is refused: not "it knew as much to be committed"',
    ),
}  # fmt: skip
"""Steps of server 0: from a state, by an input, to a state, with messages; and why it is none of Raft."""
