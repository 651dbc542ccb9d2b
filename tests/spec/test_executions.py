"""Executions of the specification: what its mutants do, that every action happens, and random walks."""

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftcheck.prove.controls.counterexamples import counterexample, first_broken, promises
from raftcheck.prove.controls.enabled import Enabled
from raftcheck.prove.controls.executions import GuardError, Run, Step, replayed
from raftcheck.prove.controls.mutants import MUTANTS, Mutant, mutant_named
from raftcheck.prove.controls.scripts import SCRIPTS, Script, figure_8
from raftcheck.prove.controls.walks import Walker, is_taken
from raftcheck.prove.controls.witnesses import in_universe, performed, witnesses
from raftspec.concrete import Concrete, cluster
from raftspec.logic import Specification
from raftspec.proof import RAFT

CLAIMS = promises(RAFT) + RAFT.invariants

# What the mutants do

COUNTEREXAMPLES = {
    "time-out-while-leading": (13, ("Timeout", "it does not lead")),
    "campaign-in-the-same-term": (10, ("HandleRequestVote", "the candidate asks in the server's term")),
    "keep-counted-votes": (13, ("BecomeLeader", "every server of a quorum has voted for it")),
    "candidate-may-vote": (10, ("HandleRequestVote", "the server has not voted for another")),
    "show-a-longer-log": (21, ("HandleRequestVote", "the candidate asks in the server's term")),
    "show-a-newer-log": (18, ("HandleRequestVote", "the candidate asks in the server's term")),
    "no-up-to-date-check": (18, ("HandleRequestVote", "the candidate's log is at least as up to date as the server's")),
    "compare-lengths-only": (
        26,
        ("HandleRequestVote", "the candidate's log is at least as up to date as the server's"),
    ),
    "compare-last-terms-only": (
        21,
        ("HandleRequestVote", "the candidate's log is at least as up to date as the server's"),
    ),
    "vote-unasked": (16, ("HandleRequestVote", "the candidate asks in the server's term")),
    "vote-twice": (10, ("HandleRequestVote", "the server has not voted for another")),
    "vote-unrecorded": (11, ("HandleRequestVote", "the server has not voted for another")),
    "count-votes-nobody-gave": (6, ("HandleVote", "the vote is for this server")),
    "count-stale-votes": (13, ("HandleVote", "it was given in the server's term")),
    "lead-without-candidacy": (13, ("BecomeLeader", "it is a candidate")),
    "lead-without-a-quorum": (4, ("BecomeLeader", "every server of a quorum has voted for it")),
    "keep-match-index": (52, ("AdvanceCommitIndex", "every server of a quorum has it")),
    "half-a-quorum": (12, ("BecomeLeader", "{0, 1} is a Quorum")),
    "term-goes-back": (2, ("UpdateTerm", "the term is newer")),
    "lead-on-in-a-newer-term": (13, None),
    "stand-on-in-a-newer-term": (13, ("BecomeLeader", "it is a candidate")),
    "step-down-clears-vote": (9, None),
    "follow-clears-vote": (13, ("StepDown", "the server is a candidate")),
    "forget-vote-on-restart": (12, ("HandleRequestVote", "the server has not voted for another")),
    "forget-term-on-restart": (13, ("UpdateTerm", "the term is newer")),
    "step-aside-clears-vote": (13, ("HandleRequestVote", "the server has not voted for another")),
    "append-as-follower": (2, ("ClientRequest", "it leads")),
    "append-of-any-term": (14, ("ClientRequest", "the entry is of its term")),
    "leader-drops-uncommitted": (10, None),
    "leader-overwrites-its-last-entry": (12, None),
    "append-entries-from-anyone": (7, ("AppendEntries", "it leads")),
    "send-more-than-the-log": (12, ("AppendEntries", "the entries are a part of its log")),
    "claim-more-as-committed": (22, ("AppendEntries", "it knows as much to be committed")),
    "append-what-nobody-sent": (2, ("HandleAppendEntries", "AppendEntries was sent")),
    "append-from-stale-leaders": (22, ("HandleAppendEntries", "by the leader of the server's term")),
    "append-without-the-newer-term": (29, ("HandleAppendEntries", "by the leader of the server's term")),
    "append-as-candidate": (11, ("HandleAppendEntries", "the server is a follower")),
    "no-previous-entry-check": (10, ("HandleAppendEntries", "its log has the entry before the new ones")),
    "skip-conflicts": (10, ("HandleAppendEntries", "before k the log has the message's entries")),
    "truncate-without-conflict": (22, ("HandleAppendEntries", "at k it has not")),
    "always-truncate": (20, ("HandleRequestVote", "the candidate's log is at least as up to date as the server's")),
    "never-truncate": (27, None),
    "forget-log-on-restart": (
        19,
        ("HandleRequestVote", "the candidate's log is at least as up to date as the server's"),
    ),
    "keep-only-the-snapshot-on-restart": (
        26,
        ("HandleRequestVote", "the candidate's log is at least as up to date as the server's"),
    ),
    "commit-without-min": (14, None),
    "acknowledge-the-whole-log": (26, ("HandleAcknowledgement", "the follower has acknowledged as much")),
    "count-acknowledgements-nobody-sent": (16, ("HandleAcknowledgement", "the follower has acknowledged as much")),
    "count-stale-acknowledgements": (38, ("HandleAcknowledgement", "in the leader's term")),
    "commit-as-follower": (62, ("AdvanceCommitIndex", "it leads")),
    "commit-of-old-terms": (33, ("AdvanceCommitIndex", "the entry is of the leader's own term")),
    "commit-without-a-quorum": (17, ("AdvanceCommitIndex", "every server of a quorum has it")),
    "commit-one-too-many": (11, None),
    "know-more-after-restart": (1, ("Restart", "it knew as much to be committed")),
    "know-the-whole-log-after-restart": (20, ("Restart", "it knew as much to be committed")),
}
"""For each mutant the number of steps, and the action and guard that refuse them in the real specification.

None: all its guards let the steps happen, but they lead elsewhere, where nothing is broken.
"""


