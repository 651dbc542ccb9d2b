"""State graphs: the same states and transitions that the explorers count, in files that other programs read."""

import html
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import networkx as nx
import pydot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftcheck import (
    Deliver,
    ModelError,
    Network,
    Property,
    Send,
    Step,
    System,
    TooManyStatesError,
    always,
    always_step,
    explore,
    sometimes,
    state_graph,
)
from raftcheck.explore import GlobalState
from raftcheck.explore.monitor import ARGUMENTS
from raftcheck.explore.semantics import Semantics
from raftcheck.model import Kind
from raftcheck.raft import Bounds, raft_properties, raft_system
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.process import Node
from raftcheck.report import PlainLabels, dot, graphml, labelled_graph
from raftcheck.report.graph import under_way
from raftimpl.state import DurableState, ServerState
from tests.conftest import cases
from tests.systems import tables
from tests.systems.token_ring import PROPERTIES, token_ring

LIMIT = 500

networks = st.sampled_from(Network)


def graph_within_limit(system: System, properties: list[Property], symmetry: bool) -> Any:
    try:
        return state_graph(system, properties, symmetry=symmetry, max_states=LIMIT)
    except TooManyStatesError:
        return None


@settings(max_examples=cases(200))
@given(networks.flatmap(tables.systems), tables.properties(), st.booleans())
def test_as_many_nodes_and_edges_as_the_explorer_counts(
    system: System, properties: list[Property], symmetry: bool
) -> None:
    result = explore(system, [], mode="exact", symmetry=symmetry, max_states=LIMIT)
    graph = graph_within_limit(system, properties, symmetry)
    assert (graph is None) == (result.limit is not None)
    if graph is None:
        return
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (result.states, result.transitions)
    assert (graph.graph["symmetry"], graph.graph["all_states"]) == (result.symmetry, result.all_states)
    assert list(graph) == list(range(result.states))
    assert sorted(key for *_, key in graph.edges(keys=True)) == list(range(result.transitions))
    depths = dict(graph.nodes(data="depth"))
    assert depths == nx.single_source_shortest_path_length(graph, 0)
    assert list(depths.values()) == sorted(depths.values())
    assert max(depths.values()) == result.depth
    assert [node for node, initial in graph.nodes(data="initial") if initial] == [0]


def obvious_edges(system: System) -> Counter[Any]:
    semantics = Semantics(system)
    found, edges = [semantics.initial()], Counter[Any]()
    known = set(found)
    for state in found:
        for event, _, after, _ in semantics.successors(state):
            if after is not None and after != state:
                edges[state, event, after] += 1
                found += [] if after in known else [after]
                known.add(after)
    return edges


@settings(max_examples=cases(100))
@given(networks.flatmap(tables.systems))
def test_without_symmetry_it_is_the_obvious_graph(system: System) -> None:
    graph = graph_within_limit(system, [], symmetry=False)
    if graph is None:
        return
    states = dict(graph.nodes(data="state"))
    assert len(set(states.values())) == len(states)
    assert states[0] == Semantics(system).initial()
    edges = Counter((states[source], event, states[target]) for source, target, event in graph.edges(data="event"))
    assert edges == obvious_edges(system)


def renamings(system: System, state: GlobalState) -> Iterator[GlobalState]:
    """Yield a state of a table system under all names, the own ones first."""
    for names in permutations(range(len(state.processes))):
        processes = {names[local.pid]: tables.relabel(local, names) for local in state.processes}  # type: ignore[attr-defined]
        if system.network is Network.LOSSY_DUPLICATING:
            network = frozenset((names[to], names[sender], message) for to, sender, message in state.network)
        elif system.network is Network.UNORDERED:
            network = frozenset(((names[to], names[sender], message), n) for (to, sender, message), n in state.network)
        else:
            network = frozenset(((names[to], names[sender]), messages) for (to, sender), messages in state.network)
        ghost = tables.relabel(state.ghost, names)
        yield GlobalState(tuple(processes[pid] for pid in sorted(processes)), network, ghost)


@settings(max_examples=cases(100))
@given(networks.flatmap(tables.systems))
def test_with_symmetry_it_is_the_quotient(system: System) -> None:
    graph = graph_within_limit(system, [], symmetry=True)
    if graph is None:
        return
    semantics, states = Semantics(system), dict(graph.nodes(data="state"))
    orbits = {node: set(renamings(system, state)) for node, state in states.items()}
    assert len(set().union(*orbits.values())) == sum(map(len, orbits.values())) == graph.graph["all_states"]
    found = {0}
    for source, target, _, event in sorted(graph.edges(keys=True, data="event"), key=lambda edge: edge[2]):
        taken = semantics.take(states[source], event)
        assert taken is not None
        assert taken.state in orbits[target]
        if target not in found:
            assert taken.state == states[target]
            found.add(target)
    assert found == set(graph)


