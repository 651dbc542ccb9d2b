"""From the implementation's states and messages to the variables of the specification.

Of the specification's state only the rows of one server are built: its term, vote, log and so on; and of the messages
the one that it gets. That is enough, because the guard of an action of server n and what it changes of the state
depend on nothing but the rows of n and, positively, on messages that were sent.

An entry is the implementation's entry itself, a message's number is how many came before it in the step.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple, overload

from raftcheck.raft.whole_logs import entries_in, whole
from raftimpl.log import Entries
from raftimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    Entry,
    ForwardedRequest,
    InstallSnapshot,
    Message,
    ReadIndexRequest,
    ReadIndexResponse,
    RequestVote,
    RequestVoteResponse,
    TimeoutNow,
)
from raftimpl.state import Role, ServerState
from raftspec.concrete import Concrete, State, Universe, Value, cluster
from raftspec.logic import Kind, Specification, SpecificationError
from raftspec.proof import RAFT
from raftspec.raft import ENTRY, INDEX, MESSAGE, TERM

Facts = Mapping[str, Mapping[tuple[Value, ...], Value]]
"""Values of the specification's functions at some arguments."""


class View(NamedTuple):
    """What the specification sees of a server; variables of the same names.

    `voted_for` is None if the server has not voted; `votes_granted` is empty on all but candidates, `match_index` on
    all but leaders. The specification's variables have some value there, too, which nothing reads: `votes_granted` is
    read of candidates only, and a server becomes one by an action that sets it; the same is true of `match_index` and
    leaders; `voted_for` is read only if `voted`; `log` up to `last_index`. A leader's item for itself in match_index
    is not read either: it counts itself among those that have its log.
    """

    current_term: int
    voted_for: int | None
    log: Entries
    candidate: bool
    leader: bool
    commit_index: int
    votes_granted: frozenset[int] = frozenset()
    match_index: tuple[int, ...] = ()


def view_of(server: ServerState) -> View:
    """Return what the specification sees of a server."""
    role = server.role
    return View(
        server.current_term,
        server.voted_for,
        whole(server.log),
        role is Role.CANDIDATE,
        role is Role.LEADER,
        server.commit_index,
        server.votes_granted if role is Role.CANDIDATE else frozenset(),
        server.match_index if role is Role.LEADER else (),
    )


def state_of(n: int, view: View) -> State:
    """Return the specification's state as far as it is about server n, without any message."""
    at = (n,)
    return {
        **NO_MESSAGES,
        "current_term": {at: view.current_term},
        "voted": {at: view.voted_for is not None},
        "voted_for": {} if view.voted_for is None else {at: view.voted_for},
        "last_index": {at: len(view.log)},
        "log": {(n, index): entry for index, entry in enumerate(view.log, 1)},
        "candidate": {at: view.candidate},
        "leader": {at: view.leader},
        "commit_index": {at: view.commit_index},
        "votes_granted": {(n, p): True for p in view.votes_granted},
        "match_index": {(n, p): index for p, index in enumerate(view.match_index)},
    }


def view_in(state: State, n: int, servers: int) -> View:
    """Return what a state of the specification tells of server n: the inverse of `state_of`."""
    at = (n,)
    log, granted, match_index = state["log"], state["votes_granted"], state["match_index"]
    last_index: Any = state["last_index"].get(at, 0)
    candidate, leader = state["candidate"].get(at, False), state["leader"].get(at, False)
    everyone = range(servers)
    found: Any = (
        state["current_term"].get(at, 0),
        state["voted_for"].get(at, 0) if state["voted"].get(at, False) else None,
        tuple([log.get((n, index), NO_ENTRY) for index in range(1, last_index + 1)]),
        candidate,
        leader,
        state["commit_index"].get(at, 0),
        frozenset([p for p in everyone if granted.get((n, p), False)]) if candidate else frozenset(),
        tuple([match_index.get((n, p), 0) for p in everyone]) if leader else (),
    )
    return View(*found)


def differences(n: int, specified: View, implemented: View) -> Iterator[tuple[str, Any, Any]]:
    """Yield in which variables two views of server n differ, and the values."""
    for name, one, other in zip(View._fields, specified, implemented, strict=True):
        if name == "match_index" and one and other:
            one, other = ((*items[:n], 0, *items[n + 1 :]) for items in (one, other))  # type: ignore[index]
        if one != other:
            yield name, one, other


# Messages


def request_vote(sender: int, _: int, message: RequestVote, __: int) -> Facts:
    """Return what was sent with RequestVote. To whom does not matter."""
    return {"request_vote": {(sender, message.term, message.last_log_index, message.last_log_term): True}}


def vote(sender: int, to: int, message: RequestVoteResponse, _: int) -> Facts:
    """Return the vote. A refusal is none: it only tells a term, and UpdateTerm needs no message."""
    return {"vote": {(sender, message.term, to): True}} if message.vote_granted else {}


def append_entries(sender: int, _: int, message: AppendEntries, number: int) -> Facts:
    """Return what was sent with AppendEntries. To whom does not matter, nor does read_round: reads are not modelled."""
    m, prev = (number,), message.prev_log_index
    return {
        "append_sent": {m: True},
        "append_term": {m: message.term},
        "append_leader": {m: sender},
        "append_prev": {m: prev},
        "append_prev_term": {m: message.prev_log_term},
        "append_last": {m: prev + len(message.entries)},
        "append_entry": {(number, index): entry for index, entry in enumerate(message.entries, prev + 1)},
        "append_commit": {m: message.leader_commit},
    }


