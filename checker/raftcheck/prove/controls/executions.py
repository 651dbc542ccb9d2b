"""Executions of the specification: runs of actions from the initial state, every guard checked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from raftspec.concrete import Concrete, State, Value
from raftspec.logic import Apply, Claim, Expression, Function, SpecificationError, parts
from raftspec.raft import append_entry, append_last, append_prev, current_term, last_index, log, request_vote, term_of


class Step(NamedTuple):
    """An action that happened, with the values of its parameters by name."""

    action: str
    arguments: Mapping[str, Value]

    def __str__(self) -> str:
        return f"{self.action}({', '.join(f'{name}={shown(value)}' for name, value in self.arguments.items())})"


def shown(value: Value) -> str:
    """Return a value as text; a quorum as the set that it is."""
    return "{" + ", ".join(map(str, sorted(value))) + "}" if isinstance(value, frozenset) else str(value)


class GuardError(Exception):
    """A guard does not let an action happen. `position` counts the steps before it."""

    def __init__(self, step: Step, guard: str, position: int) -> None:
        super().__init__(f"after {position} steps, {step} may not happen: {guard!r} is not so")
        self.step, self.guard, self.position = step, guard, position


@cache
def speaks_of_after(formula: Expression) -> bool:
    """Tell whether a formula is about two consecutive states."""
    return any(isinstance(part, Apply) and part.is_after for part in parts(formula))


class Run:
    """An execution: the steps so far, the state that they lead to, and the one before the last step.

    `initial`: values of functions that the specification lets begin as anything, where they are not the usual ones.
    """

    def __init__(self, concrete: Concrete, initial: State | None = None) -> None:
        self.concrete = concrete
        self.initial: State = {**concrete.initial(), **(initial or {})}
        self.state: State = self.initial
        self.before: State = self.initial
        self.steps: list[Step] = []

    def perform(self, action: str, **arguments: Value) -> None:
        """Let an action happen. Raises GuardError if it may not, SpecificationError if it leaves the universe."""
        self.take(Step(action, arguments))

    def take(self, step: Step) -> None:
        """Take a step. Raises as `perform` does."""
        action = self.concrete.specification.action(step.action)
        for parameter in action.parameters:
            value, sort = step.arguments[parameter.name], parameter.sort
            if value not in self.concrete.universe.domain(sort):
                raise GuardError(step, f"{shown(value)} is a {sort.name}", len(self.steps))
        guard = self.concrete.refusal(action, self.state, step.arguments)
        if guard is not None:
            raise GuardError(step, guard, len(self.steps))
        after = self.concrete.after(action, self.state, step.arguments)
        self.before, self.state = self.state, after
        self.steps.append(step)

    def now(self, function: Function, *arguments: Value) -> Value:
        """Return the value of a function of the state."""
        return self.state[function.name].get(arguments, self.concrete.default(function))

    def number(self, function: Function, *arguments: Value) -> int:
        """Return the value of a function whose values are numbers."""
        value = self.now(function, *arguments)
        if not isinstance(value, int):
            raise SpecificationError(f"{function.name} is no number: {value!r}")
        return value

    def broken(self, claims: Iterable[Claim]) -> list[str]:
        """Return the names of those claims that the state contradicts or, if they speak of steps, the last step."""
        found = []
        for claim in claims:
            state = self.before if speaks_of_after(claim.formula) else self.state
            found += self.concrete.broken([claim], state, self.state)
        return found


class Cluster(Run):
    """A run with the moves that executions are usually made of. Servers are numbers, entries are (term, value)."""

    def __init__(self, concrete: Concrete, initial: State | None = None) -> None:
        super().__init__(concrete, initial)
        self.messages = 0

    def hear(self, n: int, t: int) -> None:
        """Let a server take up a term unless it is there already."""
        if self.number(current_term, n) < t:
            self.perform("UpdateTerm", n=n, t=t)

    def campaign(self, c: int, term: int | None = None) -> None:
        """Let a server become a candidate and ask for votes, in a given term or in its next one."""
        if term is not None and self.number(current_term, c) < term - 1:
            self.hear(c, term - 1)
        self.perform("Timeout", n=c)
        self.perform("RequestVote", n=c)

    def give_vote(self, v: int, c: int, i: int | None = None, u: int | None = None) -> None:
        """Let a server vote in a candidate's term: for a log of length i that ends with term u, by default as shown."""
        term = self.number(current_term, c)
        self.hear(v, term)
        shown_length, shown_end = self.shown(c, term)
        self.perform("HandleRequestVote", n=v, c=c, i=shown_length if i is None else i, u=shown_end if u is None else u)

    def shown(self, c: int, term: int) -> tuple[Value, Value]:
        """Return the length and the last term that a candidate shows in its latest request of a term."""
        found = [(i, u) for server, t, i, u in self.state[request_vote.name] if (server, t) == (c, term)]
        return found[-1] if found else (0, 0)

    def count_vote(self, c: int, v: int, t: int | None = None) -> None:
        """Let a candidate count a vote given in a term, by default in its own."""
        self.perform("HandleVote", n=c, v=v, t=self.number(current_term, c) if t is None else t)

    def lead(self, c: int, *voters: int) -> None:
        """Let a candidate become leader by the votes of a quorum: these servers."""
        self.perform("BecomeLeader", n=c, q=frozenset(voters))

    def elect(self, c: int, *voters: int, term: int | None = None, u: int | None = None, i: int | None = None) -> None:
        """Elect a server with its own vote and those of the voters. `i` and `u` as in `give_vote`."""
        self.campaign(c, term)
        for v in voters:
            self.give_vote(v, c, i, u)
            self.count_vote(c, v)
        self.lead(c, c, *voters)

    def append(self, n: int, value: int = 0, term: int | None = None) -> None:
        """Let a leader append an entry, of its term unless another one is given."""
        self.perform("ClientRequest", n=n, e=(self.number(current_term, n) if term is None else term, value))

    def send(self, n: int, prev: int, last: int, commit: int = 0) -> int:
        """Let a leader send entries after prev up to last, and its commit index; return the message."""
        message = self.messages
        self.messages += 1
        self.perform("AppendEntries", n=n, m=message, prev=prev, last=last, commit=commit)
        return message

    def handle(self, n: int, m: int, k: int | None = None) -> None:
        """Let a server handle AppendEntries, and take up its term first: from index k, by default the right one."""
        self.perform("HandleAppendEntries", n=n, m=m, k=self.first_conflict(n, m) if k is None else k)

    def first_conflict(self, n: int, m: int) -> int:
        """Return the first index at which a log lacks or contradicts a message, else the one after its last entry."""
        last, length = self.number(append_last, m), self.number(last_index, n)
        term = self.concrete.universe.constants[term_of.name]
        for index in range(self.number(append_prev, m) + 1, last + 1):
            if index > length or term(self.now(log, n, index)) != term(self.now(append_entry, m, index)):
                return index
        return last + 1

    def acknowledge(self, n: int, p: int, i: int, u: int | None = None) -> None:
        """Let a leader handle a follower's acknowledgement, of the leader's term unless another one is given."""
        self.perform("HandleAcknowledgement", n=n, p=p, i=i, u=self.number(current_term, n) if u is None else u)

    def replicate(self, n: int, p: int, prev: int, last: int, commit: int = 0) -> None:
        """Send entries to a follower that handles them, and let the leader handle the acknowledgement."""
        message = self.send(n, prev, last, commit)
        self.hear(p, self.number(current_term, n))
        self.handle(p, message)
        self.acknowledge(n, p, last)

    def commit(self, n: int, i: int, *others: int) -> None:
        """Let a leader commit up to an index, by the quorum that it forms with others."""
        self.perform("AdvanceCommitIndex", n=n, i=i, q=frozenset((n, *others)))


def replayed(concrete: Concrete, steps: Iterable[Step], initial: State | None = None) -> Run:
    """Return the run that these steps make. Raises as `Run.perform` does."""
    run = Run(concrete, initial)
    for step in steps:
        run.take(step)
    return run


def shortened(concrete: Concrete, steps: Sequence[Step], is_kept: Callable[[Run], bool], initial: State | None) -> Run:
    """Return a run of which no single step can be left out: without it a guard refuses, or the end is not as wanted."""
    run = replayed(concrete, steps, initial)
    position = len(run.steps) - 1
    while position >= 0:
        shorter = attempted(concrete, [*run.steps[:position], *run.steps[position + 1 :]], initial)
        if shorter is not None and is_kept(shorter):
            run, position = shorter, len(shorter.steps)
        position -= 1
    return run


def attempted(concrete: Concrete, steps: Sequence[Step], initial: State | None) -> Run | None:
    """Return the run that these steps make, None if they do not make one."""
    try:
        return replayed(concrete, steps, initial)
    except (GuardError, SpecificationError):
        return None
