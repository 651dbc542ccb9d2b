"""Traces in our own format: small legal ones are accepted; one change in them is named by the rule that it breaks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from raftcheck.cli.main import main
from raftcheck.oracle import Judgement
from raftcheck.oracle.trace.api import judge_trace
from tests.conftest import ROOT
from tests.oracle.trace.stories import (
    ABC,
    BEAT,
    CHANGE,
    COMMITMENT,
    FIRST,
    FOUR,
    JOINT_CONSENSUS,
    LEAVE,
    MEMBERSHIP,
    OTHER_CHANGE,
    STORIES,
    Record,
    append,
    ask,
    entry,
    file_of,
    gets,
    header,
    log,
    message,
    refusal,
    state,
    step,
    success,
    vote,
)

DROPPED = object()


def written(folder: Path, records: Sequence[Record]) -> Path:
    file = folder / "trace.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def judged(folder: Path, records: Sequence[Record], **options: Any) -> Judgement:
    return judge_trace(written(folder, records), **options)


def with_change(records: list[Record], place: int, path: str, value: Any) -> list[Record]:
    """The records with one value changed, counted from the last step; `path` are names and numbers with dots."""
    changed: list[Record] = json.loads(json.dumps(records))  # a deep copy would change what records have in common
    *way, name = [int(part) if part.isdigit() else part for part in path.split(".")]
    target: Any = changed[place]
    for part in way:
        target = target[part]
    if value is DROPPED:
        del target[name]
    else:
        target[name] = value
    return changed


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("network", ["any", "at-most-once", "fifo"])
def test_legal_steps_are_accepted(name: str, network: str, tmp_path: Path) -> None:
    judgement = judged(tmp_path, file_of(name, network=network))
    assert judgement.is_accepted, str(judgement)
    assert judgement.checked == len(STORIES[name])


REFUSED: Record = {"type": "AppendEntriesResponse", "from": "c", "to": "a", "term": 1, "success": False}

CHANGES = [
    # election
    ("election", -3, "state.term", 2, "UpdateTerm"),
    ("election", -3, "state.vote", "b", "UpdateTerm"),
    ("election", -3, "state.votes", ["a", "b"], "HandleVote"),
    ("election", -3, "state.last", 1, "HandleAppendEntries"),
    ("election", -3, "sends.0.last_index", 1, "RequestVote"),
    ("election", -3, "sends.0.last_term", 1, "RequestVote"),
    ("election", -3, "sends.0.term", 2, "section 5.1: servers communicate their current terms"),
    ("election", -2, "state.vote", None, "HandleRequestVote"),
    ("election", -2, "state.vote", "c", "HandleRequestVote"),
    ("election", -2, "sends.0.to", "c", "HandleRequestVote"),
    ("election", -2, "sends.0.granted", False, "RefuseVote"),
    ("election", -2, "message.last_index", 1, "Network"),
    ("election", -2, "state.role", "leader", "BecomeLeader"),
    ("election", -2, "state.commit", 1, "AdvanceCommitIndex"),
    ("election", -1, "message.granted", False, "Network"),
    ("election", -1, "state.commit", 1, "AdvanceCommitIndex"),
    ("election", -1, "state.match.b", 1, "HandleAcknowledgement"),
    ("election", -1, "log.entries.0.term", 2, "ClientRequest"),
    ("election", -1, "sends.0.entries.0.term", 2, "AppendEntries"),
    ("election", -1, "sends.0.entries.0.data", "other", "Log Matching"),
    ("election", -1, "sends.0.prev_index", 1, "AppendEntries"),
    ("election", -1, "sends.0.prev_term", 1, "AppendEntries"),
    ("election", -1, "sends.0.commit", 1, "AppendEntries"),
    # commitment
    ("commitment", -3, "log.entries.0.data", "other", "Log Matching"),
    ("commitment", -3, "log.entries.0.term", 2, "HandleAppendEntries"),
    ("commitment", -3, "sends.0.index", 2, "AcknowledgeCommitted"),
    ("commitment", -3, "state.commit", 1, "HandleAppendEntries"),
    ("commitment", -3, "sends.0.success", False, "RefuseAppendEntries"),
    ("commitment", -2, "state.match.b", 2, "HandleAcknowledgement"),
    ("commitment", -2, "state.match.c", 1, "HandleAcknowledgement"),
    ("commitment", -2, "state.commit", 2, "AdvanceCommitIndex"),
    ("commitment", -1, "state.commit", 0, "HandleAppendEntries"),
    # truncation
    ("truncation", -6, "sends.0", {**REFUSED, "success": True, "index": 2}, "HandleAppendEntries"),
    ("truncation", -5, "state.vote", "b", "UpdateTerm"),
    ("truncation", -5, "state.last", 1, "HandleAppendEntries"),
    ("truncation", -2, "log.entries", [], "HandleAppendEntries"),
    ("truncation", -1, "state.role", "follower", "AdvanceCommitIndex"),
    # restart
    ("restart", -2, "state.vote", None, "Restart"),
    ("restart", -2, "state.term", 0, "Restart"),
    ("restart", -2, "state.commit", 2, "Restart"),
    ("restart", -2, "state.last", 0, "Restart"),
    ("restart", -2, "state.role", "candidate", "Restart"),
    ("restart", -1, "sends.0.last_index", 0, "RequestVote"),
    # snapshot
    ("snapshot", -3, "sends.0.index", 2, "AppendEntries"),
    ("snapshot", -3, "sends.0.index_term", 2, "AppendEntries"),
    ("snapshot", -2, "state.commit", 0, "HandleAppendEntries"),
    ("snapshot", -2, "log.entries.0.term", 2, "HandleAppendEntries"),
    # heartbeat
    ("heartbeat", -2, "sends.0.commit", 2, "Heartbeat"),
    ("heartbeat", -2, "sends.0.to", "c", "Heartbeat"),
    ("heartbeat", -1, "state.commit", 2, "HandleAppendEntries"),
    # pre-vote
    ("pre-vote", -3, "sends.0.term", 0, "RequestPreVote"),
    ("pre-vote", -3, "sends.0.last_index", 1, "RequestPreVote"),
    ("pre-vote", -2, "sends.0.to", "c", "HandleRequestPreVote"),
    ("pre-vote", -2, "sends.0.term", 2, "HandleRequestPreVote"),
    ("pre-vote", -2, "state.term", 1, "UpdateTerm"),
    # transfer
    ("transfer", -3, "state.term", 3, "UpdateTerm"),
    ("transfer", -2, "state.role", "leader", "BecomeLeader"),
    ("transfer", -1, "message.granted", False, "Network"),
    # membership
    ("membership", -4, "state.commit", 2, "AdvanceCommitIndex"),
    ("membership", -2, "state.configuration.voters", ["a", "b", "c"], "ApplyConfiguration"),
    ("membership", -2, "state.configuration.voters", ["a", "b", "d"], "ApplyConfiguration"),
    ("membership", -5, "state.commit", 2, "HandleAppendEntries"),
    # joint consensus
    ("joint consensus", -6, "state.commit", 3, "AdvanceCommitIndex"),
    ("joint consensus", -6, "state.configuration.outgoing", ["b"], "ApplyConfiguration"),
    ("joint consensus", -3, "state.commit", 3, "AdvanceCommitIndex"),
    ("joint consensus", -1, "state.configuration.voters", ["a", "b", "c"], "ApplyConfiguration"),
]


@pytest.mark.parametrize(("name", "place", "path", "value", "rule"), CHANGES)
def test_a_change_breaks_a_rule(name: str, place: int, path: str, value: Any, rule: str, tmp_path: Path) -> None:
    judgement = judged(tmp_path, with_change(file_of(name), place, path, value))
    assert judgement.answer == "reject", str(judgement)
    assert judgement.rejection is not None
    assert judgement.checked == len(STORIES[name]) + place, str(judgement)
    assert judgement.rejection.rule == rule, str(judgement)


# What is not a change of one step: too few, too many, in another order


LEADS = state(1, "a", "leader", 1, 1)
FOLLOWS = state(1, "a", "follower", 1, 1)
VOTED = state(1, "a", "follower", 0, 0)

MORE = {
    "a second vote in a term": ([ask_again := step("c", "timeout", state(1, "c", "candidate", 0, 0), ask("cb", 1)),
                                 gets(ask("cb", 1), FOLLOWS, vote("bc", 1))], "HandleRequestVote"),
    "a vote that was refused": ([ask_again, gets(ask("cb", 1), state(1, "c", "follower", 1, 1))], "HandleRequestVote"),
    "a refusal of whom it has voted for": (
        [gets(ask("ac", 1), VOTED, vote("ca", 1)),
         gets(ask("ac", 1), VOTED, {**vote("ca", 1), "granted": False})], "RefuseVote"),
    "a vote for a log that is behind": (
        [step("c", "timeout", state(1, "c", "candidate", 0, 0)),
         step("c", "timeout", state(2, "c", "candidate", 0, 0), ask("cb", 2)),
         gets(ask("cb", 2), state(2, "c", "follower", 1, 1), vote("bc", 2))], "HandleRequestVote"),
    "a term that nobody has started": ([step("b", "other", state(5, None, "follower", 1, 1))], "UpdateTerm"),
    "a term that goes back": ([step("b", "other", state(0, None, "follower", 1, 1))], "UpdateTerm"),
    "a leader without votes": (
        [step("c", "timeout", state(1, "c", "leader", 0, 1), log=log(0, entry(1)))], "BecomeLeader"),
    "a leader that starts an election": ([step("a", "timeout", state(2, "a", "candidate", 1, 1))], "Timeout"),
    "a leader that deletes": (
        [step("a", "other", state(1, "a", "leader", 1, 0), log=log(0))], "Leader Append-Only"),
    "a follower that appends by itself": (
        [step("b", "propose", state(1, "a", "follower", 1, 2), log=log(1, entry(1)))], "HandleAppendEntries"),
    "entries of no leader": (
        [step("b", "other", FOLLOWS, append("bc", 1, (0, 0), [FIRST], 1))], "AppendEntries"),
    "a heartbeat of no leader": ([step("b", "other", FOLLOWS, message("Heartbeat", "bc", 1))], "Heartbeat"),
    "a snapshot of no leader": (
        [step("b", "other", FOLLOWS, message("InstallSnapshot", "bc", 1, index=1, index_term=1))], "AppendEntries"),
    "a snapshot of what is not committed": (
        [step("a", "propose", state(1, "a", "leader", 1, 2), log=log(1, entry(1))),
         step("a", "other", state(1, "a", "leader", 1, 2),
              message("InstallSnapshot", "ac", 1, index=2, index_term=1))], "AppendEntries"),
    "a message that nobody has sent": ([gets(BEAT, FOLLOWS)], "Network"),
    "a request for a vote of no candidate": ([step("b", "other", FOLLOWS, ask("bc", 1, 1, 1))], "RequestVote"),
    "a vote that nobody has asked for": ([step("b", "other", FOLLOWS, vote("bc", 1))], "HandleRequestVote"),
    "an acknowledgement of what it has not": ([step("c", "other", state(0, None, "follower", 0, 0),
                                                    success("ca", 0, 1))], "HandleAppendEntries"),
    "a refusal of what it has": (
        [gets(append("ab", 1, (1, 1), [], 1), FOLLOWS, refusal("ba", 1))], "RefuseAppendEntries"),
    "a match index that goes back": ([step("a", "other", {**LEADS, "match": {"b": 0}})], "HandleAcknowledgement"),
    "a pre-vote that nobody has asked for": (
        [step("b", "other", FOLLOWS, vote("bc", 2, "PreVoteResponse"))], "HandleRequestPreVote"),
    "a pre-vote of a leader": ([step("a", "other", LEADS, ask("ab", 2, 1, 1, "PreVote"))], "RequestPreVote"),
    "a change of the membership of no leader": (
        [step("b", "propose", state(1, "a", "follower", 1, 2), log=log(1, CHANGE))], "HandleAppendEntries"),
    "a change of what is not committed": (
        [step("a", "propose", state(1, "a", "leader", 1, 2, configuration=FOUR), log=log(1, CHANGE))],
        "ApplyConfiguration"),
    "a change of two voters at once": (
        [step("a", "propose", state(1, "a", "leader", 1, 2),
              append("ab", 1, (1, 1), [two := entry(1, configuration={"voters": ["a", "d"]})], 1), log=log(1, two)),
         gets(append("ab", 1, (1, 1), [two], 1), state(1, "a", "follower", 1, 2), success("ba", 1, 2),
              log=log(1, two)),
         gets(success("ba", 1, 2), state(1, "a", "leader", 2, 2))], "ApplyConfiguration"),
    "a configuration that was never in force": (
        [step("b", "start", state(1, "a", "follower", 1, 1, configuration=FOUR))], "Restart"),
    "a crash that loses an entry": ([step("b", "start", state(1, "a", "follower", 0, 0), log=log(0))], "Restart"),
}  # fmt: skip
"""Steps after a, the leader of term 1, and b have committed an entry: only the last is impossible."""


@pytest.mark.parametrize("what", MORE)
def test_another_step_breaks_a_rule(what: str, tmp_path: Path) -> None:
    steps, rule = MORE[what]
    judgement = judged(tmp_path, [header(), *COMMITMENT, *steps])
    assert judgement.answer == "reject", str(judgement)
    assert judgement.rejection is not None
    assert judgement.checked == len(COMMITMENT) + len(steps) - 1, str(judgement)
    assert judgement.rejection.rule == rule, str(judgement)


def test_a_change_while_one_is_under_way(tmp_path: Path) -> None:
    steps = [step("a", "propose", state(1, "a", "leader", 1, 3), log=log(2, OTHER_CHANGE))]
    judgement = judged(tmp_path, [header(learners=["d"]), *MEMBERSHIP[:-5], *steps])
    assert judgement.rejection is not None
    assert judgement.rejection.rule == "ChangeConfiguration", str(judgement)


@pytest.mark.parametrize("who", ["b", "d"])
def test_in_joint_consensus_both_majorities_are_needed(who: str, tmp_path: Path) -> None:
    """With a and b there is one of both; a and d are none of the old members."""
    place = next(i for i, one in enumerate(JOINT_CONSENSUS) if one.get("message") == success(who + "a", 1, 3))
    steps = [one for one in JOINT_CONSENSUS[:place] if one["server"] == who or who == "b" or one["server"] != "b"]
    steps = JOINT_CONSENSUS[:place] if who == "d" else steps
    last = gets(success(who + "a", 1, 3), state(1, "a", "leader", 3, 3))
    assert judged(tmp_path, [header(), *steps, last]).answer == ("accept" if who == "b" else "reject")
    assert LEAVE["configuration"] != {"voters": ABC}


def test_data_is_the_same_wherever_an_entry_appears(tmp_path: Path) -> None:
    for place, path in ((-3, "log.entries.0.data"), (6, "sends.0.entries.0.data"), (6, "sends.1.entries.0.data")):
        records = with_change(file_of("commitment"), place, path, "other")
        judgement = judged(tmp_path, records)
        assert judgement.rejection is not None, path
        assert judgement.rejection.rule == "Log Matching"


AGAIN = [*COMMITMENT, COMMITMENT[-3]]
OVERTAKEN = [
    *COMMITMENT[:-1],
    step("a", "heartbeat", LEADS, BEAT),
    gets(BEAT, FOLLOWS, message("HeartbeatResponse", "ba", 1)),
    COMMITMENT[-1],
]


@pytest.mark.parametrize(
    ("steps", "accepting"), [(AGAIN, {"any"}), (OVERTAKEN, {"any", "at-most-once"})], ids=["again", "overtaken"]
)
@pytest.mark.parametrize("network", ["any", "at-most-once", "fifo"])
def test_networks(steps: list[Record], accepting: set[str], network: str, tmp_path: Path) -> None:
    """A message that arrives twice; one that overtakes another. What the caller says counts, not the header."""
    again = {**steps[-1], "state": FOLLOWS}
    again.pop("log", None)
    for options, more in (({"network": network}, {}), ({}, {"network": network})):
        judgement = judged(tmp_path, [header(**more), *steps[:-1], again], **options)
        assert judgement.is_accepted == (network in accepting), str(judgement)
        if judgement.rejection:
            assert judgement.rejection.rule == "Network"


def test_the_example_of_the_document_is_accepted(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "traces.md").read_text(encoding="utf-8")
    example = text.split("```json\n")[1].split("```")[0]
    file = tmp_path / "example.jsonl"
    file.write_text(example, encoding="utf-8")
    assert judge_trace(file).is_accepted


# What our implementation does, and what it does not


WALK = ["simulate", "--servers", "3", "--walks", "1", "--steps", "3000"]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_simulated_traces_are_accepted(seed: str, tmp_path: Path) -> None:
    file = tmp_path / "walk.jsonl"
    assert main([*WALK, "--seed", seed, "--trace", str(file)]) == 0
    judgement = judge_trace(file)
    assert judgement.is_accepted, str(judgement)
    assert judgement.checked > 3_000


@pytest.mark.parametrize(
    ("mutant", "rule"),
    [
        ("vote-for-whoever-asks-first", "HandleRequestVote"),
        ("step-down-clears-vote", "HandleRequestVote"),
        ("count-old-votes", "BecomeLeader"),
        ("half-rounded-down", "BecomeLeader"),
        ("truncate-always", "HandleAppendEntries"),
        ("no-consistency-check", "HandleAppendEntries"),
        ("commit-beyond-match", "HandleAppendEntries"),
        ("commit-goes-back", "HandleAppendEntries"),
        ("match-goes-back", "HandleAcknowledgement"),
    ],
)
def test_traces_of_mutants_are_rejected(mutant: str, rule: str, tmp_path: Path) -> None:
    file = tmp_path / "walk.jsonl"
    codes = (main([*WALK, "--seed", str(seed), "--mutant", mutant, "--trace", str(file)]) for seed in range(1, 21))
    assert 1 in codes  # the first walk that shows the bug
    judgement = judge_trace(file)
    assert judgement.rejection is not None, str(judgement)
    assert judgement.rejection.rule == rule, str(judgement)
