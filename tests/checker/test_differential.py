"""One explorer against another, on random systems."""

import sys
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from raftcheck import Network, Property, System, explore
from raftcheck.explore.covering import CoveringSearch
from raftcheck.explore.limits import Limits
from raftcheck.explore.reference import ReferenceSearch
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import execute, first_violation
from tests.conftest import cases
from tests.systems import tables

LIMIT = 4_000

covering_module = sys.modules[CoveringSearch.__module__]


guesses = st.sampled_from([1, 3, 10, 256])
"""After how many kept states the covering search guesses for the first time what makes no difference."""


@settings(max_examples=cases(400))
@given(tables.systems(), tables.properties(), st.booleans(), guesses)
def test_covering_agrees_with_reference(
    system: System, properties: list[Property], symmetry: bool, first_guess: int
) -> None:
    reference = explore(system, properties, mode="reference", max_states=LIMIT)
    with patch.object(covering_module, "FIRST_GUESS_AT", first_guess):
        covering = explore(system, properties, mode="covering", symmetry=symmetry)
    if reference.verdict == "inconclusive":
        return
    assert covering.verdict == reference.verdict
    if reference.complete:
        assert covering.complete
        assert covering.local_tuples == reference.local_tuples
        assert covering.states <= reference.states
        if not covering.symmetry:
            assert covering.local_states == reference.local_states
        assert [p.status for p in covering.properties] == [p.status for p in reference.properties]


@settings(max_examples=cases(400))
@given(tables.systems(), st.booleans(), guesses)
def test_covering_meets_exactly_what_can_be_met(system: System, symmetry: bool, first_guess: int) -> None:
    reference = ReferenceSearch(system, [], Limits(max_states=LIMIT))
    reference.run()
    if reference.limit is not None:
        return
    covering = CoveringSearch(system, [], Limits(), symmetry=symmetry)
    with patch.object(covering_module, "FIRST_GUESS_AT", first_guess):
        covering.run()
    met = {
        (covering.symmetry.processes(processes, names), covering.symmetry.value(ghost, names))
        for processes, ghost in covering.configurations()
        for names in covering.symmetry.permutations
    }
    assert met == {(state.processes, state.ghost) for state in reference.parents}


@settings(max_examples=cases(300))
@given(tables.systems(), tables.properties(), st.sampled_from(["covering", "reference"]), guesses)
def test_every_counterexample_can_be_executed(
    system: System, properties: list[Property], mode: str, first_guess: int
) -> None:
    with patch.object(covering_module, "FIRST_GUESS_AT", first_guess):
        result = explore(system, properties, mode=mode, max_states=LIMIT)  # type: ignore[arg-type]
    found = result.counterexample
    if found is None:
        return
    semantics = Semantics(system)
    executed = execute(semantics, found.events)
    assert executed is not None
    assert tuple(s.state for s in executed) == found.states[1:]
    claims = [checked for checked in properties if checked.name == found.violated]
    assert first_violation(semantics, claims, executed) == (found.length, found.violated)
    if mode == "covering":
        for position in range(found.length):
            shorter = execute(semantics, [*found.events[:position], *found.events[position + 1 :]])
            assert shorter is None or first_violation(semantics, claims, shorter) is None
        shortest = explore(system, claims, mode="reference", max_states=LIMIT).counterexample
        assert shortest is None or found.length >= shortest.length


@settings(max_examples=cases(200))
@given(st.sampled_from(list(Network)).flatmap(tables.systems), tables.properties())
def test_the_reference_explorer_is_a_breadth_first_search(system: System, properties: list[Property]) -> None:
    """The same by the plainest means: sets of states, a level at a time, no memory of local steps."""
    limit = 300
    semantics = Semantics(system)
    seen = {semantics.initial()}
    level, depth, transitions = list(seen), 0, 0
    while level and len(seen) <= limit:
        reached = set()
        for state in level:
            after = [s.state for s in Semantics(system).successors(state)]
            transitions += sum(successor != state for successor in after)
            reached |= {successor for successor in after if successor is not None and successor not in seen}
        seen |= reached
        level = list(reached)
        depth += bool(reached)
    if len(seen) <= limit:
        result = explore(system, [], mode="reference")
        assert (result.states, result.transitions, result.depth) == (len(seen), transitions, depth)
