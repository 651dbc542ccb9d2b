"""Laws: what a correct store shows is accepted, and every verdict is that of trying everything."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from raftcheck.oracle.history import Call, Examination, Model, examine, judge_history
from raftcheck.oracle.history.events import UNKNOWN, Event, cut, forgotten
from tests.oracle.history.brute import is_legal, is_linearizable
from tests.oracle.history.simulated import WORLDS, calls_of, faulty, simulated

SEEDS = st.integers(0, 2**32 - 1)
NAMES = sorted(WORLDS)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100)
@given(SEEDS, st.integers(1, 60), st.integers(1, 6), st.booleans())
def test_what_a_correct_store_shows_is_accepted(
    name: str, seed: int, operations: int, processes: int, crashes: bool
) -> None:
    world = WORLDS[name]
    events = simulated(world, Random(seed), operations, processes, crashes)
    examination = examine(events, model=world.model)
    assert examination.judgement.answer == "accept"
    assert examination.judgement.checked == len(examination.history.calls)
    for judged in examination.parts:
        require_linearization(examination.model, judged.part.calls, judged.found.order)


def require_linearization(model: Model, calls: tuple[Call, ...], order: tuple[Call, ...]) -> None:
    """The order that is found is one: complete, legal, and true to real time."""
    assert is_legal(model, order)
    assert len({call.number for call in order}) == len(order)
    assert {call.number for call in calls if call.completed is not None} <= {call.number for call in order}
    for place, later in enumerate(order):
        for earlier in order[:place]:
            assert later.completed is None or later.completed > earlier.invoked


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=400)
@given(SEEDS, st.integers(2, 6), st.integers(1, 4))
def test_the_verdict_is_that_of_trying_everything(name: str, seed: int, operations: int, processes: int) -> None:
    world, random = WORLDS[name], Random(seed)
    events = faulty(world, random, operations, processes)
    judgement = judge_history(events, model=world.model)
    expected = is_linearizable_by_keys(world.model, calls_of(events))
    assert judgement.answer == ("accept" if expected else "reject")


def is_linearizable_by_keys(model: Model, calls: list[Call]) -> bool:
    """Judge each key by itself where the model has a state for each, as the text of the models says."""
    if model.name == "etcd":
        return is_linearizable(model, calls)
    keys = {call.operation.key for call in calls}
    return all(is_linearizable(model, [call for call in calls if call.operation.key == key]) for key in keys)


def rejected(name: str, seed: int, operations: int, processes: int) -> tuple[Examination, list[Event]] | None:
    world, random = WORLDS[name], Random(seed)
    events = faulty(world, random, operations, processes)
    examination = examine(events, model=world.model)
    return (examination, events) if examination.explanation else None


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=200)
@given(SEEDS, st.integers(2, 6), st.integers(1, 4))
def test_the_first_impossible_event_is_the_first(name: str, seed: int, operations: int, processes: int) -> None:
    found = rejected(name, seed, operations, processes)
    if not found:
        return
    examination, events = found
    assert examination.explanation is not None
    impossible = examination.explanation.impossible
    assert impossible.is_first
    for position, event in enumerate(events):
        if event.type == "ok":
            beginning = list(cut(calls_of(events), position))
            expected = position < impossible.position
            assert is_linearizable_by_keys(examination.model, beginning) == expected or position > impossible.position
    assert is_legal(examination.model, impossible.order)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=200)
@given(SEEDS, st.integers(2, 6), st.integers(1, 4))
def test_no_outcome_that_is_needed_can_be_left_out(name: str, seed: int, operations: int, processes: int) -> None:
    found = rejected(name, seed, operations, processes)
    if not found:
        return
    examination, _ = found
    explanation = examination.explanation
    assert explanation is not None
    assert explanation.is_minimal
    calls = list(cut(explanation.impossible.part.calls, explanation.impossible.position))
    needed = {call.number for call in explanation.needed}
    assert not is_linearizable(examination.model, without_all_but(calls, needed))
    for number in needed:
        assert is_linearizable(examination.model, without_all_but(calls, needed - {number}))


def without_all_but(calls: list[Call], needed: set[int]) -> list[Call]:
    return [call if call.number in needed else forgotten(call) for call in calls]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40)
@given(SEEDS, st.integers(2, 12), st.integers(1, 5))
@example(0, 3, 2)
def test_a_history_with_fewer_outcomes_is_no_less_linearizable(
    name: str, seed: int, operations: int, processes: int
) -> None:
    world, random = WORLDS[name], Random(seed)
    events = faulty(world, random, operations, processes)
    before = judge_history(events, model=world.model).answer
    fewer = [replace(event, type="info") if random.random() < 0.3 and event.type == "ok" else event for event in events]
    after = judge_history(fewer, model=world.model).answer
    assert (before, after) != ("accept", "reject")
    assert all(call.result is UNKNOWN for call in calls_of(fewer) if call.completed is None)
