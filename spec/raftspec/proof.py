"""Why Raft is safe: the invariants from which its safety follows.

The argument is an induction. The invariants are true at first and preserved by every action, and what Raft promises
follows from them. Its heart is what it means that an entry is *choosable* by a quorum: every member has
acknowledged it, or might still do so, because it has not moved on to a later term. What is choosable, later leaders
must have. What a quorum has acknowledged stays choosable by it for ever; so it stays in the log of every later leader.
"""

from collections.abc import Iterable

from raftspec.logic import (
    Claim,
    Definition,
    Expression,
    ForAll,
    Specification,
    Variable,
    all_of,
    any_of,
    for_all,
    implies,
)
from raftspec.raft import (
    ACTIONS,
    AXIOMS,
    FUNCTIONS,
    acknowledged,
    acknowledgement,
    append_commit,
    append_commit_point,
    append_commit_term,
    append_entry,
    append_last,
    append_leader,
    append_prev,
    append_prev_term,
    append_sent,
    append_term,
    c,
    candidate,
    commit_index,
    commit_point,
    commit_term,
    committed,
    committers,
    current_term,
    d,
    elected,
    i,
    is_quorum,
    j,
    k,
    last_index,
    last_term,
    leader,
    leader_last,
    leader_log,
    leader_of,
    log,
    m,
    match_index,
    member,
    n,
    p,
    q,
    request_vote,
    t,
    term_of,
    u,
    v,
    vote,
    voted,
    voted_for,
    voters,
    votes_granted,
)
from raftspec.safety import SAFETY, STEPS

# The inductive invariant


choosable = Definition(
    "choosable",
    (q, t, i),
    for_all([p], implies(member[p, q], any_of(i <= acknowledged[p, t], current_term[p] <= t)), [member[p, q]]),
    "Every server of quorum q has acknowledged the entry at i to the leader of term t, or may still do so.",
)


def invariant(
    name: str, meaning: str, variables: Iterable[Variable], body: Expression, *patterns: Iterable[Expression]
) -> Claim:
    """Return a conjunct of the inductive invariant."""
    return Claim(name, for_all(variables, body, *patterns), meaning)


NUMBERS = (
    invariant(
        "Server Numbers",
        "Terms and indexes are not negative, candidates have a term, and nobody is candidate and leader at once.",
        [n],
        all_of(
            current_term[n] >= 0,
            implies(candidate[n], current_term[n] >= 1),
            last_index[n] >= 0,
            commit_index[n] >= 0,
            ~all_of(candidate[n], leader[n]),
        ),
        [current_term[n]],
        [last_index[n]],
        [commit_index[n]],
    ),
    invariant(
        "Term Numbers",
        "Elections are won in terms from 1 on; the leader's log of another term is empty.",
        [t],
        all_of(
            leader_last[t] >= 0,
            implies(elected[t], t >= 1),
            implies(~elected[t], leader_last[t] == 0),
        ),
        [leader_last[t]],
        [elected[t]],
    ),
)

VOTES = (
    invariant(
        "Votes Are Remembered",
        "A vote in the voter's current term is the one that it remembers; no vote is for a term to come.",
        [v, t, c],
        implies(
            vote[v, t, c],
            all_of(
                t <= current_term[v],
                t <= current_term[c],
                implies(t == current_term[v], all_of(voted[v], voted_for[v] == c)),
            ),
        ),
        [vote[v, t, c]],
    ),
    invariant(
        "One Vote a Term",
        "No server votes for two candidates in a term.",
        [v, t, c, d],
        implies(all_of(vote[v, t, c], vote[v, t, d]), c == d),
        [vote[v, t, c], vote[v, t, d]],
    ),
    invariant(
        "Counted Votes Were Given",
        "What a candidate or leader counts are votes given to it in its term.",
        [n, v],
        implies(all_of(any_of(candidate[n], leader[n]), votes_granted[n, v]), vote[v, current_term[n], n]),
        [votes_granted[n, v]],
    ),
    invariant(
        "Voters Voted",
        "The quorum that elected a leader voted for it.",
        [t, v],
        implies(all_of(elected[t], member[v, voters[t]]), vote[v, t, leader_of[t]]),
        [member[v, voters[t]]],
    ),
    invariant(
        "Winners Move On",
        "Whoever won an election is in that term, no longer as a candidate, or in a later one.",
        [t],
        implies(
            elected[t],
            all_of(
                t <= current_term[leader_of[t]],
                implies(t == current_term[leader_of[t]], ~candidate[leader_of[t]]),
            ),
        ),
        [elected[t]],
    ),
    invariant(
        "Leaders Were Elected",
        "A leader is the one that won the election of its term.",
        [n],
        implies(leader[n], all_of(elected[current_term[n]], leader_of[current_term[n]] == n)),
        [leader[n]],
    ),
    invariant(
        "Requests Show the Log",
        "A candidate's requests of its current term show its log as it is.",
        [c, t, i, u],
        implies(
            request_vote[c, t, i, u],
            all_of(
                t <= current_term[c],
                implies(all_of(t == current_term[c], candidate[c]), all_of(i == last_index[c], u == last_term(c))),
            ),
        ),
        [request_vote[c, t, i, u]],
    ),
)

