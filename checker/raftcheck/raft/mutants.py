"""Bugs that real implementations of Raft had, each as one changed rule; and a few harmless changes.

A checker that does not find these is not worth trusting. Each harmful mutant names the property that it
breaks and bounds within which a shortest example exists; a harmless one must pass, or the checker raises false
alarms. `source` is the public record of the bug.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from raftcheck.model import ModelError
from raftcheck.raft.bounds import Bounds
from raftimpl.log import Entries, Log
from raftimpl.messages import AppendEntriesResponse, Entry, RequestVote, RequestVoteResponse
from raftimpl.rules import Rules, persist_change
from raftimpl.state import PendingRead, Role, ServerState
from raftimpl.step import Output, Persist
from raftspec.quorum import greatest_index_held_by


@dataclass(frozen=True)
class Mutant:
    """A changed rule. `violates` is the property that it breaks, None if it is harmless.

    `refused` is the action of the specification that it claims and that is refused to it; `invisible` the reason why
    a harmful one takes only steps that the specification allows.
    """

    name: str
    rules: Rules
    violates: str | None
    bounds: Bounds
    source: str
    refused: str | None = None
    invisible: str = ""

    @property
    def description(self) -> str:
        """What is changed, in a sentence."""
        return (type(self.rules).__doc__ or "").splitlines()[0]


# Elections


class VoteForWhoeverAsksFirst(Rules):
    """The textbook election, read literally: vote for whoever asks first, whatever its log."""

    def is_log_up_to_date(self, request: RequestVote, log: Log) -> bool:
        """Accept every log."""
        return True


class CompareIndexOnly(Rules):
    """The longer log counts as the newer one, whatever its last term."""

    def is_log_up_to_date(self, request: RequestVote, log: Log) -> bool:
        """Compare the last indexes only."""
        return request.last_log_index >= log.last_index


class CompareTermOnly(Rules):
    """The log with the later last term counts as the newer one; with equal terms the length is not compared."""

    def is_log_up_to_date(self, request: RequestVote, log: Log) -> bool:
        """Compare the last terms only."""
        return request.last_log_term >= log.last_term


class StepDownClearsVote(Rules):
    """Recognising the leader of the own term clears voted_for."""

    def follower_of_leader(self, state: ServerState, leader: int) -> ServerState:
        """Forget the vote."""
        return replace(super().follower_of_leader(state, leader), voted_for=None)


class CountOldVotes(Rules):
    """A vote counts whatever the term in which it was given."""

    def counts_vote(self, state: ServerState, response: RequestVoteResponse) -> bool:
        """Do not compare the terms."""
        return state.role is Role.CANDIDATE and response.vote_granted


class HalfRoundedDown(Rules):
    """A quorum is n/2, rounded down."""

    def election_quorum(self, servers: int) -> int:
        """Return n/2, at least 1."""
        return max(1, servers // 2)

    commit_quorum = election_quorum


class HalfRoundedUp(Rules):
    """A quorum is n/2, rounded up: right for odd clusters, wrong for even ones."""

    def election_quorum(self, servers: int) -> int:
        """Return n/2, rounded up."""
        return (servers + 1) // 2

    commit_quorum = election_quorum


# Durability


class NeverPersistVote(Rules):
    """Term and vote are kept in memory only."""

    def durable_writes(self, before: ServerState, after: ServerState) -> tuple[Persist, ...]:
        """Write the log, with term and vote as they were when the server was new."""
        return tuple(replace(write, current_term=0, voted_for=None) for write in super().durable_writes(before, after))


class PersistVoteLater(Rules):
    """Term and vote are persisted in two writes; the vote's comes when the answer has left."""

    def durable_writes(self, before: ServerState, after: ServerState) -> tuple[Persist, ...]:
        """Write everything but a new vote, then the vote."""
        writes = super().durable_writes(before, after)
        if after.voted_for is None or before.voted_for == after.voted_for:
            return writes
        without_vote = persist_change(before.log, replace(after, voted_for=None))
        return (without_vote, persist_change(after.log, after))

    def order_outputs(self, writes: tuple[Persist, ...], others: tuple[Output, ...]) -> tuple[Output, ...]:
        """Persist the vote last."""
        return (*writes[:1], *others, *writes[1:])


class SendBeforePersist(Rules):
    """Messages leave before what they promise is on disk."""

    def order_outputs(self, writes: tuple[Persist, ...], others: tuple[Output, ...]) -> tuple[Output, ...]:
        """Persist last."""
        return (*others, *writes)


class ForgetLog(Rules):
    """The log is kept in memory only."""

    def durable_writes(self, before: ServerState, after: ServerState) -> tuple[Persist, ...]:
        """Write term and vote, never an entry."""
        return tuple(replace(write, first_index=1, entries=()) for write in super().durable_writes(before, after))


# Replication


