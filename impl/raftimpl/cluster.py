"""What all servers of a cluster have in common."""

from typing import NamedTuple

from raftimpl.rules import Rules
from raftimpl.state import DurableState, ServerState

MAX_SERVERS = 9


class Cluster(NamedTuple):
    """The fixed surroundings of a server: how many servers there are and by which rules they go.

    `servers` is 1 to MAX_SERVERS; their ids are 0 to servers - 1. `max_append_entries` bounds the entries of
    one AppendEntries message.
    """

    servers: int
    rules: Rules = Rules()
    max_append_entries: int = 64

    def peers(self, server: int) -> tuple[int, ...]:
        """Return the ids of the other servers."""
        return tuple(other for other in range(self.servers) if other != server)

    def start(self, server: int, disk: DurableState | None = None) -> ServerState:
        """Return the state in which a server starts, the first time or from what it had persisted."""
        return self.rules.restarted(server, disk or DurableState())


def cluster_of(servers: int, rules: Rules | None = None, max_append_entries: int = 64) -> Cluster:
    """Return a cluster of 1 to MAX_SERVERS servers. Raises ValueError, naming the argument, for other numbers."""
    if not 1 <= servers <= MAX_SERVERS:
        raise ValueError(f"servers must be from 1 to {MAX_SERVERS}, not {servers}")
    if max_append_entries < 1:
        raise ValueError(f"max_append_entries must be at least 1, not {max_append_entries}")
    return Cluster(servers, rules or Rules(), max_append_entries)
