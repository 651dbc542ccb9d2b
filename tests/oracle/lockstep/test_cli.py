"""The command `raftproof judge lockstep`, its files and its exit codes."""

import json
import shlex
from pathlib import Path

import pytest

from raftcheck.cli.main import main
from raftcheck.oracle import judge_trace, replay_lockstep
from raftcheck.oracle.lockstep import saved
from tests.oracle.lockstep.peers import COMMAND

PEER = shlex.join(COMMAND)


def lockstep(*arguments: str) -> int:
    return main(["judge", "lockstep", "--peer", PEER, *arguments])


def test_a_correct_peer(capsys: pytest.CaptureFixture[str]) -> None:
    assert lockstep("--steps", "800", "--seed", "1", "--json", "-") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["unit"], document["rejection"]) == ("accept", "steps", None)
    assert document["details"]["recoveries"] == "2 (the reference: 2)"


def test_a_wrong_peer_is_saved_and_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "new" / "found.json"
    peer = f"{PEER} --mutant compare-term-only"
    assert main(["judge", "lockstep", "--peer", peer, "--seed", "1", "--save", str(file)]) == 1
    out = capsys.readouterr().out
    command = out[out.index("to run it again: ") :].removeprefix("to run it again: ").splitlines()[0]
    assert main(shlex.split(command)[1:]) == 1
    again = capsys.readouterr().out
    breaks = [line for line in out.splitlines() if "  breaks HandleRequestVote" in line]
    assert breaks
    assert breaks == [line for line in again.splitlines() if "  breaks " in line]
    schedule = [line for line in out.splitlines() if line.startswith("  1") or " -> " in line]
    assert schedule == [line for line in again.splitlines() if line in schedule]
    assert main(["judge", "lockstep", "--peer", PEER, "--replay", str(file)]) == 0
    trace = tmp_path / "trace.jsonl"
    found = saved.read(file)
    trace.write_bytes(b"".join(saved.msgspec.json.encode(line) + b"\n" for line in (found.header, *found.trace)))
    judged = judge_trace(trace)
    assert judged.rejection is not None
    assert judged.rejection.rule == found.rule == "HandleRequestVote"


def test_a_schedule_that_is_not_possible_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    peer = [*COMMAND, "--mutant", "send-before-persist"]
    assert main(["judge", "lockstep", "--peer", shlex.join(peer), "--seed", "1", "--save", str(file)]) == 1
    schedule = saved.read(file)
    changed = saved.msgspec.structs.replace(
        schedule, events=[e for e in schedule.events if e.do != "deliver"] + [schedule.events[-1]] * 2
    )
    saved.write(changed, file)
    judgement = replay_lockstep(COMMAND, file)
    assert judgement.answer == "undecided"
    assert "were not possible or did nothing" in judgement.why


BAD_FILES = {
    "missing": (None, "cannot be read: No such file or directory"),
    "no JSON": ("hello", "is no saved schedule: JSON is malformed"),
    "another thing": ("{}", "is no saved schedule: Object missing required field"),
}


@pytest.mark.parametrize(("text", "complaint"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file(text: str | None, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.json"
    if text is not None:
        file.write_text(text)
    assert lockstep("--replay", str(file)) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--network", "tcp"], "--network must be one of any, at-most-once, fifo, not 'tcp'"),
        (["--servers", "99"], "servers must be from 1 to 9, not 99"),
        (["--steps", "0"], "steps is too small: 0"),
    ],
)
def test_a_bad_request(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert lockstep(*arguments) == 2
    assert complaint in capsys.readouterr().err
