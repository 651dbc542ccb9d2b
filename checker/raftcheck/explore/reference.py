"""The reference explorer: the obvious breadth-first search over plain values.

Slow, and so simple that it can be believed. Every other engine is tested against it. Breadth first means that
the first violation found has a shortest counterexample.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from raftcheck.explore.limits import Limits, Watch
from raftcheck.explore.monitor import Evaluator, Monitor
from raftcheck.explore.result import Counterexample, Event, GlobalState, Progress
from raftcheck.explore.semantics import Semantics, Successor, describe
from raftcheck.model import Property, Step, System
from raftcheck.model.properties import RAISED

WATCH_EVERY = 256


class ReferenceSearch:
    """One breadth-first search. After `run`, the fields tell what was found."""

    def __init__(
        self,
        system: System,
        properties: Sequence[Property],
        limits: Limits,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.semantics = Semantics(system)
        self.monitor = Monitor(properties)
        self.limits = limits
        self.watch = Watch(limits, progress)
        self.parents: dict[GlobalState, GlobalState | None] = {}
        self.predecessors: dict[GlobalState, list[GlobalState]] = {}
        self.transitions = 0
        self.depth = 0
        self.limit: str | None = None
        self.visited_all = False
        self.counterexample: Counterexample | None = None

    def run(self) -> None:
        """Explore until everything is visited, a property is violated, or a limit is reached."""
        try:
            self._search()
            if not self._is_over():
                self.visited_all = True
                self._check_recoverable()
        except KeyboardInterrupt:
            self.limit = "interrupted"

    @property
    def states(self) -> int:
        """How many states were visited."""
        return len(self.parents)

    @property
    def all_states(self) -> int:
        """How many states were visited: no renaming is left out."""
        return len(self.parents)

    @property
    def local_transitions(self) -> int:
        """How many distinct (process state, input) pairs were executed."""
        return self.semantics.local_transitions

    @property
    def local_states(self) -> int:
        """How many distinct process states were met."""
        return len({local for state in self.parents for local in state.processes})

    @property
    def local_tuples(self) -> int:
        """How many distinct combinations of process states and ghost were met."""
        return len({(state.processes, state.ghost) for state in self.parents})

    def _search(self) -> None:
        initial = self.semantics.initial()
        self.parents[initial] = None
        broken = self.monitor.broken_by_state(initial, 0)
        if broken is not None:
            self.counterexample = self._path_to(initial, broken)
        frontier = [initial]
        depth = 0
        while frontier and not self._is_over():
            if depth == self.limits.max_depth:
                self.limit = f"max_depth={depth}"
                return
            self.depth, depth = depth, depth + 1
            reached: list[GlobalState] = []
            for position, state in enumerate(frontier):
                if position % WATCH_EVERY == 0:
                    waiting = len(frontier) - position + len(reached)
                    self.limit = self.watch.limit_reached(len(self.parents), self.transitions, depth, waiting)
                if self._is_over():
                    return
                self._expand(state, depth, reached)
            frontier = reached

    def _expand(self, state: GlobalState, depth: int, reached: list[GlobalState]) -> None:
        """Visit all successors of a state; add the new ones to `reached`."""
        for successor in self.semantics.successors(state):
            broken = self._broken_by_step(state, successor, depth)
            if broken is not None:
                self.counterexample = self._path_to(state, broken, successor)
                return
            after = successor.state
            if after is None or after == state:
                continue
            self.transitions += 1
            if self.monitor.recoverable:
                self.predecessors.setdefault(after, []).append(state)
            if after in self.parents:
                continue
            if len(self.parents) == self.limits.max_states:
                self.limit = f"max_states={self.limits.max_states}"
                return
            self.parents[after] = state
            reached.append(after)
            broken = self.monitor.broken_by_state(after, depth)
            if broken is not None:
                self.depth = depth
                self.counterexample = self._path_to(after, broken)
                return

    def _broken_by_step(self, state: GlobalState, successor: Successor, depth: int) -> str | None:
        if successor.error is not None:
            return RAISED
        if successor.step is None:
            return None
        pid, input, _ = successor.event
        return self.monitor.broken_by_step(pid, state.processes[pid], input, successor.step, depth)

    def _is_over(self) -> bool:
        return self.limit is not None or self.counterexample is not None

    def _check_recoverable(self) -> None:
        """From every state a goal must be reachable: search backwards from all states with the goal."""
        for evaluator in self.monitor.recoverable:
            trap = self._trap(evaluator)
            if trap is not None:
                self.counterexample = self._path_to(trap, evaluator.property.name)
                return

    def _trap(self, evaluator: Evaluator) -> GlobalState | None:
        """Return a nearest state from which no state with the goal is reachable, if there is one."""
        can_reach = {state for state in self.parents if evaluator.is_true_somewhere(state)}
        unexplored = list(can_reach)
        while unexplored:
            for before in self.predecessors.get(unexplored.pop(), ()):
                if before not in can_reach:
                    can_reach.add(before)
                    unexplored.append(before)
        return next((state for state in self.parents if state not in can_reach), None)

    def _path_to(self, last: GlobalState, name: str, final: Successor | None = None) -> Counterexample:
        """Return the path by which `last` was first reached, followed by `final` if that is what broke."""
        states = [last]
        while (parent := self.parents[states[-1]]) is not None:
            states.append(parent)
        states.reverse()
        path = [self._between(*pair) for pair in pairwise(states)]
        if final:
            path.append(final)
            states += [final.state] if final.state else []
        error = describe(final.error) if final and final.error else None
        events: tuple[Event, ...] = tuple(successor.event for successor in path)
        steps: tuple[Step | None, ...] = tuple(successor.step for successor in path)
        return Counterexample(name, tuple(states), events, steps, error)

    def _between(self, before: GlobalState, after: GlobalState) -> Successor:
        return next(s for s in self.semantics.successors(before) if s.state == after)
