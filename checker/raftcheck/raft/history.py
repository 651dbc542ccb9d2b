"""The scenario of a Raft model: it keeps the budgets, and remembers what no server can be trusted to."""

from msgspec.structs import replace

from raftcheck.model import Deliver, Network, NoticingScenario, Step
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.process import Crash, CrashWithin, ModelInput, Node, command
from raftimpl.messages import Entry, ForwardedRequest, Message, ReadIndexRequest, TimeoutNow
from raftimpl.relabel import Permutation
from raftimpl.state import Role
from raftimpl.step import (
    Apply,
    ClientRequest,
    Compact,
    ElectionTimeout,
    HeartbeatTimeout,
    Output,
    QuorumTimeout,
    ReadReady,
    ReadRequest,
    Restore,
    TransferLeadership,
)
from raftimpl.values import Value


class Committed(Value, frozen=True):
    """An entry that some server has applied, and that server's term at the time.

    The first to apply is the earliest that any client can have had an answer, so an entry that is committed
    counts as acknowledged from then on.
    """

    entry: Entry
    term: int


class Read(Value, frozen=True):
    """A linearizable read: how many entries were committed when it began, and how many its answer rests on."""

    number: int
    committed_before: int
    answered_from: int | None = None


class History(Value, frozen=True):
    """What has happened so far: the ghost.

    `elected` has a (term, leader) pair for every election won, in order of terms. `committed` has the entry
    at each index that was ever applied anywhere, as it was first applied.
    """

    elected: tuple[tuple[int, int], ...] = ()
    committed: tuple[Committed, ...] = ()
    reads: tuple[Read, ...] = ()
    requests: int = 0
    forwards: int = 0
    read_rounds: int = 0
    heartbeats: int = 0
    crashes: int = 0
    compactions: int = 0
    transfers: int = 0
    quorum_timeouts: int = 0


class Notice(Value, frozen=True):
    """What the observer has to know of a step, whatever happened before it.

    `command` and `read` are what a client asked for; the numbers count what is bounded; `elected` is the term
    and the leader of an election won; `applied` has (index, entry and term) of each entry applied, `answered`
    (request, index on which the answer rests) of each read.
    """

    forbidden: bool = False
    command: bytes | None = None
    read: int | None = None
    requests: int = 0
    forwards: int = 0
    read_rounds: int = 0
    heartbeats: int = 0
    crashes: int = 0
    compactions: int = 0
    transfers: int = 0
    quorum_timeouts: int = 0
    elected: tuple[int, int] | None = None
    applied: tuple[tuple[int, Committed], ...] = ()
    answered: tuple[tuple[int, int], ...] = ()


NOTHING = Notice()


