"""What happens next in a random walk: fair enough that all kinds of things happen, uneven enough for progress.

A choice among all that is possible would hand over old messages again most of the time, and never finish anything.
So messages that were not delivered yet come first, inputs are drawn by kind, and every walk has habits of its own:
one loses many messages, another delivers them nearly in order, a third one often crashes. Walks with different habits
find more than equal ones (Groce et al., "Swarm Testing", ISSTA 2012).

Only `Random.random` is drawn from, and nothing depends on the order of a set, so that the same seed gives the same walk
everywhere.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple, TypeVar

from raftcheck.explore.result import Event
from raftcheck.explore.running import Kinds, Run, Taken, kind_of
from raftcheck.explore.semantics import may_lose
from raftcheck.model import Deliver, Envelope, ModelError, Network, System, Value

T = TypeVar("T")


@dataclass(frozen=True)
class Faults:
    """How badly a network may behave: each walk takes some part of each figure.

    loss: the chance that a message is lost instead of delivered. repeats: the chance that the next event is the
    delivery of an old message once more, or of one that seemed lost. partitions: the chance, at each event, that the
    processes fall into two random groups between which nothing arrives for a while.
    """

    loss: float = 0.3
    repeats: float = 0.2
    partitions: float = 0.01

    def __post_init__(self) -> None:
        for name in ("loss", "repeats", "partitions"):
            if not 0 <= getattr(self, name) <= 1:
                raise ModelError(f"{name} is a chance, from 0 to 1, not {getattr(self, name)}")


PARTS = (0.0, 0.03, 0.2, 1.0)
"""How much of a figure of Faults a walk may take."""

INPUTS = (0.02, 0.05, 0.1, 0.3)
"""The chance that a walk takes an input although messages wait: a small one gives them time to arrive."""

FACTORS = (0.1, 0.5, 1.0, 3.0)
"""What a walk multiplies the rate of a kind of input by."""

DRAWS = (1, 2, 6)
"""The oldest of so many waiting messages drawn is delivered: 1 is any order, many are nearly that of sending."""

SHORTEST_PARTITION, LONGEST_PARTITION = 10, 200

MOST_WAITING, MOST_OLD = 1_000, 1_000
"""How many messages a walk keeps in mind on a network from which they never vanish."""

TRIES = 60
"""How often an event is drawn that turns out to be impossible before a walk is taken to be at its end."""


class Habits(NamedTuple):
    """What distinguishes a walk from others."""

    loss: float
    repeats: float
    partitions: float
    inputs: float
    draws: int


class Dice:
    """Random choices by nothing but `Random.random`, whose numbers are the same in all versions of Python."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def chance(self, probability: float) -> bool:
        """Tell whether something happens that has this probability."""
        return self._random.random() < probability

    def below(self, end: int) -> int:
        """Return a number from 0 to end - 1."""
        return int(self._random.random() * end)

    def one_of(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def weighted(self, weights: Sequence[float]) -> int:
        """Return a position, each as likely as its weight."""
        ends = list(accumulate(weights))  # not sum(), which rounds otherwise from Python 3.12 on
        drawn = self._random.random() * ends[-1]
        return min(bisect_right(ends, drawn), len(weights) - 1)


def habits(dice: Dice, faults: Faults) -> Habits:
    """Draw the habits of a walk."""
    return Habits(
        loss=faults.loss * dice.one_of(PARTS),
        repeats=faults.repeats * dice.one_of(PARTS),
        partitions=faults.partitions * dice.one_of(PARTS),
        inputs=dice.one_of(INPUTS),
        draws=dice.one_of(DRAWS),
    )


class Mail:
    """The messages that a walk may deliver: those that wait, in the order of sending, and some old ones.

    On a set an old one can always be delivered again; a message that was lost is there just one that is old already.
    """

    def __init__(self, network: Network) -> None:
        self.waiting: list[Envelope] = []
        self.old: list[Envelope] = []
        self._vanishes = network is not Network.LOSSY_DUPLICATING
        self._in_order = network is Network.ORDERED

    def send(self, envelopes: Sequence[Envelope], dice: Dice) -> None:
        """Add messages."""
        self.waiting.extend(envelopes)
        while len(self.waiting) > MOST_WAITING and not self._vanishes:
            self.gone(0, dice)

    def draw(self, dice: Dice, draws: int) -> int:
        """Return the position of a waiting message that can be delivered; there must be one that waits."""
        position = min(dice.below(len(self.waiting)) for _ in range(draws))
        if self._in_order:
            link = self.waiting[position][:2]
            return next(earlier for earlier, envelope in enumerate(self.waiting) if envelope[:2] == link)
        return position

    def gone(self, position: int, dice: Dice) -> None:
        """Note that a waiting message was delivered or lost."""
        envelope = self.waiting.pop(position)
        if self._vanishes:
            return
        if len(self.old) < MOST_OLD:
            self.old.append(envelope)
        else:
            self.old[dice.below(MOST_OLD)] = envelope


class Chooser:
    """Chooses the events of one walk."""

    def __init__(self, system: System, run: Run, seed: int, faults: Faults, rates: Mapping[Value, float]) -> None:
        self._run = run
        self._dice = Dice(seed)
        self._habits = habits(self._dice, faults)
        self._base_rates = rates
        self._rates: dict[Value, float] = {}
        self._kinds = Kinds(run.semantics)
        self._mail = Mail(system.network)
        self._loses_by_event = may_lose(system)
        self._loses_in_silence = system.network is Network.LOSSY_DUPLICATING
        self._group: list[bool] | None = None
        self._until = 0
        self._now = 0

    def take(self) -> Taken | None:
        """Take the next event of the walk; None if none was found that is possible."""
        self._now += 1
        self._partition()
        for _ in range(TRIES):
            for event, position in self._proposals():
                taken = self._run.take(event)
                if taken is not None:
                    self._note(taken, position)
                    return taken
        return None

    def _partition(self) -> None:
        """Begin or end a partition."""
        if self._group is not None and self._now >= self._until:
            self._group = None
        if self._group is None and self._dice.chance(self._habits.partitions):
            self._group = [self._dice.chance(0.5) for _ in self._run.processes]
            self._until = self._now + SHORTEST_PARTITION + self._dice.below(LONGEST_PARTITION - SHORTEST_PARTITION)

    def _arrives(self, envelope: Envelope) -> bool:
        return self._group is None or self._group[envelope.to] == self._group[envelope.sender]

    def _proposals(self) -> Iterator[tuple[Event, int | None]]:
        """Yield an event, or a few of which one is to be taken; with the position of the waiting message, if any."""
        dice, mail = self._dice, self._mail
        if mail.old and dice.chance(self._habits.repeats):
            yield from self._repeat()
        elif mail.waiting and not dice.chance(self._habits.inputs):
            yield from self._deliver()
        else:
            yield from self._input()
            if not mail.waiting and mail.old:
                yield from self._repeat()

    def _repeat(self) -> Iterator[tuple[Event, int | None]]:
        envelope = self._dice.one_of(self._mail.old)
        if self._arrives(envelope):
            yield Event(envelope.to, Deliver(envelope.sender, envelope.message)), None

    def _deliver(self) -> Iterator[tuple[Event, int | None]]:
        """Deliver or lose a message that waits; it is lost if it would have to cross a partition."""
        position = self._mail.draw(self._dice, self._habits.draws)
        envelope = self._mail.waiting[position]
        arrives = self._arrives(envelope)
        is_lost = not arrives or self._dice.chance(self._habits.loss)
        delivery = Event(envelope.to, Deliver(envelope.sender, envelope.message))
        if is_lost and self._loses_in_silence:
            self._mail.gone(position, self._dice)
        elif is_lost and self._loses_by_event:
            yield delivery._replace(lost=True), position
        elif arrives:
            yield delivery, position
            if self._loses_in_silence:  # whatever forbids it now, it is not fresh for ever
                self._mail.gone(position, self._dice)

    def _input(self) -> Iterator[tuple[Event, int | None]]:
        """Draw a process and a kind of input, then an input of that kind: any, or else the next in order."""
        choices = [
            (pid, kind, inputs)
            for pid, local in enumerate(self._run.processes)
            for kind, inputs in self._kinds.of(pid, local).items()
        ]
        if choices:
            chosen = self._dice.weighted([self._rate(kind) for _, kind, _ in choices])
            pid, kind, inputs = choices[chosen]
            yield Event(pid, self._dice.one_of(inputs)), None
            yield Event(pid, self._kinds.next(kind, inputs)), None

    def _rate(self, kind: Value) -> float:
        """Return how often a kind of input is drawn in this walk, compared to others."""
        if kind not in self._rates:
            self._rates[kind] = self._base_rates.get(kind, 1.0) * self._dice.one_of(FACTORS)
        return self._rates[kind]

    def _note(self, taken: Taken, position: int | None) -> None:
        event = taken.move.event
        if position is not None:
            self._mail.gone(position, self._dice)
        elif event.envelope is None:
            self._kinds.taken(event.input, self._kinds.of(event.pid, taken.before)[kind_of(event.input)])
        self._mail.send(taken.move.envelopes, self._dice)
