"""How fast the explorers are: make bench.

Figures of one run on one machine; what counts is the ratio of two rows of the same run.
"""

import statistics
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from raftcheck import Result, explore
from raftcheck.explore import Mode
from raftcheck.raft import SAFETY, Bounds, raft_system

RUNS = 3

MODELS: list[tuple[Bounds, list[Mode]]] = [
    (Bounds(servers=2, terms=2, entries=1), ["reference", "covering"]),
    (Bounds(servers=3, terms=1, entries=1), ["reference", "covering"]),
    (Bounds(servers=2, terms=3, entries=1), ["reference", "covering"]),
    (Bounds(servers=3, terms=2, entries=0), ["covering"]),
    (Bounds(servers=3, terms=2, entries=0, crashes=1), ["covering"]),
    (Bounds(servers=3, terms=2, entries=1), ["covering"]),
]


def measure(bounds: Bounds, mode: Mode) -> tuple[Result, float]:
    """Explore RUNS times; return the last result and the median of the seconds."""
    results = [explore(raft_system(bounds), SAFETY, mode=mode) for _ in range(RUNS)]
    return results[-1], statistics.median(result.seconds for result in results)


def main() -> None:
    """Print the table."""
    table = Table("servers", "terms", "entries", "crashes", "mode", "states", "transitions", "combinations",
                  "seconds", "states/s", "transitions/s", "times reference")  # fmt: skip
    for bounds, modes in MODELS:
        reference: float | None = None
        for mode in modes:
            print(f"{bounds.in_words()}: {mode}", file=sys.stderr)
            result, seconds = measure(bounds, mode)
            reference = seconds if mode == "reference" else reference
            row: list[Any] = [bounds.servers, bounds.terms, bounds.entries, bounds.crashes, mode]
            row += [f"{n:,}" for n in (result.states, result.transitions, result.local_tuples)]
            row += [f"{seconds:.2f}", f"{result.states / seconds:,.0f}", f"{result.transitions / seconds:,.0f}"]
            row += [f"{reference / seconds:.1f}" if reference else ""]
            table.add_row(*map(str, row))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
