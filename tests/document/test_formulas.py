"""Formulas are written so that they are read as they are meant: no parenthesis is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.document import formula_text
from raftcheck.document.contents import formulas as all_formulas
from raftcheck.document.markdown import LATEX
from raftcheck.document.text import TEXT
from raftcheck.document.tla_notation import TlaNotation
from raftspec.logic import FALSE, TRUE, Expression, Variable, all_of, any_of, for_all, if_else, implies
from raftspec.proof import RAFT
from raftspec.raft import INDEX, candidate, leader, log, member, n, p, q, term_of, votes_granted
from tests.document.reading import Meant, as_tla, latex_as_tla, read
from tests.document.strategies import expressions

TLA = TlaNotation(RAFT)

i, j, k = (Variable(name, INDEX) for name in "ijk")
a, b, c = leader[n], candidate[n], leader[p]

WRITTEN = [
    (implies(all_of(a, b), any_of(c, a)), "leader[n] ∧ candidate[n] ⇒ leader[p] ∨ leader[n]"),
    (any_of(a, all_of(b, c)), "leader[n] ∨ (candidate[n] ∧ leader[p])"),
    (all_of(a, all_of(b, c)), "leader[n] ∧ candidate[n] ∧ leader[p]"),
    (all_of(any_of(a, b), c), "(leader[n] ∨ candidate[n]) ∧ leader[p]"),
    (implies(a, implies(b, c)), "leader[n] ⇒ (candidate[n] ⇒ leader[p])"),
    (implies(implies(a, b), c), "(leader[n] ⇒ candidate[n]) ⇒ leader[p]"),
    (for_all([p], implies(member[p, q], votes_granted[n, p])), "∀ p: member[p, q] ⇒ votes_granted[n, p]"),
    (implies(for_all([p], c), a), "(∀ p: leader[p]) ⇒ leader[n]"),
    (implies(a, for_all([p], c)), "leader[n] ⇒ ∀ p: leader[p]"),
    (all_of(j >= 1, j <= i), "1 ≤ j ≤ i"),
    (all_of(j >= 1, j < i, k <= i, a), "1 ≤ j < i ∧ k ≤ i ∧ leader[n]"),
    (any_of(j >= 1, j <= i), "1 ≤ j ∨ j ≤ i"),
    (~(i == j), "i ≠ j"),
    (~(i <= j), "¬(i ≤ j)"),
    (~~a, "¬(¬leader[n])"),
    (a == (b == c), "leader[n] = (candidate[n] = leader[p])"),
    (log.after[n, j + 1] == log[n, j], "log'[n, j + 1] = log[n, j]"),
    (i + (j + 1) <= (i + j) + 1, "i + (j + 1) ≤ i + j + 1"),
    (if_else(a, i, j) + 1 <= 2, "(if leader[n] then i else j) + 1 ≤ 2"),
    (all_of(), "true"),
    (any_of(), "false"),
    (all_of(a), "leader[n]"),
    (any_of(TRUE, FALSE), "true ∨ false"),
]


@pytest.mark.parametrize(("formula", "text"), WRITTEN, ids=[text for _, text in WRITTEN])
def test_text_of_a_formula(formula: Expression, text: str) -> None:
    assert formula_text(formula) == text


def test_tla_of_formulas() -> None:
    assert TLA.one_line(term_of[log.after[n, j]] == 1) == "log'[n][j].term = 1"
    assert TLA.one_line(all_of(j >= 1, j <= i)) == "1 <= j /\\ j <= i"


@given(expressions())
def test_text_is_read_as_it_is_meant(formula: Expression) -> None:
    assert read([as_tla(formula_text(formula))]) == Meant().tree(formula)


@given(expressions(), st.integers(0, 100))
def test_lines_of_text_are_read_as_they_are_meant(formula: Expression, width: int) -> None:
    assert read([as_tla(line) for line in TEXT.lines(formula, width)]) == Meant().tree(formula)


@given(expressions())
def test_latex_is_read_as_it_is_meant(formula: Expression) -> None:
    assert read([latex_as_tla(LATEX.one_line(formula))]) == Meant().tree(formula)


@given(expressions(), st.integers(0, 100))
def test_tla_is_read_as_it_is_meant(formula: Expression, width: int) -> None:
    assert read(TLA.lines(formula, width)) == Meant(TLA).tree(formula)


def test_all_formulas_of_the_specification_are_read_as_they_are_meant() -> None:
    several = list(all_formulas(RAFT))
    assert len(several) > 200
    for formula in several:
        assert read([as_tla(formula_text(formula))]) == Meant().tree(formula)
        assert read([latex_as_tla(LATEX.one_line(formula))]) == Meant().tree(formula)
        assert read(TLA.lines(formula, 60)) == Meant(TLA).tree(formula)


@pytest.mark.parametrize(
    ("formula", "wrong"),
    [
        (implies(implies(a, b), c), "leader[n] ⇒ (candidate[n] ⇒ leader[p])"),
        (~all_of(a, b), "¬leader[n] ∧ candidate[n]"),
        (all_of(for_all([p], c), a), "∀ p: leader[p] ∧ leader[n]"),
        (all_of(i <= j, i <= k), "i ≤ j ≤ k"),
        (i + (j + 1) <= 2, "i + j + 1 ≤ 2"),
    ],
)
def test_a_wrong_text_is_read_as_something_else(formula: Expression, wrong: str) -> None:
    assert read([as_tla(wrong)]) != Meant().tree(formula)