class Observer(NoticingScenario):
    """Allows what the bounds allow, and writes the history."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.initial = History()
        # On a network that is a set a repeated forward adds nothing; elsewhere each is one more message.
        self._counts_forwards = bounds.network is not Network.LOSSY_DUPLICATING

    def notice(self, pid: int, before: Node, input: ModelInput | Deliver, step: Step) -> Notice | None:
        """Return what matters of a step."""
        after: Node = step.state  # type: ignore[assignment]
        noticed = Notice(
            forbidden=self._is_forbidden(pid, before, input),
            command=input.command if isinstance(input, ClientRequest) else None,
            read=input.request_id if isinstance(input, ReadRequest) else None,
            requests=int(reaches_leader(before, input, ClientRequest, ForwardedRequest)),
            forwards=int(self._counts_forwards and is_forwarded(before, input)),
            read_rounds=int(reaches_leader(before, input, ReadRequest, ReadIndexRequest)),
            heartbeats=int(isinstance(input, HeartbeatTimeout)),
            crashes=int(isinstance(input, Crash | CrashWithin)),
            compactions=int(isinstance(input, Compact)),
            transfers=int(isinstance(input, TransferLeadership)),
            quorum_timeouts=int(isinstance(input, QuorumTimeout)),
            elected=(after.server.current_term, pid) if is_elected(before, after) else None,
            applied=applied_in(before, input, step),
            answered=answered_in(before, step),
        )
        return None if noticed == NOTHING else noticed

    def _is_forbidden(self, pid: int, before: Node, input: ModelInput | Deliver) -> bool:
        """Tell whether the bounds exclude a term, a candidate or a link."""
        bounds = self.bounds
        if isinstance(input, Deliver) and ((pid, input.sender) in bounds.cut or (input.sender, pid) in bounds.cut):
            return True
        if isinstance(input, ElectionTimeout) or (isinstance(input, Deliver) and isinstance(input.message, TimeoutNow)):
            heard = input.message.term if isinstance(input, Deliver) else 0  # type: ignore[attr-defined]
            term = max(before.server.current_term, heard) + 1
            return term > bounds.terms or bounds.candidates.get(term, pid) != pid
        return False

    def update(self, history: History, noticed: Notice) -> History | None:
        """Return the history after a step, None if the step is out of bounds."""
        is_in_order = noticed.command in (None, command(history.requests + 1)) and noticed.read in (
            None,
            len(history.reads) + 1,
        )
        if noticed.forbidden or not is_in_order:
            return None
        spent = self._spend(history, noticed)
        return None if spent is None else record(spent, noticed)

    def _spend(self, history: History, noticed: Notice) -> History | None:
        """Count what is bounded; None if a budget is overdrawn."""
        spent = replace(
            history,
            requests=history.requests + noticed.requests,
            forwards=history.forwards + noticed.forwards,
            read_rounds=history.read_rounds + noticed.read_rounds,
            heartbeats=history.heartbeats + noticed.heartbeats,
            crashes=history.crashes + noticed.crashes,
            compactions=history.compactions + noticed.compactions,
            transfers=history.transfers + noticed.transfers,
            quorum_timeouts=history.quorum_timeouts + noticed.quorum_timeouts,
        )
        bounds = self.bounds
        within = (
            max(spent.requests, spent.forwards) <= bounds.entries
            and spent.read_rounds <= bounds.reads
            and spent.heartbeats <= bounds.heartbeats
            and spent.crashes <= bounds.crashes
            and spent.compactions <= bounds.compactions
            and spent.transfers <= bounds.transfers
            and spent.quorum_timeouts <= bounds.quorum_timeouts
        )
        return spent if within else None


def record(history: History, noticed: Notice) -> History:
    """Return the history with what happened in a step."""
    elected, committed, reads = history.elected, history.committed, history.reads
    if noticed.read is not None:
        reads = (*reads, Read(noticed.read, len(committed)))
    if noticed.elected is not None:
        elected = tuple(sorted({*elected, noticed.elected}))
    for index, entry in noticed.applied:
        if index == len(committed) + 1:
            committed = (*committed, entry)
    for number, index in noticed.answered:
        reads = answered(reads, number, index)
    return replace(history, elected=elected, committed=committed, reads=reads)


def is_elected(before: Node, after: Node) -> bool:
    """Tell whether the server has become the leader of a term."""
    server, was = after.server, before.server
    return server.role is Role.LEADER and (was.role is not Role.LEADER or was.current_term != server.current_term)


def applied_in(before: Node, input: ModelInput | Deliver, step: Step) -> tuple[tuple[int, Committed], ...]:
    """Return the entries that the step applies, by index."""
    outputs = [output for output in step.outputs if isinstance(output, Apply)]
    if not outputs:
        return ()
    term = term_of_step(before, input, step.state)  # type: ignore[arg-type]
    return tuple((output.index, Committed(output.entry, term)) for output in outputs)


def answered_in(before: Node, step: Step) -> tuple[tuple[int, int], ...]:
    """Return the reads that the step answers, and up to which index the server has applied then."""
    ready = [output.request_id for output in step.outputs if isinstance(output, ReadReady)]
    outputs: tuple[Output, ...] = step.outputs  # type: ignore[assignment]
    applied = max([before.server.commit_index, *map(index_reached, outputs)])
    return tuple((request_id, applied) for request_id in ready)


def index_reached(output: Output) -> int:
    """Return the index that the state machine has reached with an output; 0 if that does not concern it."""
    if isinstance(output, Restore):
        return output.snapshot.last_included_index
    return output.index if isinstance(output, Apply) else 0


def reaches_leader(before: Node, input: ModelInput | Deliver, request: type, forwarded: type) -> bool:
    """Tell whether a leader gets a request, from a client or handed on; a repeated message does so once more."""
    asked = isinstance(input, request) or (isinstance(input, Deliver) and isinstance(input.message, forwarded))
    return asked and before.server.role is Role.LEADER


def is_forwarded(before: Node, input: ModelInput | Deliver) -> bool:
    """Tell whether a server hands a client's request on."""
    return isinstance(input, ClientRequest) and before.server.role is not Role.LEADER


def term_of_step(before: Node, input: ModelInput | Deliver, after: Node) -> int:
    """Return the server's term as it carried out the step's outputs, even if it then crashed and forgot it."""
    if before.crash_after is None:
        return after.server.current_term
    if isinstance(input, Deliver):
        message: Message = input.message  # type: ignore[assignment]
        return max(before.server.current_term, message.term) + isinstance(message, TimeoutNow)
    return before.server.current_term + isinstance(input, ElectionTimeout)


def answered(reads: tuple[Read, ...], number: int, commit_index: int) -> tuple[Read, ...]:
    """Return the reads with that one answered, if it was not before: a client takes the first answer."""
    return tuple(
        replace(read, answered_from=commit_index) if read.number == number and read.answered_from is None else read
        for read in reads
    )


def relabel_history(history: History, permutation: Permutation) -> History:
    """Return the history with every server id renamed."""
    elected = tuple(sorted((term, permutation[leader]) for term, leader in history.elected))
    return replace(history, elected=elected)
