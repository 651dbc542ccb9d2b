"""The explorers on systems whose states can be counted by hand, or were counted by others."""

import pytest

from raftcheck import Network, explore
from raftcheck.explore import MODES, Mode
from tests.systems import token_ring as ring
from tests.systems import two_phase_commit as commit

EVERY_STATE: list[Mode] = ["reference", "exact"]


@pytest.mark.parametrize("mode", EVERY_STATE)
@pytest.mark.parametrize(("resources", "states"), [(3, 288), (5, 8_832)])
def test_two_phase_commit_has_the_states_that_stateright_and_tlc_count(resources: int, states: int, mode: Mode) -> None:
    result = explore(commit.two_phase_commit(resources), commit.PROPERTIES, mode=mode)
    assert (result.verdict, result.all_states) == ("holds", states)


@pytest.mark.parametrize("mode", MODES)
def test_a_manager_that_is_content_with_a_majority_is_caught(mode: Mode) -> None:
    result = explore(commit.two_phase_commit(3, needed=2), commit.PROPERTIES, mode=mode)
    assert result.verdict == "violated"
    assert result.counterexample is not None
    assert result.counterexample.violated == "Consistency"
    assert result.counterexample.length == 7  # 2 prepare, 2 are heard, commit, one obeys, the third aborts


@pytest.mark.parametrize("mode", EVERY_STATE)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_token_that_cannot_be_lost_goes_round(size: int, mode: Mode) -> None:
    properties = [*ring.PROPERTIES, ring.RECOVERABLE]
    for network in (Network.UNORDERED, Network.ORDERED):
        result = explore(ring.token_ring(size, network, lossy=False), properties, mode=mode)
        assert result.verdict == "holds"
        assert (result.all_states, result.transitions, result.depth) == (2 * size, 2 * size, 2 * size - 1)


@pytest.mark.parametrize("mode", EVERY_STATE)
@pytest.mark.parametrize("network", [Network.UNORDERED, Network.ORDERED])
def test_a_token_that_can_be_lost_leaves_a_trap(network: Network, mode: Mode) -> None:
    system = ring.token_ring(3, network, lossy=True)
    held = explore(system, ring.PROPERTIES, mode=mode)
    assert (held.verdict, held.all_states, held.transitions) == ("holds", 7, 9)
    result = explore(system, [*ring.PROPERTIES, ring.RECOVERABLE], mode=mode)
    assert (result.verdict, result.complete) == ("violated", True)
    assert result.counterexample is not None
    assert [event.lost for event in result.counterexample.events] == [False, True]


@pytest.mark.parametrize("mode", MODES)
def test_a_token_that_is_duplicated_breaks_mutual_exclusion(mode: Mode) -> None:
    system = ring.token_ring(3, Network.LOSSY_DUPLICATING, lossy=True)
    result = explore(system, ring.PROPERTIES, mode=mode)
    assert result.counterexample is not None
    assert result.counterexample.violated == "Mutual Exclusion"
    # Passed on, received, passed on, received by the last; then the first message arrives once more.
    assert result.counterexample.length == 5


def test_a_ring_that_nobody_leaves_is_vacuous() -> None:
    system = ring.token_ring(1, Network.UNORDERED, lossy=False)
    never = ring.sometimes("Two hold the token", lambda states, _: sum(s.holds for s in states) == 2, over="cluster")
    result = explore(system, [never], mode="reference")
    assert result.verdict == "vacuous"
    assert [checked.status for checked in result.properties] == ["missing"]
