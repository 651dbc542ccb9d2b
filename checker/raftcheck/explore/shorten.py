"""From a long behaviour that breaks a property to a short one: leave out every event that is not needed."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from raftcheck.explore.monitor import ARGUMENTS, Evaluator
from raftcheck.explore.result import Counterexample, Event, GlobalState
from raftcheck.explore.running import REMEMBERED, Kinds, Run, Taken, kind_of
from raftcheck.explore.semantics import Semantics, Successor, describe
from raftcheck.explore.symmetry import Symmetry
from raftcheck.model import Deliver, Envelope, Kind, Property, Step, System
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


class Item(NamedTuple):
    """An event of a behaviour that is being shortened.

    `number` names the event for good. A message that it delivers was last sent by the event `source[0]`, as the
    message number `source[1]` of that.
    """

    number: int
    event: Event
    source: tuple[int, int] | None = None


class Shortening:
    """Behaviours of a system that violate one property, ever shorter.

    Leaving out an event mostly changes what the later ones meet: a term is another, a message is never sent. So an
    event that is no longer possible is replaced by its like, if there is one, and left out as well if there is
    none: instead of a message, the one that the same event sent now; instead of an input, the next of its kind.
    """

    def __init__(self, system: System, properties: Sequence[Property], name: str) -> None:
        self._semantics = Semantics(system)
        self._name = name
        claims = [Evaluator(p) for p in properties if p.name == name and p.kind is Kind.ALWAYS]
        self._steps = [claim for claim in claims if claim.property.over == "step"]
        self._states = [claim for claim in claims if claim.property.over != "step"]

    def violating(self, items: Sequence[Item]) -> list[Item] | None:
        """Execute items up to the violation; return those that changed something, None if nothing is violated."""
        run, kinds = Run(self._semantics), Kinds(self._semantics)
        sent: dict[tuple[int, int], Envelope] = {}
        source: dict[Envelope, tuple[int, int]] = {}
        done: list[Item] = []
        if not self._holds(run):
            return done
        for item in items:
            taken = self._take(run, kinds, sent, item)
            if taken is None:
                continue
            event = taken.move.event
            item = Item(item.number, event, source.get(event.envelope) if event.envelope else None)
            for position, envelope in enumerate(taken.move.envelopes):
                source[envelope] = (item.number, position)
                sent[item.number, position] = envelope
            is_broken = taken.move.error is not None or self._is_broken_by(taken) or not self._holds(run)
            if taken.changed or is_broken:
                done.append(item)
            if is_broken:
                return done
        return None

    def _take(self, run: Run, kinds: Kinds, sent: dict[tuple[int, int], Envelope], item: Item) -> Taken | None:
        """Take an event or its like; None if neither is possible, or raises where that is not what is looked for."""
        for event in self._alike(run, kinds, sent, item):
            taken = run.take(event)
            if taken is None or (taken.move.error is not None and self._name != RAISED):
                continue
            if event.envelope is None:
                kinds.taken(event.input, kinds.of(event.pid, taken.before)[kind_of(event.input)])
            return taken
        return None

    def _alike(self, run: Run, kinds: Kinds, sent: dict[tuple[int, int], Envelope], item: Item) -> Iterator[Event]:
        event = item.event
        now = sent.get(item.source) if item.source else None
        if now is not None and now.to == event.pid:
            yield Event(now.to, Deliver(now.sender, now.message), event.lost)
        yield event
        if event.envelope is None:
            kind = kind_of(event.input)
            inputs = kinds.of(event.pid, run.processes[event.pid]).get(kind)
            if inputs:
                yield Event(event.pid, kinds.next(kind, inputs))

    def _holds(self, run: Run) -> bool:
        state = run.judged()
        for claim in self._states:
            claim.forget(REMEMBERED)
            if not claim.is_true_everywhere(state):
                return False
        return True

    def _is_broken_by(self, taken: Taken) -> bool:
        step, input = taken.move.step, taken.move.event.input
        return step is not None and not all(c.property.predicate(taken.before, input, step) for c in self._steps)

    def without_chunks(self, items: list[Item], size: int) -> list[Item]:
        """Leave out so many events at once, from the last to the first, wherever that still violates."""
        end = len(items)
        while end > 0:
            start = max(0, end - size)
            shorter = self.violating([*items[:start], *items[end:]])
            if shorter is not None and len(shorter) < len(items):
                items = shorter
            end = min(start, len(items))
        return items


def violates(
    semantics: Semantics, properties: Sequence[Property], name: str, events: Sequence[Event], symmetry: Symmetry
) -> list[Event] | None:
    """Return a renaming of the events after which the named property is violated, None if there is none."""
    shortening = Shortening(semantics.system, properties, name)
    for names in symmetry.permutations:
        named = [Event(names[event.pid], symmetry.value(event.input, names), event.lost) for event in events]
        if shortening.violating([Item(number, event) for number, event in enumerate(named)]) is not None:
            return named
    return None


def shortened(semantics: Semantics, properties: Sequence[Property], name: str, events: Sequence[Event]) -> list[Event]:
    """Return events, from which none can be left out, after which the named property is violated.

    Large parts are tried first, so that behaviours may be long. Ctrl-C ends the search with the shortest so far.
    Raises RuntimeError if `events` themselves do not violate the property.
    """
    shortening = Shortening(semantics.system, properties, name)
    items = shortening.violating([Item(number, event) for number, event in enumerate(events)])
    if items is None:
        raise RuntimeError(f"the behaviour found to violate {name!r} does not: this is a bug in the checker")
    before = len(items) + 1
    with suppress(KeyboardInterrupt):
        while len(items) < before:
            before = len(items)
            for size in halves(len(items)):
                items = shortening.without_chunks(items, size)
    return [item.event for item in items]


def halves(number: int) -> list[int]:
    """Return the half of a number, the half of that, and so on down to 1."""
    return [number >> shift for shift in range(1, number.bit_length())] or [1]


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


def explained(found: Counterexample, properties: Sequence[Property]) -> Counterexample:
    """Return a counterexample with what its property says of the last step, if that explains itself."""
    explain = next((checked.explain for checked in properties if checked.name == found.violated), None)
    if explain is None or not found.steps or found.steps[-1] is None:
        return found
    pid, input, _ = found.events[-1]
    before = found.states[found.length - 1].processes[pid]
    return replace(found, explanation=explain(before, input, found.steps[-1]))
