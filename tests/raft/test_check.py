"""The implementation, explored."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftcheck import Deliver, ModelError, Network, assert_holds, explore
from raftcheck.explore.monitor import Monitor
from raftcheck.explore.semantics import Semantics
from raftcheck.raft import SAFETY, Bounds, raft_properties, raft_system, safety
from raftcheck.raft.build import relabel_raft
from raftcheck.raft.properties import WITNESSES
from raftimpl.messages import RequestVoteResponse

ALL_THREE = Bounds(servers=2, terms=2, entries=0, compactions=1, transfers=1, quorum_timeouts=1)

COUNTS: list[tuple[Bounds, int, int, int, int, int]] = [
    # bounds; states and transitions in reference mode; combinations of servers and history in every mode;
    # states kept in covering mode, with and without symmetry
    (Bounds(servers=1, terms=1), 3, 2, 3, 3, 3),
    (Bounds(servers=2, terms=1), 52, 72, 34, 22, 42),
    (Bounds(servers=2, terms=2), 2_028, 5_490, 249, 225, 259),
    (Bounds(servers=2, terms=2, crashes=1), 9_498, 30_978, 1_134, 646, 1_286),
    (Bounds(servers=2, terms=2, entries=0, reads=1), 1_780, 4_774, 255, 175, 257),
    (Bounds(servers=2, terms=1, entries=2, forwarding=True), 1_194, 2_312, 112, 117, 232),
    (Bounds(servers=2, terms=2, entries=0, heartbeats=1), 584, 1_398, 133, 93, 183),
    (Bounds(servers=3, terms=1), 11_813, 37_080, 2_273, 452, 2_648),
    (Bounds(servers=1, terms=2, crashes=1, compactions=2), 36, 46, 36, 36, 36),
    (Bounds(servers=2, terms=1, compactions=1), 132, 224, 70, 50, 98),
    (Bounds(servers=2, terms=2, entries=0, crashes=1, compactions=1), 2_850, 8_364, 614, 322, 638),
    (Bounds(servers=2, terms=2, entries=0, transfers=1), 784, 1_808, 133, 97, 191),
    (Bounds(servers=2, terms=2, entries=0, quorum_timeouts=1), 872, 1_952, 203, 132, 205),
    (ALL_THREE, 6_122, 18_440, 845, 425, 847),
    (Bounds(servers=3, terms=1, entries=0, compactions=1, heartbeats=1), 2_663, 6_696, 1_643, 285, 1_658),
    (Bounds(servers=3, terms=1, entries=0, compactions=1, transfers=1), 3_533, 9_426, 1_643, 285, 1_658),
    (Bounds(servers=3, terms=1, entries=0, transfers=1, quorum_timeouts=1), 1_943, 5_094, 983, 251, 983),
]
"""A change of these numbers is a change of the implementation's behaviour: look at it before you write it here."""


@pytest.mark.parametrize("row", COUNTS, ids=lambda row: row[0].in_words()[:70])
def test_pinned_counts(row: tuple[Bounds, int, int, int, int, int]) -> None:
    bounds, states, transitions, tuples, symmetric, kept = row
    reference = explore(raft_system(bounds), safety(bounds.servers), mode="reference")
    assert (reference.verdict, reference.complete) == ("holds", True)
    assert (reference.states, reference.transitions, reference.local_tuples) == (states, transitions, tuples)
    for symmetry in (True, False):
        exact = explore(raft_system(bounds), safety(bounds.servers), mode="exact", symmetry=symmetry)
        assert (exact.verdict, exact.all_states, exact.local_tuples) == ("holds", states, tuples)
    for symmetry, count in ((True, symmetric), (False, kept)):
        covering = explore(raft_system(bounds), safety(bounds.servers), mode="covering", symmetry=symmetry)
        assert (covering.verdict, covering.local_tuples, covering.states) == ("holds", tuples, count)


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(servers=3, terms=2, entries=0, crashes=1),
        Bounds(servers=3, terms=1, entries=1, reads=1),
        Bounds(servers=2, terms=2, entries=1, crashes=1, torn_steps=True),
        Bounds(servers=4, terms=1, entries=0),
        Bounds(servers=2, terms=2, entries=1, reads=1, forwarding=True),
        Bounds(servers=3, terms=1, entries=0, heartbeats=1),
        Bounds(servers=3, terms=2, entries=0, compactions=1, transfers=1, quorum_timeouts=1),
        Bounds(servers=3, terms=1, entries=1, crashes=1, compactions=1),
        Bounds(servers=2, terms=2, entries=1, crashes=1, compactions=1, torn_steps=True),
        Bounds(servers=2, terms=2, entries=1, reads=1, compactions=1, transfers=1, forwarding=True),
    ],
    ids=lambda bounds: bounds.in_words()[:60],
)
def test_every_property_holds_and_every_witness_is_found(bounds: Bounds) -> None:
    result = explore(raft_system(bounds), raft_properties(bounds))
    assert_holds(result)
    names = {checked.name for checked in result.properties}
    assert {claim.name for claim in SAFETY} - names == (set() if bounds.reads else {"Linearizable Reads"})


