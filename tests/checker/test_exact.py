"""The exact explorer: it must count what TLC counts, and agree with the reference explorer in everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftcheck import Network, Property, Result, System, explore, recoverable
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import execute, first_violation
from tests.conftest import cases
from tests.systems import tables
from tests.systems.monoraft import monoraft

LIMIT = 3_000

networks = st.sampled_from(Network)

goals = st.sampled_from(tables.STATES).map(lambda at: recoverable("can be there", lambda s: s.at == at))


@pytest.mark.parametrize(
    ("restarts", "symmetry", "generated", "distinct", "depth"),
    [
        (False, False, 90_871, 33_422, 26),
        (False, True, 15_197, 5_593, 26),
        (True, False, 239_098, 65_610, 27),
        (True, True, 39_963, 10_975, 27),
    ],
)
def test_tlc_counts_the_same(restarts: bool, symmetry: bool, generated: int, distinct: int, depth: int) -> None:
    """TLC reports 1 + the number of enabled action instances, and a depth that counts the initial state as 1."""
    result = explore(monoraft(restarts=restarts), [], mode="exact", symmetry=symmetry)
    assert result.verdict == "holds"
    assert (result.transitions + 1, result.states, result.depth + 1) == (generated, distinct, depth)
    assert result.all_states == (65_610 if restarts else 33_422)


@pytest.mark.parametrize("bounds", [(1, 3, 2), (2, 2, 2), (2, 3, 1), (3, 2, 0), (4, 2, 0)])
def test_other_bounds_of_the_same_model(bounds: tuple[int, int, int]) -> None:
    reference = explore(monoraft(*bounds), [], mode="reference")
    for symmetry in (False, True):
        exact = explore(monoraft(*bounds), [], mode="exact", symmetry=symmetry)
        assert (exact.all_states, exact.depth) == (reference.states, reference.depth)
        assert exact.local_tuples == reference.local_tuples


@settings(max_examples=cases(400))
@given(networks.flatmap(tables.systems), tables.properties(), st.none() | goals, st.booleans())
def test_exact_agrees_with_reference(
    system: System, properties: list[Property], goal: Property | None, symmetry: bool
) -> None:
    claims = properties + ([goal] if goal else [])
    reference = explore(system, claims, mode="reference", max_states=LIMIT)
    if reference.verdict == "inconclusive":
        return
    exact = explore(system, claims, mode="exact", symmetry=symmetry)
    assert exact.verdict == reference.verdict
    assert_same_length(exact, reference)
    if reference.complete:
        assert_same_figures(exact, reference)


def assert_same_length(exact: Result, reference: Result) -> None:
    if reference.counterexample is not None:
        assert exact.counterexample is not None
        assert exact.counterexample.length == reference.counterexample.length


def assert_same_figures(exact: Result, reference: Result) -> None:
    assert exact.complete
    assert (exact.all_states, exact.local_tuples) == (reference.states, reference.local_tuples)
    assert (exact.depth, exact.local_states) == (reference.depth, reference.local_states)
    assert [p.status for p in exact.properties] == [p.status for p in reference.properties]
    if not exact.symmetry:
        assert (exact.states, exact.transitions) == (reference.states, reference.transitions)
        assert exact.local_transitions == reference.local_transitions


@settings(max_examples=cases(200))
@given(networks.flatmap(tables.systems), tables.properties(), st.booleans())
def test_every_counterexample_can_be_executed(system: System, properties: list[Property], symmetry: bool) -> None:
    found = explore(system, properties, mode="exact", symmetry=symmetry, max_states=LIMIT).counterexample
    if found is None:
        return
    semantics = Semantics(system)
    executed = execute(semantics, found.events)
    assert executed is not None
    assert first_violation(semantics, properties, executed) is not None
    assert [semantics.initial(), *(s.state for s in executed if s.state)] == list(found.states)


@settings(max_examples=cases(60))
@given(networks.flatmap(tables.systems), tables.properties(), st.booleans())
def test_the_number_of_workers_changes_nothing(system: System, properties: list[Property], symmetry: bool) -> None:
    one, two = (
        explore(system, properties, mode="exact", symmetry=symmetry, workers=workers, max_states=LIMIT)
        for workers in (1, 2)
    )
    assert (one.verdict, one.states, one.transitions, one.depth) == (
        two.verdict,
        two.states,
        two.transitions,
        two.depth,
    )
    assert one.counterexample == two.counterexample


@pytest.mark.parametrize("workers", [1, 2])
def test_many_batches(workers: int) -> None:
    result = explore(monoraft(3, 2, 1, restarts=True), [], mode="exact", symmetry=False, workers=workers)
    assert (result.states, result.transitions) == (65_610, 239_097)
