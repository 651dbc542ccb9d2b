"""Proofs as tables, sentences and JSON."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import typer
import z3
from rich.table import Column, Table
from rich.text import Text

from raftcheck.cli.output import stdout
from raftcheck.prove import DisjointQuorums, Outcome, ProofVerdict, RuleResult, WeightsResult, verdict_of
from raftcheck.prove.quorum.functions import in_words
from raftcheck.prove.quorum.rule_tolerance import Tolerance
from raftcheck.prove.quorum.weights import HeavyQuorums
from raftcheck.raft.bounds import counted
from raftcheck.report import SCHEMA
from raftcheck.version import __version__

SYMBOLS = {"proved": "✓", "refuted": "✗", "unknown": "?"}

ASSUMPTIONS = {
    "raft": "any two quorums share a server; of majorities, that is what raftproof prove quorum proves",
}
"""What the proof of a subject alone leaves to another."""

MOST_NAMES_IN_A_DOCUMENT = 1_000


@dataclass(frozen=True)
class Report:
    """What a command prints: its verdict, the JSON document, and a function that shows it to people."""

    verdict: ProofVerdict
    document: dict[str, Any]
    show: Callable[[], None]


def document_of(what: str, verdict: ProofVerdict, outcomes: Iterable[Outcome], **more: Any) -> dict[str, Any]:
    """Return what all documents have in common, and what this one has more."""
    theorems = [outcome.to_dict() for outcome in outcomes]
    return {
        "schema": SCHEMA,
        "kind": "proof",
        "version": __version__,
        "solver": f"Z3 {z3.get_version_string()}",
        "what": what,
        "verdict": verdict,
        "seconds": round(sum(theorem["seconds"] for theorem in theorems), 3),
        "theorems": theorems,
        **more,
    }


# Theorems


def report_of_theorems(what: str, outcomes: Sequence[Outcome]) -> Report:
    """Return the table of theorems, and what is assumed without being among them."""
    verdict = verdict_of(outcomes)
    assumption = ASSUMPTIONS.get(what)

    def show() -> None:
        stdout().print(table_of(outcomes))
        for outcome in outcomes:
            if outcome.counterexample:
                typer.echo(f"\n{outcome.name}: refuted.\n{outcome.counterexample}\n")
        typer.echo(last_line(outcomes))
        if assumption:
            typer.echo(f"Assumed: {assumption}.")

    return Report(verdict, document_of(what, verdict, outcomes, assumption=assumption), show)


def table_of(outcomes: Iterable[Outcome]) -> Table:
    """Return a line for each theorem: whether it is proved, what it says, how long it took."""
    numbers = (Column(name, justify="right") for name in ("queries", "seconds"))
    table = Table("", "theorem", "what it says", *numbers, box=None, pad_edge=False)
    for outcome in outcomes:
        meaning = Text(outcome.meaning)
        if outcome.detail:
            meaning.append(f"\n→ {outcome.detail}")
        table.add_row(
            SYMBOLS[outcome.status], Text(outcome.name), meaning, str(outcome.queries or ""), f"{outcome.seconds:.3f}"
        )
    return table


def last_line(outcomes: Sequence[Outcome]) -> str:
    """Return what the table comes to."""
    verdict = verdict_of(outcomes)
    by = f"by Z3 {z3.get_version_string()} in {sum(outcome.seconds for outcome in outcomes):.1f} s"
    if verdict == "proved":
        return f"PROVED: all {len(outcomes)} theorems, {by}."
    names = {status: ", ".join(outcome.name for outcome in outcomes if outcome.status == status) for status in SYMBOLS}
    if verdict == "refuted":
        return f"REFUTED: {names['refuted']}."
    return f"INCONCLUSIVE: not proved: {names['unknown']}."


# Rules


def report_of_rule(result: RuleResult) -> Report:
    """Return what is known of a quorum rule."""
    progress, tolerance = result.progress, result.tolerance
    document = document_of(
        "quorum",
        result.verdict,
        result.outcomes,
        rule={"election": result.election, "commit": result.commit},
        counterexample=result.counterexample and quorums_document(result.counterexample),
        counterexample_without_empty_quorums=result.without_empty and quorums_document(result.without_empty),
        checked_up_to=result.checked_up_to,
        progress={"clusters": progress.sizes, "without_quorum": progress.without, "always_from": progress.from_on},
        tolerance=tolerance and tolerance_document(tolerance),
    )

    def show() -> None:
        typer.echo(headline_of_rule(result))
        show_outcomes(result.outcomes)
        if result.without_empty:
            where = f"With {result.without_empty.servers:,} servers, {result.without_empty.in_words()} are disjoint"
            typer.echo(f"\n{where}: the smallest cluster where this is so of quorums that are not empty.")
        if tolerance:
            typer.echo()
            stdout().print(tolerance_table(tolerance, result.same_rule))
            typer.echo(f"\n{tolerance.in_words()}")
        if progress.in_words():
            typer.echo(("" if tolerance else "\n") + progress.in_words())

    return Report(result.verdict, document, show)


def headline_of_rule(result: RuleResult) -> str:
    """Return the verdict as a sentence."""
    rule = f"quorums of {result.election}"
    if not result.same_rule:
        rule = f"election quorums of {result.election} and commit quorums of {result.commit}"
    if result.counterexample:
        pair = result.counterexample
        count = counted(pair.servers, "server", "servers")
        return f"REFUTED: {rule} need not overlap; with {count}, {pair.in_words()} are disjoint."
    if result.verdict == "inconclusive":
        return f"INCONCLUSIVE: {rule} overlap for n <= {result.checked_up_to:,}; beyond that, Z3 does not know."
    if result.verdict == "vacuous":
        return f"VACUOUS: {rule} never fail to overlap, but only because there never is one: safe, and useless."
    return f"PROVED: {rule} overlap as Raft needs it, in clusters of every size n."


def show_outcomes(outcomes: Iterable[Outcome]) -> None:
    """Print what had to be proved, and what became of it."""
    for outcome in outcomes:
        detail = f" ({outcome.detail})" if outcome.detail else ""
        typer.echo(f"  {SYMBOLS[outcome.status]} {outcome.name}: {outcome.status}{detail}, {outcome.seconds:.3f} s")


def tolerance_table(tolerance: Tolerance, same_rule: bool) -> Table:
    """Return how many failures small clusters survive."""
    titles = ["servers", "quorum", "survives"]
    if not same_rule:
        titles = ["servers", "election quorum", "elections survive", "commit quorum", "commits survive", "both survive"]
    table = Table(
        *(Column(title, justify="right") for title in (*titles, "a majority would")), box=None, pad_edge=False
    )
    for row in tolerance.rows:
        numbers = [row.servers, row.election, row.survives, row.majority_survives]
        if not same_rule:
            numbers[2:3] = [row.elections_survive, row.commit, row.commits_survive, row.survives]
        table.add_row(*("no quorum" if number is None else str(number) for number in numbers))
    return table


def quorums_document(pair: DisjointQuorums) -> dict[str, Any]:
    """Return two disjoint quorums as plain JSON values; sets too large to spell out are null."""
    return {
        "servers": pair.servers,
        "first": names(pair.first),
        "second": names(pair.second),
        "text": pair.in_words(),
    }


def names(servers: Sequence[int]) -> list[str] | None:
    """Return the names of servers, unless there are very many."""
    return [f"s{server}" for server in servers] if len(servers) <= MOST_NAMES_IN_A_DOCUMENT else None


def tolerance_document(tolerance: Tolerance) -> dict[str, Any]:
    """Return how many failures are survived as plain JSON values."""
    return {
        "formula": tolerance.formula,
        "compared_with_majority": tolerance.compared,
        "first_fewer": tolerance.first_fewer,
        "rows": [
            {
                "servers": row.servers,
                "election_quorum": row.election,
                "commit_quorum": row.commit,
                "elections_survive": row.elections_survive,
                "commits_survive": row.commits_survive,
                "survives": row.survives,
                "majority_survives": row.majority_survives,
            }
            for row in tolerance.rows
        ],
    }


# Weights


def report_of_weights(result: WeightsResult) -> Report:
    """Return what is known of a cluster with weights."""
    kinds = {"quorum": result.election}
    if result.election.threshold != result.commit.threshold:
        kinds = {"election quorum": result.election, "commit quorum": result.commit}
    document = document_of(
        "quorum",
        result.verdict,
        result.outcomes,
        rule={"election": result.election.rule, "commit": result.commit.rule},
        weights=result.weights,
        counterexample=result.counterexample
        and {"first": names(result.counterexample[0]), "second": names(result.counterexample[1])},
        survives=result.survives,
        equal_weights_survive=result.equal_weights_survive,
        minimal_quorums={kind: heavy_document(quorums) for kind, quorums in kinds.items()},
    )

    def show() -> None:
        typer.echo(headline_of_weights(result))
        show_outcomes(result.outcomes)
        typer.echo()
        for kind, quorums in kinds.items():
            typer.echo(minimal_in_words(kind, quorums, result.total))
        if result.verdict == "proved":
            typer.echo(survival(result))

    return Report(result.verdict, document, show)


def headline_of_weights(result: WeightsResult) -> str:
    """Return the verdict as a sentence."""
    cluster = f"weights {', '.join(str(weight) for weight in result.weights)}"
    if result.counterexample:
        first, second = result.counterexample
        return (
            f"REFUTED: with {cluster}, quorums need not overlap: {in_words(first)} and {in_words(second)} are disjoint."
        )
    if result.verdict == "vacuous":
        return f"VACUOUS: with {cluster}, all servers together are too light for a quorum: safe, and useless."
    return f"PROVED: with {cluster}, quorums overlap as Raft needs it; about this cluster alone."


def minimal_in_words(kind: str, quorums: HeavyQuorums, total: int) -> str:
    """Return what a quorum is, and the minimal ones."""
    needed = f"A {kind}".replace("A e", "An e") + f" has weight {quorums.threshold:,} of {total:,} or more"
    if not quorums.count:
        return f"{needed}; there is none."
    listed = ", ".join(in_words(members) for members in quorums.minimal)
    more = f" and {quorums.count - len(quorums.minimal):,} more" if quorums.count > len(quorums.minimal) else ""
    return f"{needed}; minimal: {listed}{more}."


def survival(result: WeightsResult) -> str:
    """Return how many failures are survived."""
    survived = counted(result.survives or 0, "failure", "failures")
    return (
        f"It survives {survived}, whichever servers fail; with equal weights a majority would survive "
        f"{result.equal_weights_survive}."
    )


def heavy_document(quorums: HeavyQuorums) -> dict[str, Any]:
    """Return minimal quorums as plain JSON values."""
    return {
        "threshold": quorums.threshold,
        "count": quorums.count,
        "first": [names(members) for members in quorums.minimal],
    }