class CommitOldTerms(Rules):
    """An entry of an earlier term is committed by counting its replicas (the paper's Figure 8)."""

    def leader_commit_index(self, state: ServerState) -> int:
        """Do not look at the entry's term."""
        return max(
            state.commit_index, greatest_index_held_by(self.commit_quorum(len(state.match_index)), state.match_index)
        )


class TruncateAlways(Rules):
    """A follower deletes everything after the previous entry, conflict or not, if there are new entries."""

    def merged_log(self, log: Log, prev_log_index: int, entries: Entries) -> Log:
        """Replace all that follows."""
        return log.up_to(prev_log_index).extended(entries) if entries else log


class HeartbeatTruncates(Rules):
    """A follower whose last entry is not the leader's previous one takes a heartbeat for the end of the log."""

    def merged_log(self, log: Log, prev_log_index: int, entries: Entries) -> Log:
        """Delete what follows on the previous entry if there is nothing to append."""
        return super().merged_log(log, prev_log_index, entries) if entries else log.up_to(prev_log_index)


class OverwriteUncommitted(Rules):
    """A leader drops what it has not committed yet when the next request comes."""

    def appended_log(self, state: ServerState, entry: Entry) -> Log:
        """Append to the committed part only."""
        return state.log.up_to(state.commit_index).extended((entry,))


class NoConsistencyCheck(Rules):
    """A follower appends whatever its own log has before the new entries."""

    def log_matches(self, log: Log, prev_log_index: int, prev_log_term: int) -> bool:
        """Look at the length only."""
        return prev_log_index <= log.last_index


class CountOldRefusals(Rules):
    """A leader backs up for a refusal that came late, behind what the follower has acknowledged since."""

    def counts_refusal(self, state: ServerState, follower: int, response: AppendEntriesResponse) -> bool:
        """Do not compare with match_index."""
        return response.index > 0 and response.index == state.next_index[follower] - 1


class CommitBeyondMatch(Rules):
    """A follower's commit index is the leader's, even beyond the entries known to match."""

    def follower_commit_index(self, commit_index: int, leader_commit: int, last_new_index: int) -> int:
        """Leave out the minimum."""
        return max(commit_index, leader_commit)


class CommitGoesBack(Rules):
    """A follower's commit index follows old messages back."""

    def follower_commit_index(self, commit_index: int, leader_commit: int, last_new_index: int) -> int:
        """Leave out the maximum."""
        return min(leader_commit, last_new_index)


class MatchGoesBack(Rules):
    """A leader's match_index follows old answers back."""

    def advanced_match_index(self, match_index: int, acknowledged: int) -> int:
        """Leave out the maximum."""
        return acknowledged


# Reads


class ReadBeforeOwnCommit(Rules):
    """A new leader answers reads from its commit index before it has committed an entry of its own."""

    def read_index(self, state: ServerState) -> int:
        """Return the commit index."""
        return state.commit_index


class LateHeartbeatConfirms(Rules):
    """Any earlier answer to a heartbeat confirms a later read."""

    def is_read_confirmed(self, state: ServerState, read: PendingRead) -> bool:
        """Do not compare the rounds."""
        confirmed = sum(server == state.id or acked > 0 for server, acked in enumerate(state.acked_round))
        return confirmed >= self.commit_quorum(len(state.acked_round))


class ReadWithoutConfirming(Rules):
    """A leader answers reads without making sure that it still leads."""

    def is_read_confirmed(self, state: ServerState, read: PendingRead) -> bool:
        """Trust the own role."""
        return True


# Harmless


class VoteOnlyOnce(Rules):
    """A voter does not repeat its vote for the same candidate."""

    def has_vote_for(self, state: ServerState, candidate: int) -> bool:
        """Give the vote once."""
        return state.voted_for is None


class BackUpOneByOne(Rules):
    """A leader ignores the conflict hint and backs up by one entry (the paper's simple rule)."""

    def backed_up_next_index(self, state: ServerState, response: AppendEntriesResponse) -> int:
        """Decrement next_index."""
        return response.index


