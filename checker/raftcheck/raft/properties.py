"""What is checked of Raft, by the paper's names; and the witnesses that show that the check is not vacuous."""

from collections.abc import Callable
from typing import NamedTuple

from raftcheck.model import Deliver, Network, Property, Step, always, always_step, sometimes
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.history import History
from raftcheck.raft.process import Crash, CrashWithin, ModelInput, Node
from raftimpl.invariants import INVARIANTS, one_vote_a_term, terms_never_go_back
from raftimpl.log import last_index, last_term
from raftimpl.messages import AppendEntries, ForwardedRequest, RequestVote
from raftimpl.state import Role, ServerState, durable
from raftimpl.step import HeartbeatTimeout, ReadReady
from raftimpl.step import Step as CoreStep
from raftspec.quorum import majority

Nodes = tuple[Node, ...]


def is_leader(node: Node) -> bool:
    """Tell whether the server leads."""
    return node.server.role is Role.LEADER


# Safety: the five properties of the paper's Figure 3


def election_safety(_: Nodes, history: History) -> bool:
    """At most one leader can be elected in a given term."""
    terms = [term for term, _ in history.elected]
    return len(set(terms)) == len(terms)


def log_matching(a: Node, b: Node) -> bool:
    """Logs that have an entry with the same index and term are the same up to that index."""
    pairs = list(zip(a.server.log, b.server.log, strict=False))
    same_term = [index for index, (x, y) in enumerate(pairs, 1) if x.term == y.term]
    return all(x == y for x, y in pairs[: max(same_term, default=0)])


def leader_completeness(nodes: Nodes, history: History) -> bool:
    """An entry committed in a term is in the logs of the leaders of that and all higher terms."""
    return all(
        node.server.log[index : index + 1] == (committed.entry,)
        for node in nodes
        if is_leader(node)
        for index, committed in enumerate(history.committed)
        if node.server.current_term >= committed.term
    )


def state_machine_safety(nodes: Nodes, history: History) -> bool:
    """If any server has ever applied an entry at an index, none applies another entry there."""
    entries = tuple(committed.entry for committed in history.committed)
    return all(applied(node) == entries[: len(applied(node))] for node in nodes)


# What users rely on


def applied_entries_are_a_common_prefix(a: Node, b: Node) -> bool:
    """Of what two servers have applied, one is a prefix of the other: every server holds the same copy."""
    shorter = min(len(applied(a)), len(applied(b)))
    return applied(a)[:shorter] == applied(b)[:shorter]


def acknowledged_writes_are_never_lost(nodes: Nodes, history: History) -> bool:
    """An entry that was ever applied is on the disks of a majority, so that no minority can lose it."""
    return all(
        sum(node.disk.log[index : index + 1] == (committed.entry,) for node in nodes) >= majority(len(nodes))
        for index, committed in enumerate(history.committed)
    )


def linearizable_reads(_: Nodes, history: History) -> bool:
    """A linearizable read sees every write that was acknowledged before it began."""
    return all(read.answered_from is None or read.answered_from >= read.committed_before for read in history.reads)


def disk_holds_durable_state(node: Node) -> bool:
    """Term, vote and log are on disk as soon as a step is done."""
    return node.disk == durable(node.server)


def applied(node: Node) -> tuple[object, ...]:
    """Return the entries that the server has applied."""
    return node.server.log[: node.server.commit_index]


# Witnesses


class Witness(NamedTuple):
    """A situation that the exploration must have met, and the bounds within which that is possible."""

    property: Property
    possible: Callable[[Bounds], bool]


def committed_everywhere(nodes: Nodes, history: History) -> bool:
    """Every server has applied the same entry."""
    return all(node.server.commit_index >= 1 for node in nodes)


def client_entry_committed_everywhere(nodes: Nodes, history: History) -> bool:
    """Every server has applied a client's entry."""
    return all(
        any(entry.command is not None for entry in node.server.log[: node.server.commit_index]) for node in nodes
    )


def leaders_of_two_terms(_: Nodes, history: History) -> bool:
    """Elections were won in two terms."""
    return len({term for term, _ in history.elected}) >= 2


def conflicting_suffix_truncated(before: Node, _: ModelInput | Deliver, step: Step) -> bool:
    """A follower has deleted entries that conflict with the leader's."""
    old, new = before.server.log, server_after(step).log
    return new[: len(old)] != old


