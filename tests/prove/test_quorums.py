"""The theorems about quorums are proved, and wrong quorums are found out."""

from collections.abc import Callable
from typing import Any

import pytest
import z3

from raftcheck.model import ModelError
from raftcheck.prove import Outcome, prove_quorums, verdict_of
from raftcheck.prove.quorum import solving
from raftcheck.prove.quorum.counting import induction
from raftcheck.prove.quorum.functions import SPECIFICATION, QuorumFunctions, in_words
from raftcheck.prove.quorum.solving import Query, ask, follow
from raftcheck.prove.quorum.theorems import BY_SOLVER, TWO_QUORUMS_SHARE_A_SERVER, quorum_theorems
from raftspec import quorum

LEAST = "A majority is the least number not below (n+1)/2"
OVERLAP = TWO_QUORUMS_SHARE_A_SERVER
SMALLER = "No smaller quorum is safe"
EXACTLY = "Exactly fault_tolerance(n) failures are survived"
ODD = "2k+1 servers survive k failures"
EVEN = "2k servers survive k-1 failures"
USELESS = "An even server adds no tolerance"
ONE = "Adding or removing one server is safe"
TWO = "Adding or removing two servers at once is unsafe"
JOINT = "Joint quorums overlap with all others"
SETS = "is_quorum tells quorums (up to 8 servers)"
INDEXES = "greatest_index_held_by is the greatest (up to 5 servers)"
ALL = [LEAST, OVERLAP, SMALLER, EXACTLY, ODD, EVEN, USELESS, ONE, TWO, JOINT, SETS, INDEXES]


def statuses(functions: QuorumFunctions) -> dict[str, str]:
    return {outcome.name: outcome.status for outcome in prove_quorums(functions)}


def with_majority(majority: Callable[[Any], Any]) -> QuorumFunctions:
    """All four functions as they would be if `majority` were this one."""
    return QuorumFunctions(
        majority=majority,
        fault_tolerance=lambda servers: servers - majority(servers),
        is_quorum=lambda members, servers: len(servers & set(members)) >= majority(len(servers)),
    )


def test_every_theorem_is_proved() -> None:
    outcomes = prove_quorums()
    assert [outcome.name for outcome in outcomes] == ALL
    assert {outcome.status for outcome in outcomes} == {"proved"}
    assert verdict_of(outcomes) == "proved"
    for outcome in outcomes:
        assert outcome.source
        assert any(word in outcome.meaning for word in ("every", "for all", "only")), outcome.name


def test_the_theorems_are_about_the_functions_of_the_specification() -> None:
    for name in ("majority", "fault_tolerance", "is_quorum", "greatest_index_held_by"):
        assert getattr(SPECIFICATION, name) is getattr(quorum, name)


