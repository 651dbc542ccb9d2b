"""A finite universe for Z3: where a proof fails, a concrete counterexample to induction.

In a universe of a few servers, terms and indexes all quantifiers are written out, so that Z3 decides and its models are
real. A model becomes a state of `raftspec.concrete`, which evaluates everything once more: what does not turn out to be
a counterexample there is not shown.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import z3

from raftcheck.prove.asking import answer_of
from raftcheck.prove.safety.obligations import Encoding, Obligation, Posed
from raftcheck.prove.safety.symbolic import (
    Scope,
    Symbolic,
    conjunction,
    disjunction,
    equal,
    if_then_else,
    implication,
    is_plainly,
)
from raftcheck.prove.safety.symbolic import State as SymbolicState
from raftspec.concrete import Concrete, State, Universe, Value, Values, cluster, premises_of, staged
from raftspec.logic import BOOLEAN, Action, Expression, ForAll, Function, Kind, Sort, Specification, Variable
from raftspec.raft import ENTRY, MESSAGE, QUORUM, SERVER, common, is_quorum, member, term_of


@dataclass(frozen=True)
class Size:
    """A finite universe: so many servers, AppendEntries messages and entries; terms and indexes from 0 to `numbers`.

    `quorum_size`: how many servers make a quorum; None: a majority.
    """

    servers: int
    numbers: int
    messages: int = 1
    entries: int = 3
    quorum_size: int | None = None

    def universe(self, entries: Sequence[Value] = ()) -> Universe:
        """Return the universe, with more numbers than any value of a state reaches."""
        numbers = self.numbers + 2
        plain = cluster(self.servers, numbers, numbers, self.messages, 1, self.quorum_size)
        return Universe({**plain.domains, ENTRY: tuple(entries)} if entries else plain.domains, plain.constants)


SIZES = (Size(1, 2), Size(2, 2), Size(3, 2), Size(2, 3), Size(3, 3), Size(4, 3), Size(3, 4), Size(5, 3))
"""In this order, so that what is found is small."""

SECONDS = 20.0
"""For one claim in one universe."""


@dataclass(frozen=True)
class InductionCounterexample:
    """A state in which all invariants are true, and what is broken by it or by an action from it.

    It need not be reachable: it shows that the argument fails, not that the system does. With `is_initial` it is the
    initial state, which breaks an invariant.
    """

    specification: Specification
    universe: Universe
    action: Action | None
    arguments: Mapping[str, Value]
    before: State
    after: State
    broken: tuple[str, ...]
    is_initial: bool = False


def find_counterexample(
    specification: Specification, claims: Sequence[Obligation], sizes: Iterable[Size] = SIZES
) -> InductionCounterexample | None:
    """Look for a counterexample to one of the claims, in ever larger universes; None if none was found."""
    for size in sizes:
        search = FiniteSearch(specification, size)
        for claim in claims:
            found = search.counterexample(claim)
            if found:
                return found
    return None


WIDTH = 6
"""Bits of a number: enough for every sort."""


class Finite(Symbolic):
    """Writes everything out: elements of sorts are small numbers, functions tables, quantifiers conjunctions.

    A number that is known is Python's, so that what is plain disappears; another one is a word of bits.
    """

    def __init__(self, size: Size) -> None:
        super().__init__(with_patterns=False)
        self.quorums: Sequence[frozenset[int]] = size.universe().domains[QUORUM]  # type: ignore[assignment]
        self._counts = {
            SERVER: size.servers,
            QUORUM: len(self.quorums),
            MESSAGE: size.messages,
            ENTRY: size.entries,
        }
        self._numbers = size.numbers + 1

    def count(self, sort: Sort) -> int:
        """Return how many elements a sort has."""
        return 2 if sort == BOOLEAN else self._counts.get(sort, self._numbers)

    def sort(self, sort: Sort) -> Any:
        """Return booleans, or words of bits."""
        return z3.BoolSort() if sort == BOOLEAN else z3.BitVecSort(WIDTH)

    def state(self, functions: Sequence[Function]) -> SymbolicState:
        """Return a state of which nothing is known; quorums are what they are in the universe."""
        fixed: SymbolicState = {member.name: self._member, common.name: self._common, is_quorum.name: lambda _: True}
        return {**{function.name: self._table(function) for function in functions}, **fixed}

    def _table(self, function: Function) -> Callable[..., Any]:
        """Return an unknown function: one unknown value for each argument, from which unknown arguments choose."""
        sort = self.sort(function.result)
        values = {
            arguments: z3.Const(f"{function.name}{list(arguments)}", sort) for arguments in self.arguments(function)
        }

        def value(*given: Any, known: tuple[int, ...] = ()) -> Any:
            if len(known) == len(given):
                return values[known]
            argument = given[len(known)]
            if isinstance(argument, int):
                return value(*given, known=(*known, argument))
            *most, last = range(self.count(function.arguments[len(known)]))
            chosen = value(*given, known=(*known, last))
            for element in most:
                chosen = if_then_else(argument == element, value(*given, known=(*known, element)), chosen)
            return chosen

        return value

    def _member(self, server: Any, quorum: Any) -> Any:
        return disjunction(
            conjunction([equal(quorum, number), disjunction(equal(server, one) for one in sorted(members))])
            for number, members in enumerate(self.quorums)
        )

    def _common(self, one: Any, other: Any) -> Any:
        raise NotImplementedError("whether quorums intersect is settled by the universe, and not asked")

    def for_all(self, claim: ForAll, scope: Scope) -> Any:
        """Return a quantified claim, written out."""
        premises, conclusion = premises_of(claim.body)
        stages = staged(premises, [variable.name for variable in claim.variables])
        return self._all(claim.variables, stages, conclusion, scope)

    def _all(
        self, variables: Sequence[Variable], stages: Sequence[Sequence[Expression]], claim: Expression, scope: Scope
    ) -> Any:
        """Return that the claim is true wherever the premises are; a premise that is plainly false ends a branch."""
        premise = conjunction(self.value(formula, scope) for formula in stages[0])
        if is_plainly(False, premise):
            return True
        if not variables:
            return implication(premise, self.value(claim, scope))
        elements = range(self.count(variables[0].sort))
        chosen = (scope.with_bindings(variables[:1], [element]) for element in elements)
        return implication(premise, conjunction(self._all(variables[1:], stages[1:], claim, one) for one in chosen))

    def arguments(self, function: Function) -> Iterable[tuple[int, ...]]:
        """Return all arguments of a function."""
        return product(*(range(self.count(sort)) for sort in function.arguments))

    def within(self, sort: Sort, term: Any, room: int = 0) -> Any:
        """Return that a term denotes an element of a sort; of a number, that so many greater ones follow."""
        return z3.And(term >= 0, term < self.count(sort) - (room if sort.is_number else 0))


class FiniteSearch:
    """Looks for counterexamples in one universe."""

    def __init__(self, specification: Specification, size: Size) -> None:
        self._specification, self._size, self._finite = specification, size, Finite(size)
        bare = replace(specification, axioms=(), lemmas={})
        self._encoding = Encoding(bare, self._finite)
        self._asked = [f for f in specification.functions if f.kind is not Kind.CONSTANT or f == term_of]

    def counterexample(self, obligation: Obligation) -> InductionCounterexample | None:
        """Return a counterexample to an obligation, None if there is none in this universe or Z3 gives up."""
        if obligation.rule == "initial":
            return self._broken_at_first(obligation)
        posed = self._encoding.posed(obligation)
        solver = z3.SolverFor("QF_BV")
        solver.set("timeout", int(1000 * SECONDS))
        solver.set("random_seed", 0)
        solver.add(*self._limits(), *(self._finite.within(v.sort, c) for v, c in posed.constants if v.sort != BOOLEAN))
        solver.add(*posed.hypotheses.values(), z3.Not(posed.goal))
        if answer_of(solver) != z3.sat:
            return None
        return self._confirmed(obligation, solver.model(), posed)

    def _broken_at_first(self, obligation: Obligation) -> InductionCounterexample | None:
        """Return the initial state, if it breaks an invariant."""
        concrete = Concrete(self._specification, self._size.universe())
        state = concrete.initial()
        broken = concrete.broken(self._specification.invariants, state)
        if obligation.claim.name not in broken:
            return None
        return InductionCounterexample(
            self._specification, concrete.universe, None, {}, state, state, tuple(broken), is_initial=True
        )

    def _limits(self) -> Iterable[Any]:
        """Return that all values are elements of their sorts, and that there is room for one more of each number."""
        for function in self._asked:
            if function.result != BOOLEAN:
                for arguments in self._finite.arguments(function):
                    term = self._encoding.state[function.name](*arguments)
                    yield self._finite.within(function.result, term, room=1)

    def _confirmed(self, obligation: Obligation, model: Any, posed: Posed) -> InductionCounterexample | None:
        """Return what the model shows, made small, if evaluating it says the same."""
        elements = self._elements(model)
        concrete = Concrete(self._specification, self._size.universe(elements[ENTRY]))
        action = obligation.action
        chosen = {v: element_of(model, c) for v, c in posed.constants[: len(action.parameters) if action else 0]}
        arguments = {v.name: elements[v.sort][number] if v.sort in elements else number for v, number in chosen.items()}
        before = self._state(model, elements, concrete)
        if obligation.claim.name not in broken_by(concrete, action, arguments, before):
            return None
        small = shrunk(before, lambda state: obligation.claim.name in broken_by(concrete, action, arguments, state))
        after = concrete.after(action, small, arguments) if action else small
        broken = broken_by(concrete, action, arguments, small)
        return InductionCounterexample(
            self._specification, concrete.universe, action, arguments, small, after, tuple(broken)
        )

    def _elements(self, model: Any) -> Mapping[Sort, Sequence[Value]]:
        """Return what the numbers stand for: quorums are sets of servers, entries pairs of a term and a value."""
        term = self._encoding.state[term_of.name]
        entries = [(element_of(model, term(number)), number) for number in range(self._finite.count(ENTRY))]
        return {QUORUM: self._finite.quorums, ENTRY: entries}

    def _state(self, model: Any, elements: Mapping[Sort, Sequence[Value]], concrete: Concrete) -> State:
        state: dict[str, Values] = {}
        for function in self._specification.state:
            values: dict[tuple[Value, ...], Value] = {}
            for numbers in self._finite.arguments(function):
                number = element_of(model, self._encoding.state[function.name](*numbers))
                value = elements[function.result][number] if function.result in elements else number
                if value != concrete.default(function):
                    values[numbers] = value
            state[function.name] = values
        return state


def broken_by(concrete: Concrete, action: Action | None, arguments: Mapping[str, Value], before: State) -> list[str]:
    """Return which claims an action breaks, or a state if there is no action; nothing if the state is no good start.

    Good is a state of the universe in which all invariants are true, and the action may happen.
    """
    specification = concrete.specification
    if concrete.broken(specification.invariants, before):
        return []
    if action is None:
        return concrete.broken(specification.safety, before)
    if concrete.refusal(action, before, arguments) is not None:
        return []
    after = concrete.after(action, before, arguments)
    broken = concrete.broken((*specification.invariants, *specification.safety), after)
    return broken + concrete.broken(specification.steps, before, after)


def shrunk(state: State, is_wanted: Callable[[State], bool]) -> State:
    """Return a wanted state in which no value can be left out, made of another one."""
    for name in state:
        for point in list(state[name]):
            values = {at: value for at, value in state[name].items() if at != point}
            smaller = {**state, name: values}
            if is_wanted(smaller):
                state = smaller
    return state


def element_of(model: Any, term: Any) -> Any:
    """Return the number or truth value of a term in a model."""
    value = model.eval(term, model_completion=True)
    return z3.is_true(value) if z3.is_bool(value) else value.as_long()
