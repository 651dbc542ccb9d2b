"""The specification evaluated on finite states: the same formulas, computed.

A state holds, for each function, the values that differ from the first one of its domain (0, False, server 0, ...). So
two states are the same if and only if they are equal. Each formula is turned into Python closures once.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

from raftspec.logic import (
    BOOLEAN,
    Action,
    Apply,
    Assignment,
    Call,
    Claim,
    Comparison,
    Connective,
    Constant,
    Expression,
    ForAll,
    Function,
    IfThenElse,
    Implies,
    Kind,
    Not,
    Sort,
    Specification,
    SpecificationError,
    Sum,
    Variable,
    operands_of,
)
from raftspec.quorum import majority
from raftspec.raft import ENTRY, INDEX, MESSAGE, QUORUM, SERVER, TERM

Value = Hashable
Values = Mapping[tuple[Value, ...], Value]
State = Mapping[str, Values]
"""The values of each function that differ from the first of its domain."""

Change = tuple[Function, tuple[Value, ...], Value]
"""A function, where it is set, and to what."""

Bindings = dict[str, Any]
Compiled = Callable[[State, State, Bindings], Any]
"""What a formula says of a state, the state after it, and what variables stand for."""

EMPTY: State = {}


@dataclass(frozen=True)
class Universe:
    """Finite domains, the first of each being what functions are where nothing else was said; constant functions."""

    domains: Mapping[Sort, Sequence[Value]]
    constants: Mapping[str, Callable[..., Value]] = field(default_factory=dict)

    def domain(self, sort: Sort) -> Sequence[Value]:
        """Return the values of a sort."""
        return (False, True) if sort == BOOLEAN else self.domains[sort]


def cluster(
    servers: int, terms: int, indexes: int, messages: int = 1, values: int = 1, quorum_size: int | None = None
) -> Universe:
    """Return a cluster with terms 0 to `terms`, indexes 0 to `indexes`, and so many AppendEntries messages.

    A quorum is a set of `quorum_size` servers, a majority by default. An entry is a pair (term, value).
    """
    size = majority(servers) if quorum_size is None else quorum_size
    quorums = tuple(frozenset(chosen) for chosen in combinations(range(servers), size))
    return Universe(
        {
            SERVER: range(servers),
            QUORUM: quorums,
            ENTRY: tuple(product(range(terms + 1), range(values))),
            MESSAGE: range(messages),
            TERM: range(terms + 1),
            INDEX: range(indexes + 1),
        },
        {
            "member": lambda server, quorum: server in quorum,
            "common": lambda one, other: min(one & other, default=0),
            "is_quorum": lambda _: True,
            "term_of": lambda entry: entry[0],
        },
    )


@dataclass(frozen=True, eq=False)
class Concrete:
    """Evaluates a specification's formulas in a universe. Formulas are compiled when they first come."""

    specification: Specification
    universe: Universe
    _compiled: dict[Expression, Compiled] = field(default_factory=dict)

    # States

    def initial(self) -> State:
        """Return the initial state: every function has the first value of its domain everywhere."""
        for function in self.specification.state:
            if function.initially not in (None, self.default(function)):
                raise SpecificationError(f"{function.name} does not begin as {self.default(function)!r}")
        return {function.name: {} for function in self.specification.state}

    def default(self, function: Function) -> Value:
        """Return what a function is where nothing else was said."""
        return self.universe.domain(function.result)[0]

    def refusal(self, action: Action, state: State, arguments: Mapping[str, Value]) -> str | None:
        """Return the name of the first guard that does not let the action happen, None if all do."""
        bindings = dict(arguments)
        for name, guard in action.guard.items():
            if not self.compiled(guard)(state, EMPTY, bindings):
                return name
        return None

    def after(self, action: Action, state: State, arguments: Mapping[str, Value]) -> State:
        """Return the state after an action, whether its guards are true or not."""
        changed = {a.function.name: dict(state[a.function.name]) for a in action.update}
        for function, at, value in self.changes(action, state, arguments):
            if value == self.default(function):
                changed[function.name].pop(at, None)
            else:
                changed[function.name][at] = value
        return {**state, **changed}

    def changes(self, action: Action, state: State, arguments: Mapping[str, Value]) -> Iterator[Change]:
        """Yield what an action sets, to what it is set. Raises SpecificationError for what is outside of the universe.

        Of the state, only the values are read that the action's formulas speak of, by `get`.
        """
        for assignment in action.update:
            yield from self._changes_of(assignment, action, state, dict(arguments))

    def _changes_of(self, assignment: Assignment, action: Action, state: State, bindings: Bindings) -> Iterator[Change]:
        function, where, value = assignment.function, self.compiled(assignment.where), self.compiled(assignment.value)
        choices = [
            self.universe.domain(sort)
            if action.is_everywhere(argument)
            else (self.compiled(argument)(state, EMPTY, bindings),)
            for argument, sort in zip(assignment.arguments, function.arguments, strict=True)
        ]
        names = [a.name if isinstance(a, Variable) and action.is_everywhere(a) else "" for a in assignment.arguments]
        for arguments in product(*choices):
            within = bindings | {name: given for name, given in zip(names, arguments, strict=True) if name}
            if where(state, EMPTY, within):
                new = value(state, EMPTY, within)
                self._require_inside(action, function, arguments, new)
                yield function, arguments, new

    def _require_inside(self, action: Action, function: Function, arguments: tuple[Value, ...], value: Value) -> None:
        """Raise SpecificationError if an action leaves the universe: there no quantifier would see what it does."""
        for sort, one in zip((*function.arguments, function.result), (*arguments, value), strict=True):
            if one not in self.universe.domain(sort):
                where = ", ".join(map(repr, arguments))
                raise SpecificationError(f"{action.name} leaves the universe: {function.name}[{where}] := {value!r}")

    # Formulas

    def value(self, expression: Expression, state: State, after: State = EMPTY, **bindings: Value) -> Any:
        """Return the value of an expression in a state, with the state after it if the expression speaks of that."""
        return self.compiled(expression)(state, after, dict(bindings))

    def broken(self, claims: Iterable[Claim], state: State, after: State = EMPTY) -> list[str]:
        """Return the names of the claims that are not true."""
        return [claim.name for claim in claims if not self.value(claim.formula, state, after)]

    def compiled(self, expression: Expression) -> Compiled:
        """Return an expression as a function."""
        if expression not in self._compiled:
            self._compiled[expression] = COMPILERS[type(expression)](self, expression)
        return self._compiled[expression]

    def _variable(self, variable: Variable) -> Compiled:
        name = variable.name
        return lambda state, after, bindings: bindings[name]

    def _constant(self, constant: Constant) -> Compiled:
        value = constant.value
        return lambda state, after, bindings: value

    def _apply(self, apply: Apply) -> Compiled:
        function, operands = apply.function, tuple(map(self.compiled, apply.operands))
        name = function.name
        if function.kind is Kind.CONSTANT:
            constant = self.universe.constants[name]
            return lambda state, after, bindings: constant(*(of(state, after, bindings) for of in operands))
        default, is_after = self.default(function), apply.is_after

        def value(state: State, after: State, bindings: Bindings) -> Any:
            arguments = tuple([of(state, after, bindings) for of in operands])
            return (after if is_after else state)[name].get(arguments, default)

        return value

    def _call(self, call: Call) -> Compiled:
        names = [parameter.name for parameter in call.definition.parameters]
        operands, body = tuple(map(self.compiled, call.operands)), self.compiled(call.definition.body)
        return lambda state, after, bindings: body(
            state, after, {name: of(state, after, bindings) for name, of in zip(names, operands, strict=True)}
        )

    def _sum(self, total: Sum) -> Compiled:
        left, right = self.compiled(total.left), self.compiled(total.right)
        return lambda state, after, bindings: left(state, after, bindings) + right(state, after, bindings)

    def _comparison(self, comparison: Comparison) -> Compiled:
        left, right = self.compiled(comparison.left), self.compiled(comparison.right)
        if comparison.relation == "=":
            return lambda state, after, bindings: left(state, after, bindings) == right(state, after, bindings)
        if comparison.relation == "<=":
            return lambda state, after, bindings: left(state, after, bindings) <= right(state, after, bindings)
        return lambda state, after, bindings: left(state, after, bindings) < right(state, after, bindings)

    def _not(self, negation: Not) -> Compiled:
        operand = self.compiled(negation.operand)
        return lambda state, after, bindings: not operand(state, after, bindings)

    def _connective(self, connective: Connective) -> Compiled:
        operands = tuple(map(self.compiled, connective.operands))
        if connective.word == "and":
            return lambda state, after, bindings: all(of(state, after, bindings) for of in operands)
        return lambda state, after, bindings: any(of(state, after, bindings) for of in operands)

    def _implies(self, implication: Implies) -> Compiled:
        premise, conclusion = self.compiled(implication.premise), self.compiled(implication.conclusion)
        return lambda state, after, bindings: not premise(state, after, bindings) or conclusion(state, after, bindings)

    def _if_then_else(self, choice: IfThenElse) -> Compiled:
        condition, then, otherwise = map(self.compiled, (choice.condition, choice.then, choice.otherwise))
        return lambda state, after, bindings: (
            then(state, after, bindings) if condition(state, after, bindings) else otherwise(state, after, bindings)
        )

    def _for_all(self, claim: ForAll) -> Compiled:
        """Go through the values of the variables; as soon as a premise is false, leave out those that remain."""
        premises, conclusion = premises_of(claim.body)
        names = [variable.name for variable in claim.variables]
        domains = [self.universe.domain(variable.sort) for variable in claim.variables]
        stages = [[self.compiled(premise) for premise in stage] for stage in staged(premises, names)]
        concludes = self.compiled(conclusion)

        def holds(state: State, after: State, bindings: Bindings, position: int) -> bool:
            if not all(premise(state, after, bindings) for premise in stages[position]):
                return True
            if position == len(names):
                return bool(concludes(state, after, bindings))
            for value in domains[position]:
                bindings[names[position]] = value
                if not holds(state, after, bindings, position + 1):
                    return False
            return True

        return lambda state, after, bindings: holds(state, after, dict(bindings), 0)


