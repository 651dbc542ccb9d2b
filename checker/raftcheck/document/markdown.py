"""The whole specification as Markdown, with formulas in LaTeX as GitHub and GitLab show them.

Formulas stand between $` and `$, and in blocks of language "math": there, Markdown leaves backslashes and underscores
alone.
"""

from collections.abc import Iterable, Iterator

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
from raftcheck.document.text import TEXT, formula_text
from raftspec.logic import Action, Apply, Call, Claim, Definition, Expression, Specification
from raftspec.proof import RAFT

WIDTH = 76

SIGNS = Signs(
    words={
        "and": r"\land", "or": r"\lor", "=": "=", "<=": r"\le", "<": "<", "+": "+",
        True: r"\text{true}", False: r"\text{false}",
    },
    negation=r"\lnot ",
    implication=r"\Rightarrow",
    quantifier=r"\forall %s:\;",
    choice=(r"\text{if }", r"\text{ then }", r"\text{ else }"),
    step=r"\hspace{1.5em}",
    unequal=r"\ne",
)  # fmt: skip

UNDERSCORE = r"\_"

SPACE_BEHIND = {r"\land": "0.83em", r"\lor": "0.83em", r"\Rightarrow": "0.5em"}
"""What makes a sign at the beginning of a line as wide as a step."""


class Latex(Notation):
    """Writes formulas in LaTeX."""

    def name(self, name: str) -> str:
        """Return a name: a single letter as it is, any other in one piece."""
        return name if len(name) == 1 else f"\\mathit{{{name.replace('_', UNDERSCORE)}}}"

    def prose(self, text: str) -> str:
        """Return words within a formula."""
        return f"\\text{{{text}}}"

    def length(self, expression: Expression) -> int:
        """Return how wide a formula in one line looks: not how long its source is."""
        return len(formula_text(expression))

    def leading(self, sign: str) -> str:
        """Return a sign at the beginning of a line, with the space behind it: as wide as a step."""
        return f"{{{sign}}}\\hspace{{{SPACE_BEHIND[sign]}}}"


LATEX = Latex(SIGNS)


def inline(formula: str) -> str:
    """Return a formula within a sentence."""
    return f"$`{formula}`$"


def formula_markdown(expression: Expression) -> str:
    """Return a formula within a sentence, in LaTeX."""
    return inline(LATEX.one_line(expression))


def block(expression: Expression, indent: str = "") -> list[str]:
    """Return a formula that stands alone, in as many lines as it takes."""
    lines = LATEX.lines(expression, WIDTH)
    if len(lines) > 1:
        rows = [f"&{line}" for line in lines]
        lines = [r"\begin{aligned}", *(f"{row} \\\\" for row in rows[:-1]), rows[-1], r"\end{aligned}"]
    return [f"{indent}{line}" for line in ["```math", *lines, "```"]]


def specification_markdown(specification: Specification = RAFT) -> str:
    """Return the whole specification as Markdown."""
    lines = ["# The specification of Raft", "", *spaced(introduction()), "", GENERATED]
    lines += ["", "## How to read it", "", *spaced([*HOW_TO_READ, SIGNS_IN_WORDS]), "", *names(specification)]
    lines += ["", "## What is known and what was sent"]
    for group in groups(specification):
        lines += ["", f"### {group.title}", "", group.meaning, "", *variables_of(specification, group)]
    lines += ["", "## Definitions", ""]
    for definition in definitions(specification):
        lines += definition_markdown(definition)
    lines += ["", "## What may happen", "", AT_FIRST, ""]
    lines += ["| action | |", "|---|---|"]
    lines += [f"| [{action.name}](#{action.name.lower()}) | {action.meaning} |" for action in specification.actions]
    for action in specification.actions:
        lines += ["", *action_markdown(action)]
    lines += ["", "## What is claimed, and why it is true", "", *spaced(argument())]
    for chapter in chapters(specification):
        lines += ["", f"### {chapter.title}", "", chapter.meaning, *claims(chapter.claims)]
    if specification.lemmas:
        lines += ["", "### Steps on the way of the proof", "", LEMMAS_IN_WORDS]
    for name, lemmas in specification.lemmas.items():
        lines += ["", f"#### Of {name}", *claims(lemmas)]
    return "\n".join(lines) + "\n"


GENERATED = (
    "This document is printed from the specification itself, by `raftproof spec --format markdown`: from the same text "
    "that is computed on small clusters, handed to a solver for clusters of all sizes, and printed as a TLA+ module."
)

SIGNS_IN_WORDS = (
    "In formulas, $`\\land`$ is and, $`\\lor`$ or, $`\\lnot`$ not, $`\\Rightarrow`$ implies, $`\\forall`$ for all; "
    "lines that begin with the same sign belong together. With a prime, $`f'[x]`$ is $`f[x]`$ after the step. These "
    "names stand for:"
)

LEMMAS_IN_WORDS = (
    "Where a solver needs to be shown the way: each follows from the invariants, the guards of the action and the "
    "steps before it."
)


def names(specification: Specification) -> Iterator[str]:
    """Yield a table of which names stand for what."""
    yield from ["| | |", "|---|---|"]
    for sort, variables in names_of_sorts(specification).items():
        kind = ", a number" if sort.is_number else ""
        yield f"| {sort.name}{kind} | {', '.join(f'`{name}`' for name in variables)} |"


def variables_of(specification: Specification, group: Group) -> Iterator[str]:
    """Yield a table of functions: what they look like, what their values are, and at first, what they mean."""
    yield from ["| | values | at first | meaning |", "|---|---|---|---|"]
    for function in group.functions:
        look = formula_text(Apply(function, argument_names(specification, function)))
        yield f"| `{look}` | {function.result.name} | {first_value(function)} | {function.meaning} |"


def definition_markdown(definition: Definition) -> list[str]:
    """Return a definition as an item of a list."""
    head = LATEX.one_line(Call(definition, definition.parameters))
    return [f"- {definition.meaning}<br>{inline(f'{head} := {LATEX.one_line(definition.body)}')}"]


def action_markdown(action: Action) -> Iterator[str]:
    """Yield an action: its sentence and source, its guards with their names, what it changes."""
    yield from [f"### {action.name}", "", f"{action.meaning} (*{action.source}*)", ""]
    yield f"`{action.name}({', '.join(variable.name for variable in action.parameters)})`"
    if action.guard:
        yield from ["", "When", ""]
    for name, guard in action.guard.items():
        if len(TEXT.rows(guard, WIDTH)) == 1:
            yield f"- {name}: {formula_markdown(guard)}"
        else:
            yield from [f"- {name}:", "", *block(guard, "  ")]
    real, ghost = remembered(action)
    for words, assignments in (("Then", real), ("And the proof remembers", ghost)):
        if assignments:
            yield from ["", words, ""]
            yield from (f"- {inline(LATEX.assigned(action, assignment))}" for assignment in assignments)


def claims(several: Iterable[Claim]) -> Iterator[str]:
    """Yield claims with their meanings."""
    for claim in several:
        source = f" (*{claim.source}*)" if claim.source else ""
        yield from ["", f"**{claim.name}.** {claim.meaning}{source}", "", *block(claim.formula)]


def spaced(paragraphs: Iterable[str]) -> list[str]:
    """Return paragraphs with an empty line between them."""
    return "\n\n".join(paragraphs).split("\n")
