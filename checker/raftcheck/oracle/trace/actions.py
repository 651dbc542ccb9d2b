"""The actions of the specification, carried out on what is known of one server.

Guards and changes are those of the text in `raftspec.extended`, evaluated. That the state of a single server suffices,
and the message that it gets, is so because an action of a server reads nothing else: see `raftcheck.raft.refinement`.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace as with_fields
from typing import Any, NamedTuple

from msgspec.structs import replace

from raftcheck.oracle.trace.log import Entry, Log
from raftcheck.oracle.trace.server import Members, Server
from raftspec import raft
from raftspec.concrete import Change, Concrete, Universe
from raftspec.extended import CONFIGURATION, EXTENDED_RAFT
from raftspec.logic import Kind, Sort

Fact = tuple[str, tuple[Hashable, ...]]
"""Something that was said: the specification's function, and at which arguments it is true."""


class Append(NamedTuple):
    """AppendEntries as the specification has it; a snapshot is one with all entries. `entries.start` is its prev."""

    term: int
    leader: str
    prev_term: int
    entries: Log
    commit: int


class Refused(Exception):  # noqa: N818 - it is an answer, no error
    """Raised when an action is not possible: which, and which of its guards is not true."""

    def __init__(self, action: str, reason: str) -> None:
        super().__init__(f"{action} is refused: {reason}")
        self.action, self.reason = action, reason


class Values(Sequence[Any]):
    """A sort of which only some values are gone through: those at hand. `default` is the first."""

    def __init__(self, default: Any, kinds: type | tuple[type, ...], at_hand: Sequence[Any] = ()) -> None:
        self.default, self._kinds, self.at_hand = default, kinds, at_hand

    def __contains__(self, value: object) -> bool:
        return isinstance(value, self._kinds)

    def __len__(self) -> int:
        return len(self.at_hand)

    def __getitem__(self, position: Any) -> Any:
        return self.default if position == 0 else self.at_hand[position]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.at_hand)


class Reader:
    """A function of the specification's state, read from what is at hand."""

    __slots__ = ("get",)

    def __init__(self, value: Callable[[tuple[Any, ...]], Any]) -> None:
        self.get = lambda arguments, default: value(arguments)


class Actions:
    """Carries out actions. `servers` are all servers that have been heard of, `reached` the terms with an election."""

    def __init__(self, leads_to: Callable[[Entry, Members, Members], bool]) -> None:
        self.servers: list[str] = []
        self.reached: set[int] = set()
        self._server, self._heard, self._append = Server(), frozenset[Fact](), NO_APPEND
        self._indexes = Values(0, int)
        domains: Mapping[Sort, Sequence[Any]] = {
            raft.SERVER: Values("", str, self.servers),
            raft.QUORUM: Values(frozenset(), frozenset),
            raft.ENTRY: Values(Entry(0), Entry),
            raft.MESSAGE: Values(NO_APPEND, Append),
            raft.TERM: Values(0, int),
            raft.INDEX: self._indexes,
            CONFIGURATION: Values(Members(), Members),
        }
        constants: dict[str, Callable[..., Any]] = {
            "member": lambda server, quorum: server in quorum,
            "term_of": lambda entry: entry.term,
            "is_voter": lambda server, members: members.is_voter(server),
            "is_quorum_of": lambda quorum, members: members.is_quorum(quorum),
            "may_follow": lambda one, other: one.may_lead_to(other),
            "changes_configuration": lambda entry: entry.change is not None,
            "leads_to": leads_to,
        }
        self._concrete = Concrete(WITHOUT_GHOSTS, Universe(domains, constants))
        self._state: Any = self._readers()

    def meet(self, server: str) -> None:
        """Take note that there is a server of that name."""
        if server not in self.servers:
            self.servers.append(server)

    def take(
        self,
        name: str,
        n: str,
        server: Server,
        *,
        heard: frozenset[Fact] = frozenset(),
        append: "Append | None" = None,
        **arguments: Any,
    ) -> tuple[Server, list[Fact]]:
        """Return server n after an action, and what it says by it. Raises Refused, naming the guard.

        `heard` and `append` are what it has got; in `arguments`, `m` stands for the message it gets or sends.
        """
        action = ACTIONS[name]
        is_sending = name == raft.APPEND_ENTRIES.name
        self._server, self._heard = server, heard
        self._append = NO_APPEND if is_sending else append or NO_APPEND
        self._indexes.at_hand = self._at_hand(name, server, arguments)
        bindings = {"n": n, **({"m": append} if append else {}), **arguments}
        refused = self._concrete.refusal(action, self._state, bindings)
        if refused is not None:
            raise Refused(name, f'it is not true that "{refused}"')
        changes = list(self._concrete.changes(action, self._state, bindings))
        if is_sending:
            self._require_contents(changes)
        return changed(server, changes, self.reached)

    def _require_contents(self, changes: Iterable[Change]) -> None:
        """Raise Refused unless a message that is sent contains what the action puts into it."""
        for function, at, value in changes:
            if function.name == "append_sent":
                continue
            contained = self._state[function.name].get(at, None)
            if contained != value:
                where = f" at {at[1]}" if len(at) > 1 else ""
                what = function.name.removeprefix("append_").replace("_", " ") + where
                raise Refused(raft.APPEND_ENTRIES.name, f"its {what} is {contained}, and the leader's {value}")

    def _at_hand(self, name: str, server: Server, arguments: Mapping[str, Any]) -> Sequence[int]:
        """Return the indexes of which an action says something: new entries, or changes of the configuration.

        The others that a guard goes through, it asks only whether there is a change of the configuration.
        """
        if name in GO_THROUGH_CHANGES:
            return [index for index, _ in server.log.changes if index > server.configuration_index]
        if name == raft.APPEND_ENTRIES.name:
            return range(arguments["prev"] + 1, arguments["last"] + 1)
        return range(self._append.entries.start + 1, self._append.entries.last + 1)

    def _readers(self) -> Mapping[str, Reader]:
        heard = {f.name: self._said(f.name) for f in EXTENDED_RAFT.state if f.kind is Kind.MESSAGE}
        return {
            **heard,
            "current_term": Reader(lambda at: self._server.current_term),
            "voted": Reader(lambda at: self._server.voted_for is not None),
            "voted_for": Reader(lambda at: self._server.voted_for or ""),
            "last_index": Reader(lambda at: self._server.log.last),
            "log": Reader(lambda at: self._server.log.entry(at[1])),
            "candidate": Reader(lambda at: self._server.candidate),
            "leader": Reader(lambda at: self._server.leader),
            "commit_index": Reader(lambda at: self._server.commit_index),
            "votes_granted": Reader(lambda at: at[1] in self._server.votes_granted),
            "match_index": Reader(lambda at: dict(self._server.match_index).get(at[1], 0)),
            "configuration": Reader(lambda at: self._server.configuration),
            "configuration_index": Reader(lambda at: self._server.configuration_index),
            "reached": Reader(lambda at: at[0] in self.reached),
            "in_force": Reader(lambda at: at[1:] in self._server.had),
            "append_sent": Reader(lambda at: at[0] is self._append),
            "append_term": Reader(lambda at: at[0].term),
            "append_leader": Reader(lambda at: at[0].leader),
            "append_prev": Reader(lambda at: at[0].entries.start),
            "append_prev_term": Reader(lambda at: at[0].prev_term),
            "append_last": Reader(lambda at: at[0].entries.last),
            "append_entry": Reader(lambda at: at[0].entries.entry(at[1])),
            "append_commit": Reader(lambda at: at[0].commit),
        }

    def _said(self, name: str) -> Reader:
        return Reader(lambda at: (name, at) in self._heard)


