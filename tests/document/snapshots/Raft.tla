------------------------------------------------- MODULE Raft --------------------------------------------------

(*
Abstract Raft: what a cluster of any size may do, in fourteen actions (Raft paper, section 5 and Figure 2).

This is the whole protocol, for any number of servers, terms and entries: elections, replication with
truncation, commitment, crashes and restarts, on a network that loses, repeats and reorders messages. Index
0 means "before the first entry", term 0 "before any election".

Where the paper says how to be quick, and safety does not depend on it, the specification leaves the choice
open: when a server times out, which entries a leader sends when, how it finds out where a follower's log
departs from its own (nextIndex, and the refusals that lower it, do not occur). Membership changes and reads
are not modelled.

A snapshot (section 7) needs no state of its own: logs are whole here, and what a server has compacted is
still a part of its log. InstallSnapshot is AppendEntries with all entries up to an index, which are
committed; a server that restarts from a snapshot knows the entries for which it stands as committed.
Leadership transfer is a Timeout at a chosen time.

Why Raft is safe: the invariants from which its safety follows.

The argument is an induction. The invariants are true at first and preserved by every action, and what Raft
promises follows from them. Its heart is what it means that an entry is *choosable* by a quorum: every
member has acknowledged it, or might still do so, because it has not moved on to a later term. What is
choosable, later leaders must have. What a quorum has acknowledged stays choosable by it for ever; so it
stays in the log of every later leader.

This module is generated from the specification of raftproof, as is its small model for TLC. Functions take
one argument after the other; messages of which it only counts whether they were sent are members of a set.
Ghost variables remember, for the proof, what no server has to know.
*)
EXTENDS Naturals

CONSTANTS
    Server,
    Quorum,
    Value,
    Message,
    MaxTerm,
    MaxIndex

\* Numbers go one further than the bounds of TLC's model: it looks at states just beyond the bounds, where every
\* function is defined, and does not go on from there.
Term == 0..(MaxTerm + 1)
Index == 0..(MaxIndex + 1)
Entry == [term : Term, value : Value]

\* A server that belongs to both quorums.
Common(q, r) == CHOOSE n \in Server : n \in q /\ n \in r

\* Any two quorums share a server. (section 5.2; proved of majorities for every cluster size by the quorum
\* theorems)
ASSUME QuorumsIntersect == \A q, r \in Quorum : Common(q, r) \in q /\ Common(q, r) \in r

VARIABLES
    \* What each server keeps. On disk: a crash spares it.
    current_term,           \* The latest term that server n has seen.
    voted,                  \* It has voted in its term.
    voted_for,              \* For whom, if it has voted.
    last_index,             \* The index of the last entry in its log.
    log,                    \* Its entry at index i, from 1 to last_index.
    \* What each server knows while it runs. In memory: a crash takes it.
    candidate,              \* It is a candidate in its term.
    leader,                 \* It leads its term. A server that is neither is a follower.
    commit_index,           \* It knows the entries up to here as committed.
    votes_granted,          \* As a candidate it has the vote of server p.
    match_index,            \* As a leader it knows that the log of p matches its own up to here.
    \* What was ever sent. Messages are never taken away: each may be handled any number of times, in any order,
    \* or never.
    request_vote,           \* Candidate c asks for votes in term t; its log ends at index i with an entry of term u.
    vote,                   \* Server v votes in term t for c.
    append_sent,            \* AppendEntries m was sent.
    append_term,            \* Its term.
    append_leader,          \* The leader that sent it.
    append_prev,            \* prevLogIndex: its entries follow on the one there.
    append_prev_term,       \* prevLogTerm: the term of the entry there.
    append_last,            \* The index of its last entry; without entries, prevLogIndex.
    append_entry,           \* Its entry for index i, after prevLogIndex up to the last.
    append_commit,          \* leaderCommit: it calls the entries up to here committed.
    acknowledgement,        \* Server p has answered the leader of term t that its log matches up to index i.
    \* What only the proof remembers. Ghost variables: no guard and no change of the others depends on them, so
    \* no server has to know them.
    elected,                \* An election was won in term t.
    leader_of,              \* Who won the election of term t.
    voters,                 \* The quorum that elected the leader of term t.
    leader_last,            \* Where the log of the leader of term t ended when it last led.
    leader_log,             \* The entry at index i of that log.
    acknowledged,           \* The greatest index that server n has acknowledged to the leader of term t.
    committed,              \* The leader of term t has advanced its commit index to i.
    committers,             \* The quorum that had acknowledged index i to it then.
    commit_term,            \* The term whose leader committed what server n knows as committed.
    commit_point,           \* Up to where the leader of that term had committed.
    append_commit_term,     \* The term whose leader committed what message m calls committed.
    append_commit_point     \* Up to where the leader of that term had committed.

persistent == <<current_term, voted, voted_for, last_index, log>>
volatile == <<candidate, leader, commit_index, votes_granted, match_index>>
messages == <<request_vote, vote, append_sent, append_term, append_leader, append_prev, append_prev_term,
              append_last, append_entry, append_commit, acknowledgement>>
ghosts == <<elected, leader_of, voters, leader_last, leader_log, acknowledged, committed, committers,
            commit_term, commit_point, append_commit_term, append_commit_point>>
vars == <<persistent, volatile, messages, ghosts>>

