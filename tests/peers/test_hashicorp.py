"""Recordings of hashicorp/raft. It has timers and goroutines of its own: no two recordings are the same."""

import subprocess
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from raftcheck.oracle import judge_trace
from raftcheck.oracle.trace.steps import Header, Step

PATIENCE = 60
"""Seconds for a recording of a few."""

RECORDINGS = 3
"""So many are tried until one is accepted."""


def recording(program: Path, folder: Path, *arguments: str) -> Path:
    path = folder / "trace.json"
    path.write_bytes(subprocess.run([program, *arguments], capture_output=True, check=True, timeout=PATIENCE).stdout)
    return path


@pytest.mark.parametrize("arguments", [("-loss", "0.02"), ("-loss", "0.2"), ("-servers", "5"), ("-servers", "1")])
def test_what_the_library_does_is_accepted(hashicorp_raft: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """On a busy machine a leader may step down before its first entry is told: such a recording says too little."""
    judgement = None
    for _ in range(RECORDINGS):
        judgement = judge_trace(recording(hashicorp_raft, tmp_path, "-duration", "2s", *arguments))
        if judgement.is_accepted:
            break
    assert judgement is not None
    assert judgement.is_accepted, str(judgement)
    assert judgement.checked > 20


def test_a_recording_is_a_trace(hashicorp_raft: Path, tmp_path: Path) -> None:
    first, *lines = recording(hashicorp_raft, tmp_path, "-duration", "3s", "-loss", "0.1").read_bytes().splitlines()
    header = msgspec.json.decode(first, type=Header)
    assert header.servers == ("1", "2", "3")
    assert header.network == "at-most-once"
    assert header.source.startswith("github.com/hashicorp/raft v1.7.3")
    sent = set[str | int | None]()
    events, kinds = Counter[str](), Counter[str]()
    for line in lines:
        step = msgspec.json.decode(line, type=Step)
        assert step.message is None or step.message.id in sent
        sent |= {message.id for message in step.sends}
        events[step.event] += 1
        kinds.update(type(message).__name__ for message in step.sends)
    assert events.keys() >= {"start", "timeout", "heartbeat", "propose", "receive", "other"}
    assert events["start"] >= 3
    asked = {"PreVote", "RequestVote", "AppendEntries"}
    assert kinds.keys() == asked | {f"{kind}Response" for kind in asked}


def test_a_vote_that_is_half_written_is_found(hashicorp_raft: Path, tmp_path: Path) -> None:
    """The library writes the term of a vote and the candidate one after the other. After a crash in between, the vote
    is for the candidate of an earlier term, to whom it would be granted again whatever its log."""
    for _ in range(8):
        trace = recording(hashicorp_raft, tmp_path, "-duration", "2s", "-loss", "0.1", "-crash-while-voting", "1")
        judgement = judge_trace(trace)
        if judgement.rejection:
            assert "receives RequestVote" in judgement.rejection.event
            assert "the vote is none" in judgement.rejection.reason
            return
    pytest.fail("no recording shows it")
