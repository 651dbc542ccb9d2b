"""The reference is accepted, on every network and in clusters of every size; one that does nothing is not."""

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from raftcheck.model import ModelError
from raftcheck.oracle import judge_lockstep
from raftcheck.oracle.lockstep.api import Plan, drive, judge_peer
from raftcheck.oracle.lockstep.calm import Calm
from raftcheck.oracle.lockstep.events import Event
from raftcheck.oracle.lockstep.reference_peer import ReferencePeer
from raftcheck.oracle.lockstep.run import FIGURES, Run
from raftcheck.oracle.trace.network import NetworkName
from tests.oracle.lockstep.peers import COMMAND, Ask, Changed


@pytest.mark.parametrize("network", get_args(NetworkName))
@pytest.mark.parametrize("servers", [1, 2, 3, 5])
def test_the_reference_is_accepted(network: NetworkName, servers: int) -> None:
    judgement = judge_peer(ReferencePeer(), Plan(servers, 1_200, 5, network=network))
    assert judgement.is_accepted, str(judgement)
    assert judgement.checked > 600


def test_much_happens() -> None:
    outcome = drive(ReferencePeer(), Plan(seed=1))
    assert dict(outcome.figures) == {
        "elections begun": 341,
        "elections won": 40,
        "votes given": 81,
        "client entries taken": 240,
        "entries replicated": 268,
        "entries committed": 134,
        "entries overwritten": 146,
        "restarts": 87,
        "recoveries": 5,
    }
    assert set(outcome.figures) == set(FIGURES)


def test_the_same_seed_asks_for_the_same() -> None:
    def asked(seed: int) -> list[Mapping[str, Any]]:
        requests: list[Mapping[str, Any]] = []

        def note(request: Mapping[str, Any], ask: Ask) -> Any:
            requests.append(request)
            return ask(request)

        drive(Changed(note), Plan(steps=300, seed=seed))
        return requests

    assert asked(1) == asked(1) != asked(2)


def test_in_a_process_it_is_the_same_as_in_this_one() -> None:
    judgement = judge_lockstep(COMMAND, steps=400, seed=3)
    here = judge_peer(ReferencePeer(), Plan(steps=400, seed=3))
    assert judgement.is_accepted
    assert (judgement.checked, judgement.details) == (here.checked, here.details)


def lazy(request: Mapping[str, Any], ask: Ask) -> Any:
    """Let servers do nothing."""
    return ask(request) if request["do"] in ("begin", "restart") else {"steps": []}


def busy(request: Mapping[str, Any], ask: Ask) -> Any:
    """Let nobody be a client."""
    return {"steps": []} if request["do"] == "propose" else ask(request)


@pytest.mark.parametrize(("change", "lacks"), [(lazy, "elections begun"), (busy, "client entries taken")])
def test_a_peer_that_does_nothing_is_not_accepted(change: Any, lacks: str) -> None:
    judgement = judge_peer(Changed(change), Plan(seed=1))
    assert judgement.answer == "undecided"
    assert judgement.why.startswith(f"{lacks}: 0, where the reference has ")


def test_a_peer_that_does_not_recover_is_not_accepted() -> None:
    """It loses whatever is delivered late in the last run."""

    asked = []

    def change(request: Mapping[str, Any], ask: Ask) -> Any:
        asked.append(request)
        return {"steps": []} if request["do"] == "deliver" and len(asked) > 2_100 else ask(request)

    judgement = judge_peer(Changed(change), Plan(seed=1))
    assert judgement.answer == "undecided"
    assert "does not recover" in judgement.why


def test_calm_ends_when_all_know_of_a_new_entry() -> None:
    run = Run(ReferencePeer(), ["1", "2", "3"], 1)
    run.take(Event(1, "timeout", "1"))
    run.take(Event(2, "crash", "3"))
    assert Calm(run, 2).recovers()
    assert not run.down
    assert {state.commit for state in run.states.values()} == {2}


@pytest.mark.parametrize(
    ("plan", "fault"),
    [
        ({"servers": 0}, "servers must be from 1 to 9, not 0"),
        ({"servers": 10}, "servers must be from 1 to 9, not 10"),
        ({"steps": 0}, "steps is too small: 0"),
        ({"seed": -1}, "seed is too small: -1"),
        ({"runs": 0}, "runs is too small: 0"),
        ({"steps": 5, "runs": 6}, "6 runs need at least as many steps, not 5"),
    ],
)
def test_plans_that_make_no_sense(plan: dict[str, int], fault: str) -> None:
    with pytest.raises(ModelError, match=f"^{fault}$"):
        Plan(**plan)  # type: ignore[arg-type]


def test_no_time_at_all() -> None:
    with pytest.raises(ModelError, match="no time for a single request"):
        judge_peer(ReferencePeer(), Plan(max_seconds=0))


def test_too_little_time_is_no_accept() -> None:
    judgement = judge_peer(ReferencePeer(), Plan(steps=500_000, max_seconds=0.3))
    assert judgement.answer == "undecided"
    assert judgement.why.startswith("the time was up after ")
    assert judgement.checked
