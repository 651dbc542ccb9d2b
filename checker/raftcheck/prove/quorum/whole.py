"""Whole numbers that stand for any whole number: what the functions of the specification are called with.

Python's arithmetic, as terms of Z3. A function that only computes (`servers // 2 + 1`) returns its own formula, so
what is proved is the function that runs, and nothing is restated. A function that looks at a value (`if n > 3`)
cannot be followed this way, and is refused.
"""

from typing import Any, NoReturn

import z3

from raftcheck.model import ModelError

HOW_TO_WRITE = "write it with + - * // % alone, or as text, which may also use min, max and 'a if n > 3 else b'"


class Truth:
    """Whether a comparison of whole numbers is true; like them not known yet."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, term: Any, defined: Any) -> None:
        self.term, self.defined = term, defined

    def __bool__(self) -> NoReturn:
        raise ModelError(f"the rule branches on n, so its formula cannot be read from it; {HOW_TO_WRITE}")


class Whole:
    """A whole number as a term of Z3.

    `defined` is the condition under which the number exists: no divisor on the way to it was zero. Operations that
    would need to know the number (truth, rounding, hashing, `/`) raise ModelError.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, term: Any, defined: Any = None) -> None:
        self.term = term
        self.defined = z3.BoolVal(True) if defined is None else defined

    def __add__(self, other: object) -> "Whole":
        return combined(self, other, lambda a, b: a + b)

    def __radd__(self, other: object) -> "Whole":
        return combined(other, self, lambda a, b: a + b)

    def __sub__(self, other: object) -> "Whole":
        return combined(self, other, lambda a, b: a - b)

    def __rsub__(self, other: object) -> "Whole":
        return combined(other, self, lambda a, b: a - b)

    def __mul__(self, other: object) -> "Whole":
        return combined(self, other, lambda a, b: a * b)

    def __rmul__(self, other: object) -> "Whole":
        return combined(other, self, lambda a, b: a * b)

    def __floordiv__(self, other: object) -> "Whole":
        return divided(self, other, floor_quotient)

    def __rfloordiv__(self, other: object) -> "Whole":
        return divided(other, self, floor_quotient)

    def __mod__(self, other: object) -> "Whole":
        return divided(self, other, floor_remainder)

    def __rmod__(self, other: object) -> "Whole":
        return divided(other, self, floor_remainder)

    def __neg__(self) -> "Whole":
        return Whole(-self.term, self.defined)

    def __pos__(self) -> "Whole":
        return self

    def __lt__(self, other: object) -> Truth:
        return compared(self, other, lambda a, b: a < b)

    def __le__(self, other: object) -> Truth:
        return compared(self, other, lambda a, b: a <= b)

    def __gt__(self, other: object) -> Truth:
        return compared(self, other, lambda a, b: a > b)

    def __ge__(self, other: object) -> Truth:
        return compared(self, other, lambda a, b: a >= b)

    def __eq__(self, other: object) -> Truth:  # type: ignore[override]
        return compared(self, other, lambda a, b: a == b)

    def __ne__(self, other: object) -> Truth:  # type: ignore[override]
        return compared(self, other, lambda a, b: a != b)

    def __bool__(self) -> NoReturn:
        raise ModelError(f"the rule branches on n, so its formula cannot be read from it; {HOW_TO_WRITE}")

    def __index__(self) -> NoReturn:
        raise ModelError(f"the rule needs n as a number and not as a formula; {HOW_TO_WRITE}")

    __int__ = __float__ = __round__ = __floor__ = __ceil__ = __trunc__ = __index__

    def __truediv__(self, other: object) -> NoReturn:
        raise ModelError("the rule divides with /, which gives a fraction; write //, which rounds down")

    __rtruediv__ = __truediv__

    def __pow__(self, other: object) -> NoReturn:
        raise ModelError("the rule uses **; write a product instead")

    __rpow__ = __pow__


def whole(value: object) -> Whole:
    """Return a number as a term. Raises ModelError for what is no whole number."""
    if isinstance(value, Whole):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Whole(z3.IntVal(value))
    raise ModelError(f"the rule computes with {value!r}, which is no whole number")


def combined(a: object, b: object, operation: Any) -> Whole:
    """Return the sum, difference or product of two numbers."""
    left, right = whole(a), whole(b)
    return Whole(operation(left.term, right.term), both_defined(left, right))


def divided(a: object, b: object, operation: Any) -> Whole:
    """Return quotient or remainder, which exist unless the divisor is zero."""
    dividend, divisor = whole(a), whole(b)
    defined = z3.And(both_defined(dividend, divisor), divisor.term != 0)
    return Whole(operation(dividend.term, divisor.term), defined)


def floor_quotient(a: Any, b: Any) -> Any:
    """Return a // b as Python means it: rounded down.

    Z3 rounds so that the remainder is not negative, which is the same for positive divisors only. Of a/b and
    (-a)/(-b), which are equal, one has a positive divisor.
    """
    if z3.is_int_value(b):
        return a / b if b.as_long() > 0 else (-a) / -b
    return z3.If(b > 0, a / b, (-a) / (-b))


def floor_remainder(a: Any, b: Any) -> Any:
    """Return a % b as Python means it: with the sign of the divisor."""
    return a - b * floor_quotient(a, b)


def compared(a: object, b: object, operation: Any) -> Truth:
    """Return whether a comparison is true."""
    left, right = whole(a), whole(b)
    return Truth(operation(left.term, right.term), both_defined(left, right))


def both_defined(a: "Whole | Truth", b: "Whole | Truth") -> Any:
    """Return the condition under which two values exist."""
    return z3.And(a.defined, b.defined)


def chosen(condition: Truth, then: object, otherwise: object) -> Whole:
    """Return `then if condition else otherwise`: only the chosen one needs to exist."""
    yes, no = whole(then), whole(otherwise)
    return Whole(
        z3.If(condition.term, yes.term, no.term),
        z3.And(condition.defined, z3.If(condition.term, yes.defined, no.defined)),
    )


def conjunction(a: Truth, b: Truth) -> Truth:
    """Return `a and b`: where a is false, b need not exist."""
    return Truth(z3.And(a.term, b.term), z3.And(a.defined, z3.Implies(a.term, b.defined)))


def disjunction(a: Truth, b: Truth) -> Truth:
    """Return `a or b`: where a is true, b need not exist."""
    return Truth(z3.Or(a.term, b.term), z3.And(a.defined, z3.Or(a.term, b.defined)))


def negation(a: Truth) -> Truth:
    """Return `not a`."""
    return Truth(z3.Not(a.term), a.defined)
