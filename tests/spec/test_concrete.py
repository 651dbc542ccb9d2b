"""The evaluator against the definitions: what it leaves out must not matter, and assignments mean what they say."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from raftspec.concrete import EMPTY, Concrete, State, Universe, cluster
from raftspec.logic import (
    BOOLEAN,
    FALSE,
    TRUE,
    Action,
    Apply,
    Assignment,
    Call,
    Comparison,
    Connective,
    Constant,
    Definition,
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
    all_of,
    any_of,
    for_all,
    if_else,
    implies,
)
from raftspec.proof import RAFT
from raftspec.raft import current_term, last_index, log, n

SERVER, NUMBER_OF = Sort("Server"), Sort("Number of", is_number=True)
SORTS = (SERVER, NUMBER_OF, BOOLEAN)

number = Function("number", (SERVER,), NUMBER_OF, Kind.VOLATILE, "A number.", 0)
friend = Function("friend", (SERVER,), SERVER, Kind.VOLATILE, "Another server.")
near = Function("near", (SERVER, SERVER), BOOLEAN, Kind.VOLATILE, "A relation.", False)
mark = Function("mark", (NUMBER_OF,), BOOLEAN, Kind.GHOST, "A set of numbers.", False)
fixed = Function("fixed", (SERVER, NUMBER_OF), BOOLEAN, Kind.CONSTANT, "It never changes.")
STATE = (number, friend, near, mark)
FUNCTIONS = (*STATE, fixed)

UNIVERSE = Universe({SERVER: range(2), NUMBER_OF: range(3)}, {"fixed": lambda server, value: server < value})
SPECIFICATION = Specification(FUNCTIONS, (), (), (), (), ())
CONCRETE = Concrete(SPECIFICATION, UNIVERSE)

x, y = Variable("x", SERVER), Variable("y", SERVER)
a, b = Variable("a", NUMBER_OF), Variable("b", NUMBER_OF)
VARIABLES = (x, y, a, b)
OUTER = {"x": 1, "y": 0, "a": 2, "b": 1}

# Random formulas and states

numbers = st.deferred(
    lambda: st.one_of(
        st.sampled_from([a, b]),
        servers.map(lambda s: number[s]),
        st.integers(0, 2).map(Constant),
        st.builds(lambda one, other: Sum(one, other), st.sampled_from([a, b]), st.integers(0, 1).map(Constant)),
        st.builds(if_else, formulas, st.sampled_from([a, b]), st.sampled_from([a, b])),
    )
)
servers = st.deferred(
    lambda: st.one_of(st.sampled_from([x, y]), st.sampled_from([x, y]).map(lambda s: friend[s]), after_friends)
)
after_friends = st.sampled_from([x, y]).map(lambda s: friend.after[s])
INSIDE = Definition("inside", (y, a), any_of(near[y, y], fixed[y, a], ~(number[y] <= a)), "A mixture.")
plain_numbers = st.sampled_from([a, b])

atoms = st.one_of(
    st.builds(lambda one, other: near[one, other], servers, servers),
    st.builds(lambda one, other: near.after[one, other], servers, servers),
    st.builds(lambda value: mark[value], plain_numbers),
    st.builds(lambda one, value: fixed[one, value], servers, plain_numbers),
    st.builds(lambda one, other: one == other, servers, servers),
    st.builds(lambda one, value: INSIDE(one, value), servers, plain_numbers),
    st.sampled_from([TRUE, FALSE]),
)
here = st.builds(lambda one, other: near[one, other], st.sampled_from([x, y]), st.sampled_from([x, y]))
comparisons = st.deferred(
    lambda: st.one_of(
        st.builds(lambda one, other: one == other, numbers, numbers),
        st.builds(lambda one, other: one <= other, numbers, numbers),
        st.builds(lambda one, other: one < other, numbers, numbers),
    )
)
variables = st.lists(st.sampled_from(VARIABLES), min_size=1, max_size=3, unique=True)


def larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=0, max_size=3)
    return st.one_of(
        inner.map(lambda formula: ~formula),
        several.map(lambda formulas: all_of(*formulas)),
        several.map(lambda formulas: any_of(*formulas)),
        st.builds(implies, inner, inner),
        st.builds(for_all, variables, inner),
        st.builds(lambda v, premises, claim: for_all(v, implies(all_of(*premises), claim)), variables, several, inner),
        st.builds(lambda v, premise, claim: for_all(v, implies(premise, claim)), variables, inner, inner),
    )


formulas: st.SearchStrategy[Any] = st.recursive(
    st.one_of(atoms, st.deferred(lambda: comparisons)), larger, max_leaves=8
)


@st.composite
def states(draw: st.DrawFn) -> State:
    """Return a state: as the evaluator wants it, without what is as at first."""
    state: dict[str, dict[tuple[Any, ...], Any]] = {}
    for function in STATE:
        domain = UNIVERSE.domain(function.result)
        values = {
            arguments: draw(st.sampled_from(domain))
            for arguments in product(*(UNIVERSE.domain(sort) for sort in function.arguments))
        }
        state[function.name] = {arguments: value for arguments, value in values.items() if value != domain[0]}
    return state


# The plain evaluator: every quantifier goes through the whole product, nothing is left out


class Plain:
    """Evaluates a formula by the definition of each construct."""

    def __init__(self, state: State, after: State) -> None:
        self.state, self.after = state, after

    def value(self, expression: Expression, names: Mapping[str, Any]) -> Any:
        return self.MEANINGS[type(expression)](self, expression, names)

    def apply(self, apply: Apply, names: Mapping[str, Any]) -> Any:
        arguments = tuple(self.value(operand, names) for operand in apply.operands)
        function = apply.function
        if function.kind is Kind.CONSTANT:
            return UNIVERSE.constants[function.name](*arguments)
        values = (self.after if apply.is_after else self.state)[function.name]
        return values[arguments] if arguments in values else UNIVERSE.domain(function.result)[0]

    def call(self, call: Call, names: Mapping[str, Any]) -> Any:
        given = [self.value(operand, names) for operand in call.operands]
        parameters = [parameter.name for parameter in call.definition.parameters]
        return self.value(call.definition.body, dict(zip(parameters, given, strict=True)))

    def compare(self, comparison: Comparison, names: Mapping[str, Any]) -> bool:
        left, right = self.value(comparison.left, names), self.value(comparison.right, names)
        return {"=": left == right, "<=": left <= right, "<": left < right}[comparison.relation]

    def connect(self, connective: Connective, names: Mapping[str, Any]) -> bool:
        values = [self.value(operand, names) for operand in connective.operands]
        return False not in values if connective.word == "and" else True in values

    def claim(self, claim: ForAll, names: Mapping[str, Any]) -> bool:
        domains = [UNIVERSE.domain(variable.sort) for variable in claim.variables]
        known = [variable.name for variable in claim.variables]
        values = [
            self.value(claim.body, {**names, **dict(zip(known, chosen, strict=True))}) for chosen in product(*domains)
        ]
        return False not in values

    MEANINGS: Mapping[type[Expression], Callable[..., Any]] = {
        Variable: lambda self, variable, names: names[variable.name],
        Constant: lambda self, constant, names: constant.value,
        Apply: apply,
        Call: call,
        Sum: lambda self, total, names: self.value(total.left, names) + self.value(total.right, names),
        Comparison: compare,
        Not: lambda self, negation, names: not self.value(negation.operand, names),
        Connective: connect,
        Implies: lambda self, it, names: self.value(it.conclusion, names) if self.value(it.premise, names) else True,
        IfThenElse: lambda self, choice, names: self.value(
            choice.then if self.value(choice.condition, names) else choice.otherwise, names
        ),
        ForAll: claim,
    }


@given(formula=formulas, state=states(), after=states())
@settings(max_examples=200, derandomize=True)
def test_formulas_mean_what_their_definitions_say(formula: Expression, state: State, after: State) -> None:
    found = Concrete(SPECIFICATION, UNIVERSE).value(formula, state, after, **OUTER)
    assert isinstance(found, bool)
    assert found == Plain(state, after).value(formula, OUTER)


@given(
    chosen=variables,
    premises=st.lists(st.one_of(atoms, comparisons), max_size=4),
    claim=formulas,
    state=states(),
    after=states(),
)
@settings(max_examples=200, derandomize=True)
def test_premises_leave_out_only_what_they_exclude(
    chosen: Sequence[Variable], premises: Sequence[Expression], claim: Expression, state: State, after: State
) -> None:
    formula = for_all(chosen, implies(all_of(*premises), claim))
    found = Concrete(SPECIFICATION, UNIVERSE).value(formula, state, after, **OUTER)
    assert found == Plain(state, after).value(formula, OUTER)


def test_a_premise_that_is_evaluated_too_early_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the comparison above finds it if premises are evaluated before their variables are known."""

    def too_early(premises: Sequence[Expression], names: Sequence[str]) -> list[list[Expression]]:
        return [list(premises), *([] for _ in names)]

    monkeypatch.setattr("raftspec.concrete.staged", too_early)

    def differs(case: tuple[Expression, State]) -> bool:
        formula, state = case
        found = Concrete(SPECIFICATION, UNIVERSE).value(formula, state, EMPTY, **OUTER)
        return bool(found != Plain(state, state).value(formula, OUTER))

    claims = st.builds(lambda v, premise: for_all(v, implies(premise, FALSE)), variables, here)
    find(st.tuples(claims, states()), differs, settings=settings(derandomize=True, database=None))


