"""What is checked of Raft, by the paper's names; and the witnesses that show that the check is not vacuous."""

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from raftcheck.model import Deliver, Network, Property, Scope, Step, always, always_step, sometimes
from raftcheck.model.properties import Predicate, View
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.history import Committed, History, Read
from raftcheck.raft.process import Crash, CrashWithin, ModelInput, Node
from raftcheck.raft.refinement import refines
from raftcheck.raft.whole_logs import whole
from raftimpl.invariants import INVARIANTS, one_vote_a_term, terms_never_go_back
from raftimpl.log import Entries
from raftimpl.messages import AppendEntries, ForwardedRequest, InstallSnapshot, RequestVote, TimeoutNow
from raftimpl.state import Role, ServerState, durable
from raftimpl.step import HeartbeatTimeout, QuorumTimeout, ReadReady
from raftimpl.step import Step as CoreStep
from raftspec.quorum import majority

Nothing = tuple[None, ...]


def is_leader(node: Node) -> bool:
    """Tell whether the server leads."""
    return node.server.role is Role.LEADER


# What the predicates look at: each is told once for each distinct view, not once for each combination of states


def log_of(node: Node) -> Entries:
    """Return the server's log."""
    return whole(node.server.log)


def log_on_disk(node: Node) -> Entries:
    """Return the log on the server's disk."""
    return whole(node.disk.log)


def applied(node: Node) -> Entries:
    """Return the entries that the server has applied."""
    return whole(node.server.log)[: node.server.commit_index]


def leadership(node: Node) -> tuple[int, Entries] | None:
    """Return a leader's term and log, None for other servers."""
    return (node.server.current_term, whole(node.server.log)) if is_leader(node) else None


def nothing(_: Node) -> None:
    """Return nothing: the predicate looks at the history alone."""


def entries_committed(history: History) -> Entries:
    """Return the entries that were ever committed."""
    return tuple(committed.entry for committed in history.committed)


# Safety: the five properties of the paper's Figure 3


def election_safety(_: Nothing, elected: tuple[tuple[int, int], ...]) -> bool:
    """At most one leader can be elected in a given term."""
    terms = [term for term, _ in elected]
    return len(set(terms)) == len(terms)


def log_matching(a: Entries, b: Entries) -> bool:
    """Logs that have an entry with the same index and term are the same up to that index."""
    pairs = list(zip(a, b, strict=False))
    same_term = [index for index, (x, y) in enumerate(pairs, 1) if x.term == y.term]
    return all(x == y for x, y in pairs[: max(same_term, default=0)])


def leader_completeness(leaders: tuple[tuple[int, Entries] | None, ...], committed: tuple[Committed, ...]) -> bool:
    """An entry committed in a term is in the logs of the leaders of that and all higher terms."""
    return all(
        log[index : index + 1] == (known.entry,)
        for term, log in filter(None, leaders)
        for index, known in enumerate(committed)
        if term >= known.term
    )


def state_machine_safety(applied: tuple[Entries, ...], committed: Entries) -> bool:
    """If any server has ever applied an entry at an index, none applies another entry there."""
    return all(log == committed[: len(log)] for log in applied)


# What users rely on


def applied_entries_are_a_common_prefix(a: Entries, b: Entries) -> bool:
    """Of what two servers have applied, one is a prefix of the other: every server holds the same copy."""
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def acknowledged_writes_are_never_lost(disks: tuple[Entries, ...], committed: Entries) -> bool:
    """An entry that was ever applied is on the disks of a majority, so that no minority can lose it."""
    return all(
        sum(log[index : index + 1] == (entry,) for log in disks) >= majority(len(disks))
        for index, entry in enumerate(committed)
    )


def linearizable_reads(_: Nothing, reads: tuple[Read, ...]) -> bool:
    """A linearizable read sees every write that was acknowledged before it began."""
    return all(read.answered_from is None or read.answered_from >= read.committed_before for read in reads)


