"""How the graph of all states and transitions is made: explored, then walked once more, breadth first."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import networkx as nx

from raftcheck.explore.exact import ExactSearch
from raftcheck.explore.graph import TooManyStatesError
from raftcheck.explore.limits import Limits
from raftcheck.explore.monitor import Evaluator
from raftcheck.explore.result import GlobalState, Progress
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.symmetry import Symmetry
from raftcheck.explore.tracing import Row, Tracer
from raftcheck.model import Kind, Process, Property, Step, System
from raftcheck.model.properties import RAISED


def whole_graph(
    system: System,
    properties: Sequence[Property],
    symmetry: bool,
    max_states: int | None,
    progress: Callable[[Progress], None] | None,
) -> "nx.MultiDiGraph[int]":
    """Return the graph (see `raftcheck.explore.graph.state_graph`)."""
    search = _explored(system, symmetry, max_states, progress)
    claims = [Evaluator(p) for p in properties if p.kind is Kind.ALWAYS and p.over != "step"]
    graph: nx.MultiDiGraph[int] = nx.MultiDiGraph(
        symmetry=search.symmetry.is_used, all_states=search.all_states, network=system.network.value
    )
    _fill(graph, Semantics(system), Numbering(search.tracer), lambda state: _violated(claims, search.symmetry, state))
    if (graph.number_of_nodes(), graph.number_of_edges()) != (search.states, search.transitions):
        search.symmetry.refuse("a state has more transitions than its renamings")
    return graph


def _explored(
    system: System, symmetry: bool, max_states: int | None, progress: Callable[[Progress], None] | None
) -> ExactSearch:
    """Return an exact search that has visited every state."""
    careful = {id(process): Careful(process) for process in system.processes}
    processes = [careful[id(process)] for process in system.processes]
    limits = Limits(max_states=max_states)
    search = ExactSearch(replace(system, processes=processes), (), limits, progress, symmetry)
    search.run()
    if search.limit == "interrupted":
        raise KeyboardInterrupt
    if max_states is not None and search.states > max_states:
        raise TooManyStatesError(search.states, max_states)
    return search


class Careful:
    """A process that has no step where the given one raises: that would end the search before it has seen the rest."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.initial, self.inputs = process.initial, process.inputs

    def step(self, state: Any, input: Any) -> Step | None:
        """Return what the process does, None if it raises."""
        try:
            return self._process.step(state, input)
        except MemoryError:
            raise
        except Exception:
            return None


class Numbering:
    """Numbers states as they come. All renamings of a state have its number; `states` holds the first that came."""

    def __init__(self, tracer: Tracer) -> None:
        self.states: list[GlobalState] = []
        self._tracer = tracer
        self._of_state: dict[GlobalState, int] = {}
        self._of_row: dict[Row, int] = {}

    def number(self, state: GlobalState) -> int:
        """Return the number of a state that the explorer has visited."""
        known = self._of_state.get(state)
        if known is not None:
            return known
        row = self._tracer.row(state)
        assert row is not None
        number = self._of_state[state] = self._of_row.setdefault(row, len(self.states))
        if number == len(self.states):
            self.states.append(state)
        return number


def _fill(
    graph: "nx.MultiDiGraph[int]",
    semantics: Semantics,
    numbering: Numbering,
    violated: Callable[[GlobalState], tuple[str, ...]],
) -> None:
    """Add all that is reachable, breadth first."""
    initial, edges = semantics.initial(), count()
    graph.add_node(numbering.number(initial), state=initial, depth=0, initial=True, violates=violated(initial))
    for source, state in enumerate(numbering.states):  # grows meanwhile
        node = graph.nodes[source]
        for successor in semantics.successors(state):
            after = successor.state
            if after is None and RAISED not in node["violates"]:
                node["violates"] = (*node["violates"], RAISED)
            if after is None or after == state:
                continue
            target = numbering.number(after)
            if target not in graph:
                depth = node["depth"] + 1
                graph.add_node(target, state=after, depth=depth, initial=False, violates=violated(after))
            graph.add_edge(source, target, key=next(edges), event=successor.event)


def _violated(claims: Sequence[Evaluator], symmetry: Symmetry, state: GlobalState) -> tuple[str, ...]:
    """Return which claims are false of a state or, as some tell the processes apart, of one of its renamings."""
    if not claims:
        return ()
    names = (symmetry.permutations[0], *symmetry.state_probes)
    renamed = [
        GlobalState(symmetry.processes(state.processes, p), frozenset(), symmetry.value(state.ghost, p)) for p in names
    ]
    return tuple(
        claim.property.name for claim in claims if not all(claim.is_true_everywhere(state) for state in renamed)
    )