def premises_of(body: Expression) -> tuple[tuple[Expression, ...], Expression]:
    """Return what must be true before there is something to claim, and the claim."""
    if not isinstance(body, Implies):
        return (), body
    premise = body.premise
    is_conjunction = isinstance(premise, Connective) and premise.word == "and"
    return premise.operands if is_conjunction else (premise,), body.conclusion  # type: ignore[attr-defined]


def staged(premises: Sequence[Expression], names: Sequence[str]) -> list[list[Expression]]:
    """Return the premises by how many of the variables, in their order, must be known to evaluate them."""
    stages: list[list[Expression]] = [[] for _ in range(len(names) + 1)]
    for premise in premises:
        used = variables_in(premise)
        stages[max((position for position, name in enumerate(names, 1) if name in used), default=0)].append(premise)
    return stages


def variables_in(expression: Expression) -> set[str]:
    """Return the names of the variables in an expression; definitions have their own."""
    if isinstance(expression, Variable):
        return {expression.name}
    return {name for operand in operands_of(expression) for name in variables_in(operand)}


COMPILERS: dict[type[Expression], Callable[[Concrete, Any], Compiled]] = {
    Variable: Concrete._variable,
    Constant: Concrete._constant,
    Apply: Concrete._apply,
    Call: Concrete._call,
    Sum: Concrete._sum,
    Comparison: Concrete._comparison,
    Not: Concrete._not,
    Connective: Concrete._connective,
    Implies: Concrete._implies,
    IfThenElse: Concrete._if_then_else,
    ForAll: Concrete._for_all,
}
