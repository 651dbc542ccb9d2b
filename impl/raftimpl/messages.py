"""What servers say to each other (Raft paper, Figure 2).

Servers are numbered 0, 1, ... Log indexes start at 1; index 0 and term 0 mean "before the first entry" and
"before any election". A message does not name its sender (the paper's candidateId and leaderId): the
transport knows who sent it and hands that over with the message.
"""

from raftimpl.values import Value


class Entry(Value, frozen=True):
    """A log entry: the term in which a leader received it, and the command for the state machine.

    The core never looks into a command. None is the no-op that a new leader appends (paper, section 8).
    """

    term: int
    command: bytes | None = None


class Snapshot(Value, frozen=True):
    """The state machine as it is after the entry at `last_included_index` (section 7).

    It stands for the log up to there. The core never looks into `content`: it is what the state machine has saved,
    or a name under which the driver finds that.
    """

    last_included_index: int = 0
    last_included_term: int = 0
    content: bytes = b""


class RequestVote(Value, frozen=True, tag=True):
    """A candidate asks for a vote in `term` and shows how far its log reaches (section 5.2, 5.4.1)."""

    term: int
    last_log_index: int
    last_log_term: int


class RequestVoteResponse(Value, frozen=True, tag=True):
    """The voter's term, and whether the candidate has its vote."""

    term: int
    vote_granted: bool


class AppendEntries(Value, frozen=True, tag=True):
    """A leader replicates entries; without entries it is a heartbeat (section 5.3).

    `entries` follow directly on the entry at `prev_log_index`. `leader_commit` is the leader's commit index,
    which may lie beyond these entries. `read_round` numbers the rounds of heartbeats by which the leader
    confirms that it still leads before it serves reads (thesis, section 6.4); 0 when there was no read.
    """

    term: int
    prev_log_index: int
    prev_log_term: int
    entries: tuple[Entry, ...] = ()
    leader_commit: int = 0
    read_round: int = 0


class AppendEntriesResponse(Value, frozen=True, tag=True):
    """The answer to AppendEntries.

    On success `index` is the last index up to which the follower's log matches the leader's. On a refusal
    for the log, `index` is the refused prev_log_index, `conflict_term` the term of the follower's entry there
    (0: it has none) and `conflict_index` the first index of that term (or the one after the follower's last):
    with these the leader skips a whole term at once (end of section 5.3). A refusal because the leader is
    out of date carries the newer term and nothing else.
    """

    term: int
    success: bool
    index: int = 0
    conflict_index: int = 0
    conflict_term: int = 0
    read_round: int = 0


class InstallSnapshot(Value, frozen=True, tag=True):
    """A leader brings a follower that lacks what the leader no longer has in its log up to a snapshot (Figure 13).

    It comes in one piece: to divide it is the transport's business. The answer is AppendEntriesResponse, as to
    AppendEntries with all entries up to the snapshot's last; so is `read_round`.
    """

    term: int
    snapshot: Snapshot
    read_round: int = 0


class TimeoutNow(Value, frozen=True, tag=True):
    """A leader asks a follower to start an election at once, and so to become its successor (thesis, section 3.10)."""

    term: int


class ForwardedRequest(Value, frozen=True, tag=True):
    """A follower hands a client's command on to the leader (section 8)."""

    term: int
    command: bytes


class ReadIndexRequest(Value, frozen=True, tag=True):
    """A follower asks the leader from which index on its own state answers a linearizable read (thesis 6.4)."""

    term: int
    request_id: int


class ReadIndexResponse(Value, frozen=True, tag=True):
    """The leader was still the leader after the question arrived: apply up to `read_index`, then answer."""

    term: int
    request_id: int
    read_index: int


Message = (
    RequestVote
    | RequestVoteResponse
    | AppendEntries
    | AppendEntriesResponse
    | InstallSnapshot
    | TimeoutNow
    | ForwardedRequest
    | ReadIndexRequest
    | ReadIndexResponse
)
