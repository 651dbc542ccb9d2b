"""Which actions a step of a server seems to consist of. What is proposed here is evaluated: nothing rests on it.

A wrong proposal can raise a false alarm; it cannot hide anything, for the state at the end must be what was claimed,
and everything that was sent must have been said by an action.
"""

from collections.abc import Callable
from typing import Any

from raftcheck.oracle.trace import messages as msg
from raftcheck.oracle.trace.actions import Append, Refused
from raftcheck.oracle.trace.log import Entry, Log
from raftcheck.oracle.trace.server import members_of
from raftcheck.oracle.trace.steps import Step
from raftcheck.oracle.trace.walk import Walk


def handle(walk: Walk, step: Step, append: Append | None, log: Log) -> None:
    """Take the actions that a step seems to consist of. `append` is what a message contains, `log` the claimed log."""
    change_term(walk, step)
    if step.message is not None and type(step.message) in RECEIVERS:
        RECEIVERS[type(step.message)](walk, step, step.message, append)
    learn_committed(walk, step)
    step_aside(walk, step)
    lead(walk, step, log)
    apply_changes(walk, step)


def change_term(walk: Walk, step: Step) -> None:
    """Propose UpdateTerm for a newer term; Timeout if the server has voted for itself in it as no follower."""
    state, message = step.state, step.message
    starts = state.vote == walk.n and state.role in ("candidate", "leader")
    while walk.now.current_term < state.term:
        is_heard = message is not None and message.term == state.term and not isinstance(message, PRE_VOTES)
        if starts and not is_heard and walk.now.current_term + 1 == state.term:
            apply_changes(walk, step)
            walk.time_out()
        elif starts and not is_heard:
            walk.update_term(state.term - 1)
        else:
            walk.update_term(state.term)


PRE_VOTES = (msg.PreVote, msg.PreVoteResponse)


# What may come of a message


def get_request_vote(walk: Walk, step: Step, message: msg.RequestVote, _: Append | None) -> None:
    """Propose HandleRequestVote if the vote changes or is sent, RefuseVote if a refusal is sent."""
    answers = [sent for sent in step.sends if isinstance(sent, msg.RequestVoteResponse) and sent.to == message.sender]
    votes = any(answer.granted for answer in answers)
    is_noted = step.state.vote == message.sender and walk.now.voted_for != message.sender
    if votes or is_noted or any(answer.term == message.term for answer in answers):
        asked = (message.sender, message.term, message.last_index, message.last_term)
        heard = frozenset([("request_vote", asked)])
        action = "HandleRequestVote" if votes or is_noted else "RefuseVote"
        walk.take(action, heard=heard, c=message.sender, i=message.last_index, u=message.last_term)


def get_pre_vote(walk: Walk, step: Step, message: msg.PreVote, _: Append | None) -> None:
    """Propose HandleRequestPreVote if it is granted. A refusal says nothing."""
    if any(isinstance(sent, msg.PreVoteResponse) and sent.granted for sent in step.sends):
        asked = (message.sender, message.term, message.last_index, message.last_term)
        heard = frozenset([("pre_vote_request", asked)])
        walk.take(
            "HandleRequestPreVote",
            heard=heard,
            c=message.sender,
            t=message.term,
            i=message.last_index,
            u=message.last_term,
        )


def get_vote(walk: Walk, _: Step, message: msg.RequestVoteResponse, __: Append | None) -> None:
    """Count a vote."""
    if message.granted:
        walk.count_vote(message.sender, message.term)


def get_append(walk: Walk, step: Step, message: Any, append: Append | None) -> None:
    """Propose what a follower does with entries: append them, acknowledge what is committed, or refuse them."""
    if append is None or append.term != walk.now.current_term:
        return
    if step.state.role != "candidate":
        walk.hear(append)
    if walk.now.candidate or walk.now.leader:
        return
    answers = [sent for sent in step.sends if isinstance(sent, msg.AppendEntriesResponse) and sent.to == message.sender]
    known = usable(walk.now.log, append) if isinstance(message, msg.InstallSnapshot) else append
    last = known.entries.last
    is_changed = step.log is not None or step.state.commit != walk.now.commit_index
    if is_changed or any(answer.success and answer.index == last for answer in answers):
        if not is_changed and last <= walk.now.commit_index:
            walk.take("AcknowledgeCommitted", append=known, i=last)
        else:
            walk.handle(known)
    for answer in answers:
        if answer.success and answer.index > walk.acknowledged_in(append.term):
            walk.take("AcknowledgeCommitted", append=known, i=answer.index)
        elif not answer.success and answer.term == append.term:
            walk.take("RefuseAppendEntries", append=known)


