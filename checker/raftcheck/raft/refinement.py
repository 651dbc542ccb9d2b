"""Refinement: every step of the implementation is a sequence of actions of the specification.

A step of a server may be no action at all, as far as the specification sees it, or several: a message of a newer term
is UpdateTerm and then what the message asks for; InstallSnapshot is AppendEntries with all entries up to the
snapshot's last; TimeoutNow is Timeout; a candidate with enough votes does BecomeLeader, ClientRequest (its
no-op) and AppendEntries in one step. Which actions a step consists of is proposed by `raftcheck.raft.proposals` and
then evaluated: the guards and changes are those of the text in `raftspec.raft`, the state at the end must be the one
that the implementation is in, and every message that it sends must have been sent by one of the actions. So a wrong
proposal can raise a false alarm, but never hide anything.

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

from functools import cache
from typing import Any

from raftcheck.explore import Counterexample
from raftcheck.model import Deliver, ModelError, Property, Step, always_step
from raftcheck.raft.abstraction import View, as_append_entries, evaluator_for, has_counterpart, view_of
from raftcheck.raft.process import Crash, ModelInput, Node
from raftcheck.raft.proposals import Refusal, RefusedError, Seen, Walk, propose, require_equal, require_sent
from raftcheck.raft.whole_logs import whole
from raftimpl.messages import (
    AppendEntries,
    AppendEntriesResponse,
    InstallSnapshot,
    Message,
    RequestVoteResponse,
    TimeoutNow,
)
from raftimpl.state import DurableState
from raftimpl.step import ElectionTimeout

NAME = "Refines the Specification"

REMEMBERED = 100_000
"""How many judgements are kept at most."""


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
        seen = seen_in(before, input, step)
        if seen is None:
            return True
        key = renamed(seen, self.servers)
        if key not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = self._judge(key) is None
        return self._known[key]

    def refusal(self, before: Node, input: ModelInput | Deliver, step: Step) -> Refusal | None:
        """Return why a step is no sequence of actions; None if it is one."""
        seen = seen_in(before, input, step)
        return self._judge(seen) if seen else None

    def explanation(self, before: Node, input: ModelInput | Deliver, step: Step) -> str | None:
        """Return in words why a step is no sequence of actions; None if it is one."""
        refusal = self.refusal(before, input, step)
        return refusal.text if refusal else None

    def _judge(self, seen: Seen) -> Refusal | None:
        walk = Walk(self._evaluator, self.servers, seen)
        try:
            propose(walk, seen)
            require_equal(walk, seen.after)
            require_sent(walk, seen)
        except RefusedError as error:
            return error.refusal
        return None


def seen_in(before: Node, input: ModelInput | Deliver, step: Step) -> Seen | None:
    """Return what the specification sees of a step of the model; None if it sees nothing happen."""
    after: Node = step.state  # type: ignore[assignment]
    if after.server is before.server and not step.sends:
        return None
    n, view, led_to = before.server.id, view_of(before.server), view_of(after.server)
    sends: Any = tuple([sent for sent in step.sends if has_counterpart(sent.message)])  # type: ignore[arg-type]
    if view == led_to and not sends:
        return None
    sends = tuple([replace_snapshot(sent) for sent in sends])
    if isinstance(input, Deliver):
        message: Message = input.message  # type: ignore[assignment]
        if isinstance(message, InstallSnapshot):
            message = as_append_entries(message)
        seen = Seen(n, view, led_to, led_to, type(message), input.sender, message, sends, crashes=False)
    else:
        seen = Seen(n, view, led_to, led_to, type(input), n, None, sends, crashes=False)
    if isinstance(input, Crash):
        return seen._replace(target=view, crashes=True)
    if before.crash_after is not None:
        return seen._replace(target=before_crash(seen, after.disk), crashes=True)
    return seen


def replace_snapshot(sent: tuple[int, Any]) -> tuple[int, Message]:
    """Return what was sent, and to whom; a snapshot as the AppendEntries that it is for the specification."""
    to, message = sent
    return to, as_append_entries(message) if isinstance(message, InstallSnapshot) else message


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
    term, log = disk.current_term, whole(disk.log)
    if seen.sends:
        heard = before.current_term if message is None else message.term
        said = max(sent.term for _, sent in seen.sends)
        term = max(term, before.current_term + (seen.kind is ElectionTimeout), heard, said)
    appends = seen.sent(AppendEntries)
    stays = term == before.current_term
    own_entry = seen.kind in (ElectionTimeout, TimeoutNow, RequestVoteResponse) and len(log) > len(before.log)
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
