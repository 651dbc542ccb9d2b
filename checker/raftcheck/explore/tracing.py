"""From a state in the tables of the exact explorer back to plain values, and to the path that leads to it."""

from collections.abc import Iterator, Sequence

import numpy as np

from raftcheck.explore.columns import Array
from raftcheck.explore.network_tables import NetworkTables
from raftcheck.explore.result import Counterexample, Event, GlobalState
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import counterexample, execute, first_violation
from raftcheck.explore.symmetry import Permutation, Symmetry
from raftcheck.explore.tables import Tables
from raftcheck.model import Property

Row = tuple[int, ...]
"""A state as numbers: nodes by pid, ghost, inboxes by pid."""


class Tracer:
    """Translates between states and rows, and makes counterexamples."""

    def __init__(self, semantics: Semantics, symmetry: Symmetry, tables: Tables, networks: NetworkTables) -> None:
        self._semantics, self._symmetry, self._tables, self._networks = semantics, symmetry, tables, networks
        self._processes = len(semantics.system.processes)

    def state(self, row: Sequence[int] | Array) -> GlobalState:
        """Return a row as the state that it stands for."""
        count = self._processes
        processes = tuple(self._tables.nodes.values[node][1] for node in row[:count])
        return GlobalState(processes, self._networks.contents(row[count + 1 :]), self._tables.ghosts.values[row[count]])

    def row(self, state: GlobalState) -> Row | None:
        """Return the least row of all renamings of a state; None if it cannot have been met."""
        nodes = [self._tables.node(pid, local) for pid, local in enumerate(state.processes)]
        combination = np.array([[*nodes, self._tables.ghost(state.ghost)]], np.int32)
        renamings = range(len(self._symmetry.permutations))
        combinations = [tuple(self._tables.renamed_combinations(combination, r)[0].tolist()) for r in renamings]
        least = min(combinations)
        inboxes = self._networks.inboxes(state.network, self._processes)
        networks = [self._network(inboxes, r) for r in renamings if combinations[r] == least]
        known = [network for network in networks if network is not None]
        return (*least, *min(known)) if len(known) == len(networks) else None

    def _network(self, inboxes: list[list[int]], renaming: int) -> Row | None:
        """Return inboxes, renamed, by their numbers; None if one of them was not met."""
        row = [0] * len(inboxes)
        for inbox, to in zip(inboxes, self._symmetry.permutations[renaming], strict=True):
            number = self._networks.known(self._networks.renamed(inbox, renaming))
            if number is None:
                return None
            row[to] = number
        return tuple(row)

    def path(self, rows: Sequence[Row]) -> list[Event]:
        """Return events that lead from the initial state along rows, up to renaming of each state."""
        state: GlobalState | None = self._semantics.initial()
        events = []
        for row in rows[1:]:
            assert state is not None
            taken = next(s for s in self._semantics.successors(state) if s.state and self.row(s.state) == row)
            events.append(taken.event)
            state = taken.state
        return events

    def counterexample(self, claim: Property | None, name: str, events: Sequence[Event]) -> Counterexample:
        """Return a behaviour as a counterexample, under those names, and with that last step, that it needs.

        `claim` is None for a step that raises.
        """
        claims = [claim] if claim else []
        for candidate in (*self._renamings(events), *self._with_one_more(events)):
            executed = execute(self._semantics, candidate)
            violation = first_violation(self._semantics, claims, executed) if executed is not None else None
            if violation == (len(candidate), name):
                return counterexample(self._semantics, name, candidate)
        raise RuntimeError(f"the behaviour found to violate {name!r} does not: this is a bug in the checker")

    def _renamings(self, events: Sequence[Event]) -> Iterator[list[Event]]:
        for permutation in self._symmetry.permutations:
            yield [self._named(event, permutation) for event in events]

    def _with_one_more(self, events: Sequence[Event]) -> Iterator[list[Event]]:
        """Yield all renamings of the events with each event that may follow."""
        for renamed in self._renamings(events):
            executed = execute(self._semantics, renamed)
            state = executed[-1].state if executed else self._semantics.initial()
            if state is not None:
                for successor in self._semantics.successors(state):
                    yield [*renamed, successor.event]

    def _named(self, event: Event, permutation: Permutation) -> Event:
        return Event(permutation[event.pid], self._symmetry.value(event.input, permutation), event.lost)
