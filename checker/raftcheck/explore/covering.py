"""The covering search: safety on a network that is a set that only grows.

A state with more messages under way can do everything that one with fewer can. So of all states with the same
processes and ghost only those with the *maximal* networks are kept: a state covered by a kept one is dropped, and a
kept one that becomes covered is removed. The reachable combinations of process states and ghost are the same as in
the full exploration; so are the verdicts on all properties of states and steps, for no property reads the network.
(Abdulla et al., "General decidability theorems for infinite-state systems", LICS 1996, call such systems
well-structured.)

Networks are compared after everything has been added that makes no difference (`raftcheck.explore.relevance`), which
leaves little more than one state to keep for each combination. This rests on a guess that becomes certain only at the
end, so the search runs in rounds: the last one has learned nothing that the guess before it did not know.

Steps that only send are taken as soon as they can be: the state after such a step covers the one before. And states
that differ only in the names of the processes are explored once.

All this is done on numbers, in compiled code, on all cores. Batches and shards do not depend on the number of threads,
so neither does anything that the search finds.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np

from raftcheck.explore.answering import by_kind, questions
from raftcheck.explore.antichains import Antichains
from raftcheck.explore.columns import Array, Column
from raftcheck.explore.combinations import Combinations
from raftcheck.explore.effects import Effects
from raftcheck.explore.judging import Judge
from raftcheck.explore.kernels import covering as kernels
from raftcheck.explore.kernels.bits import WORD
from raftcheck.explore.kernels.covering import SHARDS
from raftcheck.explore.kernels.questions import CLOSE, MOVE, Questions
from raftcheck.explore.limits import Limits, Watch
from raftcheck.explore.monitor import Monitor
from raftcheck.explore.relevance import Relevance
from raftcheck.explore.result import Counterexample, Event, Progress
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import counterexample, saturate, shortened, violates
from raftcheck.explore.symmetry import Permutation, Symmetry, compose, inverse
from raftcheck.explore.tables import BrokenStepError, Tables
from raftcheck.explore.threads import Threads, compilation_announced
from raftcheck.model import Kind, ModelError, Network, Property, System, Value

CHUNK, CHUNKS = 512, 8
"""How many states a thread expands at a time, and how many chunks make a batch."""

FIRST_GUESS_AT = 256
GUESS_AGAIN = 4
"""So many kept states make a first guess worth while, and then so many times as many."""

NOWHERE = -1


class Chunk(NamedTuple):
    """Some kept states of one shard."""

    shard: int
    states: Array


class CoveringSearch:
    """One search. After `run`, the fields tell what was found, and how many `rounds` it took.

    `expansions` is how many kept states were expanded in the last round: those covered in time were not.
    """

    def __init__(
        self,
        system: System,
        properties: Sequence[Property],
        limits: Limits,
        progress: Callable[[Progress], None] | None = None,
        symmetry: bool = True,
        workers: int | None = None,
    ) -> None:
        refuse_unless_valid(system, properties)
        self.semantics = Semantics(system)
        self.monitor = Monitor(properties)
        self.symmetry = Symmetry(system, symmetry, self.monitor.steps_tell_names_apart)
        self.limits = limits
        self.watch = Watch(limits, progress)
        self.tables = Tables(self.semantics, self.symmetry, self.monitor)
        self.combinations = Combinations(self.symmetry, self.tables)
        self.transitions = 0
        self.expansions = 0
        self.depth = 0
        self.rounds = 0
        self.limit: str | None = None
        self.visited_all = False
        self.counterexample: Counterexample | None = None
        self._processes = len(system.processes)
        self._effects = Effects(self.semantics, self.symmetry, self.monitor, self.tables)
        self._relevance = Relevance(system, self.tables, self._effects)
        self._judge = Judge(self.tables, self.symmetry, self.monitor)
        self._threads = Threads(workers, CHUNKS)
        self._is_judged = Column(dtype=np.bool_)
        self._words = 1
        self._new_round()

    all_states = None
    """How many states there are with all renamings: that is not known."""

    @property
    def states(self) -> int:
        """How many states are kept."""
        return sum(shard.uncovered for shard in self._shards)

    @property
    def local_transitions(self) -> int:
        """How many (process state, input) pairs were executed, those in advance included."""
        return self.tables.local_transitions + self._effects.executed

    @property
    def local_states(self) -> int:
        """How many distinct process states were met (with symmetry, also their renamings)."""
        return len({state for _, state in self.tables.nodes.values})

    @property
    def local_tuples(self) -> int:
        """How many distinct combinations of process states and ghost were met, renamings included."""
        return self.combinations.orbits

    def configurations(self) -> Iterator[tuple[tuple[Value, ...], Value]]:
        """Yield the process states and ghost of all combinations met; with symmetry one of each orbit."""
        return map(self.tables.combination, self.combinations.rows)

    def run(self) -> None:
        """Explore until everything is covered, a property is violated, or a limit is reached.

        Raises KeyboardInterrupt and MemoryError; what was found until then can still be read.
        """
        try:
            while not (self.visited_all or self.limit or self.counterexample):
                self._explore_round()
            if self.counterexample:
                self.depth = self.counterexample.length
        finally:
            self._threads.close()

    # One round

    def _new_round(self) -> None:
        self._shards = [Antichains(self._processes, self._words, self.watch.afford) for _ in range(SHARDS)]
        self._outputs = [self._new_output(CHUNK * 16) for _ in range(CHUNKS)]
        self._level = [0] * SHARDS
        self.transitions = self.expansions = self.depth = 0

    def _explore_round(self) -> None:
        """Explore everything, with a guess that is made anew when much more is known."""
        self.rounds = self.watch.round = self.rounds + 1
        self._new_round()
        if self._relevance.is_stale():
            self._relevance.refresh(self._words)
        self._has_guessed_meanwhile = False
        guess_at = FIRST_GUESS_AT
        with compilation_announced(self.watch):
            self._begin()
        for self.depth in count():
            frontier = self._next_level()
            if self.counterexample or not frontier:
                break
            if self.depth == self.limits.max_depth:
                self.limit = f"max_depth={self.depth}"
            for batch in batches(frontier):
                if self.limit is None:
                    self._check_limits()
                if self.limit or self.counterexample:
                    return
                self._expand_batch(batch)
                if self.rounds == 1 and self.states >= guess_at and self._relevance.is_stale():
                    self._relevance.refresh(self._words)
                    self._has_guessed_meanwhile = True
                    guess_at = GUESS_AGAIN * self.states
        self.depth -= 1
        self.visited_all = not self.counterexample and self._is_settled()

    def _is_settled(self) -> bool:
        """Tell whether the guess that this round rested on was right, given all that was seen.

        A round that has guessed anew in its course rested on several guesses, of which the first were wrong.
        """
        if self._has_guessed_meanwhile:
            return False
        return not self._relevance.is_stale() or self._relevance.settle(self._threads.each)

    def _begin(self) -> None:
        """Reach the initial state."""
        initial = self.semantics.initial()
        self.symmetry.verify_initial(initial.processes, initial.ghost)
        nodes = [self.tables.node(pid, state) for pid, state in enumerate(initial.processes)]
        output = self._outputs[0]
        output.combinations[0] = self.combinations.number([*nodes, self.tables.ghost(initial.ghost)])
        output.networks[0] = 0
        output.parents[0], output.counts[0] = NOWHERE, 1
        self.tables.depth = 0
        self._absorb([output])

    def _next_level(self) -> list[tuple[int, int]]:
        """Return the states that were kept since the last call and are not covered.

        Those with the most under way come first: they are likely to cover others. Each is named by its shard and its
        number there.
        """
        found = []
        for number, shard in enumerate(self._shards):
            states, under_way = shard.since(self._level[number])
            self._level[number] = len(shard)
            found += [(-int(bits), number, int(state)) for state, bits in zip(states, under_way, strict=True)]
        return [(shard, state) for _, shard, state in sorted(found)]

    def _check_limits(self) -> None:
        states = self.states
        waiting = sum(len(shard) - done for shard, done in zip(self._shards, self._level, strict=True))
        self.limit = self.watch.limit_reached(states, self.transitions, self.depth, waiting)
        if self.limits.max_states is not None and states > self.limits.max_states:
            self.limit = f"max_states={self.limits.max_states}"

    # One batch

    def _expand_batch(self, batch: list[Chunk]) -> None:
        """Expand some states and keep what is new; those that need an answer wait for it and are expanded again."""
        self.tables.depth = self.depth + 1
        batch = [Chunk(chunk.shard, self._uncovered(chunk)) for chunk in batch]
        while batch and not self.counterexample:
            outputs = self._expand(batch)
            self.transitions += sum(int(output.counts[1]) for output in outputs)
            self._absorb(outputs)
            asked = [output.questions for output in outputs]
            waiting = [
                Chunk(chunk.shard, each.waiting[: each.counts[1]].copy())
                for chunk, each in zip(batch, asked, strict=True)
                if each.counts[1]
            ]
            places = [(chunk.shard, int(state)) for chunk in waiting for state in chunk.states]
            self._answer(asked, lambda waiting=places: map(self._place, waiting))  # type: ignore[misc]
            self.expansions += sum(len(chunk.states) for chunk in batch) - sum(len(chunk.states) for chunk in waiting)
            batch = waiting

    def _uncovered(self, chunk: Chunk) -> Array:
        return chunk.states[~self._shards[chunk.shard].is_covered(chunk.states)]

    def _model(self) -> kernels.Model:
        """Return all tables as compiled code reads them; networks are widened first if there are more messages."""
        words = 1 + (self.tables.most_places - 1) // WORD if self.tables.most_places else 1
        if words > self._words:
            self._widen(words + words // 2)
        mail = self.tables.mail(self._words)
        closures = self._relevance.arrays()
        return kernels.Model(self.tables.local(), self.combinations.arrays(), mail, closures)

    def _widen(self, words: int) -> None:
        self._relevance.widen(words)
        for shard in self._shards:
            shard.widen(words)
        for number, output in enumerate(self._outputs):
            wide = np.zeros((len(output.networks), self._processes, words), np.uint64)
            wide[:, :, : self._words] = output.networks.reshape(-1, self._processes, self._words)
            self._outputs[number] = output._replace(networks=wide.reshape(len(wide), -1))
        self._words = words

    def _expand(self, batch: list[Chunk]) -> list[kernels.Output]:
        """Return what comes of the states of each chunk."""
        model = self._model()

        def expand_chunk(number: int) -> None:
            chunk, output = batch[number], self._outputs[number]
            while True:
                kernels.expand(self._shards[chunk.shard].arrays(), chunk.shard, chunk.states, model, output)
                if not output.counts[2]:
                    return
                output = self._outputs[number] = self._new_output(2 * len(output.steps))

        self._threads.each(range(len(batch)), expand_chunk)
        return self._outputs[: len(batch)]

    def _absorb(self, outputs: list[kernels.Output]) -> None:
        """Let each shard keep what is new and its own, in the order of the outputs; then judge new combinations."""
        todo = [[np.zeros(0, np.int64)] * len(outputs) for _ in range(SHARDS)]
        for number, output in enumerate(outputs):
            shards = output.combinations[: output.counts[0]] % SHARDS
            for shard in range(SHARDS):
                todo[shard][number] = np.flatnonzero(shards == shard)
        while any(len(rows) for own in todo for rows in own) and not self.counterexample:
            todo = self._absorb_rows(outputs, todo)
        if not self.counterexample:
            self._judge_new()

    def _absorb_rows(self, outputs: list[kernels.Output], todo: list[list[Array]]) -> list[list[Array]]:
        """Absorb rows, given by shard and output; return those that waited for answers, which are there now."""
        asked = [[questions(4 * len(rows) + 16, len(rows)) for rows in own] for own in todo]
        model = self._model()
        outputs = self._outputs[: len(outputs)]  # networks may have become wider

        def absorb_own(shard: int) -> None:
            for output, rows, own in zip(outputs, todo[shard], asked[shard], strict=True):
                self._shards[shard].absorb(rows, output, model, own)

        self._threads.each(range(SHARDS), absorb_own)
        waiting = [[each.waiting[: each.counts[1]].copy() for each in own] for own in asked]
        rows = ((number, int(row)) for own in waiting for number, rows in enumerate(own) for row in rows)
        self._answer([each for own in asked for each in own], lambda: (self._row_place(*row) for row in rows))
        return waiting

    def _answer(self, asked: list[Questions], waiting: Callable[[], Iterator["Place"]]) -> None:
        """Answer questions. If a step breaks a property, find a state among those that wait in which it is possible."""
        try:
            for kind, about in by_kind(asked):
                if kind == CLOSE:
                    self._relevance.answer(about, self._threads.each)
                elif kind == MOVE:
                    self.combinations.answer(about)
                else:
                    self.tables.answer((kind, int(key)) for key in about)
        except BrokenStepError as error:
            self._found_step(error, waiting())

    def _new_output(self, rows: int) -> kernels.Output:
        return kernels.Output(
            np.zeros(rows, np.int32),
            np.zeros((rows, self._processes * self._words), np.uint64),
            np.zeros(rows, np.int64),
            np.zeros(rows, np.int32),
            np.zeros(rows, np.int32),
            np.zeros(3, np.int64),
            questions(CHUNK * 16, CHUNK * CHUNKS),
        )

    # From a violation to a counterexample

    def _judge_new(self) -> None:
        """Judge the combinations of states that were kept since the last time, as far as they are new."""
        depth = self.tables.depth
        combinations = np.unique(np.concatenate([shard.new_combinations() for shard in self._shards]))
        self._is_judged.reserve(len(self.combinations))
        combinations = combinations[~self._is_judged.array[combinations]]
        self._is_judged.array[combinations] = True
        broken = self._judge.judge(self.combinations.rows[combinations], depth)
        if broken is not None:
            combination = int(combinations[broken.row])
            shard = combination % SHARDS
            self._found(broken.name, self._events_to(shard, self._shards[shard].first_of(combination))[0])

    def _found_step(self, error: BrokenStepError, waiting: "Iterator[Place]") -> None:
        """Find a state, among those that wait, in which the step that is at fault is possible.

        Where a state itself breaks a property, that comes first: its steps are the consequence.
        """
        places = list(waiting)
        combinations = np.array([place.combination for place in places])
        broken = self._judge.judge(self.combinations.rows[combinations], self.tables.depth)
        if broken is not None:
            self._found(broken.name, places[broken.row].path()[0])
            return
        pid = self.tables.nodes.values[error.node][0]
        for place in places:
            if self.combinations.rows[place.combination, pid] != error.node:
                continue
            events, names = place.path()
            events = saturate(self.semantics, events)
            event = self._named(Event(pid, error.input), names)
            if violates(self.semantics, self.monitor.properties, error.name, [*events, event], self.symmetry):
                self._found(error.name, [*events, event])
                return
        raise RuntimeError(f"no state has the step that violates {error.name!r}: this is a bug in the checker")

    def _found(self, name: str, events: list[Event]) -> None:
        """Turn a behaviour that violates a property, perhaps under other names, into a short counterexample."""
        named = violates(self.semantics, self.monitor.properties, name, events, self.symmetry)
        if named is None:
            raise RuntimeError(f"the behaviour found to violate {name!r} does not: this is a bug in the checker")
        found = shortened(self.semantics, self.monitor.properties, name, named)
        self.counterexample = counterexample(self.semantics, name, found)

    def _place(self, at: tuple[int, int]) -> "Place":
        shard, state = at
        return Place(self._shards[shard].combination(state), lambda: self._events_to(shard, state))

    def _row_place(self, number: int, row: int) -> "Place":
        """Return where a row of an output is: after one more step than its parent."""
        output = self._outputs[number]
        origin = int(output.parents[row]), int(output.steps[row]), int(output.renamings[row])
        return Place(int(output.combinations[row]), lambda: self._events_along([origin]))

    def _events_to(self, shard: int, state: int) -> tuple[list[Event], Permutation]:
        return self._events_along([self._shards[shard].origin(state)])

    def _events_along(self, origins: list[tuple[int, int, int]]) -> tuple[list[Event], Permutation]:
        """Return the concrete events on the way that ends with an origin, and the renaming from its names to theirs.

        Before each step comes all that only sends, as the search has taken it for granted.
        """
        while origins[-1][0] != NOWHERE:
            parent = origins[-1][0]
            origins.append(self._shards[parent >> 40].origin(parent & (1 << 40) - 1))
        events: list[Event] = []
        names = self.symmetry.permutations[0]
        for _, step, renaming in reversed(origins[:-1]):
            pid, _, input, _ = self.tables.steps[step]
            events = [*saturate(self.semantics, events), self._named(Event(pid, input), names)]
            names = compose(names, inverse(self.symmetry.permutations[renaming]))
        return events, names

    def _named(self, event: Event, names: Permutation) -> Event:
        return Event(names[event.pid], self.symmetry.value(event.input, names))


class Place(NamedTuple):
    """A state that waits: its combination, and how to find the events that lead there."""

    combination: int
    path: Callable[[], tuple[list[Event], Permutation]]


def batches(frontier: list[tuple[int, int]]) -> Iterator[list[Chunk]]:
    """Yield states, given as (shard, number), in batches; each batch has one chunk a shard."""
    size = CHUNK * CHUNKS // 2
    for first in range(0, len(frontier), size):
        chosen = frontier[first : first + size]
        chunks = (
            Chunk(number, np.array([state for shard, state in chosen if shard == number], np.int64))
            for number in range(SHARDS)
        )
        yield [chunk for chunk in chunks if len(chunk.states)]


def refuse_unless_valid(system: System, properties: Sequence[Property]) -> None:
    """Raise ModelError for what covering cannot answer."""
    if system.network is not Network.LOSSY_DUPLICATING:
        raise ModelError(
            f'covering mode needs a network whose messages never go away, not {system.network.value}; use mode="exact"'
        )
    for checked in properties:
        if checked.kind is Kind.RECOVERABLE:
            raise ModelError(
                f"covering mode cannot tell whether {checked.name!r} is recoverable, because it drops covered "
                'states; use mode="exact"'
            )
