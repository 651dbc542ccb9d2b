"""Evaluates properties, each predicate once for each distinct argument."""

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from raftcheck.explore.result import GlobalState, PropertyResult
from raftcheck.model import Kind, Property, Scope, Step, Value
from raftcheck.model.properties import RAISED

Arguments = tuple[Any, ...]


def _process_arguments(state: GlobalState) -> Iterator[Arguments]:
    return ((local,) for local in state.processes)


def _pair_arguments(state: GlobalState) -> Iterator[Arguments]:
    return permutations(state.processes, 2)


def _cluster_arguments(state: GlobalState) -> Iterator[Arguments]:
    yield state.processes, state.ghost


ARGUMENTS: dict[Scope, Callable[[GlobalState], Iterator[Arguments]]] = {
    "process": _process_arguments,
    "pair": _pair_arguments,
    "cluster": _cluster_arguments,
}


class Evaluator:
    """One property, evaluated at states."""

    def __init__(self, checked: Property) -> None:
        self.property = checked
        self._known: dict[Arguments, bool] = {}

    def value(self, arguments: Arguments) -> bool:
        """Return the predicate's value."""
        if arguments not in self._known:
            self._known[arguments] = bool(self.property.predicate(*arguments))
        return self._known[arguments]

    def forget(self, more_than: int = 0) -> None:
        """Forget all values if there are more than so many."""
        if len(self._known) > more_than:
            self._known.clear()

    def is_true_everywhere(self, state: GlobalState) -> bool:
        """Tell whether the predicate is true of all processes (pairs, the cluster) in a state."""
        return all(self.value(arguments) for arguments in ARGUMENTS[self.property.over](state))

    def is_true_somewhere(self, state: GlobalState) -> bool:
        """Tell whether the predicate is true of some process (pair, the cluster) in a state."""
        return any(self.value(arguments) for arguments in ARGUMENTS[self.property.over](state))


class Remarks(NamedTuple):
    """What is remarkable of a step: it breaks a property, or is a witness that was still missing."""

    broken: bool
    witness: bool

    def __or__(self, other: "Remarks") -> "Remarks":
        return Remarks(self.broken or other.broken, self.witness or other.witness)


class Monitor:
    """Watches an exploration: which `always` property breaks first, and which witnesses were found when.

    No property reads the network, so all states with the same processes and ghost are judged at once; and
    each step is judged when it is first executed.
    """

    def __init__(self, properties: Sequence[Property]) -> None:
        evaluators = [Evaluator(checked) for checked in properties]
        self.properties = properties
        self.witness_depth: dict[str, int] = {}
        self.recoverable = [e for e in evaluators if e.property.kind is Kind.RECOVERABLE]
        self._always, self._always_step = _split(evaluators, Kind.ALWAYS)
        self._missing, self._missing_step = _split(evaluators, Kind.SOMETIMES)
        self._judged_states: set[tuple[Value, Value]] = set()
        self._judged_steps: set[Arguments] = set()

    def broken_by_state(self, state: GlobalState, depth: int) -> str | None:
        """Note the witnesses in a new state; return the name of the first property that it breaks, if any."""
        judged = (state.processes, state.ghost)
        if judged in self._judged_states:
            return None
        self._judged_states.add(judged)
        found = [e for e in self._missing if e.is_true_somewhere(state)]
        self._missing = self._note(found, self._missing, depth)
        return next((e.property.name for e in self._always if not e.is_true_everywhere(state)), None)

    def broken_by_step(self, pid: int, before: Value, input: Value, step: Step, depth: int) -> str | None:
        """The same for a step of a process; `depth` is that of the state after it."""
        judged = (pid, before, input)
        if judged in self._judged_steps:
            return None
        self._judged_steps.add(judged)
        found = [e for e in self._missing_step if e.property.predicate(before, input, step)]
        self._missing_step = self._note(found, self._missing_step, depth)
        return next((e.property.name for e in self._always_step if not e.property.predicate(before, input, step)), None)

    @property
    def state_properties(self) -> list[Property]:
        """The properties of states that are to be judged: claims, then witnesses still missing."""
        return [evaluator.property for evaluator in (*self._always, *self._missing)]

    @property
    def steps_tell_names_apart(self) -> bool:
        """Tell whether a property of steps may tell the processes apart."""
        return any(not e.property.symmetric for e in (*self._always_step, *self._missing_step))

    def remark_on_step(self, before: Value, input: Value, step: Step, named_alike: bool) -> Remarks:
        """Return what is remarkable of a step, without noting anything.

        Unless `named_alike`, ask only the properties that may tell the processes apart.
        """
        always, missing = (
            [e.property for e in evaluators if named_alike or not e.property.symmetric]
            for evaluators in (self._always_step, self._missing_step)
        )
        return Remarks(
            broken=not all(checked.predicate(before, input, step) for checked in always),
            witness=any(checked.predicate(before, input, step) for checked in missing),
        )

    def forget(self, more_than: int) -> None:
        """Forget what was judged wherever that is more than so many: it is judged again when it comes again."""
        for judged in (self._judged_states, self._judged_steps):
            if len(judged) > more_than:
                judged.clear()
        for evaluator in (*self._always, *self._missing):
            evaluator.forget(more_than)

    def _note(self, found: list[Evaluator], missing: list[Evaluator], depth: int) -> list[Evaluator]:
        """Note witnesses; return those that are still missing."""
        for evaluator in found:
            self.witness_depth[evaluator.property.name] = depth
        return [e for e in missing if e not in found] if found else missing

    def results(self, violated: str | None, complete: bool) -> tuple[PropertyResult, ...]:
        """Return what is known of every property at the end of an exploration."""
        results = tuple(self._result(checked, violated, complete) for checked in self.properties)
        if violated == RAISED:
            return (*results, PropertyResult(RAISED, Kind.ALWAYS, "violated"))
        return results

    def _result(self, checked: Property, violated: str | None, complete: bool) -> PropertyResult:
        depth = self.witness_depth.get(checked.name)
        if checked.name == violated:
            return PropertyResult(checked.name, checked.kind, "violated", checked.source)
        if depth is not None:
            return PropertyResult(checked.name, checked.kind, "holds", checked.source, depth)
        if not complete or (violated and checked.kind is Kind.RECOVERABLE):
            return PropertyResult(checked.name, checked.kind, "unknown", checked.source)
        if checked.kind is Kind.SOMETIMES:
            return PropertyResult(checked.name, checked.kind, "missing", checked.source)
        return PropertyResult(checked.name, checked.kind, "holds", checked.source)


def _split(evaluators: list[Evaluator], kind: Kind) -> tuple[list[Evaluator], list[Evaluator]]:
    """Return the evaluators of a kind: those on states, those on steps."""
    of_kind = [e for e in evaluators if e.property.kind is kind]
    return [e for e in of_kind if e.property.over != "step"], [e for e in of_kind if e.property.over == "step"]
