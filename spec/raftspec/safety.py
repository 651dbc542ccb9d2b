"""What Raft promises: the properties that users rely on, of single states and of steps (Raft paper, Figure 3)."""

from raftspec.logic import Claim, all_of, for_all, implies
from raftspec.raft import (
    append_leader,
    append_sent,
    append_term,
    commit_index,
    committed,
    current_term,
    elected,
    i,
    j,
    k,
    last_index,
    leader,
    leader_last,
    leader_log,
    log,
    m,
    n,
    p,
    t,
    term_of,
    u,
)

# Safety (Figure 3)

SAFETY = (
    Claim(
        "Election Safety",
        for_all(
            [n, p],
            implies(all_of(leader[n], leader[p], current_term[n] == current_term[p]), n == p),
        ),
        "At most one leader is elected in a term.",
        "Figure 3; section 5.2",
    ),
    Claim(
        "Log Matching",
        for_all(
            [n, p, i, j],
            implies(
                all_of(
                    j >= 1, j <= i, i <= last_index[n], i <= last_index[p], term_of[log[n, i]] == term_of[log[p, i]]
                ),
                log[n, j] == log[p, j],
            ),
        ),
        "Logs that have an entry with the same index and term are the same up to that index.",
        "Figure 3; section 5.3",
    ),
    Claim(
        "Leader Completeness",
        for_all(
            [t, u, i, j],
            implies(
                all_of(committed[t, i], elected[u], t < u, j >= 1, j <= i),
                all_of(i <= leader_last[u], leader_log[u, j] == leader_log[t, j]),
            ),
        ),
        "What is committed in a term is in the logs of the leaders of all later terms.",
        "Figure 3; section 5.4",
    ),
    Claim(
        "State Machine Safety",
        for_all(
            [n, p, i],
            implies(
                all_of(i >= 1, i <= commit_index[n], i <= commit_index[p]),
                all_of(i <= last_index[n], i <= last_index[p], log[n, i] == log[p, i]),
            ),
        ),
        "No two servers apply different entries at an index.",
        "Figure 3; section 5.4.3",
    ),
    Claim(
        "Leader Has What Is Committed",
        for_all(
            [n, p, i],
            implies(
                all_of(leader[n], i >= 1, i <= commit_index[p], current_term[p] <= current_term[n]),
                all_of(i <= last_index[n], log[n, i] == log[p, i]),
            ),
        ),
        "A leader has every entry that a server of no later term knows as committed.",
        "section 5.4",
    ),
    Claim(
        "Commits Agree",
        for_all(
            [t, u, i, k, j],
            implies(
                all_of(committed[t, i], committed[u, k], j >= 1, j <= i, j <= k), leader_log[t, j] == leader_log[u, j]
            ),
        ),
        "What the leaders of any two terms have committed is the same as far as both go.",
        "section 5.4",
    ),
    Claim(
        "Leaders Hear No Other Leader",
        for_all(
            [n, m],
            implies(all_of(leader[n], append_sent[m], append_term[m] == current_term[n]), append_leader[m] == n),
        ),
        "A leader never gets AppendEntries of its term from another server.",
        "section 5.2",
    ),
)


# What no step does

STEPS = (
    Claim(
        "Leader Append-Only",
        for_all(
            [n, i],
            implies(
                all_of(
                    leader[n], leader.after[n], current_term[n] == current_term.after[n], i >= 1, i <= last_index[n]
                ),
                all_of(i <= last_index.after[n], log.after[n, i] == log[n, i]),
            ),
        ),
        "A leader never overwrites or deletes entries of its log.",
        "Figure 3; section 5.3",
    ),
    Claim(
        "Terms Never Go Back",
        for_all([n], current_term[n] <= current_term.after[n]),
        "current_term increases monotonically.",
        "Figure 2, State",
    ),
    Claim(
        "Committed Entries Stay",
        for_all(
            [t, i, j],
            implies(
                all_of(committed[t, i], j >= 1, j <= i),
                all_of(committed.after[t, i], leader_log.after[t, j] == leader_log[t, j]),
            ),
        ),
        "What was committed once is committed for ever.",
        "section 5.4",
    ),
    Claim(
        "Applied Entries Stay",
        for_all(
            [n, i],
            implies(
                all_of(i >= 1, i <= commit_index[n]), all_of(i <= last_index.after[n], log.after[n, i] == log[n, i])
            ),
        ),
        "No server deletes or overwrites what it has applied.",
        "section 5.4",
    ),
)