def install_snapshot(sender: int, to: int, message: InstallSnapshot, number: int) -> Facts:
    """Return what was sent with InstallSnapshot: AppendEntries with all entries up to its last, as committed."""
    return append_entries(sender, to, as_append_entries(message), number)


def as_append_entries(message: AppendEntries | InstallSnapshot) -> AppendEntries:
    """Return the AppendEntries that a message is for the specification."""
    if isinstance(message, AppendEntries):
        return message
    entries = entries_in(message.snapshot.content)
    return AppendEntries(message.term, 0, 0, entries, len(entries), message.read_round)


def acknowledgement(sender: int, _: int, message: AppendEntriesResponse, __: int) -> Facts:
    """Return what is acknowledged. A refusal tells a term, and what next_index might be: both need no message."""
    return {"acknowledgement": {(sender, message.term, message.index): True}} if message.success else {}


COUNTERPARTS: dict[type, Callable[[int, int, Any, int], Facts]] = {
    RequestVote: request_vote,
    RequestVoteResponse: vote,
    AppendEntries: append_entries,
    AppendEntriesResponse: acknowledgement,
    InstallSnapshot: install_snapshot,
}
"""What of the specification a message is: given the sender, the receiver, the message, and a number for it."""

WITHOUT_COUNTERPART: dict[type, str] = {
    TimeoutNow: "a server that does not lead may start an election at any time, whoever asked for it",
    ForwardedRequest: "a leader may append any entry of its term at any time, whoever asked for it",
    ReadIndexRequest: "reads are not in the specification: they change nothing that others rely on",
    ReadIndexResponse: "reads are not in the specification: they change nothing that others rely on",
}
"""Why there is nothing in the specification for the other messages. Whoever gets one can do nothing by it alone."""


VISIBLE: dict[type, Callable[[Any], bool]] = {
    RequestVote: lambda _: True,
    RequestVoteResponse: attrgetter("vote_granted"),
    AppendEntries: lambda _: True,
    AppendEntriesResponse: attrgetter("success"),
    InstallSnapshot: lambda _: True,
}
"""Whether a message has a counterpart."""


def has_counterpart(message: Message) -> bool:
    """Tell whether the specification says anything of a message that was sent."""
    visible = VISIBLE.get(type(message))
    return visible is not None and visible(message)


def facts(sender: int, to: int, message: Message, number: int = 0) -> Facts:
    """Return what the specification says if a message was sent: nothing for those that have no counterpart."""
    counterpart = COUNTERPARTS.get(type(message))
    return counterpart(sender, to, message, number) if counterpart else {}


# The specification on the implementation's values

NO_ENTRY = Entry(0)
"""Where a log has no entry."""


class AllEntries(Sequence[Entry]):
    """All entries. They are too many to go through, and no action does."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, Entry)

    def __len__(self) -> int:
        return 1

    @overload
    def __getitem__(self, position: int) -> Entry: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Entry]: ...
    def __getitem__(self, position: int | slice) -> Entry | Sequence[Entry]:
        return (NO_ENTRY,)[position]

    def __iter__(self) -> Iterator[Entry]:
        raise SpecificationError("an action of a server goes through all entries")


class Numbers(Sequence[int]):
    """0, 1, 2, and so on. Whoever goes through them gets those of `window` alone.

    The window is that of the message at hand: its new indexes. For only there, AppendEntries and HandleAppendEntries
    say something of every index; the other actions do not go through indexes, and none through terms.
    """

    def __init__(self) -> None:
        self.window: range | None = None

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and value >= 0

    def __len__(self) -> int:
        return len(self.window or ())

    @overload
    def __getitem__(self, position: int) -> int: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[int]: ...
    def __getitem__(self, position: int | slice) -> int | Sequence[int]:
        return range(2**31)[position]

    def __iter__(self) -> Iterator[int]:
        if self.window is None:
            raise SpecificationError("an action of a server goes through all numbers, without a message that bounds it")
        return iter(self.window)


def without_ghosts(specification: Specification) -> Specification:
    """Return the specification without what only its proof remembers."""
    return replace(
        specification,
        functions=tuple(f for f in specification.functions if f.kind is not Kind.GHOST),
        actions=tuple(
            replace(action, update=tuple(a for a in action.update if a.function.kind is not Kind.GHOST))
            for action in specification.actions
        ),
    )


SPECIFICATION = without_ghosts(RAFT)

ACTIONS = {action.name: action for action in SPECIFICATION.actions}

NO_MESSAGES: State = {function.name: {} for function in SPECIFICATION.state if function.kind is Kind.MESSAGE}


class Evaluator(NamedTuple):
    """The specification evaluated for a cluster; `indexes` is what it goes through as indexes."""

    concrete: Concrete
    indexes: Numbers


def evaluator_for(servers: int) -> Evaluator:
    """Return an evaluator for a cluster of so many servers, whose quorums are the majorities."""
    small, indexes = cluster(servers, terms=0, indexes=0), Numbers()
    domains = {**small.domains, ENTRY: AllEntries(), TERM: Numbers(), INDEX: indexes, MESSAGE: Numbers()}
    constants: dict[str, Callable[..., Value]] = {**small.constants, "term_of": attrgetter("term")}
    return Evaluator(Concrete(SPECIFICATION, Universe(domains, constants)), indexes)
