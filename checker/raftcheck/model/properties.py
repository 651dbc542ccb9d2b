"""What is to be checked: safety, witnesses, recoverability."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

Scope = Literal["process", "pair", "cluster", "step"]
Predicate = Callable[..., bool]
View = Callable[[Any], Any]
Explanation = Callable[[Any, Any, Any], str | None]


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

    `view` and `ghost_view`, if given, are applied to states and ghost before the predicate sees them: explorers then
    evaluate it once for each distinct view. `symmetric` says that a predicate over steps does not tell processes apart:
    it says the same of a step in which they are renamed. `explain`, if given, is asked of a step that breaks the
    property: why it does, in words.
    """

    name: str
    kind: Kind
    over: Scope
    judge: Predicate
    source: str = ""
    view: View | None = None
    ghost_view: View | None = None
    symmetric: bool = False
    explain: Explanation | None = None

    def __post_init__(self) -> None:
        if not self.name.strip() or self.name == RAISED:
            raise ValueError(f"a property cannot be named {self.name!r}: give it a name of its own")
        if self.over not in get_args(Scope):
            raise ValueError(f"property {self.name!r}: over={self.over!r} is none of {', '.join(get_args(Scope))}")
        if self.over == "step" and (self.view or self.ghost_view):
            raise ValueError(f"property {self.name!r}: a predicate over steps has no views")
        if self.over != "step" and self.symmetric:
            raise ValueError(f'property {self.name!r}: only predicates over="step" can be declared symmetric')
        if self.over != "step" and self.explain:
            raise ValueError(f'property {self.name!r}: only predicates over="step" can explain themselves')

    def predicate(self, *arguments: Any) -> bool:
        """Tell what the predicate says of states (and ghost), or of a step, as they are: views are applied first."""
        match self.over, arguments:
            case "cluster", (states, ghost) if self.view or self.ghost_view:
                return self.judge(tuple(map(self._seen, states)), self.ghost_view(ghost) if self.ghost_view else ghost)
            case "process" | "pair", _:
                return self.judge(*map(self._seen, arguments))
            case _:
                return self.judge(*arguments)

    def _seen(self, state: Any) -> Any:
        return self.view(state) if self.view else state


def always(
    name: str,
    predicate: Predicate,
    over: Scope = "process",
    *,
    source: str = "",
    view: View | None = None,
    ghost_view: View | None = None,
) -> Property:
    """Claim that the predicate is true in every reachable state."""
    return Property(name, Kind.ALWAYS, over, predicate, source, view, ghost_view)


def always_step(
    name: str,
    predicate: Callable[[Any, Any, Any], bool],
    *,
    source: str = "",
    symmetric: bool = False,
    explain: Explanation | None = None,
) -> Property:
    """Claim that predicate(before, input, step) is true of every step that any process executes.

    `explain`, given the same, says in words why it is not.
    """
    return Property(name, Kind.ALWAYS, "step", predicate, source, symmetric=symmetric, explain=explain)


def sometimes(
    name: str,
    predicate: Predicate,
    over: Scope = "process",
    *,
    source: str = "",
    view: View | None = None,
    ghost_view: View | None = None,
    symmetric: bool = False,
) -> Property:
    """Claim that the predicate is true somewhere. If it never is, the verdict is "vacuous", not "holds"."""
    return Property(name, Kind.SOMETIMES, over, predicate, source, view, ghost_view, symmetric)


def recoverable(name: str, goal: Predicate, over: Scope = "process", *, source: str = "") -> Property:
    """Claim that from every reachable state a state with the goal can still be reached (AG EF goal).

    Over "process" and "pair" the goal is reached when it is true of some process or pair.
    """
    if over == "step":
        raise ValueError(f'property {name!r}: a goal is a set of states, over="step" is not possible')
    return Property(name, Kind.RECOVERABLE, over, goal, source)
