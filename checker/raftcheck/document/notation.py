"""How formulas are written down, whatever the signs: parentheses where they are needed, long formulas in several lines.

A notation is a table of signs. What binds how tightly is the same in all of them, and such that TLA+ reads formulas as
they are meant: "and" and "or" are never mixed without parentheses, a quantifier reaches as far to the right as it can.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeGuard

from raftspec.logic import (
    TRUE,
    Action,
    Apply,
    Assignment,
    Call,
    Comparison,
    Connective,
    Constant,
    Expression,
    ForAll,
    IfThenElse,
    Implies,
    Not,
    Sum,
    Variable,
)


class Level(IntEnum):
    """How tightly a form binds. What binds less tightly than its place demands is put between parentheses."""

    WIDEST = 0
    """Quantifiers and choices: they reach as far to the right as they can."""
    IMPLICATION = 1
    JUNCTION = 2
    """And, or."""
    NEGATION = 3
    COMPARISON = 4
    SUM = 5
    ATOM = 6


@dataclass(frozen=True)
class Printed:
    """A form written down, and how tightly it binds."""

    text: str
    level: Level = Level.ATOM


@dataclass(frozen=True)
class Row:
    """A line of a long formula: how many steps it is indented, and what it says."""

    indent: int
    text: str


@dataclass(frozen=True, eq=False)
class Chain(Expression):
    """Comparisons of which each begins with what the one before it ends with: a <= b < c."""

    links: tuple[Comparison, ...]


@dataclass(frozen=True)
class Signs:
    """The signs of a notation. `words` has one for "and", "or", each relation, "+", True and False.

    `choice` has the words of a choice, `quantifier` is a template. `step` indents a line by one: it is as wide as the
    sign of a junction with the space behind it.
    """

    words: dict[str | bool, str]
    negation: str
    implication: str
    quantifier: str
    choice: tuple[str, str, str]
    step: str
    prime: str = "'"
    unequal: str | None = None
    chains: bool = True


class Notation:
    """Writes formulas down. Subclasses say how names and applications look."""

    def __init__(self, signs: Signs) -> None:
        self.signs: Final = signs

    def one_line(self, expression: Expression) -> str:
        """Return a formula in one line."""
        return self.printed(expression).text

    def printed(self, expression: Expression) -> Printed:
        """Return a formula in one line, with how tightly it binds."""
        return PRINTERS[type(expression)](self, expression)

    def within(self, expression: Expression, least: Level) -> str:
        """Return a formula in one line, between parentheses unless it binds as tightly as its place demands."""
        printed = self.printed(expression)
        return printed.text if printed.level >= least else f"({printed.text})"

    def listed(self, expressions: Iterable[Expression]) -> str:
        """Return expressions with commas between them."""
        return ", ".join(map(self.one_line, expressions))

    # What looks different in each notation

    def name(self, name: str) -> str:
        """Return a name as it is written."""
        return name

    def bound(self, variables: Sequence[Variable]) -> str:
        """Return what a quantifier says that it ranges over."""
        return ", ".join(self.name(variable.name) for variable in variables)

    def apply(self, apply: Apply) -> Printed:
        """Return the value of a function."""
        prime = self.signs.prime if apply.is_after else ""
        return Printed(f"{self.name(apply.function.name)}{prime}[{self.listed(apply.operands)}]")

    def leading(self, sign: str) -> str:
        """Return a sign at the beginning of a line, with the space behind it: as wide as a step."""
        return f"{sign} "

    def length(self, expression: Expression) -> int:
        """Return how wide a formula in one line looks."""
        return len(self.one_line(expression))

    # What is the same in all

    def _variable(self, variable: Variable) -> Printed:
        return Printed(self.name(variable.name))

    def _constant(self, constant: Constant) -> Printed:
        return Printed(self.signs.words[constant.value] if isinstance(constant.value, bool) else str(constant.value))

    def _call(self, call: Call) -> Printed:
        return Printed(f"{self.name(call.definition.name)}({self.listed(call.operands)})")

    def _sum(self, total: Sum) -> Printed:
        left, right = self.within(total.left, Level.SUM), self.within(total.right, Level.ATOM)
        return Printed(f"{left} {self.signs.words['+']} {right}", Level.SUM)

    def _comparison(self, comparison: Comparison) -> Printed:
        return self._compared(comparison, self.signs.words[comparison.relation])

    def _compared(self, comparison: Comparison, sign: str) -> Printed:
        left, right = self.within(comparison.left, Level.SUM), self.within(comparison.right, Level.SUM)
        return Printed(f"{left} {sign} {right}", Level.COMPARISON)

    def _chain(self, chain: Chain) -> Printed:
        start = self.within(chain.links[0].left, Level.SUM)
        links = (f" {self.signs.words[c.relation]} {self.within(c.right, Level.SUM)}" for c in chain.links)
        return Printed(start + "".join(links), Level.COMPARISON)

    def negated(self, negation: Not) -> Printed:
        """Return what is not so."""
        operand = negation.operand
        if self.signs.unequal and isinstance(operand, Comparison) and operand.relation == "=":
            return self._compared(operand, self.signs.unequal)
        return Printed(f"{self.signs.negation}{self.within(operand, Level.ATOM)}", Level.NEGATION)

    def _connective(self, connective: Connective) -> Printed:
        items = self.items(connective)
        if len(items) < 2:
            return self.printed(items[0]) if items else Printed(self.signs.words[connective.word == "and"])
        sign = f" {self.signs.words[connective.word]} "
        return Printed(sign.join(self.within(item, Level.NEGATION) for item in items), Level.JUNCTION)

    def _implies(self, implication: Implies) -> Printed:
        conclusion = implication.conclusion
        least = Level.WIDEST if isinstance(conclusion, ForAll) else Level.JUNCTION
        premise = self.within(implication.premise, Level.JUNCTION)
        return Printed(f"{premise} {self.signs.implication} {self.within(conclusion, least)}", Level.IMPLICATION)

    def _if_then_else(self, choice: IfThenElse) -> Printed:
        return Printed(" ".join(self._choice_parts(choice)), Level.WIDEST)

    def _choice_parts(self, choice: IfThenElse) -> list[str]:
        parts = (choice.condition, choice.then, choice.otherwise)
        return [f"{word} {self.one_line(part)}" for word, part in zip(self.signs.choice, parts, strict=True)]

    def _for_all(self, claim: ForAll) -> Printed:
        header = self.signs.quantifier % self.bound(claim.variables)
        return Printed(f"{header} {self.one_line(claim.body)}", Level.WIDEST)

    def items(self, connective: Connective) -> list[Expression]:
        """Return the parts of a junction: those of parts that are the same junction, and chains of comparisons."""
        parts = flattened(connective)
        return self._chained(parts) if self.signs.chains and connective.word == "and" else parts

    def _chained(self, parts: Sequence[Expression]) -> list[Expression]:
        items: list[Expression] = []
        for part in parts:
            links = links_of(items[-1]) if items else ()
            if links and is_order(part) and self.one_line(links[-1].right) == self.one_line(part.left):
                items[-1] = Chain((*links, part))
            else:
                items.append(part)
        return items

    # What an action does

    def target(self, assignment: Assignment) -> str:
        """Return what an assignment changes."""
        return self.one_line(Apply(assignment.function, assignment.arguments))

    def assigned(self, action: Action, assignment: Assignment) -> str:
        """Return an assignment in one line: f[n, p] := value, for all p with ..."""
        value = self.printed(assignment.value)
        # Beside the sign of assignment, a formula is easier to read between parentheses.
        text = f"({value.text})" if Level.WIDEST < value.level < Level.SUM else value.text
        free = self.bound([a for a in assignment.arguments if isinstance(a, Variable) and action.is_everywhere(a)])
        where = "" if assignment.where is TRUE else self.one_line(assignment.where)
        condition = (self.prose(", for all ") + free if free else "") + (
            self.prose(" with " if free else ", if ") + where if where else ""
        )
        return f"{self.target(assignment)} := {text}{condition}"

    def prose(self, text: str) -> str:
        """Return words within a formula."""
        return text

    # Several lines

    def rows(self, expression: Expression, width: int) -> list[Row]:
        """Return a formula in lines that look no wider than `width`, if there are places to break it."""
        layout = LAYOUTS.get(type(expression))
        if layout is None or self.length(expression) <= width:
            return [Row(0, self.one_line(expression))]
        return layout(self, expression, width)

    def lines(self, expression: Expression, width: int, indent: str = "") -> list[str]:
        """Return the lines of a formula, each indented."""
        return [f"{indent}{self.signs.step * row.indent}{row.text}" for row in self.rows(expression, width)]

    def _for_all_rows(self, claim: ForAll, width: int) -> list[Row]:
        header = self.signs.quantifier % self.bound(claim.variables)
        return [Row(0, header), *indented(self.rows(claim.body, width - len(self.signs.step)))]

    def _implies_rows(self, implication: Implies, width: int) -> list[Row]:
        narrower = width - len(self.signs.step)
        above = self._rows_within(implication.premise, narrower)
        if isinstance(implication.conclusion, ForAll):
            below = self.rows(implication.conclusion, narrower)
        else:
            below = self._rows_within(implication.conclusion, narrower)
        return [*indented(above), *self.behind(self.signs.implication, below)]

    def _rows_within(self, expression: Expression, width: int) -> list[Row]:
        """Return the lines of one side of an implication; of what needs parentheses, a single one."""
        if self.printed(expression).level >= Level.JUNCTION:
            return self.rows(expression, width)
        return [Row(0, self.within(expression, Level.JUNCTION))]

    def _connective_rows(self, connective: Connective, width: int) -> list[Row]:
        sign, items, rows = self.signs.words[connective.word], self.items(connective), list[Row]()
        if len(items) < 2:
            return self.rows(items[0], width) if items else [Row(0, self.one_line(connective))]
        for item in items:
            lines = self.rows(item, width - len(self.signs.step))
            # A part of several lines is held together by its indentation, one of a single line by parentheses.
            kept = lines if len(lines) > 1 else [Row(0, self.within(item, Level.NEGATION))]
            rows.extend(self.behind(sign, kept))
        return rows

    def _if_then_else_rows(self, choice: IfThenElse, width: int) -> list[Row]:
        return [Row(0, part) for part in self._choice_parts(choice)]

    def behind(self, sign: str, rows: Sequence[Row]) -> list[Row]:
        """Return rows with a sign before the first, the others below what follows the sign."""
        first = f"{self.leading(sign)}{self.signs.step * rows[0].indent}{rows[0].text}"
        return [Row(0, first), *indented(rows[1:])]


def indented(rows: Iterable[Row]) -> list[Row]:
    """Return rows one step further to the right."""
    return [Row(row.indent + 1, row.text) for row in rows]


def is_order(expression: Expression) -> TypeGuard[Comparison]:
    """Tell whether an expression says that one number is before another."""
    return isinstance(expression, Comparison) and expression.relation != "="


def links_of(expression: Expression) -> tuple[Comparison, ...]:
    """Return the comparisons that a chain could go on from."""
    if isinstance(expression, Chain):
        return expression.links
    return (expression,) if is_order(expression) else ()


def flattened(connective: Connective) -> list[Expression]:
    """Return the parts of a junction, and those of parts that are the same junction."""
    parts: list[Expression] = []
    for operand in connective.operands:
        if isinstance(operand, Connective) and operand.word == connective.word:
            parts.extend(flattened(operand))
        else:
            parts.append(operand)
    return parts


PRINTERS: dict[type[Expression], Callable[[Notation, Any], Printed]] = {
    Variable: Notation._variable,
    Constant: Notation._constant,
    Apply: lambda notation, apply: notation.apply(apply),
    Call: Notation._call,
    Sum: Notation._sum,
    Comparison: Notation._comparison,
    Chain: Notation._chain,
    Not: lambda notation, negation: notation.negated(negation),
    Connective: Notation._connective,
    Implies: Notation._implies,
    IfThenElse: Notation._if_then_else,
    ForAll: Notation._for_all,
}

LAYOUTS: dict[type[Expression], Callable[[Notation, Any, int], list[Row]]] = {
    ForAll: Notation._for_all_rows,
    Implies: Notation._implies_rows,
    Connective: Notation._connective_rows,
    IfThenElse: Notation._if_then_else_rows,
}
