"""Scripted executions: for each mutant of the specification what it takes to break a promise, or at least an invariant.

Moves are sequences of the specification's actions, every guard checked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from raftcheck.prove.controls.executions import Cluster
from raftspec.concrete import State


@dataclass(frozen=True)
class Script:
    """Moves of a cluster of so many servers. `initial`: as in `Run`."""

    moves: Callable[[Cluster], None]
    servers: int = 3
    initial: State = field(default_factory=dict)


# Elections


def two_votes(run: Cluster) -> None:
    """Server 1 votes for two candidates of term 1."""
    run.elect(0, 1)
    run.elect(2, 1)


def time_out_while_leading(run: Cluster) -> None:
    """The leader of term 1 leads term 2 unasked, which another server wins."""
    run.elect(0, 1)
    run.perform("Timeout", n=0)
    run.elect(1, 2)


def candidates_without_a_term(run: Cluster) -> None:
    """Server 1 votes in term 0, and then for itself."""
    run.elect(0, 1)
    run.elect(1, 2)


def keep_counted_votes(run: Cluster) -> None:
    """A candidate leads term 2 by a vote of term 1."""
    run.campaign(0)
    run.give_vote(1, 0)
    run.count_vote(0, 1)
    run.perform("Timeout", n=0)
    run.lead(0, 0, 1)
    run.elect(1, 2)


def votes_for_each_other(run: Cluster) -> None:
    """Two candidates of term 1 vote for each other, as well as for themselves."""
    for candidate in (0, 1):
        run.campaign(candidate)
    for candidate, other in ((0, 1), (1, 0)):
        run.give_vote(other, candidate)
        run.count_vote(candidate, other)
        run.lead(candidate, candidate, other)


def incomplete_leader(run: Cluster, i: int | None = None, u: int | None = None) -> None:
    """A server that lacks a committed entry is elected."""
    run.elect(0, 1)
    run.append(0)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)
    run.elect(2, 1, term=2, i=i, u=u)


def shorter_leader(run: Cluster) -> None:
    """A server that lacks the second of two committed entries is elected."""
    run.elect(0, 1)
    run.append(0)
    run.append(0)
    message = run.send(0, 0, 1)
    run.hear(2, 1)
    run.handle(2, message)
    run.replicate(0, 1, 0, 2)
    run.commit(0, 2, 1)
    run.elect(2, 1)


def older_leader(run: Cluster) -> None:
    """A server whose log is as long as that of the leader, and older, is elected."""
    run.elect(2, 1)
    run.append(2)
    run.elect(0, 1, term=2)
    run.append(0)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)
    run.elect(2, 1, term=3)


def votes_nobody_gave(run: Cluster) -> None:
    """Two candidates count votes of server 2."""
    for candidate, other in ((0, 2), (1, 2)):
        run.campaign(candidate)
        run.count_vote(candidate, other)
        run.lead(candidate, candidate, other)


def count_stale_votes(run: Cluster) -> None:
    """A candidate of term 2 counts a vote of term 1."""
    run.campaign(0)
    run.give_vote(1, 0)
    run.perform("Timeout", n=0)
    run.count_vote(0, 1, t=1)
    run.lead(0, 0, 1)
    run.elect(1, 2)


def lead_by_old_votes(run: Cluster) -> None:
    """A server that had a quorum's votes in term 1 goes to term 2 and leads that."""
    run.campaign(0)
    run.give_vote(1, 0)
    run.count_vote(0, 1)
    run.hear(0, 2)
    run.lead(0, 0, 1)
    run.elect(1, 2)


def lead_without_votes(run: Cluster) -> None:
    """Two candidates lead term 1 without being elected."""
    for candidate, other in ((0, 1), (1, 2)):
        run.campaign(candidate)
        run.lead(candidate, candidate, other)


def two_halves(run: Cluster) -> None:
    """Each half of the cluster elects a leader of its own."""
    run.elect(0, 1)
    run.elect(2, 3)


# Terms


