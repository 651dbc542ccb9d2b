"""Counterexamples as Mermaid sequence diagrams: a line a process, an arrow for every message that arrives."""

from collections.abc import Iterator

from raftcheck.explore import Counterexample
from raftcheck.model import Deliver
from raftcheck.report.labels import Labels
from raftcheck.report.text import changes


def mermaid(found: Counterexample, labels: Labels) -> str:
    """Return a counterexample as the source of a Mermaid diagram."""
    return "\n".join(["sequenceDiagram", *(f"    {line}" for line in _lines(found, labels))]) + "\n"


def _lines(found: Counterexample, labels: Labels) -> Iterator[str]:
    for pid in range(len(found.states[0].processes)):
        yield f"participant {labels.process(pid)}"
    for number, event in enumerate(found.events, 1):
        here = labels.process(event.pid)
        if isinstance(event.input, Deliver):
            arrow = "--x" if event.lost else "->>"
            sender = labels.process(event.input.sender)
            yield f"{sender}{arrow}{here}: {number}. {escaped(labels.value(event.input.message))}"
        else:
            yield f"Note over {here}: {number}. {escaped(labels.input(event.input))}"
        changed = changes(found, number, labels)
        if changed:
            yield f"Note right of {here}: {escaped('; '.join(changed))}"
    yield f"Note over {labels.process(0)}: {escaped(found.violated)} is violated"


def escaped(text: str) -> str:
    """Return text without the characters that mean something to Mermaid."""
    return text.replace("#", "#35;").replace(";", "#59;").replace("\n", " ")
