"""Traces of etcd's raft library: recorded the same for the same seed, accepted, and rejected with a fault in them."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raftcheck.oracle import judge_trace
from tests.conftest import ROOT
from tests.peers.faults import ETCD_FAULTS

STORED = ROOT / "tests" / "data" / "traces" / "etcd"

COMMANDS = dict(
    re.findall(r"^\| (\S+\.ndjson) \| `(record [^`]+)` \|", (STORED / "README.md").read_text("utf-8"), re.MULTILINE)
)

HARD = "elections,loss,duplication,reordering,crashes,batches,transfer"
EVERYTHING = f"{HARD},membership,joint,learners,snapshots,pre-vote,check-quorum,reads"

FEATURES = {"quiet": "", "hard": HARD, "members": "elections,loss,crashes,membership,joint,learners", "all": EVERYTHING}

SEEDS = range(1, 7)


def recorded(program: Path, *arguments: str) -> bytes:
    return subprocess.run([program, *arguments], capture_output=True, check=True, timeout=60).stdout


def recording(program: Path, seed: int, features: str, *more: str) -> bytes:
    return recorded(program, "record", "-seed", str(seed), "-steps", "400", "-with", features, *more)


def events(trace: bytes) -> list[dict[str, Any]]:
    return [json.loads(line)["event"] for line in trace.splitlines()]


def written(trace: bytes, folder: Path) -> Path:
    path = folder / "trace.ndjson"
    path.write_bytes(trace)
    return path


@pytest.mark.parametrize("name", sorted(path.name for path in STORED.glob("*.ndjson")))
def test_the_stored_traces_are_what_the_program_records(etcd_raft: Path, name: str) -> None:
    assert recorded(etcd_raft, *COMMANDS[name].split()) == (STORED / name).read_bytes()


@pytest.mark.parametrize("name", sorted(path.name for path in STORED.glob("*.ndjson")))
def test_the_stored_traces_are_accepted(name: str) -> None:
    judgement = judge_trace(STORED / name, format="etcd")
    assert judgement.is_accepted, str(judgement)
    assert judgement.checked == len((STORED / name).read_bytes().splitlines())


def test_the_same_seed_gives_the_same_trace(etcd_raft: Path) -> None:
    first = recording(etcd_raft, 1, EVERYTHING)
    assert recording(etcd_raft, 1, EVERYTHING) == first
    assert recording(etcd_raft, 2, EVERYTHING) != first


def test_every_line_is_as_etcds_own(etcd_raft: Path) -> None:
    for line in recording(etcd_raft, 3, EVERYTHING).splitlines():
        value = json.loads(line)
        assert value.keys() == {"tag", "event"}
        assert value["tag"] == "trace"
        assert value["event"].keys() - {"msg", "prop"} == {"name", "nid", "state", "role", "log", "conf"}


def what_happened(trace: bytes) -> set[str]:
    """Name what is in a trace."""
    found, started = set(), set()
    for event in events(trace):
        found |= {event["name"], event["role"], event.get("msg", {}).get("type", "")}
        found |= {change["action"] for change in event.get("prop", {}).get("cc", {}).get("changes", ())}
        if event["conf"][1]:
            found.add("a joint configuration")
        if event["name"] == "InitState":
            found |= {"a restart"} if event["nid"] in started else set()
            started.add(event["nid"])
        if event.get("msg", {}).get("reject"):
            found.add("refused: " + event["msg"]["type"])
        if event["name"] == "SendAppendEntriesRequest" and event["msg"]["entries"] > 1:
            found.add("several entries in a message")
    return found


WANTED = {
    *("InitState", "BecomeCandidate", "BecomeFollower", "BecomeLeader", "Commit", "Replicate", "ChangeConf"),
    *("ApplyConfChange", "Ready", "SendAppendEntriesRequest", "ReceiveAppendEntriesRequest"),
    *("SendAppendEntriesResponse", "ReceiveAppendEntriesResponse", "SendRequestVoteRequest"),
    *("ReceiveRequestVoteRequest", "SendRequestVoteResponse", "ReceiveRequestVoteResponse"),
    *("StateFollower", "StatePreCandidate", "StateCandidate", "StateLeader"),
    *("MsgApp", "MsgAppResp", "MsgHeartbeat", "MsgHeartbeatResp", "MsgSnap", "MsgVote", "MsgVoteResp"),
    *("AddNewServer", "AddLearner", "RemoveServer"),
    *("a joint configuration", "a restart", "several entries in a message"),
    *("refused: MsgAppResp", "refused: MsgVoteResp"),
}


def test_together_the_traces_show_everything(etcd_raft: Path) -> None:
    counts = Counter(what for seed in SEEDS for what in what_happened(recording(etcd_raft, seed, EVERYTHING)))
    assert WANTED - counts.keys() == set()


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("seed", SEEDS)
def test_what_the_library_does_is_accepted(etcd_raft: Path, tmp_path: Path, features: str, seed: int) -> None:
    trace = recording(etcd_raft, seed, FEATURES[features], "-servers", str(3 + 2 * (seed % 2)))
    judgement = judge_trace(written(trace, tmp_path), format="etcd")
    assert judgement.is_accepted, str(judgement)
    assert judgement.checked == len(events(trace))


def test_a_joint_change_of_learners_only_is_accepted(etcd_raft: Path, tmp_path: Path) -> None:
    features = f"{HARD},membership,joint,learners,snapshots"
    trace = recording(etcd_raft, 1213, features, "-steps", "500", "-servers", "4")
    judgement = judge_trace(written(trace, tmp_path), format="etcd")
    assert judgement.is_accepted, str(judgement)


@pytest.mark.parametrize("fault", ETCD_FAULTS)
def test_every_fault_is_found(etcd_raft: Path, tmp_path: Path, fault: str) -> None:
    """A trace in which the fault makes no difference is a trace without it: it is accepted."""
    features, different = "elections,loss,crashes,batches", 0
    for seed in SEEDS:
        honest, trace = (recording(etcd_raft, seed, features, "-fault", name) for name in ("", fault))
        judgement = judge_trace(written(trace, tmp_path), format="etcd")
        assert judgement.answer == ("accept" if trace == honest else "reject"), f"seed {seed}: {judgement}"
        different += trace != honest
    assert different >= 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["record", "-fault", "x"], "unknown fault x"), (["record", "-with", "x"], "unknown feature x"), ([], "usage")],
)
def test_what_it_does_not_know_it_refuses(etcd_raft: Path, arguments: list[str], complaint: str) -> None:
    result = subprocess.run([etcd_raft, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 2
    assert complaint in result.stderr