def back_to_term_0(run: Cluster) -> None:
    """A candidate of term 1 takes up term 0."""
    run.campaign(0)
    run.perform("UpdateTerm", n=0, t=0)


def lead_on(run: Cluster) -> None:
    """The leader of term 1 leads term 2, which another server wins."""
    run.elect(0, 1)
    run.hear(0, 2)
    run.elect(1, 2)


def clear_own_vote(run: Cluster) -> None:
    """A candidate hears of the leader and forgets its vote for itself."""
    run.campaign(2)
    run.elect(0, 1)
    run.perform("StepDown", n=2, m=run.send(0, 0, 0))


def clear_vote_for_leader(run: Cluster) -> None:
    """A server hears of the leader for which it voted, and votes for another."""
    run.elect(0, 1)
    run.perform("StepDown", n=1, m=run.send(0, 0, 0))
    run.elect(2, 1)


def restart_between_votes(run: Cluster) -> None:
    """Server 1 restarts between two votes."""
    run.elect(0, 1)
    run.perform("Restart", n=1, commit=0)
    run.hear(1, 1)
    run.elect(2, 1)


def step_aside_and_vote(run: Cluster) -> None:
    """A leader steps aside and votes for another, which leads while a heartbeat of the first is under way."""
    run.campaign(2)
    run.elect(0, 1)
    run.send(0, 0, 0)
    run.perform("StepAside", n=0)
    run.give_vote(0, 2)
    run.count_vote(2, 0)
    run.lead(2, 2, 0)


# Replication


def append_everywhere(run: Cluster) -> None:
    """Two servers append different entries of the same term."""
    run.append(0, 0)
    run.append(1, 1)


def append_of_any_term(run: Cluster) -> None:
    """Two leaders append different entries that carry the same term."""
    run.elect(0, 1)
    run.append(0, 0, term=1)
    run.elect(1, 2)
    run.append(1, 1, term=1)


def drop_what_was_sent(run: Cluster) -> None:
    """A leader appends an entry and sends it, and appends another over it."""
    run.elect(0, 1)
    run.append(0, 0)
    run.handle(1, run.send(0, 0, 1))
    run.append(0, 1)


def overwrite_what_is_committed(run: Cluster) -> None:
    """A leader commits an entry and appends another over it."""
    run.elect(0, 1)
    run.append(0, 0)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)
    run.append(0, 1)


def send_as_follower(run: Cluster) -> None:
    """A follower sends AppendEntries in the term of its leader."""
    run.elect(0, 1)
    run.send(1, 0, 0)


def send_what_is_not_there(run: Cluster) -> None:
    """A leader sends two entries that it does not have, then two of which it has one."""
    run.elect(0, 1)
    run.handle(1, run.send(0, 0, 2))
    run.append(0)
    run.hear(2, 1)
    run.handle(2, run.send(0, 0, 2))


def claim_commit(run: Cluster) -> None:
    """A follower takes for committed what only it and the leader have; a majority without them elects a leader."""
    run.elect(0, 1, 2)
    run.append(0)
    run.handle(1, run.send(0, 0, 1, commit=1))
    run.elect(3, 2, 4, term=2)


def handle_unsent(run: Cluster) -> None:
    """Two servers append what two messages hold that nobody sent."""
    run.handle(0, 0)
    run.handle(1, 1)


UNSENT: State = {"append_last": {(0,): 1, (1,): 1}, "append_entry": {(1, 1): (0, 1)}}
"""Messages that were not sent may hold anything: here entries, different ones."""


def stale_leader_truncates(run: Cluster) -> None:
    """A message of term 1 arrives late, at a server that has applied an entry of term 2."""
    run.elect(0, 2)
    run.append(0)
    stale = run.send(0, 0, 1)
    run.elect(1, 2, term=2)
    run.append(1)
    run.replicate(1, 2, 0, 1)
    run.commit(1, 1, 2)
    run.hear(1, 3)
    run.handle(1, stale)


