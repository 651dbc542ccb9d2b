from fractions import Fraction
from itertools import combinations
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftspec.quorum import fault_tolerance, greatest_index_held_by, is_quorum, majority


@pytest.mark.parametrize("servers", range(1, 200))
def test_majority_is_the_least_whole_number_not_below_half_of_n_plus_1(servers: int) -> None:
    assert majority(servers) == ceil(Fraction(servers + 1, 2))


@pytest.mark.parametrize("servers", range(1, 10))
def test_any_two_quorums_share_a_server_and_no_smaller_size_would_do(servers: int) -> None:
    everyone = range(servers)
    quorums = [set(members) for members in combinations(everyone, majority(servers))]
    assert all(a & b for a in quorums for b in quorums)
    smaller = [set(members) for members in combinations(everyone, majority(servers) - 1)]
    assert any(not a & b for a in smaller for b in smaller)


@pytest.mark.parametrize("k", range(1, 50))
def test_2k_plus_1_servers_survive_k_failures_and_2k_survive_k_minus_1(k: int) -> None:
    assert fault_tolerance(2 * k + 1) == k
    assert fault_tolerance(2 * k) == k - 1


@pytest.mark.parametrize("servers", range(1, 8))
def test_the_survivors_are_a_quorum_exactly_up_to_the_fault_tolerance(servers: int) -> None:
    cluster = set(range(servers))
    for failed in range(servers + 1):
        for survivors in combinations(cluster, servers - failed):
            assert is_quorum(survivors, cluster) == (failed <= fault_tolerance(servers))


def test_strangers_do_not_count() -> None:
    assert not is_quorum({0, 7, 8, 9}, {0, 1, 2})
    assert is_quorum([0, 0, 2], {0, 1, 2})


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.data())
def test_greatest_index_held_by(indexes: list[int], data: st.DataObject) -> None:
    quorum = data.draw(st.integers(1, len(indexes)))
    held = greatest_index_held_by(quorum, indexes)
    assert sum(index >= held for index in indexes) >= quorum
    assert sum(index >= held + 1 for index in indexes) < quorum
