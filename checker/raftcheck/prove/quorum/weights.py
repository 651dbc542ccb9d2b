"""Servers of different weight: a quorum is any set that is heavy enough.

This is about one cluster, so everything can be tried: all sets of servers. After Gifford, "Weighted Voting for
Replicated Data" (SOSP 1979).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raftcheck.model import ModelError
from raftcheck.prove.quorum.functions import in_words
from raftcheck.prove.quorum.rule_sizes import QuorumRule, executed, function_of
from raftcheck.prove.quorum.theorems import TWO_QUORUMS_SHARE_A_SERVER
from raftcheck.prove.results import Outcome, ProofVerdict, Status, verdict_of
from raftspec.quorum import fault_tolerance

MOST_SERVERS = 20
GREATEST_WEIGHT = 10**6
MOST_LISTED = 20

Sums = np.ndarray[tuple[int], np.dtype[np.int64]]
"""A number for each set of servers. Set number s has server p if bit p of s is 1."""

Pair = tuple[tuple[int, ...], tuple[int, ...]]
"""Two sets of servers."""


@dataclass(frozen=True)
class HeavyQuorums:
    """What is a quorum: at least `threshold` of the total weight. There are `count` minimal ones.

    `minimal` lists them, those with the fewest servers first, but at most MOST_LISTED.
    """

    rule: str
    threshold: int
    count: int
    minimal: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class WeightsResult:
    """What is known of a cluster with weights.

    `verdict`: "proved", "refuted" (then `counterexample` has two disjoint quorums), or "vacuous" (there is no quorum:
    all servers together are too light). `survives` is how many servers may fail, whichever, so that the others can
    elect a leader and commit; `equal_weights_survive` what a majority of as many equal servers does.
    """

    verdict: ProofVerdict
    weights: tuple[int, ...]
    election: HeavyQuorums
    commit: HeavyQuorums
    outcomes: tuple[Outcome, ...]
    counterexample: Pair | None
    survives: int | None
    equal_weights_survive: int
    seconds: float

    @property
    def total(self) -> int:
        """The weight of all servers together."""
        return sum(self.weights)


def check_weights(
    weights: Sequence[int],
    rule: QuorumRule | None = None,
    *,
    election_rule: QuorumRule | None = None,
    commit_rule: QuorumRule | None = None,
) -> WeightsResult:
    """Try all sets of servers of one cluster: do quorums overlap as Raft needs it?

    Server p has weight `weights[p]`, a whole number; 0 is a server without a vote. A quorum has at least as much weight
    as the rule gives for n, the total weight; without a rule, more than half of it. Rules are those of
    `check_quorum_rule`, but are only executed. Raises ModelError for weights or rules that make no sense.
    """
    if rule is not None and (election_rule is not None or commit_rule is not None):
        raise ModelError("give one rule for both, or an election rule and a commit rule")
    require_weights(weights)
    started = time.perf_counter()
    sums = weights_of_sets(weights)
    election = quorums_of(weights, sums, election_rule if rule is None else rule)
    commit = quorums_of(weights, sums, commit_rule if rule is None else rule)
    judged = judge(sums, len(weights), election, commit)
    outcomes = tuple(outcome for outcome, _ in judged)
    verdict = verdict_of(outcomes)
    if verdict == "proved" and not (election.count and commit.count):
        verdict = "vacuous"
    return WeightsResult(
        verdict,
        tuple(weights),
        election,
        commit,
        outcomes,
        counterexample=next((pair for _, pair in judged if pair), None),
        survives=survived(weights, max(election.threshold, commit.threshold)),
        equal_weights_survive=fault_tolerance(len(weights)),
        seconds=time.perf_counter() - started,
    )


def require_weights(weights: Sequence[int]) -> None:
    """Raise ModelError for weights that make no sense, or are too many."""
    if not 1 <= len(weights) <= MOST_SERVERS:
        raise ModelError(f"there are {len(weights)} weights; give one for each of 1 to {MOST_SERVERS} servers")
    for weight in weights:
        if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= GREATEST_WEIGHT:
            raise ModelError(f"a weight is a whole number from 0 to {GREATEST_WEIGHT:,}, not {weight!r}")
    if not any(weights):
        raise ModelError("all weights are 0, so nobody has a vote; give some server a greater one")


def weights_of_sets(weights: Sequence[int]) -> Sums:
    """Return the weight of every set of servers."""
    sums = np.zeros(1, np.int64)
    for weight in weights:
        sums = np.concatenate([sums, sums + weight])
    return sums


def lightest_of_sets(weights: Sequence[int]) -> Sums:
    """Return the least weight of a server of every set; of the empty set, more than any."""
    lightest = np.full(1, GREATEST_WEIGHT * MOST_SERVERS * 2, np.int64)
    for weight in weights:
        lightest = np.concatenate([lightest, np.minimum(lightest, weight)])
    return lightest


def quorums_of(weights: Sequence[int], sums: Sums, rule: QuorumRule | None) -> HeavyQuorums:
    """Return what is a quorum under a rule. A minimal one is none any more without its lightest server."""
    compute, text = function_of(rule)
    threshold = executed(compute, text, sum(weights))
    bounded = max(min(threshold, sum(weights) + 1), 0)  # what is beyond makes no difference, or may not fit
    minimal = (sums >= bounded) & (sums - lightest_of_sets(weights) < bounded)
    numbers = by_size(np.flatnonzero(minimal), len(weights))
    return HeavyQuorums(text, threshold, len(numbers), tuple(members(number) for number in numbers[:MOST_LISTED]))


def within(sums: Sums, threshold: int) -> int:
    """Return a threshold that as many sets reach, and that fits into 64 bits."""
    return max(min(threshold, int(sums[-1]) + 1), 0)


def by_size(numbers: Any, servers: int) -> Any:
    """Sort sets, given by their numbers: those with fewer servers first, then those with the first servers."""
    order = weights_of_sets([1 << (servers - 1 - server) for server in range(servers)])
    return numbers[np.lexsort((-order[numbers], np.bitwise_count(numbers)))]


def members(number: Any) -> tuple[int, ...]:
    """Return the servers of a set, given by its number."""
    return tuple(server for server in range(MOST_SERVERS) if int(number) >> server & 1)


def judge(sums: Sums, servers: int, election: HeavyQuorums, commit: HeavyQuorums) -> list[tuple[Outcome, Pair | None]]:
    """Try all pairs of sets that must overlap; `raftcheck.prove.quorum.rules` says which and why."""
    heavy = f"sets of weight {election.threshold:,} or more"
    if election.threshold == commit.threshold:
        wanted = [(TWO_QUORUMS_SHARE_A_SERVER, f"Any two {heavy} share a server.", commit)]
    else:
        other = f"any set of weight {commit.threshold:,} or more"
        wanted = [
            ("Any two election quorums share a server", f"Any two {heavy} share a server.", election),
            (
                "Any election quorum and any commit quorum share a server",
                f"Any set of weight {election.threshold:,} or more and {other} share a server.",
                commit,
            ),
        ]
    judged = []
    for name, meaning, second in wanted:
        started = time.perf_counter()
        pair = disjoint(sums, servers, election.threshold, second.threshold)
        detail = (
            f"{in_words(pair[0])} and {in_words(pair[1])} are quorums" if pair else f"all {len(sums):,} sets were tried"
        )
        status: Status = "refuted" if pair else "proved"
        source = "Gifford, Weighted Voting for Replicated Data, 1979"
        judged.append((Outcome(name, meaning, source, status, time.perf_counter() - started, detail), pair))
    return judged


def disjoint(sums: Sums, servers: int, first: int, second: int) -> Pair | None:
    """Return two disjoint sets that reach these weights, with few servers; None if there are none.

    If there are any, then there is such a set whose complement, which is the set with the opposite number, reaches
    the other weight.
    """
    first, second = within(sums, first), within(sums, second)
    found = by_size(np.flatnonzero((sums >= first) & (sums[::-1] >= second)), servers)
    if not len(found):
        return None
    apart = (np.arange(len(sums)) & found[0]) == 0
    other = by_size(np.flatnonzero(apart & (sums >= second)), servers)
    return members(found[0]), members(other[0])


def survived(weights: Sequence[int], needed: int) -> int | None:
    """Return how many servers may fail, whichever: at worst the heaviest do. None if even all are too light."""
    left = [sum(weights)]
    for weight in sorted(weights, reverse=True):
        left.append(left[-1] - weight)
    enough = [failures for failures, weight in enumerate(left) if weight >= needed]
    return max(enough, default=None)
