"""One run: a peer that begins with empty disks, is told what happens, and is judged step by step."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from raftcheck.oracle.judgement import Rejection
from raftcheck.oracle.lockstep.events import BEGIN, Event, Kind
from raftcheck.oracle.lockstep.mail import Mail, Sent
from raftcheck.oracle.lockstep.protocol import AdapterError, Answer, Peer, StoppedError, answer_to
from raftcheck.oracle.trace.judge import MalformedStepError, StepJudge
from raftcheck.oracle.trace.messages import Message
from raftcheck.oracle.trace.network import NetworkName
from raftcheck.oracle.trace.steps import Header, State, Step
from raftcheck.oracle.trace.words import message_in_words

STOPPED = "No Stop"
"""The rule that is broken by an implementation that fails, ends or says nothing any more."""

FIGURES = (
    "elections begun",
    "elections won",
    "votes given",
    "client entries taken",
    "entries replicated",
    "entries committed",
    "entries overwritten",
    "restarts",
    "recoveries",
)
"""What is counted, of a peer and of the reference alike."""

UNASKED = ("timeout", "heartbeat", "other")
"""What a server may do in consequence of something else."""

ALLOWED: Mapping[str, tuple[str, ...]] = {
    "begin": ("start", "other"),
    "timeout": UNASKED,
    "heartbeat": UNASKED,
    "propose": ("propose", *UNASKED),
    "deliver": ("receive", *UNASKED),
    "crash": (),
    "restart": ("start", *UNASKED),
}
"""Which events may be in the steps of an answer."""


class Run:
    """A run of a peer.

    `broken` is the first rejection, `trace` what was done, `taken` the events that were possible, `story` tells each of
    them in words. `states` are what the servers say of themselves, `down` those that have crashed, `unsupported` is
    what the adapter cannot do, with its reasons. `logs` has the terms of the entries of each server.
    """

    def __init__(self, peer: Peer, servers: Sequence[str], seed: int, network: NetworkName | None = None) -> None:
        self._peer = peer
        self.servers = tuple(servers)
        self.states: dict[str, State] = {}
        self.down: set[str] = set()
        self.figures: Counter[str] = Counter()
        self.unsupported: dict[str, str] = {}
        self.taken: list[Event] = []
        self.trace: list[Step] = []
        self.story: dict[int, str] = {}
        self.logs: dict[str, list[int]] = {server: [] for server in servers}
        self.broken: Rejection | None = None
        self._committed = 0
        self._ids: set[str | int] = set()
        begin = {"do": "begin", "servers": list(servers), "seed": seed}
        answer = answer_to(peer, begin)
        if answer.header is None or answer.steps is None:
            raise AdapterError(f"{peer.name} cannot begin: {answer.error or answer.unsupported}")
        self.header: Header = answer.header
        self.peer_name = answer.peer or ""
        self.network: NetworkName = network or self.header.network
        self.can_crash_within = "crash_after" in answer.can
        self._judge = StepJudge(self.header, self.network)
        self.mail = Mail(self.network)
        self._take_steps(Event(BEGIN, "restart", ""), answer.steps, "begin", None)
        if self.broken is None and sorted(self.states) != sorted(self.servers):
            raise AdapterError(f"{peer.name} gave no valid answer: each server must start once when a run begins")

    @property
    def checked(self) -> int:
        """How many steps were judged and allowed."""
        return self._judge.checked

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is taken for granted."""
        return self._judge.assumptions

    @property
    def leaders(self) -> list[str]:
        """The servers that say that they lead, in the order of their names, those of the latest term first."""
        leading = [name for name in self.servers if self.is_up(name) and self.states[name].role == "leader"]
        return sorted(leading, key=lambda name: -self.states[name].term)

    def is_up(self, server: str) -> bool:
        """Tell whether a server runs."""
        return server not in self.down

    def take(self, event: Event) -> bool:
        """Let an event happen; tell whether it is possible and did anything.

        Raises AdapterError for an answer that does not fit, UndecidedError if the judge cannot go on.
        """
        sent = None
        if event.do == "deliver":
            sent = self.mail.find(event.source or BEGIN, event.server, event.position)
        if self.is_up(event.server) == (event.do == "restart") or (event.do == "deliver" and sent is None):
            return False
        if event.do in self.unsupported:
            return False
        if event.crash_after is not None and "crash" in self.unsupported:
            event = replace(event, crash_after=None)
        self.taken.append(event)
        before = len(self.trace)
        self.story[event.number] = in_words(event, sent)
        if event.crash_after is None or self.can_crash_within:
            self._ask(event, sent)
        else:
            self._ask(replace(event, crash_after=None), sent)
            if self.broken is None:
                self._ask(Event(event.number, "crash", event.server), None)
        self.story[event.number] += "".join(f" -> {step_in_short(step)}" for step in self.trace[before:])
        return len(self.trace) > before or self.broken is not None or event.do in ("crash", "restart")

    def _ask(self, event: Event, sent: Sent | None) -> None:
        request = event.request(sent.message.id if sent else None)
        try:
            answer = answer_to(self._peer, request)
        except StoppedError as error:
            self._stop(event, str(error))
            return
        if answer.error is not None:
            self._stop(event, answer.error)
        elif answer.unsupported is not None:
            self.unsupported[event.do] = answer.unsupported
            self.taken.pop()
        else:
            self._done(event, sent, answer)

    def _stop(self, event: Event, why: str) -> None:
        before = self.states.get(event.server)
        self.broken = Rejection(
            f"step {self.checked + 1:,}", self.story[event.number], STOPPED, why, described(before) if before else {}
        )

    def _done(self, event: Event, sent: Sent | None, answer: Answer) -> None:
        if sent is not None:
            self.mail.delivered(sent)
        if event.do == "crash" or event.crash_after is not None:
            self.down.add(event.server)
        if event.do == "restart":
            self.down.discard(event.server)
        self._take_steps(event, answer.steps or (), event.do, sent)
        if event.do == "restart" and not any(step.event == "start" for step in answer.steps or ()):
            raise AdapterError(f'{self._peer.name} gave no valid answer: a restart needs a step "start"')

    def _take_steps(self, event: Event, steps: tuple[Step, ...], do: str, sent: Sent | None) -> None:
        """Judge steps. The adapter is at fault, not the implementation, if they are not what was asked for."""
        for fault in misfits(event, steps, do, sent):
            raise AdapterError(f"{self._peer.name} gave no valid answer: {fault}, when it was asked to {do}")
        self._require_ids(steps)
        for step in steps:
            self.trace.append(step)
            try:
                self.broken = self._judge.step(step)
            except MalformedStepError as error:
                raise AdapterError(f"{self._peer.name} gave no valid answer: {error}") from error
            if self.broken is not None:
                return
            self._count(step)
            self.states[step.server] = step.state
            if step.log is not None:
                self.logs[step.server][step.log.keep :] = [entry.term for entry in step.log.entries]
        self.mail.send(event.number, tuple(message for step in steps for message in step.sends))

    def _require_ids(self, steps: tuple[Step, ...]) -> None:
        """Raise AdapterError unless each message that is sent can be told from all others."""
        for message in (message for step in steps for message in step.sends):
            if message.id is None:
                raise AdapterError(f"{self._peer.name} gave no valid answer: each message that is sent needs an id")
            if message.id in self._ids:
                raise AdapterError(f"{self._peer.name} gave no valid answer: the id {message.id!r} comes again")
            self._ids.add(message.id)

    def _count(self, step: Step) -> None:
        state, known = step.state, self.states.get(step.server)
        last = known.last if known else 0
        kept = step.log.keep if step.log else last
        figures, new = self.figures, len(step.log.entries) if step.log else 0
        leads = state.role == "leader"
        figures["elections begun"] += known is not None and state.role == "candidate" and state.term > known.term
        figures["elections won"] += leads and (known is None or known.role != "leader" or known.term != state.term)
        figures["votes given"] += any(getattr(message, "granted", False) for message in step.sends)
        figures["client entries taken"] += new if leads and step.event == "propose" else 0
        figures["entries replicated"] += new if step.event == "receive" and state.role == "follower" else 0
        figures["entries overwritten"] += last - kept if step.event != "start" else 0
        figures["restarts"] += step.event == "start" and known is not None
        figures["entries committed"] += max(0, state.commit - self._committed)
        self._committed = max(self._committed, state.commit)


