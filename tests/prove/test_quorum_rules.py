"""Rules for every cluster size, against trying all sets of servers of small clusters."""

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.model import ModelError
from raftcheck.prove import RuleResult, check_quorum_rule
from raftcheck.prove.quorum import solving
from raftcheck.prove.quorum.rules import DisjointQuorums
from raftspec.quorum import majority
from tests.prove.expressions import LINEAR_RULES, RULES, by_python, disjoint_pair_exists, sets_of_at_least

TRIED = 6
"""Clusters of up to so many servers are tried out."""


@pytest.mark.parametrize(
    "rule",
    [
        "n // 2 + 1",
        "(n + 2) // 2",
        "(2*n)//3 + 1",
        "n",
        "n - n // 3",
        "max(n // 2 + 1, n - 2)",
        "min(n, n // 2 + 2)",
        "n if n < 4 else n // 2 + 1",
        "n // 2 + 1 + n % 2 * (n // 9)",
        "-(-(n + 1) // 2)",
        "n - (n - 1) // 2",
        "(n*n + n) // (2*n) + 1 if n > 1 else 1",
    ],
)
def test_a_safe_rule_is_proved(rule: str) -> None:
    result = check_quorum_rule(rule)
    assert (result.verdict, result.counterexample, result.progress.sizes) == ("proved", None, "all")
    assert result.tolerance is not None
    assert result.tolerance.compared in ("the same", "never more")


@pytest.mark.parametrize(
    ("rule", "servers", "first", "second"),
    [
        ("(n + 1) // 2", 2, {0}, {1}),
        ("n // 2 if n > 1 else 1", 2, {0}, {1}),
        ("1", 2, {0}, {1}),
        ("n // 2 + n % 2 if n != 2 else 2", 4, {0, 1}, {2, 3}),
        ("n // 2", 1, set(), set()),
        ("n - 5", 1, set(), set()),
        ("-1", 1, set(), set()),
        ("0 if n == 7 else n", 7, set(), set()),
        ("n // 2 + 1 if n < 5000 else n // 2", 5000, set(range(2500)), set(range(2500, 5000))),
        ("n // 2 + 1 if n != 123456789 else 1", 123456789, {0}, {1}),
        ("n // 2 + 1 if n * n < 4000000 else n // 2 - 3", 2000, set(range(997)), set(range(997, 1994))),
    ],
)
def test_an_unsafe_rule_is_refuted_in_the_smallest_cluster(
    rule: str, servers: int, first: set[int], second: set[int]
) -> None:
    result = check_quorum_rule(rule)
    assert result.verdict == "refuted"
    found = result.counterexample
    assert found is not None
    assert (found.servers, set(found.first), set(found.second)) == (servers, first, second)
    assert result.tolerance is None
    assert result.outcomes[0].status == "refuted"


def test_an_example_without_empty_sets_is_shown_too() -> None:
    assert check_quorum_rule("n // 2").without_empty == DisjointQuorums(2, range(1), range(1, 2))
    assert check_quorum_rule("(n + 1) // 2").without_empty is None
    assert check_quorum_rule("0 if n == 1 else n").without_empty is None


@pytest.mark.parametrize("rule", ["n + 1", "2*n", "n + n % 2 + 1"])
def test_a_rule_that_no_cluster_can_meet_is_safe_and_useless(rule: str) -> None:
    result = check_quorum_rule(rule)
    assert (result.verdict, result.progress.sizes, result.tolerance) == ("vacuous", "none", None)
    assert "nobody can ever be elected" in result.progress.in_words()


def test_a_rule_that_only_large_clusters_can_meet() -> None:
    result = check_quorum_rule("1000000")
    assert (result.verdict, result.progress.sizes) == ("refuted", "some")
    assert result.counterexample is not None
    assert result.counterexample.servers == 2_000_000


def test_some_clusters_without_a_quorum_are_named() -> None:
    result = check_quorum_rule("n // 2 + 2")
    assert result.verdict == "proved"
    assert (result.progress.sizes, result.progress.without, result.progress.from_on) == ("some", (1, 2), 3)
    assert "with n = 1, 2. From n = 3 on" in result.progress.in_words()
    assert result.tolerance is not None
    assert [row.survives for row in result.tolerance.rows[:4]] == [None, None, 0, 0]
    odd = check_quorum_rule("n // 2 + 1 + n % 2 * n")
    assert (odd.verdict, odd.progress.from_on) == ("proved", None)
    assert odd.progress.without[:3] == (1, 3, 5)
    late = check_quorum_rule("n // 2 + 1 if n < 3000 else n + 1")
    assert (late.verdict, late.progress.sizes, late.progress.without) == ("proved", "some", (3000,))