def usable(log: Log, snapshot: Append) -> Append:
    """Return the part of a snapshot after what the log has in common with it: logs that match there match before."""
    common = log.first_difference(snapshot.entries) - 1
    entries = snapshot.entries.part(common, snapshot.entries.last)
    return snapshot._replace(entries=entries, prev_term=log.term_at(common))


def get_acknowledgement(walk: Walk, _: Step, message: msg.AppendEntriesResponse, __: Append | None) -> None:
    """Count an acknowledgement."""
    if message.success:
        walk.count_acknowledgement(message.sender, message.term, message.index)


RECEIVERS: dict[type, Callable[[Walk, Step, Any, Append | None], None]] = {
    msg.RequestVote: get_request_vote,
    msg.PreVote: get_pre_vote,
    msg.RequestVoteResponse: get_vote,
    msg.AppendEntries: get_append,
    msg.Heartbeat: get_append,
    msg.InstallSnapshot: get_append,
    msg.AppendEntriesResponse: get_acknowledgement,
}


def learn_committed(walk: Walk, step: Step) -> None:
    """Propose LearnCommitted if the commit index becomes what a message about votes tells."""
    message = step.message
    if isinstance(message, ABOUT_VOTES) and step.state.commit == message.commit > walk.now.commit_index:
        heard = frozenset([("told_committed", (message.commit, message.commit_term))])
        walk.take("LearnCommitted", heard=heard, i=message.commit, u=message.commit_term)


ABOUT_VOTES = (msg.RequestVote, msg.RequestVoteResponse, msg.PreVote, msg.PreVoteResponse)


# What a server does by itself


def step_aside(walk: Walk, step: Step) -> None:
    """Propose StepAside if a candidate or leader follows without having heard from a leader."""
    if (walk.now.candidate or walk.now.leader) and step.state.role in ("follower", "pre-candidate"):
        walk.take("StepAside")


def lead(walk: Walk, step: Step, log: Log) -> None:
    """Propose what a leader does: become it, append to its log, commit."""
    if step.state.role != "leader":
        return
    if not walk.now.leader:
        walk.become_leader()
    if not log.first_difference(walk.now.log) > walk.now.log.last:
        raise Refused("Leader Append-Only", f"the leader's log is {walk.now.log}, and {log} is claimed")
    for index in range(walk.now.log.last + 1, log.last + 1):
        apply_changes_before(walk, step, log.entry(index))
        walk.append_entry(log.entry(index))
    walk.count_own()
    while walk.now.commit_index < step.state.commit:
        commit(walk, step)


def commit(walk: Walk, step: Step) -> None:
    """Advance the commit index as far as is claimed; if that needs a change of the configuration, up to that first."""
    change = walk.next_change()
    try:
        walk.commit(step.state.commit)
    except Refused:
        if not 0 < change <= step.state.commit:
            raise
        if change > walk.now.commit_index:
            walk.commit(change)
        apply_change(walk, change)


def apply_changes_before(walk: Walk, step: Step, entry: Entry) -> None:
    """Before a change is appended, the ones before it are in force."""
    if entry.change is not None:
        apply_changes(walk, step)


def apply_changes(walk: Walk, step: Step) -> None:
    """Put changes that are committed in force: up to the claimed configuration; if none is claimed, all."""
    claimed = step.state.configuration
    wanted = members_of(claimed)
    while walk.now.configuration != wanted and 0 < walk.next_change() <= walk.now.commit_index:
        apply_change(walk, walk.next_change())


def apply_change(walk: Walk, index: int) -> None:
    """Put a change in force."""
    walk.apply_change(index, walk.now.log.change_at(index))


# What a server says


def say(walk: Walk, step: Step, message: msg.Message) -> Append | None:
    """Raise Refused unless an action says what a message says; return what it contains, if it is of entries."""
    kind = type(message)
    if kind not in (msg.PreVote, msg.PreVoteResponse, msg.Other) and message.term != walk.now.current_term:
        raise Refused(TERMS, f"in term {walk.now.current_term} it sends a message of term {message.term}")
    if isinstance(message, ABOUT_VOTES) and (message.commit or message.commit_term):
        walk.take("TellCommitted", i=message.commit)
        require_said(walk, "TellCommitted", ("told_committed", (message.commit, message.commit_term)))
    return SENDERS[kind](walk, step, message) if kind in SENDERS else None


