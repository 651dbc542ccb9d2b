"""The covering explorer: safety on a network that is a set that only grows.

A state with more messages under way can do everything that one with fewer can. So of all states with the
same processes and ghost only those with the *maximal* networks are kept: a state covered by a kept one is
dropped, and a kept one that becomes covered is removed. The reachable combinations of process states and
ghost, and the steps executed, are the same as in the full exploration; so are the verdicts on all properties
of states and steps, for no property reads the network. (Abdulla et al., "General decidability theorems for
infinite-state systems", LICS 1996, call such systems well-structured.)

Steps that only send are taken as soon as they can be: the state after such a step covers the one before. And
states that differ only in the names of the processes are explored once.

All this is done on numbers (`raftcheck.explore.numbers`); what a process can do is computed once
(`raftcheck.explore.places`).
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from raftcheck.explore.limits import Limits, Watch
from raftcheck.explore.monitor import Monitor
from raftcheck.explore.numbers import Configuration, Numbers
from raftcheck.explore.places import BrokenError, Move, Places
from raftcheck.explore.result import Counterexample, Event, GlobalState, Progress
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import counterexample, saturate, shortened
from raftcheck.explore.symmetry import Permutation, Symmetry, compose, inverse
from raftcheck.model import Kind, ModelError, Network, Property, System, Value

WATCH_EVERY = 64


class Kept(NamedTuple):
    """A kept state and how it was reached: from which kept state, by what event, renamed by what permutation."""

    configuration: Configuration
    network: int
    parent: int
    event: Event | None
    permutation: Permutation
    depth: int


class CoveringSearch:
    """One search. After `run`, the fields tell what was found."""

    def __init__(
        self,
        system: System,
        properties: Sequence[Property],
        limits: Limits,
        progress: Callable[[Progress], None] | None = None,
        symmetry: bool = True,
    ) -> None:
        refuse_unless_valid(system, properties)
        self.semantics = Semantics(system)
        self.symmetry = Symmetry(system, symmetry)
        self.monitor = Monitor(properties)
        self.limits = limits
        self.watch = Watch(limits, progress)
        self.transitions = 0
        self.depth = 0
        self.local_tuples = 0
        self.limit: str | None = None
        self.visited_all = False
        self.counterexample: Counterexample | None = None
        self._numbers = Numbers(system, self.symmetry)
        self._places = Places(self.semantics, self._numbers, self.monitor)
        self._antichains: dict[Configuration, list[int]] = {}
        self._kept: list[Kept] = []
        self._queue: list[tuple[int, int, int]] = []

    @property
    def states(self) -> int:
        """How many states are kept."""
        return sum(map(len, self._antichains.values()))

    @property
    def local_transitions(self) -> int:
        """How many distinct (process state, input) pairs were executed."""
        return self.semantics.local_transitions

    @property
    def local_states(self) -> int:
        """How many distinct process states were met (with symmetry, also their renamings)."""
        return len(self._numbers.locals)

    def configurations(self) -> Iterator[tuple[tuple[Value, ...], Value]]:
        """Yield the process states and ghost of all configurations met; with symmetry one of each orbit."""
        return map(self._numbers.values, self._antichains)

    def run(self) -> None:
        """Explore until everything is covered, a property is violated, or a limit is reached."""
        try:
            self._search()
        except KeyboardInterrupt:
            self.limit = "interrupted"

    def _search(self) -> None:
        initial = self.semantics.initial()
        self.symmetry.verify_initial(initial.processes, initial.ghost)
        locals_ = tuple(self._numbers.locals.number(local) for local in initial.processes)
        configuration = (locals_, self._numbers.ghosts.number(initial.ghost))
        self._reach(Kept(configuration, 0, -1, None, self.symmetry.permutations[0], 0))
        expanded = 0
        while self._queue and self.counterexample is None:
            number = heapq.heappop(self._queue)[-1]
            kept = self._kept[number]
            if kept.network not in self._antichains[kept.configuration]:
                continue
            if expanded % WATCH_EVERY == 0:
                self.limit = self.watch.limit_reached(len(self._kept), self.transitions, self.depth, len(self._queue))
            if self.limits.max_states is not None and len(self._kept) > self.limits.max_states:
                self.limit = f"max_states={self.limits.max_states}"
            if kept.depth == self.limits.max_depth:
                self.limit = f"max_depth={kept.depth}"
            if self.limit is not None:
                return
            expanded += 1
            self._expand(number, kept)
        self.visited_all = self.counterexample is None

    def _expand(self, number: int, kept: Kept) -> None:
        """Take every step that is possible in a kept state."""
        locals_, _ = kept.configuration
        for pid, move in self._moves(kept):
            self.transitions += 1
            configuration = ((*locals_[:pid], move.local, *locals_[pid + 1 :]), move.ghost)
            least, renaming = self._numbers.canonical(configuration)
            network = self._numbers.rename_network(kept.network | move.sent, renaming)
            permutation = self.symmetry.permutations[renaming]
            self._reach(Kept(least, network, number, move.event, permutation, kept.depth + 1))
            if self.counterexample is not None:
                return

    def _moves(self, kept: Kept) -> Iterator[tuple[int, Move]]:
        for place in self._places.of(kept.configuration):
            for move in place.inputs:
                yield place.pid, move
            for message, move in place.changes:
                if kept.network & message:
                    yield place.pid, move

    def _reach(self, reached: Kept) -> None:
        """Judge a state if its configuration is new; keep it unless a kept one covers it; drop those it covers."""
        configuration = reached.configuration
        antichain = self._antichains.get(configuration, [])
        if any(reached.network | known == known for known in antichain):
            return
        self._places.depth = reached.depth
        try:
            if configuration not in self._antichains:
                self._antichains[configuration] = antichain
                self._judge(configuration, reached.depth)
            network = self._places.saturated(configuration, reached.network)
            variants = {self._numbers.rename_network(network, r): r for r in self._numbers.stabiliser(configuration)}
            if any(variant | known == known for known in antichain for variant in variants):
                return
            network, renaming = min(variants.items())
            permutation = compose(self.symmetry.permutations[renaming], reached.permutation)
            reached = reached._replace(network=network, permutation=permutation)
            # A renaming of what is saturated is saturated, but its messages may come up here for the first time.
            self._places.saturated(configuration, network)
        except BrokenError as broken:
            self._kept.append(reached)
            self._found(broken, len(self._kept) - 1)
            return
        antichain[:] = [known for known in antichain if all(known | variant != variant for variant in variants)]
        antichain.append(network)
        self._keep(reached)

    def _keep(self, reached: Kept) -> None:
        """Keep a state and put it into the queue.

        Breadth first, for short counterexamples; then larger networks first, which are likely to cover others.
        """
        self.depth = max(self.depth, reached.depth)
        self._kept.append(reached)
        heapq.heappush(self._queue, (reached.depth, -reached.network.bit_count(), len(self._kept) - 1))

    def _judge(self, configuration: Configuration, depth: int) -> None:
        """Judge a new configuration, under several names: a predicate may tell the processes apart."""
        processes, ghost = self._numbers.values(configuration)
        self.local_tuples += self.symmetry.orbit_size(len(self._numbers.stabiliser(configuration)))
        for names in (self.symmetry.permutations[0], *self.symmetry.state_probes):
            renamed = self.symmetry.processes(processes, names)
            state = GlobalState(renamed, frozenset(), self.symmetry.value(ghost, names))
            broken = self.monitor.broken_by_state(state, depth)
            if broken is not None:
                raise BrokenError(broken, names)

    # From a violation to a counterexample

    def _found(self, broken: BrokenError, number: int) -> None:
        """Turn the way to a kept state, and a last event if that is at fault, into a short counterexample."""
        events, names = self._events_to(number)
        if broken.event is not None:
            events = [*saturate(self.semantics, events), self._named(broken.event, names)]
        # The path's names are its own; the fault was seen under those of the kept state, renamed.
        to_broken = compose(broken.names, inverse(names))
        events = [self._named(event, to_broken) for event in events]
        found = shortened(self.semantics, self.monitor.properties, broken.name, events)
        self.counterexample = counterexample(self.semantics, broken.name, found)
        self.depth = len(found)

    def _events_to(self, number: int) -> tuple[list[Event], Permutation]:
        """Return the concrete events that lead to a kept state, and the renaming from its names to theirs.

        Before each step comes all that only sends, as the search has taken it for granted.
        """
        path: list[Kept] = []
        while number >= 0:
            path.append(self._kept[number])
            number = path[-1].parent
        events: list[Event] = []
        names = self.symmetry.permutations[0]
        for kept in reversed(path):
            if kept.event is not None:
                events = [*saturate(self.semantics, events), self._named(kept.event, names)]
            names = compose(names, inverse(kept.permutation))
        return events, names

    def _named(self, event: Event, names: Permutation) -> Event:
        return Event(names[event.pid], self.symmetry.value(event.input, names))


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
