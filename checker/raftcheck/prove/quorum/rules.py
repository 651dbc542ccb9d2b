"""Your own quorum rule: is it safe in clusters of every size, and how many failures does it survive?

What must overlap, and why (a quorum is any set of at least as many servers as its rule says):

- *Any two election quorums.* A server votes once a term, so two quorums that voted in one term for two leaders have no
  server in common: Election Safety (Raft paper, section 5.2, Figure 3). Flexible Paxos does without, because there a
  ballot belongs to one proposer; in Raft all servers stand for the same terms.
- *Any election quorum and any commit quorum.* Some voter of a new leader must have what was committed, so that the
  comparison of logs keeps others from winning: Leader Completeness (section 5.4.1 and 5.4.3). A leader that asks a
  commit quorum before it answers a read is likewise sure to meet a voter of whoever has replaced it.
- *Two commit quorums need not.* What two leaders have committed agrees because the second was elected by a quorum that
  meets the first one's; and what one leader has committed it has in one log. This is the observation of Howard, Malkhi
  and Spiegelman, "Flexible Paxos: Quorum Intersection Revisited" (OPODIS 2016).

With one rule for both, all this comes to: any two quorums overlap. A small commit quorum has its price: what is
committed may be on so few disks.
"""

import time
from dataclasses import dataclass
from typing import Any

import z3

from raftcheck.model import ModelError
from raftcheck.prove.quorum.functions import in_words
from raftcheck.prove.quorum.rule_sizes import CHECKED_UP_TO, QuorumRule, Sizes, least_size, n, require_defined, sizes_of
from raftcheck.prove.quorum.rule_tolerance import Progress, Tolerance, progress_of, tolerance_of
from raftcheck.prove.quorum.solving import follow
from raftcheck.prove.quorum.theorems import TWO_QUORUMS_SHARE_A_SERVER, sizes_overlap
from raftcheck.prove.quorum.whole import Whole
from raftcheck.prove.results import Outcome, ProofVerdict, Status, verdict_of


@dataclass(frozen=True)
class DisjointQuorums:
    """A cluster of so many servers, and two quorums of it that share none. Servers are numbered from 0."""

    servers: int
    first: range
    second: range

    def in_words(self) -> str:
        """Return the two sets."""
        return f"{in_words(self.first)} and {in_words(self.second)}"


@dataclass(frozen=True)
class RuleResult:
    """What is known of a quorum rule.

    `verdict`: "proved" (safe for every n >= 1), "refuted", "inconclusive" (Z3 does not know; there is no counterexample
    for n <= `checked_up_to`), "vacuous" (safe, but only because no cluster has a quorum). `counterexample` is one in
    the smallest cluster (beyond `checked_up_to`: in the smallest that Z3 finds); if one of its quorums is empty,
    `without_empty` is the smallest of which none is, if there is one up to there.
    `tolerance` is None for what is refuted or vacuous.
    """

    verdict: ProofVerdict
    election: str
    commit: str
    outcomes: tuple[Outcome, ...]
    counterexample: DisjointQuorums | None
    without_empty: DisjointQuorums | None
    progress: Progress
    tolerance: Tolerance | None
    same_rule: bool
    seconds: float
    checked_up_to: int = CHECKED_UP_TO


@dataclass(frozen=True)
class Requirement:
    """Two rules of which each quorum of one must meet each quorum of the other."""

    name: str
    meaning: str
    source: str
    first: Sizes
    second: Sizes


def check_quorum_rule(
    rule: QuorumRule | None = None,
    *,
    election_rule: QuorumRule | None = None,
    commit_rule: QuorumRule | None = None,
) -> RuleResult:
    """Prove for clusters of every size that quorums overlap as Raft needs it, or find the smallest where they do not.

    A rule is a text such as "n // 2 + 1", or a Python function of n; it says how many of n servers are a quorum.
    Either `rule` is for elections and commits, or there are two; the one that is missing is a majority. Raises
    ModelError for what is no such rule, or divides by zero for some n >= 1.
    """
    if rule is not None and (election_rule is not None or commit_rule is not None):
        raise ModelError("give one rule for both, or an election rule and a commit rule")
    started = time.perf_counter()
    election = sizes_of(election_rule if rule is None else rule)
    commit = election if rule is not None else sizes_of(commit_rule)
    wanted = requirements(election, commit)
    outcomes, found = judge(wanted, doubt(election, commit))
    progress = progress_of(election, commit)
    verdict = verdict_of(outcomes)
    if verdict == "proved" and progress.sizes == "none":
        verdict = "vacuous"
    return RuleResult(
        verdict,
        election.text,
        commit.text,
        outcomes,
        counterexample=found,
        without_empty=smallest_without_empty(wanted, found),
        progress=progress,
        tolerance=None if verdict in ("refuted", "vacuous") else tolerance_of(election, commit, progress),
        same_rule=is_same(election, commit),
        seconds=time.perf_counter() - started,
    )


