"""The specification with one rule changed: what a proof must fail on, or it proves nothing.

A mutant drops or replaces one guard or one assignment of an action (or the quorums' intersection). It tells which
invariants the changed action no longer preserves, and which promise is broken in the end, if there is an execution that
breaks one: `raftcheck.prove.controls.counterexamples` has it. Some changes break only the argument, or nothing at all;
then `remark` says why.
"""

from raftcheck.prove.controls.changing import (
    Mutant,
    mutant,
    with_assignments,
    with_guard,
    without_assignment,
    without_axiom,
    without_guard,
)
from raftcheck.prove.controls.harmless import HARMLESS
from raftspec.logic import FALSE, TRUE, SpecificationError, all_of, if_else
from raftspec.proof import RAFT
from raftspec.raft import (
    acknowledged,
    acknowledgement,
    append_commit,
    append_commit_point,
    append_commit_term,
    append_last,
    append_term,
    candidate,
    commit,
    commit_index,
    commit_point,
    commit_term,
    committed,
    committers,
    current_term,
    e,
    greater,
    i,
    k,
    last_index,
    last_term,
    leader,
    leader_last,
    leader_log,
    log,
    m,
    match_index,
    n,
    p,
    q,
    request_vote,
    u,
    voted,
    votes_granted,
    writes,
)

__all__ = ["MUTANTS", "Mutant", "mutant_named"]

TIMEOUT = RAFT.action("Timeout")
REQUEST_VOTE = RAFT.action("RequestVote")
UPDATE_TERM = RAFT.action("UpdateTerm")
HANDLE_REQUEST_VOTE = RAFT.action("HandleRequestVote")
HANDLE_VOTE = RAFT.action("HandleVote")
BECOME_LEADER = RAFT.action("BecomeLeader")
CLIENT_REQUEST = RAFT.action("ClientRequest")
APPEND_ENTRIES = RAFT.action("AppendEntries")
STEP_DOWN = RAFT.action("StepDown")
HANDLE_APPEND_ENTRIES = RAFT.action("HandleAppendEntries")
HANDLE_ACKNOWLEDGEMENT = RAFT.action("HandleAcknowledgement")
ADVANCE_COMMIT_INDEX = RAFT.action("AdvanceCommitIndex")
STEP_ASIDE = RAFT.action("StepAside")
RESTART = RAFT.action("Restart")

UP_TO_DATE = "the candidate's log is at least as up to date as the server's"
SAME_TERM = "by the leader of the server's term"
KNEW_AS_MUCH = "it knew as much to be committed"

# The mutants, by what they are about

