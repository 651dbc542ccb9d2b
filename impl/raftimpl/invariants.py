"""What must be true of every single step, whatever happens around the server.

The checker checks these on every step that it executes; whoever drives the core for real calls
`require_invariants` and stops the server if one is broken.
"""

from collections.abc import Callable

from raftimpl.errors import InvariantViolationError
from raftimpl.log import Log
from raftimpl.state import Role, ServerState, durable
from raftimpl.step import Persist, Step


def terms_never_go_back(before: ServerState, step: Step) -> bool:
    """current_term increases monotonically (Figure 2, State)."""
    return step.state.current_term >= before.current_term


def commit_index_never_goes_back(before: ServerState, step: Step) -> bool:
    """commit_index increases monotonically while the server is up (Figure 2, State)."""
    return step.state.commit_index >= before.commit_index


def match_index_never_goes_back(before: ServerState, step: Step) -> bool:
    """match_index increases monotonically while the server leads a term (Figure 2, State)."""
    after = step.state
    if not (leads(before) and leads(after) and before.current_term == after.current_term):
        return True
    return all(old <= new for old, new in zip(before.match_index, after.match_index, strict=True))


def next_index_follows_match_index(before: ServerState, step: Step) -> bool:
    """A leader never sends again what a follower is known to have: next_index is above match_index (section 5.3)."""
    after = step.state
    followers = [server for server in range(len(after.next_index)) if server != after.id]
    return all(after.next_index[server] > after.match_index[server] for server in followers)


def one_vote_a_term(before: ServerState, step: Step) -> bool:
    """A vote, once given, stays for the term (section 5.2)."""
    after = step.state
    return before.current_term != after.current_term or before.voted_for is None or before.voted_for == after.voted_for


def leader_append_only(before: ServerState, step: Step) -> bool:
    """A leader never overwrites or deletes entries in its log, it only appends (section 5.3)."""
    if not (leads(step.state) and leads(before)):
        return True
    return has_entries_of(step.state.log, before.log, before.log.last_index)


def committed_entries_stay(before: ServerState, step: Step) -> bool:
    """Entries up to commit_index are in the log, or a snapshot stands for them; they never change (section 5.4)."""
    after = step.state
    is_there = after.log.snapshot.last_included_index <= after.commit_index <= after.log.last_index
    return is_there and has_entries_of(after.log, before.log, before.commit_index)


def snapshots_only_advance(before: ServerState, step: Step) -> bool:
    """A snapshot gives way only to one that goes further (section 7)."""
    old, new = before.log.snapshot, step.state.log.snapshot
    return new == old or new.last_included_index > old.last_included_index


def persist_first(before: ServerState, step: Step) -> bool:
    """What changes durably is written at once and before anything else is done (Figure 2, State)."""
    changed = durable(before) != durable(step.state)
    writes = [isinstance(output, Persist) for output in step.outputs]
    return writes == [changed and position == 0 for position in range(len(writes))] and any(writes) == changed


def has_entries_of(log: Log, other: Log, last: int) -> bool:
    """Tell whether a log has the entries of another one up to `last`, as far as both still have them."""
    first = max(log.first_index, other.first_index)
    return log.after(first - 1, last + 1 - first) == other.after(first - 1, last + 1 - first) if first <= last else True


def leads(state: ServerState) -> bool:
    """Tell whether the server is a leader."""
    return state.role is Role.LEADER


INVARIANTS: dict[str, Callable[[ServerState, Step], bool]] = {
    "Terms Never Go Back": terms_never_go_back,
    "Commit Index Never Goes Back": commit_index_never_goes_back,
    "Match Index Never Goes Back": match_index_never_goes_back,
    "Next Index Follows Match Index": next_index_follows_match_index,
    "One Vote a Term": one_vote_a_term,
    "Leader Append-Only": leader_append_only,
    "Committed Entries Stay": committed_entries_stay,
    "Snapshots Only Advance": snapshots_only_advance,
    "Persist First": persist_first,
}


def require_invariants(before: ServerState, step: Step) -> None:
    """Raise InvariantViolationError, naming the invariant and the server, if the step breaks one."""
    for name, holds in INVARIANTS.items():
        if not holds(before, step):
            raise InvariantViolationError(
                f"server {before.id} breaks {name!r}: {summary(before)} became {summary(step.state)}"
            )


def summary(state: ServerState) -> str:
    """Return what a server is, without what clients have written."""
    log = state.log
    return (
        f"({state.role.value} of term {state.current_term}, voted for {state.voted_for},"
        f" log {log.first_index} to {log.last_index} ending in term {log.last_term}, committed {state.commit_index})"
    )
