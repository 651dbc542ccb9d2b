"""How fast the explorers are: make bench.

Every figure is measured in a process of its own, so that its peak of memory is its own: that of the whole process, with
interpreter and compiler. All rows of a model are measured one after the other; what counts is their ratio. Short
explorations are repeated, and the median is told. Kernels are compiled before anything is measured.

    python -m benchmarks.explore [--quick] [--markdown FILE]
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.systems.monoraft import monoraft

from raftcheck import Property, System, explore
from raftcheck.explore import Mode
from raftcheck.explore.threads import available_cores
from raftcheck.raft import Bounds, raft_properties, raft_system

ROOT = Path(__file__).parent.parent
RUNS, SHORT_SECONDS = 3, 20.0
"""How often an exploration is measured that takes less than so many seconds."""

COLUMNS = ["model", "mode", "workers", "states", "transitions", "seconds", "states/s", "transitions/s", "bytes/state",
           "times reference"]  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A way to explore. Without symmetry, all engines but covering visit the same states.

    With `max_states`, the exploration is cut off there, for the sake of its transitions a second. (Its states a second
    mean little: many of its states were found, but not looked at.)
    """

    mode: Mode
    workers: int | None = None
    symmetry: bool = False
    max_states: int | None = None


REFERENCE, COVERING = Way("reference"), Way("covering", symmetry=True)
CUT_OFF = Way("reference", max_states=500_000)
ONE, TWO = Way("exact", workers=1), Way("exact", workers=2)
ALL = (REFERENCE, ONE, TWO, COVERING)


@dataclass(frozen=True)
class Model:
    """What is explored, and in which ways. `is_long`: minutes rather than seconds."""

    name: str
    build: Callable[[], tuple[System, Sequence[Property]]]
    ways: tuple[Way, ...] = ALL
    is_long: bool = False


def core(name: str, bounds: Bounds, ways: tuple[Way, ...] = ALL, is_long: bool = False) -> Model:
    """Return the implementation within bounds, with all its properties."""
    return Model(name, lambda: (raft_system(bounds), raft_properties(bounds)), ways, is_long)


MODELS = [
    core("2 servers, 2 terms, 1 entry", Bounds(servers=2, terms=2, entries=1)),
    core("3 servers, 1 term, 1 entry", Bounds(servers=3, terms=1, entries=1)),
    core("2 servers, 3 terms, 1 entry", Bounds(servers=2, terms=3, entries=1)),
    core("3 servers, 2 terms", Bounds(servers=3, terms=2, entries=0), is_long=True),
    core("3 servers, 2 terms, 1 crash", Bounds(servers=3, terms=2, entries=0, crashes=1), (ONE, TWO, COVERING), True),
    core("3 servers, 2 terms, 1 entry", Bounds(servers=3, terms=2, entries=1), (COVERING,)),
    core("3 servers, 2 terms, 2 entries, 1 crash", Bounds(servers=3, terms=2, entries=2, crashes=1), (COVERING,), True),
    core("5 servers, 1 term, 1 entry", Bounds(servers=5, terms=1, entries=1), (COVERING,)),
    Model("MonoRaft: 3 servers, 2 terms, log of 2", lambda: (monoraft(3, 2, 2), []), (REFERENCE, ONE, TWO), True),
    Model(
        "MonoRaft: 3 servers, 2 terms, log of 2, restarts",
        lambda: (monoraft(3, 2, 2, restarts=True), []),
        (CUT_OFF, ONE, TWO),
        is_long=True,
    ),
]


@dataclass(frozen=True)
class Figures:
    """What one exploration took. `memory` is the peak of the process, in bytes."""

    states: int
    transitions: int
    seconds: float
    memory: int


def measure_here(model: Model, way: Way) -> Figures:
    """Explore once in this process. Raises AssertionError unless everything was explored, or as much as was wanted."""
    system, properties = model.build()
    result = explore(
        system, properties, mode=way.mode, workers=way.workers, symmetry=way.symmetry, max_states=way.max_states
    )
    assert result.complete or way.max_states, result.verdict
    return Figures(result.states, result.transitions, result.seconds, result.peak_memory)


def measure(number: int, way: Way) -> Figures:
    """Explore in fresh processes, more than once if that is short; return the median."""
    command = [sys.executable, "-m", "benchmarks.explore", "--measure", json.dumps([number, asdict(way)])]
    runs: list[Figures] = []
    while not runs or (len(runs) < RUNS and runs[0].seconds < SHORT_SECONDS):
        output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        runs.append(Figures(**json.loads(output)))
    middle = [statistics.median_low(getattr(run, name) for run in runs) for name in ("seconds", "memory")]
    return Figures(runs[0].states, runs[0].transitions, *middle)


def rows(quick: bool) -> Iterator[list[str]]:
    """Measure everything; yield the rows of the table."""
    measure(0, ONE)  # compiles
    for number, model in enumerate(MODELS):
        reference: Figures | None = None
        for way in () if quick and model.is_long else model.ways:
            print(f"{model.name}: {way.mode} {way.workers or ''}", file=sys.stderr)
            figures = measure(number, way)
            reference = figures if way.mode == "reference" else reference
            mode = f"{way.mode}, cut off" if way.max_states else way.mode
            yield [model.name, mode, str(way.workers or ""), *cells(figures, reference, way)]


def cells(figures: Figures, reference: Figures | None, way: Way) -> list[str]:
    """Return figures as text. Transitions a second are compared where engines take the same ones, else seconds."""
    states, transitions, seconds = figures.states, figures.transitions, figures.seconds
    ratio = ""
    if reference:
        rates = transitions / seconds / (reference.transitions / reference.seconds)
        ratio = f"{reference.seconds / seconds if way.mode == 'covering' else rates:.1f}"
    return [
        f"{states:,}",
        f"{transitions:,}",
        f"{seconds:.2f}" if seconds < SHORT_SECONDS else f"{seconds:.0f}",
        f"{states / seconds:,.0f}",
        f"{transitions / seconds:,.0f}",
        f"{figures.memory / states:,.0f}",
        ratio,
    ]


def machine() -> str:
    """Describe where this was measured."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{package} {version(package)}" for package in ("numba", "numpy"))
    return (
        f"{available_cores()} cores ({cpu}), {memory:.0f} GiB of memory, {platform.system()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def markdown(measured: Sequence[Sequence[str]]) -> str:
    """Return the table as Markdown."""
    right = ["---", "---", *["--:"] * (len(COLUMNS) - 2)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (COLUMNS, right, *measured)) + f"\nMeasured on: {machine()}.\n"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure the explorers.")
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to a file, too")
    parser.add_argument("--measure", metavar="JSON", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        number, way = json.loads(options.measure)
        print(json.dumps(asdict(measure_here(MODELS[number], Way(**way)))))
        return
    measured = list(rows(options.quick))
    table = Table(*COLUMNS)
    for row in measured:
        table.add_row(*row)
    Console(width=180).print(table, machine())
    if options.markdown:
        options.markdown.write_text(markdown(measured), encoding="utf-8")


if __name__ == "__main__":
    main()
