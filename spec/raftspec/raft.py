"""Abstract Raft: what a cluster of any size may do, in fourteen actions (Raft paper, section 5 and Figure 2).

This is the whole protocol, for any number of servers, terms and entries: elections, replication with truncation,
commitment, crashes and restarts, on a network that loses, repeats and reorders messages. Index 0 means "before the
first entry", term 0 "before any election".

Where the paper says how to be quick, and safety does not depend on it, the specification leaves the choice open: when
a server times out, which entries a leader sends when, how it finds out where a follower's log departs from its own
(nextIndex, and the refusals that lower it, do not occur). Membership changes and reads are not modelled.

A snapshot (section 7) needs no state of its own: logs are whole here, and what a server has compacted is still a part
of its log. InstallSnapshot is AppendEntries with all entries up to an index, which are committed; a server that
restarts from a snapshot knows the entries for which it stands as committed. Leadership transfer is a Timeout at a
chosen time.
"""

from raftspec.logic import (
    BOOLEAN,
    FALSE,
    TRUE,
    Action,
    Claim,
    Definition,
    Function,
    Kind,
    Sort,
    Variable,
    all_of,
    any_of,
    for_all,
    if_else,
    implies,
)

SERVER = Sort("Server")
QUORUM = Sort("Quorum")
ENTRY = Sort("Entry")
MESSAGE = Sort("Message")
TERM = Sort("Term", is_number=True)
INDEX = Sort("Index", is_number=True)

n, p, c, d, v = (Variable(name, SERVER) for name in "npcdv")
q, r = (Variable(name, QUORUM) for name in "qr")
e = Variable("e", ENTRY)
m = Variable("m", MESSAGE)
t, u, w = (Variable(name, TERM) for name in "tuw")
i, j, k = (Variable(name, INDEX) for name in "ijk")
prev, last, commit = (Variable(name, INDEX) for name in ("prev", "last", "commit"))

# What never changes

member = Function("member", (SERVER, QUORUM), BOOLEAN, Kind.CONSTANT, "Server n belongs to quorum q.")
common = Function("common", (QUORUM, QUORUM), SERVER, Kind.CONSTANT, "A server that belongs to both quorums.")
is_quorum = Function("is_quorum", (QUORUM,), BOOLEAN, Kind.CONSTANT, "True of every quorum; a mark for patterns only.")
term_of = Function("term_of", (ENTRY,), TERM, Kind.CONSTANT, "The term in which a leader received the entry.")

# What each server knows (Figure 2, State)

current_term = Function("current_term", (SERVER,), TERM, Kind.PERSISTENT, "The latest term that server n has seen.", 0)
voted = Function("voted", (SERVER,), BOOLEAN, Kind.PERSISTENT, "It has voted in its term.", False)
voted_for = Function("voted_for", (SERVER,), SERVER, Kind.PERSISTENT, "For whom, if it has voted.")
last_index = Function("last_index", (SERVER,), INDEX, Kind.PERSISTENT, "The index of the last entry in its log.", 0)
log = Function("log", (SERVER, INDEX), ENTRY, Kind.PERSISTENT, "Its entry at index i, from 1 to last_index.")
candidate = Function("candidate", (SERVER,), BOOLEAN, Kind.VOLATILE, "It is a candidate in its term.", False)
leader = Function(
    "leader", (SERVER,), BOOLEAN, Kind.VOLATILE,
    "It leads its term. A server that is neither is a follower.", False,
)  # fmt: skip
commit_index = Function(
    "commit_index", (SERVER,), INDEX, Kind.VOLATILE,
    "It knows the entries up to here as committed.", 0,
)  # fmt: skip
votes_granted = Function(
    "votes_granted", (SERVER, SERVER), BOOLEAN, Kind.VOLATILE,
    "As a candidate it has the vote of server p.", False,
)  # fmt: skip
match_index = Function(
    "match_index", (SERVER, SERVER), INDEX, Kind.VOLATILE,
    "As a leader it knows that the log of p matches its own up to here.", 0,
)  # fmt: skip

# What was ever sent. A message may be handled any number of times, in any order, or never.

