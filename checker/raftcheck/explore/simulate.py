"""`simulate`: random walks through a system that is too large to explore. They find violations and prove nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from raftcheck.explore.choosing import Chooser, Faults
from raftcheck.explore.limits import Limits, Watch, peak_memory
from raftcheck.explore.monitor import Monitor
from raftcheck.explore.result import Counterexample, Event, GlobalState, Progress
from raftcheck.explore.running import REMEMBERED, Run
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import counterexample, explained, shortened
from raftcheck.model import Kind, ModelError, Property, Step, System, Value
from raftcheck.model.properties import RAISED

WATCH_EVERY = 64

INTERRUPTED = "interrupted"

MOST_IDLE = 300
"""After so many events that changed nothing a walk is at its end."""

Measure = Callable[[GlobalState], Mapping[str, int]]
"""Figures of a walk, from its last state (without the network)."""

Record = Callable[[int, Value, Value, Step], None]
"""Is told of each step of a walk: the process, its state before, the input, the step."""

SimulationVerdict = Literal["not violated", "violated", "inconclusive"]


class Figure(NamedTuple):
    """A figure over all walks: its sum, and its greatest value in one walk."""

    total: int
    greatest: int


@dataclass(frozen=True)
class SimulatedProperty:
    """What the walks met of one property.

    status: of an `always` property "violated" or "not violated", of a `sometimes` property "met" or "never met";
    `walks` is in how many walks it was met.
    """

    name: str
    kind: Kind
    status: Literal["violated", "not violated", "met", "never met"]
    source: str = ""
    walks: int = 0


@dataclass(frozen=True)
class Simulation:
    """What random walks found.

    The verdict "not violated" says just that: a simulation proves nothing. It is "inconclusive" if the walks were
    interrupted, or a limit left no time for a single step. `walks` counts the walks that were begun, `ended_early`
    those of them that came to a state in which nothing new could happen. `steps` counts all events taken, `changes`
    those that changed anything. `limit` names what ended the simulation before all walks were done.

    `walk` is the number of the walk that found the violation, `walk_seed` the seed with which that walk is the first
    one, and `found_after` how many events it had; `counterexample` is what is left of these when everything
    unnecessary is left out. It is None if Ctrl-C came before it was made.
    """

    verdict: SimulationVerdict
    seed: int
    steps_per_walk: int
    walks: int
    ended_early: int
    steps: int
    changes: int
    limit: str | None
    seconds: float
    peak_memory: int
    figures: Mapping[str, Figure]
    properties: tuple[SimulatedProperty, ...]
    counterexample: Counterexample | None = None
    walk: int | None = None
    walk_seed: int | None = None
    found_after: int | None = None
    bounds: dict[str, Any] = field(default_factory=dict)

    @property
    def steps_per_second(self) -> float:
        """How fast the walks were, the shortening of a violation included."""
        return self.steps / self.seconds if self.seconds else 0.0


def simulate(
    system: System,
    properties: Sequence[Property],
    *,
    seed: int,
    steps: int = 1_000,
    walks: int = 20,
    faults: Faults | None = None,
    rates: Mapping[Value, float] | None = None,
    measure: Measure | None = None,
    max_seconds: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    bounds: dict[str, Any] | None = None,
    record: Record | None = None,
) -> Simulation:
    """Walk through a system at random, judge every state and step, and stop at the first violation.

    Each of the `walks` begins in the initial state and has at most `steps` events. The same seed gives the same
    walks. `rates` says how often a kind of input (see `raftcheck.explore.running.kind_of`) is drawn compared to
    others, 1 if nothing is said. `measure` gives figures of a walk. `max_seconds` ends the walks, but not the
    shortening of what they have found. `progress` is called a few times a second: its `states` are the steps so far,
    its `depth` those of the current walk, its `frontier` the walks still to come. `bounds` is handed on. `record` is
    told of each step of the first walk.

    Raises ModelError for a request that cannot be answered. Ctrl-C ends the walks with the verdict "inconclusive",
    and the shortening of a violation with the shortest one so far.
    """
    refuse_unless_valid(properties, seed, steps, walks)
    simulator = Simulator(system, properties, faults or Faults(), rates or {}, measure)
    watch = Watch(Limits(max_seconds=max_seconds), progress)
    try:
        simulator.run(seed, steps, walks, watch, record)
    except KeyboardInterrupt:
        simulator.limit = INTERRUPTED
    return simulator.result(seed, steps, watch.seconds, bounds or {})


def refuse_unless_valid(properties: Sequence[Property], seed: int, steps: int, walks: int) -> None:
    """Raise ModelError for what no simulation can answer."""
    for name, value, least in (("seed", seed, 0), ("steps", steps, 1), ("walks", walks, 1)):
        if type(value) is not int or value < least:
            raise ModelError(f"{name} must be a whole number, at least {least}, not {value!r}")
    names = [checked.name for checked in properties]
    if len(set(names)) != len(names):
        raise ModelError(f"two properties have the same name: {', '.join(sorted(names))}")
    for checked in properties:
        if checked.kind is Kind.RECOVERABLE:
            raise ModelError(f"random walks cannot tell whether {checked.name!r} is recoverable; explore the system")


def seed_of_walk(seed: int, number: int) -> int:
    """Return the seed of a walk, counted from 0. The first one's is that of the simulation: so each can be alone."""
    if number == 0:
        return seed
    return int.from_bytes(sha256(f"{seed}/{number}".encode()).digest()[:4], "big")