def in_words(event: Event, sent: Sent | None) -> str:
    """Return what happens in an event."""
    said = f" {message_in_words(sent.message)}" if sent else f" w{event.number}" if event.do == "propose" else ""
    within = "" if event.crash_after is None else f", and crashes after {event.crash_after} things done"
    return f"{event.server} {WORDS[event.do]}{said}{within}"


def step_in_short(step: Step) -> str:
    """Return what a server has come to, and how much it sent."""
    state = step.state
    terms = f", log from {step.log.keep + 1}: {[entry.term for entry in step.log.entries]}" if step.log else ""
    sends = f", sends {', '.join(dict.fromkeys(type(m).__name__ for m in step.sends))}" if step.sends else ""
    return f"{state.role}, term {state.term}, vote {state.vote or 'none'}, commit {state.commit}{terms}{sends}"


WORDS: Mapping[Kind, str] = {
    "timeout": "has an election timeout",
    "heartbeat": "is told that it is time for heartbeats",
    "propose": "is asked by a client to write",
    "deliver": "gets",
    "crash": "crashes",
    "restart": "restarts",
}


def misfits(event: Event, steps: tuple[Step, ...], do: str, sent: Sent | None) -> Iterator[str]:
    """Yield in what the steps of an answer are not what was asked for."""
    for step in steps:
        if do != "begin" and step.server != event.server:
            yield f"{step.server} takes a step, not {event.server}"
        if step.event not in ALLOWED[do]:
            yield f'there is a step "{step.event}"'
    received = [step.message for step in steps if step.message is not None]
    if (
        sent is not None
        and received not in ([], [sent.message])
        and [plain(m) for m in received] != [plain(sent.message)]
    ):
        yield "another message is received than was delivered"
    if do == "restart" and [step.event for step in steps].count("start") > 1:
        yield "the server starts twice"


def plain(message: Message) -> Message:
    """Return a message without the number that was given to it."""
    return replace(message, id=None)


def described(state: State) -> dict[str, object]:
    """Return what a server says of itself, for people."""
    return {
        "term": state.term,
        "vote": state.vote or "none",
        "role": state.role,
        "commit": state.commit,
        "last": state.last,
    }