LOGS = (
    invariant(
        "Entries Come From Leaders",
        "An entry of a term is in the log of that term's leader, which is as long at least.",
        [n, i],
        implies(
            all_of(i >= 1, i <= last_index[n]),
            all_of(
                term_of[log[n, i]] >= 1,
                term_of[log[n, i]] <= current_term[n],
                elected[term_of[log[n, i]]],
                i <= leader_last[term_of[log[n, i]]],
                log[n, i] == leader_log[term_of[log[n, i]], i],
            ),
        ),
        [log[n, i]],
    ),
    invariant(
        "Logs Are Prefixes of Leaders' Logs",
        "Up to an entry of a term, a log is that of the term's leader.",
        [n, i, j],
        implies(all_of(j >= 1, j <= i, i <= last_index[n]), log[n, j] == leader_log[term_of[log[n, i]], j]),
        [log[n, i], log[n, j]],
    ),
    invariant(
        "Leaders' Entries Come From Leaders",
        "An entry of a leader's log comes from the leader of the entry's own term.",
        [t, i],
        implies(
            all_of(i >= 1, i <= leader_last[t]),
            all_of(
                term_of[leader_log[t, i]] >= 1,
                term_of[leader_log[t, i]] <= t,
                elected[term_of[leader_log[t, i]]],
                i <= leader_last[term_of[leader_log[t, i]]],
                leader_log[t, i] == leader_log[term_of[leader_log[t, i]], i],
            ),
        ),
        [leader_log[t, i]],
    ),
    invariant(
        "Leaders' Logs Are Prefixes of Leaders' Logs",
        "Up to an entry of a term, a leader's log is that of the entry's term.",
        [t, i, j],
        implies(
            all_of(j >= 1, j <= i, i <= leader_last[t]), leader_log[t, j] == leader_log[term_of[leader_log[t, i]], j]
        ),
        [leader_log[t, i], leader_log[t, j]],
    ),
    invariant(
        "Leader's Log Ends There",
        "What is remembered of a leader's log is as long as the log.",
        [n],
        implies(leader[n], leader_last[current_term[n]] == last_index[n]),
        [leader[n]],
    ),
    invariant(
        "Leader's Log Is That",
        "What is remembered of a leader's log is the log.",
        [n, i],
        implies(all_of(leader[n], i >= 1, i <= last_index[n]), leader_log[current_term[n], i] == log[n, i]),
        [leader[n], log[n, i]],
        [leader[n], leader_log[current_term[n], i]],
    ),
    invariant(
        "Messages Come From Leaders",
        "AppendEntries was sent by the leader of its term, about a part of its log.",
        [m],
        implies(
            append_sent[m],
            all_of(
                elected[append_term[m]],
                leader_of[append_term[m]] == append_leader[m],
                append_prev[m] >= 0,
                append_prev[m] <= append_last[m],
                append_last[m] <= leader_last[append_term[m]],
                implies(
                    append_prev[m] >= 1,
                    append_prev_term[m] == term_of[leader_log[append_term[m], append_prev[m]]],
                ),
            ),
        ),
        [append_sent[m]],
    ),
    invariant(
        "Messages Carry the Leader's Entries",
        "The entries of AppendEntries are those of the leader's log.",
        [m, i],
        implies(
            all_of(append_sent[m], append_prev[m] < i, i <= append_last[m]),
            append_entry[m, i] == leader_log[append_term[m], i],
        ),
        [append_entry[m, i]],
        [append_sent[m], leader_log[append_term[m], i]],
    ),
)

