"""Results as text: the verdict first, then what it rests on."""

from collections.abc import Iterator

from raftcheck.explore import Counterexample, Result
from raftcheck.model import Kind
from raftcheck.report.labels import Labels, event_text

EXPLANATIONS = {
    "holds": "every behaviour within the bounds was explored, and all properties are true of all of them",
    "violated": "a property is violated",
    "inconclusive": "a limit was reached before everything was explored",
    "vacuous": "no property is violated, but a situation that should occur never did",
}

INTERRUPTED = "the exploration was interrupted"

MARKS = {"holds": "✓", "violated": "✗", "missing": "✗", "unknown": "?"}


def result_text(result: Result, bounds: str) -> str:
    """Return a result as text, without its counterexample. `bounds` says in words what was explored."""
    return "\n".join(_result_lines(result, bounds))


def _result_lines(result: Result, bounds: str) -> Iterator[str]:
    interrupted = result.limit == "interrupted"
    yield f"{result.verdict.upper()}: {INTERRUPTED if interrupted else EXPLANATIONS[result.verdict]}."
    if result.limit:
        yield f"  limit     {result.limit}"
    yield f"  bounds    {bounds}"
    symmetry = ", symmetric ones once" if result.symmetry else ""
    yield f"  explored  {result.states:,} states ({result.mode} mode{symmetry}), {result.transitions:,} transitions,"
    everything = f"{result.all_states:,} states with their renamings; " if result.symmetry and result.all_states else ""
    yield f"            depth {result.depth}; {everything}{result.local_tuples:,} combinations of process states"
    yield f"  executed  {result.local_transitions:,} different steps of {result.local_states:,} process states"
    yield f"  took      {result.seconds:.1f} s, peak memory {result.peak_memory / 2**20:.0f} MiB"
    for kind, title in ((Kind.ALWAYS, "always"), (Kind.SOMETIMES, "sometimes"), (Kind.RECOVERABLE, "recoverable")):
        of_kind = [checked for checked in result.properties if checked.kind is kind]
        if of_kind:
            yield f"  {title}"
        for checked in of_kind:
            status = "" if checked.status == "holds" else f": {checked.status}"
            yield f"    {MARKS[checked.status]} {checked.name}{status}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def counterexample_text(found: Counterexample, labels: Labels) -> str:
    """Return a counterexample as text: the property, then a line an event that shows only what changed, then why."""
    return "\n".join(
        [
            f"{found.violated} is violated after {counted(found.length, 'step')}:",
            *event_lines(found, labels),
            *([f"Step {found.length}: {found.explanation}"] if found.explanation else []),
        ]
    )


def event_lines(found: Counterexample, labels: Labels) -> Iterator[str]:
    """Yield the events of a behaviour, numbered, each with what it changed."""
    for number, event in enumerate(found.events, 1):
        changed = "; ".join(changes(found, number, labels))
        yield f"{number:3}. {event_text(labels, event)}" + (f" | {changed}" if changed else "")


def changes(found: Counterexample, number: int, labels: Labels) -> list[str]:
    """Return what the event with that number (from 1) changed in its process; what it raised, if it did."""
    if number >= len(found.states):
        return [f"raises {found.error}"]
    pid = found.events[number - 1].pid
    return labels.changes(found.states[number - 1].processes[pid], found.states[number].processes[pid])