request_vote = Function(
    "request_vote", (SERVER, TERM, INDEX, TERM), BOOLEAN, Kind.MESSAGE,
    "Candidate c asks for votes in term t; its log ends at index i with an entry of term u.", False,
)  # fmt: skip
vote = Function("vote", (SERVER, TERM, SERVER), BOOLEAN, Kind.MESSAGE, "Server v votes in term t for c.", False)
append_sent = Function("append_sent", (MESSAGE,), BOOLEAN, Kind.MESSAGE, "AppendEntries m was sent.", False)
append_term = Function("append_term", (MESSAGE,), TERM, Kind.MESSAGE, "Its term.")
append_leader = Function("append_leader", (MESSAGE,), SERVER, Kind.MESSAGE, "The leader that sent it.")
append_prev = Function(
    "append_prev", (MESSAGE,), INDEX, Kind.MESSAGE,
    "prevLogIndex: its entries follow on the one there.",
)  # fmt: skip
append_prev_term = Function(
    "append_prev_term", (MESSAGE,), TERM, Kind.MESSAGE,
    "prevLogTerm: the term of the entry there.",
)  # fmt: skip
append_last = Function(
    "append_last", (MESSAGE,), INDEX, Kind.MESSAGE,
    "The index of its last entry; without entries, prevLogIndex.",
)  # fmt: skip
append_entry = Function(
    "append_entry", (MESSAGE, INDEX), ENTRY, Kind.MESSAGE,
    "Its entry for index i, after prevLogIndex up to the last.",
)  # fmt: skip
append_commit = Function(
    "append_commit", (MESSAGE,), INDEX, Kind.MESSAGE,
    "leaderCommit: it calls the entries up to here committed.",
)  # fmt: skip
acknowledgement = Function(
    "acknowledgement", (SERVER, TERM, INDEX), BOOLEAN, Kind.MESSAGE,
    "Server p has answered the leader of term t that its log matches up to index i.", False,
)  # fmt: skip

# What only the proof remembers

elected = Function("elected", (TERM,), BOOLEAN, Kind.GHOST, "An election was won in term t.", False)
leader_of = Function("leader_of", (TERM,), SERVER, Kind.GHOST, "Who won the election of term t.")
voters = Function("voters", (TERM,), QUORUM, Kind.GHOST, "The quorum that elected the leader of term t.")
leader_last = Function(
    "leader_last", (TERM,), INDEX, Kind.GHOST,
    "Where the log of the leader of term t ended when it last led.", 0,
)  # fmt: skip
leader_log = Function("leader_log", (TERM, INDEX), ENTRY, Kind.GHOST, "The entry at index i of that log.")
acknowledged = Function(
    "acknowledged", (SERVER, TERM), INDEX, Kind.GHOST,
    "The greatest index that server n has acknowledged to the leader of term t.", 0,
)  # fmt: skip
committed = Function(
    "committed", (TERM, INDEX), BOOLEAN, Kind.GHOST,
    "The leader of term t has advanced its commit index to i.", False,
)  # fmt: skip
committers = Function(
    "committers", (TERM, INDEX), QUORUM, Kind.GHOST,
    "The quorum that had acknowledged index i to it then.",
)  # fmt: skip
commit_term = Function(
    "commit_term", (SERVER,), TERM, Kind.GHOST,
    "The term whose leader committed what server n knows as committed.",
)  # fmt: skip
commit_point = Function(
    "commit_point", (SERVER,), INDEX, Kind.GHOST,
    "Up to where the leader of that term had committed.",
)  # fmt: skip
append_commit_term = Function(
    "append_commit_term", (MESSAGE,), TERM, Kind.GHOST,
    "The term whose leader committed what message m calls committed.",
)  # fmt: skip
append_commit_point = Function(
    "append_commit_point", (MESSAGE,), INDEX, Kind.GHOST,
    "Up to where the leader of that term had committed.",
)  # fmt: skip

# Definitions

