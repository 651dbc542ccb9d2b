"""From a long behaviour that breaks a property to a short one: leave out every event that is not needed."""

from collections.abc import Sequence

from raftcheck.explore.monitor import ARGUMENTS
from raftcheck.explore.result import Counterexample, Event, GlobalState
from raftcheck.explore.semantics import Semantics, Successor, describe
from raftcheck.model import Kind, Property, Step
from raftcheck.model.properties import RAISED


def execute(semantics: Semantics, events: Sequence[Event]) -> list[Successor] | None:
    """Execute events one after another from the initial state; None if one of them is not possible.

    An event that raises ends the execution.
    """
    state: GlobalState | None = semantics.initial()
    executed = []
    for event in events:
        successor = semantics.take(state, event) if state else None
        if successor is None:
            return None
        executed.append(successor)
        state = successor.state
    return executed


def first_violation(
    semantics: Semantics, properties: Sequence[Property], executed: Sequence[Successor]
) -> tuple[int, str] | None:
    """Return after how many events which property is violated first, None if none is.

    `always` properties are judged at every state and step, and so is whether a step raises.
    """
    claims = [checked for checked in properties if checked.kind is Kind.ALWAYS]
    before = semantics.initial()
    broken = _broken_by_state(claims, before)
    if broken is not None:
        return 0, broken
    for position, successor in enumerate(executed, 1):
        if successor.state is None:
            return position, RAISED
        broken = _broken_by_step(claims, before, successor)
        if broken is None:
            broken = _broken_by_state(claims, successor.state)
        if broken is not None:
            return position, broken
        before = successor.state
    return None


def _broken_by_state(claims: Sequence[Property], state: GlobalState) -> str | None:
    for claim in claims:
        if claim.over != "step" and not all(claim.predicate(*a) for a in ARGUMENTS[claim.over](state)):
            return claim.name
    return None


def _broken_by_step(claims: Sequence[Property], before: GlobalState, successor: Successor) -> str | None:
    pid, input, lost = successor.event
    if lost:
        return None
    for claim in claims:
        if claim.over == "step" and not claim.predicate(before.processes[pid], input, successor.step):
            return claim.name
    return None


def shortened(semantics: Semantics, properties: Sequence[Property], name: str, events: Sequence[Event]) -> list[Event]:
    """Return events, from which none can be left out, after which the named property is violated.

    Raises RuntimeError if `events` themselves do not violate it.
    """
    claims = [checked for checked in properties if checked.name == name]
    best = _cut(semantics, claims, name, events)
    if best is None:
        raise RuntimeError(f"the behaviour found to violate {name!r} does not: this is a bug in the checker")
    shorter: list[Event] | None = best
    while shorter is not None:
        best = shorter
        shorter = _without_one(semantics, claims, name, best)
    return best


def _without_one(
    semantics: Semantics, claims: Sequence[Property], name: str, events: list[Event]
) -> list[Event] | None:
    """Leave out events, from the last to the first, wherever that still violates; None if none can be."""
    best = events
    for position in reversed(range(len(events))):
        if position < len(best):
            candidate = _cut(semantics, claims, name, [*best[:position], *best[position + 1 :]])
            best = candidate if candidate is not None else best
    return best if len(best) < len(events) else None


def _cut(semantics: Semantics, claims: Sequence[Property], name: str, events: Sequence[Event]) -> list[Event] | None:
    """Return the events up to the violation, without those that change nothing; None if there is none."""
    executed = execute(semantics, events)
    if executed is None:
        return None
    violation = first_violation(semantics, claims, executed)
    if violation is None or violation[1] != name:
        return None
    needed: list[Event] = []
    state: GlobalState | None = semantics.initial()
    for successor in executed[: violation[0]]:
        if successor.state != state or successor is executed[violation[0] - 1]:
            needed.append(successor.event)
        state = successor.state
    return needed


def saturate(semantics: Semantics, events: list[Event]) -> list[Event]:
    """Append to a behaviour all events that only send something new, until none is left."""
    executed = execute(semantics, events)
    if executed is None:
        raise RuntimeError("a behaviour that was explored cannot be executed: this is a bug in the checker")
    state = executed[-1].state if executed else semantics.initial()
    events = list(events)
    while state is not None:
        sending = next((s for s in semantics.successors(state) if _only_sends(state, s)), None)
        if sending is None:
            return events
        events.append(sending.event)
        state = sending.state
    return events


def _only_sends(before: GlobalState, successor: Successor) -> bool:
    after = successor.state
    return after is not None and before != after and before[::2] == after[::2]


def counterexample(semantics: Semantics, name: str, events: Sequence[Event]) -> Counterexample:
    """Execute events and return them as a counterexample to the named property."""
    executed = execute(semantics, events) or []
    states = [semantics.initial(), *(s.state for s in executed if s.state is not None)]
    steps: list[Step | None] = [successor.step for successor in executed]
    raised = executed[-1].error if executed else None
    return Counterexample(name, tuple(states), tuple(events), tuple(steps), describe(raised) if raised else None)
