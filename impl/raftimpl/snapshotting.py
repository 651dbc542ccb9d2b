"""Log compaction (section 7): a snapshot of the state machine takes the place of the entries that led to it."""

from msgspec.structs import replace

from raftimpl.cluster import Cluster
from raftimpl.errors import MalformedInputError
from raftimpl.messages import AppendEntriesResponse, InstallSnapshot
from raftimpl.replication import hear_from_leader
from raftimpl.state import ServerState
from raftimpl.step import Compact, Effects, Send


def compact(cluster: Cluster, state: ServerState, request: Compact) -> Effects:
    """Drop the entries that a snapshot of the own state machine stands for (section 7).

    One that is not later than the present snapshot changes nothing. Raises MalformedInputError if it goes further than
    what was applied.
    """
    index = request.last_included_index
    if index > state.commit_index:
        raise MalformedInputError(f"server {state.id} cannot compact up to {index}: applied is {state.commit_index}")
    if index < state.log.first_index:
        return Effects(state)
    return Effects(replace(state, log=cluster.rules.compacted_log(state.log, index, request.content)))


def install_snapshot(cluster: Cluster, state: ServerState, leader: int, request: InstallSnapshot) -> Effects:
    """Take over the leader's snapshot, if it goes further than what was applied here (Figure 13)."""
    if request.term < state.current_term:
        return Effects(state, (Send(leader, AppendEntriesResponse(state.current_term, False)),))
    follower = hear_from_leader(cluster, state, leader, request)
    snapshot = request.snapshot
    if cluster.rules.installs_snapshot(follower, snapshot):
        follower = cluster.rules.restored(follower, snapshot)
    response = AppendEntriesResponse(
        follower.current_term, success=True, index=snapshot.last_included_index, read_round=request.read_round
    )
    return Effects(follower, (Send(leader, response),), reset_election_timer=True)