@settings(max_examples=cases(200))
@given(networks.flatmap(tables.systems), tables.properties(), st.booleans())
def test_violating_states_are_marked(system: System, properties: list[Property], symmetry: bool) -> None:
    graph = graph_within_limit(system, properties, symmetry)
    if graph is None:
        return
    claims = [claim for claim in properties if claim.kind is Kind.ALWAYS and claim.over != "step"]
    for _, known in graph.nodes(data=True):
        alike = list(renamings(system, known["state"])) if symmetry else [known["state"]]
        assert known["violates"] == tuple(
            claim.name
            for claim in claims
            if not all(claim.predicate(*arguments) for state in alike for arguments in ARGUMENTS[claim.over](state))
        )


@pytest.mark.parametrize(("symmetry", "violating"), [(True, [1, 2]), (False, [2, 3])])
def test_a_state_is_marked_for_its_renamings_too(symmetry: bool, violating: list[int]) -> None:
    """With symmetry only the first process is seen to move first, and the claim is about the last."""
    process = tables.TableProcess({(0, "i0"): tables.Row(1, ())}, 2)
    claim = always("the last never moves", lambda states, ghost: states[-1].at == 0, over="cluster")
    graph = state_graph(System([process] * 2, relabel=tables.relabel), [claim], symmetry=symmetry)
    assert [node for node, names in graph.nodes(data="violates") if names] == violating


def test_properties_of_other_kinds_mark_nothing() -> None:
    system = token_ring(2, Network.UNORDERED, lossy=False)
    others = [always_step("a", lambda *_: False), sometimes("b", lambda _: False)]
    assert not any(violates for _, violates in state_graph(system, others).nodes(data="violates"))


class Counting:
    """Counts to three in two ways, and cannot count on after one of them."""

    def initial(self, pid: int) -> str:
        return ""

    def inputs(self, state: str) -> tuple[str, ...]:
        return ("a", "b") if len(state) < 3 else ()

    def step(self, state: str, input: Any) -> Step:
        if state == "ab":
            raise ValueError("no more")
        return Step(state + input)


def test_a_step_that_raises_is_no_edge_and_marks_its_state() -> None:
    graph = state_graph(System([Counting()]))
    assert explore(System([Counting()]), [], mode="exact").verdict == "violated"
    texts = {state.processes[0]: violates for _, (state, violates) in zip(
        graph, ((known["state"], known["violates"]) for _, known in graph.nodes(data=True)), strict=True
    )}  # fmt: skip
    assert len(texts) == 1 + 2 + 4 + 6
    assert {text: names for text, names in texts.items() if names} == {"ab": ("No Exception",)}


@pytest.mark.parametrize("symmetry", [False, True])
def test_too_many_states_are_refused_not_cut_off(symmetry: bool) -> None:
    system = raft_system(Bounds(servers=2, terms=1))
    states = explore(system, [], mode="exact", symmetry=symmetry).states
    assert len(state_graph(system, symmetry=symmetry, max_states=states)) == states
    text = rf"^the graph may have {states - 1} states, but there are more, {states} so far: allow more with max_states$"
    with pytest.raises(TooManyStatesError, match=text) as raised:
        state_graph(system, symmetry=symmetry, max_states=states - 1)
    assert (raised.value.states, isinstance(raised.value, ModelError)) == (states, True)


def test_the_limit_can_be_left_out() -> None:
    system = System([Walker(101)] * 2)
    assert len(state_graph(system, max_states=None)) == 101 * 101
    with pytest.raises(TooManyStatesError, match=r"may have 10,000 states, but there are more, 10,0.. so far"):
        state_graph(system)


class Walker:
    def __init__(self, end: int) -> None:
        self.end = end

    def initial(self, pid: int) -> int:
        return 1

    def inputs(self, state: int) -> tuple[str, ...]:
        return ("on",)

    def step(self, state: int, input: Any) -> Step | None:
        return Step(state + 1) if state < self.end else None


def test_a_bad_request_is_a_model_error() -> None:
    system = System([Walker(2)])
    with pytest.raises(ModelError, match="max_states must be at least 1, not 0"):
        state_graph(system, max_states=0)
    with pytest.raises(ModelError, match="symmetry must be True or False"):
        state_graph(system, symmetry="yes")  # type: ignore[arg-type]


class Twice(Walker):
    """One of two processes names its input twice: that is one transition more, and so no symmetry."""

    def initial(self, pid: int) -> Any:
        return (pid, 1)

    def inputs(self, state: Any) -> tuple[str, ...]:
        return ("on", "on") if state[0] == 1 else ("on",)

    def step(self, state: Any, input: Any) -> Step | None:
        return Step((state[0], state[1] + 1)) if state[1] < self.end else None