\* What every variable is.
TypeOK ==
    /\ current_term \in [Server -> Term]
    /\ voted \in [Server -> BOOLEAN]
    /\ voted_for \in [Server -> Server]
    /\ last_index \in [Server -> Index]
    /\ log \in [Server -> [Index -> Entry]]
    /\ candidate \in [Server -> BOOLEAN]
    /\ leader \in [Server -> BOOLEAN]
    /\ commit_index \in [Server -> Index]
    /\ votes_granted \in [Server -> [Server -> BOOLEAN]]
    /\ match_index \in [Server -> [Server -> Index]]
    /\ request_vote \subseteq (Server \X Term \X Index \X Term)
    /\ vote \subseteq (Server \X Term \X Server)
    /\ append_sent \subseteq Message
    /\ append_term \in [Message -> Term]
    /\ append_leader \in [Message -> Server]
    /\ append_prev \in [Message -> Index]
    /\ append_prev_term \in [Message -> Term]
    /\ append_last \in [Message -> Index]
    /\ append_entry \in [Message -> [Index -> Entry]]
    /\ append_commit \in [Message -> Index]
    /\ acknowledgement \subseteq (Server \X Term \X Index)
    /\ elected \in [Term -> BOOLEAN]
    /\ leader_of \in [Term -> Server]
    /\ voters \in [Term -> Quorum]
    /\ leader_last \in [Term -> Index]
    /\ leader_log \in [Term -> [Index -> Entry]]
    /\ acknowledged \in [Server -> [Term -> Index]]
    /\ committed \in [Term -> [Index -> BOOLEAN]]
    /\ committers \in [Term -> [Index -> Quorum]]
    /\ commit_term \in [Server -> Term]
    /\ commit_point \in [Server -> Index]
    /\ append_commit_term \in [Message -> Term]
    /\ append_commit_point \in [Message -> Index]

\* The term of the last entry.
last_term(n) == IF last_index[n] = 0 THEN 0 ELSE log[n][last_index[n]].term

\* The term of the entry at an index.
term_at(n, i) == IF i = 0 THEN 0 ELSE log[n][i].term

\* There is something to write from k on.
writes(m, k) == k <= append_last[m]

\* The lesser of two indexes.
lesser(i, j) == IF i <= j THEN i ELSE j

\* leaderCommit, as far as the logs are known to match.
new_commit(m) == lesser(append_commit[m], append_last[m])

\* The greater of two indexes.
greater(i, j) == IF j <= i THEN i ELSE j

\* Every server of quorum q has acknowledged the entry at i to the leader of term t, or may still do so.
choosable(q, t, i) == \A p \in Server : p \in q => i <= acknowledged[p][t] \/ current_term[p] <= t

\* The specification lets these begin with any value; here they begin with a definite one, for TLC: voted_for,
\* log, append_term, append_leader, append_prev, append_prev_term, append_last, append_entry, append_commit,
\* leader_of, voters, leader_log, committers, commit_term, commit_point, append_commit_term,
\* append_commit_point.
FirstServer == CHOOSE element \in Server : TRUE
FirstEntry == [term |-> 0, value |-> CHOOSE value \in Value : TRUE]
FirstQuorum == CHOOSE element \in Quorum : TRUE

Init ==
    /\ current_term = [n \in Server |-> 0]
    /\ voted = [n \in Server |-> FALSE]
    /\ voted_for = [n \in Server |-> FirstServer]
    /\ last_index = [n \in Server |-> 0]
    /\ log = [n \in Server |-> [i \in Index |-> FirstEntry]]
    /\ candidate = [n \in Server |-> FALSE]
    /\ leader = [n \in Server |-> FALSE]
    /\ commit_index = [n \in Server |-> 0]
    /\ votes_granted = [n \in Server |-> [p \in Server |-> FALSE]]
    /\ match_index = [n \in Server |-> [p \in Server |-> 0]]
    /\ request_vote = {}
    /\ vote = {}
    /\ append_sent = {}
    /\ append_term = [m \in Message |-> 0]
    /\ append_leader = [m \in Message |-> FirstServer]
    /\ append_prev = [m \in Message |-> 0]
    /\ append_prev_term = [m \in Message |-> 0]
    /\ append_last = [m \in Message |-> 0]
    /\ append_entry = [m \in Message |-> [i \in Index |-> FirstEntry]]
    /\ append_commit = [m \in Message |-> 0]
    /\ acknowledgement = {}
    /\ elected = [t \in Term |-> FALSE]
    /\ leader_of = [t \in Term |-> FirstServer]
    /\ voters = [t \in Term |-> FirstQuorum]
    /\ leader_last = [t \in Term |-> 0]
    /\ leader_log = [t \in Term |-> [i \in Index |-> FirstEntry]]
    /\ acknowledged = [n \in Server |-> [t \in Term |-> 0]]
    /\ committed = [t \in Term |-> [commit \in Index |-> FALSE]]
    /\ committers = [t \in Term |-> [i \in Index |-> FirstQuorum]]
    /\ commit_term = [n \in Server |-> 0]
    /\ commit_point = [n \in Server |-> 0]
    /\ append_commit_term = [m \in Message |-> 0]
    /\ append_commit_point = [m \in Message |-> 0]

