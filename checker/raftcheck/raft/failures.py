"""How many servers may fail for good? Found out by exploring the implementation, one size of cluster after another.

1. A bounded run of the cluster is explored; all combinations of server states that it reaches are collected.
2. For each of them, each number of failures and each choice of the servers that fail, what is left is a situation: the
   survivors' states and nothing else, for all messages under way are lost.
3. From each situation `raftcheck.raft.continuation` finds a behaviour in which the survivors commit a new write, or
   visits everything that they can do.

No formula for the answer is used here.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, NamedTuple

from raftcheck.explore import Counterexample, Progress
from raftcheck.explore.api import without_garbage_collection
from raftcheck.explore.covering import CoveringSearch
from raftcheck.explore.limits import Limits, Watch
from raftcheck.raft.bounds import Bounds, counted
from raftcheck.raft.build import raft_system
from raftcheck.raft.continuation import FAILED, CarefulProcess, Continuations, Situation, UnfinishedError
from raftcheck.raft.process import Node
from raftimpl.cluster import cluster_of
from raftimpl.rules import Rules

Nodes = tuple[Node, ...]

Answer = Literal["yes", "some", "no"]

INTERRUPTED = "interrupted"

RUNS = {
    1: Bounds(servers=1, terms=2, entries=2),
    2: Bounds(servers=2, terms=3, entries=1),
    3: Bounds(servers=3, terms=2, entries=1),
    4: Bounds(servers=4, terms=1, entries=1),
    5: Bounds(servers=5, terms=1, entries=0),
}
"""The run before the failure, by size of the cluster: what takes less than a minute in all."""


class Example(NamedTuple):
    """A situation, and how the survivors commit a new write from there; None if they cannot."""

    situation: Situation
    continuation: Counterexample | None


@dataclass(frozen=True)
class Cell:
    """What becomes of a cluster when that many servers fail.

    `situations` counts the pairs of a combination of server states and a choice of the servers that fail; from
    `possible` of them the survivors can commit a new write. `different` of them differ in the survivors' states.
    `longest` is the greatest number of events of the behaviours found, 0 if there are none. The examples are the
    first of either kind, None if there is none.
    """

    failures: int
    situations: int
    possible: int
    different: int
    longest: int
    possible_example: Example | None
    impossible_example: Example | None

    @property
    def answer(self) -> Answer:
        """From all situations, from some or from none?"""
        if self.possible == self.situations:
            return "yes"
        return "some" if self.possible else "no"


@dataclass(frozen=True)
class Row:
    """All cells for one size of cluster.

    `states` were kept to explore the run, which reaches so many `combinations` of server states, renamed ones counted
    once. `hopeless` states were visited after failures, in search of a new write that cannot be committed.
    """

    bounds: Bounds
    states: int
    combinations: int
    hopeless: int
    seconds: float
    cells: tuple[Cell, ...]

    @property
    def survives(self) -> int | None:
        """The greatest number of failures such that the answer is yes for it and all smaller ones; None: not even 0."""
        unsure = (cell.failures for cell in self.cells if cell.answer != "yes")
        return next(unsure, len(self.cells)) - 1 if self.cells[0].answer == "yes" else None


@dataclass(frozen=True)
class FailureTable:
    """The rows that were finished. `limit` says what ended the work before all were, None if nothing did."""

    rows: tuple[Row, ...]
    limit: str | None
    seconds: float


def explore_failures(
    max_servers: int,
    rules: Rules | None = None,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    runs: Mapping[int, Bounds] = RUNS,
) -> FailureTable:
    """Find out for clusters of 1 to so many servers which numbers of failures they survive.

    `rules` are those of a broken variant. Ctrl-C and `max_seconds` end the work; a row that was not finished by then is
    left out, so that nothing unknown can pass for an answer. Raises ModelError for a limit that is none.
    """
    explorer = Explorer(rules, max_seconds, progress)
    limit = None
    try:
        with without_garbage_collection():
            for servers in range(1, max_servers + 1):
                explorer.add_row(runs[servers])
    except UnfinishedError as unfinished:
        limit = str(unfinished)
    except KeyboardInterrupt:
        limit = INTERRUPTED
    return FailureTable(tuple(explorer.rows), limit, explorer.seconds)


class Explorer:
    """Fills rows, as long as there is time. All methods raise UnfinishedError when there is none left."""

    def __init__(
        self, rules: Rules | None, max_seconds: float | None, progress: Callable[[Progress], None] | None
    ) -> None:
        self._rules = rules
        self._max_seconds = max_seconds
        self._progress = progress
        self._watch = Watch(Limits(max_seconds=max_seconds), None)
        self.rows: list[Row] = []

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._watch.seconds

    def add_row(self, bounds: Bounds) -> None:
        """Fill one more row."""
        begun = self.seconds
        size = counted(bounds.servers, "server", "servers")
        self._note(f"the run of {size}")
        run = self._run(bounds)
        self._note(f"failures of {size}")
        reached: dict[Nodes, None] = dict.fromkeys(nodes for nodes, _ in run.configurations())  # type: ignore[misc]
        continuations = Continuations(bounds, self._rules, self._tick)
        cells = tuple(self._cell(failures, reached, continuations) for failures in range(bounds.servers + 1))
        hopeless = len(continuations.hopeless)
        self.rows.append(Row(bounds, run.states, len(reached), hopeless, self.seconds - begun, cells))

    def _run(self, bounds: Bounds) -> CoveringSearch:
        """Explore everything before the failure."""
        process = CarefulProcess(cluster_of(bounds.servers, self._rules, bounds.batch), bounds)
        system = replace(raft_system(bounds), processes=[process] * bounds.servers)
        left = None if self._max_seconds is None else max(0.0, self._max_seconds - self.seconds)
        run = CoveringSearch(system, (), Limits(max_seconds=left), self._progress)
        run.run()
        if run.counterexample is not None:
            raise UnfinishedError(f"a server raised {run.counterexample.error}")
        if run.limit == INTERRUPTED:
            raise UnfinishedError(INTERRUPTED)
        self._tick()
        if not run.visited_all:
            raise UnfinishedError(str(run.limit))
        return run

    def _cell(self, failures: int, reached: Iterable[Nodes], continuations: Continuations) -> Cell:
        """Fill a cell."""
        times = Counter(situation for nodes in reached for situation in after_failures(nodes, failures))
        lengths: dict[Situation, int] = {}
        examples: dict[bool, Example] = {}
        for situation in times:
            self._tick()
            found = continuations.search(situation)
            lengths[situation] = found.length if found else 0
            examples.setdefault(found is not None, Example(situation, found))
        return Cell(
            failures=failures,
            situations=times.total(),
            possible=sum(times[situation] for situation, length in lengths.items() if length),
            different=len(times),
            longest=max(lengths.values()),
            possible_example=examples.get(True),
            impossible_example=examples.get(False),
        )

    def _note(self, text: str) -> None:
        if self._progress:
            self._progress(Progress(0, 0, 0, 0, self.seconds, text))

    def _tick(self) -> None:
        limit = self._watch.limit_reached(0, 0, 0, 0)
        if limit is not None:
            raise UnfinishedError(limit)


def after_failures(nodes: Nodes, failures: int) -> Iterator[Situation]:
    """Yield the situations that so many failures leave of a combination of server states: one for each choice."""
    for failed in combinations(range(len(nodes)), failures):
        yield tuple(FAILED if pid in failed else node for pid, node in enumerate(nodes))
