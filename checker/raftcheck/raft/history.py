"""The scenario of a Raft model: it keeps the budgets, and remembers what no server can be trusted to."""

from msgspec.structs import replace

from raftcheck.model import Deliver, Network, Step
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.process import Crash, CrashWithin, ModelInput, Node, command
from raftimpl.messages import Entry, ForwardedRequest, Message, ReadIndexRequest
from raftimpl.relabel import Permutation
from raftimpl.state import Role
from raftimpl.step import Apply, ClientRequest, ElectionTimeout, HeartbeatTimeout, ReadReady, ReadRequest
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


class Observer:
    """Allows what the bounds allow, and writes the history."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.initial = History()
        # On a network that is a set a repeated forward adds nothing; elsewhere each is one more message.
        self._counts_forwards = bounds.network is not Network.LOSSY_DUPLICATING

    def observe(
        self, history: History, pid: int, before: Node, input: ModelInput | Deliver, step: Step
    ) -> History | None:
        """Return the history after a step, None if the step is out of bounds."""
        if not self._is_possible(history, pid, before, input):
            return None
        spent = self._spend(history, before, input)
        return None if spent is None else self._record(spent, pid, before, input, step)

    def _is_possible(self, history: History, pid: int, before: Node, input: ModelInput | Deliver) -> bool:
        """Clients number their requests in order; candidates and links are as the bounds say."""
        bounds = self.bounds
        match input:
            case Deliver(sender, _):
                return (pid, sender) not in bounds.cut and (sender, pid) not in bounds.cut
            case ElectionTimeout():
                return bounds.candidates.get(before.server.current_term + 1, pid) == pid
            case ClientRequest(requested):
                return requested == command(history.requests + 1)
            case ReadRequest(number):
                return number == len(history.reads) + 1
            case _:
                return True

    def _spend(self, history: History, before: Node, input: ModelInput | Deliver) -> History | None:
        """Count what is bounded; None if a budget is overdrawn."""
        spent = replace(
            history,
            requests=history.requests + reaches_leader(before, input, ClientRequest, ForwardedRequest),
            forwards=history.forwards + (self._counts_forwards and is_forwarded(before, input)),
            read_rounds=history.read_rounds + reaches_leader(before, input, ReadRequest, ReadIndexRequest),
            heartbeats=history.heartbeats + isinstance(input, HeartbeatTimeout),
            crashes=history.crashes + isinstance(input, Crash | CrashWithin),
        )
        bounds = self.bounds
        within = (
            max(spent.requests, spent.forwards) <= bounds.entries
            and spent.read_rounds <= bounds.reads
            and spent.heartbeats <= bounds.heartbeats
            and spent.crashes <= bounds.crashes
        )
        return spent if within else None

    def _record(self, history: History, pid: int, before: Node, input: ModelInput | Deliver, step: Step) -> History:
        if isinstance(input, ReadRequest):
            began = Read(input.request_id, len(history.committed))
            history = replace(history, reads=(*history.reads, began))
        after: Node = step.state  # type: ignore[assignment]
        server, was = after.server, before.server
        if server.role is Role.LEADER and (was.role is not Role.LEADER or was.current_term != server.current_term):
            elected = tuple(sorted({*history.elected, (server.current_term, pid)}))
            history = replace(history, elected=elected)
        for output in step.outputs:
            if isinstance(output, Apply) and output.index == len(history.committed) + 1:
                committed = Committed(output.entry, term_of_step(before, input, after))
                history = replace(history, committed=(*history.committed, committed))
            elif isinstance(output, ReadReady):
                applied = was.commit_index + sum(isinstance(done, Apply) for done in step.outputs)
                history = replace(history, reads=answered(history.reads, output.request_id, applied))
        return history


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
        return max(before.server.current_term, message.term)
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
