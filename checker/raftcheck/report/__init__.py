"""Results and counterexamples for people and for other programs: text, JSON, ITF, Mermaid."""

from raftcheck.report.document import SCHEMA, result_document
from raftcheck.report.graph import dot, graphml, labelled_graph
from raftcheck.report.itf import itf_document
from raftcheck.report.labels import Labels, PlainLabels
from raftcheck.report.mermaid import mermaid
from raftcheck.report.simulation import simulation_document, simulation_text
from raftcheck.report.text import counterexample_text, event_lines, result_text

__all__ = [
    "SCHEMA",
    "Labels",
    "PlainLabels",
    "counterexample_text",
    "dot",
    "event_lines",
    "graphml",
    "itf_document",
    "labelled_graph",
    "mermaid",
    "result_document",
    "result_text",
    "simulation_document",
    "simulation_text",
]