@pytest.mark.parametrize("network", [Network.UNORDERED, Network.ORDERED])
@pytest.mark.parametrize("lossy", [True, False])
def test_other_networks(network: Network, lossy: bool) -> None:
    bounds = Bounds(servers=2, terms=2, entries=1, network=network, lossy=lossy)
    assert_holds(explore(raft_system(bounds), raft_properties(bounds), mode="exact"))
    bounds = replace(ALL_THREE, network=network, lossy=lossy)
    assert_holds(explore(raft_system(bounds), raft_properties(bounds), mode="exact"))
    bounds = Bounds(servers=2, terms=1, entries=1, forwarding=True, network=network, lossy=lossy)
    assert_holds(explore(raft_system(bounds), raft_properties(bounds), mode="exact"))


@pytest.mark.parametrize("witness", WITNESSES, ids=lambda witness: witness.property.name)
def test_every_witness_is_found_where_it_is_expected(witness: Any) -> None:
    candidates = [
        Bounds(servers=servers, terms=terms, entries=entries, crashes=crashes, reads=reads)
        for servers in (1, 2)
        for terms in (1, 2)
        for entries in (0, 1)
        for crashes in (0, 1)
        for reads in (0, 1)
        if (servers, crashes + reads) != (2, 2)
    ]
    candidates += [
        Bounds(servers=3, terms=2, entries=0),
        Bounds(servers=1, terms=1, compactions=1, transfers=1, quorum_timeouts=1),
        Bounds(servers=2, terms=2, compactions=1, transfers=1, quorum_timeouts=1),
        Bounds(servers=2, terms=1, entries=0, transfers=1, compactions=1, network=Network.UNORDERED),
        Bounds(servers=3, terms=1, entries=0, compactions=1),
        Bounds(servers=3, terms=1, entries=0, compactions=1, transfers=1),
        Bounds(servers=3, terms=1, entries=1, compactions=1, network=Network.ORDERED, lossy=False),
        Bounds(servers=3, terms=1, entries=1, compactions=1),
        Bounds(servers=3, terms=2, entries=0, compactions=1),
        Bounds(servers=2, terms=1, entries=1, reads=1, heartbeats=1, forwarding=True),
    ]
    assert any(witness.possible(bounds) for bounds in candidates)
    for bounds in candidates:
        if witness.possible(bounds):
            mode: Any = "covering" if bounds.network is Network.LOSSY_DUPLICATING else "exact"
            assert_holds(explore(raft_system(bounds), [witness.property], mode=mode))


def test_messages_are_delivered_only_where_the_links_are_not_cut() -> None:
    bounds = Bounds(servers=3, terms=1, entries=0, cut=((0, 1), (2, 0)))
    never = [p for p in raft_properties(bounds) if p.name == "A leader is elected"]
    assert explore(raft_system(bounds), never).verdict == "holds"  # s1 and s2 still can
    bounds = Bounds(servers=3, terms=1, entries=0, cut=((0, 1), (2, 0), (1, 2)))
    assert explore(raft_system(bounds), never).verdict == "vacuous"


