"""What lockstep finds: for each known bug, with which seed, after how many requests, and how short it gets."""

from typing import NamedTuple


class Found(NamedTuple):
    """The rule that a mutant breaks in a cluster of so many servers, and after how many requests of seed 1.

    `shortest` is the length of the schedule that is left of them.
    """

    rule: str
    requests: int
    shortest: int
    servers: int = 3


FOUND = {
    "vote-for-whoever-asks-first": Found("HandleRequestVote", 116, 5),
    "compare-index-only": Found("HandleRequestVote", 116, 12),
    "compare-term-only": Found("HandleRequestVote", 556, 8),
    "step-down-clears-vote": Found("HandleRequestVote", 60, 4),
    "count-old-votes": Found("BecomeLeader", 16, 4),
    "half-rounded-down": Found("BecomeLeader", 1, 1),
    "half-rounded-up": Found("BecomeLeader", 22, 3, servers=4),
    "never-persist-vote": Found("Restart", 23, 3),
    "persist-vote-later": Found("Restart", 202, 3),
    "send-before-persist": Found("Restart", 83, 5),
    "forget-log": Found("Leader Append-Only", 79, 4),
    "commit-old-terms": Found("AdvanceCommitIndex", 271, 13),
    "truncate-always": Found("HandleAppendEntries", 348, 6),
    "heartbeat-truncates": Found("HandleAppendEntries", 671, 8),
    "overwrite-uncommitted": Found("Log Matching", 27, 5),
    "no-consistency-check": Found("HandleAppendEntries", 267, 12),
    "commit-beyond-match": Found("HandleAppendEntries", 395, 10),
    "commit-goes-back": Found("HandleAppendEntries", 441, 9),
    "match-goes-back": Found("HandleAcknowledgement", 590, 8),
}