def test_a_relabel_that_is_no_symmetry_is_refused() -> None:
    def relabel(value: Any, names: tuple[int, ...]) -> Any:
        return (names[value[0]], value[1]) if isinstance(value, tuple) else value

    system = System([Twice(2)] * 2, relabel=relabel)
    with pytest.raises(ModelError, match=r"a state has more transitions than its renamings.*symmetry=False"):
        state_graph(system)
    assert state_graph(system, symmetry=False).number_of_edges() == 2 * 3


def test_ctrl_c_gives_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["raftcheck.explore.limits"], "PROGRESS_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        state_graph(System([Walker(3)]), progress=interrupt)


# Files


class Nasty:
    """Says what is hard to write down."""

    texts = (
        'say "no"',
        "back\\slash\\n",
        "a\nb\tc\0\x1b",
        "&lt; & <b>",
        "s\u00fc\u00df \u2192 \ud800",
        "\\",
        '"',
        "]]>",
    )

    def initial(self, pid: int) -> str:
        return self.texts[0]

    def inputs(self, state: str) -> tuple[str, ...]:
        return self.texts

    def step(self, state: str, input: Any) -> Step | None:
        return None if isinstance(input, Deliver) else Step(input, (Send(1, self.texts[1]),))


class NastyLabels(PlainLabels):
    def value(self, value: Any) -> str:
        return str(value)


SHOWN = (
    'say "no"',
    "back\\slash\\n",
    "a\\nb\\tc\\x00\\x1b",
    "&lt; & <b>",
    "s\u00fc\u00df \u2192 \\ud800",
    "\\",
    '"',
    "]]>",
)


class Still:
    def initial(self, pid: int) -> str:
        return "still"

    def inputs(self, state: str) -> tuple[str, ...]:
        return ()

    def step(self, state: str, input: Any) -> Step | None:
        return None


def nasty_graph() -> Any:
    return state_graph(System([Nasty(), Still()]), [always('not "&"', lambda state: state != "&lt; & <b>")])


