"""Every decision that Raft takes, each in one small function under the paper's name for it.

The handlers in `election`, `replication` and `reading` carry messages to and fro; whatever they must decide
they ask here. "Section" and "Figure" are those of the Raft paper (Ongaro and Ousterhout, "In Search of an
Understandable Consensus Algorithm", extended version), "thesis" is Ongaro's "Consensus: Bridging Theory and
Practice". To see what a rule is good for, override it and run the checker: `raftcheck.raft.mutants` does so.
"""

from msgspec.structs import replace

from raftimpl.log import Entries, Log
from raftimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    Entry,
    RequestVote,
    RequestVoteResponse,
    Snapshot,
    TimeoutNow,
)
from raftimpl.state import DurableState, PendingRead, Role, ServerState, durable
from raftimpl.step import Output, Persist
from raftspec.quorum import greatest_index_held_by, majority


class Rules:
    """The rules of Raft. Stateless: every method is a pure function of its arguments."""

    # Quorums (section 5.2 and 5.3)

    def election_quorum(self, servers: int) -> int:
        """Votes that make a candidate the leader: a majority of the cluster (section 5.2)."""
        return majority(servers)

    def commit_quorum(self, servers: int) -> int:
        """Servers that must hold an entry before it is committed: a majority of the cluster (section 5.3)."""
        return majority(servers)

    # Terms (section 5.1)

    def follower_of_newer_term(self, state: ServerState, term: int) -> ServerState:
        """Step down: whoever sees a newer term becomes its follower, with a vote to give (Figure 2, All Servers)."""
        return ServerState(
            id=state.id,
            current_term=term,
            log=state.log,
            commit_index=state.commit_index,
            confirmed_reads=state.confirmed_reads,
        )

    def follower_of_leader(self, state: ServerState, leader: int) -> ServerState:
        """Follow the leader of the own term; a candidate gives up, but keeps its vote (Figure 2, Candidates)."""
        return replace(state, role=Role.FOLLOWER, votes_granted=frozenset(), leader_id=leader)

    def stepped_aside(self, state: ServerState) -> ServerState:
        """A leader that hears of no quorum becomes a follower of its own term, and keeps its vote (thesis 6.2)."""
        return replace(self.follower_of_newer_term(state, state.current_term), voted_for=state.voted_for)

    # Elections (section 5.2 and 5.4.1)

    def has_vote_for(self, state: ServerState, candidate: int) -> bool:
        """One vote a term, first come, first served (Figure 2, RequestVote, step 2, first half)."""
        return state.voted_for in (None, candidate)

    def is_log_up_to_date(self, request: RequestVote, log: Log) -> bool:
        """The election restriction: the candidate's log ends no earlier than the voter's (section 5.4.1).

        The later last term wins; with equal last terms, the longer log. Any majority has a server with every
        committed entry, which so refuses every candidate that lacks one.
        """
        return (request.last_log_term, request.last_log_index) >= (log.last_term, log.last_index)

    def counts_vote(self, state: ServerState, response: RequestVoteResponse) -> bool:
        """A vote counts for a candidate in the term in which it was asked for (section 5.2)."""
        return state.role is Role.CANDIDATE and response.vote_granted and response.term == state.current_term

    # Log replication (section 5.3)

    def log_matches(self, log: Log, prev_log_index: int, prev_log_term: int) -> bool:
        """The consistency check: the log has the entry that precedes the new ones (Figure 2, AppendEntries 2).

        What a snapshot stands for is committed, so every leader has the same there (section 7).
        """
        return prev_log_index < log.snapshot.last_included_index or log.has_entry(prev_log_index, prev_log_term)

    def merged_log(self, log: Log, prev_log_index: int, entries: Entries) -> Log:
        """Delete from the first conflicting entry on, then append what is missing (AppendEntries 3 and 4).

        Without a conflict nothing is deleted: the request may be an old one, overtaken by others whose
        entries this server has already acknowledged. What a snapshot stands for cannot conflict.
        """
        for index, entry in enumerate(entries, prev_log_index + 1):
            if index >= log.first_index and not log.has_entry(index, entry.term):
                return log.up_to(index - 1).extended(entries[index - prev_log_index - 1 :])
        return log

    def appended_log(self, state: ServerState, entry: Entry) -> Log:
        """Leader Append-Only: a leader never overwrites or deletes its own entries (Figure 3)."""
        return state.log.extended((entry,))

    def acknowledged_index(self, request: AppendEntries, log: Log) -> int:
        """Up to where the follower's log is now known to match: the request's end, not its own (section 5.3).

        What the follower has beyond may be a leftover of an older term.
        """
        return request.prev_log_index + len(request.entries)

    def follower_commit_index(self, commit_index: int, leader_commit: int, last_new_index: int) -> int:
        """The leader's commit index, as far as the logs are known to match, never back (AppendEntries 5)."""
        return max(commit_index, min(leader_commit, last_new_index))

    def counts_response(self, state: ServerState, response: AppendEntriesResponse) -> bool:
        """An answer counts for the leader of the term in which it was given (section 5.1)."""
        return state.role is Role.LEADER and response.term == state.current_term

    def advanced_match_index(self, match_index: int, acknowledged: int) -> int:
        """What a follower has acknowledged, never back: answers may overtake each other (Figure 2, Leaders)."""
        return max(match_index, acknowledged)

    def counts_refusal(self, state: ServerState, follower: int, response: AppendEntriesResponse) -> bool:
        """A refusal counts if it answers the last request, which asked about next_index - 1 (section 5.3).

        At or below match_index the logs are known to match, so a refusal there is an old one; to back up for it
        would send the same entries for ever. That leaves out index 0 too, where nothing is refused for the log:
        such a refusal speaks of the term alone, in answer to a request of an earlier term of this leader.
        """
        is_old = response.index <= state.match_index[follower]
        return not is_old and response.index == state.next_index[follower] - 1

    def backed_up_next_index(self, state: ServerState, response: AppendEntriesResponse) -> int:
        """Where to try next after a refusal: past the leader's last entry of the conflicting term (section 5.3).

        If the leader has none of that term at or before the refused index, the follower's whole term goes.
        The result is at most the refused index, so that every refusal makes progress.
        """
        shared = state.log.last_index_of_term(response.conflict_term, response.index)
        return response.conflict_index if shared is None else shared + 1

    def conflict_hint(self, log: Log, prev_log_index: int) -> tuple[int, int]:
        """The follower's side of the fast back-up: index and term to report with a refusal (section 5.3)."""
        if prev_log_index > log.last_index:
            return log.last_index + 1, 0
        term = log.term_at(prev_log_index)
        return min(log.first_index_of_term(term) or prev_log_index, prev_log_index), term

    def leader_commit_index(self, state: ServerState) -> int:
        """The highest index that a quorum holds, if its entry is of the leader's own term (section 5.4.2).

        Earlier entries are committed with it, never by counting replicas of their own: Figure 8 shows how
        they could still be overwritten. Never back.
        """
        held = greatest_index_held_by(self.commit_quorum(len(state.match_index)), state.match_index)
        advances = held > state.commit_index and state.log.term_at(held) == state.current_term
        return held if advances else state.commit_index

    # Snapshots (section 7)

    def needs_snapshot(self, log: Log, next_index: int) -> bool:
        """Whether the entry that a follower needs next is one that a snapshot stands for (section 7)."""
        return next_index < log.first_index

    def entries_from(self, log: Log, next_index: int, limit: int) -> tuple[int, Entries]:
        """The term of the entry before `next_index`, and at most `limit` entries from there on (Figure 2, Leaders)."""
        return log.term_at(next_index - 1), log.after(next_index - 1, limit)

    def compacted_log(self, log: Log, index: int, content: bytes) -> Log:
        """A snapshot in place of the entries up to the one at `index`, with that one's term (section 7)."""
        return log.begun_by(Snapshot(index, log.term_at(index), content))

    def installs_snapshot(self, state: ServerState, snapshot: Snapshot) -> bool:
        """Whether a leader's snapshot goes further than what was applied; else it is an old one (section 7)."""
        return snapshot.last_included_index > state.commit_index

    def restored(self, state: ServerState, snapshot: Snapshot) -> ServerState:
        """Take over a leader's snapshot. What it stands for is committed and applied (Figure 13, step 8)."""
        log = self.installed_log(state.log, snapshot)
        return replace(state, log=log, commit_index=snapshot.last_included_index)

    def installed_log(self, log: Log, snapshot: Snapshot) -> Log:
        """Keep what follows on the snapshot's last entry, if the log has that (Figure 13, steps 6 and 7)."""
        if log.has_entry(snapshot.last_included_index, snapshot.last_included_term):
            return log.begun_by(snapshot)
        return Log((), snapshot)

    # Leadership transfer (thesis, section 3.10)

    def may_take_over(self, state: ServerState, follower: int) -> bool:
        """A follower with all of the leader's log can be elected (thesis 3.10, step 2)."""
        return state.match_index[follower] == state.log.last_index

    def obeys_timeout_now(self, state: ServerState, request: TimeoutNow) -> bool:
        """Only the leader of the own term may ask for an election (thesis 3.10)."""
        return request.term == state.current_term

    # Linearizable reads (thesis, section 6.4)

    def read_index(self, state: ServerState) -> int:
        """What must be applied before a read that the leader receives now may be answered.

        The commit index alone may lie behind what an earlier leader has acknowledged. All of that precedes
        the first entry of the own term, so waiting for that entry too closes the gap; the thesis has the
        leader commit a no-op of its term first, which is the same entry.
        """
        if state.log.term_at(state.commit_index) == state.current_term:
            return state.commit_index
        return max(state.commit_index, state.log.first_index_of_term(state.current_term) or 0)

    def is_read_confirmed(self, state: ServerState, read: PendingRead) -> bool:
        """A quorum has answered a heartbeat sent after the read arrived, so this was the leader then (thesis 6.4)."""
        confirmed = sum(
            server == state.id or acked >= read.read_round for server, acked in enumerate(state.acked_round)
        )
        return confirmed >= self.commit_quorum(len(state.acked_round))

    # Durability (Figure 2, "persistent state": "updated on stable storage before responding to RPCs")

    def durable_writes(self, before: ServerState, after: ServerState) -> tuple[Persist, ...]:
        """Term, vote and log in one atomic write, which no crash can tear apart (Figure 2, State)."""
        if durable(before) == durable(after):
            return ()
        return (persist_change(before.log, after),)

    def order_outputs(self, writes: tuple[Persist, ...], others: tuple[Output, ...]) -> tuple[Output, ...]:
        """Persist first: what others may rely on must survive a crash (Figure 2, State)."""
        return (*writes, *others)

    def restarted(self, server: int, disk: DurableState) -> ServerState:
        """A server after a crash: a follower with what it had persisted, everything else as at first (Figure 2).

        What its snapshot stands for was committed (section 7).
        """
        return ServerState(
            id=server,
            current_term=disk.current_term,
            voted_for=disk.voted_for,
            log=disk.log,
            commit_index=disk.log.snapshot.last_included_index,
        )


def persist_change(log: Log, after: ServerState) -> Persist:
    """Return the write that makes the durable state of `after` out of one whose log is `log`."""
    snapshot = after.log.snapshot if after.log.snapshot != log.snapshot else None
    kept = log.begun_by(snapshot) if snapshot else log
    same = equal_up_to(kept, after.log)
    return Persist(after.current_term, after.voted_for, same + 1, after.log.after(same), snapshot)


def equal_up_to(one: Log, other: Log) -> int:
    """Return up to which index two logs with the same snapshot are equal."""
    shorter = min(len(one.entries), len(other.entries))
    if one.entries[:shorter] != other.entries[:shorter]:  # which is quickly told
        shorter = next(i for i, (a, b) in enumerate(zip(one.entries, other.entries, strict=False)) if a != b)
    return one.snapshot.last_included_index + shorter


def persisted(disk: DurableState, write: Persist) -> DurableState:
    """Return what is on disk after a write."""
    log = disk.log.begun_by(write.snapshot) if write.snapshot else disk.log
    return DurableState(write.current_term, write.voted_for, log.up_to(write.first_index - 1).extended(write.entries))