def name_of(mutant: Mutant) -> str:
    return mutant.name


def test_mutants_have_names_of_their_own_and_say_what_they_break() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    invariants = {claim.name for claim in RAFT.invariants}
    for mutant in MUTANTS:
        assert mutant.description.endswith("."), mutant.name
        assert set(mutant.breaks) <= invariants, mutant.name
        assert mutant.violates is None or mutant.breaks, mutant.name
        assert (mutant.violates is None) == bool(mutant.remark), mutant.name


def test_every_promise_is_broken_by_some_mutant() -> None:
    assert {claim.name for claim in promises(RAFT)} == {mutant.violates for mutant in MUTANTS} - {None}


def test_scripts_are_of_mutants() -> None:
    assert COUNTEREXAMPLES.keys() == SCRIPTS.keys() <= {mutant.name for mutant in MUTANTS}
    assert {m.name for m in MUTANTS if m.violates is not None} <= SCRIPTS.keys()


@pytest.mark.parametrize("name", COUNTEREXAMPLES)
def test_counterexamples(name: str) -> None:
    """The mutated action breaks the invariants, first of all, and in the end the promise; the real one does not."""
    mutant, (length, refusal) = mutant_named(name), COUNTEREXAMPLES[name]
    run = counterexample(mutant)
    assert run is not None
    assert len(run.steps) == length
    promise = [claim.name for claim in promises(RAFT) if claim.name == mutant.violates]
    assert set(promise) <= set(run.broken(promises(RAFT)))

    position = first_broken(run, RAFT.invariants)
    assert position is not None
    assert run.steps[position - 1].action == mutant.action
    broken = replayed(run.concrete, run.steps[:position], run.initial).broken(RAFT.invariants)
    assert set(mutant.breaks) <= set(broken), broken

    concrete = in_universe(RAFT, SCRIPTS[name].servers)
    if refusal is None:
        assert replayed(concrete, run.steps, run.initial).broken(CLAIMS) == []
    else:
        with pytest.raises(GuardError) as refused:
            replayed(concrete, run.steps, run.initial)
        assert (refused.value.step.action, refused.value.guard) == refusal


def test_figure_8() -> None:
    """The paper's own example, with five servers; the specification does not let the old entry be committed."""
    script = Script(figure_8, servers=5)
    run = performed(script, in_universe(mutant_named("commit-of-old-terms").specification, 5))
    assert "Applied Entries Stay" in run.broken(RAFT.steps)
    with pytest.raises(GuardError, match="the entry is of the leader's own term") as refused:
        performed(script, in_universe(RAFT, 5))
    assert refused.value.step.action == "AdvanceCommitIndex"


def test_errors_say_what_was_refused() -> None:
    with pytest.raises(GuardError, match=r"after 0 steps, Timeout\(n=3\) may not happen: '3 is a Server' is not so"):
        Run(in_universe(RAFT, 3)).perform("Timeout", n=3)
    with pytest.raises(GuardError, match="'it leads' is not so"):
        Run(in_universe(RAFT, 3)).perform("ClientRequest", n=0, e=(1, 0))


# That something happens


def test_every_action_happens() -> None:
    found = witnesses()
    assert list(found) == [action.name for action in RAFT.actions]
    for name, run in found.items():
        again = replayed(run.concrete, run.steps)
        assert again.state == run.state != run.before
        assert run.steps[-1].action == name
        assert run.broken(CLAIMS) == []


def test_a_restart_may_keep_what_was_committed() -> None:
    """The proof is also about servers that come back from a snapshot: they know entries as committed."""
    run = witnesses()["Restart"]
    server = run.steps[-1].arguments["n"]
    known, kept = run.before["commit_index"][(server,)], run.state["commit_index"][(server,)]
    assert (known, kept) == (1, 1)


# Random executions


def walker(specification: Specification, servers: int, guided: float, quorum_size: int | None = None) -> Walker:
    universe = cluster(servers, terms=4, indexes=3, messages=6, values=2, quorum_size=quorum_size)
    return Walker(Concrete(specification, universe), guided)


