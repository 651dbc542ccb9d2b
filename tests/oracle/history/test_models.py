"""The models say what the specification of the store says; a model of one's own."""

import json
import re
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.model import ModelError
from raftcheck.oracle.history import UNKNOWN, Event, Model, Operation, judge_history
from raftcheck.oracle.history.etcd import Etcd, Store
from raftcheck.oracle.history.etcd_requests import request_of
from raftcheck.oracle.history.values import At, Name, distinct, frozen, same, text_of
from raftimpl.store.store import Store as ReplicatedStore
from raftspec import keyvalue as spec
from tests.conftest import ROOT
from tests.store.asking import all_at
from tests.store.specified import carry_out

KEYS = st.sampled_from(["a", "ab", "b"])
VALUES = st.sampled_from([0, 1, True, "x", [1, {"y": None}]])
OPERATIONS = st.one_of(
    st.builds(lambda key: Operation("get", key), KEYS),
    st.builds(lambda key: Operation("delete", key), KEYS),
    st.builds(lambda prefix: Operation("list", prefix), st.sampled_from(["", "a", "c"])),
    st.builds(lambda key, value: Operation("put", key, frozen(value)), KEYS, VALUES),
    st.builds(
        lambda key, old, new: Operation("cas", key, (frozen(old), frozen(new))), KEYS, st.none() | VALUES, VALUES
    ),
)


def told(operation: Operation, result: spec.Result) -> Any:
    """What a client records of a result."""
    found: Any = [{"key": key, "value": json.loads(text)} for key, text in result.documents]
    previous = {"value": found[0]["value"]} if found else None
    match operation.function:
        case "get":
            return previous
        case "list":
            return found
        case "delete":
            return {"deleted": int(result.succeeded), "previous": previous}
        case "put":
            return {"previous": previous}
    return {"succeeded": result.succeeded, "previous": previous}


@given(st.lists(OPERATIONS, max_size=12), st.data())
def test_etcd_means_what_the_specification_and_the_implementation_mean(
    operations: list[Operation], data: st.DataObject
) -> None:
    model, store, replicated = Etcd(), spec.EMPTY, ReplicatedStore()
    state: Any = model.initial()
    for operation in operations:
        wanted = request_of(operation).success[0]
        store, result = spec.apply(store, wanted)
        assert carry_out(replicated, wanted) == result
        answer = frozen(told(operation, result))
        model.check(operation, answer)
        after: Any = model.step(state, operation, At(answer, replicated.revision))
        assert after is not None
        assert after == model.step(state, operation, UNKNOWN)
        wrong = data.draw(st.sampled_from([replicated.revision - 1, replicated.revision + 1]))
        assert model.step(state, operation, At(answer, wrong)) is None
        assert not model.is_read(operation, answer) or after == state
        state = after
    assert isinstance(state, Store)
    assert {key: record.document for key, record in state.records} == dict(store)
    assert {
        key: (record.document, record.create_revision, record.mod_revision, record.version)
        for key, record in state.records
    } == {
        kv.key.decode(): (kv.value.decode(), kv.create_revision, kv.mod_revision, kv.version)
        for kv in all_at(replicated)
    }


class Queue(Model):
    """First in, first out."""

    name: ClassVar[str] = "queue"
    functions: ClassVar[frozenset[str]] = frozenset({"enqueue", "dequeue"})

    def initial(self) -> tuple[Any, ...]:
        return ()

    def step(self, state: Any, operation: Operation, result: Any) -> Any:
        if operation.function == "enqueue":
            return (*state, operation.value)
        first, rest = (state[0], state[1:]) if state else (None, ())
        return rest if result is UNKNOWN or same(result, first) else None


def queue_events(*results: Any) -> list[Event]:
    events = []
    for value in ("a", "b"):
        events += [Event("invoke", 1, "enqueue", value=value), Event("ok", 1, "enqueue", value=value)]
    for result in results:
        events += [Event("invoke", 2, "dequeue"), Event("ok", 2, "dequeue", result=result)]
    return events


def test_a_model_of_ones_own() -> None:
    assert judge_history(queue_events("a", "b", None), model=Queue()).is_accepted
    assert judge_history(queue_events("b", "a"), model=Queue()).answer == "reject"
    with pytest.raises(ModelError, match="queue has no operation 'peek'; it has dequeue, enqueue"):
        judge_history([Event("invoke", 1, "peek")], model=Queue())


def test_the_model_in_the_documents_works() -> None:
    text = (ROOT / "docs" / "histories.md").read_text(encoding="utf-8")
    (program,) = [program for program in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Queue" in program]
    exec(compile(program, "histories.md", "exec"), {"__name__": "documents"})


def test_lists_and_mappings_may_be_values() -> None:
    events = [
        Event("invoke", 1, "write", value=[1, {"a": 2}]),  # type: ignore[arg-type]
        Event("ok", 1, "write"),
        Event("invoke", 1, "read"),
        Event("ok", 1, "read", result=[1, {"a": 2}]),  # type: ignore[arg-type]
    ]
    assert judge_history(events, model="register").is_accepted


class Lists(Queue):
    """Has states that are not hashable."""

    def step(self, state: Any, operation: Operation, result: Any) -> Any:
        return [state]


def test_a_model_with_states_that_are_not_hashable_is_refused() -> None:
    with pytest.raises(ModelError, match="queue has a state that is not hashable"):
        judge_history(queue_events(), model=Lists())


class Liar(Queue):
    """Says that dequeuing changes nothing."""

    def is_read(self, operation: Operation, result: Any) -> bool:
        return operation.function == "dequeue"


def test_a_model_that_is_wrong_about_reads_is_refused() -> None:
    with pytest.raises(ModelError, match="says that dequeue is a read"):
        judge_history(queue_events("a"), model=Liar())


def test_values_are_compared_by_kind() -> None:
    assert same(1, 1.0)
    assert not same(1, True)
    assert not same((0, [1][0]), (False, 1))
    assert distinct((True,)) != distinct((1,))
    assert same(frozen({"a": [1, 2]}), frozen({"a": [1, 2]}))
    assert not same(frozen({"a": 1}), frozen({"a": True}))
    assert not same(frozen({1, 2}), frozen({True, 2}))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nil"),
        (True, "true"),
        ('a"b', '"a\\"b"'),
        ((1, None), "[1 nil]"),
        (frozen({"b": 1, "a": Name(":k")}), '{"a" :k, "b" 1}'),
        (frozenset({2, 1}), "#{1 2}"),
        (UNKNOWN, "?"),
        (At(None, 4), "nil at revision 4"),
    ],
)
def test_values_as_people_read_them(value: Any, text: str) -> None:
    assert text_of(value) == text
