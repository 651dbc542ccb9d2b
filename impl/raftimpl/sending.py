"""What a leader sends to its followers (Figure 2, Leaders)."""

from raftimpl.cluster import Cluster
from raftimpl.messages import AppendEntries, InstallSnapshot
from raftimpl.state import ServerState
from raftimpl.step import Send


def broadcast_append_entries(cluster: Cluster, state: ServerState) -> tuple[Send, ...]:
    """Send every follower what it lacks, if only a heartbeat."""
    return tuple(send_what_is_missing(cluster, state, peer) for peer in cluster.peers(state.id))


def send_what_is_missing(cluster: Cluster, state: ServerState, follower: int) -> Send:
    """Send a follower entries, or the snapshot if they are no longer in the log (section 7)."""
    if cluster.rules.needs_snapshot(state.log, state.next_index[follower]):
        return Send(follower, InstallSnapshot(state.current_term, state.log.snapshot, state.read_round))
    return send_append_entries(cluster, state, follower)


def send_append_entries(cluster: Cluster, state: ServerState, follower: int) -> Send:
    """Send a follower the entries from its next_index on (Figure 2, Leaders)."""
    next_index = state.next_index[follower]
    prev_log_term, entries = cluster.rules.entries_from(state.log, next_index, cluster.max_append_entries)
    return Send(
        follower,
        AppendEntries(
            term=state.current_term,
            prev_log_index=next_index - 1,
            prev_log_term=prev_log_term,
            entries=cluster.fitting(entries),
            leader_commit=state.commit_index,
            read_round=state.read_round,
        ),
    )