@pytest.mark.parametrize(
    ("majority", "refuted"),
    [
        (lambda n: n // 2, {LEAST, OVERLAP, ODD, EVEN, ONE, TWO, JOINT, SETS}),
        (lambda n: (n + 1) // 2, {LEAST, OVERLAP, EVEN, USELESS, ONE, TWO, JOINT, SETS}),
        (lambda n: n // 2 + 2, {LEAST, SMALLER, ODD, EVEN, TWO}),
        (lambda n: (n + 1) // 2 + 1, {LEAST, SMALLER, ODD, USELESS, TWO}),
        (lambda n: n, {LEAST, SMALLER, ODD, EVEN, TWO}),
        (lambda n: n - n + 1, {LEAST, OVERLAP, ODD, EVEN, USELESS, ONE, TWO, JOINT, SETS}),
        (lambda n: n // -2 + n + 1, set()),  # another way to write it
    ],
)
def test_a_wrong_majority_is_refuted(majority: Callable[[Any], Any], refuted: set[str]) -> None:
    found = statuses(with_majority(majority))
    assert {name for name, status in found.items() if status == "refuted"} == refuted
    assert {name for name, status in found.items() if status == "unknown"} == set()


@pytest.mark.parametrize("wrong", [lambda n: n // 2, lambda n: n - n // 2, lambda n: 0 * n])
def test_a_wrong_fault_tolerance_is_refuted(wrong: Callable[[Any], Any]) -> None:
    found = statuses(QuorumFunctions(fault_tolerance=wrong))
    assert found[EXACTLY] == "refuted"
    assert found[SETS] == "refuted"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda members, servers: len(set(members)) >= quorum.majority(len(servers)),  # strangers count
        lambda members, servers: 2 * len(servers & set(members)) >= len(servers),
        lambda members, servers: servers <= set(members),
        lambda members, servers: False,
        lambda members, servers: True,
        lambda members, servers: not servers & set(members),
    ],
)
def test_a_wrong_is_quorum_is_refuted(wrong: Callable[[Any, Any], bool]) -> None:
    assert statuses(QuorumFunctions(is_quorum=wrong))[SETS] == "refuted"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda quorum, indexes: sorted(indexes)[quorum - 1],
        lambda quorum, indexes: max(indexes),
        lambda quorum, indexes: min(indexes),
        lambda quorum, indexes: list(indexes)[quorum - 1],
        lambda quorum, indexes: sorted(indexes, reverse=True)[min(quorum, len(indexes) - 1)],
    ],
)
def test_a_wrong_greatest_index_is_refuted(wrong: Callable[[int, Any], Any]) -> None:
    assert statuses(QuorumFunctions(greatest_index_held_by=wrong))[INDEXES] == "refuted"


def test_a_counterexample_is_told() -> None:
    outcomes = {outcome.name: outcome for outcome in prove_quorums(with_majority(lambda n: (n + 1) // 2))}
    assert "n = 2" in outcomes[OVERLAP].detail
    assert "k = 1" in outcomes[USELESS].detail
    assert outcomes[SETS].detail == "{s0} and {s1} of 2 servers"


def test_the_witness_of_a_two_server_change() -> None:
    outcome = next(outcome for outcome in prove_quorums() if outcome.name == TWO)
    assert outcome.detail == "the smallest: from {s0} to {s0, s1, s2}, with {s0} and {s1, s2}"


def test_a_majority_that_looks_at_the_number_is_refused() -> None:
    with pytest.raises(ModelError, match="branches on n"):
        prove_quorums(with_majority(lambda n: n // 2 + 1 if n > 3 else n))


@pytest.mark.parametrize("row", BY_SOLVER, ids=lambda row: row[0])
def test_no_theorem_is_true_because_its_hypotheses_never_are(row: Any) -> None:
    queries = list(row[3](SPECIFICATION))
    assert queries
    for query in queries:
        solver = z3.Solver()
        solver.add(*query.hypotheses)
        assert solver.check() == z3.sat, query.title


def test_only_unsat_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "RESOURCES_PER_QUERY", 100)
    x, y, z = z3.Ints("x y z")
    hard = Query("a sum of two cubes", x * x * x + y * y * y != z * z * z, (x > 0, y > 0, z > 0))
    assert ask(hard).status == "unknown"
    found = follow([hard])
    assert found.status == "unknown"
    assert "gave up" in found.detail
    outcome = Outcome("name", "meaning", "source", found.status, 0.0, found.detail)
    assert verdict_of([outcome]) == "inconclusive"
    assert verdict_of([]) == "inconclusive"


def test_a_failed_induction_refutes_nothing() -> None:
    i = z3.Int("i")
    assert follow(induction("all numbers are small", lambda at: at < 5, (), ())).status == "unknown"
    assert follow(induction("no number is negative", lambda at: at >= 0, (), ())).status == "proved"
    assert follow([Query("i is small", i < 5, (i >= 0,), (("i", i),))]).status == "refuted"


def test_an_argument_ends_where_it_fails() -> None:
    asked = []

    def queries() -> Any:
        for number in range(3):
            asked.append(number)
            yield Query(f"number {number}", z3.IntVal(number) != 1)

    assert follow(queries()).status == "refuted"
    assert asked == [0, 1]


def test_sets_in_words() -> None:
    assert in_words([]) == "{}"
    assert in_words(range(3)) == "{s0, s1, s2}"
    assert in_words(range(10**9)) == "{s0, s1, s2, ..., s999999999}"


def test_theorems_have_different_names() -> None:
    names = [theorem.name for theorem in quorum_theorems()]
    assert len(set(names)) == len(names)
