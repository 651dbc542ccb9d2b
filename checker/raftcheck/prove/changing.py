"""How to change a specification: drop or replace a guard, an assignment, an axiom."""

from dataclasses import replace

from raftspec.logic import Action, Assignment, Expression, Function, Specification, SpecificationError


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
