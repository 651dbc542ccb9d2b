"""Counterexamples to induction, for people: the state, the action, what it changes, and what that breaks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from raftcheck.prove.safety.finite import InductionCounterexample
from raftspec.concrete import State, Value, Values
from raftspec.logic import BOOLEAN, Action, Function, Sort
from raftspec.raft import ENTRY, MESSAGE, QUORUM, SERVER

FORMATS: Mapping[Sort, Callable[[Any], str]] = {
    SERVER: lambda server: f"s{server}",
    QUORUM: lambda quorum: "{" + ", ".join(f"s{server}" for server in sorted(quorum)) + "}",
    ENTRY: lambda entry: f"{entry[0]}:{'abcdefgh'[entry[1]]}",
    MESSAGE: lambda message: f"m{message}",
    BOOLEAN: lambda truth: str(truth).lower(),
}
"""How values are written; numbers as they are. An entry is its term and a letter."""


def value_text(sort: Sort, value: Value) -> str:
    """Return a value in words."""
    return FORMATS.get(sort, str)(value)


def summary(found: InductionCounterexample) -> str:
    """Return in a line what is broken by what."""
    broken = ", ".join(f'"{name}"' for name in found.broken)
    if found.action:
        return f"{found.action.name} breaks {broken}"
    return f"{'the initial state breaks' if found.is_initial else 'it does not follow:'} {broken}"


def counterexample_text(found: InductionCounterexample) -> str:
    """Return a counterexample in lines. What is not listed of its state is false, 0, or the first element."""
    shown = found.specification.state
    lines = [headline(found)]
    lines += [f"  {line}" for function in shown for line in function_lines(function, found.before)]
    if found.action:
        lines += [f"In it {action_text(found.action, found.arguments)} may happen. It changes"]
        lines += [f"  {line}" for line in changes(shown, found.before, found.after)]
    lines += ["That breaks" if found.action else "In it these are not true:"]
    return "\n".join([*lines, *(f"  {line}" for line in broken_lines(found))])


def headline(found: InductionCounterexample) -> str:
    """Return what kind of state it is."""
    servers, quorum = len(found.universe.domain(SERVER)), found.universe.domain(QUORUM)[0]
    cluster = f"{servers} {'server' if servers == 1 else 'servers'} (quorums of {len(quorum)})"  # type: ignore[arg-type]
    if found.is_initial:
        return f"The initial state of {cluster}:"
    return f"A state of {cluster} in which every invariant is true (what is not listed is false, 0, s0 ...):"


def action_text(action: Action, arguments: Mapping[str, Value]) -> str:
    """Return an action with its arguments."""
    given = (f"{p.name} = {value_text(p.sort, arguments[p.name])}" for p in action.parameters)
    return f"{action.name}({', '.join(given)})"


def function_lines(function: Function, state: State) -> Iterator[str]:
    """Yield what a function is: true of what, or its values; nothing if it is false, 0 or the first everywhere."""
    values = state[function.name]
    points = sorted(values, key=str)
    if function.result == BOOLEAN and values:
        yield f"{function.name}: {', '.join(arguments_text(function, point) for point in points)}"
    elif values:
        yield f"{function.name}: {', '.join(point_text(function, values, point) for point in points)}"


def point_text(function: Function, values: Values, point: tuple[Value, ...]) -> str:
    """Return a function's value at some arguments."""
    return f"{arguments_text(function, point)} is {value_text(function.result, values[point])}"


def arguments_text(function: Function, arguments: tuple[Value, ...]) -> str:
    """Return arguments in words."""
    words = [value_text(sort, value) for sort, value in zip(function.arguments, arguments, strict=True)]
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def changes(functions: Sequence[Function], before: State, after: State) -> Iterator[str]:
    """Yield what a step changes."""
    for function in functions:
        old, new = before[function.name], after[function.name]
        for point in sorted({*old, *new}, key=str):
            if old.get(point) != new.get(point):
                value = value_text(function.result, new[point]) if point in new else "what it is at first"
                yield f"{function.name}[{arguments_text(function, point).strip('[]')}] to {value}"


def broken_lines(found: InductionCounterexample) -> Iterator[str]:
    """Yield what is broken, with its meaning."""
    specification = found.specification
    for claim in (*specification.safety, *specification.steps, *specification.invariants):
        if claim.name in found.broken:
            yield f"{claim.name}: {claim.meaning}"
