"""The search is exact, and stays small where it can."""

import pytest

from raftcheck.explore.limits import Limits, Watch
from raftcheck.oracle.history import Call, Event, KeyValue, Register
from raftcheck.oracle.history.parts import parts_of
from raftcheck.oracle.history.search import Found, Steps, search, search_all
from tests.oracle.history.simulated import calls_of

NO_LIMIT = Watch(Limits(), None)


def invoked(process: int, function: str, value: object = None, result: object = None) -> list[Event]:
    return [Event("invoke", process, function, value=value), Event("ok", process, function, result=result)]  # type: ignore[arg-type]


def found(events: list[Event], model: Register | KeyValue | None = None) -> Found:
    return search(calls_of(events), Steps(model or Register()), NO_LIMIT, max_configurations=20_000)


def unknown_writes(count: int) -> list[Event]:
    return [Event("invoke", number, "write", value=number) for number in range(count)]


@pytest.mark.parametrize("count", [10, 60])
def test_unknown_writes_that_are_not_needed_are_not_combined(count: int) -> None:
    """A write replaces what was there, so one of unknown outcome is enough to explain any state."""
    events = [*unknown_writes(count), *invoked(100, "write", 100), *invoked(101, "read", result=-1)]
    result = found(events)
    assert result.linearizable is False
    assert result.configurations <= 4 * count + 4


@pytest.mark.parametrize("count", [5, 40])
def test_unknown_operations_that_ask_the_same_are_interchangeable(count: int) -> None:
    events = [Event("invoke", number, "append", value="x") for number in range(count)]
    assert found([*events, *invoked(100, "get", result="x" * count)], KeyValue()).configurations <= 3 * count
    assert found([*events, *invoked(100, "get", result="x" * (count + 1))], KeyValue()).linearizable is False


@pytest.mark.parametrize("count", [5, 40])
def test_reads_under_way_together_are_not_ordered(count: int) -> None:
    events = [Event("invoke", number, "read") for number in range(count)]
    events += [Event("ok", number, "read", result=None) for number in range(count)]
    result = found([*events, *invoked(100, "read", result=7)])
    assert result.linearizable is False
    assert result.configurations <= count + 2


def test_what_is_kept_does_not_grow_with_the_length_of_the_history() -> None:
    events = [event for number in range(3000) for event in invoked(number % 3, "write", number)]
    result = found([*events, *invoked(9, "read", result=2999)])
    assert result.linearizable is True
    assert result.configurations == 3002
    assert len(result.order) == 3001


def test_more_than_a_word_of_operations_at_once() -> None:
    events: list[Event] = [Event("invoke", number, "append", value=f"{number},") for number in range(70)]
    events += [Event("ok", number, "append") for number in range(70)]
    text = "".join(f"{number}," for number in range(70))
    assert found([*events, *invoked(100, "get", result=text)], KeyValue()).linearizable is True


def test_a_hard_group_does_not_hide_an_impossible_one() -> None:
    hard = [Event("invoke", number, "append", "hard", chr(97 + number)) for number in range(14)]
    hard += [Event("invoke", 50, "get", "hard"), Event("ok", 50, "get", "hard", result="nmlkjihgfedcbaa")]
    wrong = [Event("invoke", 60, "get", "wrong"), Event("ok", 60, "get", "wrong", result="x")]
    model = KeyValue()
    parts = parts_of(model, calls_of([*hard, *wrong]))
    assert [part.keys for part in parts] == [("hard",), ("wrong",)]
    results = search_all([part.calls for part in parts], Steps(model), Watch(Limits(max_seconds=20), None))
    assert [result.linearizable for result in results] == [None, False]


def test_a_limit_of_configurations() -> None:
    calls: list[Call] = calls_of(
        [
            *[Event("invoke", number, "append", value=chr(97 + number)) for number in range(12)],
            *invoked(50, "get", result="?"),
        ]
    )
    limited = search(calls, Steps(KeyValue()), NO_LIMIT, max_configurations=1000)
    assert limited.linearizable is None
    assert limited.why == "max_configurations=1000"
