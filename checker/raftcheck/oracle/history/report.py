"""The judgement about a history, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from raftcheck.oracle.history.events import Call, History, process_text
from raftcheck.oracle.history.explain import Explanation
from raftcheck.oracle.history.models import Model
from raftcheck.oracle.history.parts import Part
from raftcheck.oracle.history.search import Found
from raftcheck.oracle.history.values import text_of
from raftcheck.oracle.judgement import Judgement, Rejection

MOST_STATES = 5
"""How many of the states before an event are told."""

MOST_OPERATIONS = 20
"""How many operations are told one by one."""


@dataclass(frozen=True)
class JudgedPart:
    """A part of a history, and what a search of it found."""

    part: Part
    found: Found


def judgement_of(
    history: History, model: Model, judged: Sequence[JudgedPart], explanation: Explanation | None, seconds: float
) -> Judgement:
    """Return the judgement."""
    undecided = [part for part in judged if part.found.linearizable is None]
    if explanation:
        checked = sum(
            call.completed is not None and call.completed < explanation.impossible.position
            for part in judged
            if part.found.linearizable is not None
            for call in part.part.calls
        )
    else:
        checked = sum(len(part.part.calls) for part in judged if part.found.linearizable)
    why = "" if explanation else why_undecided(judged, undecided) if undecided else "" if checked else NOTHING
    return Judgement(
        answer="reject" if explanation else "undecided" if why else "accept",
        subject=history.name,
        checked=checked,
        unit="operations",
        against=f"the {model.name} model, for linearizability",
        assumptions=(*assumptions(), *model.assumptions()),
        rejection=rejection_of(explanation, model) if explanation else None,
        why=why,
        details=dict(details(history, model, judged, undecided, explanation)),
        seconds=seconds,
    )


NOTHING = "there is no operation in it that can be judged"


def assumptions() -> Iterator[str]:
    """Yield what is taken for granted of every history."""
    yield "the events happened in the order of their lines"
    yield "operations of unknown outcome took effect at any time after their invocation, or never"


def why_undecided(judged: Sequence[JudgedPart], undecided: Sequence[JudgedPart]) -> str:
    """Return the limit that was reached, and where."""
    part = undecided[0]
    where = f" at {keys_text(part.part)}" if part.part.keys not in ((), (None,)) else ""
    others = f", {len(undecided)} of {len(judged)} keys are undecided" if len(undecided) > 1 else ""
    return f"stopped at {part.found.why}{where}{others}"


def keys_text(part: Part) -> str:
    """Return the names of a part's keys."""
    keys = [text_of(key) for key in part.keys]
    return ("key " if len(keys) == 1 else "keys ") + ", ".join(keys[:MOST_STATES]) + (", ..." if keys[5:] else "")


def details(
    history: History,
    model: Model,
    judged: Sequence[JudgedPart],
    undecided: Sequence[JudgedPart],
    explanation: Explanation | None,
) -> Iterator[tuple[str, Any]]:
    """Yield further facts."""
    if explanation:
        yield from explanation_details(explanation)
    keys, sizes = {key for part in judged for key in part.part.keys} - {None}, [len(part.part.calls) for part in judged]
    yield "operations", len(history.calls) + len(history.failed) + len(history.stale)
    if keys:
        yield "keys", len(keys)
    if model.together:
        yield "judged together", model.together
    elif len(judged) > 1:
        yield "judged apart", f"{len(judged)} groups of keys, of at most {max(sizes)} operations"
    at_the_end = f", {history.unfinished} of them under way at the end" if history.unfinished else ""
    yield "unknown outcome", f"{history.unknown}{at_the_end}"
    yield "failed (no effect)", len(history.failed)
    if history.stale:
        yield "NOT judged: reads that may be stale by contract", len(history.stale)
    yield from history.notes.items()
    if undecided and explanation:
        yield "keys that are undecided", len(undecided)
    yield "configurations", sum(part.found.configurations for part in judged)


def explanation_details(explanation: Explanation) -> Iterator[tuple[str, Any]]:
    """Yield what makes an event impossible, and how that is known."""
    impossible = explanation.impossible
    if impossible.is_first:
        yield (
            "first impossible event",
            (
                "the history that ends before it has a linearization; of the one that ends with it, all "
                f"{impossible.configurations:,} configurations were tried"
            ),
        )
    else:
        yield "impossible at the latest here", "a limit was reached before an earlier event could be excluded"
    yield (
        "outcomes that contradict each other, whatever became of all other operations",
        in_lines(sorted(explanation.needed, key=lambda call: call.invoked)),
    )
    yield "can one of these be left out", "no" if explanation.is_minimal else "perhaps: a limit was reached"
    yield f"longest order before it ({len(impossible.order)} operations)", in_lines(impossible.order, latest=True)


def in_lines(calls: Sequence[Call], latest: bool = False) -> tuple[str, ...]:
    """Return operations, one a line: the first ones or the latest."""
    if len(calls) <= MOST_OPERATIONS:
        return tuple(map(call_line, calls))
    if latest:
        return ("...", *map(call_line, calls[-MOST_OPERATIONS:]))
    return (*map(call_line, calls[:MOST_OPERATIONS]), "...")


def call_line(call: Call) -> str:
    """Return an operation with its lines in the file."""
    lines = f"lines {call.line}-{call.completion_line}" if call.completion_line else f"line {call.line}-"
    return f"{call} ({lines})"


def rejection_of(explanation: Explanation, model: Model) -> Rejection:
    """Return the rejection."""
    impossible = explanation.impossible
    call = impossible.call
    states = [model.show(state) for state in impossible.before]
    shown = " or ".join(states[:MOST_STATES]) + (f" or {len(states) - MOST_STATES} others" if states[5:] else "")
    key = "" if impossible.part.keys in ((), (None,)) else f", {keys_text(impossible.part)}"
    return Rejection(
        where=f"line {call.completion_line}{key}: {call.operation} by process {process_text(call.process)}",
        event=f"{call}, invoked in line {call.line}, completed in line {call.completion_line}",
        rule="linearizability",
        reason="in no order of the operations so far that keeps to real time could it have had this outcome",
        before={"state": shown},
        after={"result": call.told if call.result is not None or call.operation.value is None else "done"},
    )
