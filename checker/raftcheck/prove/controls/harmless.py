"""Changes of the specification that endanger nothing: its proof must go through, or it is too narrow.

Most of them drop a guard that is there for sense or for speed, and not for safety.
"""

from raftcheck.prove.controls.changing import (
    harmless,
    with_assignments,
    with_guard,
    without_assignment,
    without_guard,
)
from raftspec.logic import FALSE, any_of
from raftspec.proof import RAFT
from raftspec.raft import candidate, i, leader, n, voted

APPEND_ENTRIES = RAFT.action("AppendEntries")
HANDLE_ACKNOWLEDGEMENT = RAFT.action("HandleAcknowledgement")
RESTART = RAFT.action("Restart")
STEP_ASIDE = RAFT.action("StepAside")
STEP_DOWN = RAFT.action("StepDown")

HARMLESS = (
    harmless(
        "ask-for-votes-as-follower",
        without_guard(RAFT.action("RequestVote"), "it is a candidate"),
        "A server that is no candidate asks for votes.",
        "Nobody counts these votes: to become a candidate it goes to a new term.",
    ),
    harmless(
        "count-votes-late",
        without_guard(RAFT.action("HandleVote"), "the server is a candidate"),
        "A server counts votes that arrive when it is a candidate no more.",
        "It does not become a candidate of that term again.",
    ),
    harmless(
        "keep-vote-in-a-newer-term",
        without_assignment(RAFT.action("UpdateTerm"), voted),
        "A server that has voted once votes only for that candidate in all later terms.",
        "It votes less often: that delays elections and endangers nothing.",
    ),
    harmless(
        "send-a-message-anew",
        without_guard(APPEND_ENTRIES, "the message is a new one"),
        "What a message says is replaced as a whole, after it was sent.",
        "The new message is as true as the old one; that messages do not change is for those who read executions.",
    ),
    harmless(
        "step-down-at-will",
        without_guard(STEP_DOWN, "AppendEntries was sent"),
        "A candidate gives up without having heard of a leader.",
        "It keeps its term and its vote.",
    ),
    harmless(
        "step-down-for-any-leader",
        without_guard(STEP_DOWN, "by the leader of the server's term"),
        "A candidate gives up when it hears of the leader of another term.",
        "It keeps its term and its vote.",
    ),
    harmless(
        "step-down-again",
        without_guard(STEP_DOWN, "the server is a candidate"),
        "A server that is no candidate hears of a leader, and is no candidate.",
        "Nothing changes.",
    ),
    harmless(
        "count-acknowledgements-late",
        without_guard(HANDLE_ACKNOWLEDGEMENT, "it leads"),
        "A server notes acknowledgements that arrive when it leads no more.",
        "Whoever becomes leader begins anew with its match indexes.",
    ),
    harmless(
        "match-index-goes-back",
        without_guard(HANDLE_ACKNOWLEDGEMENT, "the leader did not know"),
        "A leader that gets an old acknowledgement believes it.",
        "It commits later, never too much.",
    ),
    harmless(
        "commit-index-goes-back",
        with_guard(RAFT.action("AdvanceCommitIndex"), "the commit index advances", i >= 1),
        "A leader that commits an entry forgets that it has committed later ones.",
        "What is committed stays so; it is known later.",
    ),
    harmless(
        "lead-on-after-restart",
        without_assignment(RESTART, leader),
        "A leader that restarts still leads its term.",
        "Term, vote and log are durable, and so a leader needs nothing else to be one; it only knows less.",
    ),
    harmless(
        "step-aside-again",
        without_guard(STEP_ASIDE, "it leads"),
        "A server that does not lead steps aside, and does not lead.",
        "Nothing changes.",
    ),
    harmless(
        "step-aside-as-candidate",
        with_assignments(
            with_guard(STEP_ASIDE, "it leads", any_of(candidate[n], leader[n])), candidate[n].becomes(FALSE)
        ),
        "A candidate, too, may step aside: when it learns that it cannot win.",
        "It keeps its term and its vote.",
    ),
)
"""Each with the reason why it is harmless."""
