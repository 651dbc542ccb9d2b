"""Which operations must be judged together: P-compositionality (Horn & Kroening 2015).

A history of independent objects is linearizable if the history of each is (locality, Herlihy & Wing 1990). Operations
that have a key in common belong together, and so do those that are connected by others.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from raftcheck.oracle.history.events import Call
from raftcheck.oracle.history.models import Model
from raftcheck.oracle.history.values import distinct


@dataclass(frozen=True)
class Part:
    """Operations that are judged together, and the keys that they have in common; no keys: all there are."""

    keys: tuple[Hashable, ...]
    calls: tuple[Call, ...]


def parts_of(model: Model, calls: Sequence[Call]) -> list[Part]:
    """Return the parts of a history, in the order of their first operations."""
    keys_of: dict[int, list[Hashable]] = {}
    for call in calls:
        keys = model.keys(call.operation)
        if keys is None:
            return [Part((), tuple(calls))]
        keys_of[call.number] = list(keys)
    graph: nx.Graph[tuple[str, Any]] = nx.Graph()
    for call in calls:
        graph.add_node(("operation", call.number))
        graph.add_edges_from((("operation", call.number), ("key", distinct(key))) for key in keys_of[call.number])
    parts = []
    for component in nx.connected_components(graph):
        together = [calls[number] for kind, number in component if kind == "operation"]
        together.sort(key=lambda call: call.number)
        named = {distinct(key): key for call in together for key in keys_of[call.number]}
        parts.append(Part(tuple(sorted(named.values(), key=repr)), tuple(together)))
    return sorted(parts, key=lambda part: part.calls[0].number)
