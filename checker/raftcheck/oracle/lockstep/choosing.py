"""What happens next in a run: dice, and habits that change from phase to phase.

Rare things need a run up: a leader that is cut off goes on taking entries, another one is elected meanwhile, the old
one comes back with a longer log of an older term. If everything happened all the time, nothing would ever get so far.
So each phase has habits of its own (Groce et al., "Swarm Testing", ISSTA 2012): in one a server is cut off, in another
messages come late, leaders crash as soon as they are elected, or nothing goes wrong at all.

The choices depend on the seed and on what the peer has answered, on nothing else.
"""

from collections.abc import Mapping
from itertools import permutations
from typing import NamedTuple

from msgspec.structs import replace

from raftcheck.explore.choosing import Dice
from raftcheck.oracle.lockstep.events import Event, Kind
from raftcheck.oracle.lockstep.mail import Sent, delivery
from raftcheck.oracle.lockstep.run import Run
from raftspec.quorum import majority

SHORTEST_PHASE, LONGEST_PHASE = 10, 80

LOSS = (0.0, 0.0, 0.1, 0.4)
REPEATS = (0.0, 0.05, 0.3)
"""The chance that the next event is the delivery of a message that was delivered before, or set aside."""

RECENT = 4
"""The latest of so many old messages drawn is repeated: most of the oldest no longer mean anything."""

INPUTS = (0.05, 0.1, 0.3, 0.6)
"""The chance that something else than a message comes although messages wait."""

DRAWS = (1, 2, 6, 20)
"""The oldest (or the newest) of so many waiting messages drawn is delivered: 1 is any order, many are nearly that of
sending."""

FACTORS = (0.0, 0.3, 1.0, 3.0)

RATES: Mapping[Kind, float] = {"propose": 1.0, "heartbeat": 0.5, "timeout": 0.1}
"""How often a kind of input is drawn, compared to others."""

CRASHES = (0.0, 0.0, 0.005, 0.02, 0.1)
RESTARTS = (0.05, 0.1, 0.3)
"""The chance that the next event is a crash, or a restart if a server is down."""

FEWER = 0.2
"""How much less often a server crashes without which there is no majority any more."""

PATIENCE = (0.02, 0.3, 1.0)
"""How often the election timeout of the other servers runs out, compared to that of the phase's favourite."""

HURRY = (0.05, 0.2, 1.0)
"""How often something else than a message comes while there is no leader, compared to other times."""

TORN = (0.0, 0.0, 0.02, 0.1)
"""The chance that the server crashes within the step."""

MOST_WITHIN = 5
"""After so many things done a server has crashed that crashes within a step."""

MISPLACED = 0.03
"""The chance that any server is told anything, such as a follower that it is time for heartbeats."""

LEAST = 0.002
"""A timeout may run out at any time: so there always is something to do."""

CUTS = ("none", "none", "apart", "apart", "deaf", "mute", "links")
"""Which links do not work: of a few servers all, those to them, or those from them; or any."""

MOST_WAITING = 60
"""With more messages waiting, the oldest are late."""


LASTING = 0.5
"""The chance that the same links are cut in the next phase."""

MOST_STUCK = 4
"""A phase ends when there is no leader and so often no message arrives, or an election is begun."""


class Habits(NamedTuple):
    """What distinguishes a phase from others.

    Messages on the links `cut` are held back if `holds`, else set aside. `favourite` is the server whose election
    timeout runs out most, `patience` how often the others' do.
    """

    until: int
    loss: float
    repeats: float
    inputs: float
    hurry: float
    newest: bool
    draws: int
    torn: float
    crashes: float
    restarts: float
    rates: Mapping[Kind, float]
    favourite: str
    patience: float
    cut: frozenset[tuple[str, str]]
    holds: bool


