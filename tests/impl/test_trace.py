"""Traces of the implementation are what docs/traces.md says."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raftcheck.cli.main import main
from raftcheck.oracle import judge_trace
from raftcheck.oracle.trace import messages, steps
from raftcheck.oracle.trace.messages import Message
from raftimpl.cluster import cluster_of
from raftimpl.log import Log
from raftimpl.messages import AppendEntries, Entry, ForwardedRequest, RequestVote, RequestVoteResponse
from raftimpl.raft import step
from raftimpl.rules import persisted
from raftimpl.state import DurableState, Role, ServerState
from raftimpl.step import ClientRequest, ElectionTimeout, Persist, ReadRequest, Receive, Send
from raftimpl.trace import known_of_torn_step, message_record, start_record, step_record, text_of
from tests.impl.strategies import MESSAGES

NAMES = ["a", "b", "c"]
CLUSTER = cluster_of(3)


def record(before: ServerState, input: Any) -> steps.Step:
    taken = step(CLUSTER, before, input)
    return msgspec.convert(step_record(NAMES, before, input, taken.state, taken.outputs), steps.Step)


def leader() -> ServerState:
    candidate = step(CLUSTER, CLUSTER.start(0), ElectionTimeout()).state
    return step(CLUSTER, candidate, Receive(1, RequestVoteResponse(1, True))).state


def test_an_election_timeout() -> None:
    assert record(CLUSTER.start(0), ElectionTimeout()) == steps.Step(
        "a",
        "timeout",
        steps.State(1, "a", "candidate", 0, 0, votes=frozenset({"a"})),
        sends=tuple(messages.RequestVote(sender="a", to=to, term=1, last_index=0, last_term=0) for to in ("b", "c")),
    )


def test_a_follower_that_replaces_its_log() -> None:
    before = ServerState(1, current_term=2, log=Log((Entry(1), Entry(1, b"x"), Entry(1, b"y"))))
    taken = record(before, Receive(2, AppendEntries(3, 1, 1, (Entry(3, b"\xff"),), leader_commit=1)))
    assert taken.log == steps.LogChange(1, (messages.TracedEntry(3, "hex:ff"),))
    assert taken.state == steps.State(3, None, "follower", 1, 2)
    assert taken.sends == (messages.AppendEntriesResponse(sender="b", to="c", term=3, success=True, index=2),)


def test_a_refusal_tells_no_index() -> None:
    taken = record(CLUSTER.start(1), Receive(0, AppendEntries(1, 5, 1)))
    assert taken.sends == (messages.AppendEntriesResponse(sender="b", to="a", term=1, success=False),)


def test_a_leader_tells_what_matches() -> None:
    taken = record(leader(), ClientRequest(b"w"))
    assert taken.state == steps.State(1, "a", "leader", 0, 2, match={"b": 0, "c": 0})
    assert taken.log == steps.LogChange(1, (messages.TracedEntry(1, "w"),))


def test_a_read_is_something_else() -> None:
    assert record(leader(), ReadRequest(1)).event == "other"
    assert message_record(NAMES, 1, 0, ForwardedRequest(3, b"w")) == {
        "type": "Other", "from": "b", "to": "a", "term": 3, "what": "ForwardedRequest",
    }  # fmt: skip


def test_a_restart_tells_what_is_lost() -> None:
    lost = start_record(NAMES, ServerState(2, current_term=4, log=Log((Entry(1),))), Log((Entry(1), Entry(4))))
    assert lost == {
        "server": "c",
        "event": "start",
        "state": {"term": 4, "vote": None, "role": "follower", "commit": 0, "last": 1},
        "log": {"keep": 1, "entries": []},
    }


@given(MESSAGES)
def test_a_message_looks_the_same_where_it_arrives(message: Any) -> None:
    sent = message_record(NAMES, 0, 1, message)
    assert msgspec.convert(sent, Message).sender == "a"
    assert json.loads(json.dumps(sent)) == sent


@given(st.binary(), st.binary())
def test_different_commands_have_different_texts(one: bytes, other: bytes) -> None:
    assert (text_of(one) == text_of(other)) == (one == other)


def test_a_text_like_that_of_other_bytes_is_not_taken_for_it() -> None:
    assert text_of(b"\xff") == "hex:ff"
    assert text_of(b"hex:ff") == "hex:" + b"hex:ff".hex()


def test_a_torn_step_is_all_that_anybody_can_know_of_it() -> None:
    before = CLUSTER.start(1)
    taken = step(CLUSTER, before, Receive(0, RequestVote(1, 0, 0)))
    write, answer = taken.outputs[:2]
    assert isinstance(write, Persist)
    assert isinstance(answer, Send)
    on_disk = persisted(DurableState(), write)
    half = msgspec.structs.replace(on_disk, voted_for=None)
    assert known_of_torn_step(before, taken.state, on_disk, (write,)) is taken.state
    assert known_of_torn_step(before, taken.state, half, (write, answer)) is taken.state
    assert known_of_torn_step(before, taken.state, half, (write,)) == ServerState(1, current_term=1)


def test_a_torn_step_of_the_same_term_leaves_the_role() -> None:
    disk = DurableState(1, 0, Log((Entry(1), Entry(1, b"v"))))
    before, after = leader(), step(CLUSTER, leader(), ClientRequest(b"w")).state
    known = known_of_torn_step(before, after, disk, ())
    assert (known.role, known.log) == (Role.LEADER, disk.log)


@pytest.mark.parametrize(
    ("network", "name"), [("lossy-duplicating", "any"), ("unordered", "at-most-once"), ("ordered", "fifo")]
)
def test_a_walk_is_written_as_a_trace(network: str, name: str, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "walk.jsonl"
    arguments = [
        "simulate",
        "--servers",
        "3",
        "--seed",
        "6",
        "--steps",
        "400",
        "--walks",
        "2",
        "--torn-steps",
        "--forwarding",
    ]
    assert main([*arguments, "--network", network, "--trace", str(file)]) == 0
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    header = msgspec.json.decode(first, type=steps.Header)
    assert (header.format, header.servers, header.network) == (steps.FORMAT, ("s0", "s1", "s2"), name)
    taken = [msgspec.json.decode(line, type=steps.Step) for line in rest]
    assert [step.event for step in taken[:3]] == ["start"] * 3
    assert {step.event for step in taken} == {"start", "timeout", "heartbeat", "propose", "receive", "other"}
    sent = {message for step in taken for message in step.sends}
    assert {step.message for step in taken if step.event == "receive"} <= sent
    judgement = judge_trace(file)
    assert judgement.is_accepted, str(judgement)
    assert judgement.checked == len(taken)


def test_a_wrong_walk_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "walk.jsonl"
    arguments = ["simulate", "--mutant", "truncate-always", "--servers", "3", "--seed", "1", "--trace", str(file)]
    main([*arguments, "--steps", "2000", "--walks", "1", "--property", "Election Safety"])
    judgement = judge_trace(file)
    assert judgement.rejection is not None
    assert judgement.rejection.rule == "HandleAppendEntries"


WALK = ["--walks", "1", "--steps", "2000", "--compactions", "300", "--transfers", "100", "--quorum-timeouts", "50"]


@pytest.mark.parametrize(
    "options",
    [
        ["--seed", "6", "--servers", "5"],
        ["--seed", "12", "--servers", "3", "--torn-steps", "--forwarding"],
        ["--seed", "5", "--servers", "3", "--network", "ordered"],
    ],
    ids=" ".join,
)
def test_walks_with_snapshots_are_accepted(options: list[str], tmp_path: Path) -> None:
    file = tmp_path / "walk.jsonl"
    assert main(["simulate", *WALK, *options, "--trace", str(file)]) == 0
    taken = [msgspec.json.decode(line, type=steps.Step) for line in file.read_text(encoding="utf-8").splitlines()[1:]]
    given_ = {type(step.message) for step in taken if step.event == "receive"}
    assert {messages.InstallSnapshot, messages.TimeoutNow} <= given_
    judgement = judge_trace(file)
    assert judgement.is_accepted, str(judgement)


REJECTED = {
    "append-behind-snapshot": "HandleAppendEntries",
    "snapshot-one-too-late": "AppendEntries",
    "snapshot-sets-term": "UpdateTerm",
    "install-stale-snapshot": "HandleAppendEntries",
    "compact-uncommitted": "AppendEntries",
    "forget-snapshot": "Restart",
    "step-aside-clears-vote": "HandleRequestVote",
}
"""Mutants whose walks with snapshots are rejected, and at which action of those that the steps might be."""


@pytest.mark.parametrize("mutant", REJECTED)
def test_wrong_walks_with_snapshots_are_rejected(mutant: str, tmp_path: Path) -> None:
    file = tmp_path / "walk.jsonl"
    seed = "1" if mutant == "step-aside-clears-vote" else "2"
    options = ["--mutant", mutant, "--servers", "3", "--seed", seed, "--property", "Election Safety"]
    main(["simulate", *WALK, "--steps", "3000", "--transfers", "50", *options, "--trace", str(file)])
    judgement = judge_trace(file)
    assert judgement.rejection is not None
    assert judgement.rejection.rule == REJECTED[mutant]