@pytest.mark.parametrize(
    ("rule", "formula", "compared", "first_fewer"),
    [
        ("n // 2 + 1", "(n - 1) // 2", "the same", None),
        ("(2*n)//3 + 1", "(n - 1) // 3", "never more", 3),
        ("n", "0", "never more", 3),
        ("n - n // 4", "n // 4", "never more", 3),
        ("max(n - 1, n // 2 + 1)", None, "never more", 5),
    ],
)
def test_tolerance(rule: str, formula: str | None, compared: str, first_fewer: int | None) -> None:
    tolerance = check_quorum_rule(rule).tolerance
    assert tolerance is not None
    assert (tolerance.formula, tolerance.compared, tolerance.first_fewer) == (formula, compared, first_fewer)
    for row in tolerance.rows:
        needed = by_python(rule, row.servers)
        assert needed == row.election == row.commit
        assert row.survives == row.servers - needed == row.elections_survive == row.commits_survive
        assert row.majority_survives == (row.servers - 1) // 2
        if formula:
            assert row.survives == by_python(formula, row.servers)


@pytest.mark.parametrize(
    ("election", "commit", "verdict"),
    [
        (None, None, "proved"),
        ("n", "1", "proved"),
        ("n - n // 4", "n // 4 + 1", "proved"),
        ("(2*n)//3 + 1", "n - (2*n)//3", "proved"),
        ("n // 2 + 1", "n // 2 + n % 2", "proved"),  # n = 4: 3 voters meet any 2
        ("1", "n", "refuted"),  # a term could have two leaders
        ("n // 4 + 1", "n - n // 4", "refuted"),
        ("n", "0", "refuted"),
        ("n // 2 + 1", "n // 2", "refuted"),
        (None, "n // 2", "refuted"),
        ("n", None, "proved"),
        ("n + 1", "1", "vacuous"),
    ],
)
def test_different_rules_for_elections_and_commits(election: str | None, commit: str | None, verdict: str) -> None:
    assert check_quorum_rule(election_rule=election, commit_rule=commit).verdict == verdict


def test_the_requirement_that_fails_is_named() -> None:
    twice = check_quorum_rule(election_rule="1", commit_rule="n")
    assert [outcome.status for outcome in twice.outcomes] == ["refuted", "proved"]
    assert "Election Safety" in twice.outcomes[0].meaning
    lost = check_quorum_rule(election_rule="n // 2 + 1", commit_rule="n // 2")
    assert [outcome.status for outcome in lost.outcomes] == ["proved", "refuted"]
    assert "Leader Completeness" in lost.outcomes[1].meaning
    assert len(check_quorum_rule(election_rule="n // 2 + 1").outcomes) == 1


def flexible(rows: Any) -> list[tuple[int, int | None, int | None, int | None]]:
    return [(row.servers, row.elections_survive, row.commits_survive, row.survives) for row in rows]


