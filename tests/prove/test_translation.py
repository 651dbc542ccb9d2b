"""Formulas mean the same to Z3 as to plain Python: in states where every value is known, they are compared."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from random import Random
from typing import Any

import pytest
import z3

from raftcheck.prove.controls.executions import Run, Step
from raftcheck.prove.controls.walks import Walker
from raftcheck.prove.safety import symbolic
from raftcheck.prove.safety.finite import Finite, Size
from raftcheck.prove.safety.symbolic import Scope
from raftspec.concrete import Concrete, State, Value, cluster
from raftspec.logic import Function, Kind, Sort
from raftspec.proof import RAFT
from raftspec.raft import ENTRY, QUORUM, term_of
from tests.conftest import cases

SERVERS, NUMBERS, MESSAGES = 3, 4, 2
CONCRETE = Concrete(RAFT, cluster(SERVERS, NUMBERS, NUMBERS, MESSAGES))
ELEMENTS: Mapping[Sort, list[Value]] = {sort: list(CONCRETE.universe.domain(sort)) for sort in (QUORUM, ENTRY)}
FINITE = Finite(Size(SERVERS, NUMBERS, MESSAGES, entries=len(ELEMENTS[ENTRY])))
CLAIMS = RAFT.safety + RAFT.invariants


def number_of(sort: Sort, value: Any) -> Any:
    return ELEMENTS[sort].index(value) if sort in ELEMENTS else value


def element(sort: Sort, number: Any) -> Any:
    return ELEMENTS[sort][number] if sort in ELEMENTS else number


def value_at(state: State, function: Function, numbers: tuple[Any, ...]) -> Any:
    """Return a function's value in a state, arguments and value being numbers of elements."""
    point = tuple(element(sort, number) for sort, number in zip(function.arguments, numbers, strict=True))
    if function.kind is Kind.CONSTANT:
        return number_of(function.result, CONCRETE.universe.constants[function.name](*point))
    return number_of(function.result, state[function.name].get(point, CONCRETE.default(function)))


def known(state: State) -> Mapping[str, Callable[..., Any]]:
    """Return a state as the translation takes it; as nothing in it is unknown, formulas come out as plain values."""
    return {
        **FINITE.state(RAFT.functions),
        **{f.name: (lambda *numbers, f=f: value_at(state, f, numbers)) for f in (*RAFT.state, term_of)},
    }


def changed(state: State, random: Random) -> State:
    """Return the state with a value changed, so that claims may be false."""
    function = random.choice(RAFT.state)
    point = tuple(random.choice(list(CONCRETE.universe.domain(sort))) for sort in function.arguments)
    value = random.choice(list(CONCRETE.universe.domain(function.result)))
    values = {at: old for at, old in state[function.name].items() if at != point}
    return {**state, function.name: values if value == CONCRETE.default(function) else {**values, point: value}}


def runs(seed: int, length: int) -> Iterator[Run]:
    yield from Walker(CONCRETE, guided=0.9).walk(Random(seed), length)


@pytest.mark.parametrize("seed", range(cases(3)))
def test_claims_are_true_of_the_same_states(seed: int) -> None:
    random = Random(seed)
    said = set()
    for run in islice(runs(seed, 60), None, None, 4):
        for state in (run.state, changed(run.state, random), changed(changed(run.state, random), random)):
            for claim in CLAIMS:
                expected = CONCRETE.value(claim.formula, state)
                assert FINITE.value(claim.formula, Scope(known(state))) is expected, claim.name
                said.add(expected)
    assert said == {False, True}


def scope_of(step: Step, state: State) -> Scope:
    parameters = RAFT.action(step.action).parameters
    return Scope(known(state), bindings={p.name: number_of(p.sort, step.arguments[p.name]) for p in parameters})


@pytest.mark.parametrize("seed", range(3))
def test_actions_lead_to_the_same_states(seed: int) -> None:
    random = Random(seed)
    seen = set()
    for run in runs(seed, 60):
        step = run.steps[-1]
        action = RAFT.action(step.action)
        after = FINITE.after(action, scope_of(step, run.before))
        for function in RAFT.state:
            for numbers in FINITE.arguments(function):
                assert after[function.name](*numbers) == value_at(run.state, function, numbers), function.name
        for claim in RAFT.steps:
            expected = CONCRETE.value(claim.formula, run.before, run.state)
            assert FINITE.value(claim.formula, Scope(known(run.before), after)) is expected, claim.name
        spoilt = changed(run.before, random)
        may_happen = CONCRETE.refusal(action, spoilt, step.arguments) is None
        assert FINITE.guard(action, scope_of(step, run.before)) is True
        assert FINITE.guard(action, scope_of(step, spoilt)) is may_happen
        seen.add(step.action)
    assert len(seen) >= 6


@pytest.mark.parametrize("function", RAFT.state, ids=lambda function: function.name)
def test_an_unknown_argument_chooses_from_the_table(function: Function) -> None:
    """A function of an unknown element is what it is of that element, whichever it is."""
    table = FINITE.state(RAFT.functions)[function.name]
    unknown = [z3.Const(f"x{position}", FINITE.sort(sort)) for position, sort in enumerate(function.arguments)]
    looked_up = table(*unknown)
    for numbers in FINITE.arguments(function):
        given = [(x, z3.BitVecVal(number, x.sort())) for x, number in zip(unknown, numbers, strict=True)]
        assert z3.is_true(z3.simplify(z3.substitute(looked_up, *given) == table(*numbers)))


def test_a_wrong_translation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: with "at most" taken for "less", claims come out otherwise."""
    monkeypatch.setitem(symbolic.COMPARISONS, "<=", lambda a, b: a < b)  # type: ignore[arg-type]
    state = list(runs(0, 60))[-1].state
    said = {claim.name: FINITE.value(claim.formula, Scope(known(state))) for claim in CLAIMS}
    assert any(said[claim.name] != CONCRETE.value(claim.formula, state) for claim in CLAIMS)
