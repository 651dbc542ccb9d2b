"""All states and transitions of a small system as a graph, to look at or to compute with."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from raftcheck.explore.result import Progress
from raftcheck.model import ModelError, Property, System

if TYPE_CHECKING:
    import networkx as nx


class TooManyStatesError(ModelError):
    """There are more states than the graph may have; `states` have been found, and there may be still more."""

    def __init__(self, states: int, most: int) -> None:
        super().__init__(
            f"the graph may have {most:,} states, but there are more, {states:,} so far: allow more with max_states"
        )
        self.states = states


def state_graph(
    system: System,
    properties: Sequence[Property] = (),
    *,
    symmetry: bool = True,
    max_states: int | None = 10_000,
    progress: Callable[[Progress], None] | None = None,
) -> "nx.MultiDiGraph[int]":
    """Return all reachable states of a system and all transitions between them.

    A node is a state, numbered from 0, the initial one, in breadth-first order. Its attributes: `state` (a
    GlobalState), `depth` (steps from the initial state), `initial`, `violates` (the names of those of `properties`
    that claim `always` of states and are not true of it; "No Exception" if a step that is possible in it raises).
    Properties of other kinds, and of steps, are not looked at, and a violation ends nothing.

    An edge is a transition; its attribute `event` says which, its key is its number: edges are numbered from 0 in the
    order of their sources. An event that changes nothing is no edge, and neither is a step that raises. So there are
    as many nodes and edges as `explore(system, [], mode="exact").states` and `.transitions`, if no step raises.

    With `symmetry`, if the system has a `relabel`, the graph is the quotient: a node is an orbit, that is a state
    and all its renamings, of which it shows the one found first. The events are those of that one, and may lead
    to a renaming of the state that the target shows; along the first edges that lead to each node they do not.
    The graph's own attributes: `symmetry` (whether it is a quotient), `all_states` (how many states there are with all
    renamings), `network` (which kind, as text).

    Raises TooManyStatesError, a ModelError, if there are more than `max_states` (None: no limit): a graph is never cut
    off. Raises ModelError for a system that cannot be explored.
    """
    if not isinstance(symmetry, bool):
        raise ModelError(f"symmetry must be True or False, not {symmetry!r}")
    from raftcheck.explore.whole_graph import whole_graph  # what this needs takes long to load

    return whole_graph(system, properties, symmetry, max_states, progress)