NO_APPEND = Append(0, "", 0, Log(), 0)

WITHOUT_GHOSTS = with_fields(
    EXTENDED_RAFT,
    functions=tuple(f for f in EXTENDED_RAFT.functions if f.kind is not Kind.GHOST),
    actions=tuple(
        with_fields(action, update=tuple(a for a in action.update if a.function.kind is not Kind.GHOST))
        for action in EXTENDED_RAFT.actions
    ),
)

ACTIONS = {action.name: action for action in WITHOUT_GHOSTS.actions}

GO_THROUGH_CHANGES = ("Timeout", "ChangeConfiguration", "ApplyConfiguration")
"""Actions whose guards go through the log for changes of the configuration that are not in force yet."""


def changed(server: Server, changes: Iterable[Change], reached: set[int]) -> tuple[Server, list[Fact]]:
    """Return a server with the changes of an action, and what it says."""
    fields: dict[str, Any] = {}
    sets: dict[str, dict[Any, Any]] = {}
    said: list[Fact] = []
    for function, at, value in changes:
        name = function.name
        if name in PLAIN:
            fields[name] = value
        elif name == "reached":
            reached.add(at[0])  # type: ignore[arg-type]
        elif name == "in_force":
            fields["had"] = tuple(dict.fromkeys((*server.had, at[1:])))
        elif function.kind is Kind.MESSAGE:
            said.append((name, (*at, value) if name.startswith("append_") else at))
        else:
            sets.setdefault(name, {})[at[1:]] = value
    if sets:
        fields |= together(server, sets)
    return (replace(server, **fields) if fields else server), said


PLAIN = {"current_term", "candidate", "leader", "commit_index", "configuration", "configuration_index"}
"""Variables with one value for each server, that are fields of the same name."""


def together(server: Server, sets: Mapping[str, Mapping[Any, Any]]) -> dict[str, Any]:
    """Return the fields that several variables make, or one with several values."""
    fields: dict[str, Any] = {}
    if "voted" in sets:
        fields["voted_for"] = sets["voted_for"][()] if sets["voted"][()] else None
    if "votes_granted" in sets:
        new = sets["votes_granted"]
        kept = {p for p in server.votes_granted if (p,) not in new}
        fields["votes_granted"] = frozenset(kept | {p for (p,), granted in new.items() if granted})
    if "match_index" in sets:
        known = {**dict(server.match_index), **{p: index for (p,), index in sets["match_index"].items()}}
        fields["match_index"] = tuple([(p, index) for p, index in known.items() if index])
    if "last_index" in sets:
        fields["log"] = rewritten(server.log, sets["last_index"][()], sets.get("log", {}))
    return fields


def rewritten(log: Log, last: int, entries: Mapping[tuple[int], Entry]) -> Log:
    """Return a log that ends at `last`, with other entries at some indexes, which are the last ones."""
    if not entries:
        return log.cut(last)
    first = min(entries)[0]
    return log.cut(first - 1).followed_by(entries[index,] for index in range(first, last + 1))
