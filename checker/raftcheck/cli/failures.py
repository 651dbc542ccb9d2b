"""`raftproof failures`: how many servers of a cluster may fail for good?"""

from collections.abc import Iterator
from typing import Any

import typer
from rich.table import Column, Table

from raftcheck.cli import options as o
from raftcheck.cli.exits import EXIT_CODES
from raftcheck.cli.output import progress_on_stderr, require_writable, stdout, write_json
from raftcheck.explore import Verdict
from raftcheck.model import ModelError
from raftcheck.raft.bounds import counted
from raftcheck.raft.continuation import FAILED, MORE_TERMS
from raftcheck.raft.failures import RUNS, Cell, Example, FailureTable, Row, explore_failures
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.mutants import mutant_named
from raftcheck.raft.process import Node
from raftcheck.report import SCHEMA, event_lines
from raftcheck.report.document import counterexample_document
from raftcheck.version import __version__
from raftimpl.cluster import cluster_of
from raftimpl.state import DurableState
from raftspec.quorum import fault_tolerance

LABELS = RaftLabels()

MOST_SERVERS = max(RUNS)

FORMULA = "raftspec.quorum.fault_tolerance"

EXPLANATION = f"""\
yes   from every situation the others can elect a leader, or still have one, and commit a new write:
      for each situation a behaviour was executed that does so
no    from no situation they can: everything was visited that they can do in {MORE_TERMS} terms more,
      with one new write and any number of heartbeats
some  from some situations they can, from others not

A situation: a run of the cluster has reached some combination of server states; then some servers
fail for good, whichever, and all messages under way are lost. All runs of so many terms and client
entries were explored, without crashes, reads and heartbeats, on a network that loses, repeats and
reorders; servers that only swap names count once. `different` situations differ in the survivors'
states; `longest` is the number of events of the longest behaviour; `hopeless` states were visited
for the answers no. The table says what is possible, not that an election ends in time."""


def failures(
    max_servers: o.MaxServersOption = MOST_SERVERS,
    mutant: o.MutantOption = None,
    max_seconds: o.MaxSecondsOption = None,
    json: o.JsonOption = None,
) -> int:
    """Explore how many servers may fail for good, so that the others can still elect a leader and commit a new write.

    Each cell of the table comes from executing the implementation: from every combination of server states that a
    bounded run reaches, for every choice of the servers that fail, with all messages under way lost. Afterwards the
    table is compared with the specification's function.

    Exit codes: 0 the table is as specified, 1 a cell differs, 2 a bad request, 3 a limit was reached.

    \b
    Examples:
      raftproof failures --max-servers 5
      raftproof failures --max-servers 2 --mutant half-rounded-up
    """
    if not 1 <= max_servers <= MOST_SERVERS:
        raise ModelError(f"--max-servers must be from 1 to {MOST_SERVERS}, not {max_servers}")
    rules = mutant_named(mutant).rules if mutant else None
    require_writable(json)
    with progress_on_stderr("failures") as progress:
        table = explore_failures(max_servers, rules, max_seconds, progress)
    if json:
        write_json(document_of(table, max_servers, mutant), json)
    if json != "-":
        print_report(table, max_servers, mutant)
    return EXIT_CODES[verdict_of(table)]


# The verdict


def is_expected(row: Row, cell: Cell) -> bool:
    """Tell whether the specification says that a cluster of that size survives so many failures."""
    return cell.failures <= fault_tolerance(row.bounds.servers)


def wrong_example(row: Row, cell: Cell) -> Example | None:
    """Return a situation that is not as the specification says: a way on where there should be none, or the reverse."""
    return cell.impossible_example if is_expected(row, cell) else cell.possible_example


def wrong_cells(table: FailureTable) -> list[tuple[Row, Cell, Example]]:
    """Return the cells that differ from what the specification says, each with a situation that shows it."""
    cells = [(row, cell, wrong_example(row, cell)) for row in table.rows for cell in row.cells]
    return [(row, cell, example) for row, cell, example in cells if example is not None]


def verdict_of(table: FailureTable) -> Verdict:
    """Return the verdict by its common name."""
    if wrong_cells(table):
        return "violated"
    return "inconclusive" if table.limit else "holds"


# As text


def print_report(table: FailureTable, max_servers: int, mutant: str | None) -> None:
    """Print the verdict, the table, what it rests on, and why it differs if it does."""
    typer.echo(headline(table, mutant) + "\n")
    stdout().print(answers(table, max_servers))
    typer.echo()
    stdout().print(figures(table))
    typer.echo(f"\n{EXPLANATION}")
    for row, cell, example in wrong_cells(table):
        typer.echo("\n" + "\n".join(example_lines(row, cell, example)))


