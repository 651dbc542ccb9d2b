"""What each process can do in each of its states, computed once, on numbers."""

from typing import NamedTuple

from raftcheck.explore.monitor import Monitor
from raftcheck.explore.numbers import Configuration, Numbers
from raftcheck.explore.result import Event
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.symmetry import Moved, Permutation
from raftcheck.model import Deliver, Value
from raftcheck.model.properties import RAISED


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


class BrokenError(Exception):
    """Raised within the search when a property is broken: by a state, or by `event` in it.

    `names` is the renaming of the state under which it is: a predicate may tell the processes apart.
    """

    def __init__(self, name: str, names: Permutation, event: Event | None = None) -> None:
        super().__init__(name)
        self.name, self.names, self.event = name, names, event


class Places:
    """All places met so far. Every step is judged by the monitor when it is first executed.

    `depth` is that of the search, for the monitor's notes. All methods raise BrokenError when a step breaks a
    property or raises.
    """

    def __init__(self, semantics: Semantics, numbers: Numbers, monitor: Monitor) -> None:
        self._semantics = semantics
        self._numbers = numbers
        self._symmetry = numbers.symmetry
        self._monitor = monitor
        self._places: dict[tuple[int, int, int], Place] = {}
        self.depth = 0

    def of(self, configuration: Configuration) -> list[Place]:
        """Return the places of all processes."""
        locals_, ghost = configuration
        return [self._place(pid, local, ghost) for pid, local in enumerate(locals_)]

    def _place(self, pid: int, local: int, ghost: int) -> Place:
        key = (pid, local, ghost)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = Place(pid, local, ghost)
            state = self._numbers.locals.values[local]
            inputs = self._semantics.inputs(pid, state)
            self._symmetry.verify_inputs(self._semantics.system, pid, state, inputs)
            for input in inputs:
                move = self._move(place, input)
                if move and (move.local, move.ghost) == (local, ghost):
                    place.sent |= move.sent
                elif move:
                    place.inputs.append(move)
        return place

    def saturated(self, configuration: Configuration, network: int) -> int:
        """Return the network with all that the processes can send without any other change.

        Afterwards all deliveries that this network allows are sorted.
        """
        places = self.of(configuration)
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

    def _sort_deliveries(self, place: Place, network: int) -> None:
        """Find out what the messages do that come up here for the first time."""
        unknown = network & self._numbers.inbox[place.pid] & ~place.known
        place.known |= unknown
        while unknown:
            message = unknown & -unknown
            unknown ^= message
            _, sender, content = self._numbers.messages.values[message.bit_length() - 1]
            move = self._move(place, Deliver(sender, content))
            if move and (move.local, move.ghost) != (place.local, place.ghost):
                place.changes.append(Offer(message, move))
            elif move and move.sent:
                place.replies.append(Offer(message, move))

    def _move(self, place: Place, input: Value) -> Move | None:
        """Execute and judge a step, here and under renamings; return what changes, None if it is not possible."""
        before, ghost = self._numbers.locals.values[place.local], self._numbers.ghosts.values[place.ghost]
        move = self._semantics.move(place.pid, before, input, ghost)
        step = move.step if move else self._semantics.refused_step(place.pid, before, input)
        identity = self._symmetry.permutations[0]
        if move and step is None:
            raise BrokenError(RAISED, identity, move.event)
        moved = Moved(place.pid, before, input, ghost, step, move.ghost if move else None)
        renamed = self._symmetry.renamed_moves(self._semantics.system, moved)
        if move is None or step is None:
            return None
        for names, (pid, local, given, _, taken, _) in [(identity, moved), *renamed]:
            assert taken is not None
            broken = self._monitor.broken_by_step(pid, local, given, taken, self.depth)
            if broken is not None:
                raise BrokenError(broken, names, move.event)
        sent = 0
        for envelope in move.envelopes:
            sent |= self._numbers.message_bit(envelope)
        local_after, ghost_after = self._numbers.locals.number(step.state), self._numbers.ghosts.number(move.ghost)
        return Move(move.event, local_after, ghost_after, sent)