def disk_holds_durable_state(node: Node) -> bool:
    """Term, vote and log are on disk as soon as a step is done."""
    return node.disk == durable(node.server)


# Witnesses


class Witness(NamedTuple):
    """A situation that the exploration must have met, and the bounds within which that is possible."""

    property: Property
    possible: Callable[[Bounds], bool]


def committed_everywhere(applied: tuple[Entries, ...], _: None) -> bool:
    """Every server has applied the same entry."""
    return all(applied)


def client_entry_committed_everywhere(applied: tuple[Entries, ...], _: None) -> bool:
    """Every server has applied a client's entry."""
    return all(any(entry.command is not None for entry in log) for log in applied)


def leaders_of_two_terms(_: Nothing, elected: tuple[tuple[int, int], ...]) -> bool:
    """Elections were won in two terms."""
    return len({term for term, _ in elected}) >= 2


def conflicting_suffix_truncated(before: Node, _: ModelInput | Deliver, step: Step) -> bool:
    """A follower has deleted entries that conflict with the leader's."""
    old, new = whole(before.server.log), whole(server_after(step).log)
    return new[: len(old)] != old


def vote_refused_for_stale_log(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A free vote was not given because the candidate's log is behind (section 5.4.1)."""
    if not (isinstance(input, Deliver) and isinstance(input.message, RequestVote)):
        return False
    request, server, after = input.message, before.server, server_after(step)
    is_behind = (request.last_log_term, request.last_log_index) < (server.log.last_term, server.log.last_index)
    return is_behind and request.term == after.current_term and after.voted_for is None


def restart_after_a_vote(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A server that had voted crashed and came back."""
    return isinstance(input, Crash) and before.server.voted_for is not None


def several_entries_appended(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """One AppendEntries brought several new entries."""
    is_append = isinstance(input, Deliver) and isinstance(input.message, AppendEntries)
    return is_append and server_after(step).log.last_index >= before.server.log.last_index + 2


def forwarded_write_appended(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A leader appends what a follower handed on."""
    is_forward = isinstance(input, Deliver) and isinstance(input.message, ForwardedRequest)
    return is_forward and server_after(step).log.last_index > before.server.log.last_index


def follower_answers_read(before: Node, _: ModelInput | Deliver, step: Step) -> bool:
    """A follower answers a linearizable read."""
    return before.server.role is Role.FOLLOWER and any(isinstance(output, ReadReady) for output in step.outputs)


def heartbeat_sent(_: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A leader's heartbeat timer runs out."""
    return isinstance(input, HeartbeatTimeout) and is_leader(step.state)  # type: ignore[arg-type]


def snapshot_installed(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A follower takes over the leader's snapshot."""
    is_offered = isinstance(input, Deliver) and isinstance(input.message, InstallSnapshot)
    return is_offered and server_after(step).log.snapshot != before.server.log.snapshot


def suffix_kept(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A follower takes over the leader's snapshot, and keeps what follows on it in its own log."""
    return snapshot_installed(before, input, step) and bool(server_after(step).log.entries)


def append_from_before_snapshot(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A follower gets entries of its leader that begin before the last that its snapshot stands for."""
    if not (isinstance(input, Deliver) and isinstance(input.message, AppendEntries)):
        return False
    request, server = input.message, before.server
    return request.term == server.current_term and request.prev_log_index < server.log.snapshot.last_included_index


def election_asked_for(_: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A follower starts an election because its leader has asked it to."""
    is_asked = isinstance(input, Deliver) and isinstance(input.message, TimeoutNow)
    return is_asked and server_after(step).role is not Role.FOLLOWER


def leader_stepped_aside(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
    """A leader becomes a follower because it hears of no quorum."""
    return isinstance(input, QuorumTimeout) and is_leader(before) and server_after(step).role is Role.FOLLOWER


def may_install_snapshots(bounds: Bounds) -> bool:
    """Tell whether a follower can be behind a snapshot: others have committed without it, and it is sent one later.

    Where everything arrives in the order of sending the entries come first, unless a leader of a later term sends it.
    """
    is_sent = max(bounds.entries, bounds.reads, bounds.heartbeats, bounds.transfers) > 0 or bounds.terms >= 2
    in_order = bounds.network is Network.ORDERED and not bounds.lossy
    return bounds.compactions >= 1 and bounds.servers >= 3 and is_sent and (bounds.terms >= 2 or not in_order)


def read_answered(_: Nothing, reads: tuple[Read, ...]) -> bool:
    """A linearizable read was answered, after a write was acknowledged."""
    return any(read.answered_from is not None and read.committed_before > 0 for read in reads)


def server_after(step: Step) -> ServerState:
    """Return the server's state after a step of the model."""
    node: Node = step.state  # type: ignore[assignment]
    return node.server


def no_history(_: History) -> None:
    """Return nothing: the predicate looks at the servers alone."""


def seen_in(name: str, predicate: Predicate, view: View, ghost_view: View) -> Property:
    """Return a witness over all servers and the history."""
    return sometimes(name, predicate, "cluster", view=view, ghost_view=ghost_view)


WITNESSES = (
    Witness(sometimes("A leader is elected", is_leader), lambda _: True),
    Witness(seen_in("An entry is committed everywhere", committed_everywhere, applied, no_history), lambda _: True),
    Witness(
        seen_in("A client entry is committed everywhere", client_entry_committed_everywhere, applied, no_history),
        lambda bounds: bounds.entries >= 1,
    ),
    Witness(
        seen_in("Leaders of two terms", leaders_of_two_terms, nothing, attrgetter("elected")),
        lambda bounds: bounds.terms >= 2 and (bounds.servers > 1 or bounds.crashes > 0),
    ),
    Witness(
        sometimes("A conflicting suffix is truncated", conflicting_suffix_truncated, "step", symmetric=True),
        lambda bounds: bounds.terms >= 2 and bounds.servers >= 3,
    ),
    Witness(
        sometimes("A vote is refused for a stale log", vote_refused_for_stale_log, "step", symmetric=True),
        lambda bounds: bounds.terms >= 2 and bounds.servers >= 2,
    ),
    Witness(
        sometimes("Several entries arrive in one message", several_entries_appended, "step", symmetric=True),
        # Without loss and reordering the first entry always arrives before the second is sent with it.
        lambda bounds: (
            bounds.entries >= 1
            and bounds.servers >= 2
            and bounds.batch >= 2
            and (bounds.lossy or bounds.network is not Network.ORDERED)
        ),
    ),
    Witness(
        sometimes("A server restarts after a vote", restart_after_a_vote, "step", symmetric=True),
        lambda bounds: bounds.crashes >= 1,
    ),
    Witness(
        seen_in("A linearizable read is answered", read_answered, nothing, attrgetter("reads")),
        lambda bounds: bounds.reads >= 1,
    ),
    Witness(
        sometimes("A forwarded write is appended", forwarded_write_appended, "step", symmetric=True),
        lambda bounds: bounds.forwarding and bounds.entries >= 1 and bounds.servers >= 2,
    ),
    Witness(
        sometimes("A follower answers a linearizable read", follower_answers_read, "step", symmetric=True),
        lambda bounds: bounds.forwarding and bounds.reads >= 1 and bounds.servers >= 2,
    ),
    Witness(
        sometimes("A leader sends heartbeats", heartbeat_sent, "step", symmetric=True),
        lambda bounds: bounds.heartbeats >= 1,
    ),
    Witness(sometimes("A snapshot is installed", snapshot_installed, "step", symmetric=True), may_install_snapshots),
    Witness(
        sometimes("A suffix survives an installed snapshot", suffix_kept, "step", symmetric=True),
        lambda bounds: (
            may_install_snapshots(bounds)
            and bounds.entries >= 1
            and bounds.batch >= 2
            and (bounds.lossy or bounds.network is not Network.ORDERED)
        ),
    ),
    Witness(
        sometimes("AppendEntries reaches back behind a snapshot", append_from_before_snapshot, "step", symmetric=True),
        # Repeated messages do. Without them that takes several that are under way at the same time.
        lambda bounds: bounds.compactions >= 1 and bounds.servers >= 2 and bounds.network is Network.LOSSY_DUPLICATING,
    ),
    Witness(
        sometimes("An election is started for the leader", election_asked_for, "step", symmetric=True),
        lambda bounds: bounds.transfers >= 1 and bounds.servers >= 2 and bounds.terms >= 2,
    ),
    Witness(
        sometimes("A leader steps aside", leader_stepped_aside, "step", symmetric=True),
        lambda bounds: bounds.quorum_timeouts >= 1,
    ),
)


# The list


def core_invariant(name: str, holds: Callable[[ServerState, CoreStep], bool], also_across_crashes: bool) -> Property:
    """Return an invariant of the core's steps as a property of the model's."""

    def predicate(before: Node, input: ModelInput | Deliver, step: Step) -> bool:
        if server_after(step) is before.server and not step.outputs:
            return True  # nothing happened, so nothing broke
        if isinstance(input, Crash | CrashWithin) and not also_across_crashes:
            return True
        if before.crash_after is not None and not also_across_crashes:
            return True
        return holds(before.server, CoreStep(server_after(step), step.outputs))  # type: ignore[arg-type]

    return always_step(name, predicate, source=summary(holds), symmetric=True)


def summary(function: Callable[..., bool]) -> str:
    """Return the first line of a docstring."""
    return (function.__doc__ or "").splitlines()[0]


def claim(
    name: str, predicate: Predicate, over: Scope, view: View | None = None, ghost_view: View | None = None
) -> Property:
    """Return a safety property, with the first line of the predicate's docstring as its source."""
    return always(name, predicate, over, source=summary(predicate), view=view, ghost_view=ghost_view)


ACROSS_CRASHES = (terms_never_go_back, one_vote_a_term)

SAFETY_WITHOUT_SPECIFICATION = (
    claim("Election Safety", election_safety, "cluster", nothing, attrgetter("elected")),
    claim("Log Matching", log_matching, "pair", log_of),
    claim("Leader Completeness", leader_completeness, "cluster", leadership, attrgetter("committed")),
    claim("State Machine Safety", state_machine_safety, "cluster", applied, entries_committed),
    claim("Applied Entries Are a Common Prefix", applied_entries_are_a_common_prefix, "pair", applied),
    claim(
        "Acknowledged Writes Are Never Lost",
        acknowledged_writes_are_never_lost,
        "cluster",
        log_on_disk,
        entries_committed,
    ),
    claim("Linearizable Reads", linearizable_reads, "cluster", nothing, attrgetter("reads")),
    claim("Disk Holds Durable State", disk_holds_durable_state, "process"),
    *(core_invariant(name, holds, holds in ACROSS_CRASHES) for name, holds in INVARIANTS.items()),
)


def safety(servers: int) -> tuple[Property, ...]:
    """Return the safety properties of a cluster: what users rely on, then that every step is the specification's.

    Of several that a step breaks the first is reported.
    """
    return (*SAFETY_WITHOUT_SPECIFICATION, refines(servers))


SAFETY = safety(Bounds().servers)
"""The safety properties of a cluster of the default size."""


def raft_properties(bounds: Bounds) -> tuple[Property, ...]:
    """Return everything that can be checked within these bounds: safety properties and possible witnesses.

    Without reads nothing could violate Linearizable Reads, so it is not claimed then.
    """
    claims = (p for p in safety(bounds.servers) if bounds.reads or p.judge is not linearizable_reads)
    return tuple(claims) + tuple(witness.property for witness in WITNESSES if witness.possible(bounds))
