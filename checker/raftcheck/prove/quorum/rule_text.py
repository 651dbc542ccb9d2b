"""Quorum rules as text: arithmetic in n, the number of servers.

The text is parsed by Python's own parser and then read, never executed: only what is listed here has a meaning.
"""

import ast
import operator
import warnings
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

from raftcheck.model import ModelError
from raftcheck.prove.quorum.whole import Truth, Whole, chosen, conjunction, disjunction, negation, whole

LONGEST_TEXT = 200
MOST_PARTS = 100
GREATEST_NUMBER = 10**9

ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
SIGNS: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
CHOICES: dict[str, Callable[[Any, Any], Any]] = {"min": operator.le, "max": operator.ge}

WHAT_IS_UNDERSTOOD = "a rule is made of n, whole numbers, + - * // %, parentheses, min, max and 'a if n > 3 else b'"

INSTEAD: dict[type, str] = {
    ast.Div: "/ gives a fraction: write //, which rounds down",
    ast.Pow: "** is not understood: write a product",
}


class RuleText:
    """A rule that was read. Call it with a number of servers, or with one that stands for any (`Whole`).

    Raises ModelError, saying what is wrong with the text, if it is no rule; a call may raise ZeroDivisionError.
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self._tree = parsed(self.text)

    def __call__(self, n: Any) -> Any:
        """Return the size of a quorum of n servers."""
        return number(self._tree, n)


def parsed(text: str) -> ast.expr:
    """Parse a text and refuse what has no meaning here."""
    if not text:
        raise ModelError(f"the rule is empty; {WHAT_IS_UNDERSTOOD}")
    if len(text) > LONGEST_TEXT:
        raise ModelError(f"the rule has {len(text):,} characters; the most is {LONGEST_TEXT}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ModelError(f"the rule {shown(text)} cannot be read; {WHAT_IS_UNDERSTOOD}") from error
    if sum(1 for _ in ast.walk(tree)) > MOST_PARTS:
        raise ModelError(f"the rule {shown(text)} is too complicated; it may have {MOST_PARTS} parts")
    require_number(tree, text)
    return tree


def shown(text: str) -> str:
    """Return a text so that it can stand in a line of a message, whatever it contains."""
    return ascii(text) if len(text) <= 60 else ascii(text[:57]) + "..."


def refusal(node: ast.expr, text: str, why: str = "") -> ModelError:
    """Return the error that says which part of a rule has no meaning."""
    part = ast.get_source_segment(text, node) if text.isascii() else None
    where = f"{shown(part)} in the rule {shown(text)}" if part and part != text else f"the rule {shown(text)}"
    return ModelError(f"{where} is not understood: {why or WHAT_IS_UNDERSTOOD}")


def require_number(node: ast.expr, text: str) -> None:
    """Raise ModelError unless a part of a rule is a number."""
    match node:
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            if value > GREATEST_NUMBER:
                raise refusal(node, text, f"numbers go up to {GREATEST_NUMBER:,}")
        case ast.Name(id="n"):
            pass
        case ast.UnaryOp(op=op, operand=operand) if type(op) in SIGNS:
            require_number(operand, text)
        case ast.BinOp(left=left, op=op, right=right):
            if type(op) not in ARITHMETIC:
                raise refusal(node, text, INSTEAD.get(type(op), ""))
            require_number(left, text)
            require_number(right, text)
        case ast.Call(func=ast.Name(id=name), args=[_, _, *_] as arguments, keywords=[]) if name in CHOICES:
            for argument in arguments:
                require_number(argument, text)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            require_condition(test, text)
            require_number(body, text)
            require_number(orelse, text)
        case _:
            raise refusal(node, text)


def require_condition(node: ast.expr, text: str) -> None:
    """Raise ModelError unless a part of a rule is true or false."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(type(op) in COMPARISONS for op in ops):
            for part in (left, *comparators):
                require_number(part, text)
        case ast.BoolOp(values=values):
            for value in values:
                require_condition(value, text)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            require_condition(operand, text)
        case _:
            raise refusal(node, text, "a condition compares numbers, with < <= > >= == !=, and, or, not")


def number(node: ast.expr, n: Any) -> Any:
    """Return the value of a part that is a number: an int if n is one, else a Whole."""
    match node:
        case ast.Constant(value=int(value)):
            return whole(value) if isinstance(n, Whole) else value
        case ast.UnaryOp(op=op, operand=operand):
            return SIGNS[type(op)](number(operand, n))
        case ast.BinOp(left=left, op=op, right=right):
            return ARITHMETIC[type(op)](number(left, n), number(right, n))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            preferred = CHOICES[name]
            return reduce(
                lambda a, b: choose(preferred(a, b), lambda: a, lambda: b), [number(part, n) for part in arguments]
            )
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return choose(condition(test, n), lambda: number(body, n), lambda: number(orelse, n))
        case _:
            return n


def condition(node: ast.expr, n: Any) -> Any:
    """Return whether a part that is a condition is true: a bool if n is an int, else a Truth."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            pairs = zip(ops, [left, *comparators], comparators, strict=False)
            return joined([partial(comparison, op, a, b, n) for op, a, b in pairs], conjunction, stop_at=False)
        case ast.BoolOp(op=ast.And(), values=values):
            return joined([partial(condition, value, n) for value in values], conjunction, stop_at=False)
        case ast.BoolOp(values=values):
            return joined([partial(condition, value, n) for value in values], disjunction, stop_at=True)
        case ast.UnaryOp(operand=operand):
            value = condition(operand, n)
            return negation(value) if isinstance(value, Truth) else not value
        case _:
            raise AssertionError("conditions were checked when the rule was read")


def comparison(op: ast.cmpop, a: ast.expr, b: ast.expr, n: Any) -> Any:
    """Return whether one comparison is true."""
    return COMPARISONS[type(op)](number(a, n), number(b, n))


def joined(parts: Sequence[Callable[[], Any]], join: Callable[[Truth, Truth], Truth], stop_at: bool) -> Any:
    """Return `and` or `or` of conditions, each computed only if those before it do not decide."""
    result = parts[0]()
    for part in parts[1:]:
        if isinstance(result, Truth):
            result = join(result, part())
        elif result is stop_at:
            return result
        else:
            result = part()
    return result


def choose(decided: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """Return one of two values, or the formula that chooses between them."""
    if isinstance(decided, Truth):
        return chosen(decided, then(), otherwise())
    return then() if decided else otherwise()