def commit_before_the_term(run: Cluster) -> None:
    """A server of term 1 learns what the leader of term 2 has committed, while term 1 still has its leader."""
    run.elect(2, 1, 3)
    run.elect(0, 3, 4, term=2)
    run.append(0)
    run.replicate(0, 3, 0, 1)
    run.replicate(0, 4, 0, 1)
    run.commit(0, 1, 3, 4)
    run.handle(1, run.send(0, 0, 1, commit=1))


def candidate_appends(run: Cluster) -> None:
    """A candidate's log grows after it asked for votes."""
    run.campaign(2)
    run.elect(0, 1)
    run.append(0)
    run.handle(2, run.send(0, 0, 1))


def append_after_a_gap(run: Cluster) -> None:
    """A follower appends the second entry without the first."""
    run.elect(0, 1)
    run.append(0)
    run.append(0)
    run.handle(1, run.send(0, 1, 2), k=2)


def append_after_a_conflict(run: Cluster) -> None:
    """A follower writes the second of two entries and leaves the first as it is."""
    run.elect(0, 1)
    run.append(0)
    run.append(0)
    run.handle(1, run.send(0, 0, 2), k=2)


def old_message_truncates(run: Cluster) -> None:
    """A message with one entry arrives late and deletes the second, which is committed."""
    run.elect(0, 1)
    run.append(0)
    run.append(0)
    short = run.send(0, 0, 1)
    run.replicate(0, 1, 0, 2)
    run.commit(0, 2, 1)
    run.handle(1, short, k=1)
    run.hear(2, 1)
    run.handle(2, short)
    run.elect(2, 1)


def heartbeat_truncates(run: Cluster) -> None:
    """A heartbeat deletes the committed entry."""
    run.elect(0, 1)
    run.append(0)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)
    run.handle(1, run.send(0, 0, 0))
    run.elect(2, 1, term=2)


def keep_conflicting_suffix(run: Cluster) -> None:
    """The second entry of term 1 stays behind an entry of term 2, while another server has it behind one of term 1."""
    run.elect(0, 2, 3)
    run.append(0)
    run.append(0)
    run.handle(2, run.send(0, 0, 2))
    run.elect(1, 3, 4, term=2)
    run.append(1)
    run.hear(0, 2)
    run.handle(0, run.send(1, 0, 1))


def restart_without_log(run: Cluster) -> None:
    """A server of the quorum that committed an entry loses it."""
    run.elect(0, 1)
    run.append(0)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)
    run.perform("Restart", n=1, commit=0)
    run.elect(2, 1, term=2)


def restart_from_the_snapshot(run: Cluster) -> None:
    """A server of the quorum that committed two entries keeps only the first, for which its snapshot stands."""
    run.elect(0, 1)
    run.append(0)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)
    run.append(0)
    message = run.send(0, 0, 1)
    run.hear(2, 1)
    run.handle(2, message)
    run.replicate(0, 1, 1, 2, commit=1)
    run.commit(0, 2, 1)
    run.perform("Restart", n=1, commit=1)
    run.elect(2, 1, term=2)


# Commitment


def commit_beyond_the_log(run: Cluster) -> None:
    """A heartbeat tells a server with an empty log that an entry is committed."""
    run.elect(0, 1)
    run.append(0)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)
    run.hear(2, 1)
    run.handle(2, run.send(0, 0, 0, commit=1))


def acknowledge_a_conflict(run: Cluster) -> None:
    """A server with an entry of its own answers a heartbeat of the next leader as if that one had it."""
    run.elect(1, 2)
    run.append(1)
    run.elect(0, 2, term=2)
    run.append(0)
    heartbeat = run.send(0, 0, 0)
    run.hear(1, 2)
    run.handle(1, heartbeat)
    run.acknowledge(0, 1, 1)
    run.commit(0, 1, 1)
    run.elect(1, 2)


def acknowledgement_nobody_sent(run: Cluster) -> None:
    """A leader commits what it believes another server to have."""
    run.elect(0, 1)
    run.append(0)
    run.acknowledge(0, 1, 1)
    run.commit(0, 1, 1)
    run.elect(2, 1, term=2)


