"""What the table of failures says against the specification: the verdict, in words and as JSON.

Here, when the table is finished, and nowhere else is it compared with a formula.
"""

from collections.abc import Iterator
from typing import Any

from raftcheck.explore import Verdict
from raftcheck.raft.bounds import counted
from raftcheck.raft.continuation import FAILED, MORE_TERMS
from raftcheck.raft.failures import Cell, Example, FailureTable, Row
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.process import Node
from raftcheck.report import SCHEMA, event_lines
from raftcheck.report.document import counterexample_document
from raftimpl.cluster import cluster_of
from raftimpl.state import DurableState
from raftspec.quorum import fault_tolerance

LABELS = RaftLabels()

FORMULA = "raftspec.quorum.fault_tolerance"


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


# In words


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


def document_of(table: FailureTable, max_servers: int, mutant: str | None, version: str) -> dict[str, Any]:
    """Return the table as plain JSON values; `version` is the program's."""
    return {
        "schema": SCHEMA,
        "kind": "failures",
        "version": version,
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
