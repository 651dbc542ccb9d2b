"""Formulas in TLA+.

Functions take one argument after the other: log[n][i]. Messages of which it only counts whether they were sent are
members of a set. The constants of the specification have representations of their own: a quorum is a set of servers.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from raftcheck.document.contents import everywhere
from raftcheck.document.notation import Level, Notation, Printed, Row, Signs, indented
from raftspec.logic import (
    BOOLEAN,
    TRUE,
    Action,
    Apply,
    Assignment,
    Constant,
    Expression,
    Function,
    IfThenElse,
    Kind,
    Not,
    Sort,
    Specification,
    Variable,
    all_of,
)

SIGNS = Signs(
    words={"and": "/\\", "or": "\\/", "=": "=", "<=": "<=", "<": "<", "+": "+", True: "TRUE", False: "FALSE"},
    negation="~",
    implication="=>",
    quantifier="\\A %s :",
    choice=("IF", "THEN", "ELSE"),
    step="   ",
    unequal="#",
    chains=False,
)

WIDTH = 108


class Form(NamedTuple):
    """How a constant function is written: a template, how tightly it binds, and how tightly its arguments must."""

    template: str
    level: Level
    arguments: Level


CONSTANTS: Mapping[str, Form] = {
    "member": Form("%s \\in %s", Level.COMPARISON, Level.SUM),
    "is_quorum": Form("%s \\in Quorum", Level.COMPARISON, Level.SUM),
    "common": Form("Common(%s, %s)", Level.ATOM, Level.WIDEST),
    "term_of": Form("%s.term", Level.ATOM, Level.ATOM),
}
"""The constant functions that TLA+ has words for; any other is a constant operator."""


class TlaNotation(Notation):
    """Writes formulas and assignments of a specification in TLA+."""

    def __init__(self, specification: Specification) -> None:
        super().__init__(SIGNS)
        self._sets = {function.name for function in specification.functions if is_set(specification, function)}

    def is_set(self, function: Function) -> bool:
        """Tell whether a function is written as the set of the tuples for which it is true."""
        return function.name in self._sets

    # Formulas

    def bound(self, variables: Sequence[Variable]) -> str:
        """Return variables with their sets, those of a sort together: n, p \\in Server."""
        texts: list[str] = []
        for position, variable in enumerate(variables):
            ends = position + 1 == len(variables) or variables[position + 1].sort != variable.sort
            texts.append(f"{variable.name} \\in {sort_text(variable.sort)}" if ends else variable.name)
        return ", ".join(texts)

    def apply(self, apply: Apply) -> Printed:
        """Return the value of a function."""
        if self.is_set(apply.function):
            return self._element(apply, "\\in")
        if apply.function.kind is Kind.CONSTANT:
            return self._constant_function(apply)
        prime = self.signs.prime if apply.is_after else ""
        return Printed(apply.function.name + prime + "".join(f"[{self.one_line(x)}]" for x in apply.operands))

    def _element(self, apply: Apply, sign: str) -> Printed:
        prime = self.signs.prime if apply.is_after else ""
        return Printed(f"{self.tuple_of(apply.operands)} {sign} {apply.function.name}{prime}", Level.COMPARISON)

    def tuple_of(self, expressions: Sequence[Expression]) -> str:
        """Return a tuple; of one thing, the thing itself."""
        return self.within(expressions[0], Level.SUM) if len(expressions) == 1 else f"<<{self.listed(expressions)}>>"

    def _constant_function(self, apply: Apply) -> Printed:
        form = CONSTANTS.get(apply.function.name)
        if form is None:
            return Printed(f"{apply.function.name}({self.listed(apply.operands)})")
        operands = tuple(self.within(operand, form.arguments) for operand in apply.operands)
        return Printed(form.template % operands, form.level)

    def negated(self, negation: Not) -> Printed:
        """Return what is not so; of a set, what is no member."""
        operand = negation.operand
        if isinstance(operand, Apply) and self.is_set(operand.function):
            return self._element(operand, "\\notin")
        return super().negated(negation)

    # Assignments

    def assignment(self, action: Action, assignment: Assignment) -> list[Row]:
        """Return an assignment as rows: f' = [f EXCEPT ![n] = ...], or a set with one member more."""
        name = assignment.function.name
        if self.is_set(assignment.function):
            return [Row(0, f"{name}' = {name} \\cup {{{self.tuple_of(assignment.arguments)}}}")]
        fixed = pointwise(action, assignment.arguments)
        if fixed is None:
            return self._rebuilt(action, assignment)
        open_, close, value = f"[{name} EXCEPT !", "]", assignment.value
        open_ += "".join(f"[{self.one_line(argument)}]" for argument in assignment.arguments[:fixed]) + " = "
        for variable in assignment.arguments[fixed:]:
            assert isinstance(variable, Variable)
            open_, close = f"{open_}[{self.bound([variable])} |-> ", close + "]"
        if assignment.where is not TRUE:
            value = IfThenElse(assignment.where, value, Apply(assignment.function, assignment.arguments))
        return self._enclosed(f"{name}' = {open_}", value, close)

    def _rebuilt(self, action: Action, assignment: Assignment) -> list[Row]:
        """Return an assignment as a function given by what it is everywhere."""
        function, free = assignment.function, {v.name for v in everywhere(action, assignment.arguments)}
        variables, here = list[Variable](), [] if assignment.where is TRUE else [assignment.where]
        for position, (argument, sort) in enumerate(zip(assignment.arguments, function.arguments, strict=True), 1):
            if isinstance(argument, Variable) and argument.name in free:
                variables.append(argument)
            else:
                variables.append(Variable(f"x{position}", sort))
                here.insert(0, variables[-1] == argument)
        kept = Apply(function, tuple(variables))
        value = IfThenElse(all_of(*here), assignment.value, kept) if here else assignment.value
        open_ = "".join(f"[{self.bound([variable])} |-> " for variable in variables)
        return self._enclosed(f"{function.name}' = {open_}", value, "]" * len(variables))

    def _enclosed(self, open_: str, value: Expression, close: str) -> list[Row]:
        """Return a value between brackets, in lines if it is long."""
        line = f"{open_}{self.one_line(value)}{close}"
        if len(line) <= WIDTH:
            return [Row(0, line)]
        rows = self.rows(value, 0)
        last = Row(rows[-1].indent, rows[-1].text + close)
        return [Row(0, open_.rstrip()), *indented([*rows[:-1], last])]


def sort_text(sort: Sort) -> str:
    """Return the set of a sort's elements."""
    return "BOOLEAN" if sort == BOOLEAN else sort.name


def is_set(specification: Specification, function: Function) -> bool:
    """Tell whether messages are only marked as sent: a function that is false at first, and made true in places."""
    return (function.kind, function.result, function.initially) == (Kind.MESSAGE, BOOLEAN, False) and all(
        is_added(action, assignment)
        for action in specification.actions
        for assignment in action.update
        if assignment.function == function
    )


def is_added(action: Action, assignment: Assignment) -> bool:
    """Tell whether an assignment makes a function true at one place."""
    return (
        isinstance(assignment.value, Constant)
        and assignment.value.value is True
        and assignment.where is TRUE
        and not everywhere(action, assignment.arguments)
    )


def pointwise(action: Action, arguments: Sequence[Expression]) -> int | None:
    """Return how many arguments are fixed, if those are the first and at least one; else None."""
    free = [isinstance(a, Variable) and action.is_everywhere(a) for a in arguments]
    fixed = free.index(True) if True in free else len(free)
    return fixed if fixed and all(free[fixed:]) else None