def stale_acknowledgement(run: Cluster) -> None:
    """Server 1 has acknowledged the first entry of term 1; the leader of term 2 takes that for its own first entry."""
    run.elect(0, 1, 4)
    run.append(0)
    message = run.send(0, 0, 1)
    run.handle(1, message)
    run.elect(2, 3, 4, term=2)
    run.append(2)
    run.replicate(2, 3, 0, 1)
    run.acknowledge(2, 1, 1, u=1)
    run.commit(2, 1, 1, 3)
    run.elect(0, 1, 4, term=3)


def match_index_of_another_term(run: Cluster) -> None:
    """Server 1 has matched server 0 up to index 2; server 0 gets another entry there and leads again."""
    run.elect(0, 1, 3)
    run.append(0)
    run.append(0)
    run.replicate(0, 1, 0, 2)
    run.elect(2, 3, 4, term=2)
    run.append(2)
    run.hear(0, 2)
    run.handle(0, run.send(2, 0, 1))
    run.elect(0, 3, 4)
    run.append(0)
    run.replicate(0, 3, 0, 2)
    run.commit(0, 2, 1, 3)
    run.elect(2, 1, 4, term=4)


def commit_by_old_knowledge(run: Cluster) -> None:
    """Servers 1 and 2 matched server 0 in entries of term 1; server 0, now a follower, has others there, of term 4."""
    run.elect(0, 1, 2)
    run.append(0)
    run.append(0)
    run.elect(4, 1, 2, term=2)
    run.append(4)
    run.elect(0, 1, 2, term=3)
    run.replicate(0, 1, 0, 2)
    run.replicate(0, 2, 0, 2)
    run.elect(4, 1, 2, term=4)
    run.append(4)
    run.hear(0, 4)
    run.handle(0, run.send(4, 0, 2))
    run.commit(0, 2, 1, 2)
    run.elect(1, 2, 3)


def commit_alone(run: Cluster) -> None:
    """Two leaders commit what nobody else has."""
    run.elect(0, 1)
    run.append(0)
    run.commit(0, 1, 1)
    run.elect(2, 1, term=2)
    run.append(2)
    run.commit(2, 1, 1)


def restart_without_entries(run: Cluster) -> None:
    """A server that restarts takes an entry for committed that it does not have."""
    run.perform("Restart", n=0, commit=1)


def restart_with_an_uncommitted_entry(run: Cluster) -> None:
    """A leader that restarts takes the entry that only it has for committed; the next leader commits another one."""
    run.elect(0, 1)
    run.append(0)
    run.perform("Restart", n=0, commit=1)
    run.elect(2, 1, term=2)
    run.append(2)
    run.replicate(2, 1, 0, 1)
    run.commit(2, 1, 1)


def commit_one_too_many(run: Cluster) -> None:
    """A leader commits an entry that does not exist."""
    run.elect(0, 1)
    run.append(0)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)


def commit_of_an_old_term(run: Cluster) -> None:
    """What Figure 8 of the paper shows, with three servers."""
    run.elect(0, 1)
    run.append(0)
    run.elect(2, 1, term=2)
    run.append(2)
    run.elect(0, 1, term=3)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1)
    run.elect(2, 1, term=4)


def figure_8(run: Cluster) -> None:
    """Figure 8 of the paper: its five servers are 0 to 4, and its first entry of term 1 is left out."""
    run.elect(0, 1, 2)
    run.append(0)
    run.replicate(0, 1, 0, 1)
    run.elect(4, 2, 3, term=2)
    run.append(4)
    run.elect(0, 1, 2, term=3)
    run.replicate(0, 2, 0, 1)
    run.replicate(0, 1, 0, 1)
    run.commit(0, 1, 1, 2)
    run.elect(4, 1, 2, term=4)
    run.append(4)
    run.hear(0, 4)
    run.handle(0, run.send(4, 0, 2))


