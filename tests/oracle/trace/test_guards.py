"""Guards of the specification that a trace can run into: each is the reason of a rejection.

Other guards cannot be false where the judge takes the action: it takes it only if they are true.
"""

import json
from pathlib import Path

import pytest

from raftcheck.oracle.trace.api import judge_trace
from tests.conftest import ROOT
from tests.oracle.trace.stories import (
    ABC,
    COMMITMENT,
    ELECTION,
    FOUR,
    STARTED,
    Record,
    append,
    ask,
    entry,
    gets,
    header,
    log,
    state,
    step,
    success,
    vote,
)

NOT_UP_TO_DATE = "the log is at least as up to date as the server's"

CHANGE = entry(1, "add d", configuration=FOUR)
NEXT = entry(1, "remove c", configuration={"voters": ["a", "b", "d"]})
OLD = {"voters": ABC}


def told(commit: int, link: str, term: int, index: int, last_term: int) -> Record:
    return {**ask(link, term, index, last_term), "commit": commit, "commit_term": 1}


CHANGED = [
    *COMMITMENT,
    step("a", "propose", state(1, "a", "leader", 1, 2), append("ab", 1, (1, 1), [CHANGE], 1), log=log(1, CHANGE)),
    gets(append("ab", 1, (1, 1), [CHANGE], 1), state(1, "a", "follower", 1, 2), success("ba", 1, 2),
         log=log(1, CHANGE)),
    gets(success("ba", 1, 2), state(1, "a", "leader", 2, 2, configuration=FOUR), append("ab", 1, (2, 1), [], 2)),
]  # fmt: skip
"""d is added, and a knows that it is."""

