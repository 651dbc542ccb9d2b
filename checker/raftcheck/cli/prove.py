"""`raftproof prove`: what is true for every cluster size."""

from collections.abc import Callable

from raftcheck.cli import arguments
from raftcheck.cli import options as o
from raftcheck.cli.exits import PROOF_EXIT_CODES
from raftcheck.cli.output import require_writable, write_json
from raftcheck.cli.proofs import (
    Report,
    report_of_rule,
    report_of_theorems,
    report_of_weights,
)
from raftcheck.model import ModelError
from raftcheck.prove import Outcome, check_quorum_rule, check_weights, prove_quorums

SUBJECTS: dict[str, Callable[[bool], tuple[Outcome, ...]]] = {
    "quorum": lambda cold: prove_quorums(),
}
"""What can be proved: each is told whether to search for every proof anew, and returns its theorems."""


def prove(
    what: o.WhatArgument = "all",
    rule: o.RuleOption = None,
    election_rule: o.ElectionRuleOption = None,
    commit_rule: o.CommitRuleOption = None,
    weights: o.WeightsOption = None,
    cold: o.ColdOption = False,
    json: o.JsonOption = None,
) -> int:
    """Prove what is true for clusters of every size, with Z3; or judge a quorum rule of your own.

    Without a rule, "quorum" proves the theorems about the quorum functions that the implementation calls: that any two
    quorums share a server, that 2k+1 servers survive k failures, and others.

    A rule is arithmetic in n, the number of servers: + - * // % parentheses, whole numbers, min, max, and
    'a if n > 3 else b'. It is proved for every n >= 1, or refuted by two disjoint quorums in the smallest cluster that
    has such. With different rules for elections and commits, any two election quorums must overlap (a term has one
    leader), and any election quorum with any commit quorum (a new leader has what is committed).

    Exit codes: 0 proved, 1 refuted, 2 a bad request, 3 Z3 does not know, 4 safe only because there never is a quorum.

    \b
    Examples:
      raftproof prove quorum
      raftproof prove quorum --rule "(2*n)//3 + 1"
      raftproof prove quorum --election-rule "n - n // 4" --commit-rule "n // 4 + 1"
      raftproof prove quorum --weights 3,1,1,1
    """
    given = {
        "--rule": rule,
        "--election-rule": election_rule,
        "--commit-rule": commit_rule,
        "--weights": weights,
    }
    options = [option for option, value in given.items() if value is not None]
    require_sensible(what, options)
    require_writable(json)
    if weights is not None:
        found = check_weights(arguments.weights(weights), rule, election_rule=election_rule, commit_rule=commit_rule)
        return finish(report_of_weights(found), json)
    if options:
        return finish(
            report_of_rule(check_quorum_rule(rule, election_rule=election_rule, commit_rule=commit_rule)), json
        )
    chosen = SUBJECTS if what == "all" else {what: SUBJECTS[what]}
    return finish(report_of_theorems(what, [outcome for subject in chosen.values() for outcome in subject(cold)]), json)


def require_sensible(what: str, options: list[str]) -> None:
    """Raise ModelError for a subject that there is not, and for options of a rule where there is none."""
    if what != "all" and what not in SUBJECTS:
        raise ModelError(f"there is no proof named {what!r}; there are: all, {', '.join(SUBJECTS)}")
    if options and what != "quorum":
        raise ModelError(f"{options[0]} is about quorums alone: raftproof prove quorum {options[0]} ...")
    if "--rule" in options and ("--election-rule" in options or "--commit-rule" in options):
        raise ModelError("give --rule for both, or --election-rule and --commit-rule")


def finish(report: Report, json: str | None) -> int:
    """Write everything that was asked for; return the exit code."""
    if json:
        write_json(report.document, json)
    if json != "-":
        report.show()
    return PROOF_EXIT_CODES[report.verdict]
