"""One behaviour as it grows: a global state that is changed in place, for behaviours of many thousand events.

What an event does is asked of `Semantics`, as the explorers do.
"""

from typing import NamedTuple

from raftcheck.explore.networks import TABLES, Contents
from raftcheck.explore.result import Event, GlobalState
from raftcheck.explore.semantics import Move, Semantics
from raftcheck.model import Value

REMEMBERED = 20_000
"""How many answers of a system's functions a long behaviour keeps before it forgets them all."""

NOTHING_UNDER_WAY: Contents = frozenset()


class Taken(NamedTuple):
    """An event that was taken: what it did, the state of its process before, and whether anything changed.

    A move with an error changed nothing: there is no state after it.
    """

    move: Move
    before: Value
    changed: bool


class Run:
    """The state at the end of a behaviour."""

    def __init__(self, semantics: Semantics) -> None:
        self.semantics = semantics
        self.processes, _, self.ghost = semantics.initial()
        self.network = TABLES[semantics.system.network]()

    def take(self, event: Event) -> Taken | None:
        """Take an event, None if it is not possible. The same as `Semantics.take`, in place."""
        if self.semantics.remembered > REMEMBERED:
            self.semantics.forget()
        envelope = event.envelope
        is_under_way = envelope is not None and self.network.can_deliver(envelope)
        move = self.semantics.move_of(event, self.processes, self.ghost, is_under_way)
        if move is None:
            return None
        before = self.processes[event.pid]
        if move.error is not None:
            return Taken(move, before, False)
        changed = envelope is not None and self.network.remove(envelope)
        if move.step is not None and move.step.state != before:
            pid = event.pid
            self.processes = (*self.processes[:pid], move.step.state, *self.processes[pid + 1 :])
            changed = True
        changed = self.network.add(move.envelopes) or changed or move.ghost != self.ghost
        self.ghost = move.ghost
        return Taken(move, before, changed)

    def judged(self) -> GlobalState:
        """Return the state as properties see it, without the network."""
        return GlobalState(self.processes, NOTHING_UNDER_WAY, self.ghost)

    def state(self) -> GlobalState:
        """Return the state as a plain value."""
        return GlobalState(self.processes, self.network.contents(), self.ghost)


class Kinds:
    """Sorts inputs by kind, and remembers which one of each kind was taken last.

    Inputs of a kind are often numbered and only possible in their order (a client's requests, say). So the one
    after the last is worth a try before all others.
    """

    def __init__(self, semantics: Semantics) -> None:
        self._semantics = semantics
        self._sorted: dict[tuple[int, Value], dict[Value, list[Value]]] = {}
        self._next: dict[Value, int] = {}

    def of(self, pid: int, local: Value) -> dict[Value, list[Value]]:
        """Return the inputs of a process in a state by kind, in the order in which the process names them."""
        if (pid, local) not in self._sorted:
            if len(self._sorted) > REMEMBERED // 100:
                self._sorted.clear()
            by_kind: dict[Value, list[Value]] = {}
            for input in self._semantics.inputs(pid, local):
                by_kind.setdefault(kind_of(input), []).append(input)
            self._sorted[pid, local] = by_kind
        return self._sorted[pid, local]

    def next(self, kind: Value, inputs: list[Value]) -> Value:
        """Return the input of a kind that comes after the last one taken."""
        return inputs[self._next.get(kind, 0) % len(inputs)]

    def taken(self, input: Value, inputs: list[Value]) -> None:
        """Note that an input was taken."""
        self._next[kind_of(input)] = inputs.index(input) + 1


def kind_of(input: Value) -> Value:
    """Return the kind of an input: its type; for a tuple its first item and for a text the text itself."""
    if type(input) is tuple and input:
        return kind_of(input[0])
    return input if isinstance(input, str) else type(input)
