"""The reader of EDN reads what an independent one reads, and knows the lines."""

import contextlib
from io import BytesIO
from typing import Any

import edn_format
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.oracle.history.edn import EdnReader
from raftcheck.oracle.history.values import Items, Name, frozen
from raftcheck.oracle.judgement import UnreadableError
from raftcheck.oracle.lines import Lines

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\x85  \x0b\x0c\x1c\x1d\x1e"), max_size=8),
    st.sampled_from(["a", "jepsen.core/read", "cas!", "+", "b*"]).map(edn_format.Keyword),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def read(text: str) -> list[Any]:
    return list(EdnReader(Lines("text", BytesIO(text.encode()))).items())


def plain(value: Any) -> Any:
    """What the independent reader read, in our values."""
    if isinstance(value, edn_format.Keyword):
        return Name(str(value))
    if isinstance(value, dict) or hasattr(value, "items"):
        return Items(frozenset((plain(key), plain(item)) for key, item in value.items()))
    if isinstance(value, str | int | float | None):
        return value
    return tuple(plain(item) for item in value)


@given(VALUES)
def test_what_an_independent_writer_wrote_is_read_as_its_reader_reads_it(value: Any) -> None:
    text = edn_format.dumps({"v": value})
    (item,) = read(text)
    assert frozen(item) == plain(edn_format.loads(text))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        (" , ; nothing\n", []),
        ("1 2", [1, 2]),
        ("[1 2]", [1, 2]),
        ("([1 2] #_ 3 #_ #_ 4 5 nil)", [(1, 2), None]),
        ("#{1 2}", [frozenset({1, 2})]),
        ("{:a 1, :b [x y]}", [{Name(":a"): 1, Name(":b"): (Name("x"), Name("y"))}]),
        ('"two\nlines" "\\u00e9\\n"', ["two\nlines", "é\n"]),
        ("12N -3 4.5M 1e3", [12, -3, 4.5, 1000.0]),
        ("\\a \\newline ##NaN", [Name("\\a"), Name("\\newline"), Name("##NaN")]),
        ('#inst "2020"', [(Name("#inst"), "2020")]),
        ("#jepsen.history.Op{:a 1}", [{Name(":a"): 1}]),
        ("; a comment\n{:f ; another\n 1}", [{Name(":f"): 1}]),
    ],
)
def test_values(text: str, values: list[Any]) -> None:
    assert read(text) == values


def test_the_line_of_a_value_is_where_it_begins() -> None:
    reader = EdnReader(Lines("text", BytesIO(b'[\n1\n{:a\n2} "x\ny"\n 3]')))
    assert [(reader.line, value) for value in reader.items()] == [
        (2, 1),
        (3, {Name(":a"): 2}),
        (5, "x\ny"),
        (6, 3),
    ]


@given(st.text('[](){}#_"\\:;a1 \n', max_size=30))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(UnreadableError):
        read(text)
