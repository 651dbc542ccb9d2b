"""Formulas and the whole specification as plain text, in the signs of mathematics."""

from collections.abc import Iterable, Iterator
from textwrap import wrap

from raftcheck.document.contents import (
    AT_FIRST,
    HOW_TO_READ,
    Group,
    argument,
    argument_names,
    chapters,
    definitions,
    first_value,
    groups,
    introduction,
    names_of_sorts,
    remembered,
)
from raftcheck.document.notation import Notation, Signs
from raftspec.logic import Action, Apply, Call, Claim, Definition, Expression, Specification
from raftspec.proof import RAFT

WIDTH = 110

SIGNS = Signs(
    words={"and": "∧", "or": "∨", "=": "=", "<=": "≤", "<": "<", "+": "+", True: "true", False: "false"},
    negation="¬",
    implication="⇒",
    quantifier="∀ %s:",
    choice=("if", "then", "else"),
    step="  ",
    unequal="≠",
)

TEXT = Notation(SIGNS)

SIGNS_IN_WORDS = "Formulas: ∧ and, ∨ or, ¬ not, ⇒ implies, ∀ for all; f'[x] is f[x] after the step."


def formula_text(expression: Expression) -> str:
    """Return a formula in one line: "∀ p: member[p, q] ⇒ votes_granted[n, p]". f'[x] is f[x] after the step."""
    return TEXT.one_line(expression)


def specification_text(specification: Specification = RAFT) -> str:
    """Return the whole specification as plain text."""
    lines = [*title("The specification of Raft", "="), *prose(introduction())]
    lines += [*title("How to read it"), *prose([*HOW_TO_READ, SIGNS_IN_WORDS]), "", *names(specification)]
    for group in groups(specification):
        lines += [*title(group.title), *prose([group.meaning]), "", *variables_of(specification, group)]
    lines += [*title("Definitions")]
    lines += joined(map(definition_text, definitions(specification)))
    lines += [*title("What may happen"), *prose([AT_FIRST])]
    for action in specification.actions:
        lines += ["", *action_text(action)]
    lines += [*title("Why it is safe"), *prose(argument())]
    for chapter in chapters(specification):
        lines += [*title(chapter.title), *prose([chapter.meaning]), "", *joined(map(claim_text, chapter.claims))]
    for name, lemmas in specification.lemmas.items():
        lines += [*title(f"Steps on the way of the proof: {name}"), *joined(map(claim_text, lemmas))]
    return "\n".join(lines).strip("\n") + "\n"


def names(specification: Specification) -> Iterator[str]:
    """Yield which names stand for what."""
    for sort, variables in names_of_sorts(specification).items():
        kind = " (a number)" if sort.is_number else ""
        yield f"  {sort.name + kind:20}{', '.join(variables)}"


def variables_of(specification: Specification, group: Group) -> list[str]:
    """Return a table of variables: what they look like, what their values are, and at first, what they mean."""
    rows = [
        (formula_text(Apply(function, argument_names(specification, function))), function.result.name,
         first_value(function), function.meaning)
        for function in group.functions
    ]  # fmt: skip
    widths = [max(len(row[column]) for row in rows) + 2 for column in range(3)]
    return ["  " + "".join(map(str.ljust, row, widths)) + row[3] for row in rows]


def definition_text(definition: Definition) -> list[str]:
    """Return a definition."""
    head = formula_text(Call(definition, definition.parameters))
    return [f"  {head} := {formula_text(definition.body)}", *prose([definition.meaning], "      ")]


def action_text(action: Action) -> list[str]:
    """Return an action: its sentence and source, its guards with their names, what it changes."""
    lines = [f"{action.name}({', '.join(variable.name for variable in action.parameters)})"]
    lines += prose([action.meaning, f"({action.source})"], "  ", gap=False)
    if action.guard:
        lines += ["  when"]
    for name, guard in action.guard.items():
        lines += [f"    {name}:", *TEXT.lines(guard, WIDTH - 8, " " * 8)]
    real, ghost = remembered(action)
    for word, assignments in (("then", real), ("and the proof remembers", ghost)):
        if assignments:
            lines += [f"  {word}", *(f"    {TEXT.assigned(action, assignment)}" for assignment in assignments)]
    return lines


def claim_text(claim: Claim) -> list[str]:
    """Return a claim with its meaning."""
    source = f" ({claim.source})" if claim.source else ""
    return [f"  {claim.name}", *prose([claim.meaning + source], "    "), *TEXT.lines(claim.formula, WIDTH - 8, " " * 8)]


def prose(paragraphs: Iterable[str], indent: str = "", gap: bool = True) -> list[str]:
    """Return paragraphs in lines, with an empty line between them if there is to be a gap."""
    texts = [wrap(paragraph, WIDTH, initial_indent=indent, subsequent_indent=indent) for paragraph in paragraphs]
    return joined(texts) if gap else [line for text in texts for line in text]


def title(text: str, line: str = "-") -> list[str]:
    """Return a title."""
    return ["", text, line * len(text), ""]


def joined(texts: Iterable[list[str]]) -> list[str]:
    """Return texts with an empty line between them."""
    lines: list[str] = []
    for text in texts:
        lines += ["", *text] if lines else text
    return lines
