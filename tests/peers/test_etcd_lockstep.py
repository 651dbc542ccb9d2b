"""etcd's raft library in lockstep: the adapter keeps to the protocol, the library is accepted, its faults are found."""

import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from raftcheck.oracle import judge_lockstep
from raftcheck.oracle.trace.steps import Header, Step
from tests.peers.faults import ETCD_FAULTS

OPTIONS = {"plain": (), "PreVote": ("-pre-vote",), "CheckQuorum": ("-check-quorum",), "small": ("-message-size", "0")}

SERVERS = ["a", "b", "c"]


def walk(seed: int, requests: int) -> list[dict[str, Any]]:
    """Return requests; messages that do not exist are asked for as well, and answered with an error."""
    random_choice = random.Random(seed)
    result: list[dict[str, Any]] = [{"do": "begin", "servers": SERVERS, "seed": seed}]
    for number in range(requests):
        do = random_choice.choice(["deliver"] * 12 + ["timeout", "heartbeat", "propose", "propose", "crash", "restart"])
        server = random_choice.choice(SERVERS)
        request = {"do": do, "message": random_choice.randrange(number + 1)} if do == "deliver" else {"do": do}
        result.append(request if do == "deliver" else request | {"server": server})
        if do == "propose":
            result[-1]["value"] = f"w{number}"
    return result


def answers(program: Path, requests: list[dict[str, Any]], *options: str) -> bytes:
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    command = [program, "lockstep", *options]
    return subprocess.run(command, input=lines.encode(), capture_output=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("option", OPTIONS)
def test_the_answers_are_those_of_the_protocol(etcd_raft: Path, option: str) -> None:
    requests = walk(1, 600)
    lines = answers(etcd_raft, requests, *OPTIONS[option]).splitlines()
    assert len(lines) == len(requests)
    first = json.loads(lines[0])
    assert first["peer"].startswith("etcd raft v3.6.0")
    assert msgspec.convert(first["header"], Header).servers == tuple(SERVERS)
    events: Counter[str] = Counter()
    sent: set[str | int | None] = set()
    for line in lines:
        answer = json.loads(line)
        assert answer.keys() <= {"peer", "header", "steps"} or answer.keys() == {"error"}
        for step in msgspec.convert(answer.get("steps", []), list[Step]):
            events[step.event] += 1
            assert step.message is None or step.message.id in sent
            ids = {message.id for message in step.sends}
            assert len(ids) == len(step.sends)
            assert not ids & sent
            sent |= ids
    assert events.keys() == {"start", "timeout", "heartbeat", "propose", "receive"}


def test_the_same_requests_have_the_same_answers(etcd_raft: Path) -> None:
    requests = walk(2, 400)
    assert answers(etcd_raft, requests) == answers(etcd_raft, requests)


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_library_is_accepted(etcd_raft: Path, option: str, seed: int) -> None:
    command = [str(etcd_raft), "lockstep", *OPTIONS[option]]
    judgement = judge_lockstep(command, servers=3, steps=2000, seed=seed, network="at-most-once")
    assert judgement.is_accepted, str(judgement)


@pytest.mark.parametrize("servers", [1, 2, 4, 5])
def test_the_library_is_accepted_in_clusters_of_other_sizes(etcd_raft: Path, servers: int) -> None:
    judgement = judge_lockstep([str(etcd_raft), "lockstep"], servers=servers, seed=3, network="at-most-once")
    assert judgement.is_accepted, str(judgement)


@pytest.mark.xfail(reason="the judge takes it that a server which has voted for a candidate may not refuse it later")
def test_the_library_is_accepted_when_messages_are_repeated(etcd_raft: Path) -> None:
    judgement = judge_lockstep([str(etcd_raft), "lockstep"], servers=3, steps=4000, seed=1)
    assert judgement.is_accepted, str(judgement)


@pytest.mark.parametrize("fault", ETCD_FAULTS)
def test_every_fault_is_found(etcd_raft: Path, fault: str) -> None:
    """With one entry in a message, a majority may hold an entry of an old term before the first of the new one."""
    command = [str(etcd_raft), "lockstep", "-message-size", "0", "-fault", fault]
    for seed in (1, 2):
        judgement = judge_lockstep(command, servers=3, steps=4000, seed=seed, network="at-most-once")
        assert judgement.answer == "reject", f"seed {seed}: {judgement}"
