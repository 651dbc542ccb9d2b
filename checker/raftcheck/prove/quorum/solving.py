"""Asking Z3. Only its answer "unsat" counts as a proof."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import z3

from raftcheck.prove.asking import answer_of
from raftcheck.prove.results import Outcome, Status

SECONDS_PER_QUERY = 10

RESOURCES_PER_QUERY = 10_000_000
"""In Z3's own unit, some seconds of work; it ends a query at the same point on every machine."""

REASONS = {
    "canceled": "it gave up after its limit of work",
    "timeout": f"it gave up after {SECONDS_PER_QUERY} s",
    "max. resource limit exceeded": "it gave up after its limit of work",
}
"""What Z3's words for giving up mean; other words are left as they are."""


@dataclass(frozen=True)
class Query:
    """One question: do the hypotheses imply the goal, whatever values the variables have?

    `shown` are the terms, by name, whose values make a counterexample readable. A counterexample to a query that is
    not `decisive` (the step of an induction) spoils the argument, but refutes nothing.
    """

    title: str
    goal: Any
    hypotheses: tuple[Any, ...] = ()
    shown: tuple[tuple[str, Any], ...] = ()
    decisive: bool = True


@dataclass(frozen=True)
class Answer:
    """What Z3 says: `values` are those of the shown terms in a counterexample, `reason` is for "unknown"."""

    status: Status
    values: tuple[tuple[str, int], ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Finding:
    """What came of an argument: see `Outcome`. `values` are those of the shown terms, if it is refuted."""

    status: Status
    detail: str = ""
    values: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Theorem:
    """A theorem and the argument for it."""

    name: str
    meaning: str
    source: str
    argument: Callable[[], Finding]


def ask(query: Query) -> Answer:
    """Ask Z3 for a counterexample; that there is none is a proof."""
    solver = z3.Solver()
    solver.set("random_seed", 0)
    solver.set("rlimit", RESOURCES_PER_QUERY)
    solver.set("timeout", SECONDS_PER_QUERY * 1000)
    solver.add(*query.hypotheses, z3.Not(query.goal))
    answer = answer_of(solver)
    if answer == z3.unsat:
        return Answer("proved")
    if answer != z3.sat:
        reason = str(solver.reason_unknown())
        return Answer("unknown", reason=REASONS.get(reason, reason))
    model = solver.model()
    return Answer(
        "refuted",
        tuple((name, model.eval(term, model_completion=True).as_long()) for name, term in query.shown),
    )


def follow(queries: Iterable[Query], remark: str = "") -> Finding:
    """Ask one query after the other, and stop at the first that is not proved: later ones build on it.

    `remark` is the detail if all are proved.
    """
    for query in queries:
        answer = ask(query)
        if answer.status == "refuted" and not query.decisive:
            return Finding("unknown", f"the argument fails at: {query.title}")
        if answer.status == "refuted":
            values = ", ".join(f"{name} = {value}" for name, value in answer.values)
            return Finding("refuted", f"{query.title}: false for {values}", answer.values)
        if answer.status == "unknown":
            return Finding("unknown", f"Z3 does not know whether {query.title}: {answer.reason}")
    return Finding("proved", remark)


def prove(theorem: Theorem) -> Outcome:
    """Carry out the argument for a theorem."""
    started = time.perf_counter()
    finding = theorem.argument()
    seconds = time.perf_counter() - started
    return Outcome(theorem.name, theorem.meaning, theorem.source, finding.status, seconds, finding.detail)
