"""The rules of Raft, each changed as bugs of real implementations change it; and a few that are changed without harm.

`raftcheck.raft.mutants` tells what comes of each.
"""

from msgspec.structs import replace

from raftcheck.raft.whole_logs import saved, whole
from raftimpl.log import Entries, Log
from raftimpl.messages import AppendEntriesResponse, Entry, RequestVote, RequestVoteResponse, Snapshot, TimeoutNow
from raftimpl.rules import Rules, persist_change
from raftimpl.state import DurableState, PendingRead, Role, ServerState
from raftimpl.step import Output, Persist
from raftspec.quorum import greatest_index_held_by

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
        return tuple(
            replace(write, first_index=1, entries=(), snapshot=None) for write in super().durable_writes(before, after)
        )


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
        if not entries:
            return log
        return super().merged_log(log.up_to(max(prev_log_index, log.first_index - 1)), prev_log_index, entries)


class HeartbeatTruncates(Rules):
    """A follower whose last entry is not the leader's previous one takes a heartbeat for the end of the log."""

    def merged_log(self, log: Log, prev_log_index: int, entries: Entries) -> Log:
        """Delete what follows on the previous entry if there is nothing to append."""
        if entries:
            return super().merged_log(log, prev_log_index, entries)
        return log.up_to(max(prev_log_index, log.first_index - 1))


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


# Snapshots


class LastTermOfNoEntry(Rules):
    """A voter whose log is all in its snapshot takes its last term for 0."""

    def is_log_up_to_date(self, request: RequestVote, log: Log) -> bool:
        """Look for the last term among the entries alone."""
        last_term = log.entries[-1].term if log.entries else 0
        return (request.last_log_term, request.last_log_index) >= (last_term, log.last_index)


class AppendBehindSnapshot(Rules):
    """A follower appends entries that its snapshot stands for to the end of the snapshot."""

    def merged_log(self, log: Log, prev_log_index: int, entries: Entries) -> Log:
        """Take what begins before the snapshot for what follows on it."""
        return super().merged_log(log, max(prev_log_index, log.snapshot.last_included_index), entries)


class SnapshotOneTooLate(Rules):
    """A follower that needs the last entry that a snapshot stands for gets the next ones, one index too early."""

    def needs_snapshot(self, log: Log, next_index: int) -> bool:
        """Compare with the snapshot's last index, and forget that it is in there."""
        return next_index < log.snapshot.last_included_index

    def entries_from(self, log: Log, next_index: int, limit: int) -> tuple[int, Entries]:
        """Take a term that is not known for 0."""
        known = next_index >= log.first_index
        return super().entries_from(log, next_index, limit) if known else (0, log.entries[:limit])


class SnapshotSetsTerm(Rules):
    """Loading a snapshot sets current_term to the term of its last entry."""

    def restored(self, state: ServerState, snapshot: Snapshot) -> ServerState:
        """Begin again in the snapshot's term."""
        return replace(super().restored(state, snapshot), current_term=snapshot.last_included_term)


class SnapshotDropsSuffix(Rules):
    """A snapshot replaces the whole log, even what follows on its last entry."""

    def installed_log(self, log: Log, snapshot: Snapshot) -> Log:
        """Keep nothing."""
        return Log((), snapshot)


class InstallStaleSnapshot(Rules):
    """A snapshot is installed even if the server has applied more."""

    def installs_snapshot(self, state: ServerState, snapshot: Snapshot) -> bool:
        """Do not compare the indexes."""
        return True

    def installed_log(self, log: Log, snapshot: Snapshot) -> Log:
        """Keep nothing if the snapshot is behind the own one."""
        is_behind = snapshot.last_included_index < log.snapshot.last_included_index
        return Log((), snapshot) if is_behind else super().installed_log(log, snapshot)


class CompactUncommitted(Rules):
    """A snapshot is taken for the whole log, of which the last entries are not applied."""

    def compacted_log(self, log: Log, index: int, content: bytes) -> Log:
        """Go to the end of the log."""
        return super().compacted_log(log, log.last_index, saved(whole(log)))


class ForgetSnapshot(Rules):
    """A restarted server takes what follows on its snapshot for its whole log."""

    def restarted(self, server: int, disk: DurableState) -> ServerState:
        """Load the entries alone."""
        return super().restarted(server, replace(disk, log=Log(disk.log.entries)))


# Leadership


class StepAsideClearsVote(Rules):
    """A leader that hears of no quorum becomes a follower that may vote again in its term."""

    def stepped_aside(self, state: ServerState) -> ServerState:
        """Forget the vote."""
        return replace(super().stepped_aside(state), voted_for=None)


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


class ObeyOldTimeoutNow(Rules):
    """A server starts an election for any leader that ever asked for it, even one of an earlier term."""

    def obeys_timeout_now(self, state: ServerState, request: TimeoutNow) -> bool:
        """Do not compare the terms."""
        return True


class TransferToAnyone(Rules):
    """A leader hands over to a follower that lacks entries: nobody will vote for it."""

    def may_take_over(self, state: ServerState, follower: int) -> bool:
        """Do not look at match_index."""
        return True
