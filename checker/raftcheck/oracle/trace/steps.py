"""Our own format of traces: one line for the cluster, then one for each step of a server. See docs/traces.md."""

from typing import Any, Literal

import msgspec

from raftcheck.oracle.line_schema import line_schema
from raftcheck.oracle.trace.messages import Configuration, Message, Number, ServerName, TracedEntry

FORMAT = "raftproof/trace/1"

NetworkName = Literal["any", "at-most-once", "fifo"]
Role = Literal["follower", "pre-candidate", "candidate", "leader"]
Event = Literal["start", "timeout", "heartbeat", "propose", "receive", "other"]


class Header(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The first line. `servers` are those of the first configuration; all start with an empty log in term 0.

    `network` is what the messages travelled on: "any" (may lose, repeat and reorder), "at-most-once" (may lose and
    reorder) or "fifo" (may lose; those of one sender to one receiver arrive in their order).
    """

    format: str
    servers: tuple[ServerName, ...]
    learners: tuple[ServerName, ...] = ()
    network: NetworkName = "any"
    source: str = ""


class State(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a server knows after a step. `last` is the last index of its log, `vote` is null if it has not voted.

    `match` (on leaders: how far each other server's log is known to match), `votes` (on candidates: who has voted for
    it) and `configuration` (who it takes for the members) are judged if they are given.
    """

    term: Number
    vote: ServerName | None
    role: Role
    commit: Number
    last: Number
    match: dict[ServerName, Number] | None = None
    votes: frozenset[ServerName] | None = None
    configuration: Configuration | None = None


class LogChange(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The log after a step: its first `keep` entries as they were, and then `entries`."""

    keep: Number
    entries: tuple[TracedEntry, ...] = ()


class Step(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One step of one server: what it was given, what it has come to, and what it sent.

    `event` is "start" (for the first time, or again after a crash), "timeout" (it starts an election, for whatever
    reason), "heartbeat", "propose" (a client's request), "receive" (with `message`) or "other". `log` is given if the
    log has changed.
    """

    server: ServerName
    event: Event
    state: State
    message: Message | None = None
    log: LogChange | None = None
    sends: tuple[Message, ...] = ()


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a line of a trace: the header, or a step."""
    title = f"A line of a trace in the format {FORMAT}: the first is a Header, the others are Steps"
    return line_schema(title, Header, Step)