def test_only_candidates_start_elections() -> None:
    bounds = Bounds(servers=3, terms=2, entries=0, candidates={1: 2, 2: 0})
    semantics = Semantics(raft_system(bounds))
    [first] = list(semantics.successors(semantics.initial()))
    assert first.event.pid == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"servers": 0}, "servers must be from 1 to 9, not 0"),
        ({"servers": 10}, "servers must be from 1 to 9"),
        ({"terms": 0}, "terms must be from 1"),
        ({"entries": -1}, "entries must be from 0"),
        ({"batch": 0}, "batch must be from 1"),
        ({"candidates": {1: 3}}, "there is no server 3 in a cluster of 3"),
        ({"torn_steps": True}, "steps are torn by crashes, of which there are none"),
        ({"cut": ((0, 5),)}, "there is no server 5"),
    ],
)
def test_bounds_that_make_no_model(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ModelError, match=text):
        Bounds(**arguments)


def test_bounds_survive_json() -> None:
    bounds = Bounds(servers=5, network=Network.ORDERED, candidates={2: 1}, cut=((0, 1),), crashes=1, torn_steps=True)
    assert Bounds.from_dict(bounds.to_dict()) == bounds
    for broken in ({}, {**bounds.to_dict(), "network": "tcp"}, {**bounds.to_dict(), "colour": "red"}):
        with pytest.raises(ModelError, match="no bounds of a Raft model"):
            Bounds.from_dict(broken)


def walk(bounds: Bounds, choices: list[int], visit: Callable[[Any, Any], None]) -> None:
    """A random walk: each number chooses among the successors; every third step prefers a delivery."""
    semantics = Semantics(raft_system(bounds))
    state = semantics.initial()
    for number, choice in enumerate(choices):
        successors = [s for s in semantics.successors(state) if s.state != state]
        deliveries = [s for s in successors if isinstance(s.event.input, Deliver)]
        chosen = deliveries if deliveries and number % 6 else successors
        if not chosen:
            return
        successor = chosen[choice % len(chosen)]
        visit(state, successor)
        assert successor.state is not None, successor.error
        state = successor.state


FIVE = Bounds(
    servers=5, terms=9, entries=9, crashes=9, reads=5, heartbeats=9, compactions=9, transfers=9, quorum_timeouts=9,
    forwarding=True,
)  # fmt: skip


@settings(max_examples=100)
@given(st.lists(st.integers(0, 10**6), min_size=40, max_size=120))
def test_random_schedules_on_five_servers_keep_every_property(choices: list[int]) -> None:
    monitor = Monitor(safety(FIVE.servers))

    def visit(before: Any, successor: Any) -> None:
        pid, given_, _ = successor.event
        assert monitor.broken_by_step(pid, before.processes[pid], given_, successor.step, 0) is None
        assert monitor.broken_by_state(successor.state, 0) is None

    walk(FIVE, choices, visit)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 10**6), min_size=30, max_size=60), st.sampled_from(list(permutations(range(5)))[1:]))
def test_the_model_treats_all_servers_alike(choices: list[int], p: tuple[int, ...]) -> None:
    system = raft_system(FIVE)
    assert system.scenario is not None
    observer = system.scenario

    def visit(before: Any, successor: Any) -> None:
        pid, given_, _ = successor.event
        is_mail = isinstance(given_, Deliver)
        renamed = Deliver(p[given_.sender], given_.message) if is_mail else relabel_raft(given_, p)
        node = relabel_raft(before.processes[pid], p)
        step = system.processes[p[pid]].step(node, renamed)
        assert step is not None
        assert step.state == relabel_raft(successor.step.state, p)
        ghost = observer.observe(relabel_raft(before.ghost, p), p[pid], node, renamed, step)
        assert ghost == relabel_raft(successor.state.ghost, p)

    walk(FIVE, choices, visit)


def test_a_refused_vote_in_the_same_term_would_tell_the_candidate_nothing() -> None:
    """The core does not send it. If it came all the same, no server would do anything with it."""
    bounds = Bounds(servers=3, terms=2, entries=0)
    system = raft_system(bounds)

    def visit(before: Any, successor: Any) -> None:
        for pid, node in enumerate(before.processes):
            refusal = RequestVoteResponse(max(1, node.server.current_term), False)
            step = system.processes[pid].step(node, Deliver((pid + 1) % 3, refusal))
            assert step is not None
            assert node.server.current_term < 1 or step.state == node

    walk(bounds, list(range(60)), visit)