def everyday(run: Cluster) -> None:
    """Every action of the specification happens."""
    run.campaign(2)
    run.elect(0, 1)
    run.append(0)
    message = run.send(0, 0, 1)
    run.perform("StepDown", n=2, m=message)
    run.handle(2, message)
    run.acknowledge(0, 2, 1)
    run.commit(0, 1, 2)
    run.perform("StepAside", n=0)
    run.perform("Restart", n=0, commit=1)


SCRIPTS: Mapping[str, Script] = {
    "time-out-while-leading": Script(time_out_while_leading),
    "campaign-in-the-same-term": Script(candidates_without_a_term),
    "keep-counted-votes": Script(keep_counted_votes),
    "candidate-may-vote": Script(votes_for_each_other),
    "show-a-longer-log": Script(shorter_leader),
    "show-a-newer-log": Script(incomplete_leader),
    "no-up-to-date-check": Script(incomplete_leader),
    "compare-lengths-only": Script(older_leader),
    "compare-last-terms-only": Script(shorter_leader),
    "vote-unasked": Script(lambda run: incomplete_leader(run, i=1, u=1)),
    "vote-twice": Script(votes_for_each_other),
    "vote-unrecorded": Script(two_votes),
    "count-votes-nobody-gave": Script(votes_nobody_gave),
    "count-stale-votes": Script(count_stale_votes),
    "lead-without-candidacy": Script(lead_by_old_votes),
    "lead-without-a-quorum": Script(lead_without_votes),
    "keep-match-index": Script(match_index_of_another_term, servers=5),
    "half-a-quorum": Script(two_halves, servers=4),
    "term-goes-back": Script(back_to_term_0),
    "lead-on-in-a-newer-term": Script(lead_on),
    "stand-on-in-a-newer-term": Script(lead_by_old_votes),
    "step-down-clears-vote": Script(clear_own_vote),
    "follow-clears-vote": Script(clear_vote_for_leader),
    "forget-vote-on-restart": Script(restart_between_votes),
    "forget-term-on-restart": Script(restart_between_votes),
    "step-aside-clears-vote": Script(step_aside_and_vote),
    "append-as-follower": Script(append_everywhere),
    "append-of-any-term": Script(append_of_any_term),
    "leader-drops-uncommitted": Script(drop_what_was_sent),
    "leader-overwrites-its-last-entry": Script(overwrite_what_is_committed),
    "append-entries-from-anyone": Script(send_as_follower),
    "send-more-than-the-log": Script(send_what_is_not_there),
    "claim-more-as-committed": Script(claim_commit, servers=5),
    "append-what-nobody-sent": Script(handle_unsent, initial=UNSENT),
    "append-from-stale-leaders": Script(stale_leader_truncates),
    "append-without-the-newer-term": Script(commit_before_the_term, servers=5),
    "append-as-candidate": Script(candidate_appends),
    "no-previous-entry-check": Script(append_after_a_gap),
    "skip-conflicts": Script(append_after_a_conflict),
    "truncate-without-conflict": Script(old_message_truncates),
    "always-truncate": Script(heartbeat_truncates),
    "never-truncate": Script(keep_conflicting_suffix, servers=5),
    "forget-log-on-restart": Script(restart_without_log),
    "keep-only-the-snapshot-on-restart": Script(restart_from_the_snapshot),
    "commit-without-min": Script(commit_beyond_the_log),
    "acknowledge-the-whole-log": Script(acknowledge_a_conflict),
    "count-acknowledgements-nobody-sent": Script(acknowledgement_nobody_sent),
    "count-stale-acknowledgements": Script(stale_acknowledgement, servers=5),
    "commit-as-follower": Script(commit_by_old_knowledge, servers=5),
    "commit-of-old-terms": Script(commit_of_an_old_term),
    "commit-without-a-quorum": Script(commit_alone),
    "commit-one-too-many": Script(commit_one_too_many),
    "know-more-after-restart": Script(restart_without_entries),
    "know-the-whole-log-after-restart": Script(restart_with_an_uncommitted_entry),
}
"""By the name of the mutant. The missing ones break nothing in any execution, as their remarks tell."""