# Assignments


def everywhere(function: Function) -> Iterator[tuple[Any, ...]]:
    return product(*(UNIVERSE.domain(sort) for sort in function.arguments))


def by_definition(assignment: Assignment, action: Action, state: State, bindings: Mapping[str, Any]) -> dict[Any, Any]:
    """Return f' as the specification's language defines it: for every place, the new value or the old one."""
    plain, function = Plain(state, EMPTY), assignment.function
    default, found = UNIVERSE.domain(function.result)[0], {}
    for place in everywhere(function):
        names = dict(bindings)
        is_here = True
        for argument, value in zip(assignment.arguments, place, strict=True):
            if isinstance(argument, Variable) and action.is_everywhere(argument):
                names[argument.name] = value
            else:
                is_here = is_here and plain.value(argument, bindings) == value
        is_new = is_here and plain.value(assignment.where, names)
        found[place] = plain.value(assignment.value, names) if is_new else state[function.name].get(place, default)
    return {place: value for place, value in found.items() if value != default}


UPDATES = {
    "one place": number[x].becomes(a),
    "a place that is computed": number[friend[x]].becomes(number[x]),
    "everywhere": mark[b].becomes(b == a),
    "in a row": near[x, y].becomes(near[y, x]),
    "in a column": near[y, friend[x]].becomes(TRUE, where=~near[y, y]),
    "everywhere, of two": near[y, Variable("z", SERVER)].becomes(near[Variable("z", SERVER), y]),
    "where": mark[b].becomes(FALSE, where=all_of(b <= a, mark[a])),
    "a choice": friend[y].becomes(if_else(near[x, y], x, friend[friend[y]])),
}


