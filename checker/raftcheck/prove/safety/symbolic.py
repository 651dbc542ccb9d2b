"""Formulas of the specification as formulas of Z3, for clusters, terms and logs of any size.

Servers, quorums, entries and messages are of uninterpreted sorts, of any size; terms and indexes are unbounded
integers. The state before a step is uninterpreted functions; the state after it is written out: a changed function is
the old one except where the action assigns.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import z3

from raftspec.logic import (
    BOOLEAN,
    Action,
    Apply,
    Assignment,
    Call,
    Comparison,
    Connective,
    Constant,
    Expression,
    ForAll,
    Function,
    IfThenElse,
    Implies,
    Not,
    Sort,
    Sum,
    Variable,
    all_of,
)

Bindings = Mapping[str, Any]
"""Variables by name, and what they stand for."""

State = Mapping[str, Callable[..., Any]]
"""The functions of a state by name."""


NOTHING: Mapping[str, Any] = {}


class Scope(NamedTuple):
    """Where an expression is evaluated: a state, the state after it, what the variables stand for."""

    state: State
    after: State = NOTHING
    bindings: Bindings = NOTHING

    def with_bindings(self, variables: Sequence[Variable], values: Sequence[Any]) -> "Scope":
        """Return the scope with more variables."""
        return self._replace(bindings={**self.bindings, **{v.name: x for v, x in zip(variables, values, strict=True)}})


class Goal(NamedTuple):
    """What is to be proved, of arbitrary constants in place of the outermost quantified variables."""

    formula: Any
    constants: tuple[tuple[Variable, Any], ...]


class Symbolic:
    """Translates formulas. `with_patterns`: hand on the patterns; else Z3 chooses its own."""

    def __init__(self, with_patterns: bool = True) -> None:
        self.with_patterns = with_patterns
        self._sorts: dict[Sort, Any] = {}
        self._functions: dict[str, Any] = {}
        self._fresh = 0

    def sort(self, sort: Sort) -> Any:
        """Return Z3's sort."""
        if sort.is_number:
            return z3.IntSort()
        if sort == BOOLEAN:
            return z3.BoolSort()
        if sort not in self._sorts:
            self._sorts[sort] = z3.DeclareSort(sort.name)
        return self._sorts[sort]

    def state(self, functions: Sequence[Function]) -> State:
        """Return a state of which nothing is known."""
        return {f.name: z3.Function(f.name, *map(self.sort, f.arguments), self.sort(f.result)) for f in functions}

    def constant(self, variable: Variable) -> Any:
        """Return a new constant to stand for a variable."""
        self._fresh += 1
        return z3.Const(f"{variable.name}!{self._fresh}", self.sort(variable.sort))

    # States

    def after(self, action: Action, scope: Scope) -> State:
        """Return the state after an action, given the one before it and what its parameters stand for."""
        changed = {a.function.name: self._assigned(a, action, scope) for a in action.update}
        return {**scope.state, **changed}

    def _assigned(self, assignment: Assignment, action: Action, scope: Scope) -> Callable[..., Any]:
        """Return the changed function: the old one, except where the assignment says otherwise."""
        old = scope.state[assignment.function.name]

        def new(*arguments: Any) -> Any:
            pairs = list(zip(assignment.arguments, arguments, strict=True))
            everywhere = [(place, given) for place, given in pairs if action.is_everywhere(place)]
            within = scope.with_bindings(*map(list, zip(*everywhere, strict=True))) if everywhere else scope
            here = [equal(self.value(a, scope), given) for a, given in pairs if not action.is_everywhere(a)]
            condition = conjunction([*here, self.value(assignment.where, within)])
            return if_then_else(condition, self.value(assignment.value, within), old(*arguments))

        return new

    def guard(self, action: Action, scope: Scope) -> Any:
        """Return the conjunction of an action's guards."""
        return self.value(all_of(*action.guard.values()), scope)

    # Formulas

    def value(self, expression: Expression, scope: Scope) -> Any:
        """Return an expression as Z3's."""
        return TRANSLATIONS[type(expression)](self, expression, scope)

    def _apply(self, apply: Apply, scope: Scope) -> Any:
        function = (scope.after if apply.is_after else scope.state)[apply.function.name]
        return function(*(self.value(operand, scope) for operand in apply.operands))

    def _call(self, call: Call, scope: Scope) -> Any:
        names = [parameter.name for parameter in call.definition.parameters]
        given = [self.value(operand, scope) for operand in call.operands]
        return self.value(call.definition.body, scope._replace(bindings=dict(zip(names, given, strict=True))))

    def _connective(self, connective: Connective, scope: Scope) -> Any:
        operands = [self.value(operand, scope) for operand in connective.operands]
        return (conjunction if connective.word == "and" else disjunction)(operands)

    def _if_then_else(self, choice: IfThenElse, scope: Scope) -> Any:
        return if_then_else(
            self.value(choice.condition, scope), self.value(choice.then, scope), self.value(choice.otherwise, scope)
        )

    def for_all(self, claim: ForAll, scope: Scope) -> Any:
        """Return a quantified claim."""
        constants = [self.constant(variable) for variable in claim.variables]
        within = scope.with_bindings(claim.variables, constants)
        patterns = [
            [self.value(term, within) for term in pattern] for pattern in (claim.patterns if self.with_patterns else ())
        ]
        usable = [z3.MultiPattern(*terms) for terms in patterns if all(map(may_be_pattern, terms))]
        return z3.ForAll(constants, formula_of(self.value(claim.body, within)), patterns=usable)

    def goal(self, claim: Expression, scope: Scope) -> Goal:
        """Return a claim as a goal."""
        if not isinstance(claim, ForAll):
            return Goal(self.value(claim, scope), ())
        constants = tuple(self.constant(variable) for variable in claim.variables)
        formula = self.value(claim.body, scope.with_bindings(claim.variables, constants))
        return Goal(formula, tuple(zip(claim.variables, constants, strict=True)))


