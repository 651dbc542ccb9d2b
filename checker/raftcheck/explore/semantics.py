"""What a system can do next: the meaning of a System, in plain Python, one global state at a time."""

from collections.abc import Iterator
from typing import NamedTuple

from raftcheck.explore.networks import OPERATIONS, Contents
from raftcheck.explore.result import Event, GlobalState
from raftcheck.model import Deliver, Envelope, ModelError, Network, Send, Step, System, Value


class Successor(NamedTuple):
    """One event that is possible in a state, and what comes of it.

    `step` is None for a message that was lost; `state` is None if the process raised `error` instead of
    stepping. A `state` equal to the one before is a no-op: the step was executed, but it is no transition.
    """

    event: Event
    step: Step | None
    state: GlobalState | None
    error: Exception | None = None


class Move(NamedTuple):
    """What one process does with an input under a ghost, whatever the rest of the global state is."""

    event: Event
    step: Step | None
    ghost: Value = None
    envelopes: tuple[Envelope, ...] = ()
    error: Exception | None = None


class Semantics:
    """Computes the successors of global states. What the system's functions return is remembered."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._operations = OPERATIONS[system.network]
        self._may_lose = may_lose(system)
        behaviours = [id(process) for process in system.processes]
        self._same_process = [behaviours.index(behaviour) for behaviour in behaviours]
        self._inputs: dict[tuple[int, Value], tuple[Value, ...]] = {}
        self._steps: dict[tuple[int, Value, Value], Step | Exception | None] = {}
        self._moves: dict[tuple[int, Value, Value, Value], Move | None] = {}
        self._numbers: dict[Envelope, int] = {}

    @property
    def local_transitions(self) -> int:
        """How many distinct (process state, input) pairs were executed."""
        return len(self._steps)

    @property
    def remembered(self) -> int:
        """How many answers are remembered."""
        return len(self._moves) + len(self._inputs)

    def forget(self) -> None:
        """Forget what the system's functions returned: long behaviours hardly ever come by the same place again."""
        for memory in (self._inputs, self._steps, self._moves):
            memory.clear()

    def initial(self) -> GlobalState:
        """Return the one initial state: every process at its start, nothing under way."""
        processes = tuple(process.initial(pid) for pid, process in enumerate(self.system.processes))
        scenario = self.system.scenario
        return GlobalState(processes, frozenset(), scenario.initial if scenario is not None else None)

    def successors(self, state: GlobalState) -> Iterator[Successor]:
        """Yield everything that may happen in a state, always in the same order."""
        for pid, local in enumerate(state.processes):
            for input in self.inputs(pid, local):
                move = self.move(pid, local, input, state.ghost)
                if move:
                    yield self._after(state, move, state.network)
        for envelope in sorted(self._operations.deliverable(state.network), key=self._number):
            to, sender, message = envelope
            input = Deliver(sender, message)
            move = self.move(to, state.processes[to], input, state.ghost)
            if move or self._may_lose:
                remaining = self._operations.remove(state.network, envelope)
            if move:
                yield self._after(state, move, remaining)
            if self._may_lose:
                yield Successor(Event(to, input, lost=True), None, state._replace(network=remaining))

    def take(self, state: GlobalState, event: Event) -> Successor | None:
        """Return what comes of one event in a state, None if it is not possible there."""
        network, envelope = state.network, event.envelope
        is_under_way = envelope is not None and envelope in self._operations.deliverable(network)
        move = self.move_of(event, state.processes, state.ghost, is_under_way)
        if move is None:
            return None
        if envelope is not None:
            network = self._operations.remove(network, envelope)
        if event.lost:
            return Successor(event, None, state._replace(network=network))
        return self._after(state, move, network)

    def move_of(self, event: Event, processes: tuple[Value, ...], ghost: Value, is_under_way: bool) -> Move | None:
        """Return what comes of an event, None if it is not possible; a loss is a move without a step.

        `is_under_way` says whether the message that the event delivers or loses can be delivered now.
        """
        pid, input, lost = event
        if isinstance(input, Deliver):
            if not is_under_way or (lost and not self._may_lose):
                return None
            if lost:
                return Move(event, None, ghost)
        elif lost or input not in self.inputs(pid, processes[pid]):
            return None
        return self.move(pid, processes[pid], input, ghost)

    def _after(self, state: GlobalState, move: Move, network: Contents) -> Successor:
        """Put a move into the global state; `network` is without the message that was delivered."""
        event, step, ghost, envelopes, error = move
        if step is None:
            return Successor(event, None, None, error)
        pid, processes = event.pid, state.processes
        if step.state != processes[pid]:
            processes = (*processes[:pid], step.state, *processes[pid + 1 :])
        if envelopes:
            for envelope in envelopes:
                self._number(envelope)
            network = self._operations.add(network, envelopes)
        return Successor(event, step, GlobalState(processes, network, ghost))

    def move(self, pid: int, before: Value, input: Value, ghost: Value) -> Move | None:
        """Return what a process does with an input under a ghost, None if it is not enabled or not allowed."""
        key = (pid, before, input, ghost)
        try:
            return self._moves[key]
        except KeyError:
            move = self._moves[key] = self._new_move(pid, before, input, ghost)
            return move

    def _new_move(self, pid: int, before: Value, input: Value, ghost: Value) -> Move | None:
        step = self.step(pid, before, input)
        event = Event(pid, input)
        if step is None:
            return None
        if isinstance(step, Exception):
            return Move(event, None, error=step)
        scenario = self.system.scenario
        after = scenario.observe(ghost, pid, before, input, step) if scenario is not None else None
        if scenario is not None and after is None:
            return None
        return Move(event, step, after, self.envelopes(pid, step.sends))

    def step(self, pid: int, before: Value, input: Value) -> Step | Exception | None:
        """Return what a process does with an input, None if it is not enabled, or what it raised."""
        key = (self._same_process[pid], before, input)
        if key not in self._steps:
            try:
                self._steps[key] = with_tuples(self.system.processes[pid].step(before, input))
            except MemoryError:
                raise
            except Exception as error:
                self._steps[key] = error
        return self._steps[key]

    def inputs(self, pid: int, local: Value) -> tuple[Value, ...]:
        """Return what may happen to a process besides a delivery."""
        key = (self._same_process[pid], local)
        if key not in self._inputs:
            self._inputs[key] = tuple(self.system.processes[pid].inputs(local))
        return self._inputs[key]

    def envelopes(self, sender: int, sends: tuple[Send, ...]) -> tuple[Envelope, ...]:
        """Return what is sent as messages under way. Raises ModelError if a receiver does not exist."""
        for send in sends:
            if not 0 <= send.to < len(self.system.processes):
                raise ModelError(f"process {sender} sends to {send.to!r}: there is no such process")
        return tuple(Envelope(to, sender, message) for to, message in sends)

    def _number(self, envelope: Envelope) -> int:
        """Number envelopes as they are first sent: an order that does not depend on hashes."""
        return self._numbers.setdefault(envelope, len(self._numbers))


def may_lose(system: System) -> bool:
    """Tell whether losing a message is an event: on a set, a loss is a message that is not delivered any more."""
    return system.lossy and system.network is not Network.LOSSY_DUPLICATING


def with_tuples(step: Step | None) -> Step | None:
    """Return a step whose sends and outputs can be read more than once."""
    return None if step is None else Step(step.state, tuple(step.sends), tuple(step.outputs))


def describe(error: Exception) -> str:
    """Return an exception as one line."""
    return f"{type(error).__name__}: {error}"
