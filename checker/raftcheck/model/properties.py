"""What is to be checked: safety, witnesses, recoverability."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

Scope = Literal["process", "pair", "cluster", "step"]
Predicate = Callable[..., bool]


class Kind(enum.Enum):
    """How a property quantifies over the reachable states."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"
    RECOVERABLE = "recoverable"


RAISED = "No Exception"
"""The name under which an exception raised by a process's step is reported."""


@dataclass(frozen=True)
class Property:
    """A named predicate and what is claimed of it; made by the functions of this module.

    `over` says what the predicate is given: "process": one process's state; "pair": the states of two
    different processes, in both orders; "cluster": the tuple of all states by pid, and the ghost; "step": a
    process's state before, the input and the Step. `source` says where the property comes from.
    """

    name: str
    kind: Kind
    over: Scope
    predicate: Predicate
    source: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip() or self.name == RAISED:
            raise ValueError(f"a property cannot be named {self.name!r}: give it a name of its own")
        if self.over not in get_args(Scope):
            raise ValueError(f"property {self.name!r}: over={self.over!r} is none of {', '.join(get_args(Scope))}")


def always(name: str, predicate: Predicate, over: Scope = "process", *, source: str = "") -> Property:
    """Claim that the predicate is true in every reachable state."""
    return Property(name, Kind.ALWAYS, over, predicate, source)


def always_step(name: str, predicate: Callable[[Any, Any, Any], bool], *, source: str = "") -> Property:
    """Claim that predicate(before, input, step) is true of every step that any process executes."""
    return Property(name, Kind.ALWAYS, "step", predicate, source)


def sometimes(name: str, predicate: Predicate, over: Scope = "process", *, source: str = "") -> Property:
    """Claim that the predicate is true somewhere. If it never is, the verdict is "vacuous", not "holds"."""
    return Property(name, Kind.SOMETIMES, over, predicate, source)


def recoverable(name: str, goal: Predicate, over: Scope = "process", *, source: str = "") -> Property:
    """Claim that from every reachable state a state with the goal can still be reached (AG EF goal).

    Over "process" and "pair" the goal is reached when it is true of some process or pair.
    """
    if over == "step":
        raise ValueError(f'property {name!r}: a goal is a set of states, over="step" is not possible')
    return Property(name, Kind.RECOVERABLE, over, goal, source)
