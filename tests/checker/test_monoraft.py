"""The reference explorer must find exactly the states that TLC found on the same model.

TLC reports "states generated", which is 1 + the number of enabled action instances, and a depth that counts
the initial state as 1.
"""

import pytest

from raftcheck import explore
from tests.systems.monoraft import monoraft


@pytest.mark.parametrize(
    ("restarts", "generated", "distinct", "depth"),
    [(False, 90_871, 33_422, 26), (True, 239_098, 65_610, 27)],
)
def test_reference_mode_counts_what_tlc_counts(restarts: bool, generated: int, distinct: int, depth: int) -> None:
    result = explore(monoraft(restarts=restarts), [], mode="reference")
    assert result.verdict == "holds"
    assert (result.transitions + 1, result.states, result.depth + 1) == (generated, distinct, depth)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("symmetry", [False, True])
def test_covering_mode_meets_the_same_combinations_of_servers(restarts: bool, symmetry: bool) -> None:
    system = monoraft(restarts=restarts)
    reference = explore(system, [], mode="reference")
    covering = explore(system, [], mode="covering", symmetry=symmetry)
    assert covering.complete
    assert covering.symmetry is symmetry
    assert covering.local_tuples == reference.local_tuples
    assert covering.states < reference.states
