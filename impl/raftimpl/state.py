"""The state of one server (Raft paper, Figure 2, "State")."""

import enum

from raftimpl.log import Log
from raftimpl.values import Value


class Role(enum.Enum):
    """What a server is in its term (section 5.1)."""

    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


class DurableState(Value, frozen=True):
    """What survives a crash: the paper's "persistent state on all servers"."""

    current_term: int = 0
    voted_for: int | None = None
    log: Log = Log()


class PendingRead(Value, frozen=True):
    """A read that waits at the leader until a quorum has answered a heartbeat of round `read_round`.

    `origin` is the server whose client asked, `read_index` what that server must have applied to answer.
    """

    request_id: int
    origin: int
    read_round: int
    read_index: int


class ConfirmedRead(Value, frozen=True):
    """A read that waits at its own server until that has applied `read_index`."""

    request_id: int
    read_index: int


class ServerState(Value, frozen=True):
    """Everything that one server's Raft knows.

    There is no last_applied: each step applies what it commits, so that last_applied equals commit_index
    between steps.
    """

    id: int

    # Persistent on all servers.
    current_term: int = 0
    voted_for: int | None = None
    log: Log = Log()

    # Volatile on all servers.
    role: Role = Role.FOLLOWER
    commit_index: int = 0
    leader_id: int | None = None  # the leader of current_term, once heard from
    confirmed_reads: tuple[ConfirmedRead, ...] = ()

    # Volatile on candidates.
    votes_granted: frozenset[int] = frozenset()

    # Volatile on leaders: one item a server, at the position of its id; empty on others.
    next_index: tuple[int, ...] = ()  # the own item is not used and 0
    match_index: tuple[int, ...] = ()  # the own item is the last index of the own log
    read_round: int = 0
    acked_round: tuple[int, ...] = ()  # the last read_round that each server answered in this term
    pending_reads: tuple[PendingRead, ...] = ()


def durable(state: ServerState) -> DurableState:
    """Return the part of the state that must survive a crash."""
    return DurableState(state.current_term, state.voted_for, state.log)