REJECTED: list[tuple[str, str, list[Record]]] = [
    ("Timeout", "it does not lead", [*ELECTION, step("a", "timeout", state(2, "a", "candidate", 0, 1))]),
    (
        "HandleRequestVote",
        "the server has not voted for another",
        [
            *STARTED,
            step("a", "timeout", state(1, "a", "candidate", 0, 0), ask("ab", 1)),
            step("c", "timeout", state(1, "c", "candidate", 0, 0), ask("cb", 1)),
            gets(ask("ab", 1), state(1, "a", "follower", 0, 0), vote("ba", 1)),
            gets(ask("cb", 1), state(1, "c", "follower", 0, 0), vote("bc", 1)),
        ],
    ),
    (
        "HandleRequestVote",
        "the candidate asks in the server's term",
        [
            *STARTED,
            step("a", "timeout", state(1, "a", "candidate", 0, 0), ask("ab", 1)),
            step("c", "timeout", state(1, "c", "candidate", 0, 0)),
            step("c", "timeout", state(2, "c", "candidate", 0, 0), ask("cb", 2)),
            gets(ask("cb", 2), state(2, None, "follower", 0, 0)),
            gets(ask("ab", 1), state(2, "a", "follower", 0, 0), vote("ba", 2)),
        ],
    ),
    (
        "HandleRequestPreVote",
        NOT_UP_TO_DATE,
        [
            *COMMITMENT,
            step("c", "timeout", state(0, None, "pre-candidate", 0, 0), ask("cb", 2, kind="PreVote")),
            gets(ask("cb", 2, kind="PreVote"), state(1, "a", "follower", 1, 1), vote("bc", 2, "PreVoteResponse")),
        ],
    ),
    (
        "HandleRequestPreVote",
        "the term is not older than the server's",
        [
            *ELECTION,
            step("b", "timeout", state(2, "b", "candidate", 0, 0)),
            step("c", "timeout", state(0, None, "pre-candidate", 0, 0), ask("cb", 1, kind="PreVote")),
            gets(ask("cb", 1, kind="PreVote"), state(2, "b", "candidate", 0, 0), vote("bc", 1, "PreVoteResponse")),
        ],
    ),
    (
        "TellCommitted",
        "it knows as much to be committed",
        [*COMMITMENT[:-2], step("b", "timeout", state(2, "b", "candidate", 0, 1), told(1, "bc", 2, 1, 1))],
    ),
    (
        "LearnCommitted",
        "it has the entry",
        [
            *COMMITMENT,
            step("b", "timeout", state(2, "b", "candidate", 1, 1), told(1, "bc", 2, 1, 1)),
            gets(told(1, "bc", 2, 1, 1), state(2, None, "follower", 1, 0)),
        ],
    ),
    (
        "LearnCommitted",
        "it does not lead",
        [
            *COMMITMENT[:-2],
            step("c", "timeout", state(1, "c", "candidate", 0, 0)),
            step("c", "timeout", state(2, "c", "candidate", 0, 0), ask("cb", 2)),
            *COMMITMENT[-2:],
            step("b", "timeout", state(2, "b", "candidate", 1, 1), told(1, "ba", 2, 1, 1)),
            gets(told(1, "ba", 2, 1, 1), state(2, "b", "follower", 1, 1), vote("ab", 2)),
            gets(vote("ab", 2), state(2, "b", "leader", 1, 2), log=log(1, entry(2)),),
            step("a", "start", state(2, "b", "follower", 0, 1)),
            step("a", "timeout", state(3, "a", "candidate", 0, 1), ask("ac", 3, 1, 1)),
            gets(ask("ac", 3, 1, 1), state(3, "a", "follower", 0, 0), vote("ca", 3)),
            gets(vote("ca", 3), state(3, "a", "leader", 0, 2), log=log(1, entry(3))),
            gets(told(1, "ba", 2, 1, 1), state(3, "a", "leader", 1, 2)),
        ],
    ),
    (
        "Timeout",
        "the changes that it knows to be committed are in force",
        [
            *CHANGED,
            gets(append("ab", 1, (2, 1), [], 2), state(1, "a", "follower", 2, 2, configuration=OLD),
                 success("ba", 1, 2)),
            step("b", "timeout", state(2, "b", "candidate", 2, 2, configuration=OLD)),
        ],
    ),
    (
        "Timeout",
        "of the others it has one at most",
        [
            *CHANGED,
            step("a", "propose", state(1, "a", "leader", 2, 3), append("ab", 1, (2, 1), [NEXT], 1), log=log(2, NEXT)),
            gets(append("ab", 1, (2, 1), [NEXT], 1), state(1, "a", "follower", 1, 3), success("ba", 1, 3),
                 log=log(2, NEXT)),
            step("b", "timeout", state(2, "b", "candidate", 1, 3)),
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "guard", "records"), REJECTED, ids=[f"{rule}: {guard}" for rule, guard, _ in REJECTED]
)
def test_a_guard_that_is_not_true(rule: str, guard: str, records: list[Record], tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in [header(), *records]), encoding="utf-8")
    judgement = judge_trace(file)
    assert judgement.rejection is not None, str(judgement)
    assert judgement.rejection.rule == rule, str(judgement)
    assert guard in judgement.rejection.reason
    assert judgement.checked == len(records) - 1


def test_a_change_is_not_applied_before_it_is_committed(tmp_path: Path) -> None:
    lines = (ROOT / "tests/data/traces/cases/09-change-ok.ndjson").read_text(encoding="utf-8").splitlines()
    place = next(at for at, line in enumerate(lines) if '"ApplyConfChange"' in line and '"4"' in line)
    early = json.loads(lines[place])
    early["event"]["state"]["commit"] -= 1
    file = tmp_path / "trace.ndjson"
    file.write_text("\n".join([*lines[: place - 1], json.dumps(early)]) + "\n", encoding="utf-8")
    judgement = judge_trace(file, "etcd")
    assert judgement.rejection is not None, str(judgement)
    assert (judgement.rejection.rule, judgement.checked) == ("ApplyConfiguration", place - 1), str(judgement)
    assert "the entry is committed" in judgement.rejection.reason