\* A server that hears of no leader starts an election: a new term, a vote for itself. (section 5.2)
Timeout(n) ==
    \* it does not lead
    /\ ~leader[n]
    /\ current_term' = [current_term EXCEPT ![n] = current_term[n] + 1]
    /\ candidate' = [candidate EXCEPT ![n] = TRUE]
    /\ voted' = [voted EXCEPT ![n] = TRUE]
    /\ voted_for' = [voted_for EXCEPT ![n] = n]
    /\ votes_granted' = [votes_granted EXCEPT ![n] = [p \in Server |-> p = n]]
    /\ vote' = vote \cup {<<n, current_term[n] + 1, n>>}
    /\ UNCHANGED <<last_index, log, leader, commit_index, match_index, request_vote, append_sent,
                   append_term, append_leader, append_prev, append_prev_term, append_last, append_entry,
                   append_commit, acknowledgement, ghosts>>

\* A candidate asks for votes, and shows how far its log reaches. (section 5.2)
RequestVote(n) ==
    \* it is a candidate
    /\ candidate[n]
    /\ request_vote' = request_vote \cup {<<n, current_term[n], last_index[n], last_term(n)>>}
    /\ UNCHANGED <<persistent, volatile, vote, append_sent, append_term, append_leader, append_prev,
                   append_prev_term, append_last, append_entry, append_commit, acknowledgement, ghosts>>

\* Whoever sees a newer term becomes its follower, with a vote to give. (section 5.1; Figure 2, All Servers)
UpdateTerm(n, t) ==
    \* the term is newer
    /\ current_term[n] < t
    /\ current_term' = [current_term EXCEPT ![n] = t]
    /\ candidate' = [candidate EXCEPT ![n] = FALSE]
    /\ leader' = [leader EXCEPT ![n] = FALSE]
    /\ voted' = [voted EXCEPT ![n] = FALSE]
    /\ UNCHANGED <<voted_for, last_index, log, commit_index, votes_granted, match_index, messages, ghosts>>

\* A server votes for a candidate of its term: once a term, and only for a log as up to date as its own.
\* (section 5.2 and 5.4.1; Figure 2, RequestVote)
HandleRequestVote(n, c, i, u) ==
    \* the candidate asks in the server's term
    /\ <<c, current_term[n], i, u>> \in request_vote
    \* the candidate's log is at least as up to date as the server's
    /\ last_term(n) < u \/ (u = last_term(n) /\ last_index[n] <= i)
    \* the server has not voted for another
    /\ ~voted[n] \/ voted_for[n] = c
    /\ voted' = [voted EXCEPT ![n] = TRUE]
    /\ voted_for' = [voted_for EXCEPT ![n] = c]
    /\ vote' = vote \cup {<<n, current_term[n], c>>}
    /\ UNCHANGED <<current_term, last_index, log, volatile, request_vote, append_sent, append_term,
                   append_leader, append_prev, append_prev_term, append_last, append_entry, append_commit,
                   acknowledgement, ghosts>>

\* A candidate counts a vote that was given in its term. (section 5.2)
HandleVote(n, v, t) ==
    \* the vote is for this server
    /\ <<v, t, n>> \in vote
    \* it was given in the server's term
    /\ t = current_term[n]
    \* the server is a candidate
    /\ candidate[n]
    /\ votes_granted' = [votes_granted EXCEPT ![n][v] = TRUE]
    /\ UNCHANGED <<persistent, candidate, leader, commit_index, match_index, messages, ghosts>>

\* A candidate with the votes of a quorum becomes the leader of its term. (section 5.2)
BecomeLeader(n, q) ==
    \* it is a candidate
    /\ candidate[n]
    \* every server of a quorum has voted for it
    /\ \A p \in Server : p \in q => votes_granted[n][p]
    /\ candidate' = [candidate EXCEPT ![n] = FALSE]
    /\ leader' = [leader EXCEPT ![n] = TRUE]
    /\ match_index' = [match_index EXCEPT ![n] = [p \in Server |-> 0]]
    /\ elected' = [elected EXCEPT ![current_term[n]] = TRUE]
    /\ leader_of' = [leader_of EXCEPT ![current_term[n]] = n]
    /\ voters' = [voters EXCEPT ![current_term[n]] = q]
    /\ leader_last' = [leader_last EXCEPT ![current_term[n]] = last_index[n]]
    /\ leader_log' = [leader_log EXCEPT ![current_term[n]] = [i \in Index |-> log[n][i]]]
    /\ acknowledged' = [acknowledged EXCEPT ![n][current_term[n]] = last_index[n]]
    /\ UNCHANGED <<persistent, commit_index, votes_granted, messages, committed, committers, commit_term,
                   commit_point, append_commit_term, append_commit_point>>

\* A leader appends an entry of its term to its log: a client's command, or a no-op of its own. (section 5.3;
\* Figure 2, Leaders)
ClientRequest(n, e) ==
    \* it leads
    /\ leader[n]
    \* the entry is of its term
    /\ e.term = current_term[n]
    /\ last_index' = [last_index EXCEPT ![n] = last_index[n] + 1]
    /\ log' = [log EXCEPT ![n][last_index[n] + 1] = e]
    /\ leader_last' = [leader_last EXCEPT ![current_term[n]] = last_index[n] + 1]
    /\ leader_log' = [leader_log EXCEPT ![current_term[n]][last_index[n] + 1] = e]
    /\ acknowledged' = [acknowledged EXCEPT ![n][current_term[n]] = last_index[n] + 1]
    /\ UNCHANGED <<current_term, voted, voted_for, volatile, messages, elected, leader_of, voters,
                   committed, committers, commit_term, commit_point, append_commit_term,
                   append_commit_point>>

