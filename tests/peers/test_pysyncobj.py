"""PySyncObj, judged: an old version with three faults that are known, and the newest one."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.peers.driving import Driven, driven

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


@pytest.fixture(scope="session")
def judge_lockstep() -> Any:
    return pytest.importorskip("raftcheck.oracle.lockstep.api").judge_lockstep


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
            assert max(state.term for state in cluster.states.values()) > 3
            assert max(state.commit for state in cluster.states.values()) > 3
    assert said[0] == said[1]


def test_without_a_journal_there_are_no_crashes(command: Command) -> None:
    with driven(command(NEW)) as cluster:
        assert cluster.ask("crash", "1") == "without a journal a server has nothing on its disk"


# The faults of the old version


def commit_index_goes_back(cluster: Driven) -> None:
    cluster.elect("1", "2")
    cluster.replicate("1", "2")
    assert cluster.states["1"].commit == 1
    cluster.take("1", "2")
    cluster.ask("timeout", "3")  # in vain: it lacks the entry
    cluster.take("1", "3")
    cluster.take("3", "1")
    cluster.take("3", "2")
