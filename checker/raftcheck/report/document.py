"""Results as JSON documents: one versioned object."""

from typing import Any

from raftcheck.explore import Counterexample, Result
from raftcheck.report.labels import Labels, event_text
from raftcheck.report.text import changes
from raftcheck.version import __version__

SCHEMA = "raftproof/1"


def result_document(result: Result, labels: Labels, counterexample: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a result as plain JSON values.

    `counterexample` replaces the generic form of the counterexample, for models whose inputs can be read back.
    """
    found = result.counterexample
    if counterexample is None and found is not None:
        counterexample = counterexample_document(found, labels)
    return {
        "schema": SCHEMA,
        "kind": "check",
        "version": __version__,
        "verdict": result.verdict,
        "complete": result.complete,
        "limit": result.limit,
        "bounds": result.bounds,
        "mode": result.mode,
        "symmetry": result.symmetry,
        "states": result.states,
        "transitions": result.transitions,
        "depth": result.depth,
        "local_states": result.local_states,
        "local_transitions": result.local_transitions,
        "local_tuples": result.local_tuples,
        "seconds": round(result.seconds, 3),
        "peak_memory": result.peak_memory,
        "properties": [
            {
                "name": checked.name,
                "kind": checked.kind.value,
                "status": checked.status,
                "source": checked.source,
                "witness_depth": checked.witness_depth,
            }
            for checked in result.properties
        ],
        "counterexample": counterexample,
    }


def counterexample_document(found: Counterexample, labels: Labels) -> dict[str, Any]:
    """Return a counterexample as plain JSON values: each event in words, and what it changed."""
    return {
        "property": found.violated,
        "error": found.error,
        "explanation": found.explanation,
        "length": found.length,
        "events": [
            {"pid": event.pid, "text": event_text(labels, event), "changes": changes(found, number, labels)}
            for number, event in enumerate(found.events, 1)
        ],
    }