last_term = Definition(
    "last_term", (n,), if_else(last_index[n] == 0, 0, term_of[log[n, last_index[n]]]), "The term of the last entry."
)
term_at = Definition("term_at", (n, i), if_else(i == 0, 0, term_of[log[n, i]]), "The term of the entry at an index.")
greater = Definition("greater", (i, j), if_else(i >= j, i, j), "The greater of two indexes.")
lesser = Definition("lesser", (i, j), if_else(i <= j, i, j), "The lesser of two indexes.")

# Elections (section 5.2 and 5.4.1)

TIMEOUT = Action(
    "Timeout",
    "A server that hears of no leader starts an election: a new term, a vote for itself.",
    "section 5.2",
    (n,),
    guard={"it does not lead": ~leader[n]},
    update=(
        current_term[n].becomes(current_term[n] + 1),
        candidate[n].becomes(TRUE),
        voted[n].becomes(TRUE),
        voted_for[n].becomes(n),
        votes_granted[n, p].becomes(p == n),
        vote[n, current_term[n] + 1, n].becomes(TRUE),
    ),
)
REQUEST_VOTE = Action(
    "RequestVote",
    "A candidate asks for votes, and shows how far its log reaches.",
    "section 5.2",
    (n,),
    guard={"it is a candidate": candidate[n]},
    update=(request_vote[n, current_term[n], last_index[n], last_term(n)].becomes(TRUE),),
)
UPDATE_TERM = Action(
    "UpdateTerm",
    "Whoever sees a newer term becomes its follower, with a vote to give.",
    "section 5.1; Figure 2, All Servers",
    (n, t),
    guard={"the term is newer": t > current_term[n]},
    update=(
        current_term[n].becomes(t),
        candidate[n].becomes(FALSE),
        leader[n].becomes(FALSE),
        voted[n].becomes(FALSE),
    ),
)
HANDLE_REQUEST_VOTE = Action(
    "HandleRequestVote",
    "A server votes for a candidate of its term: once a term, and only for a log as up to date as its own.",
    "section 5.2 and 5.4.1; Figure 2, RequestVote",
    (n, c, i, u),
    guard={
        "the candidate asks in the server's term": request_vote[c, current_term[n], i, u],
        "the candidate's log is at least as up to date as the server's": any_of(
            u > last_term(n), all_of(u == last_term(n), i >= last_index[n])
        ),
        "the server has not voted for another": any_of(~voted[n], voted_for[n] == c),
    },
    update=(
        voted[n].becomes(TRUE),
        voted_for[n].becomes(c),
        vote[n, current_term[n], c].becomes(TRUE),
    ),
)
HANDLE_VOTE = Action(
    "HandleVote",
    "A candidate counts a vote that was given in its term.",
    "section 5.2",
    (n, v, t),
    guard={
        "the vote is for this server": vote[v, t, n],
        "it was given in the server's term": t == current_term[n],
        "the server is a candidate": candidate[n],
    },
    update=(votes_granted[n, v].becomes(TRUE),),
)
BECOME_LEADER = Action(
    "BecomeLeader",
    "A candidate with the votes of a quorum becomes the leader of its term.",
    "section 5.2",
    (n, q),
    guard={
        "it is a candidate": candidate[n],
        "every server of a quorum has voted for it": for_all(
            [p], implies(member[p, q], votes_granted[n, p]), [member[p, q]]
        ),
    },
    update=(
        candidate[n].becomes(FALSE),
        leader[n].becomes(TRUE),
        match_index[n, p].becomes(0),
        elected[current_term[n]].becomes(TRUE),
        leader_of[current_term[n]].becomes(n),
        voters[current_term[n]].becomes(q),
        leader_last[current_term[n]].becomes(last_index[n]),
        leader_log[current_term[n], i].becomes(log[n, i]),
        acknowledged[n, current_term[n]].becomes(last_index[n]),
    ),
)

# Log replication (section 5.3)

