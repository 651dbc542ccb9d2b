"""Compaction at any point changes nothing that others can observe, but that InstallSnapshot comes for AppendEntries.

Two clusters go through the same schedule. One compacts its logs now and then; the other never does, and gets in place
of each message what that message says of whole logs.
"""

from collections.abc import Callable
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from raftcheck.raft.abstraction import as_append_entries
from raftcheck.raft.whole_logs import entries_in, saved, whole
from raftimpl import messages as m
from raftimpl.cluster import cluster_of
from raftimpl.invariants import require_invariants
from raftimpl.log import Entries, Log
from raftimpl.raft import step
from raftimpl.rules import Rules, persisted
from raftimpl.state import DurableState, ServerState, durable
from raftimpl.step import (
    Apply,
    ClientRequest,
    Compact,
    ElectionTimeout,
    HeartbeatTimeout,
    Persist,
    QuorumTimeout,
    ReadRequest,
    Receive,
    Restore,
    Send,
    Step,
    TransferLeadership,
)
from tests.impl import strategies as s

RULES = Rules()

# One log


@given(s.entries(), st.integers(0, 5), st.integers(0, 5), st.integers(0, 4))
def test_a_compacted_log_answers_as_the_whole_one_does(log: Entries, first: int, second: int, term: int) -> None:
    first, second = sorted((min(first, len(log)), min(second, len(log))))
    compact = s.compacted(log, first)
    if second > first:
        compact = compact.begun_by(s.snapshot_of(log, second))
    plain = Log(log)
    assert compact == s.compacted(log, second)
    assert whole(compact) == log
    assert (compact.last_index, compact.last_term) == (plain.last_index, plain.last_term)
    for index in range(second, len(log) + 3):
        assert compact.has_entry(index, term) == plain.has_entry(index, term)
        assert compact.after(index, 2) == plain.after(index, 2)
        assert whole(compact.up_to(index)) == log[:index]
        assert compact.last_index_of_term(term, index) in {plain.last_index_of_term(term, index), None}
    assert whole(compact.extended((m.Entry(9),))) == (*log, m.Entry(9))


@given(s.entries(), s.append_entries(), st.integers(0, 5))
def test_a_compacted_log_takes_the_same_entries(log: Entries, request: m.AppendEntries, index: int) -> None:
    index = min(index, len(log))
    state = ServerState(0, current_term=request.term, log=s.compacted(log, index))
    assume(not s.contradicts_snapshot(state, request))
    prev = request.prev_log_index
    matches = RULES.log_matches(Log(log), prev, request.prev_log_term)
    assert RULES.log_matches(state.log, prev, request.prev_log_term) == matches
    if matches:
        merged = RULES.merged_log(Log(log), prev, request.entries)
        assert whole(RULES.merged_log(state.log, prev, request.entries)) == merged.entries


# A cluster

SERVERS = 3
CLUSTER = cluster_of(SERVERS, max_append_entries=2)


class Twins:
    """A cluster that compacts, and one that does not; `carried` counts what came about between them."""

    def __init__(self) -> None:
        self.compacting = [CLUSTER.start(server) for server in range(SERVERS)]
        self.plain = [CLUSTER.start(server) for server in range(SERVERS)]
        self.disks = [DurableState() for _ in range(SERVERS)]
        self.under_way: list[tuple[int, int, Any]] = []
        self.carried = 0

    def take(self, server: int, input: Any, plain_input: Any = None) -> None:
        """Take a step on both, and compare."""
        before, plain_before = self.compacting[server], self.plain[server]
        taken = step(CLUSTER, before, input)
        plainly = step(CLUSTER, plain_before, plain_input or input)
        require_invariants(before, taken)
        require_invariants(plain_before, plainly)
        assert in_plain_words(taken.state) == in_plain_words(plainly.state)
        assert applied(before, taken) == applied(plain_before, plainly)
        assert rest_of(taken) == rest_of(plainly)
        sent, plainly_sent = sends(taken), sends(plainly)
        assert [to for to, _ in sent] == [to for to, _ in plainly_sent]
        for (_, message), (_, plain) in zip(sent, plainly_sent, strict=True):
            assert_says_the_same(message, plain, plainly.state)
        self.compacting[server], self.plain[server] = taken.state, plainly.state
        for output in taken.outputs:
            if isinstance(output, Persist):
                self.disks[server] = persisted(self.disks[server], output)
        assert self.disks[server] == durable(taken.state)
        self.under_way += [(server, to, message) for to, message in sent]

    def deliver(self, position: int, keep: bool = False) -> None:
        if self.under_way:
            position %= len(self.under_way)
            sender, to, message = self.under_way[position] if keep else self.under_way.pop(position)
            is_snapshot = isinstance(message, m.InstallSnapshot)
            self.carried += is_snapshot
            plain = as_append_entries(message) if is_snapshot else message
            self.take(to, Receive(sender, message), Receive(sender, plain))

    def compact(self, server: int, index: int) -> None:
        state = self.compacting[server]
        index = min(index, state.commit_index)
        taken = step(CLUSTER, state, Compact(index, saved(whole(state.log)[:index])))
        require_invariants(state, taken)
        assert not sends(taken)
        assert in_plain_words(taken.state) == in_plain_words(state)
        self.compacting[server] = taken.state
        for output in taken.outputs:
            assert isinstance(output, Persist)
            self.disks[server] = persisted(self.disks[server], output)

    def crash(self, server: int) -> None:
        """Restart both; the one without a snapshot is told what the other's stands for."""
        self.compacting[server] = CLUSTER.start(server, self.disks[server])
        restarted = CLUSTER.start(server, durable(self.plain[server]))
        self.plain[server] = replace(restarted, commit_index=self.compacting[server].commit_index)


