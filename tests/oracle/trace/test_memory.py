"""A trace of any length is judged in memory, and in time for each event, that do not grow with it."""

import io
import tracemalloc
from itertools import islice

import pytest

from raftcheck.oracle.lines import Lines
from raftcheck.oracle.trace.etcd import EtcdLines
from raftcheck.oracle.trace.log import Log
from raftcheck.oracle.trace.network import NETWORKS, Unreliable
from tests.oracle.trace import steady

SHORT, LONG = 5_000, 20_000


class OfFew(Unreliable):
    """Remembers so few messages that the shorter trace has more."""

    def __init__(self) -> None:
        super().__init__(remembered=1_000)


def test_memory_does_not_grow_with_the_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a million events see benchmarks/traces.py: there the messages that are remembered take most of it."""
    monkeypatch.setitem(NETWORKS, "any", OfFew)
    judge, lines, trace = EtcdLines(None), Lines("generated", io.BytesIO()), steady.lines()
    held = {}
    tracemalloc.start()
    try:
        for events in (SHORT, LONG):
            for text in islice(trace, events - judge.checked):
                assert judge.line(lines, text) is None
            held[events] = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held[LONG] < 1.1 * held[SHORT] + 100_000, held


def test_logs_are_put_into_words_only_for_a_rejection(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a long trace a log has many terms: to go through them for every event would take quadratic time."""

    def fail(log: Log) -> str:
        raise AssertionError(f"a log up to {log.last} is put into words")

    judge, lines = EtcdLines(None), Lines("generated", io.BytesIO())
    monkeypatch.setattr(Log, "__str__", fail)
    for text in islice(steady.lines(), 2_000):
        assert judge.line(lines, text) is None