def broken_in_walks(walker: Walker, walks: int, length: int) -> list[str]:
    """Return what the first state of the walks breaks that breaks anything."""
    for seed in range(walks):
        for run in walker.walk(Random(seed), length):
            broken = run.broken(CLAIMS)
            if broken:
                return broken
    return []


@pytest.mark.parametrize(("servers", "walks"), [(1, 4), (2, 4), (3, 8), (4, 3), (5, 3)])
@pytest.mark.parametrize("guided", [0.0, 0.9])
def test_random_executions_keep_what_is_claimed(servers: int, walks: int, guided: float) -> None:
    assert broken_in_walks(walker(RAFT, servers, guided), walks, length=60) == []


WALKER = walker(RAFT, servers=3, guided=0.95)


@given(seed=st.integers(0, 10**6), length=st.integers(0, 60), data=st.data())
@settings(max_examples=20, derandomize=True)
def test_whatever_happens_after_a_random_execution_keeps_what_is_claimed(
    seed: int, length: int, data: st.DataObject
) -> None:
    run = Run(WALKER.concrete)
    for walked in WALKER.walk(Random(seed), length):
        run = walked
    enabled = Enabled(WALKER.concrete)
    for _ in range(15):
        steps = [step for action in RAFT.actions for step in enabled.steps(action, run.state)]
        if is_taken(run, data.draw(st.sampled_from(steps))):
            assert run.broken(CLAIMS) == []


RATES = {1: 0.95, 2: 0.85, 3: 0.9, 4: 0.85, 5: 0.85}
"""How many of the guided executions commit an entry, at least."""


@pytest.mark.parametrize("servers", RATES)
def test_guided_executions_commit(servers: int) -> None:
    universe = cluster(servers, terms=6, indexes=3, messages=12, values=2)
    guided, walks, commits = Walker(Concrete(RAFT, universe), guided=1.0), 30, 0
    for seed in range(walks):
        commits += any(run.steps[-1].action == "AdvanceCommitIndex" for run in guided.walk(Random(seed), 100))
    assert commits / walks >= RATES[servers]


@pytest.mark.parametrize("seed", range(4))
def test_enabled_steps_are_those_that_no_guard_refuses(seed: int) -> None:
    """Against trying all arguments; of the messages that were not sent, one stands for all."""
    concrete = Concrete(RAFT, cluster(3, terms=3, indexes=2, messages=3))
    enabled = Enabled(concrete)
    for position, run in enumerate(Walker(concrete, guided=0.9).walk(Random(seed), 40)):
        if position % 8 < 7:
            continue
        unsent = [m for m in range(3) if (m,) not in run.state["append_sent"]]
        for action in RAFT.actions:
            domains = [concrete.universe.domain(parameter.sort) for parameter in action.parameters]
            names = [parameter.name for parameter in action.parameters]
            tried = [Step(action.name, dict(zip(names, values, strict=True))) for values in product(*domains)]
            wanted = {str(s) for s in tried if concrete.refusal(action, run.state, s.arguments) is None}
            if action.name == "AppendEntries":
                wanted = {text for text in wanted if f"m={unsent[0]}," in text}
            assert {str(step) for step in enabled.steps(action, run.state)} == wanted


# Control: the same walks find what is wrong with mutants

CAUGHT = {
    "time-out-while-leading",
    "campaign-in-the-same-term",
    "keep-counted-votes",
    "candidate-may-vote",
    "show-a-longer-log",
    "show-a-newer-log",
    "vote-unrecorded",
    "count-votes-nobody-gave",
    "count-stale-votes",
    "lead-without-candidacy",
    "lead-without-a-quorum",
    "half-a-quorum",
    "term-goes-back",
    "lead-on-in-a-newer-term",
    "follow-clears-vote",
    "step-aside-clears-vote",
    "forget-vote-on-restart",
    "forget-term-on-restart",
    "append-as-follower",
    "append-of-any-term",
    "leader-drops-uncommitted",
    "leader-overwrites-its-last-entry",
    "append-entries-from-anyone",
    "send-more-than-the-log",
    "claim-more-as-committed",
    "append-from-stale-leaders",
    "skip-conflicts",
    "truncate-without-conflict",
    "always-truncate",
    "forget-log-on-restart",
    "keep-only-the-snapshot-on-restart",
    "count-acknowledgements-nobody-sent",
    "count-stale-acknowledgements",
    "commit-without-a-quorum",
    "commit-one-too-many",
    "know-more-after-restart",
    "know-the-whole-log-after-restart",
}
"""Mutants of which one of a few guided walks breaks something."""


@pytest.mark.parametrize("name", sorted(CAUGHT))
def test_random_executions_of_mutants_break_something(name: str) -> None:
    mutant, servers = mutant_named(name), 4 if name == "half-a-quorum" else 3
    walks = walker(mutant.specification, servers, 0.9, mutant.quorum_size(servers))
    assert broken_in_walks(walks, walks=30, length=50) != []


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if not m.breaks], ids=name_of)
def test_random_executions_of_harmless_mutants_break_nothing(mutant: Mutant) -> None:
    assert broken_in_walks(walker(mutant.specification, 3, 0.9), walks=3, length=50) == []
