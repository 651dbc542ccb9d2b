"""Inputs that no correct peer or driver sends are refused before they can touch the state.

Everything the protocol permits passes, however old or out of order it is.
"""

from collections.abc import Callable, Iterator
from typing import Any

from raftimpl.cluster import Cluster
from raftimpl.errors import MalformedInputError
from raftimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    InstallSnapshot,
    Message,
    ReadIndexResponse,
    RequestVote,
)
from raftimpl.state import ServerState
from raftimpl.step import Input, Receive, TransferLeadership


def check_input(cluster: Cluster, state: ServerState, input: Input) -> None:
    """Raise MalformedInputError, naming the input and what is wrong with it, unless it is well formed."""
    if not isinstance(input, Input):
        raise MalformedInputError(f"not an input of the core: {input!r}")
    if isinstance(input, TransferLeadership) and input.target not in range(cluster.servers):
        raise MalformedInputError(f"server {input.target!r} cannot lead this cluster of {cluster.servers}")
    if isinstance(input, Receive):
        for fault in message_faults(cluster, state, input):
            raise MalformedInputError(f"server {state.id} got a malformed message from {input.sender}: {fault}")


def message_faults(cluster: Cluster, state: ServerState, input: Receive) -> Iterator[str]:
    """Yield what is wrong with a message, in words."""
    if input.sender not in cluster.peers(state.id):
        yield f"the sender {input.sender!r} is not another server of this cluster of {cluster.servers}"
    message = input.message
    if not isinstance(message, Message):
        yield f"{message!r} is not a message"
        return
    if message.term < 1:
        yield f"term {message.term} is below 1 in {message!r}"
    yield from FAULTS.get(type(message), no_faults)(message)


def no_faults(_: Any) -> Iterator[str]:
    """Yield nothing."""
    yield from ()


def position_faults(what: str, index: int, term: int, message_term: int) -> Iterator[str]:
    """Yield what is wrong with an index and term that together name a place in a log."""
    if index < 0 or (index == 0) != (term == 0):
        yield f"{what} index {index} with term {term} names no place in a log"
    if term > message_term:
        yield f"{what} term {term} is above the message's own term {message_term}"


def request_vote_faults(message: RequestVote) -> Iterator[str]:
    """A candidate's last entry is of an earlier term than its candidacy."""
    yield from position_faults("last log", message.last_log_index, message.last_log_term, message.term)


def append_entries_faults(message: AppendEntries) -> Iterator[str]:
    """Terms never decrease along a log and never exceed the leader's term."""
    yield from position_faults("prev log", message.prev_log_index, message.prev_log_term, message.term)
    terms = [message.prev_log_term, *(entry.term for entry in message.entries), message.term]
    if message.entries and terms[1] < 1:
        yield f"an entry has term {terms[1]}, which is below 1"
    if terms != sorted(terms):
        yield f"the terms {terms} of the previous entry, the entries and the message decrease somewhere"
    if message.leader_commit < 0 or message.read_round < 0:
        yield f"leader_commit {message.leader_commit} or read_round {message.read_round} is negative"


def append_entries_response_faults(message: AppendEntriesResponse) -> Iterator[str]:
    """A hint lies at or before the refused index."""
    if min(message.index, message.conflict_index, message.conflict_term, message.read_round) < 0:
        yield f"a number is negative in {message!r}"
    if not message.success and message.index > 0 and not 1 <= message.conflict_index <= message.index:
        yield f"the refusal of index {message.index} hints at index {message.conflict_index}, which is not before it"


def install_snapshot_faults(message: InstallSnapshot) -> Iterator[str]:
    """A snapshot stands for at least one entry, of the leader's term or an earlier one."""
    snapshot = message.snapshot
    if snapshot.last_included_index < 1 or message.read_round < 0:
        yield f"last_included_index {snapshot.last_included_index} is below 1 or read_round is negative"
    yield from position_faults("last included", snapshot.last_included_index, snapshot.last_included_term, message.term)


def read_index_response_faults(message: ReadIndexResponse) -> Iterator[str]:
    """A read index is a log index."""
    if message.read_index < 0:
        yield f"read_index {message.read_index} is negative"


FAULTS: dict[type, Callable[[Any], Iterator[str]]] = {
    RequestVote: request_vote_faults,
    AppendEntries: append_entries_faults,
    AppendEntriesResponse: append_entries_response_faults,
    InstallSnapshot: install_snapshot_faults,
    ReadIndexResponse: read_index_response_faults,
}
