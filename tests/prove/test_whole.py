"""Numbers that stand for any number compute as Python's do."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.model import ModelError
from raftcheck.prove.quorum.whole import Truth, Whole, chosen, conjunction, disjunction, negation

ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]

a, b = z3.Ints("a b")


def value(term: Any, of_a: int, of_b: int) -> Any:
    found = z3.simplify(z3.substitute(term, (a, z3.IntVal(of_a)), (b, z3.IntVal(of_b))))
    return found.as_long() if z3.is_int_value(found) else z3.is_true(found)


def by_python(operation: Callable[[int, int], int], left: int, right: int) -> int | None:
    try:
        return operation(left, right)
    except ZeroDivisionError:
        return None


@pytest.mark.parametrize("operation", ARITHMETIC)
@given(left=st.integers(-50, 50), right=st.integers(-12, 12))
def test_arithmetic_is_that_of_python(operation: Callable[[Any, Any], Any], left: int, right: int) -> None:
    expected = by_python(operation, left, right)
    for result in (
        operation(Whole(a), Whole(b)),
        operation(Whole(a), right),
        operation(left, Whole(b)),
        operation(Whole(z3.IntVal(left)), Whole(z3.IntVal(right))),
    ):
        assert value(result.defined, left, right) == (expected is not None)
        if expected is not None:
            assert value(result.term, left, right) == expected


@pytest.mark.parametrize("operation", COMPARISONS)
@given(left=st.integers(-9, 9), right=st.integers(-9, 9))
def test_comparisons_are_those_of_python(operation: Callable[[Any, Any], Any], left: int, right: int) -> None:
    for result in (operation(Whole(a), Whole(b)), operation(Whole(a), right), operation(left, Whole(b))):
        assert isinstance(result, Truth)
        assert value(result.term, left, right) == operation(left, right)


@given(left=st.integers(-9, 9))
def test_signs(left: int) -> None:
    assert value((-Whole(a)).term, left, 0) == -left
    assert value((+Whole(a)).term, left, 0) == left


def test_rounding_down_is_right_for_every_number() -> None:
    """Not only for those that were tried: the quotient is the one number with a remainder between 0 and the divisor."""
    for divisor in (-7, -1, 1, 2, 7):
        quotient, remainder = (Whole(a) // divisor).term, (Whole(a) % divisor).term
        sign = 1 if divisor > 0 else -1
        between = z3.And(sign * remainder >= 0, sign * remainder < abs(divisor))
        solver = z3.Solver()
        solver.add(z3.Not(z3.And(a == divisor * quotient + remainder, between)))
        assert solver.check() == z3.unsat


@given(left=st.integers(-3, 3), right=st.integers(-3, 3))
def test_what_is_not_reached_need_not_exist(left: int, right: int) -> None:
    quotient = Whole(a) // Whole(b)
    guarded = chosen(Whole(b) != 0, quotient, 5)
    assert value(guarded.defined, left, right)
    assert value(guarded.term, left, right) == (left // right if right != 0 else 5)
    both = conjunction(Whole(b) != 0, quotient > 0)
    assert value(both.defined, left, right)
    assert value(both.term, left, right) == (right != 0 and left // right > 0)
    either = disjunction(Whole(b) == 0, quotient > 0)
    assert value(either.defined, left, right)
    assert value(either.term, left, right) == (right == 0 or left // right > 0)
    assert value(negation(quotient > 0).defined, left, right) == (right != 0)


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (bool, "branches on n"),
        (lambda n: n if n > 3 else 3, "branches on n"),
        (lambda n: min(n, 3), "branches on n"),
        (lambda n: n == 3 and n, "branches on n"),
        (int, "needs n as a number"),
        (float, "needs n as a number"),
        (round, "needs n as a number"),
        (range, "needs n as a number"),
        (lambda n: n / 2, "write //"),
        (lambda n: 1 / n, "write //"),
        (lambda n: n**2, "write a product"),
        (lambda n: 2**n, "write a product"),
        (lambda n: n + 0.5, "0.5, which is no whole number"),
        (lambda n: n * True, "True, which is no whole number"),
        (lambda n: "n" + n, "'n', which is no whole number"),
    ],
)
def test_what_needs_to_know_the_number_is_refused(use: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        use(Whole(a))