def is_same(election: Sizes, commit: Sizes) -> bool:
    """Tell whether two rules are written the same."""
    return bool(election.formula.eq(commit.formula))


def requirements(election: Sizes, commit: Sizes) -> tuple[Requirement, ...]:
    """Return what must overlap; the module's docstring says why."""
    if is_same(election, commit):
        meaning = f"For every n >= 1: two sets of at least {election.text} of n servers have one in common."
        return (Requirement(TWO_QUORUMS_SHARE_A_SERVER, meaning, "Raft paper, section 5.4.3", election, commit),)
    return (
        Requirement(
            "Any two election quorums share a server",
            f"For every n >= 1: two sets of at least {election.text} of n servers have one in common, so that a term "
            "has one leader (Election Safety).",
            "Raft paper, section 5.2",
            election,
            election,
        ),
        Requirement(
            "Any election quorum and any commit quorum share a server",
            f"For every n >= 1: a set of at least {election.text} of n servers and one of at least {commit.text} have "
            "one in common, so that a new leader has what is committed (Leader Completeness).",
            "Raft paper, section 5.4.3; Howard, Malkhi, Spiegelman, Flexible Paxos, 2016",
            election,
            commit,
        ),
    )


def doubt(*rules: Sizes) -> str:
    """Return why it is not known that the rules have a value for every n, or "". Raises ModelError if they have not."""
    return next((reason for reason in map(require_defined, rules) if reason), "")


def judge(wanted: tuple[Requirement, ...], unsure: str) -> tuple[tuple[Outcome, ...], DisjointQuorums | None]:
    """Prove or refute each requirement; return also the smallest counterexample."""
    examined = [examine(requirement, unsure) for requirement in wanted]
    found = [pair for _, pair in examined if pair]
    return tuple(outcome for outcome, _ in examined), min(found, key=lambda pair: pair.servers, default=None)


def examine(wanted: Requirement, unsure: str) -> tuple[Outcome, DisjointQuorums | None]:
    """Look for a counterexample in small clusters by executing the rules; then ask Z3 about all.

    If `unsure` says why it is not known that the rules have a value for every n, nothing counts as proved.
    """
    started = time.perf_counter()
    pair = smallest_executed(wanted.first, wanted.second, 0)
    status: Status = "refuted"
    if pair is None:
        finding = follow(
            sizes_overlap(lambda n: Whole(wanted.first.of(n.term)), lambda n: Whole(wanted.second.of(n.term)))
        )
        status, detail = finding.status, finding.detail
        if status == "refuted":
            pair = smallest_by_solver(wanted.first, wanted.second, dict(finding.values)["n"])
        elif unsure and status == "proved":
            status, detail = "unknown", f"Z3 does not know whether the rule has a value for every n ({unsure})"
    if pair is not None:
        detail = f"of {counted(pair.servers)}, {pair.in_words()} are quorums"
    elif status == "unknown":
        detail = f"{detail}; true for n <= {CHECKED_UP_TO:,}"
    return Outcome(wanted.name, wanted.meaning, wanted.source, status, time.perf_counter() - started, detail), pair


def smallest_executed(first: Sizes, second: Sizes, least: int) -> DisjointQuorums | None:
    """Return two disjoint quorums in the smallest cluster, of those that were executed, that has such.

    Each has at least `least` servers: with 0 it may be empty, which it is if the rule asks for none.
    """
    for servers in range(1, CHECKED_UP_TO + 1):
        a, b = max(first.at(servers), least), max(second.at(servers), least)
        if a + b <= servers:
            return DisjointQuorums(servers, range(a), range(a, a + b))
    return None


def smallest_by_solver(first: Sizes, second: Sizes, known: int) -> DisjointQuorums:
    """Return two disjoint quorums in the smallest cluster that has such; one of `known` servers has."""
    servers = least_size(at_least_none(first.formula) + at_least_none(second.formula) <= n, known)
    a, b = max(first.at(servers), 0), max(second.at(servers), 0)
    if a + b > servers:
        raise ModelError(
            f"with n = {servers} the formulas of the rules make disjoint quorums, but executed they give {a} and {b}; "
            "a rule must compute the same for every kind of number"
        )
    return DisjointQuorums(servers, range(a), range(a, a + b))


def at_least_none(size: Any) -> Any:
    """Return a size, or 0 if it is negative: the empty set has 0 members."""
    return z3.If(size >= 0, size, 0)


def smallest_without_empty(wanted: tuple[Requirement, ...], found: DisjointQuorums | None) -> DisjointQuorums | None:
    """If a quorum of the counterexample is empty, return the smallest counterexample of which none is."""
    if found is None or (found.first and found.second):
        return None
    pairs = [smallest_executed(requirement.first, requirement.second, 1) for requirement in wanted]
    return min((pair for pair in pairs if pair), key=lambda pair: pair.servers, default=None)


def counted(servers: int) -> str:
    """Return a number of servers in words."""
    return f"{servers:,} server{'' if servers == 1 else 's'}"
