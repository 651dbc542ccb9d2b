"""Raft as it is run: abstract Raft with what `raftspec.raft` leaves out, for judging what implementations do.

Added are changes of the membership, one server at a time or by joint consensus (thesis, chapter 4; as in etcd, a change
counts for a server when it applies the entry), the PreVote phase (thesis, 9.6), heartbeats that carry only a commit
index, refusals, entries that are learned to be committed in other ways, and candidates that give up. Nothing of it is
proved: only `raftspec.raft` is. Walks and explorations check that it keeps the promises of `raftspec.safety`.

What needs no rule of its own: snapshots and leader transfer, as `raftspec.raft` says; a learner is a server that is no
voter of the configuration.
"""

from collections.abc import Mapping
from dataclasses import replace

from raftspec.logic import (
    BOOLEAN,
    FALSE,
    TRUE,
    Action,
    Assignment,
    Expression,
    Function,
    Kind,
    Sort,
    Specification,
    Variable,
    all_of,
    any_of,
    for_all,
    if_else,
    implies,
)
from raftspec.raft import (
    ACTIONS,
    ADVANCE_COMMIT_INDEX,
    AXIOMS,
    BECOME_LEADER,
    CLIENT_REQUEST,
    ENTRY,
    FUNCTIONS,
    HANDLE_REQUEST_VOTE,
    INDEX,
    QUORUM,
    RESTART,
    SERVER,
    STEP_ASIDE,
    TERM,
    TIMEOUT,
    UPDATE_TERM,
    acknowledgement,
    append_prev,
    append_prev_term,
    append_sent,
    append_term,
    c,
    candidate,
    commit,
    commit_index,
    current_term,
    e,
    i,
    j,
    k,
    last_index,
    last_term,
    leader,
    log,
    m,
    match_index,
    member,
    n,
    p,
    q,
    t,
    term_of,
    u,
    voted,
    voted_for,
)
from raftspec.safety import SAFETY, STEPS

CONFIGURATION = Sort("Configuration")

g = Variable("g", CONFIGURATION)

# What never changes

is_voter = Function(
    "is_voter", (SERVER, CONFIGURATION), BOOLEAN, Kind.CONSTANT,
    "Server n votes in the configuration; while it changes, also in the one that was.",
)  # fmt: skip
is_quorum_of = Function(
    "is_quorum_of", (QUORUM, CONFIGURATION), BOOLEAN, Kind.CONSTANT,
    "The servers of q are a majority of its voters; while it changes, also of the voters that were.",
)  # fmt: skip
may_follow = Function(
    "may_follow", (CONFIGURATION, CONFIGURATION), BOOLEAN, Kind.CONSTANT,
    "From one to the other at most one voter comes or goes, or the step is one into or out of joint consensus.",
)  # fmt: skip
changes_configuration = Function(
    "changes_configuration", (ENTRY,), BOOLEAN, Kind.CONSTANT, "The entry changes the configuration."
)
leads_to = Function(
    "leads_to", (ENTRY, CONFIGURATION, CONFIGURATION), BOOLEAN, Kind.CONSTANT,
    "Applied in the one configuration, the entry gives the other.",
)  # fmt: skip

# What each server knows

configuration = Function(
    "configuration", (SERVER,), CONFIGURATION, Kind.VOLATILE, "The configuration that is in force for server n."
)
configuration_index = Function(
    "configuration_index", (SERVER,), INDEX, Kind.VOLATILE,
    "It has applied the changes of the configuration up to here.", 0,
)  # fmt: skip

# What was ever said

reached = Function("reached", (TERM,), BOOLEAN, Kind.MESSAGE, "A server has started an election in term t.", False)
in_force = Function(
    "in_force", (SERVER, INDEX, CONFIGURATION), BOOLEAN, Kind.MESSAGE,
    "A configuration was in force for server n when it had applied the changes up to index i.", False,
)  # fmt: skip
told_committed = Function(
    "told_committed", (INDEX, TERM), BOOLEAN, Kind.MESSAGE,
    "A server has told that the entry of term u at index i is committed.", False,
)  # fmt: skip
pre_vote_request = Function(
    "pre_vote_request", (SERVER, TERM, INDEX, TERM), BOOLEAN, Kind.MESSAGE,
    "Server c asks whether it would get votes in term t; its log ends at index i with an entry of term u.", False,
)  # fmt: skip
pre_vote = Function(
    "pre_vote", (SERVER, TERM, SERVER), BOOLEAN, Kind.MESSAGE, "Server v would vote in term t for c.", False
)


def with_guards(action: Action, guards: Mapping[str, Expression], *more: Assignment) -> Action:
    """Return an action with further guards and assignments."""
    return replace(action, guard={**action.guard, **guards}, update=(*action.update, *more))


def with_assignment(action: Action, changed: Assignment) -> Action:
    """Return an action with the assignment to a function replaced."""
    kept = (a for a in action.update if a.function.name != changed.function.name)
    return replace(action, update=(*kept, changed))


# Elections

