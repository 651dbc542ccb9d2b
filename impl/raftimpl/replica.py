"""A whole server, still pure: the core, its copy of the store, and the clients that wait for an answer.

Clients may talk to any server. A write goes to the leader, through the log, and is answered by the server that
was asked, when that server itself has applied it. A linearizable read is answered by that server too, once the
leader has confirmed how much must be applied; a local read at once, from what this server has.
"""

from __future__ import annotations  # rpds classes cannot be subscripted at run time

from typing import NamedTuple

from msgspec.structs import replace
from rpds import HashTrieMap

from raftimpl import step as core
from raftimpl.cluster import Cluster
from raftimpl.errors import InvariantViolationError, MalformedInputError
from raftimpl.invariants import require_invariants
from raftimpl.keyvalue import Answer, Command, Store, apply_command, decode_command, encode_command, read
from raftimpl.messages import Entry
from raftimpl.raft import step as raft_step
from raftimpl.state import DurableState, ServerState
from raftimpl.values import Value
from raftspec.keyvalue import Read, Write

WriteKey = tuple[str, int]


class Replica(Value, frozen=True):
    """A server's state. `waiting_writes` and `waiting_reads` tell which requests its clients wait for."""

    server: ServerState
    store: Store = Store()
    waiting_writes: HashTrieMap[WriteKey, int] = HashTrieMap()
    waiting_reads: HashTrieMap[int, Read] = HashTrieMap()


class WriteRequest(Value, frozen=True):
    """A client's write; see `raftimpl.keyvalue` for `client` and `sequence`.

    `request_id` comes back with the answer. It must be unique among all requests to the cluster.
    """

    request_id: int
    client: str
    sequence: int
    operation: Write


class LinearizableRead(Value, frozen=True):
    """A read that sees every write that was answered before it was asked."""

    request_id: int
    operation: Read


class LocalRead(Value, frozen=True):
    """A read of what this server has, which may lie behind; the answer's revision tells how far."""

    request_id: int
    operation: Read


class GiveUp(Value, frozen=True):
    """The client does not wait any longer. A write may still take effect."""

    request_id: int


class Answered(Value, frozen=True):
    """Tell a client the answer. A write is answered only when it is committed and applied."""

    request_id: int
    answer: Answer


class Refused(Value, frozen=True):
    """Tell a client that this server knows no leader. Nothing was done; the client may ask again."""

    request_id: int


class Superseded(Value, frozen=True):
    """Tell a client that it has itself moved on: a later write under its name was applied before this one.

    This write was not applied and never will be.
    """

    request_id: int


ClientInput = WriteRequest | LinearizableRead | LocalRead | GiveUp
ReplicaInput = ClientInput | core.ElectionTimeout | core.HeartbeatTimeout | core.Receive
ReplicaOutput = core.Persist | core.Send | core.ResetElectionTimer | Answered | Refused | Superseded


class ReplicaStep(NamedTuple):
    """The next state, and what to do, in order (see `raftimpl.step`)."""

    replica: Replica
    outputs: tuple[ReplicaOutput, ...] = ()


def start(cluster: Cluster, server: int, disk: DurableState | None = None) -> Replica:
    """Return a server as it starts, the first time or from its disk. The store is filled from the log again."""
    return Replica(cluster.start(server, disk))


def step(cluster: Cluster, replica: Replica, input: ReplicaInput) -> ReplicaStep:
    """Return what the server does with an input.

    Raises MalformedInputError for an input that no correct peer or driver sends (nothing has changed), and
    InvariantViolationError for what Raft excludes: then the server must stop.
    """
    match input:
        case WriteRequest(request_id, client, sequence, operation):
            waiting = replica.waiting_writes.insert((client, sequence), request_id)
            request = core.ClientRequest(encode_command(Command(client, sequence, operation)))
            return core_step(cluster, replace(replica, waiting_writes=waiting), request, request_id)
        case LinearizableRead(request_id, operation):
            waiting_reads = replica.waiting_reads.insert(request_id, operation)
            request_read = core.ReadRequest(request_id)
            return core_step(cluster, replace(replica, waiting_reads=waiting_reads), request_read, request_id)
        case LocalRead(request_id, operation):
            return ReplicaStep(replica, (Answered(request_id, read(replica.store, operation)),))
        case GiveUp(request_id):
            return ReplicaStep(without_request(replica, request_id))
        case _:
            return core_step(cluster, replica, input)


def core_step(cluster: Cluster, replica: Replica, input: core.Input, request_id: int | None = None) -> ReplicaStep:
    """Take a step of the core and do what its outputs say that concerns the store and the clients."""
    taken = raft_step(cluster, replica.server, input)
    require_invariants(replica.server, taken)
    replica = replace(replica, server=taken.state)
    outputs: list[ReplicaOutput] = []
    for output in taken.outputs:
        match output:
            case core.Apply(_, entry):
                replica, told = apply_entry(replica, entry)
                outputs += told
            case core.ReadReady(ready_id):
                replica, answers = answer_read(replica, ready_id)
                outputs += answers
            case core.Restore():
                raise InvariantViolationError("a replica fills its store from the whole log, and has no snapshots")
            case core.RefuseNoLeader():
                assert request_id is not None
                replica = without_request(replica, request_id)
                outputs.append(Refused(request_id))
            case _:
                outputs.append(output)
    return ReplicaStep(replica, tuple(outputs))


def apply_entry(replica: Replica, entry: Entry) -> tuple[Replica, tuple[Answered | Superseded, ...]]:
    """Apply a committed entry; answer its client if that waits here.

    Bytes that are no command are passed over, on every server alike: a peer has let them into the log.
    """
    if entry.command is None:
        return replica, ()
    try:
        command = decode_command(entry.command)
    except MalformedInputError:
        return replica, ()
    store, answer = apply_command(replica.store, command)
    replica = replace(replica, store=store)
    key = (command.client, command.sequence)
    request_id = replica.waiting_writes.get(key)
    if request_id is None:
        return replica, ()
    replica = replace(replica, waiting_writes=replica.waiting_writes.remove(key))
    return replica, (Superseded(request_id) if answer is None else Answered(request_id, answer),)


def answer_read(replica: Replica, request_id: int) -> tuple[Replica, tuple[Answered, ...]]:
    """Answer a linearizable read, if its client still waits."""
    operation = replica.waiting_reads.get(request_id)
    if operation is None:
        return replica, ()
    replica = replace(replica, waiting_reads=replica.waiting_reads.remove(request_id))
    return replica, (Answered(request_id, read(replica.store, operation)),)


def without_request(replica: Replica, request_id: int) -> Replica:
    """Return the replica without a client that waits."""
    writes = replica.waiting_writes
    for key in [key for key, waiting in writes.items() if waiting == request_id]:
        writes = writes.remove(key)
    return replace(replica, waiting_writes=writes, waiting_reads=replica.waiting_reads.discard(request_id))