\* A leader sends any part of its log, and how far it knows that to be committed; without entries, a heartbeat.
\* (section 5.3)
AppendEntries(n, m, prev, last, commit) ==
    \* it leads
    /\ leader[n]
    \* the message is a new one
    /\ m \notin append_sent
    \* the entries are a part of its log
    /\ 0 <= prev /\ prev <= last /\ last <= last_index[n]
    \* it knows as much to be committed
    /\ 0 <= commit /\ commit <= commit_index[n]
    /\ append_sent' = append_sent \cup {m}
    /\ append_term' = [append_term EXCEPT ![m] = current_term[n]]
    /\ append_leader' = [append_leader EXCEPT ![m] = n]
    /\ append_prev' = [append_prev EXCEPT ![m] = prev]
    /\ append_prev_term' = [append_prev_term EXCEPT ![m] = term_at(n, prev)]
    /\ append_last' = [append_last EXCEPT ![m] = last]
    /\ append_entry' = [append_entry EXCEPT ![m] = [i \in Index |->
          IF prev < i /\ i <= last
          THEN log[n][i]
          ELSE append_entry[m][i]]]
    /\ append_commit' = [append_commit EXCEPT ![m] = commit]
    /\ append_commit_term' = [append_commit_term EXCEPT ![m] = commit_term[n]]
    /\ append_commit_point' = [append_commit_point EXCEPT ![m] = commit_point[n]]
    /\ UNCHANGED <<persistent, volatile, request_vote, vote, acknowledgement, elected, leader_of, voters,
                   leader_last, leader_log, acknowledged, committed, committers, commit_term, commit_point>>

\* A candidate that hears of the leader of its term follows it, and keeps its vote. (section 5.2; Figure 2,
\* Candidates)
StepDown(n, m) ==
    \* AppendEntries was sent
    /\ m \in append_sent
    \* by the leader of the server's term
    /\ append_term[m] = current_term[n]
    \* the server is a candidate
    /\ candidate[n]
    /\ candidate' = [candidate EXCEPT ![n] = FALSE]
    /\ UNCHANGED <<persistent, leader, commit_index, votes_granted, match_index, messages, ghosts>>

\* A follower that has the entry before the new ones appends what it lacks, after deleting what conflicts with
\* it; k is the first index at which its log lacks or contradicts the message; if there is none, the one after
\* the last. (section 5.3; Figure 2, AppendEntries)
HandleAppendEntries(n, m, k) ==
    \* AppendEntries was sent
    /\ m \in append_sent
    \* by the leader of the server's term
    /\ append_term[m] = current_term[n]
    \* the server is a follower
    /\ ~leader[n] /\ ~candidate[n]
    \* its log has the entry before the new ones
    /\ append_prev[m] = 0 \/ (append_prev[m] <= last_index[n] /\ log[n][append_prev[m]].term = append_prev_term[m])
    \* k is one of the new indexes, or the next
    /\ append_prev[m] < k /\ k <= append_last[m] + 1
    \* before k the log has the message's entries
    /\ \A j \in Index :
          append_prev[m] < j /\ j < k => j <= last_index[n] /\ log[n][j].term = append_entry[m][j].term
    \* at k it has not
    /\ k = append_last[m] + 1 \/ last_index[n] < k \/ log[n][k].term # append_entry[m][k].term
    /\ last_index' = [last_index EXCEPT ![n] = IF writes(m, k) THEN append_last[m] ELSE last_index[n]]
    /\ log' = [log EXCEPT ![n] = [j \in Index |->
          IF writes(m, k) /\ k <= j /\ j <= append_last[m]
          THEN append_entry[m][j]
          ELSE log[n][j]]]
    /\ commit_index' = [commit_index EXCEPT ![n] = greater(commit_index[n], new_commit(m))]
    /\ acknowledgement' = acknowledgement \cup {<<n, current_term[n], append_last[m]>>}
    /\ commit_term' = [commit_term EXCEPT ![n] =
          IF commit_index[n] < new_commit(m)
          THEN append_commit_term[m]
          ELSE commit_term[n]]
    /\ commit_point' = [commit_point EXCEPT ![n] =
          IF commit_index[n] < new_commit(m)
          THEN append_commit_point[m]
          ELSE commit_point[n]]
    /\ acknowledged' = [acknowledged EXCEPT ![n][current_term[n]] =
          greater(acknowledged[n][current_term[n]], append_last[m])]
    /\ UNCHANGED <<current_term, voted, voted_for, candidate, leader, votes_granted, match_index,
                   request_vote, vote, append_sent, append_term, append_leader, append_prev,
                   append_prev_term, append_last, append_entry, append_commit, elected, leader_of, voters,
                   leader_last, leader_log, committed, committers, append_commit_term, append_commit_point>>

\* A leader notes that a follower's log matches its own further than it knew. (section 5.3; Figure 2, Leaders)
HandleAcknowledgement(n, p, i, u) ==
    \* it leads
    /\ leader[n]
    \* the follower has acknowledged as much
    /\ <<p, u, i>> \in acknowledgement
    \* in the leader's term
    /\ u = current_term[n]
    \* the leader did not know
    /\ match_index[n][p] < i
    /\ match_index' = [match_index EXCEPT ![n][p] = i]
    /\ UNCHANGED <<persistent, candidate, leader, commit_index, votes_granted, messages, ghosts>>

