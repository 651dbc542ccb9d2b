"""A pytest plugin: the fixture `judge` lets a test fail if what was recorded is not allowed.

    def test_the_store(judge):
        judge.history("history.jsonl", format="json", model="etcd")
        judge.trace("trace.ndjson", format="etcd")

It is there as soon as raftproof is installed. This is a package of its own, because every run of pytest imports it:
what it needs is imported when a test judges something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from raftcheck.oracle import Judgement
    from raftcheck.oracle.history import Event, Model


class Judge:
    """Judges what was recorded. On a reject the test fails, and the report is its message.

    It fails on an undecided answer, too, unless `allow_undecided`, and on a file that cannot be read.
    """

    def history(
        self,
        source: str | Path | Iterable[Event],
        *,
        format: str | None = None,
        model: str | Model | None = None,
        max_seconds: float | None = 60.0,
        allow_undecided: bool = False,
    ) -> Judgement:
        """Judge a history of clients, as `raftcheck.oracle.judge_history` does."""
        __tracebackhide__ = True
        from raftcheck.oracle import judge_history

        return judged(
            lambda: judge_history(source, format=format, model=model, max_seconds=max_seconds), allow_undecided
        )

    def trace(
        self,
        file: str | Path,
        *,
        format: Literal["raftproof", "etcd"] = "raftproof",
        network: Literal["any", "at-most-once", "fifo"] | None = None,
        allow_undecided: bool = False,
    ) -> Judgement:
        """Judge a trace of a cluster, as `raftcheck.oracle.judge_trace` does."""
        __tracebackhide__ = True
        from raftcheck.oracle import judge_trace

        return judged(lambda: judge_trace(file, format, network), allow_undecided)


def judged(ask: Callable[[], Judgement], allow_undecided: bool) -> Judgement:
    """Return a judgement, or let the test fail with the report."""
    __tracebackhide__ = True
    from raftcheck.model import ModelError

    try:
        judgement = ask()
    except ModelError as error:
        pytest.fail(str(error), pytrace=False)
    if judgement.answer == "reject" or (judgement.answer == "undecided" and not allow_undecided):
        pytest.fail(str(judgement), pytrace=False)
    return judgement


@pytest.fixture(name="judge", scope="session")
def judge_fixture() -> Judge:
    """Judge what was recorded: `judge.history(file, format=..., model=...)`."""
    return Judge()