COMMITMENT = (
    invariant(
        "Acknowledged Is There",
        "What was acknowledged in a term is in the log of its leader; the term is not one to come.",
        [n, t],
        implies(
            acknowledged[n, t] >= 1, all_of(t <= current_term[n], elected[t], acknowledged[n, t] <= leader_last[t])
        ),
        [acknowledged[n, t]],
    ),
    invariant(
        "Leader Acknowledges Itself",
        "A leader counts as having acknowledged its whole log.",
        [n],
        implies(leader[n], acknowledged[n, current_term[n]] >= last_index[n]),
        [leader[n]],
    ),
    invariant(
        "Acknowledgements Are Kept",
        "No acknowledgement claims more than the server has acknowledged.",
        [n, t, i],
        implies(acknowledgement[n, t, i], i <= acknowledged[n, t]),
        [acknowledgement[n, t, i]],
    ),
    invariant(
        "Match Index Was Acknowledged",
        "What a leader takes to match, the follower has acknowledged.",
        [n, p],
        implies(all_of(leader[n], match_index[n, p] >= 1), match_index[n, p] <= acknowledged[p, current_term[n]]),
        [match_index[n, p]],
    ),
    invariant(
        "Servers Keep What Is Choosable",
        "Whoever has acknowledged an entry of a term still has it while some quorum may choose it.",
        [n, t, i, q],
        implies(
            all_of(i >= 1, i <= acknowledged[n, t], term_of[leader_log[t, i]] == t, choosable(q, t, i)),
            all_of(i <= last_index[n], term_of[log[n, i]] == t),
        ),
        [acknowledged[n, t], leader_log[t, i], is_quorum[q]],
    ),
    invariant(
        "Candidates With Votes Have What Is Choosable",
        "If a server that has acknowledged an entry votes for a candidate, the candidate has the entry, while some "
        "quorum may choose it.",
        [n, c, t, i, q],
        implies(
            all_of(
                vote[n, current_term[c], c],
                candidate[c],
                t < current_term[c],
                i >= 1,
                i <= acknowledged[n, t],
                term_of[leader_log[t, i]] == t,
                choosable(q, t, i),
            ),
            all_of(i <= last_index[c], term_of[log[c, i]] == t),
        ),
        [vote[n, current_term[c], c], acknowledged[n, t], leader_log[t, i], is_quorum[q]],
    ),
    invariant(
        "Leaders Have What Is Choosable",
        "Every later leader has what some quorum may choose.",
        [t, u, i, q],
        implies(
            all_of(
                elected[t],
                elected[u],
                t < u,
                i >= 1,
                i <= leader_last[t],
                term_of[leader_log[t, i]] == t,
                choosable(q, t, i),
            ),
            all_of(i <= leader_last[u], term_of[leader_log[u, i]] == t),
        ),
        [elected[t], elected[u], leader_log[t, i], is_quorum[q]],
    ),
    invariant(
        "Committed Entries Are of Their Term",
        "What a leader commits is an entry of its log and of its term.",
        [t, i],
        implies(committed[t, i], all_of(elected[t], i >= 1, i <= leader_last[t], term_of[leader_log[t, i]] == t)),
        [committed[t, i]],
    ),
    invariant(
        "Committers Acknowledged",
        "The quorum by which an entry was committed has acknowledged it.",
        [t, i, n],
        implies(all_of(committed[t, i], member[n, committers[t, i]]), i <= acknowledged[n, t]),
        [committed[t, i], member[n, committers[t, i]]],
    ),
    invariant(
        "Commit Index Rests on a Commit",
        "What a server knows as committed was committed by a leader of no later term, and is in the server's log.",
        [n],
        implies(
            commit_index[n] >= 1,
            all_of(
                committed[commit_term[n], commit_point[n]],
                commit_index[n] <= commit_point[n],
                commit_index[n] <= last_index[n],
                commit_term[n] <= current_term[n],
            ),
        ),
        [commit_index[n]],
    ),
    invariant(
        "Committed Entries Are the Leader's",
        "Up to its commit index, a server has the entries of the leader that committed them.",
        [n, j],
        implies(all_of(j >= 1, j <= commit_index[n]), log[n, j] == leader_log[commit_term[n], j]),
        [commit_index[n], log[n, j]],
    ),
    invariant(
        "Messages' Commit Index Rests on a Commit",
        "What AppendEntries calls committed was committed by a leader of no later term.",
        [m],
        implies(
            all_of(append_sent[m], append_commit[m] >= 1),
            all_of(
                committed[append_commit_term[m], append_commit_point[m]],
                append_commit[m] <= append_commit_point[m],
                append_commit_term[m] <= append_term[m],
            ),
        ),
        [append_sent[m]],
    ),
)