\* A leader commits an entry of its own term that a quorum has, and all before it. (section 5.3 and 5.4.2;
\* Figure 2, Leaders)
AdvanceCommitIndex(n, i, q) ==
    \* it leads
    /\ leader[n]
    \* the commit index advances
    /\ commit_index[n] < i
    \* the leader has the entry
    /\ i <= last_index[n]
    \* the entry is of the leader's own term
    /\ log[n][i].term = current_term[n]
    \* every server of a quorum has it
    /\ \A p \in Server : p \in q => p = n \/ i <= match_index[n][p]
    /\ commit_index' = [commit_index EXCEPT ![n] = i]
    /\ commit_term' = [commit_term EXCEPT ![n] = current_term[n]]
    /\ commit_point' = [commit_point EXCEPT ![n] = i]
    /\ committed' = [committed EXCEPT ![current_term[n]][i] = TRUE]
    /\ committers' = [committers EXCEPT ![current_term[n]][i] = q]
    /\ UNCHANGED <<persistent, candidate, leader, votes_granted, match_index, messages, elected, leader_of,
                   voters, leader_last, leader_log, acknowledged, append_commit_term, append_commit_point>>

\* A leader that hears of no quorum becomes a follower of its own term. (thesis, section 6.2)
StepAside(n) ==
    \* it leads
    /\ leader[n]
    /\ leader' = [leader EXCEPT ![n] = FALSE]
    /\ UNCHANGED <<persistent, candidate, commit_index, votes_granted, match_index, messages, ghosts>>

\* A server crashes and comes back as a follower with its term, vote and log; it may also have kept how much of
\* that is committed, or some of it: what a snapshot stands for. (Figure 2, State; section 7)
Restart(n, commit) ==
    \* it knew as much to be committed
    /\ 0 <= commit /\ commit <= commit_index[n]
    /\ candidate' = [candidate EXCEPT ![n] = FALSE]
    /\ leader' = [leader EXCEPT ![n] = FALSE]
    /\ commit_index' = [commit_index EXCEPT ![n] = commit]
    /\ votes_granted' = [votes_granted EXCEPT ![n] = [p \in Server |-> FALSE]]
    /\ match_index' = [match_index EXCEPT ![n] = [p \in Server |-> 0]]
    /\ UNCHANGED <<persistent, messages, ghosts>>

Next ==
    \/ \E n \in Server : Timeout(n)
    \/ \E n \in Server : RequestVote(n)
    \/ \E n \in Server, t \in Term : UpdateTerm(n, t)
    \/ \E n, c \in Server, i \in Index, u \in Term : HandleRequestVote(n, c, i, u)
    \/ \E n, v \in Server, t \in Term : HandleVote(n, v, t)
    \/ \E n \in Server, q \in Quorum : BecomeLeader(n, q)
    \/ \E n \in Server, e \in Entry : ClientRequest(n, e)
    \/ \E n \in Server, m \in Message, prev, last, commit \in Index : AppendEntries(n, m, prev, last, commit)
    \/ \E n \in Server, m \in Message : StepDown(n, m)
    \/ \E n \in Server, m \in Message, k \in Index : HandleAppendEntries(n, m, k)
    \/ \E n, p \in Server, i \in Index, u \in Term : HandleAcknowledgement(n, p, i, u)
    \/ \E n \in Server, i \in Index, q \in Quorum : AdvanceCommitIndex(n, i, q)
    \/ \E n \in Server : StepAside(n)
    \/ \E n \in Server, commit \in Index : Restart(n, commit)

Spec == Init /\ [][Next]_vars

\* Axioms. What is assumed.

\* Every quorum that elected a leader is one.
VotersAreAQuorum == \A t \in Term : voters[t] \in Quorum

\* Every quorum that committed an entry is one.
CommittersAreAQuorum == \A t \in Term, i \in Index : committers[t][i] \in Quorum

\* Safety. What users rely on: true in every state that can be reached.

\* At most one leader is elected in a term. (Figure 3; section 5.2)
ElectionSafety == \A n, p \in Server : leader[n] /\ leader[p] /\ current_term[n] = current_term[p] => n = p

\* Logs that have an entry with the same index and term are the same up to that index. (Figure 3; section 5.3)
LogMatching ==
    \A n, p \in Server, i, j \in Index :
          1 <= j /\ j <= i /\ i <= last_index[n] /\ i <= last_index[p] /\ log[n][i].term = log[p][i].term
       => log[n][j] = log[p][j]

\* What is committed in a term is in the logs of the leaders of all later terms. (Figure 3; section 5.4)
LeaderCompleteness ==
    \A t, u \in Term, i, j \in Index :
          committed[t][i] /\ elected[u] /\ t < u /\ 1 <= j /\ j <= i
       => i <= leader_last[u] /\ leader_log[u][j] = leader_log[t][j]

\* No two servers apply different entries at an index. (Figure 3; section 5.4.3)
StateMachineSafety ==
    \A n, p \in Server, i \in Index :
          1 <= i /\ i <= commit_index[n] /\ i <= commit_index[p]
       => i <= last_index[n] /\ i <= last_index[p] /\ log[n][i] = log[p][i]

\* A leader has every entry that a server of no later term knows as committed. (section 5.4)
LeaderHasWhatIsCommitted ==
    \A n, p \in Server, i \in Index :
          leader[n] /\ 1 <= i /\ i <= commit_index[p] /\ current_term[p] <= current_term[n]
       => i <= last_index[n] /\ log[n][i] = log[p][i]