ELECTIONS = (
    mutant(
        "time-out-while-leading",
        without_guard(TIMEOUT, "it does not lead"),
        "A leader that times out goes into the next term and still leads.",
        ("Server Numbers", "Leaders Were Elected"),
        "Election Safety",
    ),
    mutant(
        "campaign-in-the-same-term",
        with_assignments(TIMEOUT, current_term[n].becomes(current_term[n])),
        "A server that times out becomes a candidate without a new term.",
        ("Votes Are Remembered",),
        "Election Safety",
    ),
    mutant(
        "keep-counted-votes",
        with_assignments(TIMEOUT, votes_granted[n, p].becomes(TRUE, where=p == n)),
        "A candidate goes on counting the votes of its last election.",
        ("Counted Votes Were Given",),
        "Election Safety",
    ),
    mutant(
        "candidate-may-vote",
        without_assignment(TIMEOUT, voted),
        "A candidate counts its own vote but may still give it to another.",
        ("Votes Are Remembered",),
        "Election Safety",
    ),
    mutant(
        "show-a-longer-log",
        with_assignments(REQUEST_VOTE, request_vote[n, current_term[n], last_index[n] + 1, last_term(n)].becomes(TRUE)),
        "A candidate claims one entry more than it has.",
        ("Requests Show the Log",),
        "Leader Completeness",
    ),
    mutant(
        "show-a-newer-log",
        with_assignments(REQUEST_VOTE, request_vote[n, current_term[n], last_index[n], current_term[n]].becomes(TRUE)),
        "A candidate claims that its last entry is of its own new term.",
        ("Requests Show the Log",),
        "Leader Completeness",
    ),
    mutant(
        "no-up-to-date-check",
        without_guard(HANDLE_REQUEST_VOTE, UP_TO_DATE),
        "A server votes for whoever asks first, whatever its log.",
        ("Candidates With Votes Have What Is Choosable",),
        "Leader Completeness",
    ),
    mutant(
        "compare-lengths-only",
        with_guard(HANDLE_REQUEST_VOTE, UP_TO_DATE, i >= last_index[n]),
        "The longer log counts as the newer one, whatever its last term.",
        ("Candidates With Votes Have What Is Choosable",),
        "Leader Completeness",
    ),
    mutant(
        "compare-last-terms-only",
        with_guard(HANDLE_REQUEST_VOTE, UP_TO_DATE, u >= last_term(n)),
        "The log with the later last term counts as the newer one; with equal terms the length is not compared.",
        ("Candidates With Votes Have What Is Choosable",),
        "Leader Completeness",
    ),
    mutant(
        "vote-unasked",
        without_guard(HANDLE_REQUEST_VOTE, "the candidate asks in the server's term"),
        "A server votes for anyone, asked or not.",
        ("Candidates With Votes Have What Is Choosable",),
        "Leader Completeness",
    ),
    mutant(
        "vote-twice",
        without_guard(HANDLE_REQUEST_VOTE, "the server has not voted for another"),
        "A server votes for everyone who asks in its term.",
        ("One Vote a Term", "Votes Are Remembered"),
        "Election Safety",
    ),
    mutant(
        "vote-unrecorded",
        without_assignment(HANDLE_REQUEST_VOTE, voted),
        "A server that votes does not note that it has.",
        ("Votes Are Remembered",),
        "Election Safety",
    ),
    mutant(
        "count-votes-nobody-gave",
        without_guard(HANDLE_VOTE, "the vote is for this server"),
        "A candidate counts votes that it was not given.",
        ("Counted Votes Were Given",),
        "Election Safety",
    ),
    mutant(
        "count-stale-votes",
        without_guard(HANDLE_VOTE, "it was given in the server's term"),
        "A vote counts whatever the term in which it was given.",
        ("Counted Votes Were Given",),
        "Election Safety",
    ),
    mutant(
        "lead-without-candidacy",
        without_guard(BECOME_LEADER, "it is a candidate"),
        "Whoever was given the votes of a quorum once may lead any later term.",
        ("Voters Voted",),
        "Election Safety",
    ),
    mutant(
        "lead-without-a-quorum",
        without_guard(BECOME_LEADER, "every server of a quorum has voted for it"),
        "A candidate leads without votes.",
        ("Voters Voted",),
        "Election Safety",
    ),
    mutant(
        "keep-match-index",
        without_assignment(BECOME_LEADER, match_index),
        "A new leader takes the logs to match as far as they did when it led before.",
        ("Match Index Was Acknowledged",),
        "Leader Completeness",
    ),
    Mutant(
        "half-a-quorum",
        "BecomeLeader",
        "Half of the servers are a quorum: two quorums need not share a server.",
        without_axiom(RAFT, "Quorums Intersect"),
        ("Leaders Were Elected",),
        "Election Safety",
        quorum_size=lambda servers: servers // 2,
    ),
)