EXTENDED_TIMEOUT = with_guards(
    TIMEOUT,
    {
        "it is a voter of its configuration": is_voter[n, configuration[n]],
        "the changes that it knows to be committed are in force": for_all(
            [j],
            implies(all_of(configuration_index[n] < j, j <= commit_index[n]), ~changes_configuration[log[n, j]]),
        ),
        "of the others it has one at most": for_all(
            [j, k],
            implies(
                all_of(configuration_index[n] < j, j < k, k <= last_index[n], changes_configuration[log[n, k]]),
                ~changes_configuration[log[n, j]],
            ),
        ),
    },
    reached[current_term[n] + 1].becomes(TRUE),
)
EXTENDED_UPDATE_TERM = with_guards(UPDATE_TERM, {"some server has started an election in it": reached[t]})
EXTENDED_BECOME_LEADER = with_assignment(
    with_guards(BECOME_LEADER, {"it is a quorum of the server's configuration": is_quorum_of[q, configuration[n]]}),
    match_index[n, p].becomes(if_else(p == n, last_index[n], 0)),
)
UP_TO_DATE = "the candidate's log is at least as up to date as the server's"

REFUSE_VOTE = Action(
    "RefuseVote",
    "A server does not vote for a candidate. It may have any reason; but to whom it has given its vote, it gives it "
    "again, unless it has got later entries since.",
    "section 5.2",
    (n, c, i, u),
    guard={
        "the candidate asks in the server's term": HANDLE_REQUEST_VOTE.guard["the candidate asks in the server's term"],
        "the server has not voted for the candidate, or has a later log": any_of(
            ~voted[n], ~(voted_for[n] == c), ~HANDLE_REQUEST_VOTE.guard[UP_TO_DATE]
        ),
    },
    update=(),
)
REQUEST_PRE_VOTE = Action(
    "RequestPreVote",
    "A server asks whether it would win an election in a later term, and changes nothing.",
    "thesis, section 9.6",
    (n, t),
    guard={"it does not lead": ~leader[n], "the term is later": t > current_term[n]},
    update=(pre_vote_request[n, t, last_index[n], last_term(n)].becomes(TRUE),),
)
HANDLE_REQUEST_PRE_VOTE = Action(
    "HandleRequestPreVote",
    "A server says that it would vote, if the log is up to date; it changes nothing, and may say so to several.",
    "thesis, section 9.6",
    (n, c, t, i, u),
    guard={
        "the server asks": pre_vote_request[c, t, i, u],
        "the term is not older than the server's": t >= current_term[n],
        "the log is at least as up to date as the server's": HANDLE_REQUEST_VOTE.guard[UP_TO_DATE],
    },
    update=(pre_vote[n, t, c].becomes(TRUE),),
)
EXTENDED_STEP_ASIDE = replace(
    STEP_ASIDE,
    meaning="A candidate that cannot win, or a leader that hears of no quorum, becomes a follower of its own term.",
    guard={"it is a candidate or leads": any_of(candidate[n], leader[n])},
    update=(candidate[n].becomes(FALSE), *STEP_ASIDE.update),
)

# Log replication

HEARTBEAT = Action(
    "Heartbeat",
    "A leader tells a follower how much is committed of what it is known to have.",
    "section 5.2; etcd, where a heartbeat carries no place in the log",
    (n, p, commit),
    guard={
        "it leads": leader[n],
        "it knows as much to be committed": all_of(commit >= 0, commit <= commit_index[n]),
        "it knows the follower to have as much": commit <= match_index[n, p],
    },
    update=(),
)
REFUSE_APPEND_ENTRIES = Action(
    "RefuseAppendEntries",
    "A follower refuses entries whose predecessor it does not have.",
    "section 5.3; Figure 2, AppendEntries",
    (n, m),
    guard={
        "AppendEntries was sent": append_sent[m],
        "by the leader of the server's term": append_term[m] == current_term[n],
        "its log lacks the entry before the new ones": all_of(
            append_prev[m] >= 1,
            any_of(append_prev[m] > last_index[n], ~(term_of[log[n, append_prev[m]]] == append_prev_term[m])),
        ),
    },
    update=(),
)
ACKNOWLEDGE_COMMITTED = Action(
    "AcknowledgeCommitted",
    "A follower that gets entries of which it knows later ones as committed tells the leader that it has those.",
    "section 5.4: every leader of its term or a later one has them",
    (n, m, i),
    guard={
        "AppendEntries was sent": append_sent[m],
        "by the leader of the server's term": append_term[m] == current_term[n],
        "the server is a follower": all_of(~leader[n], ~candidate[n]),
        "it knows as much to be committed": all_of(i >= 0, i <= commit_index[n]),
    },
    update=(acknowledgement[n, current_term[n], i].becomes(TRUE),),
)
ACKNOWLEDGE_OWN = Action(
    "AcknowledgeOwn",
    "A leader has entries of its own on its disk, and counts itself among those that have them.",
    "thesis, section 10.2.1",
    (n, i),
    guard={"it leads": leader[n], "it has the entries": all_of(i >= 0, i <= last_index[n])},
    update=(acknowledgement[n, current_term[n], i].becomes(TRUE),),
)
EXTENDED_ADVANCE_COMMIT_INDEX = replace(
    ADVANCE_COMMIT_INDEX,
    guard={
        **ADVANCE_COMMIT_INDEX.guard,
        "every server of a quorum has it": for_all([p], implies(member[p, q], match_index[n, p] >= i), [member[p, q]]),
        "it is a quorum of the leader's configuration": is_quorum_of[q, configuration[n]],
    },
)

