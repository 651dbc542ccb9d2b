"""Whether a specification is well formed: what a proof takes for granted, and nothing else would notice."""

from collections import Counter
from collections.abc import Iterable, Iterator

from raftspec.logic import (
    Action,
    Apply,
    Assignment,
    Call,
    Claim,
    Definition,
    Expression,
    ForAll,
    Kind,
    Specification,
    Variable,
    functions_in,
    operands_of,
    parts,
)


def faults(specification: Specification) -> tuple[str, ...]:
    """Return what is not well formed, in words.

    Names must be unique: a second action or claim of a name might never be looked at. Claims must not have free
    variables: they would stand for whatever has that name where they are proved. Guards, and changes of what is real,
    must not read ghosts: these only remember. Axioms must not speak of the state.
    """
    return (
        *name_faults(specification),
        *(fault for action in specification.actions for fault in action_faults(action)),
        *claim_faults(specification),
        *axiom_faults(specification.axioms),
    )


def name_faults(specification: Specification) -> Iterator[str]:
    """Yield names that are given twice, and lemmas of actions that there are not."""
    claims = (*specification.axioms, *specification.invariants, *specification.safety, *specification.steps)
    named: dict[str, Iterable[str]] = {
        "functions": [function.name for function in specification.functions],
        "actions": [action.name for action in specification.actions],
        "claims": [claim.name for claim in claims],
        **{f"lemmas of {name}": [lemma.name for lemma in lemmas] for name, lemmas in specification.lemmas.items()},
    }
    for what, names in named.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{count} {what} are named {name!r}"
    for name in specification.lemmas.keys() - {action.name for action in specification.actions}:
        yield f"there are lemmas of {name}, which is no action"


def action_faults(action: Action) -> Iterator[str]:
    """Yield what is wrong with an action."""
    parameters = {parameter.name for parameter in action.parameters}
    if len(parameters) < len(action.parameters):
        yield f"{action.name} has two parameters of the same name"
    for name, guard in action.guard.items():
        yield from expression_faults(f"guard {name!r} of {action.name}", guard, parameters, may_read_ghosts=False)
    for assignment in action.update:
        yield from assignment_faults(action, assignment, parameters)


def assignment_faults(action: Action, assignment: Assignment, parameters: set[str]) -> Iterator[str]:
    """Yield what is wrong with an assignment."""
    function = assignment.function
    what = f"{action.name}'s assignment to {function.name}"
    if function.kind is Kind.CONSTANT:
        yield f"{what} changes what never changes"
    everywhere = [a.name for a in assignment.arguments if isinstance(a, Variable) and action.is_everywhere(a)]
    if len(set(everywhere)) < len(everywhere):
        yield f"{what} has the same variable twice: to change the diagonal, use two and a condition"
    known = parameters | set(everywhere)
    for expression in (*assignment.arguments, assignment.value, assignment.where):
        yield from expression_faults(what, expression, known, may_read_ghosts=function.kind is Kind.GHOST)


def claim_faults(specification: Specification) -> Iterator[str]:
    """Yield what is wrong with claims and lemmas."""
    for claim in (*specification.axioms, *specification.invariants, *specification.safety):
        yield from expression_faults(f"claim {claim.name!r}", claim.formula, set())
    for claim in specification.steps:
        yield from expression_faults(f"claim {claim.name!r}", claim.formula, set(), may_speak_of_after=True)
    for action in specification.actions:
        parameters = {parameter.name for parameter in action.parameters}
        for lemma in specification.lemmas.get(action.name, ()):
            what = f"lemma {lemma.name!r} of {action.name}"
            yield from expression_faults(what, lemma.formula, parameters, may_speak_of_after=True)


def axiom_faults(axioms: Iterable[Claim]) -> Iterator[str]:
    """Yield axioms that speak of the state. That a quorum in the state is one may be said: it is true of all."""
    for axiom in axioms:
        body = axiom.formula.body if isinstance(axiom.formula, ForAll) else axiom.formula
        is_mark = isinstance(body, Apply) and body.function.name == "is_quorum"
        if not is_mark and any(function.kind is not Kind.CONSTANT for function in functions_in(axiom.formula)):
            yield f"axiom {axiom.name!r} speaks of the state: what is true of that is to be proved"


def expression_faults(
    what: str,
    expression: Expression,
    known: set[str],
    *,
    may_read_ghosts: bool = True,
    may_speak_of_after: bool = False,
) -> Iterator[str]:
    """Yield variables that stand for nothing, ghosts that are read, and states after a step where there is no step."""
    for name in sorted(free_variables(expression) - known):
        yield f"{what}: the variable {name} stands for nothing"
    ghosts = {function.name for function in functions_in(expression) if function.kind is Kind.GHOST}
    if ghosts and not may_read_ghosts:
        yield f"{what} reads {', '.join(sorted(ghosts))}, which only the proof remembers"
    if not may_speak_of_after and any(isinstance(part, Apply) and part.is_after for part in parts(expression)):
        yield f"{what} speaks of the state after a step"
    for definition in definitions_in(expression):
        unknown = free_variables(definition.body) - {parameter.name for parameter in definition.parameters}
        for name in sorted(unknown):
            yield f"definition {definition.name}: the variable {name} stands for nothing"


def definitions_in(expression: Expression) -> Iterable[Definition]:
    """Return the definitions that an expression uses, each once."""
    return {p.definition.name: p.definition for p in parts(expression) if isinstance(p, Call)}.values()


def free_variables(expression: Expression) -> set[str]:
    """Return the names of the variables that nothing in an expression binds; definitions bind their own."""
    if isinstance(expression, Variable):
        return {expression.name}
    free = {name for operand in operands_of(expression) for name in free_variables(operand)}
    return free - {v.name for v in expression.variables} if isinstance(expression, ForAll) else free