def vote_refused_for_stale_log(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A free vote was not given because the candidate's log is behind (section 5.4.1)."""
    if not (isinstance(input, Deliver) and isinstance(input.message, RequestVote)):
        return False
    request, server, after = input.message, before.server, server_after(step)
    is_behind = (request.last_log_term, request.last_log_index) < (last_term(server.log), last_index(server.log))
    return is_behind and request.term == after.current_term and after.voted_for is None


def restart_after_a_vote(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A server that had voted crashed and came back."""
    return isinstance(input, Crash) and before.server.voted_for is not None


def several_entries_appended(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """One AppendEntries brought several new entries."""
    is_append = isinstance(input, Deliver) and isinstance(input.message, AppendEntries)
    return is_append and len(server_after(step).log) >= len(before.server.log) + 2


def forwarded_write_appended(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A leader appends what a follower handed on."""
    is_forward = isinstance(input, Deliver) and isinstance(input.message, ForwardedRequest)
    return is_forward and len(server_after(step).log) > len(before.server.log)


def follower_answers_read(before: Node, _: ModelInput | Deliver, step: Step) -> bool:
    """A follower answers a linearizable read."""
    return before.server.role is Role.FOLLOWER and any(isinstance(output, ReadReady) for output in step.outputs)


def heartbeat_sent(_: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A leader's heartbeat timer runs out."""
    return isinstance(input, HeartbeatTimeout) and is_leader(step.state)  # type: ignore[arg-type]


def read_answered(_: Nodes, history: History) -> bool:
    """A linearizable read was answered, after a write was acknowledged."""
    return any(read.answered_from is not None and read.committed_before > 0 for read in history.reads)


def server_after(step: Step) -> ServerState:
    """Return the server's state after a step of the model."""
    node: Node = step.state  # type: ignore[assignment]
    return node.server


WITNESSES = (
    Witness(sometimes("A leader is elected", is_leader), lambda _: True),
    Witness(sometimes("An entry is committed everywhere", committed_everywhere, "cluster"), lambda _: True),
    Witness(
        sometimes("A client entry is committed everywhere", client_entry_committed_everywhere, "cluster"),
        lambda bounds: bounds.entries >= 1,
    ),
    Witness(
        sometimes("Leaders of two terms", leaders_of_two_terms, "cluster"),
        lambda bounds: bounds.terms >= 2 and (bounds.servers > 1 or bounds.crashes > 0),
    ),
    Witness(
        sometimes("A conflicting suffix is truncated", conflicting_suffix_truncated, "step"),
        lambda bounds: bounds.terms >= 2 and bounds.servers >= 3,
    ),
    Witness(
        sometimes("A vote is refused for a stale log", vote_refused_for_stale_log, "step"),
        lambda bounds: bounds.terms >= 2 and bounds.servers >= 2,
    ),
    Witness(
        sometimes("Several entries arrive in one message", several_entries_appended, "step"),
        # Without loss and reordering the first entry always arrives before the second is sent with it.
        lambda bounds: (
            bounds.entries >= 1
            and bounds.servers >= 2
            and bounds.batch >= 2
            and (bounds.lossy or bounds.network is not Network.ORDERED)
        ),
    ),
    Witness(
        sometimes("A server restarts after a vote", restart_after_a_vote, "step"),
        lambda bounds: bounds.crashes >= 1,
    ),
    Witness(
        sometimes("A linearizable read is answered", read_answered, "cluster"),
        lambda bounds: bounds.reads >= 1,
    ),
    Witness(
        sometimes("A forwarded write is appended", forwarded_write_appended, "step"),
        lambda bounds: bounds.forwarding and bounds.entries >= 1 and bounds.servers >= 2,
    ),
    Witness(
        sometimes("A follower answers a linearizable read", follower_answers_read, "step"),
        lambda bounds: bounds.forwarding and bounds.reads >= 1 and bounds.servers >= 2,
    ),
    Witness(sometimes("A leader sends heartbeats", heartbeat_sent, "step"), lambda bounds: bounds.heartbeats >= 1),
)


# The list


def core_invariant(name: str, holds: Callable[[ServerState, CoreStep], bool], also_across_crashes: bool) -> Property:
    """Return an invariant of the core's steps as a property of the model's."""

    def predicate(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
        if isinstance(input, Crash | CrashWithin) and not also_across_crashes:
            return True
        if before.crash_after is not None and not also_across_crashes:
            return True
        return holds(before.server, CoreStep(server_after(step), step.outputs))  # type: ignore[arg-type]

    return always_step(name, predicate, source=summary(holds))


def summary(function: Callable[..., bool]) -> str:
    """Return the first line of a docstring."""
    return (function.__doc__ or "").splitlines()[0]


def _always(name: str, predicate: Callable[..., bool], over: str) -> Property:
    return always(name, predicate, over, source=summary(predicate))  # type: ignore[arg-type]


ACROSS_CRASHES = (terms_never_go_back, one_vote_a_term)

SAFETY = (
    _always("Election Safety", election_safety, "cluster"),
    _always("Log Matching", log_matching, "pair"),
    _always("Leader Completeness", leader_completeness, "cluster"),
    _always("State Machine Safety", state_machine_safety, "cluster"),
    _always("Applied Entries Are a Common Prefix", applied_entries_are_a_common_prefix, "pair"),
    _always("Acknowledged Writes Are Never Lost", acknowledged_writes_are_never_lost, "cluster"),
    _always("Linearizable Reads", linearizable_reads, "cluster"),
    _always("Disk Holds Durable State", disk_holds_durable_state, "process"),
    *(core_invariant(name, holds, holds in ACROSS_CRASHES) for name, holds in INVARIANTS.items()),
)


def raft_properties(bounds: Bounds) -> tuple[Property, ...]:
    """Return everything that can be checked within these bounds: safety properties and possible witnesses.

    Without reads nothing could violate Linearizable Reads, so it is not claimed then.
    """
    safety = tuple(claim for claim in SAFETY if bounds.reads or claim.predicate is not linearizable_reads)
    return safety + tuple(witness.property for witness in WITNESSES if witness.possible(bounds))
