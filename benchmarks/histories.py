"""How fast histories are judged, and how fast Porcupine judges them in the same run.

    python -m benchmarks.histories FILE... [--format jepsen|porcupine] [--runs N] [--markdown FILE]

Medians of several runs in one process, after a first one that compiles; reading the file is counted. Porcupine is the
checker in Go; it needs the Go toolchain and its module, and uses all cores. Where these are missing, that is said. Our
time of a reject includes its explanation, which Porcupine does not give.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.explore import machine
from rich.console import Console
from rich.table import Table

from raftcheck.oracle import judge_history

ROOT = Path(__file__).parent.parent
PORCUPINE = ROOT / "benchmarks" / "porcupine"
COLUMNS = ["history", "operations", "answer", "configurations", "seconds", "Porcupine", "ratio"]
ANSWERS = {"Ok": "accept", "Illegal": "reject", "Unknown": "undecided"}


@dataclass(frozen=True)
class Measured:
    """What judging a history took."""

    operations: int
    answer: str
    configurations: int
    seconds: float


def measure(path: Path, form: str, runs: int) -> Measured:
    """Judge a history several times; return the median."""
    judgements = [judge_history(path, format=form) for _ in range(runs)]
    last = judgements[-1]
    seconds = statistics.median(judgement.seconds for judgement in judgements)
    return Measured(last.details["operations"], last.answer, last.details["configurations"], seconds)


def porcupine(paths: Sequence[Path], form: str, runs: int) -> dict[Path, tuple[str, float]]:
    """Return Porcupine's answers and median seconds; none if it cannot be built."""
    go = shutil.which("go")
    if go is None:
        print("Porcupine is not measured: there is no Go toolchain", file=sys.stderr)
        return {}
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "porcupine"
        built = subprocess.run([go, "build", "-o", program, "."], cwd=PORCUPINE, capture_output=True, text=True)
        if built.returncode:
            print(f"Porcupine is not measured: {built.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return {}
        command = [str(program), form, str(runs), *(str(path.resolve()) for path in paths)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.rsplit(" ", 2) for line in output.splitlines()]
    return {path: (ANSWERS[line[1]], float(line[2])) for path, line in zip(paths, lines, strict=True)}


def main() -> None:
    """Print the table. Fails if the two checkers disagree."""
    parser = argparse.ArgumentParser(description="Measure the judge of histories.")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--format", choices=["jepsen", "porcupine"], default="jepsen")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to a file, too")
    options = parser.parse_args()
    theirs = porcupine(options.files, options.format, options.runs)
    judge_history(options.files[0], format=options.format)  # compiles
    rows = []
    for path in options.files:
        ours = measure(path, options.format, options.runs)
        answer, seconds = theirs.get(path, ("", 0.0))
        if answer and answer != ours.answer:
            raise SystemExit(f"{path}: {ours.answer}, but Porcupine says {answer}")
        rows.append(
            [
                path.name,
                f"{ours.operations:,}",
                ours.answer,
                f"{ours.configurations:,}",
                f"{ours.seconds:.4f}",
                f"{seconds:.4f}" if answer else "",
                f"{ours.seconds / seconds:.2g}" if answer else "",
            ]
        )
    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*row)
    Console(width=160).print(table, machine())
    if options.markdown:
        right = ["---", "--:", "---", *["--:"] * (len(COLUMNS) - 3)]
        text = "".join(f"| {' | '.join(row)} |\n" for row in (COLUMNS, right, *rows))
        options.markdown.write_text(text + f"\nMeasured on: {machine()}.\n", encoding="utf-8")


if __name__ == "__main__":
    main()
