"""Refinement: every step of the implementation is a sequence of actions of the specification.

A step of a server may be no action at all, as far as the specification sees it, or several: a message of a newer term
is UpdateTerm and then what the message asks for; a candidate with enough votes does BecomeLeader, ClientRequest (its
no-op) and AppendEntries in one step. Which actions a step consists of is proposed here and then evaluated: the guards
and changes are those of the text in `raftspec.raft`, the state at the end must be the one that the implementation is
in, and every message that it sends must have been sent by one of the actions. So a wrong proposal can raise a false
alarm, but never hide anything.

Steps are judged one by one, each server for itself. That is enough: the guard of an action of server n and what it
changes of the state depend on the rows of server n alone, and on messages that were sent, never on one that was not
(but that a new message has a new number). Whatever a server gets was sent in a step before; that was judged as well,
and so the specification has sent it. A behaviour whose steps all pass is a behaviour of the specification, if one
leaves out the steps that it does not see.

What the specification has of term, vote and log is what the server has in memory. A crash is the action Restart, which
keeps them; the implementation comes back with what was on its disk. So what was not persisted shows there. In a torn
step a server sends some of its messages and then crashes; that is the actions that somebody may have noticed, and
Restart.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from raftcheck.explore import Counterexample
from raftcheck.model import Deliver, ModelError, Property, Step, always_step
from raftcheck.raft.abstraction import (
    ACTIONS,
    Evaluator,
    Facts,
    View,
    differences,
    evaluator_for,
    facts,
    has_counterpart,
    state_of,
    view_in,
    view_of,
)
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.process import Crash, ModelInput, Node
from raftimpl.log import Log, has_entry
from raftimpl.messages import AppendEntries, AppendEntriesResponse, Message, RequestVote, RequestVoteResponse
from raftimpl.state import DurableState
from raftimpl.step import ElectionTimeout
from raftspec import raft as spec
from raftspec.concrete import State, Value
from raftspec.logic import Action, SpecificationError
from raftspec.quorum import majority

NAME = "Refines the Specification"

NO_ACTION = "no action"
"""In place of an action's name, if the step changes something and no action could be meant."""

REMEMBERED = 200_000
"""How many judgements are kept at most."""

DELIVERED = 0
"""The number of the message that a server gets; those that it sends are numbered from 1 on."""


class Refusal(NamedTuple):
    """Why a step is no sequence of actions: the action at which it fails, and the reason in words."""

    action: str
    text: str


class RefusedError(Exception):
    """Raised when a step turns out not to be what was proposed."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


class Seen(NamedTuple):
    """A step as the specification sees it.

    `target` is what the server comes to by its own actions. In a torn step that is not `after`, which follows on the
    crash, but has to be guessed from what was sent and what is on disk. `sender` and `message` are what was delivered.
    """

    n: int
    before: View
    target: View
    after: View
    kind: type
    sender: int
    message: Any
    sends: tuple[tuple[int, Message], ...]
    crashes: bool

    def sent(self, kind: type) -> list[Any]:
        """Return the different messages of a kind that were sent."""
        return list(dict.fromkeys(message for _, message in self.sends if type(message) is kind))


class Walk:
    """Server n of the specification, as the actions of one step change it."""

    def __init__(self, evaluator: Evaluator, servers: int, seen: Seen) -> None:
        self.servers, self.n = servers, seen.n
        self.state: State = state_of(seen.n, seen.before)
        self.taken: list[Action] = []
        self._concrete, self._indexes = evaluator
        self._indexes.window = None
        self._now: View | None = seen.before
        if seen.message is not None:
            self.state = {**self.state, **facts(seen.sender, seen.n, seen.message, DELIVERED)}
            if seen.kind is AppendEntries:
                self._indexes.window = new_indexes(seen.message)

    @property
    def now(self) -> View:
        """What the server has come to."""
        if self._now is None:
            self._now = view_in(self.state, self.n, self.servers)
        return self._now

    def take(self, action: Action, indexes: range | None = None, **arguments: Value) -> None:
        """Take an action of this server. Raises RefusedError, naming the guard, if it is not possible.

        `indexes` are those of a message that it sends.
        """
        action = ACTIONS[action.name]
        arguments["n"] = self.n
        for parameter in action.parameters:
            if parameter.sort in (spec.SERVER, spec.QUORUM):
                self._require(parameter.name, arguments[parameter.name], parameter.sort)
        if indexes is not None:
            self._indexes.window = indexes
        refused = self._concrete.refusal(action, self.state, arguments)
        if refused is not None:
            raise RefusedError(Refusal(action.name, f'{action.name} is refused: not "{refused}"'))
        self.state = self._concrete.after(action, self.state, arguments)
        self.taken.append(action)
        self._now = None

    def _require(self, name: str, value: Value, sort: Any) -> None:
        """Raise SpecificationError unless an argument is what the specification knows: above all, a quorum."""
        if value not in self._concrete.universe.domain(sort):
            raise SpecificationError(f"{name} cannot be {value!r}: that is no {sort.name.lower()}")

    def has(self, wanted: Facts) -> bool:
        """Tell whether the functions have these values; what they do not list is the first of its domain."""
        return all(
            self.state[name].get(at, 0) == value for name, values in wanted.items() for at, value in values.items()
        )


def new_indexes(message: AppendEntries) -> range:
    """Return the indexes of a message's entries."""
    return range(message.prev_log_index + 1, message.prev_log_index + len(message.entries) + 1)


