"""Every corruption of a legal trace that no legal cluster could show is rejected in time, and none that is legal.

How it is known which are which, without the judge: `laws` are broken by no legal cluster, so what breaks one is
impossible, from the first event on that does. What breaks none is legal if there is an argument for its kind, in
`corruptions`. A trace that begins late cannot be told from one whose beginning was corrupted: that must not be
accepted. What is left is undetermined, and has to stay rare.
"""

import json
from collections import Counter
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Literal

import pytest

from raftcheck.oracle import Judgement
from raftcheck.oracle.trace.api import judge_trace
from tests.conftest import ROOT, cases
from tests.oracle.trace.corruptions import KINDS, Corruption, Trace, corruptions, why_legal
from tests.oracle.trace.laws import BEGINNINGS, Broken, first_broken
from tests.oracle.trace.shown import Event

EXAMPLE = ROOT.parent / "shared" / "data" / "etcd-raft" / "example.ndjson"
"""A trace of the project that the tracer comes from: etcd-io/raft, tla/example.ndjson."""

EACH = 50
"""Corruptions of one seed; the seeds are judged in parallel."""

Class = Literal["impossible", "legal", "begins late", "undetermined"]

pytestmark = pytest.mark.skipif(not EXAMPLE.exists(), reason=f"the example of etcd's raft is not there: {EXAMPLE.name}")


@cache
def example() -> Trace:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    return Trace([json.loads(line)["event"] for line in lines])


def class_of(corruption: Corruption) -> tuple[Class, Broken | None]:
    broken = first_broken(corruption.events)
    if broken is None:
        return "legal" if why_legal(example(), corruption) else "undetermined", None
    return "begins late" if broken.law in {law.__name__ for law in BEGINNINGS} else "impossible", broken


def judged(folder: Path, corruption: Corruption, broken: Broken | None) -> Judgement:
    """The judgement of a trace; if a law is broken, up to the event that breaks it: by then it has to be rejected."""
    events = corruption.events[: broken.place + 1] if broken else corruption.events
    file = folder / "corrupted.ndjson"
    file.write_text("\n".join(map(line_of, events)), encoding="utf-8")
    return judge_trace(file, "etcd")


def line_of(event: Event) -> str:
    return lines().get(id(event)) or json.dumps({"tag": "trace", "event": event})


@cache
def lines() -> dict[int, str]:
    """The lines of the events of the example, by identity: a corrupted trace shares nearly all of them."""
    return {id(event): json.dumps({"tag": "trace", "event": event}) for event in example().events}


def test_the_example_is_legal_and_breaks_no_law() -> None:
    assert first_broken(example().events) is None
    judgement = judge_trace(EXAMPLE, "etcd")
    assert judgement.is_accepted
    assert judgement.checked == len(example().events)


@pytest.mark.parametrize("seed", [*range(10), 100])
def test_impossible_corruptions_are_rejected_in_time_and_legal_ones_accepted(seed: int, tmp_path: Path) -> None:
    """500 corruptions with the seeds 0 to 9, 50 with another; a fifth of all if there is little time."""
    for corruption in islice(corruptions(example(), seed), cases(EACH, part=5)):
        kind, broken = class_of(corruption)
        judgement = judged(tmp_path, corruption, broken)
        context = f"{corruption}, {kind} by {broken}:\n{judgement}"
        if kind == "impossible":
            assert judgement.answer == "reject", context
            assert corruption.place <= judgement.checked, context
        elif kind == "legal":
            assert judgement.is_accepted, context
        elif kind == "begins late":
            assert not judgement.is_accepted, context


def test_few_corruptions_are_undetermined_and_all_kinds_occur() -> None:
    each = cases(EACH, part=5)
    found = Counter[tuple[str, Class]]()
    for seed in range(10):
        for corruption in islice(corruptions(example(), seed), each):
            found[corruption.kind, class_of(corruption)[0]] += 1
    total = 10 * each
    undetermined = {kind: count for (kind, name), count in found.items() if name == "undetermined"}
    assert found.total() == total
    assert {kind for kind, _ in found} == set(KINDS)
    assert sum(undetermined.values()) <= max(3, total // 100), undetermined
    assert sum(count for (_, name), count in found.items() if name == "legal") >= total // 7
    assert sum(count for (_, name), count in found.items() if name == "impossible") >= total * 3 // 5
