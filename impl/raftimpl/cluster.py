"""What all servers of a cluster have in common."""

from typing import NamedTuple

from raftimpl.log import Entries
from raftimpl.rules import Rules
from raftimpl.state import DurableState, ServerState

MAX_SERVERS = 9


class Cluster(NamedTuple):
    """The fixed surroundings of a server: how many servers there are and by which rules they go.

    `servers` is 1 to MAX_SERVERS; their ids are 0 to servers - 1. `max_append_entries` bounds the entries of
    one AppendEntries message, `max_append_bytes` the bytes of their commands, if it is more than one entry.
    """

    servers: int
    rules: Rules = Rules()
    max_append_entries: int = 64
    max_append_bytes: int = 1 << 20

    def fitting(self, entries: Entries) -> Entries:
        """Return as many of the first entries as one message may have, by their bytes; at least one if there is any."""
        size = 0
        for position, entry in enumerate(entries):
            size += len(entry.command or b"")
            if size > self.max_append_bytes:
                return entries[: max(1, position)]
        return entries

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