TERMS = (
    mutant(
        "term-goes-back",
        without_guard(UPDATE_TERM, "the term is newer"),
        "A server takes up any term that it hears of, with a new vote to give.",
        ("Votes Are Remembered",),
        "Terms Never Go Back",
    ),
    mutant(
        "lead-on-in-a-newer-term",
        without_assignment(UPDATE_TERM, leader),
        "A leader that sees a newer term takes it up and still leads.",
        ("Leaders Were Elected",),
        "Election Safety",
    ),
    mutant(
        "stand-on-in-a-newer-term",
        without_assignment(UPDATE_TERM, candidate),
        "A candidate that sees a newer term takes it up and remains a candidate, with its votes.",
        ("Counted Votes Were Given",),
        "Election Safety",
    ),
    mutant(
        "step-down-clears-vote",
        with_assignments(STEP_DOWN, voted[n].becomes(FALSE)),
        "A candidate that follows the leader of its term forgets that it voted for itself.",
        ("Votes Are Remembered",),
        None,
        "The term has its leader already, and whoever voted for that one was no candidate then: a second leader of the "
        "term would need one of these voters.",
    ),
    mutant(
        "follow-clears-vote",
        with_assignments(without_guard(STEP_DOWN, "the server is a candidate"), voted[n].becomes(FALSE)),
        "Every server that hears of the leader of its term forgets its vote.",
        ("Votes Are Remembered",),
        "Election Safety",
    ),
    mutant(
        "forget-vote-on-restart",
        with_assignments(RESTART, voted[n].becomes(FALSE)),
        "A server that restarts has forgotten its vote.",
        ("Votes Are Remembered",),
        "Election Safety",
    ),
    mutant(
        "forget-term-on-restart",
        with_assignments(RESTART, current_term[n].becomes(0)),
        "A server that restarts begins again in term 0.",
        ("Votes Are Remembered",),
        "Election Safety",
    ),
    mutant(
        "step-aside-clears-vote",
        with_assignments(STEP_ASIDE, voted[n].becomes(FALSE)),
        "A leader that steps aside forgets that it voted for itself.",
        ("Votes Are Remembered",),
        "Leaders Hear No Other Leader",
    ),
)

LAST_OR_FIRST = greater(last_index[n], 1)
"""Where a log ends, or begins."""

