"""What goes into a step of the core and what comes out.

Time is an input: whoever drives the core owns the timers and says when one has run out. The outputs must be
carried out in their order; above all a Persist must be on disk before the outputs after it begin.
"""

from typing import NamedTuple

from raftimpl.messages import Entry, Message, Snapshot
from raftimpl.state import ServerState
from raftimpl.values import Value


class ElectionTimeout(Value, frozen=True, tag=True):
    """No leader was heard from for an election timeout (section 5.2)."""


class HeartbeatTimeout(Value, frozen=True, tag=True):
    """It is time for the leader to send heartbeats; on other servers it does nothing."""


class Receive(Value, frozen=True, tag=True):
    """A message arrived. `sender` is the id that the transport vouches for."""

    sender: int
    message: Message


class ClientRequest(Value, frozen=True, tag=True):
    """A client asks this server to replicate a command."""

    command: bytes


class ReadRequest(Value, frozen=True, tag=True):
    """A client asks this server for a linearizable read.

    `request_id` comes back with ReadReady. It must be unique among all requests of the cluster, also across
    restarts: an answer to an earlier request with the same number would confirm this one too soon.
    """

    request_id: int


class QuorumTimeout(Value, frozen=True, tag=True):
    """A leader has not heard from a quorum for an election timeout (thesis, section 6.2); nothing on other servers."""


class Compact(Value, frozen=True, tag=True):
    """The state machine is saved as it was after the entry at `last_included_index` (section 7).

    `content` is a snapshot's (see `raftimpl.messages.Snapshot`), and already durable.
    """

    last_included_index: int
    content: bytes


class TransferLeadership(Value, frozen=True, tag=True):
    """Another server shall lead (thesis, section 3.10). If it lacks entries it is sent them; then ask again."""

    target: int


Input = (
    ElectionTimeout
    | HeartbeatTimeout
    | Receive
    | ClientRequest
    | ReadRequest
    | QuorumTimeout
    | Compact
    | TransferLeadership
)


class Persist(Value, frozen=True, tag=True):
    """Write to disk, as one atomic write, before any later output.

    If there is a `snapshot`, it first takes the place of the entries up to its last. Then the durable log becomes its
    entries before `first_index`, followed by `entries`.
    """

    current_term: int
    voted_for: int | None
    first_index: int
    entries: tuple[Entry, ...] = ()
    snapshot: Snapshot | None = None


class Send(Value, frozen=True, tag=True):
    """Send a message. It may be lost, duplicated, delayed and overtaken without harm."""

    to: int
    message: Message


class ResetElectionTimer(Value, frozen=True, tag=True):
    """Begin a new, randomly chosen election timeout."""


class Apply(Value, frozen=True, tag=True):
    """Hand the committed entry at `index` to the state machine; the result is its client's answer."""

    index: int
    entry: Entry


class Restore(Value, frozen=True, tag=True):
    """The state machine becomes what the snapshot holds: it is at its last included index then."""

    snapshot: Snapshot


class ReadReady(Value, frozen=True, tag=True):
    """The read may be answered now, from the state machine as it is after the Apply outputs before this."""

    request_id: int


class RefuseNoLeader(Value, frozen=True, tag=True):
    """The request was not accepted: this server knows of no leader in its term. Nothing was done."""


Output = Persist | Send | ResetElectionTimer | Restore | Apply | ReadReady | RefuseNoLeader


class Step(NamedTuple):
    """The next state, and what to do, in order."""

    state: ServerState
    outputs: tuple[Output, ...] = ()


class Effects(NamedTuple):
    """What one rule's handler has decided; `raft.step` turns it into a Step with its outputs in order."""

    state: ServerState
    sends: tuple[Send, ...] = ()
    reset_election_timer: bool = False
    refused: bool = False