TELL_COMMITTED = Action(
    "TellCommitted",
    "A server tells of an entry that it knows as committed, and its term: whoever has it may know, too.",
    "raft-rs, where requests for votes and their refusals carry it",
    (n, i),
    guard={"it knows as much to be committed": all_of(i >= 1, i <= commit_index[n])},
    update=(told_committed[i, term_of[log[n, i]]].becomes(TRUE),),
)
LEARN_COMMITTED = Action(
    "LearnCommitted",
    "A server that has an entry of which it is told that it is committed takes note of that.",
    "section 5.3, Log Matching: then it has all that were committed with it",
    (n, i, u),
    guard={
        "somebody has told so": told_committed[i, u],
        "it does not lead": ~leader[n],
        "the commit index advances": i > commit_index[n],
        "it has the entry": all_of(i <= last_index[n], term_of[log[n, i]] == u),
    },
    update=(commit_index[n].becomes(i),),
)

# Membership

EXTENDED_CLIENT_REQUEST = with_guards(
    CLIENT_REQUEST, {"the entry does not change the configuration": ~changes_configuration[e]}
)
CHANGE_CONFIGURATION = replace(
    with_guards(
        CLIENT_REQUEST,
        {
            "the entry changes the configuration": changes_configuration[e],
            "the changes in its log are in force": for_all(
                [j],
                implies(all_of(configuration_index[n] < j, j <= last_index[n]), ~changes_configuration[log[n, j]]),
            ),
        },
    ),
    name="ChangeConfiguration",
    meaning="A leader appends a change of the membership, if none is under way.",
    source="thesis, sections 4.1 and 4.3",
)
APPLY_CONFIGURATION = Action(
    "ApplyConfiguration",
    "A server applies the next change of the membership that is committed: it is in force from then on.",
    "thesis, sections 4.1 and 4.3; etcd, where that is when the entry is applied",
    (n, i, g),
    guard={
        "the entry is committed": all_of(configuration_index[n] < i, i <= commit_index[n]),
        "it changes the configuration": changes_configuration[log[n, i]],
        "the changes before it are in force": for_all(
            [j],
            implies(all_of(configuration_index[n] < j, j < i), ~changes_configuration[log[n, j]]),
        ),
        "to this one": leads_to[log[n, i], configuration[n], g],
        "which may follow on the one in force": may_follow[configuration[n], g],
    },
    update=(
        configuration[n].becomes(g),
        configuration_index[n].becomes(i),
        in_force[n, i, g].becomes(TRUE),
    ),
)

# Failures

EXTENDED_RESTART = replace(
    with_guards(
        RESTART,
        {"the configuration was in force here": in_force[n, i, g]},
        configuration[n].becomes(g),
        configuration_index[n].becomes(i),
    ),
    meaning="A server crashes and comes back as a follower with its term, vote and log; it may have kept on disk how "
    "much is committed, and an earlier configuration, whose changes it then applies again.",
    parameters=(*RESTART.parameters, i, g),
)

CHANGED = {
    TIMEOUT.name: EXTENDED_TIMEOUT,
    UPDATE_TERM.name: EXTENDED_UPDATE_TERM,
    BECOME_LEADER.name: EXTENDED_BECOME_LEADER,
    CLIENT_REQUEST.name: EXTENDED_CLIENT_REQUEST,
    ADVANCE_COMMIT_INDEX.name: EXTENDED_ADVANCE_COMMIT_INDEX,
    STEP_ASIDE.name: EXTENDED_STEP_ASIDE,
    RESTART.name: EXTENDED_RESTART,
}
ADDED = (
    REFUSE_VOTE, REQUEST_PRE_VOTE, HANDLE_REQUEST_PRE_VOTE, HEARTBEAT, REFUSE_APPEND_ENTRIES,
    ACKNOWLEDGE_COMMITTED, ACKNOWLEDGE_OWN, TELL_COMMITTED, LEARN_COMMITTED, CHANGE_CONFIGURATION, APPLY_CONFIGURATION,
)  # fmt: skip

EXTENDED_RAFT = Specification(
    functions=(
        *FUNCTIONS, is_voter, is_quorum_of, may_follow, changes_configuration, leads_to,
        configuration, configuration_index, reached, in_force, told_committed, pre_vote_request, pre_vote,
    ),
    axioms=AXIOMS,
    actions=(*(CHANGED.get(action.name, action) for action in ACTIONS), *ADDED),
    safety=SAFETY,
    invariants=(),
    steps=STEPS,
)  # fmt: skip
"""Raft as it is run. The axiom that any two quorums share a server is not true of all configurations at once."""