def headline(table: FailureTable, mutant: str | None) -> str:
    """Return the verdict as a sentence."""
    of = f" of mutant {mutant}" if mutant else ""
    wrong = wrong_cells(table)
    if wrong:
        cells = "; ".join(title_of(row, cell) for row, cell, _ in wrong)
        return f"VIOLATED: the table{of} is not what {FORMULA} says ({cells})."
    if table.limit:
        return f"INCONCLUSIVE: the table{of} is not complete ({table.limit})."
    return f"HOLDS: every cell{of} is what {FORMULA} says."


def title_of(row: Row, cell: Cell) -> str:
    """Return a cell in words."""
    return f"{counted(row.bounds.servers, 'server', 'servers')}, {cell.failures} failed: {cell.answer}"


def answers(table: FailureTable, max_servers: int) -> Table:
    """Return the table itself: one line for each size, one column for each number of failures."""
    shown = Table(
        Column("servers", justify="right"),
        *(f"{failures} fail" for failures in range(max_servers + 1)),
        Column("survives", justify="right"),
        box=None,
        pad_edge=False,
    )
    for row in table.rows:
        cells = [cell.answer for cell in row.cells]
        shown.add_row(str(row.bounds.servers), *cells, *[""] * (max_servers + 1 - len(cells)), survival(row))
    for servers in range(len(table.rows) + 1, max_servers + 1):
        shown.add_row(str(servers), *["?"] * (servers + 1), *[""] * (max_servers - servers), "unknown")
    return shown


def survival(row: Row) -> str:
    """Return in words what a cluster survives."""
    return "nothing" if row.survives is None else counted(row.survives, "failure", "failures")


def figures(table: FailureTable) -> Table:
    """Return what the answers rest on."""
    titles = ("servers", "terms", "entries", "states", "combinations", "situations", "different", "longest", "hopeless")
    shown = Table(*(Column(title, justify="right") for title in (*titles, "took")), box=None, pad_edge=False)
    for row in table.rows:
        numbers = (
            row.bounds.servers,
            row.bounds.terms,
            row.bounds.entries,
            row.states,
            row.combinations,
            sum(cell.situations for cell in row.cells),
            sum(cell.different for cell in row.cells),
            max(cell.longest for cell in row.cells),
            row.hopeless,
        )
        shown.add_row(*(f"{number:,}" for number in numbers), f"{row.seconds:.1f} s")
    return shown


def example_lines(row: Row, cell: Cell, example: Example) -> Iterator[str]:
    """Yield why a cell is not as the specification says: a situation, and how the survivors go on."""
    expected = "yes" if is_expected(row, cell) else "no"
    yield f"{title_of(row, cell)}, where {FORMULA} says {expected}. The survivors' states in one situation:"
    yield from (f"  {line}" for line in survivors(example))
    if example.continuation is None:
        yield "Nothing that they can do commits a new write."
    else:
        yield "How they commit a new write:"
        yield from event_lines(example.continuation, LABELS)


def survivors(example: Example) -> list[str]:
    """Return for each survivor what differs from a server that starts for the first time."""
    cluster = cluster_of(len(example.situation))
    lines = []
    for pid, node in enumerate(example.situation):
        if node is not FAILED:
            changes = LABELS.changes(Node(cluster.start(pid), DurableState()), node)
            lines.append(f"{LABELS.process(pid)} | {'; '.join(changes) or 'as at the start'}")
    return lines or ["none is left"]


# As JSON


def document_of(table: FailureTable, max_servers: int, mutant: str | None) -> dict[str, Any]:
    """Return the table as plain JSON values."""
    return {
        "schema": SCHEMA,
        "kind": "failures",
        "version": __version__,
        "verdict": verdict_of(table),
        "limit": table.limit,
        "mutant": mutant,
        "max_servers": max_servers,
        "more_terms": MORE_TERMS,
        "seconds": round(table.seconds, 3),
        "rows": [
            {
                "bounds": row.bounds.to_dict(),
                "survives": row.survives,
                "states": row.states,
                "combinations": row.combinations,
                "hopeless": row.hopeless,
                "seconds": round(row.seconds, 3),
                "cells": [cell_document(row, cell) for cell in row.cells],
            }
            for row in table.rows
        ],
    }


def cell_document(row: Row, cell: Cell) -> dict[str, Any]:
    """Return a cell as plain JSON values."""
    return {
        "failures": cell.failures,
        "answer": cell.answer,
        "expected": "yes" if is_expected(row, cell) else "no",
        "situations": cell.situations,
        "possible": cell.possible,
        "different": cell.different,
        "longest": cell.longest,
        "possible_example": cell.possible_example and example_document(cell.possible_example),
        "impossible_example": cell.impossible_example and example_document(cell.impossible_example),
    }


def example_document(example: Example) -> dict[str, Any]:
    """Return a situation as plain JSON values; `events` is null if nothing that the survivors can do is enough."""
    found = example.continuation
    return {"survivors": survivors(example), "events": found and counterexample_document(found, LABELS)["events"]}