TERMS = "section 5.1: servers communicate their current terms"


def say_request_vote(walk: Walk, _: Step, message: msg.RequestVote) -> None:
    """Ask for a vote."""
    walk.take("RequestVote")
    require_said(walk, "RequestVote", ("request_vote", (walk.n, message.term, message.last_index, message.last_term)))


def say_vote(walk: Walk, _: Step, message: msg.RequestVoteResponse) -> None:
    """Give a vote: now, or again."""
    vote = ("vote", (walk.n, message.term, message.to))
    if message.granted and walk.now.voted_for != message.to:
        require_said(walk, "HandleRequestVote", vote)
    if not message.granted and vote in walk.said:
        raise Refused("RefuseVote", f"it votes for {message.to}, and says that it does not")


def say_pre_vote(walk: Walk, _: Step, message: msg.PreVote) -> None:
    """Ask whether there would be a vote."""
    walk.take("RequestPreVote", t=message.term)
    asked = ("pre_vote_request", (walk.n, message.term, message.last_index, message.last_term))
    require_said(walk, "RequestPreVote", asked)


def say_pre_vote_response(walk: Walk, _: Step, message: msg.PreVoteResponse) -> None:
    """Say that there would be one."""
    if message.granted:
        require_said(walk, "HandleRequestPreVote", ("pre_vote", (walk.n, message.term, message.to)))


def require_said(walk: Walk, action: str, fact: Any) -> None:
    """Raise Refused unless an action of this step has said something."""
    if fact not in walk.said:
        said = [f"{name}{at}" for name, at in walk.said if name == fact[0]]
        raise Refused(action, f"{fact[0]}{fact[1]} is said; the actions of this step say {', '.join(said) or 'none'}")


def say_append(walk: Walk, _: Step, message: msg.AppendEntries) -> Append:
    """Send entries."""
    entries = (Entry(e.term, members_of(e.configuration)) for e in message.entries)
    content = Log(message.prev_index, message.prev_index).followed_by(entries)
    append = Append(message.term, walk.n, message.prev_term, content, message.commit)
    walk.send(append)
    return append


def say_heartbeat(walk: Walk, _: Step, message: msg.Heartbeat) -> Append:
    """Send a heartbeat: AppendEntries without entries at what it calls committed."""
    walk.take("Heartbeat", p=message.to, commit=message.commit)
    log = walk.now.log
    append = Append(message.term, walk.n, log.term_at(message.commit), log.part(message.commit, message.commit),
                    message.commit)  # fmt: skip
    walk.send(append)
    return append


def say_snapshot(walk: Walk, _: Step, message: msg.InstallSnapshot) -> Append:
    """Send a snapshot: all entries up to its index, as committed."""
    log = walk.now.log
    if log.term_at(message.index) != message.index_term:
        reason = f"the entry at {message.index} is of term {log.term_at(message.index)}, not {message.index_term}"
        raise Refused("AppendEntries", reason)
    known = next((change for at, change in reversed(log.changes) if at <= message.index), walk.now.had[0][1])
    if message.configuration is not None and members_of(message.configuration) != known:
        reason = f"at {message.index} the configuration is {known}, not {members_of(message.configuration)}"
        raise Refused("ApplyConfiguration", reason)
    walk.send(Append(message.term, walk.n, message.index_term, log.part(message.index, message.index), message.index))
    return Append(message.term, walk.n, 0, log.part(0, message.index), message.index)


def say_acknowledgement(walk: Walk, _: Step, message: msg.AppendEntriesResponse) -> None:
    """Acknowledge entries: as many as were acknowledged in this term, or fewer."""
    most = walk.acknowledged_in(message.term)
    if message.success and message.index > most:
        raise Refused("HandleAppendEntries", f"index {message.index} is acknowledged, and the log matches up to {most}")


SENDERS: dict[type, Callable[[Walk, Step, Any], Append | None]] = {
    msg.RequestVote: say_request_vote,
    msg.RequestVoteResponse: say_vote,
    msg.PreVote: say_pre_vote,
    msg.PreVoteResponse: say_pre_vote_response,
    msg.AppendEntries: say_append,
    msg.Heartbeat: say_heartbeat,
    msg.InstallSnapshot: say_snapshot,
    msg.AppendEntriesResponse: say_acknowledgement,
}
