"""PySyncObj, judged: an old version with three faults that are known, and the newest one."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from raftcheck.oracle import judge_lockstep
from tests.conftest import ROOT
from tests.peers.driving import Driven, driven
from tests.peers.faulty import FAULTS

OLD, NEW = "0.3.11", "0.3.17"
PEER = str(ROOT / "tests" / "peers" / "pysyncobj_peer.py")
FAULTY = str(ROOT / "tests" / "peers" / "faulty.py")

Command = Callable[..., list[str]]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    folders: dict[str, str] = {}

    def installed(version: str) -> str:
        if version not in folders:
            folder = tmp_path_factory.mktemp("pysyncobj")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            done = subprocess.run([*pip, "--target", folder, f"PySyncObj=={version}"], capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"PySyncObj {version} cannot be installed: {done.stderr.strip()[-200:]}")
            folders[version] = str(folder)
        return folders[version]

    return installed


@pytest.fixture(scope="session")
def command(library: Callable[[str], str]) -> Command:
    return lambda version, *options: [sys.executable, PEER, "--library", library(version), *options]


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("options", [(), ("--journal",)], ids=["memory", "journal"])
def test_answers_are_read_and_depend_on_the_requests_only(
    command: Command, version: str, options: tuple[str, ...]
) -> None:
    said = []
    for hashes in ("1", "2"):
        with driven(command(version, *options), PYTHONHASHSEED=hashes) as cluster:
            cluster.wander(300, seed=5)
            said.append(cluster.said)
            assert max(state.term for state in cluster.states.values()) >= 1
            assert max(state.commit for state in cluster.states.values()) > 3
    assert said[0] == said[1]


def test_without_a_journal_there_are_no_crashes(command: Command) -> None:
    with driven(command(NEW)) as cluster:
        assert cluster.ask("crash", "1") == "without a journal a server has nothing on its disk"


# The faults of the old version, each in the schedule that shows it


def commit_index_goes_back(cluster: Driven) -> None:
    """A new leader does not know yet how much is committed, and the old one forgets it."""
    cluster.elect("1", "2")
    cluster.exchange("1", "2")
    cluster.ask("heartbeat", "1")
    cluster.exchange("1", "2")
    assert cluster.states["1"].commit == 1
    cluster.take("1", "2")
    cluster.elect("2", "1")
    cluster.pass_on("2", "1")


def old_term_is_committed(cluster: Driven) -> None:
    """An entry of term 1 is counted in term 2, when a quorum has it but not yet the one of term 2."""
    cluster.elect("1", "2")
    cluster.pass_on("1", "2")
    cluster.take("2", "1")
    cluster.elect("1", "2")
    cluster.exchange("1", "2")


def match_index_goes_back(cluster: Driven) -> None:
    """The same entries are sent twice, and between them a heartbeat, which is acknowledged with one entry more."""
    cluster.elect("1", "2")
    cluster.take("1", "3")
    cluster.ask("heartbeat", "1")
    cluster.ask("heartbeat", "1")
    cluster.pass_on("1", "3")
    refusals = cluster.take("3", "1")
    cluster.deliver(refusals[0])
    cluster.ask("heartbeat", "1")
    cluster.ask("heartbeat", "1")
    cluster.deliver(refusals[1])
    cluster.ask("heartbeat", "1")
    cluster.exchange("1", "3")


SCHEDULES = {
    commit_index_goes_back: "the commit index is 1, and 0 is claimed",
    old_term_is_committed: 'it is not true that "the entry is of the leader\'s own term"',
    match_index_goes_back: "the match index of 3 goes back from 1 to 0",
}


@pytest.mark.parametrize(("schedule", "reason"), SCHEDULES.items(), ids=lambda part: getattr(part, "__name__", ""))
def test_a_fault_of_the_old_version_is_found(command: Command, schedule: Callable[[Driven], None], reason: str) -> None:
    with driven(command(OLD)) as cluster:
        schedule(cluster)
        assert cluster.rejection is not None
        assert reason in cluster.rejection.reason
    with driven(command(NEW)) as cluster:
        schedule(cluster)
        assert cluster.rejection is None


def test_the_old_version_forgets_its_term_when_it_restarts(command: Command) -> None:
    rejections = {}
    for version in (OLD, NEW):
        with driven(command(version, "--journal")) as cluster:
            cluster.elect("1", "2")
            cluster.exchange("1", "2")
            cluster.ask("crash", "2")
            cluster.ask("restart", "2")
            rejections[version] = cluster.rejection
            assert [entry.term for entry in cluster.logs["2"]] == [1]
    assert rejections[NEW] is None
    assert "the term is 1, and 0 is claimed" in rejections[OLD].reason


# The fault of the newest version


def late_answer(cluster: Driven) -> None:
    """1 leads in term 1, its log is overwritten by 3, and it leads again in term 3. Only then an answer of 2 arrives.

    It acknowledges entry 2 of term 1. But that is not the entry 2 that the leader has now.
    """
    cluster.elect("1", "3", "4")
    cluster.ask("propose", "1", value="x")
    cluster.ask("heartbeat", "1")
    cluster.pass_on("1", "2")
    late = cluster.take("2", "1")
    cluster.take("1", "3")
    cluster.take("1", "4")
    cluster.elect("3", "4", "5")
    cluster.pass_on("3", "1")
    cluster.elect("1", "4", "5")
    cluster.exchange("1", "3")
    assert [entry.term for entry in cluster.logs["1"]] == [2, 3]
    assert cluster.states["1"].commit == 0
    for message in late:
        cluster.deliver(message)


def lead_elsewhere(cluster: Driven) -> None:
    """2 comes to lead term 4, and commits what it has."""
    for _ in range(3):
        cluster.ask("timeout", "2")
    for _ in range(4):
        cluster.exchange("2", "4")
        cluster.exchange("2", "5")
        cluster.ask("heartbeat", "2")
    assert cluster.states["2"].commit == 3


def test_the_newest_version_counts_answers_of_older_terms(command: Command) -> None:
    """What is in them is no answer to the leader of today: two servers commit different entries at the same index."""
    with driven(command(NEW), "12345") as cluster:
        late_answer(cluster)
        assert cluster.rejection is not None
        assert cluster.rejection.rule == "HandleAcknowledgement"
        assert "match index 1 of 2, which has acknowledged 0" in cluster.rejection.reason
        assert cluster.states["1"].commit == 2
        lead_elsewhere(cluster)
        assert cluster.states["1"].commit == 2
        assert [cluster.logs[server][1].term for server in "12"] == [3, 1]


def test_it_is_right_without_them(command: Command) -> None:
    with driven(command(NEW, "--discard-late-answers"), "12345") as cluster:
        late_answer(cluster)
        assert cluster.states["1"].commit == 0
        lead_elsewhere(cluster)
        assert cluster.rejection is None


# Driven by dice


@pytest.mark.parametrize("seed", [1, 2])
def test_the_old_version_is_rejected_with_a_short_schedule(command: Command, seed: int) -> None:
    judgement = judge_lockstep(command(OLD), steps=2000, seed=seed, runs=20)
    assert judgement.answer == "reject"
    assert len([name for name in judgement.details if name.startswith("  ")]) < 25, str(judgement)


@pytest.mark.parametrize("options", [(), ("--journal",)], ids=["memory", "journal"])
@pytest.mark.parametrize("servers", [3, 5])
def test_the_newest_version_is_accepted_without_late_answers(
    command: Command, options: tuple[str, ...], servers: int
) -> None:
    judgement = judge_lockstep(command(NEW, "--discard-late-answers", *options), servers, 1000, seed=3, runs=20)
    assert judgement.is_accepted, str(judgement)


@pytest.mark.parametrize("fault", FAULTS)
def test_every_lie_is_found(command: Command, fault: str) -> None:
    peer = command(NEW, "--journal", "--discard-late-answers")
    judgement = judge_lockstep([sys.executable, FAULTY, fault, *peer], steps=2000, seed=1, runs=20)
    assert judgement.answer == "reject", str(judgement)
