"""Bugs that real implementations of Raft had, each as one changed rule; and a few harmless changes.

A checker that does not find these is not worth trusting. Each harmful mutant names the property that it
breaks and bounds within which a shortest example exists; a harmless one must pass, or the checker raises false
alarms. `source` is the public record of the bug.
"""

from dataclasses import dataclass

from raftcheck.model import ModelError
from raftcheck.raft import changed_rules as r
from raftcheck.raft.bounds import Bounds
from raftimpl.rules import Rules


@dataclass(frozen=True)
class Mutant:
    """A changed rule. `violates` is the property that it breaks, None if it is harmless.

    `refused` is the action of the specification that it claims and that is refused to it; `invisible` the reason why
    a harmful one takes only steps that the specification allows.
    """

    name: str
    rules: Rules
    violates: str | None
    bounds: Bounds
    source: str
    refused: str | None = None
    invisible: str = ""

    @property
    def description(self) -> str:
        """What is changed, in a sentence."""
        return (type(self.rules).__doc__ or "").splitlines()[0]


READS = "reads are not in the specification"
NEXT_INDEX = "next_index is not in the specification: safety does not depend on it"

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant
    for mutant in (
        Mutant(
            "vote-for-whoever-asks-first",
            r.VoteForWhoeverAsksFirst(),
            "Leader Completeness",
            Bounds(terms=2, entries=0),
            "jgroups-raft #14, akka-raft #30",
            refused="HandleRequestVote",
        ),
        Mutant(
            "compare-index-only",
            r.CompareIndexOnly(),
            "Leader Completeness",
            Bounds(terms=3, entries=1, candidates={2: 1, 3: 0}),
            "noraft #22",
            refused="HandleRequestVote",
        ),
        Mutant(
            "compare-term-only",
            r.CompareTermOnly(),
            "Leader Completeness",
            Bounds(terms=2, entries=1),
            "the other half of section 5.4.1",
            refused="HandleRequestVote",
        ),
        Mutant(
            "step-down-clears-vote",
            r.StepDownClearsVote(),
            "Election Safety",
            Bounds(terms=2, entries=0, crashes=1),
            "CCF #8094",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "count-old-votes",
            r.CountOldVotes(),
            "Election Safety",
            Bounds(terms=2, entries=0),
            "Xraft #33",
            refused="HandleVote",
        ),
        Mutant(
            "half-rounded-down",
            r.HalfRoundedDown(),
            "Election Safety",
            Bounds(terms=1, entries=0),
            "folklore",
            refused="BecomeLeader",
        ),
        Mutant(
            "half-rounded-up",
            r.HalfRoundedUp(),
            "Election Safety",
            Bounds(servers=2, terms=1, entries=0),
            "folklore",
            refused="BecomeLeader",
        ),
        Mutant(
            "never-persist-vote",
            r.NeverPersistVote(),
            "Election Safety",
            Bounds(terms=1, entries=0, crashes=1),
            "seaweedfs/raft #9",
            refused="Restart",
        ),
        Mutant(
            "persist-vote-later",
            r.PersistVoteLater(),
            "Election Safety",
            Bounds(terms=1, entries=0, crashes=1, torn_steps=True),
            "hashicorp/raft #661 (two writes, a crash between them)",
            refused="Restart",
        ),
        Mutant(
            "send-before-persist",
            r.SendBeforePersist(),
            "Election Safety",
            Bounds(terms=1, entries=0, crashes=1, torn_steps=True),
            "the paper's Figure 2, State",
            refused="Restart",
        ),
        Mutant(
            "forget-log",
            r.ForgetLog(),
            "Leader Completeness",
            Bounds(terms=2, entries=0, crashes=1),
            "rethinkdb #5289",
            refused="Restart",
        ),
        Mutant(
            "commit-old-terms",
            r.CommitOldTerms(),
            "Leader Completeness",
            Bounds(terms=4, entries=0, batch=1, candidates={2: 1, 3: 0, 4: 1}, cut=((0, 1),)),
            "logcabin #44, PySyncObj #169, nats-server #7955",
            refused="AdvanceCommitIndex",
        ),
        Mutant(
            "truncate-always",
            r.TruncateAlways(),
            "Leader Completeness",
            Bounds(terms=2, entries=1),
            "hashicorp/raft #113, CCF #5991",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "heartbeat-truncates",
            r.HeartbeatTruncates(),
            "Leader Completeness",
            Bounds(terms=2, entries=1),
            "RaftOS #26",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "overwrite-uncommitted",
            r.OverwriteUncommitted(),
            "Leader Append-Only",
            Bounds(terms=1, entries=1),
            "the paper's Figure 3",
            refused="ClientRequest",
        ),
        Mutant(
            "no-consistency-check",
            r.NoConsistencyCheck(),
            "Log Matching",
            Bounds(terms=3, entries=0),
            "section 5.3",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "count-old-refusals",
            r.CountOldRefusals(),
            "Next Index Follows Match Index",
            Bounds(terms=2, entries=0, batch=1),
            "this implementation, found in review: a follower was wedged for the whole term",
            invisible=NEXT_INDEX,
        ),
        Mutant(
            "commit-beyond-match",
            r.CommitBeyondMatch(),
            "Committed Entries Stay",
            Bounds(terms=1, entries=1, batch=1),
            "copycat #265, rabbitmq/ra #508",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "commit-goes-back",
            r.CommitGoesBack(),
            "Commit Index Never Goes Back",
            Bounds(terms=1, entries=0),
            "PySyncObj #166",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "match-goes-back",
            r.MatchGoesBack(),
            "Match Index Never Goes Back",
            Bounds(terms=1, entries=1),
            "PySyncObj #167, RaftOS #25",
            refused="HandleAcknowledgement",
        ),
        Mutant(
            "last-term-of-no-entry",
            r.LastTermOfNoEntry(),
            "Leader Completeness",
            Bounds(terms=2, entries=1, compactions=1),
            "NuRaft #668",
            refused="HandleRequestVote",
        ),
        Mutant(
            "append-behind-snapshot",
            r.AppendBehindSnapshot(),
            "Log Matching",
            Bounds(servers=2, terms=1, entries=1, compactions=1),
            "willemt/raft #118",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "snapshot-one-too-late",
            r.SnapshotOneTooLate(),
            "Log Matching",
            Bounds(terms=1, entries=1, compactions=1),
            "willemt/raft #118",
            refused="AppendEntries",
        ),
        Mutant(
            "snapshot-sets-term",
            r.SnapshotSetsTerm(),
            "Terms Never Go Back",
            Bounds(terms=2, entries=0, compactions=1),
            "willemt/raft #118",
            refused="UpdateTerm",
        ),
        Mutant(
            "snapshot-drops-suffix",
            r.SnapshotDropsSuffix(),
            "Leader Completeness",
            Bounds(terms=2, entries=1, heartbeats=1, compactions=1),
            "camunda #6092",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "install-stale-snapshot",
            r.InstallStaleSnapshot(),
            "Commit Index Never Goes Back",
            Bounds(terms=1, entries=1, compactions=2),
            "hashicorp/raft #248",
            refused="HandleAppendEntries",
        ),
        Mutant(
            "compact-uncommitted",
            r.CompactUncommitted(),
            "Committed Entries Stay",
            Bounds(terms=1, entries=1, compactions=1),
            "etcd #8091 (raftexample)",
            refused="AppendEntries",
        ),
        Mutant(
            "forget-snapshot",
            r.ForgetSnapshot(),
            "Log Matching",
            Bounds(servers=2, terms=1, entries=1, crashes=1, compactions=1),
            "goraft/raft #99",
            refused="Restart",
        ),
        Mutant(
            "step-aside-clears-vote",
            r.StepAsideClearsVote(),
            "One Vote a Term",
            Bounds(terms=1, entries=0, quorum_timeouts=1),
            "hazelcast #16643, nats-server #7698, redpanda #14",
            refused="StepAside",
        ),
        Mutant(
            "read-before-own-commit",
            r.ReadBeforeOwnCommit(),
            "Linearizable Reads",
            Bounds(terms=2, entries=0, reads=1),
            "etcd #7331, redisraft PR #22",
            invisible=READS,
        ),
        Mutant(
            "late-heartbeat-confirms",
            r.LateHeartbeatConfirms(),
            "Linearizable Reads",
            Bounds(terms=2, entries=0, reads=2, candidates={1: 0, 2: 1}),
            "etcd #20418 (raft PR #397)",
            invisible=READS,
        ),
        Mutant(
            "read-without-confirming",
            r.ReadWithoutConfirming(),
            "Linearizable Reads",
            Bounds(terms=2, entries=0, reads=1),
            "thesis 6.4",
            invisible=READS,
        ),
        Mutant("vote-only-once", r.VoteOnlyOnce(), None, Bounds(terms=2, entries=0), "a legal choice"),
        Mutant(
            "obey-old-timeout-now",
            r.ObeyOldTimeoutNow(),
            None,
            Bounds(terms=3, entries=0, transfers=1),
            "any server may start an election at any time",
        ),
        Mutant(
            "transfer-to-anyone",
            r.TransferToAnyone(),
            None,
            Bounds(terms=2, entries=0, transfers=1),
            "thesis 3.10: its step 2 is there to lose no time",
        ),
        Mutant("back-up-one-by-one", r.BackUpOneByOne(), None, Bounds(servers=2, terms=3, entries=1), "section 5.3"),
    )
}


def mutant_named(name: str) -> Mutant:
    """Return the mutant with that name. Raises ModelError, listing the names, if there is none."""
    if name not in MUTANTS:
        raise ModelError(f"there is no mutant {name!r}; there are: {', '.join(MUTANTS)}")
    return MUTANTS[name]
