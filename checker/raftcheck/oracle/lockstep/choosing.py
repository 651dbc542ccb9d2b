"""What happens next in a run: dice, and habits that change from phase to phase.

Rare things need a run up: a leader that is cut off goes on taking entries, another one is elected meanwhile, the old
one comes back with a longer log of an older term. If everything happened all the time, nothing would ever get so far.
So each phase has habits of its own (Groce et al., "Swarm Testing", ISSTA 2012): in one a server is cut off, in another
messages come late, leaders crash as soon as they are elected, or nothing goes wrong at all.

The choices depend on the seed and on what the peer has answered, on nothing else.
"""

from collections.abc import Mapping
from typing import NamedTuple

from raftcheck.explore.choosing import Dice
from raftcheck.oracle.lockstep.events import Event, Kind
from raftcheck.oracle.lockstep.mail import Sent
from raftcheck.oracle.lockstep.run import Run

SHORTEST_PHASE, LONGEST_PHASE = 10, 80

LOSS = (0.0, 0.0, 0.1, 0.4)
REPEATS = (0.0, 0.05, 0.3)
"""The chance that the next event is the delivery of a message that was delivered before, or set aside."""

INPUTS = (0.05, 0.1, 0.3, 0.6)
"""The chance that something else than a message comes although messages wait."""

DRAWS = (1, 2, 6, 20)
"""The oldest of so many waiting messages drawn is delivered: 1 is any order, many are nearly that of sending."""

FACTORS = (0.0, 0.3, 1.0, 3.0)

RATES: Mapping[Kind, float] = {"propose": 1.0, "heartbeat": 0.4, "timeout": 0.2, "crash": 0.05, "restart": 0.5}

TORN = (0.0, 0.0, 0.02, 0.1)
"""The chance that the server crashes within the step."""

MOST_WITHIN = 5
"""After so many things done a server has crashed that crashes within a step."""

CUTS = (0, 0, 1, 1, 2)
"""How many servers are cut off from the others."""

MOST_WAITING = 60
"""With more messages waiting, the oldest are late."""


class Habits(NamedTuple):
    """What distinguishes a phase from others. `cut` are the servers that are cut off; messages to and from them are
    held back if `holds`, else lost (or late, on a network that reorders)."""

    until: int
    loss: float
    repeats: float
    inputs: float
    draws: int
    torn: float
    rates: Mapping[Kind, float]
    cut: frozenset[str]
    holds: bool


class Chooser:
    """Chooses the events of one run."""

    def __init__(self, run: Run, seed: int) -> None:
        self._run = run
        self._dice = Dice(seed)
        self._now = 0
        self._habits = self._phase()

    def next(self) -> Event:
        """Return the next event. It may be one that does nothing."""
        self._now += 1
        if self._now >= self._habits.until:
            self._habits = self._phase()
        mail, dice = self._run.mail, self._dice
        while len(mail.waiting) > MOST_WAITING:
            mail.set_aside(mail.waiting[0])
        if mail.old and dice.chance(self._habits.repeats):
            sent = dice.one_of(mail.old)
            if self._arrives(sent):
                return self._torn(self._delivery(sent))
        if not dice.chance(self._habits.inputs):
            waiting = self._draw()
            if waiting is not None:
                return self._torn(self._delivery(waiting))
        return self._torn(self._input())

    def _phase(self) -> Habits:
        """Draw new habits."""
        dice, run = self._dice, self._run
        return Habits(
            until=self._now + SHORTEST_PHASE + dice.below(LONGEST_PHASE - SHORTEST_PHASE),
            loss=dice.one_of(LOSS),
            repeats=dice.one_of(REPEATS),
            inputs=dice.one_of(INPUTS),
            draws=dice.one_of(DRAWS),
            torn=dice.one_of(TORN) if run.can_crash_within else 0.0,
            rates={kind: rate * dice.one_of(FACTORS) for kind, rate in RATES.items()},
            cut=self._cut(dice.one_of(CUTS)),
            holds=dice.chance(0.5),
        )

    def _cut(self, number: int) -> frozenset[str]:
        """Draw servers to be cut off: half of the time a leader is among them."""
        dice, run = self._dice, self._run
        number = min(number, len(run.servers) - 1)
        leaders = run.leaders
        cut = {dice.one_of(leaders)} if leaders and number and dice.chance(0.5) else set()
        while len(cut) < number:
            cut.add(dice.one_of(run.servers))
        return frozenset(cut)

    def _arrives(self, sent: Sent) -> bool:
        sender, to = sent.link
        return self._run.is_up(to) and (sender in self._habits.cut) == (to in self._habits.cut)

    def _draw(self) -> Sent | None:
        """Draw a waiting message that arrives; some are set aside on the way."""
        mail, dice = self._run.mail, self._dice
        for _ in range(len(mail.waiting)):
            if not mail.waiting:
                return None
            sent = mail.waiting[min(dice.below(len(mail.waiting)) for _ in range(self._habits.draws))]
            if mail.network == "fifo":
                sent = next(other for other in mail.waiting if other.link == sent.link)
            if dice.chance(self._habits.loss):
                mail.set_aside(sent)
            elif self._arrives(sent):
                return sent
            elif not self._habits.holds:
                mail.set_aside(sent)
        return None

    def _delivery(self, sent: Sent) -> Event:
        return Event(self._now, "deliver", sent.message.to, sent.source, sent.position)

    def _input(self) -> Event:
        """Draw something else than a message."""
        dice, run, rates = self._dice, self._run, self._habits.rates
        choices: list[tuple[Kind, str, float]] = []
        for server in run.servers:
            if not run.is_up(server):
                choices.append(("restart", server, max(rates["restart"], 0.05)))
                continue
            leads = run.states[server].role == "leader"
            choices.append(("propose", server, rates["propose"] * (1.0 if leads else 0.02)))
            choices.append(("heartbeat", server, rates["heartbeat"] * (1.0 if leads else 0.02)))
            choices.append(("timeout", server, 0.001 + rates["timeout"] * (0.02 if leads else 1.0)))
            choices.append(("crash", server, rates["crash"]))
        kind, server, _ = choices[dice.weighted([rate for _, _, rate in choices])]
        return Event(self._now, kind, server)

    def _torn(self, event: Event) -> Event:
        """Perhaps let the server crash within the step."""
        if event.do in ("crash", "restart") or not self._dice.chance(self._habits.torn):
            return event
        return Event(
            event.number,
            event.do,
            event.server,
            event.source,
            event.position,
            crash_after=1 + self._dice.below(MOST_WITHIN - 1),
        )