INVARIANTS = NUMBERS + VOTES + LOGS + COMMITMENT
"""The inductive invariant. The patterns beside its formulas help a solver, and do not change their meaning."""

# Steps on the way of a proof, where a solver needs to be shown the way


def up_to(index: Expression, body: Expression, *patterns: Iterable[Expression]) -> ForAll:
    """The body is true of every index j from 1 to this one."""
    return for_all([j], implies(all_of(j >= 1, j <= index), body), *patterns)


LEMMAS = {
    "BecomeLeader": (
        Claim("fresh term", ~elected[current_term[n]], "Nobody else has won the term."),
    ),
    "HandleAppendEntries": (
        Claim(
            "prefix",
            up_to(append_prev[m], log[n, j] == leader_log[append_term[m], j], [log[n, j]]),
            "Up to the message's entries the log is the leader's.",
        ),
        Claim(
            "overlap",
            for_all(
                [j],
                implies(
                    all_of(append_prev[m] < j, j < k),
                    all_of(j <= last_index[n], log[n, j] == leader_log[append_term[m], j]),
                ),
                [log[n, j]],
            ),
            "Before k, too, the log is the leader's.",
        ),
        Claim(
            "new log",
            up_to(append_last[m], all_of(j <= last_index.after[n], log.after[n, j] == leader_log[append_term[m], j])),
            "Up to the message's last entry the log becomes the leader's.",
        ),
        Claim(
            "kept",
            up_to(commit_index[n], all_of(j <= last_index.after[n], log.after[n, j] == log[n, j]), [log[n, j]]),
            "What is committed stays.",
        ),
        Claim(
            "message's commits",
            up_to(
                append_commit[m],
                all_of(
                    j <= leader_last[append_term[m]],
                    leader_log[append_term[m], j] == leader_log[append_commit_term[m], j],
                ),
            ),
            "What the message calls committed is in the leader's log.",
        ),
        Claim(
            "overlap's end",
            implies(
                all_of(append_prev[m] < append_last[m], append_last[m] < k),
                all_of(
                    append_last[m] <= last_index[n],
                    log[n, append_last[m]] == leader_log[append_term[m], append_last[m]],
                ),
            ),
            "If nothing is written, the log has the message's last entry.",
        ),
        Claim("long enough", last_index.after[n] >= append_last[m], "The log reaches the message's last entry."),
        Claim(
            "kept at the commit index",
            implies(
                commit_index[n] >= 1,
                all_of(
                    commit_index[n] <= last_index.after[n], log.after[n, commit_index[n]] == log[n, commit_index[n]]
                ),
            ),
            "What is at the commit index stays.",
        ),
        Claim(
            "message's commit term",
            implies(append_commit[m] >= 1, append_commit_term[m] <= current_term[n]),
            "The leader that committed it is not of a later term.",
        ),
    ),
}  # fmt: skip

RAFT = Specification(FUNCTIONS, AXIOMS, ACTIONS, SAFETY, INVARIANTS, STEPS, LEMMAS)
"""The specification, with all that is claimed of it."""
