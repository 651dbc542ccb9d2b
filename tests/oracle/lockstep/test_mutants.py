"""Every known bug that shows in steps is found by driving the implementation that has it; nothing else is."""

import pytest

from raftcheck.oracle.lockstep.api import Outcome, Plan, drive, judge_peer
from raftcheck.oracle.lockstep.reference_peer import ReferencePeer
from raftcheck.oracle.lockstep.run import Run
from raftcheck.oracle.lockstep.shorten import Shortening, repeat, shortened
from raftcheck.raft import MUTANTS
from tests.conftest import ROOT
from tests.oracle.lockstep.mutants import FOUND, Found

HARMLESS = [name for name, mutant in MUTANTS.items() if mutant.violates is None]
NOT_EXERCISED = [
    name
    for name, mutant in MUTANTS.items()
    if mutant.violates and (mutant.bounds.compactions or mutant.bounds.transfers or mutant.bounds.quorum_timeouts)
]
"""Nothing in the protocol asks a server to compact its log, to hand over or to step aside."""

INVISIBLE = [name for name, mutant in MUTANTS.items() if mutant.invisible]


def plan_for(found: Found) -> Plan:
    return Plan(servers=found.servers, steps=2_000, seed=1)


def driven(name: str, plan: Plan) -> Outcome:
    return drive(ReferencePeer(MUTANTS[name].rules, name), plan)


def test_every_mutant_is_found_or_invisible_or_harmless_or_says_why_it_is_none_of_these() -> None:
    assert sorted([*FOUND, *INVISIBLE, *HARMLESS, *NOT_EXERCISED]) == sorted(MUTANTS)


@pytest.mark.parametrize("name", FOUND)
def test_a_harmful_mutant_is_rejected_and_its_schedule_gets_short(name: str) -> None:
    found, plan = FOUND[name], plan_for(FOUND[name])
    outcome = driven(name, plan)
    assert outcome.broken is not None
    assert (outcome.broken.rule, outcome.requests) == (found.rule, found.requests)

    def begin() -> Run:
        return Run(ReferencePeer(MUTANTS[name].rules, name), plan.names, outcome.last_seed)

    assert outcome.last is not None
    run = shortened(Shortening(begin, found.rule, 5_000, 60), outcome.last.taken)
    assert run is not None
    assert run.broken is not None
    assert (run.broken.rule, len(run.taken)) == (found.rule, found.shortest)
    again = repeat(begin, run.taken)
    assert (again.broken, again.trace, again.taken) == (run.broken, run.trace, run.taken)
    for position in range(len(run.taken)):
        fewer = repeat(begin, [*run.taken[:position], *run.taken[position + 1 :]])
        assert fewer.broken is None or fewer.broken.rule != found.rule, f"event {position + 1} is not needed"
    correct = repeat(lambda: Run(ReferencePeer(), plan.names, outcome.last_seed), run.taken)
    assert correct.broken is None


@pytest.mark.parametrize("name", [*INVISIBLE, *HARMLESS])
def test_what_is_harmless_or_invisible_to_the_specification_is_accepted(name: str) -> None:
    judgement = judge_peer(ReferencePeer(MUTANTS[name].rules, name), Plan(seed=1))
    assert judgement.is_accepted, str(judgement)


def test_the_document_has_the_table() -> None:
    text = (ROOT / "docs" / "lockstep.md").read_text(encoding="utf-8")
    for name, found in FOUND.items():
        assert f"| `{name}` | {found.rule} | {found.requests} | {found.shortest} |" in text, name
    for name in INVISIBLE:
        assert f"| `{name}` | not seen: {MUTANTS[name].invisible} |" in text, name
    for name in NOT_EXERCISED:
        assert f"| `{name}` | not exercised | | | |" in text, name
