"""Raft as it is run: random executions of the extended specification keep the promises of Raft."""

from collections import Counter
from dataclasses import replace
from itertools import combinations, product
from random import Random

import pytest

from raftcheck.oracle.trace.server import Members
from raftcheck.prove.controls.walks import Walker
from raftspec.concrete import Concrete, State, Universe, cluster
from raftspec.extended import CONFIGURATION, EXTENDED_RAFT
from raftspec.form import faults
from raftspec.logic import Specification
from raftspec.raft import ACTIONS, ENTRY, QUORUM

SERVERS = 3
TERMS, INDEXES, MESSAGES = 4, 4, 12

ALL = frozenset(range(SERVERS))
CONFIGURATIONS = (
    Members(ALL),  # type: ignore[arg-type]  # servers are numbers here
    Members(ALL - {2}),  # type: ignore[arg-type]
    Members(ALL - {2}, ALL),  # type: ignore[arg-type]
    Members(ALL - {0}, ALL),  # type: ignore[arg-type]
    Members(ALL - {0}),  # type: ignore[arg-type]
)


def leads_to(entry: tuple[int, int], one: Members, other: Members) -> bool:
    return other == CONFIGURATIONS[entry[1] - 1]


def universe(changes: bool) -> Universe:
    """An entry is a pair of its term and 0, or the number of the configuration that it leads to."""
    small = cluster(SERVERS, TERMS, INDEXES, MESSAGES)
    values = len(CONFIGURATIONS) + 1 if changes else 1
    quorums = [frozenset(chosen) for size in range(SERVERS + 1) for chosen in combinations(range(SERVERS), size)]
    return Universe(
        {
            **small.domains,
            ENTRY: tuple(product(range(TERMS + 1), range(values))),
            QUORUM: quorums,
            CONFIGURATION: CONFIGURATIONS,
        },
        {
            **small.constants,
            "is_voter": lambda server, members: members.is_voter(server),
            "is_quorum_of": lambda quorum, members: members.is_quorum(quorum),
            "may_follow": lambda one, other: one.may_lead_to(other),
            "changes_configuration": lambda entry: entry[1] > 0,
            "leads_to": leads_to,
        },
    )


def initial(concrete: Concrete) -> State:
    in_force = {(n, 0, CONFIGURATIONS[0]): True for n in range(SERVERS)}
    return {**concrete.initial(), "in_force": in_force}


def broken_in_walks(specification: Specification, changes: bool, walks: int, length: int) -> tuple[str, Counter[str]]:
    """Return what the walks break first, if anything, and which actions they took."""
    concrete = Concrete(specification, universe(changes))
    walker, taken = Walker(concrete, guided=0.9), Counter[str]()
    for seed in range(walks):
        for run in walker.walk(Random(seed), length, initial(concrete)):
            taken[run.steps[-1].action] += 1
            broken = concrete.broken(specification.safety, run.state)
            broken += concrete.broken(specification.steps, run.before, run.state)
            if broken:
                return broken[0], taken
    return "", taken


def test_it_is_well_formed() -> None:
    assert faults(EXTENDED_RAFT) == ()


def test_every_action_of_raft_is_one_of_it() -> None:
    assert {action.name for action in ACTIONS} <= {action.name for action in EXTENDED_RAFT.actions}


@pytest.mark.parametrize("changes", [False, True])
def test_random_executions_keep_the_promises(changes: bool) -> None:
    broken, taken = broken_in_walks(EXTENDED_RAFT, changes, walks=60, length=120)
    assert broken == ""
    changing = {action.name for action in EXTENDED_RAFT.actions if action.update}
    assert changing - set(taken) <= (set() if changes else {"ChangeConfiguration", "ApplyConfiguration"})


@pytest.mark.parametrize(
    ("action", "guard", "breaks"),
    [
        ("BecomeLeader", "it is a quorum of the server's configuration", "Election Safety"),
        ("HandleRequestVote", "the server has not voted for another", "Election Safety"),
        ("AdvanceCommitIndex", "it is a quorum of the leader's configuration", ""),
    ],
)
def test_the_same_walks_find_what_a_missing_guard_breaks(action: str, guard: str, breaks: str) -> None:
    whole = EXTENDED_RAFT.action(action)
    without = replace(whole, guard={name: formula for name, formula in whole.guard.items() if name != guard})
    assert len(without.guard) < len(whole.guard)
    broken, _ = broken_in_walks(EXTENDED_RAFT.with_action(without), False, walks=60, length=100)
    assert broken
    assert broken == breaks or not breaks
