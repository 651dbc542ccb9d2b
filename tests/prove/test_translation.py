"""Formulas mean the same to Z3 as to plain Python: in states where every value is known, they are compared."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest
import z3

from raftcheck.prove.executions import Run, Step
from raftcheck.prove.finite import Finite, Size
from raftcheck.prove.symbolic import Scope
from raftcheck.prove.walks import Walker
from raftspec.concrete import Concrete, State, Value, cluster
from raftspec.logic import Function, Kind, Sort, all_of
from raftspec.proof import RAFT
from raftspec.raft import ENTRY, QUORUM, term_of

SERVERS, NUMBERS, MESSAGES = 3, 4, 2
CONCRETE = Concrete(RAFT, cluster(SERVERS, NUMBERS, NUMBERS, MESSAGES))
ELEMENTS: Mapping[Sort, list[Value]] = {sort: list(CONCRETE.universe.domain(sort)) for sort in (QUORUM, ENTRY)}
FINITE = Finite(Size(SERVERS, NUMBERS, MESSAGES, entries=len(ELEMENTS[ENTRY])))
SYMBOLIC_STATE = FINITE.state(RAFT.functions)
CLAIMS = RAFT.safety + RAFT.invariants
FORMULAS = {claim.name: FINITE.value(claim.formula, Scope(SYMBOLIC_STATE)) for claim in CLAIMS}


def number_of(sort: Sort, value: Any) -> Any:
    return ELEMENTS[sort].index(value) if sort in ELEMENTS else value


def term(value: Any) -> Any:
    return z3.BoolVal(value) if isinstance(value, bool) else z3.BitVecVal(value, FINITE.sort(ENTRY).size())


def values_of(state: State) -> list[tuple[Any, Any]]:
    """Return what each of the symbolic state's unknowns is in a state."""
    pairs = []
    for function in (*RAFT.state, term_of):
        for arguments in FINITE.arguments(function):
            point = tuple(
                ELEMENTS[s][a] if s in ELEMENTS else a for s, a in zip(function.arguments, arguments, strict=True)
            )
            value = value_at(state, function, point)
            pairs.append((SYMBOLIC_STATE[function.name](*arguments), term(number_of(function.result, value))))
    return pairs


def value_at(state: State, function: Function, point: tuple[Any, ...]) -> Any:
    if function.kind is Kind.CONSTANT:
        return CONCRETE.universe.constants[function.name](*point)
    return state[function.name].get(point, CONCRETE.default(function))


def known(formula: Any, values: list[tuple[Any, Any]]) -> Any:
    """Return the value of an expression of Z3 when everything in it is known."""
    if not z3.is_expr(formula):
        return formula
    result = z3.simplify(z3.substitute(formula, *values))
    return z3.is_true(result) if z3.is_bool(result) and z3.is_const(result) else result.as_long()


def changed(state: State, random: Random) -> State:
    """Return the state with a value changed, so that claims may be false."""
    function = random.choice(RAFT.state)
    point = tuple(random.choice(list(CONCRETE.universe.domain(sort))) for sort in function.arguments)
    value = random.choice(list(CONCRETE.universe.domain(function.result)))
    values = {at: old for at, old in state[function.name].items() if at != point}
    return {**state, function.name: values if value == CONCRETE.default(function) else {**values, point: value}}


def runs(seed: int, length: int) -> Iterator[Run]:
    yield from Walker(CONCRETE, guided=0.9).walk(Random(seed), length)


@pytest.mark.parametrize("seed", range(6))
def test_claims_are_true_of_the_same_states(seed: int) -> None:
    random = Random(seed)
    said = set()
    for run in list(runs(seed, 60))[::6]:
        for state in (run.state, changed(run.state, random), changed(changed(run.state, random), random)):
            values = values_of(state)
            for claim in CLAIMS:
                expected = CONCRETE.value(claim.formula, state)
                assert known(FORMULAS[claim.name], values) == expected, claim.name
                said.add(expected)
    assert said == {False, True}


def arguments_of(step: Step) -> Mapping[str, Any]:
    parameters = RAFT.action(step.action).parameters
    return {p.name: number_of(p.sort, step.arguments[p.name]) for p in parameters}


@pytest.mark.parametrize("seed", range(4))
def test_actions_lead_to_the_same_states(seed: int) -> None:
    random = Random(seed)
    seen = set()
    for run in runs(seed, 50):
        step = run.steps[-1]
        action = RAFT.action(step.action)
        scope = Scope(SYMBOLIC_STATE, bindings=arguments_of(step))
        after = FINITE.after(action, scope)
        values, expected = values_of(run.before), dict(values_of(run.state))
        for function in {assignment.function for assignment in action.update}:
            for arguments in FINITE.arguments(function):
                unknown = SYMBOLIC_STATE[function.name](*arguments)
                assert known(after[function.name](*arguments), values) == known(expected[unknown], []), function.name
        guard = FINITE.guard(action, scope)
        assert known(guard, values) is True
        spoilt = changed(run.before, random)
        assert known(guard, values_of(spoilt)) == CONCRETE.value(
            all_of(*action.guard.values()), spoilt, **step.arguments
        )
        seen.add(step.action)
    assert len(seen) >= 6


def test_a_wrong_translation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: with "at most" taken for "less", claims come out otherwise."""
    monkeypatch.setitem(
        __import__("raftcheck.prove.symbolic", fromlist=["COMPARISONS"]).COMPARISONS, "<=", lambda a, b: a < b
    )
    state = list(runs(0, 60))[-1].state
    wrong = [
        claim.name
        for claim in CLAIMS
        if known(FINITE.value(claim.formula, Scope(SYMBOLIC_STATE)), values_of(state))
        != CONCRETE.value(claim.formula, state)
    ]
    assert wrong
