"""Which actions of the specification a step of the implementation seems to consist of.

`propose` guesses; nothing rests on its being right. `Walk` evaluates what is proposed, `require_equal` and
`require_sent` compare what has come of it with what the implementation has done: see `raftcheck.raft.refinement`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from raftcheck.raft.abstraction import ACTIONS, Evaluator, Facts, View, differences, facts, state_of, view_in
from raftcheck.raft.labels import RaftLabels
from raftimpl.log import Entries
from raftimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    Message,
    RequestVote,
    RequestVoteResponse,
    TimeoutNow,
)
from raftimpl.step import ElectionTimeout
from raftspec import raft as spec
from raftspec.concrete import State, Value
from raftspec.logic import Action, SpecificationError
from raftspec.quorum import majority

NO_ACTION = "no action"
"""In place of an action's name, if the step changes something and no action could be meant."""

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

    @property
    def comes_to_lead(self) -> bool:
        """Tell whether the server becomes the leader in this step."""
        return self.target.leader and not self.before.leader

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
        self._delivered: range | None = None
        self._now: View | None = seen.before
        if seen.message is not None:
            self.state = {**self.state, **facts(seen.sender, seen.n, seen.message, DELIVERED)}
            if seen.kind is AppendEntries:
                self._delivered = new_indexes(seen.message)

    @property
    def now(self) -> View:
        """What the server has come to."""
        if self._now is None:
            self._now = view_in(self.state, self.n, self.servers)
        return self._now

    def take(self, action: Action, **arguments: Any) -> None:
        """Take an action of this server. Raises RefusedError, naming the guard, if it is not possible."""
        action = ACTIONS[action.name]
        arguments["n"] = self.n
        for parameter in action.parameters:
            if parameter.sort in (spec.SERVER, spec.QUORUM):
                self._require(parameter.name, arguments[parameter.name], parameter.sort)
        is_sending = action.name == spec.APPEND_ENTRIES.name
        self._indexes.window = range(arguments["prev"] + 1, arguments["last"] + 1) if is_sending else self._delivered
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
    """Propose Timeout; before it UpdateTerm, if the leader of a newer term has asked for it (TimeoutNow).

    In a torn step in which nobody has seen it, it may be only a new term.
    """
    if seen.crashes and seen.target.voted_for != seen.n and not seen.sends:
        update_term(walk, seen)
        return
    if seen.message is not None and seen.message.term > walk.now.current_term:
        walk.take(spec.UPDATE_TERM, t=seen.message.term)
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
    if counts or seen.comes_to_lead:
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


def first_to_write(log: Entries, message: AppendEntries) -> int:
    """Return the first new index at which a log lacks or contradicts a message; the one after its last if none."""
    new = new_indexes(message)
    lacking = (
        i for i, entry in zip(new, message.entries, strict=True) if i > len(log) or log[i - 1].term != entry.term
    )
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
        if walk.now.leader:
            walk.take(spec.STEP_ASIDE)
        return
    if seen.comes_to_lead:
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
    """Propose AppendEntries for each one sent."""
    for number, message in enumerate(seen.sent(AppendEntries), DELIVERED + 1):
        prev = message.prev_log_index
        last = prev + len(message.entries)
        walk.take(spec.APPEND_ENTRIES, m=number, prev=prev, last=last, commit=message.leader_commit)


def propose(walk: Walk, seen: Seen) -> None:
    """Take the actions that a step seems to consist of. Raises RefusedError if one of them is not possible.

    A server's state is compared before it sends anything of it: so the action is named that made the difference.
    """
    if seen.kind in (ElectionTimeout, TimeoutNow):
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
        walk.take(spec.RESTART, commit=seen.after.commit_index)


# What must have come of it


def require_equal(walk: Walk, after: View) -> None:
    """Raise RefusedError unless the actions have led to where the implementation is."""
    for name, specified, implemented in differences(walk.n, walk.now, after):
        shown = [RaftLabels().field(name, value) for value in (specified, implemented)]
        text = f"after {taken_by(walk)} the specification's {name} is {shown[0]} and the implementation's {shown[1]}"
        raise RefusedError(Refusal(last_of(walk, name), text))


def require_sent(walk: Walk, seen: Seen) -> None:
    """Raise RefusedError unless the actions have sent every message that the implementation sends."""
    numbers = {message: number for number, message in enumerate(seen.sent(AppendEntries), DELIVERED + 1)}
    for to, message in seen.sends:
        if not walk.has(facts(seen.n, to, message, numbers.get(message, DELIVERED))):
            by = taken_by(walk) if walk.taken else "any action"
            raise RefusedError(Refusal(last_of(walk), f"{RaftLabels().value(message)} is not sent by {by}"))


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