REPLICATION = (
    mutant(
        "append-as-follower",
        without_guard(CLIENT_REQUEST, "it leads"),
        "Every server appends what a client asks for, as if it led its term.",
        ("Entries Come From Leaders",),
        "Log Matching",
    ),
    mutant(
        "append-of-any-term",
        without_guard(CLIENT_REQUEST, "the entry is of its term"),
        "A leader appends entries that carry another term than its own.",
        ("Leaders' Entries Come From Leaders",),
        "Log Matching",
    ),
    mutant(
        "leader-drops-uncommitted",
        with_assignments(
            CLIENT_REQUEST,
            last_index[n].becomes(commit_index[n] + 1),
            log[n, commit_index[n] + 1].becomes(e),
            leader_last[current_term[n]].becomes(commit_index[n] + 1),
            leader_log[current_term[n], commit_index[n] + 1].becomes(e),
            acknowledged[n, current_term[n]].becomes(commit_index[n] + 1),
        ),
        "A leader appends after what it knows as committed, and drops the rest of its log.",
        ("Entries Come From Leaders",),
        "Leader Append-Only",
    ),
    mutant(
        "leader-overwrites-its-last-entry",
        with_assignments(
            CLIENT_REQUEST,
            last_index[n].becomes(LAST_OR_FIRST),
            log[n, LAST_OR_FIRST].becomes(e),
            leader_last[current_term[n]].becomes(LAST_OR_FIRST),
            leader_log[current_term[n], LAST_OR_FIRST].becomes(e),
            acknowledged[n, current_term[n]].becomes(LAST_OR_FIRST),
        ),
        "A leader puts an entry in the place of its last one.",
        ("Entries Come From Leaders",),
        "Committed Entries Stay",
    ),
    mutant(
        "append-entries-from-anyone",
        without_guard(APPEND_ENTRIES, "it leads"),
        "Every server sends AppendEntries about its own log.",
        ("Messages Come From Leaders",),
        "Leaders Hear No Other Leader",
    ),
    mutant(
        "send-more-than-the-log",
        without_guard(APPEND_ENTRIES, "the entries are a part of its log"),
        "A leader sends entries from behind the end of its log.",
        ("Messages Come From Leaders",),
        "Log Matching",
    ),
    mutant(
        "claim-more-as-committed",
        without_guard(APPEND_ENTRIES, "it knows as much to be committed"),
        "A leader tells its followers that everything is committed.",
        ("Messages' Commit Index Rests on a Commit",),
        "Leader Has What Is Committed",
    ),
    mutant(
        "append-what-nobody-sent",
        without_guard(HANDLE_APPEND_ENTRIES, "AppendEntries was sent"),
        "A follower appends entries that no leader sent.",
        ("Entries Come From Leaders",),
        "Log Matching",
    ),
    mutant(
        "append-from-stale-leaders",
        with_guard(HANDLE_APPEND_ENTRIES, SAME_TERM, append_term[m] <= current_term[n]),
        "A follower accepts AppendEntries of earlier terms.",
        ("Acknowledged Is There",),
        "Applied Entries Stay",
    ),
    mutant(
        "append-without-the-newer-term",
        with_guard(HANDLE_APPEND_ENTRIES, SAME_TERM, append_term[m] >= current_term[n]),
        "A follower accepts AppendEntries of a newer term and stays in its own.",
        ("Entries Come From Leaders",),
        "Leader Has What Is Committed",
    ),
    mutant(
        "append-as-candidate",
        without_guard(HANDLE_APPEND_ENTRIES, "the server is a follower"),
        "A candidate accepts AppendEntries and remains a candidate.",
        ("Requests Show the Log",),
        None,
        "The term has its leader already, so that the candidate cannot win the votes of a quorum any more.",
    ),
    mutant(
        "no-previous-entry-check",
        without_guard(HANDLE_APPEND_ENTRIES, "its log has the entry before the new ones"),
        "A follower appends entries without having the one before them.",
        ("Logs Are Prefixes of Leaders' Logs",),
        "Log Matching",
    ),
    mutant(
        "write-from-anywhere",
        without_guard(HANDLE_APPEND_ENTRIES, "k is one of the new indexes, or the next"),
        "A follower may write entries from the one before the message's on, or from an earlier one.",
        ("Entries Come From Leaders",),
        None,
        "In an execution these are the leader's entries too; the induction knows only of those after the previous one.",
    ),
    mutant(
        "skip-conflicts",
        without_guard(HANDLE_APPEND_ENTRIES, "before k the log has the message's entries"),
        "A follower appends the last of the message's entries and does not look at those before.",
        ("Logs Are Prefixes of Leaders' Logs",),
        "Log Matching",
    ),
    mutant(
        "truncate-without-conflict",
        without_guard(HANDLE_APPEND_ENTRIES, "at k it has not"),
        "A follower that has the message's entries writes them again, and drops what comes after them.",
        ("Servers Keep What Is Choosable",),
        "Leader Completeness",
    ),
    mutant(
        "always-truncate",
        with_assignments(HANDLE_APPEND_ENTRIES, last_index[n].becomes(append_last[m])),
        "After AppendEntries a follower's log ends where the message does.",
        ("Servers Keep What Is Choosable",),
        "Leader Completeness",
    ),
    mutant(
        "never-truncate",
        with_assignments(HANDLE_APPEND_ENTRIES, last_index[n].becomes(greater(last_index[n], append_last[m]))),
        "A follower overwrites what conflicts and keeps what comes after it.",
        ("Logs Are Prefixes of Leaders' Logs",),
        "Log Matching",
    ),
    mutant(
        "forget-log-on-restart",
        with_assignments(RESTART, last_index[n].becomes(0)),
        "A server that restarts has lost its log.",
        ("Servers Keep What Is Choosable",),
        "Leader Completeness",
    ),
    mutant(
        "keep-only-the-snapshot-on-restart",
        with_assignments(RESTART, last_index[n].becomes(commit)),
        "A server that restarts has the entries for which its snapshot stands, and has lost those after it.",
        ("Servers Keep What Is Choosable",),
        "Leader Completeness",
    ),
)

