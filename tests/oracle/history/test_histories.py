"""Histories made by hand, each with its verdict and the line where it becomes impossible."""

import re
from typing import Any

import pytest

from raftcheck.oracle import judge_history
from raftcheck.oracle.history import KeyValue, Register
from tests.conftest import ROOT

HISTORIES = ROOT / "tests" / "data" / "histories"

FORMATS = {".log": "jepsen", ".txt": "porcupine", ".edn": "edn", ".jsonl": "json"}

# file, model (None: that of the format), line at which it becomes impossible (None: it does not)
TABLE: list[tuple[str, str | None, int | None]] = [
    ("read-your-write.log", None, None),
    ("stale-read.log", None, 6),
    ("concurrent-writes-seen-in-two-orders.log", None, 10),
    ("compare-and-set-twice.log", None, 6),
    ("unknown-write-seen-much-later.log", None, None),
    ("unknown-write-never-seen.log", None, None),
    ("unknown-write-seen-twice.log", None, 10),
    ("unknown-write-seen-before-it-began.log", None, 2),
    ("failed-compare-and-set-had-to-succeed.log", None, 4),
    ("timed-out-read-says-nothing.log", None, None),
    ("same-value-written-again.log", None, None),
    ("appends-in-order.txt", None, None),
    ("appends-in-the-wrong-order.txt", None, 8),
    ("append-lost.txt", None, 8),
    ("independent-keys.edn", None, None),
    ("bare-maps-stale-read.edn", None, 5),
    ("etcd-revisions.jsonl", None, None),
    ("etcd-revision-goes-back.jsonl", None, 6),
    ("etcd-two-creations.jsonl", None, 4),
    ("etcd-serializable-read-is-not-judged.jsonl", None, None),
    ("etcd-begins-with-something.jsonl", None, None),
    ("etcd-unknown-put-counts.jsonl", None, None),
    ("etcd-transaction-seen-in-half.jsonl", None, 6),
    ("true-is-not-one.jsonl", "register", 4),
]


def judge(name: str, model: Any = None) -> Any:
    path = HISTORIES / name
    return judge_history(path, format=FORMATS[path.suffix], model=model)


@pytest.mark.parametrize(("name", "model", "line"), TABLE, ids=[row[0] for row in TABLE])
def test_the_verdict(name: str, model: str | None, line: int | None) -> None:
    judgement = judge(name, model)
    assert judgement.answer == ("accept" if line is None else "reject"), str(judgement)
    if judgement.rejection:
        assert judgement.rejection.where.startswith(f"line {line}"), str(judgement)
        assert judgement.rejection.rule == "linearizability"


def test_the_table_has_every_file() -> None:
    assert {path.name for path in HISTORIES.iterdir()} == {row[0] for row in TABLE}


def test_an_accept_says_what_it_rests_on() -> None:
    judgement = judge("independent-keys.edn")
    assert judgement.checked == 4
    assert "register" in judgement.against
    assert judgement.details["keys"] == 2
    assert judgement.details["unknown outcome"] == "1"
    assert judgement.details["events of :nemesis, which is no client"] == 1
    assert any("lines" in assumption for assumption in judgement.assumptions)


def test_reads_that_may_be_stale_are_never_counted_as_checked() -> None:
    judgement = judge("etcd-serializable-read-is-not-judged.jsonl")
    assert judgement.checked == 3
    assert judgement.details["operations"] == 4
    assert judgement.details["NOT judged: reads that may be stale by contract"] == 1


def test_failed_operations_are_counted() -> None:
    judgement = judge("timed-out-read-says-nothing.log")
    assert judgement.checked == 2
    assert judgement.details["failed (no effect)"] == 1


def test_a_reject_tells_states_and_contradiction() -> None:
    judgement = judge("stale-read.log")
    assert judgement.checked == 2
    assert judgement.rejection is not None
    assert judgement.rejection.before == {"state": "2"}
    assert judgement.rejection.after == {"result": "1"}
    text = str(judgement)
    assert "process 0: write 1 (lines 1-2)" in text
    assert "process 0: write 2 (lines 3-4)" in text
    assert "can one of these be left out: no" in text


def test_revisions_keep_keys_together() -> None:
    assert "revisions" in judge("etcd-revisions.jsonl").details["judged together"]
    assert "judged together" not in judge("etcd-two-creations.jsonl").details


def test_a_model_may_be_given_instead_of_a_name() -> None:
    assert judge("appends-in-order.txt", KeyValue("")).is_accepted
    assert judge("appends-in-order.txt", KeyValue(None)).answer == "reject"
    assert judge("stale-read.log", Register()).answer == "reject"


def test_the_report_in_the_documents_is_what_is_printed() -> None:
    text = (ROOT / "docs" / "histories.md").read_text(encoding="utf-8")
    shown = text[text.index("\nREJECT") + 1 : text.index("\n```", text.index("\nREJECT"))]
    printed = str(judge("concurrent-writes-seen-in-two-orders.log")).replace(f"{HISTORIES}/", "")
    assert [re.sub(r"\(\d+\.\d s\)", "", line) for line in printed.splitlines()] == [
        re.sub(r"\(\d+\.\d s\)", "", line) for line in shown.splitlines()
    ]
