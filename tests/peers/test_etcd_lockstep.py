"""etcd's raft library in lockstep: the adapter keeps to the protocol, the library is accepted, its faults are found."""

import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from subprocess import PIPE
from typing import Any

import msgspec
import pytest

from raftcheck.oracle import judge_lockstep
from raftcheck.oracle.trace.steps import Header, Step
from tests.peers.faults import ETCD_FAULTS

OPTIONS = {"plain": (), "PreVote": ("-pre-vote",), "CheckQuorum": ("-check-quorum",), "small": ("-message-size", "0")}

SERVERS = ["a", "b", "c"]

WEIGHTS = {"deliver": 30, "propose": 3, "heartbeat": 3, "timeout": 2, "restart": 2, "crash": 1}


Answer = dict[str, Any]


def walk(program: Path, seed: int, requests: int, *options: str) -> list[Answer]:
    """Ask an adapter for steps at random, and return its answers, the first of which is to begin."""
    choices, answers, messages = random.Random(seed), list[Answer](), list[int]()
    with subprocess.Popen([program, "lockstep", *options], stdin=PIPE, stdout=PIPE, text=True) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        request: Answer = {"do": "begin", "servers": SERVERS, "seed": seed}
        for number in range(requests):
            peer.stdin.write(json.dumps(request) + "\n")
            peer.stdin.flush()
            answers.append(json.loads(peer.stdout.readline()))
            messages += [message["id"] for step in answers[-1]["steps"] for message in step["sends"]]
            do = choices.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            request = {"do": do, "server": choices.choice(SERVERS)}
            if do == "deliver" and messages:
                request = {"do": do, "message": messages.pop(choices.randrange(len(messages)))}
            elif do in {"deliver", "propose"}:
                request |= {"do": "propose", "value": f"w{number}"}
    return answers


@pytest.mark.parametrize("option", OPTIONS)
def test_the_answers_are_those_of_the_protocol(etcd_raft: Path, option: str) -> None:
    answers = walk(etcd_raft, 1, 600, *OPTIONS[option])
    assert answers[0]["peer"].startswith("etcd raft v3.6.0")
    assert msgspec.convert(answers[0]["header"], Header).servers == tuple(SERVERS)
    events, sent = Counter[str](), set[str | int | None]()
    for answer in answers:
        assert answer.keys() <= {"peer", "header", "steps"}
        for step in msgspec.convert(answer["steps"], list[Step]):
            events[step.event] += 1
            assert step.message is None or step.message.id in sent
            ids = {message.id for message in step.sends}
            assert len(ids) == len(step.sends)
            assert not ids & sent
            sent |= ids
    assert events.keys() == {"start", "timeout", "heartbeat", "propose", "receive"}


def test_the_same_requests_have_the_same_answers(etcd_raft: Path) -> None:
    assert walk(etcd_raft, 2, 400) == walk(etcd_raft, 2, 400)


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        ('{"do": "deliver", "message": 7}', {"error": "there is no message 7"}),
        ('{"do": "timeout", "server": "x"}', {"error": "there is no server x"}),
        ('{"do": "dance", "server": "a"}', {"unsupported": "this adapter does not know dance"}),
        ('{"do": "heartbeat", "server": "a"}', {"steps": []}),
        ('{"do": "crash", "server": "a"}', {"steps": []}),
    ],
)
def test_what_leads_to_no_step(etcd_raft: Path, request_text: str, answer: Answer) -> None:
    lines = f'{{"do": "begin", "servers": ["a"], "seed": 1}}\n{request_text}\n'
    out = subprocess.run([etcd_raft, "lockstep"], input=lines, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(out.stdout.splitlines()[1]) == answer


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