def in_plain_words(state: ServerState) -> ServerState:
    """A server without what compaction may change: how the log is kept, and where a leader tries next."""
    return replace(state, log=Log(whole(state.log)), next_index=())


def applied(before: ServerState, taken: Step) -> Entries:
    """What the state machine goes through in a step."""
    entries: Entries = ()
    for output in taken.outputs:
        if isinstance(output, Restore):
            entries = entries_in(output.snapshot.content)[before.commit_index :]
        elif isinstance(output, Apply):
            assert output.index == before.commit_index + len(entries) + 1
            entries += (output.entry,)
    return entries


def rest_of(taken: Step) -> list[Any]:
    """The outputs that must be the same."""
    return [output for output in taken.outputs if not isinstance(output, Apply | Restore | Persist | Send)]


def sends(taken: Step) -> list[tuple[int, Any]]:
    return [(output.to, output.message) for output in taken.outputs if isinstance(output, Send)]


def assert_says_the_same(message: Any, plain: Any, leader: ServerState) -> None:
    """A leader may begin elsewhere, but says nothing that is not in its log; a refusal may hint at another index."""
    if isinstance(plain, m.AppendEntries):
        append = as_append_entries(message)
        prev, log = append.prev_log_index, leader.log.entries
        assert append.entries == log[prev : prev + len(append.entries)]
        assert append.prev_log_term == (log[prev - 1].term if prev else 0)
        assert append.leader_commit <= leader.commit_index
        assert (append.term, message.read_round) == (plain.term, plain.read_round)
    elif isinstance(plain, m.AppendEntriesResponse):
        assert replace(message, conflict_index=0, conflict_term=0) == replace(plain, conflict_index=0, conflict_term=0)
    else:
        assert message == plain


ACTIONS = st.one_of(
    st.tuples(st.just("elect"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("write"), st.integers(0, 2), st.integers(0, 9)),
    st.tuples(st.sampled_from(["settle", "settle", "settle"]), st.integers(0, 3), st.just(0)),
    st.tuples(st.just("compact"), st.integers(0, 2), st.integers(1, 12)),
    st.tuples(st.sampled_from(["deliver", "deliver", "repeat", "lose"]), st.integers(0, 99), st.just(0)),
    st.tuples(st.sampled_from(["heartbeat", "read", "crash", "aside"]), st.integers(0, 2), st.integers(1, 99)),
    st.tuples(st.just("transfer"), st.integers(0, 2), st.integers(0, 2)),
)
"""What happens; settle without the server named, 3 for none."""


INPUTS: dict[str, Callable[[int], Any]] = {
    "elect": lambda _: ElectionTimeout(),
    "write": lambda number: ClientRequest(b"w%d" % number),
    "heartbeat": lambda _: HeartbeatTimeout(),
    "read": ReadRequest,
    "aside": lambda _: QuorumTimeout(),
    "transfer": TransferLeadership,
}


def act(twins: Twins, action: str, one: int, other: int) -> None:
    match action:
        case "settle":
            settle(twins, one)
        case "compact":
            twins.compact(one, other)
        case "deliver" | "repeat":
            twins.deliver(one, keep=action == "repeat")
        case "lose":
            del twins.under_way[:1]
        case "crash":
            twins.crash(one)
        case _:
            twins.take(one, INPUTS[action](other))
    if action == "elect":
        settle(twins, other if other != one else 3)


def settle(twins: Twins, without: int) -> None:
    """Deliver everything, oldest first; what goes to or comes from one server stays under way."""
    for _ in range(200):
        position = next((i for i, (a, b, _) in enumerate(twins.under_way) if without not in (a, b)), None)
        if position is None:
            return
        twins.deliver(position)


@settings(max_examples=300)
@given(st.lists(ACTIONS, min_size=10, max_size=50))
def test_a_cluster_that_compacts_does_what_one_does_that_does_not(actions: list[tuple[str, int, int]]) -> None:
    twins = Twins()
    for action in [("elect", 0, 3), *actions]:
        act(twins, *action)


def test_a_snapshot_is_sent_in_such_a_schedule() -> None:
    twins = Twins()
    schedule = [
        ("elect", 0, 3), ("write", 0, 1), ("settle", 2, 0), ("compact", 0, 2), ("heartbeat", 0, 1), ("settle", 3, 0),
        ("compact", 2, 1), ("write", 0, 2), ("settle", 2, 0), ("compact", 1, 3), ("transfer", 0, 1), ("settle", 2, 0),
        ("write", 1, 3), ("settle", 3, 0), ("read", 1, 1), ("settle", 3, 0),
    ]  # fmt: skip
    for action in schedule:
        act(twins, *action)
    assert twins.carried >= 1
    assert len({whole(state.log) for state in twins.compacting}) == 1
    assert {state.commit_index for state in twins.compacting} == {5}


def test_what_a_log_no_longer_has_is_not_made_up() -> None:
    log = s.compacted((m.Entry(1), m.Entry(2), m.Entry(2)), 2)
    for ask in (log.entry_at, log.term_at):
        for index in (1, 4):
            try:
                ask(index)
            except IndexError:
                continue
            raise AssertionError(index)
