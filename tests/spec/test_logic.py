"""The language of the specification: what is well formed, and what the errors say."""

from collections.abc import Callable

import pytest

from raftspec.logic import (
    BOOLEAN,
    FALSE,
    NUMBER,
    TRUE,
    Action,
    Assignment,
    Definition,
    Expression,
    Function,
    Kind,
    Sort,
    SpecificationError,
    Variable,
    all_of,
    any_of,
    for_all,
    functions_in,
    if_else,
    implies,
    lifted,
    parts,
    sort_of,
)
from raftspec.proof import RAFT

SERVER, COLOUR = Sort("Server"), Sort("Colour")
INDEX, TERM = Sort("Index", is_number=True), Sort("Term", is_number=True)
n, colour = Variable("n", SERVER), Variable("colour", COLOUR)
i, t = Variable("i", INDEX), Variable("t", TERM)
light = Function("light", (SERVER,), COLOUR, Kind.VOLATILE, "Its colour.")
length = Function("length", (SERVER,), INDEX, Kind.VOLATILE, "A length.", 0)
lit = Function("lit", (SERVER, COLOUR), BOOLEAN, Kind.VOLATILE, "It shines so.", False)
bright = Definition("bright", (n,), lit[n, light[n]], "It shines in its colour.")

ILL_FORMED: list[tuple[Callable[[], object], str]] = [
    (lambda: light[colour], "argument 1 of light must be of sort Server, not Colour"),
    (lambda: light[0], "argument 1 of light must be of sort Server, not Number"),
    (lambda: lit[n], "lit takes 2 arguments, not 1"),
    (lambda: lit[n, n], "argument 2 of lit must be of sort Colour, not Server"),
    (lambda: bright(colour), "n of bright must be of sort Server, not Colour"),
    (lambda: n == colour, "the right side of = must be of sort Server, not Colour"),
    (lambda: n == 1, "the right side of = must be of sort Server, not Number"),
    (lambda: i == t, "the right side of = must be of sort Index, not Term"),
    (lambda: i <= t, "the right side of <= must be of sort Index, not Term"),
    (lambda: n < n, "the left side of < must be of sort Number, not Server"),
    (lambda: ~i, "what is negated must be of sort Boolean, not Index"),
    (lambda: all_of(TRUE, i), "a part of and must be of sort Boolean, not Index"),
    (lambda: any_of(light[n]), "a part of or must be of sort Boolean, not Colour"),
    (lambda: implies(i, TRUE), "a premise must be of sort Boolean, not Index"),
    (lambda: implies(TRUE, i), "a conclusion must be of sort Boolean, not Index"),
    (lambda: for_all([n], light[n]), "what is claimed of all must be of sort Boolean, not Colour"),
    (lambda: length[n].becomes(TRUE), "what length becomes must be of sort Index, not Boolean"),
    (lambda: length[n].becomes(t), "what length becomes must be of sort Index, not Term"),
    (lambda: length[n].becomes(0, where=i), "where must be of sort Boolean, not Index"),
    (lambda: lifted("x"), "'x' is no part of a formula"),
    (lambda: i == 1.5, "1.5 is no part of a formula"),
]


@pytest.mark.parametrize(("build", "text"), ILL_FORMED, ids=[text for _, text in ILL_FORMED])
def test_what_is_ill_formed_is_refused(build: Callable[[], object], text: str) -> None:
    with pytest.raises(SpecificationError) as refused:
        build()
    assert str(refused.value) == text


@pytest.mark.parametrize(
    "build",
    [
        lambda: 0 < i < 5,
        lambda: 0 <= i <= length[n],
        lambda: (i == 0) and (i == 1),
        lambda: (i == 0) or (i == 1),
        lambda: not lit[n, colour],
        lambda: i in [length[n]],
        lambda: 1 if lit[n, colour] else 0,
    ],
)
def test_formulas_have_no_truth_value_in_python(build: Callable[[], object]) -> None:
    with pytest.raises(SpecificationError, match="a formula has no truth value in Python: write all_of"):
        build()


@pytest.mark.parametrize(
    ("expression", "sort"),
    [
        (lifted(True), BOOLEAN),
        (lifted(3), NUMBER),
        (i + 1, INDEX),
        (lifted(1) + 1, NUMBER),
        (if_else(TRUE, 0, i), INDEX),
        (if_else(TRUE, i, 0), INDEX),
        (light[n], COLOUR),
        (bright(n), BOOLEAN),
        (i >= 0, BOOLEAN),
        (light[n] != light[n], BOOLEAN),
    ],
)
def test_sorts(expression: Expression, sort: Sort) -> None:
    assert sort_of(expression) == sort


def action(*update: Assignment) -> Action:
    return Action("Blink", "It blinks.", "", (n,), {}, update)


def test_an_action_changes_a_function_once() -> None:
    assert action(length[n].becomes(0), light[n].becomes(colour)).update
    with pytest.raises(SpecificationError, match="action Blink changes a function twice: length, light, length"):
        action(length[n].becomes(0), light[n].becomes(colour), length[n].becomes(1))


def test_an_argument_that_is_no_parameter_stands_for_every_value() -> None:
    assert action().is_everywhere(colour)
    assert not action().is_everywhere(n)
    assert not action().is_everywhere(light[n])


def test_parts_reach_into_definitions_and_not_into_patterns() -> None:
    assert functions_in(bright(n)) == {lit, light}
    assert functions_in(for_all([n], length[n] == 0, [light[n]])) == {length}
    assert functions_in(if_else(lit[n, colour], length[n] + 1, 0)) == {lit, length}
    assert len(list(parts(implies(TRUE, FALSE)))) == 3


def test_actions_are_found_by_name() -> None:
    assert RAFT.action("Timeout").name == "Timeout"
    with pytest.raises(SpecificationError, match="there is no action 'Time'; there are: Timeout, RequestVote, "):
        RAFT.action("Time")
    with pytest.raises(SpecificationError, match="there is no action 'Blink'"):
        RAFT.with_action(action())
