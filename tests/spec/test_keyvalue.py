from typing import Any

import pytest

from raftspec.keyvalue import CompareAndSet, Delete, Get, ListPrefix, Operation, Put, Result, Store, apply, document

ONE, TWO = document({"n": 1}), document({"n": 2})

EXAMPLES: list[tuple[Store, Operation, Store, Result]] = [
    ({}, Put("a", ONE), {"a": ONE}, Result(True)),
    ({"a": ONE}, Put("a", TWO), {"a": TWO}, Result(True, (("a", ONE),))),
    ({"a": ONE, "b": TWO}, Put("a", TWO), {"a": TWO, "b": TWO}, Result(True, (("a", ONE),))),
    ({}, Delete("a"), {}, Result(False)),
    ({"a": ONE, "b": TWO}, Delete("a"), {"b": TWO}, Result(True, (("a", ONE),))),
    ({}, CompareAndSet("a", None, ONE), {"a": ONE}, Result(True)),
    ({"a": ONE}, CompareAndSet("a", None, TWO), {"a": ONE}, Result(False, (("a", ONE),))),
    ({"a": ONE}, CompareAndSet("a", ONE, TWO), {"a": TWO}, Result(True, (("a", ONE),))),
    ({"a": ONE}, CompareAndSet("a", TWO, TWO), {"a": ONE}, Result(False, (("a", ONE),))),
    ({}, CompareAndSet("a", ONE, TWO), {}, Result(False)),
    ({"a": ONE}, Get("a"), {"a": ONE}, Result(True, (("a", ONE),))),
    ({"a": ONE}, Get("b"), {"a": ONE}, Result(False)),
    ({"b/2": TWO, "b/1": ONE, "c": ONE}, ListPrefix("b/"), {"b/2": TWO, "b/1": ONE, "c": ONE},
     Result(True, (("b/1", ONE), ("b/2", TWO)))),
    ({"b": TWO, "a": ONE}, ListPrefix(), {"b": TWO, "a": ONE}, Result(True, (("a", ONE), ("b", TWO)))),
    ({}, ListPrefix("x"), {}, Result(True)),
]  # fmt: skip


@pytest.mark.parametrize(("before", "operation", "after", "result"), EXAMPLES)
def test_operations(before: Store, operation: Operation, after: Store, result: Result) -> None:
    untouched = dict(before)
    assert apply(before, operation) == (after, result)
    assert before == untouched


def test_equal_documents_have_equal_texts() -> None:
    assert document({"b": [1, 2.5, None], "a": "ü"}) == document({"a": "ü", "b": [1, 2.5, None]})
    assert document({"b": 1, "a": True}) == '{"a":true,"b":1}'
    assert len({document(value) for value in (1, True, "1", 1.0, None, [1])}) == 6


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), {1: 2}, [{"a": {2: 3}}], b"x", "\ud800"])
def test_what_json_cannot_say_is_no_document(value: Any) -> None:
    with pytest.raises(ValueError, match="not a JSON document"):
        document(value)