\* What the leaders of any two terms have committed is the same as far as both go. (section 5.4)
CommitsAgree ==
    \A t, u \in Term, i, k, j \in Index :
       committed[t][i] /\ committed[u][k] /\ 1 <= j /\ j <= i /\ j <= k => leader_log[t][j] = leader_log[u][j]

\* A leader never gets AppendEntries of its term from another server. (section 5.2)
LeadersHearNoOtherLeader ==
    \A n \in Server, m \in Message :
       leader[n] /\ m \in append_sent /\ append_term[m] = current_term[n] => append_leader[m] = n

\* Steps. What is true of every step. A prime marks what is so after it.

\* A leader never overwrites or deletes entries of its log. (Figure 3; section 5.3)
LeaderAppendOnly ==
    [][\A n \in Server, i \in Index :
             leader[n] /\ leader'[n] /\ current_term[n] = current_term'[n] /\ 1 <= i /\ i <= last_index[n]
          => i <= last_index'[n] /\ log'[n][i] = log[n][i]]_vars

\* current_term increases monotonically. (Figure 2, State)
TermsNeverGoBack == [][\A n \in Server : current_term[n] <= current_term'[n]]_vars

\* What was committed once is committed for ever. (section 5.4)
CommittedEntriesStay ==
    [][\A t \in Term, i, j \in Index :
          committed[t][i] /\ 1 <= j /\ j <= i => committed'[t][i] /\ leader_log'[t][j] = leader_log[t][j]]_vars

\* No server deletes or overwrites what it has applied. (section 5.4)
AppliedEntriesStay ==
    [][\A n \in Server, i \in Index :
          1 <= i /\ i <= commit_index[n] => i <= last_index'[n] /\ log'[n][i] = log[n][i]]_vars

\* Invariants. What safety follows from: true at first, and preserved by every action.

\* Terms and indexes are not negative, candidates have a term, and nobody is candidate and leader at once.
ServerNumbers ==
    \A n \in Server :
       /\ 0 <= current_term[n]
       /\ (candidate[n] => 1 <= current_term[n])
       /\ 0 <= last_index[n]
       /\ 0 <= commit_index[n]
       /\ ~(candidate[n] /\ leader[n])

\* Elections are won in terms from 1 on; the leader's log of another term is empty.
TermNumbers ==
    \A t \in Term : 0 <= leader_last[t] /\ (elected[t] => 1 <= t) /\ (~elected[t] => leader_last[t] = 0)

\* A vote in the voter's current term is the one that it remembers; no vote is for a term to come.
VotesAreRemembered ==
    \A v \in Server, t \in Term, c \in Server :
          <<v, t, c>> \in vote
       => t <= current_term[v] /\ t <= current_term[c] /\ (t = current_term[v] => voted[v] /\ voted_for[v] = c)

\* No server votes for two candidates in a term.
OneVoteATerm ==
    \A v \in Server, t \in Term, c, d \in Server : <<v, t, c>> \in vote /\ <<v, t, d>> \in vote => c = d

\* What a candidate or leader counts are votes given to it in its term.
CountedVotesWereGiven ==
    \A n, v \in Server :
       (candidate[n] \/ leader[n]) /\ votes_granted[n][v] => <<v, current_term[n], n>> \in vote

\* The quorum that elected a leader voted for it.
VotersVoted ==
    \A t \in Term, v \in Server : elected[t] /\ v \in voters[t] => <<v, t, leader_of[t]>> \in vote

\* Whoever won an election is in that term, no longer as a candidate, or in a later one.
WinnersMoveOn ==
    \A t \in Term :
          elected[t]
       => t <= current_term[leader_of[t]] /\ (t = current_term[leader_of[t]] => ~candidate[leader_of[t]])

\* A leader is the one that won the election of its term.
LeadersWereElected ==
    \A n \in Server : leader[n] => elected[current_term[n]] /\ leader_of[current_term[n]] = n

\* A candidate's requests of its current term show its log as it is.
RequestsShowTheLog ==
    \A c \in Server, t \in Term, i \in Index, u \in Term :
          <<c, t, i, u>> \in request_vote
       => t <= current_term[c] /\ (t = current_term[c] /\ candidate[c] => i = last_index[c] /\ u = last_term(c))

\* An entry of a term is in the log of that term's leader, which is as long at least.
EntriesComeFromLeaders ==
    \A n \in Server, i \in Index :
          1 <= i /\ i <= last_index[n]
       => /\ 1 <= log[n][i].term
          /\ log[n][i].term <= current_term[n]
          /\ elected[log[n][i].term]
          /\ i <= leader_last[log[n][i].term]
          /\ log[n][i] = leader_log[log[n][i].term][i]

\* Up to an entry of a term, a log is that of the term's leader.
LogsArePrefixesOfLeadersLogs ==
    \A n \in Server, i, j \in Index :
       1 <= j /\ j <= i /\ i <= last_index[n] => log[n][j] = leader_log[log[n][i].term][j]

\* An entry of a leader's log comes from the leader of the entry's own term.
LeadersEntriesComeFromLeaders ==
    \A t \in Term, i \in Index :
          1 <= i /\ i <= leader_last[t]
       => /\ 1 <= leader_log[t][i].term
          /\ leader_log[t][i].term <= t
          /\ elected[leader_log[t][i].term]
          /\ i <= leader_last[leader_log[t][i].term]
          /\ leader_log[t][i] = leader_log[leader_log[t][i].term][i]

\* Up to an entry of a term, a leader's log is that of the entry's term.
LeadersLogsArePrefixesOfLeadersLogs ==
    \A t \in Term, i, j \in Index :
       1 <= j /\ j <= i /\ i <= leader_last[t] => leader_log[t][j] = leader_log[leader_log[t][i].term][j]

\* What is remembered of a leader's log is as long as the log.
LeadersLogEndsThere == \A n \in Server : leader[n] => leader_last[current_term[n]] = last_index[n]

\* What is remembered of a leader's log is the log.
LeadersLogIsThat ==
    \A n \in Server, i \in Index :
       leader[n] /\ 1 <= i /\ i <= last_index[n] => leader_log[current_term[n]][i] = log[n][i]

\* AppendEntries was sent by the leader of its term, about a part of its log.
MessagesComeFromLeaders ==
    \A m \in Message :
          m \in append_sent
       => /\ elected[append_term[m]]
          /\ leader_of[append_term[m]] = append_leader[m]
          /\ 0 <= append_prev[m]
          /\ append_prev[m] <= append_last[m]
          /\ append_last[m] <= leader_last[append_term[m]]
          /\ (1 <= append_prev[m] => append_prev_term[m] = leader_log[append_term[m]][append_prev[m]].term)

\* The entries of AppendEntries are those of the leader's log.
MessagesCarryTheLeadersEntries ==
    \A m \in Message, i \in Index :
          m \in append_sent /\ append_prev[m] < i /\ i <= append_last[m]
       => append_entry[m][i] = leader_log[append_term[m]][i]

\* What was acknowledged in a term is in the log of its leader; the term is not one to come.
AcknowledgedIsThere ==
    \A n \in Server, t \in Term :
       1 <= acknowledged[n][t] => t <= current_term[n] /\ elected[t] /\ acknowledged[n][t] <= leader_last[t]

\* A leader counts as having acknowledged its whole log.
LeaderAcknowledgesItself == \A n \in Server : leader[n] => last_index[n] <= acknowledged[n][current_term[n]]

\* No acknowledgement claims more than the server has acknowledged.
AcknowledgementsAreKept ==
    \A n \in Server, t \in Term, i \in Index : <<n, t, i>> \in acknowledgement => i <= acknowledged[n][t]

\* What a leader takes to match, the follower has acknowledged.
MatchIndexWasAcknowledged ==
    \A n, p \in Server :
       leader[n] /\ 1 <= match_index[n][p] => match_index[n][p] <= acknowledged[p][current_term[n]]

\* Whoever has acknowledged an entry of a term still has it while some quorum may choose it.
ServersKeepWhatIsChoosable ==
    \A n \in Server, t \in Term, i \in Index, q \in Quorum :
          1 <= i /\ i <= acknowledged[n][t] /\ leader_log[t][i].term = t /\ choosable(q, t, i)
       => i <= last_index[n] /\ log[n][i].term = t

\* If a server that has acknowledged an entry votes for a candidate, the candidate has the entry, while some
\* quorum may choose it.
CandidatesWithVotesHaveWhatIsChoosable ==
    \A n, c \in Server, t \in Term, i \in Index, q \in Quorum :
          /\ <<n, current_term[c], c>> \in vote
          /\ candidate[c]
          /\ t < current_term[c]
          /\ 1 <= i
          /\ i <= acknowledged[n][t]
          /\ leader_log[t][i].term = t
          /\ choosable(q, t, i)
       => i <= last_index[c] /\ log[c][i].term = t

\* Every later leader has what some quorum may choose.
LeadersHaveWhatIsChoosable ==
    \A t, u \in Term, i \in Index, q \in Quorum :
          /\ elected[t]
          /\ elected[u]
          /\ t < u
          /\ 1 <= i
          /\ i <= leader_last[t]
          /\ leader_log[t][i].term = t
          /\ choosable(q, t, i)
       => i <= leader_last[u] /\ leader_log[u][i].term = t

\* What a leader commits is an entry of its log and of its term.
CommittedEntriesAreOfTheirTerm ==
    \A t \in Term, i \in Index :
       committed[t][i] => elected[t] /\ 1 <= i /\ i <= leader_last[t] /\ leader_log[t][i].term = t

\* The quorum by which an entry was committed has acknowledged it.
CommittersAcknowledged ==
    \A t \in Term, i \in Index, n \in Server :
       committed[t][i] /\ n \in committers[t][i] => i <= acknowledged[n][t]

\* What a server knows as committed was committed by a leader of no later term, and is in the server's log.
CommitIndexRestsOnACommit ==
    \A n \in Server :
          1 <= commit_index[n]
       => /\ committed[commit_term[n]][commit_point[n]]
          /\ commit_index[n] <= commit_point[n]
          /\ commit_index[n] <= last_index[n]
          /\ commit_term[n] <= current_term[n]

\* Up to its commit index, a server has the entries of the leader that committed them.
CommittedEntriesAreTheLeaders ==
    \A n \in Server, j \in Index : 1 <= j /\ j <= commit_index[n] => log[n][j] = leader_log[commit_term[n]][j]

\* What AppendEntries calls committed was committed by a leader of no later term.
MessagesCommitIndexRestsOnACommit ==
    \A m \in Message :
          m \in append_sent /\ 1 <= append_commit[m]
       => /\ committed[append_commit_term[m]][append_commit_point[m]]
          /\ append_commit[m] <= append_commit_point[m]
          /\ append_commit_term[m] <= append_term[m]

Safety ==
    /\ ElectionSafety
    /\ LogMatching
    /\ LeaderCompleteness
    /\ StateMachineSafety
    /\ LeaderHasWhatIsCommitted
    /\ CommitsAgree
    /\ LeadersHearNoOtherLeader

\* The inductive invariant.
Inv ==
    /\ ServerNumbers
    /\ TermNumbers
    /\ VotesAreRemembered
    /\ OneVoteATerm
    /\ CountedVotesWereGiven
    /\ VotersVoted
    /\ WinnersMoveOn
    /\ LeadersWereElected
    /\ RequestsShowTheLog
    /\ EntriesComeFromLeaders
    /\ LogsArePrefixesOfLeadersLogs
    /\ LeadersEntriesComeFromLeaders
    /\ LeadersLogsArePrefixesOfLeadersLogs
    /\ LeadersLogEndsThere
    /\ LeadersLogIsThat
    /\ MessagesComeFromLeaders
    /\ MessagesCarryTheLeadersEntries
    /\ AcknowledgedIsThere
    /\ LeaderAcknowledgesItself
    /\ AcknowledgementsAreKept
    /\ MatchIndexWasAcknowledged
    /\ ServersKeepWhatIsChoosable
    /\ CandidatesWithVotesHaveWhatIsChoosable
    /\ LeadersHaveWhatIsChoosable
    /\ CommittedEntriesAreOfTheirTerm
    /\ CommittersAcknowledged
    /\ CommitIndexRestsOnACommit
    /\ CommittedEntriesAreTheLeaders
    /\ MessagesCommitIndexRestsOnACommit

\* Steps on the way of the proof, true of every step BecomeLeader.

\* Nobody else has won the term.
BecomeLeaderFreshTerm(n, q) == ~elected[current_term[n]]

BecomeLeaderLemmas ==
    [][\A n \in Server, q \in Quorum :
          BecomeLeader(n, q) =>
             /\ BecomeLeaderFreshTerm(n, q)]_vars

\* Steps on the way of the proof, true of every step HandleAppendEntries.

\* Up to the message's entries the log is the leader's.
HandleAppendEntriesPrefix(n, m, k) ==
    \A j \in Index : 1 <= j /\ j <= append_prev[m] => log[n][j] = leader_log[append_term[m]][j]

\* Before k, too, the log is the leader's.
HandleAppendEntriesOverlap(n, m, k) ==
    \A j \in Index :
       append_prev[m] < j /\ j < k => j <= last_index[n] /\ log[n][j] = leader_log[append_term[m]][j]

\* Up to the message's last entry the log becomes the leader's.
HandleAppendEntriesNewLog(n, m, k) ==
    \A j \in Index :
       1 <= j /\ j <= append_last[m] => j <= last_index'[n] /\ log'[n][j] = leader_log[append_term[m]][j]

\* What is committed stays.
HandleAppendEntriesKept(n, m, k) ==
    \A j \in Index : 1 <= j /\ j <= commit_index[n] => j <= last_index'[n] /\ log'[n][j] = log[n][j]

\* What the message calls committed is in the leader's log.
HandleAppendEntriesMessagesCommits(n, m, k) ==
    \A j \in Index :
          1 <= j /\ j <= append_commit[m]
       => /\ j <= leader_last[append_term[m]]
          /\ leader_log[append_term[m]][j] = leader_log[append_commit_term[m]][j]

\* If nothing is written, the log has the message's last entry.
HandleAppendEntriesOverlapsEnd(n, m, k) ==
       append_prev[m] < append_last[m] /\ append_last[m] < k
    => append_last[m] <= last_index[n] /\ log[n][append_last[m]] = leader_log[append_term[m]][append_last[m]]

\* The log reaches the message's last entry.
HandleAppendEntriesLongEnough(n, m, k) == append_last[m] <= last_index'[n]

\* What is at the commit index stays.
HandleAppendEntriesKeptAtTheCommitIndex(n, m, k) ==
       1 <= commit_index[n]
    => commit_index[n] <= last_index'[n] /\ log'[n][commit_index[n]] = log[n][commit_index[n]]

\* The leader that committed it is not of a later term.
HandleAppendEntriesMessagesCommitTerm(n, m, k) ==
    1 <= append_commit[m] => append_commit_term[m] <= current_term[n]

HandleAppendEntriesLemmas ==
    [][\A n \in Server, m \in Message, k \in Index :
          HandleAppendEntries(n, m, k) =>
             /\ HandleAppendEntriesPrefix(n, m, k)
             /\ HandleAppendEntriesOverlap(n, m, k)
             /\ HandleAppendEntriesNewLog(n, m, k)
             /\ HandleAppendEntriesKept(n, m, k)
             /\ HandleAppendEntriesMessagesCommits(n, m, k)
             /\ HandleAppendEntriesOverlapsEnd(n, m, k)
             /\ HandleAppendEntriesLongEnough(n, m, k)
             /\ HandleAppendEntriesKeptAtTheCommitIndex(n, m, k)
             /\ HandleAppendEntriesMessagesCommitTerm(n, m, k)]_vars

\* For TLC: beyond these bounds no state is explored.
WithinBounds ==
    /\ \A n \in Server : current_term[n] <= MaxTerm
    /\ \A n \in Server : last_index[n] <= MaxIndex
    /\ \A n \in Server : commit_index[n] <= MaxIndex
    /\ \A n, p \in Server : match_index[n][p] <= MaxIndex

================================================================================================================