# Which actions a step consists of


def update_term(walk: Walk, seen: Seen) -> None:
    """Propose UpdateTerm if the server's term changes by itself."""
    if seen.target.current_term != walk.now.current_term:
        walk.take(spec.UPDATE_TERM, t=seen.target.current_term)


def time_out(walk: Walk, seen: Seen) -> None:
    """Propose Timeout. In a torn step in which nobody has seen it, it may be only a new term."""
    if seen.crashes and seen.target.voted_for != seen.n and not seen.sends:
        update_term(walk, seen)
    else:
        walk.take(spec.TIMEOUT)


def get_request_vote(walk: Walk, seen: Seen) -> None:
    """Propose HandleRequestVote if the server's vote changes, or is sent."""
    votes = any(response.vote_granted for response in seen.sent(RequestVoteResponse))
    if votes or seen.target.voted_for not in (walk.now.voted_for, None):
        walk.take(spec.HANDLE_REQUEST_VOTE, c=seen.sender, i=seen.message.last_log_index, u=seen.message.last_log_term)


def get_vote(walk: Walk, seen: Seen) -> None:
    """Propose HandleVote if votes are counted, or the server becomes leader."""
    target, now = seen.target, walk.now
    counts = target.candidate and target.votes_granted != now.votes_granted
    if counts or (target.leader and not now.leader):
        walk.take(spec.HANDLE_VOTE, v=seen.sender, t=seen.message.term)


def get_append_entries(walk: Walk, seen: Seen) -> None:
    """Propose StepDown for a candidate, and HandleAppendEntries if something changes or a success is sent."""
    target = seen.target
    if walk.now.candidate and not target.candidate:
        walk.take(spec.STEP_DOWN, m=DELIVERED)
    now = walk.now
    succeeds = any(response.success for response in seen.sent(AppendEntriesResponse))
    if succeeds or (target.log, target.commit_index) != (now.log, now.commit_index):
        walk.take(spec.HANDLE_APPEND_ENTRIES, m=DELIVERED, k=first_to_write(now.log, seen.message))


def first_to_write(log: Log, message: AppendEntries) -> int:
    """Return the first new index at which a log lacks or contradicts a message; the one after its last if none."""
    new = new_indexes(message)
    lacking = (i for i, entry in zip(new, message.entries, strict=True) if not has_entry(log, i, entry.term))
    return next(lacking, new.stop)


def get_acknowledgement(walk: Walk, seen: Seen) -> None:
    """Propose HandleAcknowledgement for each follower of which the leader knows something else now."""
    target, now = seen.target, walk.now
    if target.leader and now.leader:
        for p, (new, old) in enumerate(zip(target.match_index, now.match_index, strict=True)):
            if p != seen.n and new != old:
                walk.take(spec.HANDLE_ACKNOWLEDGEMENT, p=p, i=new, u=getattr(seen.message, "term", now.current_term))


HANDLERS: dict[type, Callable[[Walk, Seen], None]] = {
    RequestVote: get_request_vote,
    RequestVoteResponse: get_vote,
    AppendEntries: get_append_entries,
}


def lead(walk: Walk, seen: Seen) -> None:
    """Propose what a leader does by itself, whatever it was given."""
    target = seen.target
    if not target.leader:
        return
    if not walk.now.leader:
        walk.take(spec.BECOME_LEADER, q=quorum_of(walk.now.votes_granted, walk.servers))
    if target.log != walk.now.log:
        for entry in target.log[-max(1, len(target.log) - len(walk.now.log)) :]:
            walk.take(spec.CLIENT_REQUEST, e=entry)
    if target.commit_index != walk.now.commit_index:
        holders = {p for p, index in enumerate(walk.now.match_index) if index >= target.commit_index}
        walk.take(spec.ADVANCE_COMMIT_INDEX, i=target.commit_index, q=quorum_of(holders | {walk.n}, walk.servers))