def test_the_tolerance_of_flexible_quorums() -> None:
    tolerance = check_quorum_rule(election_rule="n - n // 4", commit_rule="n // 4 + 1").tolerance
    assert tolerance is not None
    assert flexible(tolerance.rows[3:5]) == [(4, 1, 2, 1), (5, 1, 3, 1)]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("10 // (n - 3)", "the rule 10 // (n - 3) divides by zero for n = 3"),
        ("n // 0", "the rule n // 0 divides by zero for n = 1"),
        ("n % (n - n)", "the rule n % (n - n) divides by zero for n = 1"),
        ("n // (n - 2000)", "the rule n // (n - 2000) divides by zero for n = 2000"),
        ("n if n // (n // 3000 - 1) < n else n", "divides by zero for n = 3000"),
        (3, "a rule is a text or a function of n, not 3"),
    ],
)
def test_what_is_no_rule_is_refused(rule: Any, says: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_quorum_rule(rule)
    assert says in str(caught.value)


def test_a_division_that_is_never_reached_is_none() -> None:
    assert check_quorum_rule("n if n == 3 else n // 2 + 1 + 0 // (n - 3)").verdict == "proved"


def half(n: int) -> int:
    return n // 2


def looks_at_its_type(n: Any) -> Any:
    return n if isinstance(n, int) else n // 2 + 1


def looks_at_its_type_far_away(n: Any) -> Any:
    return n // 2 + 1 if isinstance(n, int) else n // 2 + 1 - n // 2000


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        (looks_at_its_type_far_away, "with n = 2000 the formulas of the rules make disjoint quorums, but executed"),
        (lambda n: n // 2 + 1 if n > 3 else n, "branches on n"),
        (lambda n: max(n // 2 + 1, 3), "branches on n"),
        (lambda n: int(n // 2) + 1, "as a number and not as a formula"),
        (lambda n: [n][n - n], "as a number and not as a formula"),
        (lambda n: {n: 1}[n], r"rule\(n\) cannot be read from it \(TypeError"),
        (lambda n: n / 2, r"rule\(n\) gives 0.5 for n = 1; a quorum is a whole number"),
        (lambda n: None, r"rule\(n\) gives None for n = 1"),
        (lambda n: n > 0, r"rule\(n\) gives True for n = 1"),
        (lambda: 3, r"rule\(n\) fails for n = 1: TypeError"),
        (lambda n: n.bit_length(), r"rule\(n\) cannot be read from it \(AttributeError"),
        (lambda n: 10 // (n - 3), "divides by zero for n = 3"),
        (looks_at_its_type, r"looks_at_its_type\(n\) gives 3 for n = 3, but its formula says 2"),
    ],
)
def test_a_function_that_cannot_be_followed_is_refused(rule: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        check_quorum_rule(rule)


def test_functions_are_rules() -> None:
    assert check_quorum_rule(majority).verdict == "proved"
    assert check_quorum_rule(half).verdict == "refuted"
    assert check_quorum_rule(half).election == "half(n)"
    both = check_quorum_rule(election_rule=lambda n: n, commit_rule=lambda n: 1)
    assert (both.verdict, both.same_rule) == ("proved", False)


def test_one_rule_or_two() -> None:
    with pytest.raises(ModelError, match="one rule for both"):
        check_quorum_rule("n", commit_rule="n")


def test_what_z3_does_not_know_is_inconclusive() -> None:
    with patch.object(solving, "RESOURCES_PER_QUERY", 100_000):
        result = check_quorum_rule("n // 2 + 1 - (n*n*n + 2*n) % 3")
    assert (result.verdict, result.checked_up_to) == ("inconclusive", 1_000)
    assert "true for n <= 1,000" in result.outcomes[0].detail
    assert result.counterexample is None
    with patch.object(solving, "RESOURCES_PER_QUERY", 100_000):
        refuted = check_quorum_rule("n // 2 + 1 - (n*n*n + 2*n) % 3 - n // 700")
    assert refuted.verdict == "refuted"
    assert refuted.counterexample is not None
    assert refuted.counterexample.servers == 700


def smallest_by_trying(election: str, commit: str) -> int | None:
    """Return the smallest cluster that has quorums which must overlap and do not, by trying all sets."""
    for servers in range(1, TRIED + 1):
        elections, commits = by_python(election, servers), by_python(commit, servers)
        assert elections is not None
        assert commits is not None
        pairs = {(elections, elections), (elections, commits)}
        if any(disjoint_pair_exists(first, second, servers) for first, second in pairs):
            return servers
    return None


def compare(result: RuleResult, election: str, commit: str) -> None:
    tried = smallest_by_trying(election, commit)
    found = result.counterexample
    assert (result.verdict == "refuted") == (found is not None)
    if tried is not None or (found is not None and found.servers <= TRIED):
        assert found is not None
        assert found.servers == tried
    if found is not None:
        sizes = by_python(election, found.servers), by_python(commit, found.servers)
        assert len(found.first) >= (sizes[0] or 0)
        assert len(found.second) >= min(size or 0 for size in sizes)
        assert not set(found.first) & set(found.second)
        assert {*found.first, *found.second} <= set(range(found.servers))
    if result.verdict == "vacuous":
        assert not any(
            sets_of_at_least(by_python(election, servers) or 0, servers)
            and sets_of_at_least(by_python(commit, servers) or 0, servers)
            for servers in range(1, TRIED + 1)
        )


@given(rule=LINEAR_RULES)
def test_verdicts_are_those_of_trying_all_sets(rule: str) -> None:
    result = check_quorum_rule(rule)
    assert result.verdict != "inconclusive"
    compare(result, rule, rule)


@given(election=LINEAR_RULES, commit=LINEAR_RULES)
def test_verdicts_on_two_rules_are_those_of_trying_all_sets(election: str, commit: str) -> None:
    result = check_quorum_rule(election_rule=election, commit_rule=commit)
    assert result.verdict != "inconclusive"
    compare(result, election, commit)


@given(rule=RULES)
def test_no_verdict_on_any_rule_is_wrong(rule: str) -> None:
    """Of arithmetic that Z3 may give up on, too, and of divisions by zero."""
    with patch.object(solving, "RESOURCES_PER_QUERY", 200_000):
        try:
            result = check_quorum_rule(rule)
        except ModelError as error:
            refused = str(error)
        else:
            compare(result, rule, rule)
            return
    assert "divides by zero for n = " in refused
    servers = int(refused.rpartition(" ")[2])
    assert by_python(rule, servers) is None
    assert all(by_python(rule, smaller) is not None for smaller in range(1, min(servers, 50)))


@given(rule=LINEAR_RULES, servers=st.integers(1, TRIED))
def test_tolerance_is_that_of_trying_all_failures(rule: str, servers: int) -> None:
    tolerance = check_quorum_rule(rule).tolerance
    if tolerance is None:
        return
    row = tolerance.rows[servers - 1]
    quorums = sets_of_at_least(row.election, servers)
    survived = [
        failures
        for failures in range(servers + 1)
        if all(
            any(quorum <= set(range(servers)) - failed for quorum in quorums)
            for failed in sets_of_at_least(failures, servers)
            if len(failed) == failures
        )
    ]
    assert row.survives == max(survived, default=None)