COMMITMENT = (
    mutant(
        "commit-without-min",
        with_assignments(
            HANDLE_APPEND_ENTRIES,
            commit_index[n].becomes(greater(commit_index[n], append_commit[m])),
            commit_term[n].becomes(if_else(append_commit[m] > commit_index[n], append_commit_term[m], commit_term[n])),
            commit_point[n].becomes(
                if_else(append_commit[m] > commit_index[n], append_commit_point[m], commit_point[n])
            ),
        ),
        "A follower takes over the leader's commit index, though its log may not reach it or not match so far.",
        ("Commit Index Rests on a Commit",),
        "State Machine Safety",
    ),
    mutant(
        "acknowledge-the-whole-log",
        with_assignments(
            HANDLE_APPEND_ENTRIES,
            acknowledgement[n, current_term[n], if_else(writes(m, k), append_last[m], last_index[n])].becomes(TRUE),
        ),
        "A follower acknowledges its whole log, not only what the message showed to match.",
        ("Acknowledgements Are Kept",),
        "Leader Completeness",
    ),
    mutant(
        "count-acknowledgements-nobody-sent",
        without_guard(HANDLE_ACKNOWLEDGEMENT, "the follower has acknowledged as much"),
        "A leader takes for granted that what it sends arrives.",
        ("Match Index Was Acknowledged",),
        "Leader Completeness",
    ),
    mutant(
        "count-stale-acknowledgements",
        without_guard(HANDLE_ACKNOWLEDGEMENT, "in the leader's term"),
        "An acknowledgement counts whatever the term in which it was given.",
        ("Match Index Was Acknowledged",),
        "Leader Completeness",
    ),
    mutant(
        "commit-as-follower",
        without_guard(ADVANCE_COMMIT_INDEX, "it leads"),
        "A server that led once goes on committing by what it knew then.",
        ("Committers Acknowledged",),
        "Leader Completeness",
    ),
    mutant(
        "commit-what-is-not-there",
        without_guard(ADVANCE_COMMIT_INDEX, "the leader has the entry"),
        "A leader commits an entry from behind the end of its log.",
        ("Committed Entries Are of Their Term",),
        None,
        "What an execution leaves behind the end of a log is of earlier terms; the induction does not know that.",
    ),
    mutant(
        "commit-of-old-terms",
        without_guard(ADVANCE_COMMIT_INDEX, "the entry is of the leader's own term"),
        "A leader commits what a quorum has, though it is of an earlier term (Figure 8).",
        ("Committed Entries Are of Their Term",),
        "Leader Completeness",
    ),
    mutant(
        "commit-without-a-quorum",
        without_guard(ADVANCE_COMMIT_INDEX, "every server of a quorum has it"),
        "A leader commits an entry that only it has.",
        ("Committers Acknowledged",),
        "Commits Agree",
    ),
    mutant(
        "commit-one-too-many",
        with_assignments(
            ADVANCE_COMMIT_INDEX,
            commit_index[n].becomes(i + 1),
            commit_point[n].becomes(i + 1),
            committed[current_term[n], i + 1].becomes(TRUE),
            committers[current_term[n], i + 1].becomes(q),
        ),
        "A leader commits the entry after the one that a quorum has.",
        ("Committers Acknowledged",),
        "State Machine Safety",
    ),
    mutant(
        "know-more-after-restart",
        without_guard(RESTART, KNEW_AS_MUCH),
        "A server that restarts takes anything for committed.",
        ("Commit Index Rests on a Commit",),
        "State Machine Safety",
    ),
    mutant(
        "know-the-whole-log-after-restart",
        with_guard(RESTART, KNEW_AS_MUCH, all_of(commit >= 0, commit <= last_index[n])),
        "A server that restarts takes entries of its log for committed, as if a snapshot might stand for any of them.",
        ("Commit Index Rests on a Commit",),
        "State Machine Safety",
    ),
)

MUTANTS = (*ELECTIONS, *TERMS, *REPLICATION, *COMMITMENT, *HARMLESS)
"""All of them: those that break the proof, then those that do not."""


def mutant_named(name: str) -> Mutant:
    """Return the mutant with that name. Raises SpecificationError if there is none."""
    for one in MUTANTS:
        if one.name == name:
            return one
    raise SpecificationError(f"there is no mutant {name!r}; there are: {', '.join(one.name for one in MUTANTS)}")