class Walk:
    """One random walk."""

    def __init__(
        self,
        semantics: Semantics,
        properties: Sequence[Property],
        seed: int,
        faults: Faults,
        rates: Mapping[Value, float],
    ) -> None:
        self.seed = seed
        self.run = Run(semantics)
        self.monitor = Monitor(properties)
        self.events: list[Event] = []
        self.idle = 0
        self.changes = 0
        self.record: Record | None = None
        self._chooser = Chooser(semantics.system, self.run, seed, faults, rates)
        self.broken = self.monitor.broken_by_state(self.run.judged(), 0)

    @property
    def is_at_its_end(self) -> bool:
        """Tell whether nothing new seems to be possible."""
        return self.idle > MOST_IDLE

    def step(self) -> None:
        """Take one event and judge it; note what is broken, or that the walk is at its end."""
        taken = self._chooser.take()
        if taken is None:
            self.idle = MOST_IDLE + 1
            return
        pid, input, _ = taken.move.event
        self.events.append(taken.move.event)
        if taken.move.error is not None:
            self.broken = RAISED
            return
        self.idle = 0 if taken.changed else self.idle + 1
        self.changes += taken.changed
        depth = len(self.events)
        if taken.move.step is not None:
            if self.record is not None:
                self.record(pid, taken.before, input, taken.move.step)
            self.broken = self.monitor.broken_by_step(pid, taken.before, input, taken.move.step, depth)
        if self.broken is None:
            self.broken = self.monitor.broken_by_state(self.run.judged(), depth)


class Simulator:
    """A number of walks, and what they met."""

    def __init__(
        self,
        system: System,
        properties: Sequence[Property],
        faults: Faults,
        rates: Mapping[Value, float],
        measure: Measure | None,
    ) -> None:
        self._properties = tuple(properties)
        self._semantics = Semantics(system)
        self._faults, self._rates, self._measure = faults, rates, measure
        self._met: Counter[str] = Counter()
        self._figures: dict[str, Figure] = {}
        self._walk: Walk | None = None
        self._begun = self._steps = self._changes = self._ended_early = 0
        self.limit: str | None = None
        self.counterexample: Counterexample | None = None

    def run(self, seed: int, steps: int, walks: int, watch: Watch, record: Record | None = None) -> None:
        """Walk until all walks are done, a property is violated, or time is up. `record` sees the first walk."""
        for number in range(walks):
            self._walk = walk = Walk(
                self._semantics, self._properties, seed_of_walk(seed, number), self._faults, self._rates
            )
            walk.record = record if number == 0 else None
            self._begun += 1
            self._go(walk, steps, walks - self._begun, watch)
            if walk.broken is not None:
                found = shortened(self._semantics, self._properties, walk.broken, walk.events)
                executed = counterexample(Semantics(self._semantics.system), walk.broken, found)
                self.counterexample = explained(executed, self._properties)
                return
            if self.limit is not None:
                return
            self._ended_early += walk.is_at_its_end
            self._count(walk)
            self._walk = None

    def _go(self, walk: Walk, steps: int, to_come: int, watch: Watch) -> None:
        while len(walk.events) < steps and walk.broken is None and not walk.is_at_its_end:
            if len(walk.events) % WATCH_EVERY == 0:
                so_far = self._steps + len(walk.events)
                self.limit = watch.limit_reached(so_far, self._changes + walk.changes, len(walk.events), to_come)
                if self.limit is not None:
                    return
                walk.monitor.forget(REMEMBERED)
            walk.step()

    def _count(self, walk: Walk) -> None:
        """Add what a walk met to the figures."""
        self._steps += len(walk.events)
        self._changes += walk.changes
        self._met.update(walk.monitor.witness_depth.keys())
        if self._measure is not None:
            for name, value in self._measure(walk.run.judged()).items():
                total, greatest = self._figures.get(name, (0, 0))
                self._figures[name] = Figure(total + value, max(greatest, value))

    def result(self, seed: int, steps: int, seconds: float, bounds: dict[str, Any]) -> Simulation:
        """Return what was found."""
        last = self._walk
        if last is not None:
            self._count(last)
        found = last if last is not None and last.broken is not None else None
        violated = found.broken if found else None
        return Simulation(
            verdict=self._verdict(violated),
            seed=seed,
            steps_per_walk=steps,
            walks=self._begun,
            ended_early=self._ended_early,
            steps=self._steps,
            changes=self._changes,
            limit=self.limit,
            seconds=seconds,
            peak_memory=peak_memory(),
            figures=self._figures,
            properties=self._judged(violated),
            counterexample=self.counterexample,
            walk=self._begun if found else None,
            walk_seed=found.seed if found else None,
            found_after=len(found.events) if found else None,
            bounds=bounds,
        )

    def _verdict(self, violated: str | None) -> SimulationVerdict:
        if violated is not None:
            return "violated"
        return "inconclusive" if self.limit == INTERRUPTED or not self._steps else "not violated"

    def _judged(self, violated: str | None) -> tuple[SimulatedProperty, ...]:
        judged = [self._judged_one(checked, violated) for checked in self._properties]
        if violated == RAISED:
            judged.append(SimulatedProperty(RAISED, Kind.ALWAYS, "violated"))
        return tuple(judged)

    def _judged_one(self, checked: Property, violated: str | None) -> SimulatedProperty:
        name, kind, walks = checked.name, checked.kind, self._met[checked.name]
        if kind is Kind.SOMETIMES:
            return SimulatedProperty(name, kind, "met" if walks else "never met", checked.source, walks)
        return SimulatedProperty(name, kind, "violated" if name == violated else "not violated", checked.source)
