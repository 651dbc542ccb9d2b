"""Weighted clusters, against trying all sets of servers the obvious way."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.model import ModelError
from raftcheck.prove import check_weights

Sets = list[frozenset[int]]


def sets_of(servers: int) -> Sets:
    return [frozenset(chosen) for size in range(servers + 1) for chosen in combinations(range(servers), size)]


def heavy(weights: list[int], threshold: int) -> Sets:
    return [chosen for chosen in sets_of(len(weights)) if sum(weights[server] for server in chosen) >= threshold]


def test_one_server_may_be_heavier() -> None:
    result = check_weights([3, 1, 1, 1])
    assert (result.verdict, result.total, result.election.threshold) == ("proved", 6, 4)
    assert result.election.minimal == ((0, 1), (0, 2), (0, 3))
    assert (result.survives, result.equal_weights_survive) == (0, 1)


def test_half_of_the_weight_is_not_enough() -> None:
    result = check_weights([3, 1, 1, 1], "n // 2")
    assert (result.verdict, result.counterexample) == ("refuted", ((0,), (1, 2, 3)))
    assert check_weights([2, 2, 1], "n // 2 + n % 2").verdict == "proved"


def test_too_heavy_a_quorum() -> None:
    result = check_weights([2, 1, 1], "n + 1")
    assert (result.verdict, result.survives, result.election.count) == ("vacuous", None, 0)


def test_no_weight_is_needed() -> None:
    result = check_weights([2, 1], "n - 3")
    assert (result.verdict, result.counterexample) == ("refuted", ((), ()))


def test_twenty_servers() -> None:
    result = check_weights([1] * 20)
    assert (result.verdict, result.survives, result.election.count) == ("proved", 9, 167_960)
    assert len(result.election.minimal) == 20
    assert result.election.minimal[0] == tuple(range(11))


def test_a_rule_may_look_at_the_number_when_it_is_only_executed() -> None:
    assert check_weights([1, 1, 1], lambda n: 2 if n == 3 else n).verdict == "proved"


@pytest.mark.parametrize("rule", ["n*n*n*n*n*n*n*n*n*n", "-n*n*n*n*n*n*n*n*n*n"])
def test_weights_that_do_not_fit(rule: str) -> None:
    assert check_weights([10**6] * 20, rule).verdict in ("vacuous", "refuted")


@pytest.mark.parametrize(
    ("weights", "rule", "says"),
    [
        ([], None, "0 weights"),
        ([1] * 21, None, "21 weights"),
        ([0, 0], None, "nobody has a vote"),
        ([1, -1], None, "not -1"),
        ([1, 1.5], None, "not 1.5"),
        ([True, 1], None, "not True"),
        ([10**6 + 1], None, "from 0 to 1,000,000"),
        ([1, 2], "10 // (n - 3)", "divides by zero for n = 3"),
        ([1, 2], "n / 2", "write //"),
    ],
)
def test_what_makes_no_sense_is_refused(weights: Any, rule: str | None, says: str) -> None:
    with pytest.raises(ModelError, match=says.replace("(", r"\(").replace(")", r"\)")):
        check_weights(weights, rule)


def test_one_rule_or_two() -> None:
    with pytest.raises(ModelError, match="one rule for both"):
        check_weights([1], "n", commit_rule="n")


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6).filter(any), st.integers(-2, 20), st.integers(-2, 20))
def test_all_sets_the_obvious_way(weights: list[int], first: int, second: int) -> None:
    result = check_weights(weights, election_rule=f"n - n + {first}", commit_rule=f"n - n + {second}")
    elections, commits = heavy(weights, first), heavy(weights, second)
    disjoint = any(not a & b for a in elections for b in [*elections, *commits])
    assert (result.verdict == "refuted") == disjoint
    assert (result.verdict == "vacuous") == (not disjoint and not (elections and commits))
    if result.counterexample:
        a, b = map(frozenset, result.counterexample)
        assert a in elections
        assert b in elections or b in commits
        assert not a & b
    for found, quorums in ((result.election, elections), (result.commit, commits)):
        minimal = [quorum for quorum in quorums if not any(other < quorum for other in quorums)]
        assert found.count == len(minimal)
        assert set(map(frozenset, found.minimal)) <= set(minimal)
        assert len(found.minimal) == min(len(minimal), 20)
    both = [quorum for quorum in elections if quorum in commits]
    survived = [
        failures
        for failures in range(len(weights) + 1)
        if all(
            any(quorum <= set(range(len(weights))) - set(failed) for quorum in both)
            for failed in combinations(range(len(weights)), failures)
        )
    ]
    assert result.survives == max(survived, default=None)
