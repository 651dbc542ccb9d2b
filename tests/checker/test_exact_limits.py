"""What cuts an exact exploration short: memory, Ctrl-C. Never a crash, and never a verdict that was not reached."""

import threading
import time
from typing import Any

import pytest

from raftcheck import Result, explore, recoverable
from raftcheck.explore import recovery
from raftcheck.explore.exact import ExactSearch
from raftcheck.explore.limits import Limits, MemoryLimitError, Watch, peak_memory
from raftcheck.explore.shards import ShardTables
from raftcheck.explore.tables import Tables
from tests.systems.monoraft import monoraft

STATES = 33_422
WORKERS = pytest.mark.parametrize("workers", [1, 2])


def run(workers: int = 1, **limits: Any) -> Result:
    return explore(monoraft(), [], mode="exact", symmetry=False, workers=workers, **limits)


def assert_cut_short(result: Result, limit: str) -> None:
    assert (result.verdict, result.complete, result.limit) == ("inconclusive", False, limit)
    assert 0 < result.states < STATES
    assert result.local_tuples > 0


def raising(error: BaseException, after: int = 0) -> Any:
    """Return a function that raises when it has been called so many times."""
    calls = iter(range(after))

    def raise_it(*_: Any, **__: Any) -> None:
        if next(calls, None) is None:
            raise error

    return raise_it


@WORKERS
def test_memory_that_tables_would_take_is_counted_before_they_grow(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = peak_memory() + 2**40
    monkeypatch.setattr(Watch, "afford", raising(MemoryLimitError(f"max_memory={most}"), after=20))
    assert_cut_short(run(workers, max_memory=most), f"max_memory={most}")


def test_what_can_be_afforded() -> None:
    Watch(Limits(), None).afford(2**60)
    watch = Watch(Limits(max_memory=peak_memory() + 2**30), None)
    watch.afford(2**20)
    with pytest.raises(MemoryLimitError, match=r"max_memory=\d+"):
        watch.afford(2**31)


def test_shards_ask_before_they_grow() -> None:
    asked: list[int] = []
    search = ExactSearch(monoraft(), [], Limits(), None, False, 1)
    search.shards = [ShardTables(3, asked.append) for _ in search.shards]
    search.run()
    assert search.states == STATES
    bytes_of_a_state = 8 + 8 / 0.7
    assert sum(asked) > STATES * bytes_of_a_state / 2


@WORKERS
@pytest.mark.parametrize(("owner", "name"), [(ShardTables, "absorb"), (Tables, "answer"), (ExactSearch, "expand")])
def test_no_memory_left(owner: type, name: str, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, fail = getattr(owner, name), raising(MemoryError(), after=40)

    def failing(*arguments: Any) -> Any:
        fail()
        return whole(*arguments)

    monkeypatch.setattr(owner, name, failing)
    assert_cut_short(run(workers), "out of memory")


@WORKERS
def test_ctrl_c_waits_for_the_threads(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that still changes the tables would spoil the figures."""
    whole, busy = ShardTables.absorb, threading.Lock()
    slow = raising(KeyboardInterrupt(), after=40)
    running: list[int] = []

    def absorb(*arguments: Any) -> None:
        with busy:
            running.append(1)
        try:
            slow()
            time.sleep(0.001)
            whole(*arguments)
        finally:
            with busy:
                running.pop()

    monkeypatch.setattr(ShardTables, "absorb", absorb)
    result = run(workers)
    assert not running
    assert_cut_short(result, "interrupted")


def test_ctrl_c_between_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "limit_reached", raising(KeyboardInterrupt(), after=10))
    assert_cut_short(run(), "interrupted")


CUTS = [(KeyboardInterrupt(), "interrupted"), (MemoryError(), "out of memory")]


@pytest.mark.parametrize(("error", "limit"), CUTS, ids=["ctrl-c", "memory"])
def test_cut_short_while_looking_backwards(error: BaseException, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "has_goal", raising(error))
    goal = recoverable("Can be a leader", lambda server: server.role == "L")
    result = explore(monoraft(2, 2, 0), [goal], mode="exact")
    assert (result.verdict, result.complete, result.limit) == ("inconclusive", False, limit)
    assert result.properties[0].status == "unknown"


def test_no_memory_to_look_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BYTES_WHILE_SORTED", 2**40)
    goal = recoverable("Can be a leader", lambda server: server.role == "L")
    most = peak_memory() + 2**30
    result = explore(monoraft(2, 2, 0), [goal], mode="exact", max_memory=most)
    assert (result.verdict, result.limit) == ("inconclusive", f"max_memory={most}")