def drawn(graph: Any, labels: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pydot calls its own parser by old names
        (read,) = pydot.graph_from_dot_data(dot(graph, labels))
    return read


def as_shown(label: str) -> list[str]:
    """Return the lines that Graphviz shows for a quoted label."""
    assert (label[0], label[-1]) == ('"', '"')
    shown = re.sub(r"\\(.)", lambda escape: {"l": "\n"}.get(escape[1], escape[1]), label[1:-1])
    return html.unescape(shown).removesuffix("\n").split("\n")


def test_dot_is_read_by_another_program() -> None:
    graph = nasty_graph()
    read = drawn(graph, NastyLabels())
    nodes = {int(node.get_name()): node for node in read.get_nodes() if node.get_name().isdigit()}
    assert list(nodes) == list(graph)
    shown = [as_shown(nodes[number].get_label()) for number in nodes]
    assert [lines[0].split()[0] for lines in shown] == [str(number) for number in graph]
    assert {lines[1] for lines in shown} == {f"p0: {text}" for text in SHOWN}
    assert {line for lines in shown for line in lines[3:]} == {f"p0 \u2192 p1: {SHOWN[1]}"}
    edges = [(int(e.get_source()), int(e.get_destination()), *as_shown(e.get_label())) for e in read.get_edges()]
    assert Counter(edges) == Counter(
        (source, target, f"p0 {dict(zip(Nasty.texts, SHOWN, strict=True))[event.input]}")
        for source, target, event in graph.edges(data="event")
    )
    assert '\\"' in dot(graph, NastyLabels())


def test_dot_colours_what_violates_and_marks_the_start() -> None:
    graph = nasty_graph()
    nodes = [node for node in drawn(graph, NastyLabels()).get_nodes() if node.get_name().isdigit()]
    violating = {number for number, names in graph.nodes(data="violates") if names}
    assert violating
    assert {int(node.get_name()) for node in nodes if node.get("fillcolor")} == violating
    for node in nodes:
        assert (' violates not "&"' in as_shown(node.get_label())[0]) == (int(node.get_name()) in violating)
    assert [node.get_name() for node in nodes if node.get("peripheries") == "2"] == ["0"]


@pytest.mark.parametrize("symmetry", [False, True])
def test_the_drawing_says_how_much_it_shows(symmetry: bool) -> None:
    graph = state_graph(raft_system(Bounds(servers=2, terms=1)), symmetry=symmetry)
    (title,) = as_shown(drawn(graph, RaftLabels()).get_graph_defaults()[0]["label"])
    assert title == ("27 states (symmetric ones once), 37 transitions" if symmetry else "52 states, 72 transitions")


@pytest.mark.parametrize("labels", [NastyLabels(), RaftLabels()], ids=["nasty", "raft"])
def test_graphml_is_read_back(labels: Any) -> None:
    bounds = Bounds(servers=2, terms=1)
    graph = (
        nasty_graph() if isinstance(labels, NastyLabels) else state_graph(raft_system(bounds), raft_properties(bounds))
    )
    read = nx.parse_graphml(graphml(graph, labels), node_type=int, edge_key_type=int, force_multigraph=True)
    plain = labelled_graph(graph, labels)
    assert dict(read.nodes(data=True)) == dict(plain.nodes(data=True))
    assert sorted(read.edges(keys=True, data="event")) == sorted(plain.edges(keys=True, data="event"))
    assert sorted(read.edges(keys=True, data="pid")) == sorted(plain.edges(keys=True, data="pid"))
    assert sorted(read.edges(keys=True, data="lost")) == sorted(plain.edges(keys=True, data="lost"))
    assert {name: read.graph[name] for name in graph.graph} == graph.graph
    assert len(plain) == len(graph)


def test_attributes_in_words() -> None:
    system = token_ring(2, Network.ORDERED, lossy=True)
    plain = labelled_graph(state_graph(system, PROPERTIES), PlainLabels())
    assert plain.nodes[0] == {
        "process_0": "Place(pid=0, holds=True)",
        "process_1": "Place(pid=1, holds=False)",
        "network": "nothing",
        "depth": 0,
        "initial": True,
        "violating": False,
    }
    assert plain.nodes[1]["network"] == "p0 \u2192 p1: 'token'"
    assert [known for *_, known in plain.edges(data=True)][:3] == [
        {"event": "p0 'pass on'", "pid": 0, "lost": False},
        {"event": "p1 receives 'token' from p0", "pid": 1, "lost": False},
        {"event": "p1 never gets 'token' from p0: it is lost", "pid": 1, "lost": True},
    ]


def test_what_violates_and_the_ghost_are_attributes() -> None:
    bounds = Bounds(servers=2, terms=1)
    claims = [always("a", lambda s: False), always("b", lambda states, ghost: False, over="cluster")]
    first = labelled_graph(state_graph(raft_system(bounds), claims), RaftLabels()).nodes[0]
    assert (first["violating"], first["violates"], first["ghost"]) == (True, "a; b", "History()")


@pytest.mark.parametrize(
    ("network", "contents", "texts"),
    [
        (Network.LOSSY_DUPLICATING, {(1, 0, "m"), (0, 1, "m")}, ["p0 \u2192 p1: 'm'", "p1 \u2192 p0: 'm'"]),
        (Network.UNORDERED, {((1, 0, "m"), 3), ((1, 0, "n"), 1)}, ["p0 \u2192 p1: 'm' (3 times)", "p0 \u2192 p1: 'n'"]),
        (Network.ORDERED, {((1, 0), ("m", "n", "m"))}, ["p0 \u2192 p1: 'm', then 'n', then 'm'"]),
    ],
)
def test_messages_under_way_in_words(network: Network, contents: set[Any], texts: list[str]) -> None:
    graph = nx.MultiDiGraph(network=network.value)
    assert under_way(graph, GlobalState((), frozenset(contents), None), PlainLabels()) == texts


def test_different_servers_have_different_texts() -> None:
    bounds = Bounds(servers=2, terms=1, entries=1, crashes=1, torn_steps=True, reads=1, network=Network.ORDERED)
    states = state_graph(raft_system(bounds), max_states=50_000).nodes(data="state")
    servers: set[Any] = {local for _, state in states for local in state.processes}
    servers |= {Node(local.server, DurableState(7)) for local in servers if local.crash_after is None}
    assert len(servers) > 100
    assert len({(local.server.id, RaftLabels().state(local)) for local in servers}) == len(servers)
    assert RaftLabels().state(Node(ServerState(0, 2), DurableState(1))) == (
        "follower, current_term 2, on disk: DurableState(current_term=1)"
    )


PROGRAM = """
from raftcheck import Deliver, Network, Send, Step, System, state_graph
from raftcheck.raft.process import Node
from raftcheck.report import PlainLabels, dot, graphml

class Process:
    def initial(self, pid):
        return "start"

    def inputs(self, state):
        return ["go"] if state == "start" else []

    def step(self, state, input):
        if isinstance(input, Deliver):
            return Step(input.message) if state == "start" else None
        return Step("gone", [Send(1, message) for message in ("alpha", "beta", "gamma", "delta")])

for network in Network:
    graph = state_graph(System([Process()] * 2, network))
    print(dot(graph, PlainLabels()), graphml(graph, PlainLabels()))
"""


def test_the_files_do_not_depend_on_hashes() -> None:
    """Texts have other hashes in every run, and sets of them another order."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
    assert b"digraph" in printed.pop()
