"""`raftproof prove`: what is true for every cluster size."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from raftcheck.cli import arguments
from raftcheck.cli import options as o
from raftcheck.cli.exits import PROOF_EXIT_CODES
from raftcheck.cli.output import json_text, progress_on_stderr, require_writable, write_file, write_json
from raftcheck.cli.proofs import (
    Report,
    report_of_rule,
    report_of_theorems,
    report_of_weights,
)
from raftcheck.explore import Progress
from raftcheck.model import ModelError
from raftcheck.prove import Outcome, check_quorum_rule, check_weights, prove_quorums, prove_raft
from raftcheck.prove.safety.certificate import BUILT_IN, NOTHING_KNOWN, document_of, load

SUBJECTS: dict[str, Callable[["Sources"], tuple[Outcome, ...]]] = {
    "quorum": lambda sources: prove_quorums(),
    "raft": lambda sources: prove_safety(sources),
}
"""What can be proved, in the order in which one rests on the other."""


@dataclass(frozen=True)
class Sources:
    """Which stored proofs are repeated (`cold`: none), and where new ones are stored."""

    cold: bool
    certificate: Path
    written_to: Path | None


def prove(
    what: o.WhatArgument = "all",
    rule: o.RuleOption = None,
    election_rule: o.ElectionRuleOption = None,
    commit_rule: o.CommitRuleOption = None,
    weights: o.WeightsOption = None,
    cold: o.ColdOption = False,
    certificate: o.CertificateOption = None,
    write_certificate: o.WriteCertificateOption = None,
    json: o.JsonOption = None,
) -> int:
    """Prove what is true for clusters of every size, with Z3; or judge a quorum rule of your own.

    "quorum" proves the theorems about the quorum functions that the implementation calls: that any two quorums share a
    server, that 2k+1 servers survive k failures, and others. "raft" proves the specification safe, for any number of
    servers, terms and entries: an invariant is true at first, every action preserves it, and the safety properties
    follow. Stored proofs are repeated, which takes seconds; every query is put to Z3 all the same. --cold searches for
    all of them anew. What cannot be proved is refuted by a concrete counterexample, or said not to be known.

    A rule is arithmetic in n, the number of servers: + - * // % parentheses, whole numbers, min, max, and
    'a if n > 3 else b'. It is proved for every n >= 1, or refuted by two disjoint quorums in the smallest cluster that
    has such. With different rules for elections and commits, any two election quorums must overlap (a term has one
    leader), and any election quorum with any commit quorum (a new leader has what is committed).

    Exit codes: 0 proved, 1 refuted, 2 a bad request, 3 Z3 does not know, 4 safe only because there never is a quorum.

    \b
    Examples:
      raftproof prove
      raftproof prove raft --cold
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
    if what == "quorum" and (certificate or write_certificate):
        raise ModelError("proofs are stored of raft alone: the theorems about quorums need none")
    require_writable(json)
    if weights is not None:
        found = check_weights(arguments.weights(weights), rule, election_rule=election_rule, commit_rule=commit_rule)
        return finish(report_of_weights(found), json)
    if options:
        return finish(
            report_of_rule(check_quorum_rule(rule, election_rule=election_rule, commit_rule=commit_rule)), json
        )
    sources = Sources(cold, certificate or BUILT_IN, write_certificate)
    chosen = SUBJECTS if what == "all" else {what: SUBJECTS[what]}
    return finish(report_of_theorems(what, [one for subject in chosen.values() for one in subject(sources)]), json)


def prove_safety(sources: Sources) -> tuple[Outcome, ...]:
    """Prove Raft's safety; store the proofs if that was asked for."""
    require_writable(str(sources.written_to) if sources.written_to else None)
    known = NOTHING_KNOWN if sources.cold else load(sources.certificate)
    started = time.monotonic()
    with progress_on_stderr("prove", proofs_line) as show:

        def progress(done: int, count: int, obligation: str) -> None:
            show(Progress(done, count, 0, 0, time.monotonic() - started))

        proof = prove_raft(known, progress=progress)
        if sources.written_to:
            show(Progress(len(proof.found), len(proof.found), 0, 0, 0.0, note="storing the proofs in their best form"))
            write_file(sources.written_to, json_text(document_of(proof.certificate())))
    return proof.outcomes


def proofs_line(progress: Progress) -> str:
    """Return how far the proof is."""
    return progress.note or f"{progress.states} of {progress.transitions} queries, {progress.seconds:.0f} s"


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
