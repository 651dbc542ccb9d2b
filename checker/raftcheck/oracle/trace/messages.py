"""What servers say to each other, as a trace tells it. The names are those of docs/traces.md.

Servers are named by texts. Where a message has more fields in a protocol, they are left out: only what the
specification speaks of is recorded.
"""

from typing import Annotated

import msgspec

Number = Annotated[int, msgspec.Meta(ge=0)]
ServerName = Annotated[str, msgspec.Meta(min_length=1)]


class TracedEntry(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A log entry: its term; if recorded, what is in it, in a form that is equal for equal entries and only for them.

    `configuration` is set if the entry changes the membership: who is in the cluster from then on.
    """

    term: Number
    data: str | None = None
    configuration: "Configuration | None" = None


class Configuration(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The members of a cluster. While a change is under way, `outgoing` are the voters that were (thesis, 4.3)."""

    voters: frozenset[ServerName] = frozenset()
    outgoing: frozenset[ServerName] = frozenset()
    learners: frozenset[ServerName] = frozenset()


class MessageBase(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True, forbid_unknown_fields=True
):
    """What every message has. `id` is free for whoever records: it plays no part in the judgement."""

    sender: ServerName = msgspec.field(name="from")
    to: ServerName
    term: Number
    id: str | int | None = None


class RequestVote(MessageBase, frozen=True, tag=True):
    """A candidate asks for a vote in its term; its log ends at `last_index` with an entry of `last_term`.

    If it tells how much it knows to be committed, `commit` is the index of the last such entry, `commit_term` its term.
    """

    last_index: Number
    last_term: Number
    commit: Number = 0
    commit_term: Number = 0


class RequestVoteResponse(MessageBase, frozen=True, tag=True):
    """`granted`: the sender votes for the receiver in `term`. `commit` and `commit_term` as in RequestVote."""

    granted: bool
    commit: Number = 0
    commit_term: Number = 0


class PreVote(MessageBase, frozen=True, tag=True):
    """A server asks whether it would get a vote in `term`, which is above its own (thesis, 9.6)."""

    last_index: Number
    last_term: Number
    commit: Number = 0
    commit_term: Number = 0


class PreVoteResponse(MessageBase, frozen=True, tag=True):
    """`granted`: the sender would vote for the receiver in `term`."""

    granted: bool
    commit: Number = 0
    commit_term: Number = 0


class AppendEntries(MessageBase, frozen=True, tag=True):
    """A leader sends entries that follow on the one at `prev_index`, and its commit index."""

    prev_index: Number
    prev_term: Number
    entries: tuple[TracedEntry, ...] = ()
    commit: Number = 0


class AppendEntriesResponse(MessageBase, frozen=True, tag=True):
    """On success the sender's log matches the receiver's up to `index`; a refusal says nothing of an index."""

    success: bool
    index: Number = 0


class Heartbeat(MessageBase, frozen=True, tag=True):
    """A leader's heartbeat that carries no place in the log: entries up to `commit` are committed, and the receiver is
    known to have them."""

    commit: Number = 0


class HeartbeatResponse(MessageBase, frozen=True, tag=True):
    """The answer to a Heartbeat; it says nothing of an index."""


class InstallSnapshot(MessageBase, frozen=True, tag=True):
    """A leader sends the state that the entries up to `index` have led to; the last of them is of `index_term`.

    It is answered with AppendEntriesResponse. `configuration` is the one in force at `index`.
    """

    index: Number
    index_term: Number
    configuration: Configuration | None = None


class TimeoutNow(MessageBase, frozen=True, tag=True):
    """A leader asks the receiver to start an election at once (thesis, 3.10)."""


class Other(MessageBase, frozen=True, tag=True):
    """Any other message: it must not lead to anything that a server could not do without it, but for its term."""

    what: str = ""


Message = (
    RequestVote
    | RequestVoteResponse
    | PreVote
    | PreVoteResponse
    | AppendEntries
    | AppendEntriesResponse
    | Heartbeat
    | HeartbeatResponse
    | InstallSnapshot
    | TimeoutNow
    | Other
)
