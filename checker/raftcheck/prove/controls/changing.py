"""How to change a specification: drop or replace a guard, an assignment, an axiom. What results is a mutant."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from raftspec.logic import Action, Assignment, Expression, Function, Specification, SpecificationError
from raftspec.proof import RAFT
from raftspec.quorum import majority


@dataclass(frozen=True)
class Mutant:
    """A changed specification.

    `action` is the changed action, or the first one that misuses a changed axiom; `breaks` are the invariants that it
    does not preserve, in the execution given or according to the solver; `violates` is the property that an execution
    breaks, None if there is no such execution. `quorum_size` tells from the number of servers how many form a quorum.
    """

    name: str
    action: str
    description: str
    specification: Specification
    breaks: tuple[str, ...] = ()
    violates: str | None = None
    remark: str = ""
    quorum_size: Callable[[int], int] = majority


def mutant(
    name: str, changed: Action, description: str, breaks: tuple[str, ...], violates: str | None, remark: str = ""
) -> Mutant:
    """Return the mutant that has a changed action."""
    return Mutant(name, changed.name, description, RAFT.with_action(changed), breaks, violates, remark)


def harmless(name: str, changed: Action, description: str, remark: str) -> Mutant:
    """Return a mutant with a changed action that breaks nothing, and why not."""
    return mutant(name, changed, description, (), None, remark)


def require_guard(action: Action, name: str) -> None:
    """Raise SpecificationError unless the action has a guard of that name."""
    if name not in action.guard:
        raise SpecificationError(f"{action.name} has no guard {name!r}; it has: {', '.join(action.guard) or 'none'}")


def without_guard(action: Action, name: str) -> Action:
    """Return the action without one of its guards. Raises SpecificationError if it does not have it."""
    require_guard(action, name)
    return replace(action, guard={key: guard for key, guard in action.guard.items() if key != name})


def with_guard(action: Action, name: str, formula: Expression) -> Action:
    """Return the action with another formula for a guard. Raises SpecificationError if it does not have it."""
    require_guard(action, name)
    return replace(action, guard={**action.guard, name: formula})


def without_assignment(action: Action, function: Function) -> Action:
    """Return the action leaving a function as it is. Raises SpecificationError if it does so already."""
    kept = tuple(assignment for assignment in action.update if assignment.function != function)
    if len(kept) == len(action.update):
        raise SpecificationError(f"{action.name} does not change {function.name}")
    return replace(action, update=kept)


def with_assignments(action: Action, *assignments: Assignment) -> Action:
    """Return the action with these assignments, in place of those that change the same functions."""
    changed = {assignment.function for assignment in assignments}
    return replace(action, update=(*(a for a in action.update if a.function not in changed), *assignments))


def without_axiom(specification: Specification, name: str) -> Specification:
    """Return the specification without an axiom. Raises SpecificationError if there is no such axiom."""
    kept = tuple(axiom for axiom in specification.axioms if axiom.name != name)
    if len(kept) == len(specification.axioms):
        raise SpecificationError(f"there is no axiom {name!r}")
    return replace(specification, axioms=kept)
