"""Steps of servers as plain JSON values, in the format of traces that the oracle judges (docs/traces.md).

Servers are named by texts, and a message is rendered from its sender, its receiver and what it says. So it looks the
same where it is sent and where it arrives.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from raftimpl.log import EMPTY, Entries, Log
from raftimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    Entry,
    ForwardedRequest,
    InstallSnapshot,
    Message,
    ReadIndexRequest,
    ReadIndexResponse,
    RequestVote,
    RequestVoteResponse,
    TimeoutNow,
)
from raftimpl.rules import persist_change
from raftimpl.state import DurableState, Role, ServerState, durable
from raftimpl.step import ClientRequest, ElectionTimeout, HeartbeatTimeout, Input, Output, Receive, Send

Json = dict[str, Any]

FORMAT = "raftproof/trace/1"

HEX = "hex:"
"""What the text of a command begins with that is no UTF-8, or begins like these texts."""

DIGEST = "sha256:"
"""What the text of a long command begins with."""

LONGEST_TEXT = 128
"""Bytes of a command that is told in full."""

EVENTS: Mapping[type, str] = {
    ElectionTimeout: "timeout",
    HeartbeatTimeout: "heartbeat",
    ClientRequest: "propose",
    Receive: "receive",
}
"""What a step is called; all else is "other"."""


def header(names: Sequence[str], network: str = "any", source: str = "") -> Json:
    """Return the first line of a trace. `names` are those of the servers 0, 1, and so on."""
    return {"format": FORMAT, "servers": list(names), "network": network, "source": source}


def step_record(
    names: Sequence[str], before: ServerState, input: Input | None, after: ServerState, outputs: Sequence[Output]
) -> Json:
    """Return a step of the core: what it was given (None: nothing that is told), and what was carried out."""
    received = {}
    if isinstance(input, Receive):
        received = {"message": message_record(names, input.sender, before.id, input.message)}
    return {
        "server": names[before.id],
        "event": EVENTS.get(type(input), "other"),
        **received,
        "state": state_record(names, after),
        **log_change(before.log, after),
        "sends": [message_record(names, before.id, o.to, o.message) for o in outputs if isinstance(o, Send)],
    }


def known_of_torn_step(
    before: ServerState, after: ServerState, disk: DurableState, done: Sequence[Output]
) -> ServerState:
    """Return what anybody can know of a step that a crash cut short, when `done` was carried out and `disk` written.

    That is all of it as soon as anybody has been told anything; else no more than what is on disk.
    """
    if durable(after) == disk or any(isinstance(output, Send) for output in done):
        return after
    stays = before.current_term == disk.current_term
    base = before if stays else ServerState(before.id, commit_index=before.commit_index)
    return replace(base, current_term=disk.current_term, voted_for=disk.voted_for, log=disk.log)


def start_record(names: Sequence[str], after: ServerState, known: Log = EMPTY) -> Json:
    """Return the start of a server. `known` is the log that it had, as far as the trace tells, before it crashed."""
    return {
        "server": names[after.id],
        "event": "start",
        "state": state_record(names, after),
        **log_change(known, after),
    }


def state_record(names: Sequence[str], state: ServerState) -> Json:
    """Return what a server knows. A leader's match_index leaves out the leader itself."""
    record: Json = {
        "term": state.current_term,
        "vote": None if state.voted_for is None else names[state.voted_for],
        "role": state.role.value,
        "commit": state.commit_index,
        "last": state.log.last_index,
    }
    if state.role is Role.CANDIDATE:
        record["votes"] = [names[server] for server in sorted(state.votes_granted)]
    if state.role is Role.LEADER:
        record["match"] = {names[p]: index for p, index in enumerate(state.match_index) if p != state.id}
    return record


def log_change(known: Log, after: ServerState) -> Json:
    """Return the field `log` of a step; nothing if the log is as it was, or only a snapshot is new."""
    if known == after.log or known.snapshot != after.log.snapshot:
        return {}
    change = persist_change(known, after)
    return {"log": {"keep": change.first_index - 1, "entries": entry_records(change.entries)}}


def entry_records(entries: Entries) -> list[Json]:
    """Return log entries."""
    return [entry_record(entry) for entry in entries]


def entry_record(entry: Entry) -> Json:
    """Return a log entry. A no-op has no data."""
    return {"term": entry.term} if entry.command is None else {"term": entry.term, "data": text_of(entry.command)}


def text_of(command: bytes) -> str:
    """Return a command as a text; different commands have different texts (as far as SHA-256 tells)."""
    if len(command) > LONGEST_TEXT:
        return DIGEST + sha256(command).hexdigest()
    try:
        text = command.decode("utf-8")
    except UnicodeDecodeError:
        return HEX + command.hex()
    return HEX + command.hex() if text.startswith((HEX, DIGEST)) else text


def message_record(names: Sequence[str], sender: int, to: int, message: Message) -> Json:
    """Return a message from one server to another."""
    kind, fields = MESSAGES[type(message)]
    return {"type": kind, "from": names[sender], "to": names[to], "term": message.term, **fields(message)}


def request_vote(message: RequestVote) -> Json:
    """Return the fields of a RequestVote."""
    return {"last_index": message.last_log_index, "last_term": message.last_log_term}


def request_vote_response(message: RequestVoteResponse) -> Json:
    """Return the fields of an answer to RequestVote."""
    return {"granted": message.vote_granted}


def append_entries(message: AppendEntries) -> Json:
    """Return the fields of AppendEntries; the round of heartbeats is not recorded."""
    return {
        "prev_index": message.prev_log_index,
        "prev_term": message.prev_log_term,
        "entries": entry_records(message.entries),
        "commit": message.leader_commit,
    }


def append_entries_response(message: AppendEntriesResponse) -> Json:
    """Return the fields of an answer to AppendEntries. The index of a refusal promises nothing: it is left out."""
    return {"success": True, "index": message.index} if message.success else {"success": False}


def install_snapshot(message: InstallSnapshot) -> Json:
    """Return the fields of InstallSnapshot: up to which entry it goes."""
    return {"index": message.snapshot.last_included_index, "index_term": message.snapshot.last_included_term}


def nothing(_: TimeoutNow) -> Json:
    """Return the fields of a message that has none but its term."""
    return {}


def other(message: ForwardedRequest | ReadIndexRequest | ReadIndexResponse) -> Json:
    """Return the fields of a message that only carries a term, as far as the specification sees."""
    return {"what": type(message).__name__}


MESSAGES: Mapping[type, tuple[str, Callable[[Any], Json]]] = {
    RequestVote: ("RequestVote", request_vote),
    RequestVoteResponse: ("RequestVoteResponse", request_vote_response),
    AppendEntries: ("AppendEntries", append_entries),
    AppendEntriesResponse: ("AppendEntriesResponse", append_entries_response),
    InstallSnapshot: ("InstallSnapshot", install_snapshot),
    TimeoutNow: ("TimeoutNow", nothing),
    ForwardedRequest: ("Other", other),
    ReadIndexRequest: ("Other", other),
    ReadIndexResponse: ("Other", other),
}
