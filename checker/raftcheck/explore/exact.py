"""The exact explorer: every state, breadth first, on numbers, in compiled code, on all cores.

A global state is a pair of numbers: that of its combination of process states and ghost, and that of its network
(one inbox a process); both are rows of numbers that are kept once (tree compression, as in SPIN's COLLAPSE and
in LTSmin). So a visited state costs its pair and a slot in a hash table for it, and nothing is lost by hashing: two
different states never count as one.

Each level of the search is done in batches of a fixed size: threads compute successors, then each adds what is
new to its own shards. Batches and shards do not depend on the number of threads, so neither does anything that
the search finds.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from raftcheck.explore.answering import by_kind, questions
from raftcheck.explore.columns import Array
from raftcheck.explore.combinations import Combinations
from raftcheck.explore.judging import Judge
from raftcheck.explore.kernels import exact as kernels
from raftcheck.explore.kernels.questions import CHANGE, MOVE, OPTIONS
from raftcheck.explore.limits import Limits, Watch
from raftcheck.explore.monitor import Monitor
from raftcheck.explore.network_tables import NetworkTables
from raftcheck.explore.options import Options
from raftcheck.explore.result import Counterexample, Event, Progress
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shards import ShardTables
from raftcheck.explore.symmetry import Symmetry
from raftcheck.explore.tables import BrokenStepError, Tables
from raftcheck.explore.threads import Threads, compilation_announced
from raftcheck.explore.tracing import Row, Tracer
from raftcheck.model import Network, Property, System, Value

SHARDS = 8
CHUNK, CHUNKS = 4096, 8
"""How many states a thread expands at a time, and how many chunks make a batch."""


class Chunk(NamedTuple):
    """Some states of one shard, by their numbers."""

    shard: int
    states: Array


class Found(NamedTuple):
    """A state, by its shard and its number there."""

    shard: int
    number: int


class ExactSearch:
    """One search. After `run`, the fields tell what was found."""

    def __init__(
        self,
        system: System,
        properties: Sequence[Property],
        limits: Limits,
        progress: Callable[[Progress], None] | None = None,
        symmetry: bool = True,
        workers: int | None = None,
    ) -> None:
        self.semantics = Semantics(system)
        self.monitor = Monitor(properties)
        self.symmetry = Symmetry(system, symmetry, self.monitor.steps_tell_names_apart)
        self.limits = limits
        self.watch = Watch(limits, progress)
        self.tables = Tables(self.semantics, self.symmetry, self.monitor)
        self.networks = NetworkTables(system.network, self.tables)
        self.combinations = Combinations(self.symmetry, self.tables)
        lossy = system.lossy and system.network is not Network.LOSSY_DUPLICATING
        self.options = Options(lossy, self.tables, self.networks)
        self.tracer = Tracer(self.semantics, self.symmetry, self.tables, self.networks)
        processes = len(system.processes)
        self.shards = [ShardTables(processes, self.watch.afford) for _ in range(SHARDS)]
        self.levels = [[0] * SHARDS]
        self.transitions = 0
        self.depth = 0
        self.limit: str | None = None
        self.visited_all = False
        self.counterexample: Counterexample | None = None
        self._threads = Threads(workers, CHUNKS)
        self._judge = Judge(self.tables, self.symmetry, self.monitor)
        self._processes = processes
        self._outputs = [self._new_output(CHUNK * 16) for _ in range(CHUNKS)]
        self._judged = 0

    @property
    def states(self) -> int:
        """How many states were visited (with symmetry, states that are renamings of each other count once)."""
        return sum(shard.states for shard in self.shards)

    @property
    def all_states(self) -> int:
        """How many states were visited, renamings included."""
        return sum(shard.orbits for shard in self.shards)

    def run(self) -> None:
        """Explore until everything is visited, a property is violated, or a limit is reached.

        Raises KeyboardInterrupt and MemoryError; what was found until then can still be read.
        """
        with compilation_announced(self.watch):
            self._begin()
        if self._judge_new():
            return
        while any(done < shard.states for done, shard in zip(self.levels[-1], self.shards, strict=True)):
            if len(self.levels) - 1 == self.limits.max_depth:
                self.limit = f"max_depth={self.limits.max_depth}"
                return
            first = self.levels[-1]
            self.levels.append([shard.states for shard in self.shards])
            self.depth = len(self.levels) - 2
            self._sort(first)
            self._expand_level(first, self.levels[-1])
            if self.limit is not None or self.counterexample is not None:
                return
        self.visited_all = True

    def _begin(self) -> None:
        """Keep the initial state; expand it once, so that everything is compiled before the search begins."""
        initial = self.semantics.initial()
        self.symmetry.verify_initial(initial.processes, initial.ghost)
        nodes = [self.tables.node(pid, state) for pid, state in enumerate(initial.processes)]
        combination = self.combinations.number([*nodes, self.tables.ghost(initial.ghost)])
        kernels.write_initial(combination, len(self.symmetry.permutations), self._outputs[0])
        self._absorb(self._outputs[:1])
        own = next(number for number, shard in enumerate(self.shards) if shard.states)
        self.expand([Chunk(own, np.arange(1))])

    # One level

    def _expand_level(self, first: list[int], last: list[int]) -> None:
        """Expand the states of one level, batch by batch."""
        for batch in batches(first, last):
            self._expand_batch(batch)
            if self.counterexample is None:
                self.limit = self.watch.limit_reached(self.states, self.transitions, self.depth, self._frontier())
            if self.limits.max_states is not None and self.states > self.limits.max_states:
                self.limit = f"max_states={self.limits.max_states}"
            if self.limit is not None or self.counterexample is not None:
                return

    def _sort(self, first: list[int]) -> None:
        """Put the states of a level in an order in which expanding finds in the cache what it needs."""

        def sort_own(number: int) -> None:
            self.shards[number].sort(first[number])

        self._threads.each(range(SHARDS), sort_own)

    def _frontier(self) -> int:
        return self.states - sum(self.levels[-1])

    def _expand_batch(self, batch: list[Chunk]) -> None:
        """Expand some states; those that need an answer of the tables wait for it and are expanded again."""
        self.tables.depth = self.depth + 1
        while batch:
            outputs = self.expand(batch)
            self.transitions += sum(int(output.counts[1]) for output in outputs)
            self._absorb(outputs)
            waiting = [
                Chunk(chunk.shard, output.questions.waiting[: output.questions.counts[1]].copy())
                for chunk, output in zip(batch, outputs, strict=True)
                if output.questions.counts[1]
            ]
            try:
                self._answer(outputs)
            except BrokenStepError as error:
                self._found_step(error, waiting)
                return
            batch = waiting
        self._judge_new()

    def expand(self, batch: list[Chunk]) -> list[kernels.Output]:
        """Return the successors of the states of each chunk."""
        networks, options = self.networks.arrays(), self.options.arrays()
        model = kernels.Model(self.tables.local(), networks, options, self.combinations.arrays())

        def expand_chunk(number: int) -> None:
            chunk, output = batch[number], self._outputs[number]
            shard = self.shards[chunk.shard].arrays()
            while True:
                kernels.expand(shard.states, shard.networks, chunk.shard, chunk.states, model, output)
                if not output.counts[2]:
                    return
                output = self._outputs[number] = self._new_output(2 * len(output.rows))

        self._threads.each(range(len(batch)), expand_chunk)
        return self._outputs[: len(batch)]

    def _absorb(self, outputs: list[kernels.Output]) -> None:
        """Let each shard keep what is new and its own."""
        orbit = len(self.symmetry.permutations)

        def absorb_own(number: int) -> None:
            for output in outputs:
                self.shards[number].absorb(number, output, orbit)

        self._threads.each(range(SHARDS), absorb_own)

    def _answer(self, outputs: list[kernels.Output]) -> None:
        answers = {CHANGE: self.networks.answer, OPTIONS: self.options.answer, MOVE: self.combinations.answer}
        for kind, about in by_kind([output.questions for output in outputs]):
            answers[kind](about)

    def _new_output(self, rows: int) -> kernels.Output:
        return kernels.Output(
            np.zeros((rows, self._processes + 3), np.int32),
            np.zeros(rows, np.uint64),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.int32),
            np.zeros(SHARDS + 1, np.int64),
            questions(CHUNK * 4, CHUNK),
            np.zeros(3, np.int64),
            np.zeros((5, self._processes), np.int32),
            np.zeros(self._processes + 1, np.int32),
            np.zeros((kernels.BLOCK, self._processes), np.int64),
        )

    # Judging

    def _judge_new(self) -> bool:
        """Judge the combinations that came up since the last time; tell whether a property is broken."""
        new = self.combinations.rows[self._judged :]
        broken = self._judge.judge(new, len(self.levels) - 1)
        if broken is not None:
            self._found(broken.name, self._state_of(self._judged + broken.row), len(self.levels) - 1)
            return True
        self._judged += len(new)
        return False

    def _state_of(self, combination: int) -> Found:
        """Return a state that has a combination."""
        for number, shard in enumerate(self.shards):
            states = np.flatnonzero(shard.combination_numbers() == combination)
            if len(states):
                return Found(number, int(states[0]))
        raise RuntimeError("no state has a combination: this is a bug in the checker")

    def _found_step(self, error: BrokenStepError, waiting: list[Chunk]) -> None:
        """Find a state, among those that wait, in which the step that is at fault is possible."""
        pid = self.tables.nodes.values[error.node][0]
        for chunk in waiting:
            for state in chunk.states:
                at = Found(chunk.shard, int(state))
                row = self.row(at)
                if row[pid] == error.node and self._is_possible(row, pid, error.input):
                    self._found(error.name, at, len(self.levels) - 2)
                    return
        raise RuntimeError(f"no state has the step that violates {error.name!r}: this is a bug in the checker")

    def _is_possible(self, row: Row, pid: int, input: Value) -> bool:
        possible = self.semantics.take(self.tracer.state(row), Event(pid, input))
        return possible is not None

    def _found(self, name: str, at: Found, level: int) -> None:
        claim = next((checked for checked in self.monitor.properties if checked.name == name), None)
        path = self.tracer.path(self.rows_to(at, level))
        self.counterexample = self.tracer.counterexample(claim, name, path)
        self.depth = self.counterexample.length

    def row(self, at: Found) -> Row:
        """Return a state as one row: nodes by pid, ghost, inboxes by pid."""
        *inboxes, combination = self.shards[at.shard].row(at.number)
        return *(int(number) for number in self.combinations.rows[combination]), *inboxes

    def rows_to(self, at: Found, level: int) -> list[Row]:
        """Return a shortest path from the initial state to a state of a level, as rows."""
        path = [at]
        for earlier in reversed(range(level)):
            path.append(self._predecessor(path[-1], earlier))
        return [self.row(state) for state in reversed(path)]

    def _predecessor(self, at: Found, level: int) -> Found:
        """Find a state of a level that leads to another in one step, by expanding the level again."""
        row = np.array(self.shards[at.shard].row(at.number), np.int32)
        for batch in batches(self.levels[level], self.levels[level + 1]):
            for chunk, output in zip(batch, self.expand(batch), strict=True):
                matches = (output.rows[: output.counts[0], : len(row)] == row).all(axis=1)
                if matches.any():
                    return Found(chunk.shard, int(chunk.states[output.sources[int(np.argmax(matches))]]))
        raise RuntimeError("a state has no predecessor: this is a bug in the checker")

    # Figures

    @property
    def local_transitions(self) -> int:
        """How many distinct (process state, input) pairs were executed."""
        return self.tables.local_transitions if self.symmetry.is_used else self.semantics.local_transitions

    @property
    def local_states(self) -> int:
        """How many distinct process states were met (with symmetry, also their renamings)."""
        return len({self.tables.nodes.values[node][1] for node in self._nodes()})

    def _nodes(self) -> list[int]:
        nodes = np.unique(self.combinations.rows[:, :-1])
        return [self.tables.renamed_node(int(n), r) for n in nodes for r in range(len(self.symmetry.permutations))]

    @property
    def local_tuples(self) -> int:
        """How many distinct combinations of process states and ghost were met, renamings included."""
        return self.combinations.orbits


def batches(first: list[int], last: list[int]) -> Iterator[list[Chunk]]:
    """Yield the states from `first` to `last` of each shard, in batches of chunks.

    A batch takes chunks of all shards, for much of what comes of a chunk belongs to the same shard again: so all
    threads have something to absorb.
    """
    most = max(stop - begin for begin, stop in zip(first, last, strict=True))
    chunks = (
        Chunk(shard, np.arange(begin + done, min(begin + done + CHUNK, stop)))
        for done in range(0, most, CHUNK)
        for shard, (begin, stop) in enumerate(zip(first, last, strict=True))
        if begin + done < stop
    )
    while batch := list(islice(chunks, CHUNKS)):
        yield batch
