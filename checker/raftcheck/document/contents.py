"""What a document of the specification has to tell, and in which order."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import raftspec.proof
import raftspec.raft
from raftspec.logic import (
    Action,
    Assignment,
    Call,
    Claim,
    Definition,
    Expression,
    ForAll,
    Function,
    Kind,
    Sort,
    Specification,
    Variable,
    functions_in,
    operands_of,
)

HOW_TO_READ = [
    "All that servers know, and every message that was sent, is a value of a function: log[n, i] is the entry of "
    "server n at index i. The tables tell of which sort the values are, and what they are at first.",
    "An action may happen whenever all of its guards are true. Then what stands left of := becomes what stands right "
    "of it; all at once, computed from what was before, and nothing else changes.",
]

AT_FIRST = (
    "At first all functions are as the tables say. Then one action happens after the other, with any values of its "
    "parameters, in any order; nothing has to happen."
)


@dataclass(frozen=True)
class Group:
    """Functions of a kind: a title, a short name, a sentence."""

    title: str
    name: str
    meaning: str
    functions: tuple[Function, ...]


@dataclass(frozen=True)
class Chapter:
    """Claims of a kind: a title and a sentence."""

    title: str
    meaning: str
    claims: tuple[Claim, ...]


def introduction() -> list[str]:
    """Return paragraphs that say what is modelled and what is not, in the words of the specification itself."""
    return paragraphs(raftspec.raft.__doc__)


def argument() -> list[str]:
    """Return paragraphs that say why it is safe, in the words of the specification itself."""
    return paragraphs(raftspec.proof.__doc__)


def paragraphs(docstring: str | None) -> list[str]:
    """Return the paragraphs of a docstring, each in one line."""
    return [" ".join(paragraph.split()) for paragraph in (docstring or "").strip().split("\n\n") if paragraph]


def groups(specification: Specification) -> list[Group]:
    """Return the functions of the specification by what they are for, empty groups left out."""
    persistent = tuple(f for f in specification.functions if f.kind is Kind.PERSISTENT)
    volatile = tuple(f for f in specification.functions if f.kind is Kind.VOLATILE)
    found = [
        Group("What never changes", "constants", "The same in all states.", of_kind(specification, Kind.CONSTANT)),
        Group("What each server keeps", "persistent", "On disk: a crash spares it.", persistent),
        Group("What each server knows while it runs", "volatile", "In memory: a crash takes it.", volatile),
        Group(
            "What was ever sent",
            "messages",
            "Messages are never taken away: each may be handled any number of times, in any order, or never.",
            of_kind(specification, Kind.MESSAGE),
        ),
        Group(
            "What only the proof remembers",
            "ghosts",
            "Ghost variables: no guard and no change of the others depends on them, so no server has to know them.",
            of_kind(specification, Kind.GHOST),
        ),
    ]
    return [group for group in found if group.functions]


def of_kind(specification: Specification, kind: Kind) -> tuple[Function, ...]:
    """Return the functions of a kind."""
    return tuple(function for function in specification.functions if function.kind is kind)


def chapters(specification: Specification) -> list[Chapter]:
    """Return all claims but lemmas, by what they are for."""
    return [
        Chapter("Axioms", "What is assumed.", specification.axioms),
        Chapter("Safety", "What users rely on: true in every state that can be reached.", specification.safety),
        Chapter(
            "Steps",
            "What is true of every step. A prime marks what is so after it.",
            specification.steps,
        ),
        Chapter(
            "Invariants",
            "What safety follows from: true at first, and preserved by every action.",
            specification.invariants,
        ),
    ]


def is_about_the_state(claim: Claim) -> bool:
    """Tell whether a claim depends on anything that changes."""
    return any(function.kind is not Kind.CONSTANT for function in functions_in(claim.formula))


def formulas(specification: Specification) -> Iterator[Expression]:
    """Yield every formula and term of the specification."""
    for action in specification.actions:
        yield from action.guard.values()
        for assignment in action.update:
            yield from (*assignment.arguments, assignment.value, assignment.where)
    for chapter in chapters(specification):
        yield from (claim.formula for claim in chapter.claims)
    for lemmas in specification.lemmas.values():
        yield from (lemma.formula for lemma in lemmas)


def definitions(specification: Specification) -> list[Definition]:
    """Return all definitions that the specification uses, each after those that it uses itself."""
    found: dict[str, Definition] = {}
    for formula in formulas(specification):
        add_definitions(formula, found)
    return list(found.values())


def add_definitions(expression: Expression, found: dict[str, Definition]) -> None:
    """Add the definitions that an expression uses."""
    for operand in operands_of(expression):
        add_definitions(operand, found)
    if isinstance(expression, Call):
        add_definitions(expression.definition.body, found)
        found.setdefault(expression.definition.name, expression.definition)


def variables(specification: Specification) -> list[Variable]:
    """Return all variables of the specification, by name and sort, in the order in which they first occur."""
    found: dict[tuple[str, str], Variable] = {}
    for action in specification.actions:
        found.update(((v.name, v.sort.name), v) for v in action.parameters if (v.name, v.sort.name) not in found)
    for variable in (v for formula in formulas(specification) for v in variables_in(formula)):
        found.setdefault((variable.name, variable.sort.name), variable)
    return list(found.values())


def variables_in(expression: Expression) -> Iterator[Variable]:
    """Yield the variables in an expression, those of definitions left out."""
    if isinstance(expression, Variable):
        yield expression
    if isinstance(expression, ForAll):
        yield from expression.variables
    for operand in operands_of(expression):
        yield from variables_in(operand)


def argument_names(specification: Specification, function: Function) -> tuple[Variable, ...]:
    """Return variables for the arguments of a function: those that its meaning speaks of, before them any others."""
    known = variables(specification)
    spoken = re.findall(r"\w+", function.meaning)
    chosen: dict[Sort, list[Variable]] = {}
    for sort in dict.fromkeys(function.arguments):
        of_sort = [variable for variable in known if variable.sort == sort]
        mentioned = sorted((v for v in of_sort if v.name in spoken), key=lambda v: spoken.index(v.name))
        others = [variable for variable in of_sort if variable.name not in spoken]
        lacking = max(0, function.arguments.count(sort) - len(mentioned))
        spare = [Variable(f"x{number}", sort) for number in range(1, lacking - len(others) + 1)]
        chosen[sort] = [*others[:lacking], *spare, *mentioned]
    return tuple(chosen[sort].pop(0) for sort in function.arguments)


def names_of_sorts(specification: Specification) -> dict[Sort, list[str]]:
    """Return for each sort the names that stand for its elements."""
    found: dict[Sort, list[str]] = {}
    for variable in variables(specification):
        found.setdefault(variable.sort, []).append(variable.name)
    return found


def first_value(function: Function) -> str:
    """Return in words what a function is at first; nothing, if it never changes."""
    if function.kind is Kind.CONSTANT:
        return ""
    return "any" if function.initially is None else str(function.initially).lower()


def remembered(action: Action) -> tuple[list[Assignment], list[Assignment]]:
    """Return the assignments of an action: those that happen, and those that only the proof remembers."""
    ghost = [assignment for assignment in action.update if assignment.function.kind is Kind.GHOST]
    return [assignment for assignment in action.update if assignment not in ghost], ghost


def everywhere(action: Action, arguments: Iterable[Expression]) -> list[Variable]:
    """Return the variables among the arguments of an assignment that stand for every value."""
    return [a for a in arguments if isinstance(a, Variable) and action.is_everywhere(a)]