CLIENT_REQUEST = Action(
    "ClientRequest",
    "A leader appends an entry of its term to its log: a client's command, or a no-op of its own.",
    "section 5.3; Figure 2, Leaders",
    (n, e),
    guard={"it leads": leader[n], "the entry is of its term": term_of[e] == current_term[n]},
    update=(
        last_index[n].becomes(last_index[n] + 1),
        log[n, last_index[n] + 1].becomes(e),
        leader_last[current_term[n]].becomes(last_index[n] + 1),
        leader_log[current_term[n], last_index[n] + 1].becomes(e),
        acknowledged[n, current_term[n]].becomes(last_index[n] + 1),
    ),
)
APPEND_ENTRIES = Action(
    "AppendEntries",
    "A leader sends any part of its log, and how far it knows that to be committed; without entries, a heartbeat.",
    "section 5.3",
    (n, m, prev, last, commit),
    guard={
        "it leads": leader[n],
        "the message is a new one": ~append_sent[m],
        "the entries are a part of its log": all_of(prev >= 0, prev <= last, last <= last_index[n]),
        "it knows as much to be committed": all_of(commit >= 0, commit <= commit_index[n]),
    },
    update=(
        append_sent[m].becomes(TRUE),
        append_term[m].becomes(current_term[n]),
        append_leader[m].becomes(n),
        append_prev[m].becomes(prev),
        append_prev_term[m].becomes(term_at(n, prev)),
        append_last[m].becomes(last),
        append_entry[m, i].becomes(log[n, i], where=all_of(prev < i, i <= last)),
        append_commit[m].becomes(commit),
        append_commit_term[m].becomes(commit_term[n]),
        append_commit_point[m].becomes(commit_point[n]),
    ),
)
STEP_DOWN = Action(
    "StepDown",
    "A candidate that hears of the leader of its term follows it, and keeps its vote.",
    "section 5.2; Figure 2, Candidates",
    (n, m),
    guard={
        "AppendEntries was sent": append_sent[m],
        "by the leader of the server's term": append_term[m] == current_term[n],
        "the server is a candidate": candidate[n],
    },
    update=(candidate[n].becomes(FALSE),),
)
writes = Definition("writes", (m, k), k <= append_last[m], "There is something to write from k on.")
new_commit = Definition(
    "new_commit", (m,), lesser(append_commit[m], append_last[m]), "leaderCommit, as far as the logs are known to match."
)
HANDLE_APPEND_ENTRIES = Action(
    "HandleAppendEntries",
    "A follower that has the entry before the new ones appends what it lacks, after deleting what conflicts with it; "
    "k is the first index at which its log lacks or contradicts the message; if there is none, the one after the last.",
    "section 5.3; Figure 2, AppendEntries",
    (n, m, k),
    guard={
        "AppendEntries was sent": append_sent[m],
        "by the leader of the server's term": append_term[m] == current_term[n],
        "the server is a follower": all_of(~leader[n], ~candidate[n]),
        "its log has the entry before the new ones": any_of(
            append_prev[m] == 0,
            all_of(append_prev[m] <= last_index[n], term_of[log[n, append_prev[m]]] == append_prev_term[m]),
        ),
        "k is one of the new indexes, or the next": all_of(append_prev[m] < k, k <= append_last[m] + 1),
        "before k the log has the message's entries": for_all(
            [j],
            implies(
                all_of(append_prev[m] < j, j < k),
                all_of(j <= last_index[n], term_of[log[n, j]] == term_of[append_entry[m, j]]),
            ),
            [append_entry[m, j]],
            [log[n, j]],
        ),
        "at k it has not": any_of(
            k == append_last[m] + 1,
            k > last_index[n],
            ~(term_of[log[n, k]] == term_of[append_entry[m, k]]),
        ),
    },
    update=(
        last_index[n].becomes(if_else(writes(m, k), append_last[m], last_index[n])),
        log[n, j].becomes(append_entry[m, j], where=all_of(writes(m, k), k <= j, j <= append_last[m])),
        commit_index[n].becomes(greater(commit_index[n], new_commit(m))),
        acknowledgement[n, current_term[n], append_last[m]].becomes(TRUE),
        commit_term[n].becomes(if_else(new_commit(m) > commit_index[n], append_commit_term[m], commit_term[n])),
        commit_point[n].becomes(if_else(new_commit(m) > commit_index[n], append_commit_point[m], commit_point[n])),
        acknowledged[n, current_term[n]].becomes(greater(acknowledged[n, current_term[n]], append_last[m])),
    ),
)
HANDLE_ACKNOWLEDGEMENT = Action(
    "HandleAcknowledgement",
    "A leader notes that a follower's log matches its own further than it knew.",
    "section 5.3; Figure 2, Leaders",
    (n, p, i, u),
    guard={
        "it leads": leader[n],
        "the follower has acknowledged as much": acknowledgement[p, u, i],
        "in the leader's term": u == current_term[n],
        "the leader did not know": i > match_index[n, p],
    },
    update=(match_index[n, p].becomes(i),),
)
ADVANCE_COMMIT_INDEX = Action(
    "AdvanceCommitIndex",
    "A leader commits an entry of its own term that a quorum has, and all before it.",
    "section 5.3 and 5.4.2; Figure 2, Leaders",
    (n, i, q),
    guard={
        "it leads": leader[n],
        "the commit index advances": i > commit_index[n],
        "the leader has the entry": i <= last_index[n],
        "the entry is of the leader's own term": term_of[log[n, i]] == current_term[n],
        "every server of a quorum has it": for_all(
            [p], implies(member[p, q], any_of(p == n, match_index[n, p] >= i)), [member[p, q]]
        ),
    },
    update=(
        commit_index[n].becomes(i),
        commit_term[n].becomes(current_term[n]),
        commit_point[n].becomes(i),
        committed[current_term[n], i].becomes(TRUE),
        committers[current_term[n], i].becomes(q),
    ),
)

