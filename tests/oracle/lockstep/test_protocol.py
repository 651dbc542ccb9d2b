"""What is a bad adapter (nothing is said of the implementation), and what is an implementation that fails."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any

import pytest

from raftcheck.model import ModelError
from raftcheck.oracle import judge_lockstep
from raftcheck.oracle.lockstep.adapter import Adapter
from raftcheck.oracle.lockstep.api import Plan, judge_peer
from raftcheck.oracle.lockstep.protocol import AdapterError, StoppedError
from tests.oracle.lockstep.peers import COMMAND, Ask, Changed

BEGIN = {"do": "begin", "servers": ["1"], "seed": 0}

ANSWER = (
    '{"peer": "p", "header": {"format": "raftproof/trace/1", "servers": ["1"]}, "steps": [{"server": "1", '
    '"event": "start", "state": {"term": 0, "vote": null, "role": "follower", "commit": 0, "last": 0}}]}'
)

BEGINS = f"input(); print('''{ANSWER}''', flush=True); input()"
"""A program that answers "begin" and waits for the next request."""


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


BAD_PROCESSES = {
    "ends": ("import sys; sys.exit('no library')", "ended with exit code 1 .*; its last words on stderr: no library$"),
    "killed": ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    "silent": ("import time; time.sleep(60)", 'said nothing for 0.5 s when it was to answer {"do":"begin"'),
    "no JSON": ("print('hello', flush=True); input(); input()", "gave an answer that is no JSON: 'hello'"),
    "no text": ("import os; os.write(1, b'\\xff\\n'); input(); input()", "gave an answer that is no JSON"),
    "no object": ("print('[]', flush=True); input(); input()", "gave no valid answer: Expected `object`, got `array`"),
}


@pytest.mark.parametrize(("text", "complaint"), BAD_PROCESSES.values(), ids=BAD_PROCESSES)
def test_a_bad_adapter(text: str, complaint: str) -> None:
    with pytest.raises(AdapterError, match=complaint):
        judge_lockstep(program(text), servers=1, steps=10, answer_seconds=0.5)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("no-such-program --at all", "--peer: there is no program 'no-such-program'"),
        ("", "--peer is empty"),
        ("'", '--peer "\'" is no command: No closing quotation'),
        (["/"], "--peer: '/' cannot be started: Permission denied"),
    ],
)
def test_no_command(command: Any, complaint: str) -> None:
    with pytest.raises(ModelError, match=f"^{complaint}"):
        judge_lockstep(command)


STOPPING_PROCESSES = {
    "ends": (f"{BEGINS}; import sys; sys.exit('assertion failed')", "ended with exit code 1 .* assertion failed$"),
    "silent": (f"{BEGINS}; import time; time.sleep(60)", "said nothing for 0.5 s"),
    "closes its stdout": (f"{BEGINS}; import os, time; os.close(1); time.sleep(60)", "closed its stdout"),
}


@pytest.mark.parametrize(("text", "reason"), STOPPING_PROCESSES.values(), ids=STOPPING_PROCESSES)
def test_an_implementation_that_stops_is_rejected(text: str, reason: str) -> None:
    with closing(Adapter(program(text), answer_seconds=0.5)) as peer:
        judgement = judge_peer(peer, Plan(servers=1, steps=10, shorten_runs=2))
    assert judgement.rejection is not None
    assert judgement.rejection.rule == "No Stop"
    with closing(Adapter(program(text), answer_seconds=0.5)) as peer:
        peer.ask(BEGIN)
        with pytest.raises(StoppedError, match=reason):
            peer.ask({"do": "timeout", "server": "1"})


def test_an_adapter_that_has_failed_is_started_anew() -> None:
    with closing(Adapter(program(f"{BEGINS}; raise SystemExit"))) as peer:
        for _ in range(2):
            assert peer.ask(BEGIN)["peer"] == "p"
            with pytest.raises(StoppedError):
                peer.ask({"do": "crash", "server": "1"})


def test_nothing_is_left_of_a_process() -> None:
    child = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); "
    ignoring = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    with closing(Adapter(program(child + ignoring))) as peer:
        pid = peer.ask(BEGIN)
        process = peer._process
    assert process.returncode == -signal.SIGKILL
    assert is_gone(pid)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; it may still be waited for by whoever adopts it."""
    for _ in range(50):
        with suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii") as status:
            if status.read().split()[2] == "Z":
                return True
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def replaced(**fields: Any) -> Any:
    """Return a change of the answers to "begin"."""
    return lambda request, ask: {**ask(request), **(fields if request["do"] == "begin" else {})}


def first_step(do: str, **fields: Any) -> Any:
    """Return a change of the first step in the answers to a kind of request."""

    def change(request: Mapping[str, Any], ask: Ask) -> Any:
        answer = ask(request)
        if request["do"] == do and answer["steps"]:
            answer["steps"][0].update(fields)
        return answer

    return change


def answering(do: str, answer: Any) -> Any:
    return lambda request, ask: answer if request["do"] == do else ask(request)