READS = "reads are not in the specification"
NEXT_INDEX = "next_index is not in the specification: safety does not depend on it"

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant
    for mutant in (
        Mutant(
            "vote-for-whoever-asks-first",
            VoteForWhoeverAsksFirst(),
            "Leader Completeness",
            Bounds(terms=2, entries=0),
            "jgroups-raft #14, akka-raft #30",
            refused="HandleRequestVote",
        ),
        Mutant(
            "compare-index-only",
            CompareIndexOnly(),
            "Leader Completeness",
            Bounds(terms=3, entries=1, candidates={2: 1, 3: 0}),
            "noraft #22",
            refused="HandleRequestVote",
        ),
        Mutant(
            "compare-term-only",
            CompareTermOnly(),
            "Leader Completeness",
            Bounds(terms=2, entries=1),
            "the other half of section 5.4.1",
            refused="HandleRequestVote",
        ),
        Mutant(
            "step-down-clears-vote",
            StepDownClearsVote(),
            "Election Safety",
            Bounds(terms=2, entries=0, crashes=1),
            "CCF #8094",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "count-old-votes",
            CountOldVotes(),
            "Election Safety",
            Bounds(terms=2, entries=0),
            "Xraft #33",
            refused="HandleVote",
        ),
        Mutant(
            "half-rounded-down",
            HalfRoundedDown(),
            "Election Safety",
            Bounds(terms=1, entries=0),
            "folklore",
            refused="BecomeLeader",
        ),
        Mutant(
            "half-rounded-up",
            HalfRoundedUp(),
            "Election Safety",
            Bounds(servers=2, terms=1, entries=0),
            "folklore",
            refused="BecomeLeader",
        ),
        Mutant(
            "never-persist-vote",
            NeverPersistVote(),
            "Election Safety",
            Bounds(terms=1, entries=0, crashes=1),
            "seaweedfs/raft #9",
            refused="Restart",
        ),
        Mutant(
            "persist-vote-later",
            PersistVoteLater(),
            "Election Safety",
            Bounds(terms=1, entries=0, crashes=1, torn_steps=True),
            "hashicorp/raft #661 (two writes, a crash between them)",
            refused="Restart",
        ),
        Mutant(
            "send-before-persist",
            SendBeforePersist(),
            "Election Safety",
            Bounds(terms=1, entries=0, crashes=1, torn_steps=True),
            "the paper's Figure 2, State",
            refused="Restart",
        ),
        Mutant(
            "forget-log",
            ForgetLog(),
            "Leader Completeness",
            Bounds(terms=2, entries=0, crashes=1),
            "rethinkdb #5289",
            refused="Restart",
        ),
        Mutant(
            "commit-old-terms",
            CommitOldTerms(),
            "Leader Completeness",
            Bounds(terms=4, entries=0, batch=1, candidates={2: 1, 3: 0, 4: 1}, cut=((0, 1),)),
            "logcabin #44, PySyncObj #169, nats-server #7955",
            refused="AdvanceCommitIndex",
        ),
        Mutant(
            "truncate-always",
            TruncateAlways(),
            "Leader Completeness",
            Bounds(terms=2, entries=1),
            "hashicorp/raft #113, CCF #5991",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "heartbeat-truncates",
            HeartbeatTruncates(),
            "Leader Completeness",
            Bounds(terms=2, entries=1),
            "RaftOS #26",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "overwrite-uncommitted",
            OverwriteUncommitted(),
            "Leader Append-Only",
            Bounds(terms=1, entries=1),
            "the paper's Figure 3",
            refused="ClientRequest",
        ),
        Mutant(
            "no-consistency-check",
            NoConsistencyCheck(),
            "Log Matching",
            Bounds(terms=3, entries=0),
            "section 5.3",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "count-old-refusals",
            CountOldRefusals(),
            "Next Index Follows Match Index",
            Bounds(terms=2, entries=0, batch=1),
            "this implementation, found in review: a follower was wedged for the whole term",
            invisible=NEXT_INDEX,
        ),
        Mutant(
            "commit-beyond-match",
            CommitBeyondMatch(),
            "Committed Entries Stay",
            Bounds(terms=1, entries=1, batch=1),
            "copycat #265, rabbitmq/ra #508",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "commit-goes-back",
            CommitGoesBack(),
            "Commit Index Never Goes Back",
            Bounds(terms=1, entries=0),
            "PySyncObj #166",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "match-goes-back",
            MatchGoesBack(),
            "Match Index Never Goes Back",
            Bounds(terms=1, entries=1),
            "PySyncObj #167, RaftOS #25",
            refused="HandleAcknowledgement",
        ),
        Mutant(
            "read-before-own-commit",
            ReadBeforeOwnCommit(),
            "Linearizable Reads",
            Bounds(terms=2, entries=0, reads=1),
            "etcd #7331, redisraft PR #22",
            invisible=READS,
        ),
        Mutant(
            "late-heartbeat-confirms",
            LateHeartbeatConfirms(),
            "Linearizable Reads",
            Bounds(terms=2, entries=0, reads=2, candidates={1: 0, 2: 1}),
            "etcd #20418 (raft PR #397)",
            invisible=READS,
        ),
        Mutant(
            "read-without-confirming",
            ReadWithoutConfirming(),
            "Linearizable Reads",
            Bounds(terms=2, entries=0, reads=1),
            "thesis 6.4",
            invisible=READS,
        ),
        Mutant("vote-only-once", VoteOnlyOnce(), None, Bounds(terms=2, entries=0), "a legal choice"),
        Mutant("back-up-one-by-one", BackUpOneByOne(), None, Bounds(servers=2, terms=3, entries=1), "section 5.3"),
    )
}


def mutant_named(name: str) -> Mutant:
    """Return the mutant with that name. Raises ModelError, listing the names, if there is none."""
    if name not in MUTANTS:
        raise ModelError(f"there is no mutant {name!r}; there are: {', '.join(MUTANTS)}")
    return MUTANTS[name]
