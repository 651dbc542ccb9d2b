"""How fast traces of etcd's raft are judged, and in how much memory: linear time, bounded memory?

Each trace is judged in a process of its own, so that its peak of memory is its own: with interpreter and compiler. The
generated ones are piped into it, and never on a disk; the example is the one of etcd-io/raft, tla/example.ndjson.

    python -m benchmarks.traces [--events N ...] [--example FILE]
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT.parent / "shared" / "data" / "etcd-raft" / "example.ndjson"
FIRST = 1_000
"""Events of the example that are judged alone."""

JUDGE = """
import json, resource, sys, time
from raftcheck.oracle.trace.api import judge_trace
started = time.process_time()
judgement = judge_trace("-", "etcd")
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if sys.platform != "darwin":
    memory *= 1024
print(json.dumps([judgement.answer, judgement.checked, time.process_time() - started, memory]))
"""


@dataclass(frozen=True)
class Figures:
    """What judging a trace took: seconds of processor time, and the peak of memory in bytes."""

    name: str
    answer: str
    events: int
    seconds: float
    memory: int

    def __str__(self) -> str:
        each = 1e6 * self.seconds / self.events
        return (
            f"{self.name:24} {self.answer:8} {self.events:>9,} events  {self.seconds:7.2f} s  {each:5.0f} us each  "
            f"{self.memory / 2**20:5.0f} MiB"
        )


def measured(name: str, trace: Any) -> Figures:
    """Judge what comes out of a stream."""
    done = subprocess.run([sys.executable, "-c", JUDGE], stdin=trace, capture_output=True, check=True, cwd=ROOT)
    answer, events, seconds, memory = json.loads(done.stdout)
    return Figures(name, answer, events, seconds, memory)


def generated(events: int) -> Figures:
    """Judge a generated trace while it is generated."""
    command = [sys.executable, "-m", "tests.oracle.trace.steady", str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as generator:
        return measured("generated", generator.stdout)


def of_example(file: Path) -> Iterator[Figures]:
    """Judge the beginning of the example, and all of it."""
    head = ["head", "-n", str(FIRST), str(file)]
    with subprocess.Popen(head, stdout=subprocess.PIPE) as beginning:
        yield measured(f"{file.name}, beginning", beginning.stdout)
    with file.open("rb") as whole:
        yield measured(file.name, whole)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, nargs="*", default=[100_000, 300_000, 1_000_000])
    parser.add_argument("--example", type=Path, default=EXAMPLE)
    options = parser.parse_args(arguments)
    if options.example.exists():
        for figures in of_example(options.example):
            print(figures, flush=True)
    for events in options.events:
        print(generated(events), flush=True)


if __name__ == "__main__":
    main()
