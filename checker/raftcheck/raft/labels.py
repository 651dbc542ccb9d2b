"""Raft's states, inputs and messages in the words of the paper."""

import enum
from collections.abc import Iterator
from typing import Any

import msgspec

from raftcheck.model import Deliver
from raftcheck.raft.process import Crash, CrashWithin, Node
from raftcheck.raft.whole_logs import entries_in
from raftimpl import step as core
from raftimpl.log import Log
from raftimpl.messages import Entry, Message, Snapshot
from raftimpl.state import ServerState, durable

INPUT_TEXTS = {
    core.ElectionTimeout: "has an election timeout",
    core.HeartbeatTimeout: "has a heartbeat timeout",
    core.ClientRequest: "is asked by a client to write {1}",
    core.ReadRequest: "is asked by a client for linearizable read {0.request_id}",
    core.QuorumTimeout: "has heard from no quorum for an election timeout",
    core.Compact: "compacts its log up to index {0.last_included_index}",
    core.TransferLeadership: "shall hand leadership over to s{0.target}",
    Crash: "crashes and restarts from its disk",
    CrashWithin: "will crash in its next step, after its first {0.outputs} outputs",
}

SERVER_FIELDS = ("voted_for", "leader_id")

BOOKKEEPING = ("votes_granted", "next_index", "match_index", "acked_round")
"""Fields that are emptied with the role or start at zero: that is not worth showing."""


def is_worth_showing(value: frozenset[int] | tuple[int, ...]) -> bool:
    """Tell whether a bookkeeping field holds anything."""
    return any(value) or (isinstance(value, frozenset) and len(value) > 0)


def changed_fields(before: ServerState, after: ServerState) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, old, new) of every field that differs."""
    for field in msgspec.structs.fields(ServerState):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            yield field.name, old, new


def command_text(command: bytes | None) -> str:
    """Return a command as it is shown in a log."""
    return "no-op" if command is None else command.decode(errors="backslashreplace")


class RaftLabels:
    """Labels for `raftcheck.report`."""

    def process(self, pid: int) -> str:
        """Return a server's name."""
        return f"s{pid}"

    def value(self, value: Any) -> str:
        """Return a value as short text; fields of a message that have their default value are left out."""
        match value:
            case Entry():
                return f"{value.term}:{command_text(value.command)}"
            case Snapshot():
                return f"[{self._stands_for(value)}]"
            case Log():
                kept = map(self.value, value.entries)
                before = () if value.snapshot == Snapshot() else (self._stands_for(value.snapshot), "|")
                return f"[{' '.join((*before, *kept))}]"
            case enum.Enum():
                return str(value.value)
            case msgspec.Struct():
                return f"{type(value).__name__}({', '.join(self._arguments(value))})"
            case tuple():
                return f"[{' '.join(map(self.value, value))}]"
            case frozenset():
                return "{" + ", ".join(map(str, sorted(value))) + "}"
            case None:
                return "none"
            case _:
                return str(value)

    def _stands_for(self, snapshot: Snapshot) -> str:
        """Return the entries that a snapshot stands for, and what it says of their last if that is something else."""
        entries = entries_in(snapshot.content)
        last = (snapshot.last_included_index, snapshot.last_included_term)
        said = "" if last == (len(entries), entries[-1].term if entries else 0) else " as index {} of term {}"
        return " ".join(map(self.value, entries)) + said.format(*last)

    def _arguments(self, value: msgspec.Struct) -> list[str]:
        fields = msgspec.structs.fields(value)
        return [
            f"{field.name}={self.value(getattr(value, field.name))}"
            for field in fields
            if getattr(value, field.name) != field.default
        ]

    def input(self, input: Any) -> str:
        """Return what happens to a server."""
        if isinstance(input, Deliver):
            message: Message = input.message  # type: ignore[assignment]
            return f"receives {self.value(message)} from {self.process(input.sender)}"
        return INPUT_TEXTS[type(input)].format(input, command_text(getattr(input, "command", None)))

    def state(self, state: Node) -> str:
        """Return a server's role and what else is not as it was at the very start; its disk as `changes` shows it."""
        server = state.server
        changed = changed_fields(ServerState(server.id, role=server.role), server)
        texts = [self.value(server.role), *(f"{name} {self.field(name, now)}" for name, _, now in changed)]
        if state.crash_after is not None:
            texts.append(f"will crash after {state.crash_after} outputs")
        return ", ".join([*texts, *self._disk(state)])

    def changes(self, before: Node, after: Node) -> list[str]:
        """Return what differs in a server; its disk is shown where it is not what the server believes."""
        texts = [
            f"{name}: {self.field(name, old)} → {self.field(name, new)}"
            for name, old, new in changed_fields(before.server, after.server)
            if name not in BOOKKEEPING or is_worth_showing(new)
        ]
        return [*texts, *self._disk(after)]

    def _disk(self, node: Node) -> list[str]:
        return [f"on disk: {self.value(node.disk)}"] if node.disk != durable(node.server) else []

    def field(self, name: str, value: Any) -> str:
        """Return the value of a field of a server."""
        return self.process(value) if name in SERVER_FIELDS and value is not None else self.value(value)
