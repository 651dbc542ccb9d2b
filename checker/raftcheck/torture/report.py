"""What was done, what came of it, and how it was judged: for people, and as JSON."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from raftcheck.torture.judging import HISTORY, TRACE
from raftcheck.torture.runs import Run, Verdict
from raftcheck.version import __version__

JUDGES = (
    "the clients' history: linearizable, revisions included (raftproof judge history, model etcd)",
    "the servers' trace: every step one that the specification allows (raftproof judge trace)",
    "every acknowledged write is there at the end, at the revision that its client was told",
    "every read, also a serializable one, told what was there at the revision that it told",
    "watches: all that a server's store has seen, each event once, in order (simulated runs alone)",
    "when all faults are over: writes succeed everywhere, leases end, all servers have equal stores",
)

SHOWN = 30
"""Lines of a finding that are shown; the rest is told by the commands."""


def verdict_of(runs: Sequence[Run]) -> Verdict:
    """Return what all runs come to. No run at all tells nothing."""
    verdicts = {run.verdict for run in runs}
    return "violated" if "violated" in verdicts else "not violated" if verdicts == {"not violated"} else "inconclusive"


def total(counters: Sequence[Counter[str]]) -> Counter[str]:
    """Return the sum of counts."""
    return sum(counters, Counter())


def text_of(runs: Sequence[Run], what: str, seconds: float) -> str:
    """Return the report."""
    return "\n".join(lines_of(runs, what, seconds))


def lines_of(runs: Sequence[Run], what: str, seconds: float) -> Iterator[str]:
    """Yield the report line by line; the first line is the verdict."""
    broken = [run for run in runs if run.findings]
    yield f"{verdict_of(runs).upper()}: {what}, {len(runs)} {'run' if len(runs) == 1 else 'runs'} ({seconds:.0f} s)"
    for name, counters in (
        ("operations", [run.operations for run in runs]),
        ("outcomes", [run.outcomes for run in runs]),
        ("faults", [run.faults for run in runs]),
        ("servers", [run.counts for run in runs]),
    ):
        counted = ", ".join(f"{key} {count:,}" for key, count in sorted(total(counters).items()))
        yield f"{name}: {counted or 'none'}"
    yield "judged:"
    yield from (f"  {judge}" for judge in JUDGES)
    for run in broken:
        yield from lines_of_findings(run)


def lines_of_findings(run: Run) -> Iterator[str]:
    """Yield what was found wrong in a run, and how to look at it."""
    yield f"\nseed {run.seed}: {run.verdict}"
    for finding in run.findings:
        first, *more = finding.what.splitlines()
        yield f"  {finding.judge}: {first}"
        yield from (f"    {line}" for line in more[:SHOWN])
    yield "  to do it again:"
    yield f"    {shlex.join(run.repeat)}"
    yield "  to judge it again:"
    yield f"    raftproof judge history {shlex.quote(str(run.folder / HISTORY))} --format json --model etcd"
    yield f"    raftproof judge trace {shlex.quote(str(run.folder / TRACE))}"


def document_of(runs: Sequence[Run], what: str, seconds: float) -> dict[str, Any]:
    """Return the report as plain JSON values."""
    return {
        "schema": "raftproof/1",
        "kind": "torture",
        "version": __version__,
        "verdict": verdict_of(runs),
        "what": what,
        "seconds": round(seconds, 1),
        "operations": dict(total([run.operations for run in runs])),
        "outcomes": dict(total([run.outcomes for run in runs])),
        "faults": dict(total([run.faults for run in runs])),
        "servers": dict(total([run.counts for run in runs])),
        "judges": list(JUDGES),
        "runs": [
            {
                "seed": run.seed,
                "verdict": run.verdict,
                "seconds": round(run.seconds, 2),
                "repeat": shlex.join(run.repeat),
                "folder": str(run.folder) if run.findings else None,
                "findings": [
                    {"judge": finding.judge, "what": finding.what, "open": finding.is_open} for finding in run.findings
                ],
            }
            for run in runs
        ],
    }
