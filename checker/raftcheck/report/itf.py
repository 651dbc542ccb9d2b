"""Counterexamples in the Informal Trace Format, which Quint and Apalache read (Apalache's ADR-015)."""

import enum
from typing import Any

from raftcheck.explore import Counterexample
from raftcheck.report.labels import Labels, event_text, fields_of


def itf_document(found: Counterexample, labels: Labels) -> dict[str, Any]:
    """Return the states of a counterexample as an ITF trace.

    The variables are `processes` (a map from pid to state), `network` and `ghost`; `event` says in words how
    a state was reached. A step that raised has no state of its own.
    """
    reached = ["initial state", *(event_text(labels, event) for event in found.events)]
    return {
        "#meta": {
            "format": "ITF",
            "format-description": "https://apalache-mc.org/docs/adr/015adr-trace.html",
            "description": f"{found.violated} is violated" + (f": {found.error}" if found.error else ""),
        },
        "vars": ["processes", "network", "ghost", "event"],
        "states": [
            {
                "#meta": {"index": index},
                "processes": {"#map": [[itf_value(pid), itf_value(p)] for pid, p in enumerate(state.processes)]},
                "network": itf_value(state.network),
                "ghost": itf_value(state.ghost),
                "event": event,
            }
            for index, (state, event) in enumerate(zip(found.states, reached, strict=False))
        ],
    }


def itf_value(value: Any) -> Any:
    """Return a value in ITF's JSON: integers as #bigint, records as objects, None as the variant Nil."""
    fields = fields_of(value)
    match value:
        case None:
            return {"tag": "Nil", "value": {}}
        case bool() | str():
            return value
        case int():
            return {"#bigint": str(value)}
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case enum.Enum():
            return value.name
        case _ if fields is not None:
            return {name: itf_value(item) for name, item in {"type": type(value).__name__, **fields}.items()}
        case tuple() | list():
            return [itf_value(item) for item in value]
        case frozenset() | set():
            return {"#set": sorted((itf_value(item) for item in value), key=repr)}
        case dict():
            return {"#map": [[itf_value(key), itf_value(item)] for key, item in value.items()]}
        case _:
            return {"#unserializable": repr(value)}
