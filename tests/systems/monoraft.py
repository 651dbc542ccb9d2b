"""A minimal Raft with a monotone message set, as specified in a TLA+ module whose states TLC has counted.

Servers start in term 1. A vote request is sent to every other server at once; learning of a newer term and
stepping down are steps of their own, which leave the message where it is. There is no client value and no
history, so that the number of reachable states is unambiguous.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from raftcheck import Deliver, Network, Send, Step, System


class Server(NamedTuple):
    id: int
    term: int = 1
    role: str = "F"
    voted_for: int | None = None
    log: tuple[int, ...] = ()
    commit: int = 0
    votes: frozenset[int] = frozenset()
    next: tuple[int, ...] = ()
    match: tuple[int, ...] = ()


class VoteRequest(NamedTuple):
    term: int
    last_index: int
    last_term: int


class Vote(NamedTuple):
    term: int


class Append(NamedTuple):
    term: int
    prev: int
    prev_term: int
    entries: tuple[int, ...]
    commit: int


class Reply(NamedTuple):
    term: int
    ok: bool
    index: int


def last_term(log: tuple[int, ...]) -> int:
    return log[-1] if log else 0


class MonoRaft:
    def __init__(self, servers: int, max_term: int, max_log: int, restarts: bool) -> None:
        self.servers, self.max_term, self.max_log, self.restarts = servers, max_term, max_log, restarts
        self.none = (1,) * servers, (0,) * servers

    def initial(self, pid: int) -> Server:
        return Server(pid, next=self.none[0], match=self.none[1])

    def inputs(self, s: Server) -> Iterator[Any]:
        yield from ("timeout", "become leader", "client request", "advance commit", "restart")
        yield from (("append", j) for j in range(self.servers) if j != s.id)

    def step(self, s: Server, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return self.receive(s, input.sender, input.message)
        if isinstance(input, tuple):
            return self.append(s, input[1])
        return {
            "timeout": self.timeout,
            "become leader": self.become_leader,
            "client request": self.client_request,
            "advance commit": self.advance_commit,
            "restart": self.restart,
        }[input](s)

    def is_quorum(self, count: int) -> bool:
        return 2 * count > self.servers

    def timeout(self, s: Server) -> Step | None:
        if s.role == "L" or s.term >= self.max_term:
            return None
        after = s._replace(term=s.term + 1, role="C", voted_for=s.id, votes=frozenset([s.id]))
        request = VoteRequest(after.term, len(s.log), last_term(s.log))
        return Step(after, tuple(Send(j, request) for j in range(self.servers) if j != s.id))

    def become_leader(self, s: Server) -> Step | None:
        if s.role != "C" or not self.is_quorum(len(s.votes)):
            return None
        following = (len(s.log) + 1,) * self.servers
        return Step(s._replace(role="L", votes=frozenset(), next=following, match=self.none[1]))

    def client_request(self, s: Server) -> Step | None:
        if s.role != "L" or len(s.log) >= self.max_log:
            return None
        return Step(s._replace(log=(*s.log, s.term)))

    def append(self, s: Server, j: int) -> Step | None:
        if s.role != "L":
            return None
        prev = s.next[j] - 1
        entries = s.log[prev : prev + 1]
        prev_term = s.log[prev - 1] if prev else 0
        message = Append(s.term, prev, prev_term, entries, min(s.commit, prev + len(entries)))
        return Step(s, (Send(j, message),))

    def advance_commit(self, s: Server) -> Step | None:
        agreed = [
            n
            for n in range(1, len(s.log) + 1)
            if self.is_quorum(len({s.id} | {k for k in range(self.servers) if s.match[k] >= n}))
        ]
        if s.role != "L" or not agreed or s.log[max(agreed) - 1] != s.term or max(agreed) <= s.commit:
            return None
        return Step(s._replace(commit=max(agreed)))

    def restart(self, s: Server) -> Step | None:
        if not self.restarts or (s.role == "F" and s.commit == 0):
            return None
        return Step(s._replace(role="F", commit=0, votes=frozenset(), next=self.none[0], match=self.none[1]))

    def receive(self, s: Server, sender: int, m: Any) -> Step | None:
        if m.term > s.term:
            follower = s._replace(term=m.term, role="F", voted_for=None, votes=frozenset())
            return Step(follower._replace(next=self.none[0], match=self.none[1]))
        if m.term < s.term:
            return None
        handlers: dict[type, Any] = {
            VoteRequest: self.grant_vote,
            Vote: self.count_vote,
            Append: self.accept,
            Reply: self.handle_reply,
        }
        step: Step | None = handlers[type(m)](s, sender, m)
        return step

    def grant_vote(self, s: Server, sender: int, m: VoteRequest) -> Step | None:
        if s.voted_for is not None or (m.last_term, m.last_index) < (last_term(s.log), len(s.log)):
            return None
        return Step(s._replace(voted_for=sender), (Send(sender, Vote(s.term)),))

    def count_vote(self, s: Server, sender: int, _: Vote) -> Step | None:
        return Step(s._replace(votes=s.votes | {sender})) if s.role == "C" else None

    def accept(self, s: Server, sender: int, m: Append) -> Step | None:
        if s.role == "C":
            return Step(s._replace(role="F", votes=frozenset()))
        if s.role != "F":
            return None
        if m.prev and not (m.prev <= len(s.log) and s.log[m.prev - 1] == m.prev_term):
            return Step(s, (Send(sender, Reply(s.term, False, m.prev)),))
        end = m.prev + len(m.entries)
        has_it = not m.entries or (len(s.log) >= end and s.log[end - 1] == m.entries[0])
        log = s.log if has_it else s.log[: m.prev] + m.entries
        return Step(s._replace(log=log, commit=max(s.commit, m.commit)), (Send(sender, Reply(s.term, True, end)),))

    def handle_reply(self, s: Server, sender: int, m: Reply) -> Step | None:
        if s.role != "L":
            return None
        if m.ok and m.index > s.match[sender]:
            return Step(s._replace(match=put(s.match, sender, m.index), next=put(s.next, sender, m.index + 1)))
        if not m.ok and m.index == s.next[sender] - 1:
            return Step(s._replace(next=put(s.next, sender, s.next[sender] - 1)))
        return None


def put(values: tuple[int, ...], position: int, value: int) -> tuple[int, ...]:
    return (*values[:position], value, *values[position + 1 :])


def relabel(value: Any, permutation: tuple[int, ...]) -> Any:
    if isinstance(value, Server):
        return value._replace(
            id=permutation[value.id],
            voted_for=None if value.voted_for is None else permutation[value.voted_for],
            votes=frozenset(permutation[v] for v in value.votes),
            next=tuple(value.next[permutation.index(i)] for i in range(len(permutation))),
            match=tuple(value.match[permutation.index(i)] for i in range(len(permutation))),
        )
    if isinstance(value, tuple) and value[:1] == ("append",):
        return ("append", permutation[value[1]])
    return value


def monoraft(servers: int = 3, max_term: int = 2, max_log: int = 1, restarts: bool = False) -> System:
    process = MonoRaft(servers, max_term, max_log, restarts)
    return System([process] * servers, Network.LOSSY_DUPLICATING, relabel=relabel)