@pytest.mark.parametrize("name", UPDATES)
@given(state=states(), server=st.sampled_from(range(2)), value=st.sampled_from(range(3)))
@settings(max_examples=40, derandomize=True)
def test_assignments_mean_what_the_language_says(name: str, state: State, server: int, value: int) -> None:
    action = Action("Change", "", "", (x, a), {}, (UPDATES[name],))
    arguments = {"x": server, "a": value}
    after = CONCRETE.after(action, state, arguments)
    changed = UPDATES[name].function.name
    assert after[changed] == by_definition(UPDATES[name], action, state, arguments)
    assert {k: v for k, v in after.items() if k != changed} == {k: v for k, v in state.items() if k != changed}


def test_all_assignments_are_carried_out_at_once() -> None:
    swap = Action("Swap", "", "", (x, y), {}, (number[x].becomes(number[y]), friend[number_of(y)].becomes(y)))
    state: State = {"number": {(1,): 2}, "friend": {(1,): 1}, "near": {}, "mark": {}}
    after = CONCRETE.after(swap, state, {"x": 0, "y": 1})
    assert after["number"] == {(0,): 2, (1,): 2}
    assert after["friend"] == {(1,): 1}


def number_of(server: Variable) -> Expression:
    return if_else(number[server] == 0, server, friend[server])  # type: ignore[arg-type]


# Refusals, and the edge of the universe

RAFT_IN_SMALL = Concrete(RAFT, cluster(2, terms=1, indexes=1))


def test_the_first_guard_that_is_not_true_is_named() -> None:
    state = RAFT_IN_SMALL.initial()
    timeout, request = RAFT.action("Timeout"), RAFT.action("ClientRequest")
    assert RAFT_IN_SMALL.refusal(timeout, state, {"n": 0}) is None
    assert RAFT_IN_SMALL.refusal(request, state, {"n": 0, "e": (1, 0)}) == "it leads"


def test_a_value_outside_of_the_universe_is_an_error() -> None:
    state, timeout = RAFT_IN_SMALL.initial(), RAFT.action("Timeout")
    state = RAFT_IN_SMALL.after(timeout, state, {"n": 0})
    with pytest.raises(SpecificationError, match=r"Timeout leaves the universe: current_term\[0\] := 2"):
        RAFT_IN_SMALL.after(timeout, state, {"n": 0})


def test_states_are_equal_if_all_values_are() -> None:
    state = RAFT_IN_SMALL.initial()
    there = Action("There", "", "", (n,), {}, (last_index[n].becomes(1), log[n, 1].becomes(log[n, 0])))
    back = Action("Back", "", "", (n,), {}, (last_index[n].becomes(0), current_term[n].becomes(0)))
    away = RAFT_IN_SMALL.after(there, state, {"n": 1})
    assert away != state
    assert RAFT_IN_SMALL.after(back, away, {"n": 1}) == state