def may_be_pattern(term: Any) -> bool:
    """Tell whether Z3 takes a term as a pattern: it must be made of functions alone."""
    if z3.is_var(term):
        return False
    logical = (z3.Z3_OP_ITE, z3.Z3_OP_OR, z3.Z3_OP_AND, z3.Z3_OP_EQ, z3.Z3_OP_NOT)
    if not z3.is_app(term) or term.decl().kind() in logical:
        return False
    return all(may_be_pattern(child) or z3.is_const(child) for child in term.children())


def formula_of(value: Any) -> Any:
    """Return a truth value of Python as a formula of Z3; formulas stay as they are."""
    return z3.BoolVal(value) if isinstance(value, bool) else value


# Operations that leave out what is plainly true or false. Numbers and truth values of Python are plain.


def is_plainly(value: bool, formula: Any) -> bool:
    """Tell whether a formula is plainly true, or plainly false."""
    return formula is value or bool((z3.is_true if value else z3.is_false)(formula))


def equal(left: Any, right: Any) -> Any:
    """Return an equation; of a term with itself, true."""
    if z3.is_expr(left) and z3.is_expr(right) and left.eq(right):
        return True
    return left == right


def conjunction(formulas: Iterable[Any]) -> Any:
    """Return the conjunction."""
    kept = [formula for formula in formulas if not is_plainly(True, formula)]
    if any(is_plainly(False, formula) for formula in kept):
        return False
    return True if not kept else kept[0] if len(kept) == 1 else z3.And(*kept)


def disjunction(formulas: Iterable[Any]) -> Any:
    """Return the disjunction."""
    kept = [formula for formula in formulas if not is_plainly(False, formula)]
    if any(is_plainly(True, formula) for formula in kept):
        return True
    return False if not kept else kept[0] if len(kept) == 1 else z3.Or(*kept)


def negation(formula: Any) -> Any:
    """Return the negation."""
    return not formula if isinstance(formula, bool) else z3.Not(formula)


def implication(premise: Any, conclusion: Any) -> Any:
    """Return the implication."""
    if is_plainly(True, premise):
        return conclusion
    if is_plainly(False, premise) or is_plainly(True, conclusion):
        return True
    return z3.Implies(premise, conclusion)


def if_then_else(condition: Any, then: Any, otherwise: Any) -> Any:
    """Return a choice; if it is plain, what is chosen."""
    if is_plainly(True, condition):
        return then
    return otherwise if is_plainly(False, condition) else z3.If(condition, then, otherwise)


COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": equal,
    "<=": lambda left, right: left <= right,
    "<": lambda left, right: left < right,
}

TRANSLATIONS: Mapping[type[Expression], Callable[[Symbolic, Any, Scope], Any]] = {
    Variable: lambda _, variable, scope: scope.bindings[variable.name],
    Constant: lambda _, constant, scope: constant.value,
    Apply: Symbolic._apply,
    Call: Symbolic._call,
    Sum: lambda self, total, scope: self.value(total.left, scope) + self.value(total.right, scope),
    IfThenElse: Symbolic._if_then_else,
    Comparison: lambda self, comparison, scope: COMPARISONS[comparison.relation](
        self.value(comparison.left, scope), self.value(comparison.right, scope)
    ),
    Not: lambda self, formula, scope: negation(self.value(formula.operand, scope)),
    Connective: Symbolic._connective,
    Implies: lambda self, formula, scope: implication(
        self.value(formula.premise, scope), self.value(formula.conclusion, scope)
    ),
    ForAll: lambda self, claim, scope: self.for_all(claim, scope),
}
