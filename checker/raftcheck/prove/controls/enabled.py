"""Which arguments enable an action in a state, found from its guards and not by trying all.

A guard that says that a relation is true of some parameters, such as that a message was sent, offers the tuples of
which the relation is true; one that says what a parameter equals offers that. What remains is tried value by value, and
each guard is checked as soon as its parameters are known.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from raftcheck.prove.controls.executions import Step
from raftspec.concrete import EMPTY, Bindings, Compiled, Concrete, State, Value, variables_in
from raftspec.logic import BOOLEAN, Action, Apply, Comparison, Connective, Expression, Kind, Not, Variable

Stage = Callable[[State, Bindings], Iterator[Bindings]]
"""Extends what is known of the parameters in every possible way."""


@dataclass(frozen=True, eq=False)
class Enabled:
    """Finds the steps that may be taken in a state.

    Messages that were not sent yet are interchangeable: only the first of them is offered to be sent.
    """

    concrete: Concrete
    _plans: dict[str, tuple[Stage, ...]] = field(default_factory=dict)

    def steps(self, action: Action, state: State) -> Iterator[Step]:
        """Yield the steps of an action that its guards let happen."""
        if action.name not in self._plans:
            self._plans[action.name] = tuple(Planning(self.concrete, action).stages())
        domains = {p.name: self.concrete.universe.domain(p.sort) for p in action.parameters}
        for bindings in extended(self._plans[action.name], state, {}):
            if all(bindings[name] in domain for name, domain in domains.items()):
                yield Step(action.name, {name: bindings[name] for name in domains})


def extended(stages: Sequence[Stage], state: State, bindings: Bindings) -> Iterator[Bindings]:
    """Yield what the parameters may be, by one stage after the other."""
    if not stages:
        yield bindings
        return
    for more in stages[0](state, bindings):
        yield from extended(stages[1:], state, more)


class Planning:
    """Orders the guards of an action into stages."""

    def __init__(self, concrete: Concrete, action: Action) -> None:
        self.concrete = concrete
        self.unknown = list(action.parameters)
        self.conjuncts = [part for guard in action.guard.values() for part in conjuncts_of(guard)]

    def stages(self) -> Iterator[Stage]:
        """Yield the stages. Each takes away what it settles."""
        while self.unknown or self.conjuncts:
            yield self.test() or self.equation() or self.relation() or self.unsent() or self.domain()

    def is_unknown(self, expression: Expression) -> bool:
        """Tell whether an expression is a parameter that is not known yet."""
        return isinstance(expression, Variable) and expression.name in self.unknown_names()

    def unknown_names(self) -> set[str]:
        """Return the names of the parameters that are not known yet."""
        return {variable.name for variable in self.unknown}

    def is_known(self, expression: Expression) -> bool:
        """Tell whether an expression can be evaluated: none of its names is that of an unknown parameter."""
        return not variables_in(expression) & self.unknown_names()

    def settle(self, names: set[str]) -> None:
        """Note that parameters are known now."""
        self.unknown = [variable for variable in self.unknown if variable.name not in names]

    def test(self) -> Stage | None:
        """Return the check of a guard whose parameters are all known."""
        for conjunct in self.conjuncts:
            if self.is_known(conjunct):
                self.conjuncts = [other for other in self.conjuncts if other is not conjunct]
                return checked(self.concrete.compiled(conjunct))
        return None

    def equation(self) -> Stage | None:
        """Return the choice of the value that a guard says a parameter has."""
        for conjunct in self.conjuncts:
            if not isinstance(conjunct, Comparison) or conjunct.relation != "=":
                continue
            for variable, other in ((conjunct.left, conjunct.right), (conjunct.right, conjunct.left)):
                if isinstance(variable, Variable) and self.is_unknown(variable) and self.is_known(other):
                    self.settle({variable.name})
                    return equated(variable, self.concrete, self.concrete.compiled(other))
        return None

    def relation(self) -> Stage | None:
        """Return the choice of the tuples of which a relation that a guard wants is true."""
        for conjunct in self.conjuncts:
            if not isinstance(conjunct, Apply) or conjunct.function.kind is Kind.CONSTANT:
                continue
            new = [operand for operand in conjunct.operands if self.is_unknown(operand)]
            if new and all(self.is_unknown(operand) or self.is_known(operand) for operand in conjunct.operands):
                names = {operand.name for operand in new if isinstance(operand, Variable)}
                self.settle(names)
                return joined(conjunct, names, self.concrete)
        return None

    def unsent(self) -> Stage | None:
        """Return the choice of the first message that was not sent, where a guard wants one."""
        for conjunct in self.conjuncts:
            relation = conjunct.operand if isinstance(conjunct, Not) else None
            if not isinstance(relation, Apply) or relation.function.kind is not Kind.MESSAGE:
                continue
            variable = relation.operands[0]
            if len(relation.operands) == 1 and isinstance(variable, Variable) and self.is_unknown(variable):
                self.settle({variable.name})
                domain = self.concrete.universe.domain(variable.sort)
                return first_without(relation.function.name, variable.name, domain)
        return None

    def domain(self) -> Stage:
        """Return the choice of any value for the next parameter."""
        variable = self.unknown[0]
        self.settle({variable.name})
        domain = self.concrete.universe.domain(variable.sort)
        return lambda state, bindings: ({**bindings, variable.name: value} for value in domain)


def conjuncts_of(formula: Expression) -> Iterator[Expression]:
    """Yield the formulas of which a conjunction is made."""
    if isinstance(formula, Connective) and formula.word == "and":
        for operand in formula.operands:
            yield from conjuncts_of(operand)
    else:
        yield formula


def checked(condition: Compiled) -> Stage:
    """Return the stage that a condition lets pass."""
    return lambda state, bindings: iter((bindings,) if condition(state, EMPTY, bindings) else ())


def equated(variable: Variable, concrete: Concrete, value_of: Compiled) -> Stage:
    """Return the stage that gives a parameter the value of an expression, if it is one of its values."""
    name, domain = variable.name, concrete.universe.domain(variable.sort)

    def stage(state: State, bindings: Bindings) -> Iterator[Bindings]:
        value = value_of(state, EMPTY, bindings)
        if value in domain:
            yield {**bindings, name: value}

    return stage


def joined(relation: Apply, names: set[str], concrete: Concrete) -> Stage:
    """Return the stage that goes through the tuples of which a relation is true."""
    function = relation.function
    if function.result != BOOLEAN:
        raise AssertionError(f"{function.name} is no relation")
    operands = [
        (operand.name, None)
        if isinstance(operand, Variable) and operand.name in names
        else ("", concrete.compiled(operand))
        for operand in relation.operands
    ]

    def stage(state: State, bindings: Bindings) -> Iterator[Bindings]:
        wanted = [(name, None if of is None else of(state, EMPTY, bindings)) for name, of in operands]
        for arguments in state[function.name]:
            more = matched(wanted, arguments, bindings)
            if more is not None:
                yield more

    return stage


def matched(
    wanted: Sequence[tuple[str, Value | None]], arguments: Sequence[Value], bindings: Bindings
) -> Bindings | None:
    """Return the bindings under which a tuple is the wanted one, None if there are none."""
    more = dict(bindings)
    for (name, value), argument in zip(wanted, arguments, strict=True):
        if more.setdefault(name, argument) != argument if name else value != argument:
            return None
    return more


def first_without(relation: str, name: str, domain: Sequence[Value]) -> Stage:
    """Return the stage that offers the first value of which a relation is not true."""

    def stage(state: State, bindings: Bindings) -> Iterator[Bindings]:
        for value in domain:
            if (value,) not in state[relation]:
                yield {**bindings, name: value}
                return

    return stage