# Failures

STEP_ASIDE = Action(
    "StepAside",
    "A leader that hears of no quorum becomes a follower of its own term.",
    "thesis, section 6.2",
    (n,),
    guard={"it leads": leader[n]},
    update=(leader[n].becomes(FALSE),),
)
RESTART = Action(
    "Restart",
    "A server crashes and comes back as a follower with its term, vote and log; it may also have kept how much of "
    "that is committed, or some of it: what a snapshot stands for.",
    "Figure 2, State; section 7",
    (n, commit),
    guard={"it knew as much to be committed": all_of(commit >= 0, commit <= commit_index[n])},
    update=(
        candidate[n].becomes(FALSE),
        leader[n].becomes(FALSE),
        commit_index[n].becomes(commit),
        votes_granted[n, p].becomes(FALSE),
        match_index[n, p].becomes(0),
    ),
)

ACTIONS = (
    TIMEOUT, REQUEST_VOTE, UPDATE_TERM, HANDLE_REQUEST_VOTE, HANDLE_VOTE, BECOME_LEADER,
    CLIENT_REQUEST, APPEND_ENTRIES, STEP_DOWN, HANDLE_APPEND_ENTRIES, HANDLE_ACKNOWLEDGEMENT, ADVANCE_COMMIT_INDEX,
    STEP_ASIDE, RESTART,
)  # fmt: skip

FUNCTIONS = (
    member, common, is_quorum, term_of,
    current_term, voted, voted_for, last_index, log, candidate, leader, commit_index, votes_granted, match_index,
    request_vote, vote, append_sent, append_term, append_leader, append_prev, append_prev_term, append_last,
    append_entry, append_commit, acknowledgement,
    elected, leader_of, voters, leader_last, leader_log, acknowledged, committed, committers, commit_term, commit_point,
    append_commit_term, append_commit_point,
)  # fmt: skip

AXIOMS = (
    Claim(
        "Quorums Intersect",
        for_all([q, r], all_of(member[common[q, r], q], member[common[q, r], r]), [is_quorum[q], is_quorum[r]]),
        "Any two quorums share a server.",
        "section 5.2; proved of majorities for every cluster size by the quorum theorems",
    ),
    Claim(
        "Voters Are a Quorum",
        for_all([t], is_quorum[voters[t]], [elected[t]]),
        "Every quorum that elected a leader is one.",
    ),
    Claim(
        "Committers Are a Quorum",
        for_all([t, i], is_quorum[committers[t, i]], [committed[t, i]]),
        "Every quorum that committed an entry is one.",
    ),
)
"""What is assumed. Only the first says something; the others tell a solver which quorums to look at."""