class Chooser:
    """Chooses the events of one run."""

    def __init__(self, run: Run, seed: int) -> None:
        self._run = run
        self._dice = Dice(seed)
        self._now = self._stuck = 0
        self._habits = self._phase()

    def next(self) -> Event:
        """Return the next event. It may be one that does nothing."""
        self._now += 1
        if self._now >= self._habits.until or self._stuck > MOST_STUCK:
            stays = not self._stuck and self._dice.chance(LASTING)
            cut, holds = self._habits.cut, self._habits.holds
            self._habits, self._stuck = self._phase(), 0
            if stays:
                self._habits = self._habits._replace(cut=cut, holds=holds)
        mail = self._run.mail
        while len(mail.waiting) > MOST_WAITING:
            mail.set_aside(mail.waiting[0])
        event = self._crash() or self._repeat() or self._deliver()
        return event or self._torn(self._input())

    def _crash(self) -> Event | None:
        """Perhaps let a server crash or restart: half of the time a leader crashes."""
        dice, run = self._dice, self._run
        up = [server for server in run.servers if run.is_up(server)]
        down = [server for server in run.servers if not run.is_up(server)]
        if down and (not up or dice.chance(self._habits.restarts)):
            return Event(self._now, "restart", dice.one_of(down))
        if dice.chance(self._habits.crashes * (1.0 if len(up) > majority(len(run.servers)) else FEWER)):
            leaders = run.leaders
            return Event(self._now, "crash", dice.one_of(leaders if leaders and dice.chance(0.5) else up))
        return None

    def _repeat(self) -> Event | None:
        """Perhaps deliver a message once more, or one that was set aside."""
        old, dice = self._run.mail.old, self._dice
        if old and dice.chance(self._habits.repeats):
            sent = old[max(dice.below(len(old)) for _ in range(RECENT))]
            if self._arrives(sent):
                return self._torn(delivery(self._now, sent))
        return None

    def _deliver(self) -> Event | None:
        """Perhaps deliver a message that waits."""
        habits = self._habits
        leaders = self._run.leaders
        if self._dice.chance(habits.inputs * (1.0 if leaders else habits.hurry)):
            return None
        sent = self._draw()
        if not leaders:
            self._stuck += sent is None
        return None if sent is None else self._torn(delivery(self._now, sent))

    def _phase(self) -> Habits:
        """Draw new habits."""
        dice, run = self._dice, self._run
        return Habits(
            until=self._now + SHORTEST_PHASE + dice.below(LONGEST_PHASE - SHORTEST_PHASE),
            loss=dice.one_of(LOSS),
            repeats=dice.one_of(REPEATS),
            inputs=dice.one_of(INPUTS),
            hurry=dice.one_of(HURRY),
            newest=dice.chance(0.3),
            draws=dice.one_of(DRAWS),
            torn=dice.one_of(TORN) if run.can_crash_within else 0.0,
            crashes=dice.one_of(CRASHES),
            restarts=dice.one_of(RESTARTS),
            rates={kind: rate * dice.one_of(FACTORS) for kind, rate in RATES.items()},
            favourite=self._favourite(),
            patience=dice.one_of(PATIENCE),
            cut=self._cut(dice.one_of(CUTS)),
            holds=dice.chance(0.5),
        )

    def _favourite(self) -> str:
        """Draw a server: often one whose log is the longest of those that do not end in the latest term."""
        dice, run = self._dice, self._run
        latest = max(log[-1:] for log in run.logs.values())
        behind = [server for server in run.servers if run.logs[server][-1:] != latest]
        if behind and dice.chance(0.5):
            return max(behind, key=lambda server: len(run.logs[server]))
        return dice.one_of(run.servers)

    def _cut(self, kind: str) -> frozenset[tuple[str, str]]:
        """Draw the links that do not work; half of the time it is a leader that is cut off."""
        dice, run = self._dice, self._run
        leaders, links = run.leaders, list(permutations(run.servers, 2))
        some = {server for server in run.servers if dice.chance(0.3)}
        if leaders and dice.chance(0.5):
            some = {dice.one_of(leaders)}
        match kind:
            case "apart":
                return frozenset(link for link in links if (link[0] in some) != (link[1] in some))
            case "deaf":
                return frozenset(link for link in links if link[1] in some)
            case "mute":
                return frozenset(link for link in links if link[0] in some)
            case "links":
                return frozenset(link for link in links if dice.chance(0.3))
            case _:
                return frozenset()

    def _arrives(self, sent: Sent) -> bool:
        return self._run.is_up(sent.message.to) and sent.link not in self._habits.cut

    def _draw(self) -> Sent | None:
        """Draw a waiting message that arrives; some are set aside on the way."""
        mail, dice = self._run.mail, self._dice
        for _ in range(len(mail.waiting)):
            if not mail.waiting:
                return None
            drawn = [dice.below(len(mail.waiting)) for _ in range(self._habits.draws)]
            sent = mail.waiting[max(drawn) if self._habits.newest else min(drawn)]
            if mail.network == "fifo":
                sent = next(other for other in mail.waiting if other.link == sent.link)
            if dice.chance(self._habits.loss):
                mail.set_aside(sent)
            elif self._arrives(sent):
                return sent
            elif not self._habits.holds:
                mail.set_aside(sent)
        return None

    def _input(self) -> Event:
        """Draw something else than a message: mostly what means something to a server in its role."""
        dice, run, habits = self._dice, self._run, self._habits
        up = [server for server in run.servers if run.is_up(server)]
        if dice.chance(MISPLACED):
            return Event(self._now, dice.one_of(tuple(RATES)), dice.one_of(up))
        choices: list[tuple[Kind, str, float]] = []
        for server in up:
            if run.states[server].role == "leader":
                choices += [(kind, server, habits.rates[kind]) for kind in ("propose", "heartbeat")]
            else:
                patience = 1.0 if server == habits.favourite else habits.patience
                choices.append(("timeout", server, habits.rates["timeout"] * patience + LEAST))
        if not sum(rate for _, _, rate in choices):
            return Event(self._now, "heartbeat", dice.one_of(up))
        kind, server, _ = choices[dice.weighted([rate for _, _, rate in choices])]
        self._stuck += kind == "timeout" and not run.leaders
        return Event(self._now, kind, server)

    def _torn(self, event: Event) -> Event:
        """Perhaps let the server crash within the step."""
        if event.do in ("crash", "restart") or not self._dice.chance(self._habits.torn):
            return event
        return replace(event, crash_after=1 + self._dice.below(MOST_WITHIN - 1))
