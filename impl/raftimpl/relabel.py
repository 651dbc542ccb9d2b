"""Renaming servers. Raft treats all servers alike, so a renamed cluster behaves the same, renamed."""

from msgspec.structs import replace

from raftimpl.state import DurableState, ServerState

Permutation = tuple[int, ...]
"""The server with id i is renamed to permutation[i]."""


def relabel_server(state: ServerState, permutation: Permutation) -> ServerState:
    """Return the state with every server id renamed."""
    return replace(
        state,
        id=permutation[state.id],
        voted_for=_renamed(state.voted_for, permutation),
        leader_id=_renamed(state.leader_id, permutation),
        votes_granted=frozenset(permutation[server] for server in state.votes_granted),
        next_index=_reordered(state.next_index, permutation),
        match_index=_reordered(state.match_index, permutation),
        acked_round=_reordered(state.acked_round, permutation),
        pending_reads=tuple(replace(r, origin=permutation[r.origin]) for r in state.pending_reads),
    )


def relabel_disk(disk: DurableState, permutation: Permutation) -> DurableState:
    """Return the durable state with every server id renamed."""
    return replace(disk, voted_for=_renamed(disk.voted_for, permutation))


def _renamed(server: int | None, permutation: Permutation) -> int | None:
    return None if server is None else permutation[server]


def _reordered(values: tuple[int, ...], permutation: Permutation) -> tuple[int, ...]:
    """Move the item of each server to the position of its new id; other than leaders have no items."""
    return tuple(values[permutation.index(new)] for new in range(len(values)))
