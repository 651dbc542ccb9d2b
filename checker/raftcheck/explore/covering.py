"""The covering explorer: safety on a network that is a set that only grows.

A state with more messages under way can do everything that one with fewer can. So of all states with the
same processes and ghost only those with the *maximal* networks are kept: a state covered by a kept one is
dropped, and a kept one that becomes covered is removed. The reachable combinations of process states and
ghost, and the steps executed, are the same as in the full exploration; so are the verdicts on all properties
of states and steps, for no property reads the network. (Abdulla et al., "General decidability theorems for
infinite-state systems", LICS 1996, call such systems well-structured.)

Steps that only send are taken as soon as they can be: the state after such a step covers the one before. And
states that differ only in the names of the processes are explored once.

A kept state is a *configuration*, the numbers of its process states and ghost, and its network, an integer
whose bits are the numbers of the messages under way.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from raftcheck.explore.interning import Interner
from raftcheck.explore.limits import Limits, Watch
from raftcheck.explore.monitor import RAISED, Monitor
from raftcheck.explore.result import Counterexample, Event, GlobalState, Progress
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import counterexample, saturate, shortened
from raftcheck.explore.symmetry import Moved, Permutation, Symmetry, compose, inverse
from raftcheck.model import Deliver, Envelope, Kind, ModelError, Network, Property, System, Value

WATCH_EVERY = 64

Configuration = tuple[tuple[int, ...], int]
"""The numbers of the process states by pid, and that of the ghost."""


class Move(NamedTuple):
    """A step that changes its process or the ghost: the numbers of both afterwards, and the messages sent."""

    event: Event
    local: int
    ghost: int
    sent: int


class Offer(NamedTuple):
    """A message that can be delivered, as its bit, and what comes of it."""

    message: int
    move: Move


class Place:
    """One process in one of its states under one ghost, and everything that it can do there.

    `sent` are the messages that inputs send without any other change. Deliveries are sorted, as messages
    come up, into `replies` (they only send) and `changes`; those in neither do nothing.
    """

    __slots__ = ("changes", "ghost", "inputs", "known", "local", "pid", "replies", "sent")

    def __init__(self, pid: int, local: int, ghost: int) -> None:
        self.pid, self.local, self.ghost = pid, local, ghost
        self.inputs: list[Move] = []
        self.sent = 0
        self.known = 0
        self.replies: list[Offer] = []
        self.changes: list[Offer] = []


class Kept(NamedTuple):
    """A kept state and how it was reached: from which kept state, by what event, renamed by what permutation."""

    configuration: Configuration
    network: int
    parent: int
    event: Event | None
    permutation: Permutation
    depth: int


class BrokenError(Exception):
    """Raised within the search when a property is broken: by a state, or by `event` in it.

    `names` is the renaming of the state under which it is: a predicate may tell the processes apart.
    """

    def __init__(self, name: str, names: Permutation, event: Event | None = None) -> None:
        super().__init__(name)
        self.name, self.names, self.event = name, names, event


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
        self.system = system
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
        self._locals: Interner[Value] = Interner()
        self._ghosts: Interner[Value] = Interner()
        self._messages: Interner[Envelope] = Interner()
        self._inbox = [0] * len(system.processes)
        self._places: dict[tuple[int, int, int], Place] = {}
        self._renamed: list[tuple[dict[int, int], dict[int, int], dict[int, int]]] = [
            ({}, {}, {}) for _ in self.symmetry.permutations
        ]
        self._canonical: dict[Configuration, tuple[Configuration, list[int]]] = {}
        self._stabilisers: dict[Configuration, list[int]] = {}
        self._antichains: dict[Configuration, list[int]] = {}
        self._kept: list[Kept] = []
        self._queue: list[tuple[int, int, int]] = []

    @property
    def states(self) -> int:
        """How many states are kept."""
        return sum(map(len, self._antichains.values()))

    @property
    def local_states(self) -> int:
        """How many distinct process states were met (with symmetry, also their renamings)."""
        return len(self._locals)

    def run(self) -> None:
        """Explore until everything is covered, a property is violated, or a limit is reached."""
        try:
            self._search()
        except KeyboardInterrupt:
            self.limit = "interrupted"

    def _search(self) -> None:
        initial = self.semantics.initial()
        self.symmetry.verify_initial(initial.processes, initial.ghost)
        locals_ = tuple(self._locals.number(local) for local in initial.processes)
        identity = self.symmetry.permutations[0]
        self._reach((locals_, self._ghosts.number(initial.ghost)), 0, -1, None, identity, 0)
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
            if self.limit is not None:
                return
            expanded += 1
            self._expand(number, kept)
        self.visited_all = self.counterexample is None and self.limit is None

    def _expand(self, number: int, kept: Kept) -> None:
        """Take every step that is possible in a kept state."""
        if kept.depth == self.limits.max_depth:
            self.limit = f"max_depth={kept.depth}"
            return
        locals_, _ = kept.configuration
        for pid, move in self._moves(kept):
            self.transitions += 1
            configuration = ((*locals_[:pid], move.local, *locals_[pid + 1 :]), move.ghost)
            self._reach_renamed(configuration, kept.network | move.sent, number, move.event, kept.depth + 1)
            if self.counterexample is not None:
                return

    def _moves(self, kept: Kept) -> Iterator[tuple[int, Move]]:
        for place in self._places_of(kept.configuration):
            for move in place.inputs:
                yield place.pid, move
            for message, move in place.changes:
                if kept.network & message:
                    yield place.pid, move

    # Reaching a state: rename, saturate, compare with what is kept

    def _reach_renamed(self, configuration: Configuration, network: int, parent: int, event: Event, depth: int) -> None:
        canonical, renamings = self._canonical_of(configuration)
        renaming = renamings[0]
        permutation = self.symmetry.permutations[renaming]
        self._reach(canonical, self._rename_network(network, renaming), parent, event, permutation, depth)

    def _reach(
        self,
        configuration: Configuration,
        network: int,
        parent: int,
        event: Event | None,
        permutation: Permutation,
        depth: int,
    ) -> None:
        """Keep a state unless a kept one covers it; drop those that it covers."""
        antichain = self._antichains.get(configuration, [])
        if any(network | known == known for known in antichain):
            return
        try:
            if configuration not in self._antichains:
                self._antichains[configuration] = antichain
                self._judge(configuration, depth)
            network = self._saturated(configuration, network)
        except BrokenError as broken:
            self._kept.append(Kept(configuration, network, parent, event, permutation, depth))
            self._found(broken, len(self._kept) - 1)
            return
        variants = {self._rename_network(network, r): r for r in self._stabiliser(configuration)}
        if any(variant | known == known for known in antichain for variant in variants):
            return
        network, renaming = min(variants.items())
        antichain[:] = [known for known in antichain if all(known | v != v for v in variants)]
        antichain.append(network)
        self.depth = max(self.depth, depth)
        permutation = compose(self.symmetry.permutations[renaming], permutation)
        self._kept.append(Kept(configuration, network, parent, event, permutation, depth))
        number = len(self._kept) - 1
        heapq.heappush(self._queue, (*self._priority(network, depth), number))

    def _priority(self, network: int, depth: int) -> tuple[int, int]:
        """Breadth first, for short counterexamples; then larger networks first, likely to cover others."""
        return depth, -network.bit_count()

    def _saturated(self, configuration: Configuration, network: int) -> int:
        """Add all that the processes can send without any other change."""
        places = self._places_of(configuration)
        before = -1
        while network != before:
            before = network
            for place in places:
                self._sort_deliveries(place, network)
                network |= place.sent
                for message, move in place.replies:
                    if network & message:
                        network |= move.sent
        return network

    # What a process can do, computed once

    def _places_of(self, configuration: Configuration) -> list[Place]:
        locals_, ghost = configuration
        return [self._place(pid, local, ghost) for pid, local in enumerate(locals_)]

    def _place(self, pid: int, local: int, ghost: int) -> Place:
        key = (pid, local, ghost)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = Place(pid, local, ghost)
            state = self._locals.values[local]
            inputs = self.semantics.inputs(pid, state)
            self.symmetry.verify_inputs(self.system, pid, state, inputs)
            for input in inputs:
                move = self._move(place, input)
                if move and (move.local, move.ghost) == (local, ghost):
                    place.sent |= move.sent
                elif move:
                    place.inputs.append(move)
        return place

    def _sort_deliveries(self, place: Place, network: int) -> None:
        """Find out what the messages do that come up here for the first time."""
        unknown = network & self._inbox[place.pid] & ~place.known
        place.known |= unknown
        while unknown:
            message = unknown & -unknown
            unknown ^= message
            _, sender, content = self._messages.values[message.bit_length() - 1]
            move = self._move(place, Deliver(sender, content))
            if move and (move.local, move.ghost) != (place.local, place.ghost):
                place.changes.append(Offer(message, move))
            elif move and move.sent:
                place.replies.append(Offer(message, move))

    def _move(self, place: Place, input: Value) -> Move | None:
        before, ghost = self._locals.values[place.local], self._ghosts.values[place.ghost]
        move = self.semantics.move(place.pid, before, input, ghost)
        step = move.step if move else self.semantics.refused_step(place.pid, before, input)
        if move and step is None:
            raise BrokenError(RAISED, self.symmetry.permutations[0], move.event)
        moved = Moved(place.pid, before, input, ghost, step, move.ghost if move else None)
        renamed = self.symmetry.renamed_moves(self.system, moved)
        if move is None or move.step is None:
            return None
        for names, (pid, local, given, _, taken, _) in [(self.symmetry.permutations[0], moved), *renamed]:
            assert taken is not None
            broken = self.monitor.broken_by_step(pid, local, given, taken, self.depth)
            if broken:
                raise BrokenError(broken, names, move.event)
        sent = 0
        for envelope in move.envelopes:
            sent |= self._message_bit(envelope)
        return Move(move.event, self._locals.number(move.step.state), self._ghosts.number(move.ghost), sent)

    def _message_bit(self, envelope: Envelope) -> int:
        number = self._messages.number(envelope)
        self._inbox[envelope.to] |= 1 << number
        return 1 << number

    # Judging

    def _judge(self, configuration: Configuration, depth: int) -> None:
        """Judge a new configuration, under several names: a predicate may tell the processes apart."""
        processes, ghost = self._values(configuration)
        self.local_tuples += self.symmetry.orbit_size(len(self._stabiliser(configuration)))
        for names in (self.symmetry.permutations[0], *self.symmetry.probes):
            renamed = self.symmetry.processes(processes, names)
            state = GlobalState(renamed, frozenset(), self.symmetry.value(ghost, names))
            broken = self.monitor.broken_by_state(state, depth)
            if broken:
                raise BrokenError(broken, names)

    def _values(self, configuration: Configuration) -> tuple[tuple[Value, ...], Value]:
        locals_, ghost = configuration
        return tuple(self._locals.values[local] for local in locals_), self._ghosts.values[ghost]

    # Renaming, on numbers

    def _canonical_of(self, configuration: Configuration) -> tuple[Configuration, list[int]]:
        """Return the least renaming of a configuration, and the numbers of the permutations that lead to it."""
        known = self._canonical.get(configuration)
        if known is None:
            renamed = [self._rename(configuration, r) for r in range(len(self.symmetry.permutations))]
            least = min(renamed)
            known = self._canonical[configuration] = (least, [r for r, c in enumerate(renamed) if c == least])
        return known

    def _stabiliser(self, configuration: Configuration) -> list[int]:
        """Return the numbers of the permutations that leave a configuration as it is."""
        known = self._stabilisers.get(configuration)
        if known is None:
            permutations = range(len(self.symmetry.permutations))
            known = [r for r in permutations if self._rename(configuration, r) == configuration]
            self._stabilisers[configuration] = known
        return known

    def _rename(self, configuration: Configuration, renaming: int) -> Configuration:
        if renaming == 0:
            return configuration
        locals_, ghost = configuration
        permutation = self.symmetry.permutations[renaming]
        local_table, ghost_table, _ = self._renamed[renaming]
        renamed = [0] * len(locals_)
        for pid, local in enumerate(locals_):
            if local not in local_table:
                value = self.symmetry.value(self._locals.values[local], permutation)
                local_table[local] = self._locals.number(value)
            renamed[permutation[pid]] = local_table[local]
        if ghost not in ghost_table:
            ghost_table[ghost] = self._ghosts.number(self.symmetry.value(self._ghosts.values[ghost], permutation))
        return tuple(renamed), ghost_table[ghost]

    def _rename_network(self, network: int, renaming: int) -> int:
        if renaming == 0:
            return network
        table = self._renamed[renaming][2]
        renamed = 0
        while network:
            message = network & -network
            network ^= message
            if message not in table:
                envelope = self._messages.values[message.bit_length() - 1]
                permutation = self.symmetry.permutations[renaming]
                table[message] = self._message_bit(self.symmetry.envelope(envelope, permutation))
            renamed |= table[message]
        return renamed

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
            f"covering mode needs a network whose messages never go away, not {system.network.value}; "
            'use mode="reference"'
        )
    for checked in properties:
        if checked.kind is Kind.RECOVERABLE:
            raise ModelError(
                f"covering mode cannot tell whether {checked.name!r} is recoverable, because it drops covered "
                'states; use mode="reference"'
            )