def quorum_of(members: set[int] | frozenset[int], servers: int) -> frozenset[int]:
    """Return a quorum of these servers; if they are too few, one that has them all, and some others."""
    others = [p for p in range(servers) if p not in members]
    return frozenset([*sorted(members), *others][: majority(servers)])


def send(walk: Walk, seen: Seen) -> None:
    """Propose AppendEntries for each one sent; raise RefusedError if a message was sent by no action."""
    for number, message in enumerate(seen.sent(AppendEntries), DELIVERED + 1):
        new = new_indexes(message)
        walk.take(
            spec.APPEND_ENTRIES, new, m=number, prev=new.start - 1, last=new.stop - 1, commit=message.leader_commit
        )
        require_sent(walk, seen, seen.n, message, number)
    for to, message in seen.sends:
        if type(message) is not AppendEntries:
            require_sent(walk, seen, to, message, DELIVERED)


def require_sent(walk: Walk, seen: Seen, to: int, message: Message, number: int) -> None:
    """Raise RefusedError unless an action has sent the message."""
    if not walk.has(facts(seen.n, to, message, number)):
        raise RefusedError(Refusal(last_of(walk), f"{taken_by(walk)} does not send {RaftLabels().value(message)}"))


def propose(walk: Walk, seen: Seen) -> None:
    """Take the actions that a step seems to consist of.

    Raises RefusedError if one of them is not possible, or if they are not what the implementation has done.
    """
    if seen.kind is ElectionTimeout:
        time_out(walk, seen)
    else:
        update_term(walk, seen)
    if seen.kind in HANDLERS:
        HANDLERS[seen.kind](walk, seen)
    get_acknowledgement(walk, seen)
    if seen.sent(RequestVote):
        walk.take(spec.REQUEST_VOTE)
    lead(walk, seen)
    if not seen.crashes:
        require_equal(walk, seen.after)
    send(walk, seen)
    if seen.crashes:
        walk.take(spec.RESTART)
        require_equal(walk, seen.after)


# The verdict


def require_equal(walk: Walk, after: View) -> None:
    """Raise RefusedError unless the actions have led to where the implementation is."""
    for name, specified, implemented in differences(walk.n, walk.now, after):
        shown = [RaftLabels().field(name, value) for value in (specified, implemented)]
        text = f"after {taken_by(walk)} the specification's {name} is {shown[0]} and the implementation's {shown[1]}"
        raise RefusedError(Refusal(last_of(walk, name), text))


def taken_by(walk: Walk) -> str:
    """Return the names of the actions taken."""
    return ", ".join(action.name for action in walk.taken) or NO_ACTION


def last_of(walk: Walk, changing: str = "") -> str:
    """Return the name of the last action taken, of those that change a variable if there are any.

    After a crash that is Restart: it keeps what should have been on disk.
    """
    if walk.taken and walk.taken[-1].name == spec.RESTART.name:
        return spec.RESTART.name
    names = [action.name for action in walk.taken if any(a.function.name == changing for a in action.update)]
    return (names or [action.name for action in walk.taken] or [NO_ACTION])[-1]


class Refinement:
    """Judges the steps of the servers of a cluster."""

    def __init__(self, servers: int) -> None:
        self.servers = servers
        self._evaluator = evaluator_for(servers)
        self._known: dict[Seen, bool] = {}

    def holds(self, before: Node, input: ModelInput | Deliver, step: Step) -> bool:
        """Tell whether a step is a sequence of actions of the specification.

        Servers are alike, so each is judged as number 0, and whoever sent it something as number 1.
        """
        if not changes_or_sends(before, step):
            return True
        seen = seen_in(before, input, step)
        if seen.before == seen.after and not seen.sends:
            return True
        key = renamed(seen, self.servers)
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = self._judge(key) is None
        return self._known[key]

    def refusal(self, before: Node, input: ModelInput | Deliver, step: Step) -> Refusal | None:
        """Return why a step is no sequence of actions; None if it is one."""
        return self._judge(seen_in(before, input, step)) if changes_or_sends(before, step) else None

    def explanation(self, before: Node, input: ModelInput | Deliver, step: Step) -> str | None:
        """Return in words why a step is no sequence of actions; None if it is one."""
        refusal = self.refusal(before, input, step)
        return refusal.text if refusal else None

    def _judge(self, seen: Seen) -> Refusal | None:
        try:
            propose(Walk(self._evaluator, self.servers, seen), seen)
        except RefusedError as error:
            return error.refusal
        return None


def changes_or_sends(before: Node, step: Step) -> bool:
    """Tell whether a step does anything to a server, or sends anything."""
    return bool(step.sends) or step.state.server is not before.server  # type: ignore[attr-defined]


