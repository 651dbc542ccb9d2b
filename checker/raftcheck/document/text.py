"""Formulas and the whole specification as plain text, in the signs of mathematics."""

from raftcheck.document.notation import Notation, Signs
from raftspec.logic import Expression

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


def formula_text(expression: Expression) -> str:
    """Return a formula in one line: "∀ p: member[p, q] ⇒ votes_granted[n, p]". f'[x] is f[x] after the step."""
    return TEXT.one_line(expression)
