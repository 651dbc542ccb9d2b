"""tikv/raft-rs, judged."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from raftcheck.oracle import judge_lockstep
from tests.conftest import ROOT
from tests.peers.driving import driven
from tests.peers.faulty import FAULTS

FAULTY = str(ROOT / "tests" / "peers" / "faulty.py")

OPTIONS = {
    "plain": (),
    "pre-vote": ("--pre-vote",),
    "check-quorum": ("--check-quorum",),
    "snapshots": ("--compact",),
    "all": ("--pre-vote", "--check-quorum", "--compact"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_answers_are_read_and_depend_on_the_requests_only(raft_rs: Path, option: str) -> None:
    said = []
    for _ in range(2):
        with driven([str(raft_rs), *OPTIONS[option]]) as cluster:
            cluster.wander(600, seed=5)
            said.append(cluster.said)
            assert cluster.rejection is None
            assert max(state.term for state in cluster.states.values()) >= 1
            assert max(state.commit for state in cluster.states.values()) > 3
    assert said[0] == said[1]


def test_a_follower_that_is_behind_gets_a_snapshot(raft_rs: Path) -> None:
    with driven([str(raft_rs), "--compact"]) as cluster:
        cluster.elect("1", "2")
        for number in range(6):
            cluster.ask("propose", "1", value=f"w{number}")
            cluster.exchange("1", "2")
        cluster.take("1", "3")
        cluster.ask("heartbeat", "1")
        sent = Counter[str]()
        for _ in range(4):
            cluster.exchange("1", "3")
            sent.update(type(message).__name__ for message in cluster.waiting)
        assert sent["InstallSnapshot"] == 1
        assert cluster.logs["3"] == cluster.logs["1"]
        assert cluster.rejection is None


def test_what_is_on_disk_comes_back(raft_rs: Path) -> None:
    with driven([str(raft_rs)]) as cluster:
        cluster.elect("1", "2")
        cluster.ask("propose", "1", value="x")
        for _ in range(3):
            cluster.exchange("1", "2")
        known = cluster.states["2"]
        assert (known.term, known.vote, known.last, known.commit) == (1, "1", 2, 2)
        cluster.ask("crash", "2")
        cluster.ask("restart", "2")
        assert cluster.states["2"] == known
        assert cluster.rejection is None


def test_a_refused_candidate_learns_what_is_committed(raft_rs: Path) -> None:
    """A vote that is refused tells the commit index: nowhere else in Raft does a candidate learn it."""
    with driven([str(raft_rs)]) as cluster:
        cluster.elect("1", "2")
        cluster.pass_on("1", "3")
        cluster.exchange("1", "2")
        cluster.ask("propose", "1", value="x")
        cluster.take("1", "3")
        cluster.ask("timeout", "3")
        assert (cluster.states["1"].commit, cluster.states["3"].commit) == (1, 0)
        cluster.exchange("3", "1")
        assert (cluster.states["3"].role, cluster.states["3"].commit) == ("candidate", 1)
        assert cluster.rejection is None


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("servers", [3, 5])
def test_it_is_accepted(raft_rs: Path, option: str, servers: int) -> None:
    judgement = judge_lockstep([str(raft_rs), *OPTIONS[option]], servers, 2000, seed=1, runs=20)
    assert judgement.is_accepted, str(judgement)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_lie_is_found(raft_rs: Path, fault: str) -> None:
    judgement = judge_lockstep([sys.executable, FAULTY, fault, str(raft_rs)], steps=2000, seed=1, runs=20)
    assert judgement.answer == "reject", str(judgement)