def seen_in(before: Node, input: ModelInput | Deliver, step: Step) -> Seen:
    """Return what the specification sees of a step of the model."""
    after: Node = step.state  # type: ignore[assignment]
    n, view, led_to = before.server.id, view_of(before.server), view_of(after.server)
    sends: Any = tuple([sent for sent in step.sends if has_counterpart(sent.message)])  # type: ignore[arg-type]
    if isinstance(input, Deliver):
        message: Message = input.message  # type: ignore[assignment]
        seen = Seen(n, view, led_to, led_to, type(message), input.sender, message, sends, crashes=False)
    else:
        seen = Seen(n, view, led_to, led_to, type(input), n, None, sends, crashes=False)
    if isinstance(input, Crash):
        return seen._replace(target=view, crashes=True)
    if before.crash_after is not None:
        return seen._replace(target=before_crash(seen, after.disk), crashes=True)
    return seen


def renamed(seen: Seen, servers: int) -> Seen:
    """Return what is seen of a step if the server is number 0, and the sender of what it got number 1."""
    order = (seen.n, *(p for p in (seen.sender, *range(servers)) if p != seen.n))
    order = tuple(dict.fromkeys(order))
    names = {p: name for name, p in enumerate(order)}
    target = seen.target
    after = renamed_view(seen.after, order, names)
    return Seen(
        0,
        renamed_view(seen.before, order, names),
        after if target is seen.after else renamed_view(target, order, names),
        after,
        seen.kind,
        names[seen.sender],
        seen.message,
        tuple(dict.fromkeys((names[to] if type(m) is RequestVoteResponse else 0, m) for to, m in seen.sends)),
        seen.crashes,
    )


def renamed_view(view: View, order: tuple[int, ...], names: dict[int, int]) -> View:
    """Return a view in which the servers of `order` are called 0, 1, and so on."""
    if view.match_index and len(view.match_index) != len(order):
        raise ModelError(f"{NAME!r} was claimed of {len(order)} servers; a leader has {len(view.match_index)}")
    return View(
        view.current_term,
        None if view.voted_for is None else names[view.voted_for],
        view.log,
        view.candidate,
        view.leader,
        view.commit_index,
        frozenset([names[p] for p in view.votes_granted]) if view.votes_granted else view.votes_granted,
        tuple([view.match_index[p] for p in order]) if view.match_index else (),
    )


def before_crash(seen: Seen, disk: DurableState) -> View:
    """Return what a server may have come to in a torn step, as far as anybody has noticed, before it crashed.

    That is what is on disk, and what it has sent promises.
    """
    before, message = seen.before, seen.message
    term, log = disk.current_term, disk.log
    if seen.sends:
        heard = before.current_term if message is None else message.term
        term = max(term, before.current_term + (seen.kind is ElectionTimeout), heard)
    appends = seen.sent(AppendEntries)
    stays = term == before.current_term
    own_entry = seen.kind in (ElectionTimeout, RequestVoteResponse) and len(log) > len(before.log)
    leads = bool(appends) or own_entry or (before.leader and stays)
    if leads:
        log = max([log, *(log[: sent.prev_log_index] + sent.entries for sent in appends)], key=len)
    return View(
        term,
        disk.voted_for,
        log,
        before.candidate and stays and not leads and seen.kind is not AppendEntries,
        leads,
        max([before.commit_index, *(sent.leader_commit for sent in appends)]),
        before.votes_granted,
        acknowledged(seen) if before.leader and stays else (),
    )


def acknowledged(seen: Seen) -> tuple[int, ...]:
    """Return what a leader knows to match when it has taken note of the message that it gets."""
    known, message = seen.before.match_index, seen.message
    if seen.kind is not AppendEntriesResponse or not message.success or message.term != seen.before.current_term:
        return known
    return tuple(max(index, message.index) if p == seen.sender else index for p, index in enumerate(known))


def refused_at(found: Counterexample) -> str | None:
    """Return the name of the action at which a behaviour's last step is refused; None if the specification has it."""
    pid, input, _ = found.events[-1]
    step, states = found.steps[-1], found.states[found.length - 1].processes
    before: Node = states[pid]  # type: ignore[assignment]
    refusal = refinement(len(states)).refusal(before, input, step) if step else None  # type: ignore[arg-type]
    return refusal.action if refusal else None


@cache
def refinement(servers: int) -> Refinement:
    """Return the judge of the steps in a cluster of so many servers."""
    return Refinement(servers)


def refines(servers: int) -> Property:
    """Return the claim that every step of a cluster of so many servers is a sequence of actions."""
    judge = refinement(servers)
    source = "every step is a sequence of actions of the specification, raftspec.raft"
    return always_step(NAME, judge.holds, source=source, symmetric=True, explain=judge.explanation)
