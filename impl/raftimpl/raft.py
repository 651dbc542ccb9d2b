"""The core: one pure function, `step`, that is all of Raft for one server.

It has no clock, no randomness, no I/O and no memory beyond the state it is given. Which rule handles what
stands in the two tables at the end; the rules themselves are in `raftimpl.rules`.
"""

from collections.abc import Callable
from typing import Any

from raftimpl.cluster import Cluster
from raftimpl.election import (
    election_timeout,
    quorum_timeout,
    request_vote,
    request_vote_response,
    timeout_now,
    transfer_leadership,
)
from raftimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    ForwardedRequest,
    InstallSnapshot,
    ReadIndexRequest,
    ReadIndexResponse,
    RequestVote,
    RequestVoteResponse,
    TimeoutNow,
)
from raftimpl.reading import read_index_request, read_index_response, read_request, release_reads
from raftimpl.replication import (
    append_entries,
    append_entries_response,
    client_request,
    forwarded_request,
    heartbeat_timeout,
)
from raftimpl.snapshotting import compact, install_snapshot
from raftimpl.state import ServerState
from raftimpl.step import (
    Apply,
    ClientRequest,
    Compact,
    Effects,
    ElectionTimeout,
    HeartbeatTimeout,
    Input,
    Output,
    QuorumTimeout,
    ReadReady,
    ReadRequest,
    Receive,
    RefuseNoLeader,
    ResetElectionTimer,
    Restore,
    Step,
    TransferLeadership,
)
from raftimpl.validation import check_input


def step(cluster: Cluster, state: ServerState, input: Input) -> Step:
    """Return what the server does with an input: its next state, and the outputs to carry out in their order.

    Raises MalformedInputError for an input that no correct peer or driver sends (the state stays as it is),
    and InvariantViolationError for what Raft excludes.
    """
    check_input(cluster, state, input)
    effects = INPUT_HANDLERS[type(input)](cluster, state, input)
    after, ready = release_reads(effects.state)
    writes = cluster.rules.durable_writes(state, after)
    return Step(after, cluster.rules.order_outputs(writes, other_outputs(state, after, effects, ready)))


def receive(cluster: Cluster, state: ServerState, input: Receive) -> Effects:
    """Handle a message: first, whatever it is, a newer term makes a follower (Figure 2, All Servers)."""
    if input.message.term > state.current_term:
        state = cluster.rules.follower_of_newer_term(state, input.message.term)
    return MESSAGE_HANDLERS[type(input.message)](cluster, state, input.sender, input.message)


def other_outputs(
    before: ServerState, after: ServerState, effects: Effects, ready: tuple[int, ...]
) -> tuple[Output, ...]:
    """Return what is to be done besides persisting: messages, newly committed entries, answers."""
    snapshot = after.log.snapshot
    restored = (Restore(snapshot),) if snapshot.last_included_index > before.commit_index else ()
    applied = tuple(
        Apply(index, after.log.entry_at(index))
        for index in range(
            max(before.commit_index + 1, after.log.first_index), min(after.commit_index, after.log.last_index) + 1
        )
    )
    return (
        *effects.sends,
        *((ResetElectionTimer(),) if effects.reset_election_timer else ()),
        *restored,
        *applied,
        *(ReadReady(request_id) for request_id in ready),
        *((RefuseNoLeader(),) if effects.refused else ()),
    )


INPUT_HANDLERS: dict[type, Callable[[Cluster, ServerState, Any], Effects]] = {
    ElectionTimeout: election_timeout,
    HeartbeatTimeout: heartbeat_timeout,
    ClientRequest: client_request,
    ReadRequest: read_request,
    Receive: receive,
    QuorumTimeout: quorum_timeout,
    Compact: compact,
    TransferLeadership: transfer_leadership,
}

MESSAGE_HANDLERS: dict[type, Callable[[Cluster, ServerState, int, Any], Effects]] = {
    RequestVote: request_vote,
    RequestVoteResponse: request_vote_response,
    AppendEntries: append_entries,
    AppendEntriesResponse: append_entries_response,
    InstallSnapshot: install_snapshot,
    TimeoutNow: timeout_now,
    ForwardedRequest: forwarded_request,
    ReadIndexRequest: read_index_request,
    ReadIndexResponse: read_index_response,
}