def without_ids(request: Mapping[str, Any], ask: Ask) -> Any:
    answer = ask(request)
    for step in answer["steps"]:
        for message in step.get("sends", ()):
            del message["id"]
    return answer


def same_ids(request: Mapping[str, Any], ask: Ask) -> Any:
    answer = ask(request)
    for step in answer["steps"]:
        for message in step.get("sends", ()):
            message["id"] = "x"
    return answer


def other_message(request: Mapping[str, Any], ask: Ask) -> Any:
    answer = ask(request)
    for step in answer["steps"]:
        if step["event"] == "receive":
            step["message"]["term"] += 1
    return answer


HEADER = {"format": "raftproof/trace/1", "servers": ["1", "2", "3"]}
OTHER = {"type": "Other", "from": "1", "to": "2", "term": 1}

BAD_ANSWERS = {
    "no header": (replaced(header=None), '"peer" and "header" belong to the answer to "begin"'),
    "no peer": (replaced(peer=None), '"peer" and "header" belong to the answer to "begin"'),
    "another format": (replaced(header={**HEADER, "format": "x"}), "the header's format is 'x'"),
    "other servers": (replaced(header={**HEADER, "servers": ["1"]}), "the header's servers are 1, not those"),
    "another network": (replaced(header={**HEADER, "network": "tcp"}), "Invalid enum value 'tcp'"),
    "unknown ability": (replaced(can=["fly"]), "Invalid enum value 'fly'"),
    "no starts": (replaced(steps=[]), "each server must start once when a run begins"),
    "unknown field": (replaced(speed=1), "contains unknown field `speed`"),
    "cannot begin": (answering("begin", {"error": "no disk"}), "cannot begin: no disk"),
    "nothing": (answering("timeout", {}), 'it needs exactly one of "steps", "error" and "unsupported"'),
    "two things": (answering("timeout", {"steps": [], "error": "x"}), "it needs exactly one of"),
    "a header again": (
        lambda request, ask: {**ask(request), "header": HEADER, "peer": "p"},
        '"peer" and "header" belong to the answer to "begin"',
    ),
    "no state": (first_step("timeout", state=None), "Expected `object`, got `null`"),
    "another server": (first_step("timeout", server="nobody"), "nobody takes a step, not"),
    "starts unasked": (first_step("timeout", event="start"), 'there is a step "start", when it was asked to timeout'),
    "proposes unasked": (first_step("timeout", event="propose"), 'there is a step "propose"'),
    "no restart": (answering("restart", {"steps": []}), 'a restart needs a step "start"'),
    "no ids": (without_ids, "each message that is sent needs an id"),
    "the same ids": (same_ids, "the id 'x' comes again"),
    "another message": (other_message, "another message is received than was delivered"),
    "wrong sender": (first_step("timeout", sends=[{**OTHER, "id": 1, "from": "9"}]), "sends a message from 9"),
}


@pytest.mark.parametrize(("change", "complaint"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer(change: Any, complaint: str) -> None:
    with pytest.raises(AdapterError, match=complaint):
        judge_peer(Changed(change), Plan(seed=1))


def test_an_error_is_a_rejection() -> None:
    judgement = judge_peer(Changed(answering("heartbeat", {"error": "index out of range"})), Plan(seed=1))
    assert judgement.rejection is not None
    assert (judgement.rejection.rule, judgement.rejection.reason) == ("No Stop", "index out of range")
    assert judgement.details["schedule"].startswith("1 requests")


def test_what_is_not_supported_is_left_out_and_told() -> None:
    def change(request: Mapping[str, Any], ask: Ask) -> Any:
        if request["do"] == "begin":
            return {**ask(request), "can": []}
        return {"unsupported": "no disk"} if request["do"] == "crash" else ask(request)

    judgement = judge_peer(Changed(change), Plan(seed=1))
    assert judgement.is_accepted
    assert judgement.details["left out, because it is not supported: crash"] == "no disk"
    assert judgement.details["restarts"].startswith("0 ")


def test_crashes_within_steps_are_asked_only_of_who_can() -> None:
    asked: list[Mapping[str, Any]] = []

    def change(request: Mapping[str, Any], ask: Ask) -> Any:
        asked.append(request)
        return {**ask(request), "can": []} if request["do"] == "begin" else ask(request)

    assert judge_peer(Changed(change), Plan(seed=1)).is_accepted
    assert not any("crash_after" in request for request in asked)
    del asked[:]
    judge_peer(Changed(lambda request, ask: asked.append(request) or ask(request)), Plan(seed=1))
    assert sum("crash_after" in request for request in asked) > 10


def test_the_command_line_of_the_reference_peer() -> None:
    judgement = judge_lockstep([*COMMAND, "--mutant", "half-rounded-down", "--batch", "1"], steps=100, seed=1)
    assert judgement.rejection is not None
    assert judgement.subject == "raftimpl, mutant half-rounded-down in lockstep, seed 1"
    assert judgement.rejection.rule == "BecomeLeader"
