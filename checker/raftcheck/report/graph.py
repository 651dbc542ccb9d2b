"""State graphs for other programs: GraphML, which keeps every attribute, and DOT, which Graphviz draws."""

from collections.abc import Iterable, Iterator
from typing import Any

import networkx as nx

from raftcheck.explore import Event, GlobalState
from raftcheck.model import Network
from raftcheck.report.labels import Labels, event_text
from raftcheck.report.text import counted

VIOLATING = 'style="filled", fillcolor="#f4b6b6"'
INITIAL = "peripheries=2"


def labelled_graph(graph: "nx.MultiDiGraph[int]", labels: Labels) -> "nx.MultiDiGraph[int]":
    """Return what `raftcheck.explore.state_graph` returned with attributes that are texts, numbers and truth values.

    Of a node: `process_0`, `process_1` and so on; `network` (the messages under way); `ghost`, if there is a scenario;
    `depth`; `initial`; `violating`, and if it is, `violates` (which properties). Of an edge: `event`, `pid`, `lost`.
    """
    plain: nx.MultiDiGraph[int] = nx.MultiDiGraph(**graph.graph)
    for node, known in graph.nodes(data=True):
        plain.add_node(node, **_attributes(graph, known, labels))
    event: Event
    for source, target, number, event in graph.edges(keys=True, data="event"):
        text = printable(event_text(labels, event))
        plain.add_edge(source, target, key=number, event=text, pid=event.pid, lost=event.lost)
    return plain


def _attributes(graph: "nx.MultiDiGraph[int]", known: dict[str, Any], labels: Labels) -> dict[str, Any]:
    state: GlobalState = known["state"]
    texts = {f"process_{pid}": printable(labels.state(local)) for pid, local in enumerate(state.processes)}
    texts["network"] = "; ".join(under_way(graph, state, labels)) or "nothing"
    if state.ghost is not None:
        texts["ghost"] = printable(labels.value(state.ghost))
    if known["violates"]:
        texts["violates"] = printable("; ".join(known["violates"]))
    return {**texts, "depth": known["depth"], "initial": known["initial"], "violating": bool(known["violates"])}


def under_way(graph: "nx.MultiDiGraph[int]", state: GlobalState, labels: Labels) -> list[str]:
    """Return the messages under way in a state as texts, one for each message, or on ordered networks each queue."""
    network = Network(graph.graph["network"])
    texts = []
    for item in state.network:
        if network is Network.LOSSY_DUPLICATING:
            (to, sender, message), many = item, 1
            shown = labels.value(message)
        elif network is Network.UNORDERED:
            (to, sender, message), many = item
            shown = labels.value(message) + (f" ({many} times)" if many > 1 else "")
        else:
            (to, sender), messages = item
            shown = ", then ".join(map(labels.value, messages))
        texts.append(printable(f"{labels.process(sender)} → {labels.process(to)}: {shown}"))
    return sorted(texts)


def graphml(graph: "nx.MultiDiGraph[int]", labels: Labels) -> str:
    """Return a state graph as GraphML, with the attributes that `labelled_graph` gives."""
    lines = nx.generate_graphml(labelled_graph(graph, labels))
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', *lines]) + "\n"


def dot(graph: "nx.MultiDiGraph[int]", labels: Labels) -> str:
    """Return a state graph as the source of a Graphviz drawing.

    A box shows the number of a state, its processes, the messages under way and the ghost. The initial state has a
    double border; states that violate a property are red, and their boxes name it.
    """
    return "\n".join(["digraph states {", *(f"  {line};" for line in _statements(graph, labels)), "}"]) + "\n"


def _statements(graph: "nx.MultiDiGraph[int]", labels: Labels) -> Iterator[str]:
    once = " (symmetric ones once)" if graph.graph["symmetry"] else ""
    size = f"{counted(len(graph), 'state')}{once}, {counted(graph.number_of_edges(), 'transition')}"
    yield f"graph [label={quoted([size])}]"
    yield "node [shape=box]"
    for node, known in graph.nodes(data=True):
        looks = [INITIAL] * known["initial"] + [VIOLATING] * bool(known["violates"])
        yield f"{node} [{', '.join([f'label={quoted(_lines(graph, node, labels), left=True)}', *looks])}]"
    event: Event
    for source, target, event in graph.edges(data="event"):
        yield f"{source} -> {target} [label={quoted([event_text(labels, event)])}]"


def _lines(graph: "nx.MultiDiGraph[int]", node: int, labels: Labels) -> Iterator[str]:
    known = graph.nodes[node]
    state: GlobalState = known["state"]
    yield f"{node}" + (f" violates {'; '.join(known['violates'])}" if known["violates"] else "")
    for pid, local in enumerate(state.processes):
        yield f"{labels.process(pid)}: {labels.state(local)}"
    yield from under_way(graph, state, labels)
    if state.ghost is not None:
        yield labels.value(state.ghost)


def quoted(lines: Iterable[str], left: bool = False) -> str:
    r"""Return lines as one DOT string; \l ends one at the left. Graphviz reads backslashes and XML entities in it."""
    escaped = (printable(line).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "".join(f"{line}\\l" if left else line for line in escaped) + '"'


def printable(text: str) -> str:
    """Return text with escapes instead of characters that cannot be shown, some of which no XML may contain."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
