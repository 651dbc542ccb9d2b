"""What a leader sends to its followers (Figure 2, Leaders)."""

from raftimpl.cluster import Cluster
from raftimpl.log import entries_after, term_at
from raftimpl.messages import AppendEntries
from raftimpl.state import ServerState
from raftimpl.step import Send


def broadcast_append_entries(cluster: Cluster, state: ServerState) -> tuple[Send, ...]:
    """Send AppendEntries to every follower."""
    return tuple(send_append_entries(cluster, state, peer) for peer in cluster.peers(state.id))


def send_append_entries(cluster: Cluster, state: ServerState, follower: int) -> Send:
    """Send a follower the entries from its next_index on (Figure 2, Leaders)."""
    prev_log_index = state.next_index[follower] - 1
    return Send(
        follower,
        AppendEntries(
            term=state.current_term,
            prev_log_index=prev_log_index,
            prev_log_term=term_at(state.log, prev_log_index),
            entries=entries_after(state.log, prev_log_index, cluster.max_append_entries),
            leader_commit=state.commit_index,
            read_round=state.read_round,
        ),
    )
