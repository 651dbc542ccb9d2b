"""How fast the store is, and how much it takes: medians of several runs, one table for each size.

A put is measured over many of them. The longest one is told too: it is what a server's other clients wait for.

    python -m benchmarks.store [--keys N ...] [--runs N]
"""

import argparse
import gc
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from raftimpl.store.requests import Compact, DeleteRange, Put, Range
from raftimpl.store.store import Store, thaw

SIZES = [1_000, 10_000, 100_000, 1_000_000]
RUNS = 5
PUTS = 20_000
"""How many puts are measured together, at most."""

VALUE = b"v" * 32
FIRST = Range(b"key-5", b"\0", limit=1_000)


@dataclass(frozen=True)
class Figure:
    """What was measured: microseconds for one, the median of all runs and the longest."""

    what: str
    median: float
    longest: float


def microseconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


def repeated(what: str, work: Callable[[], object], runs: int, count: int = 1) -> Figure:
    """Measure what does something `count` times, several times over."""
    times = [microseconds(work) / count for _ in range(runs)]
    return Figure(what, statistics.median(times), max(times))


def each_put(what: str, store: Store, requests: list[Put]) -> Figure:
    """Measure puts, each for itself."""
    times = [microseconds(lambda request=request: store.apply(request)) for request in requests]
    return Figure(what, statistics.median(times), max(times))


def measured(keys: int, runs: int) -> Iterator[Figure]:
    """Measure a store of so many keys of 16 bytes, with values of 32."""
    numbers = random.Random(1).sample(range(10**12), keys)
    puts = [Put(b"key-%012d" % number, VALUE) for number in numbers]
    memory = peak_memory()
    store = Store()
    yield each_put("put, a new key", store, puts)
    yield Figure("memory a key, bytes", (peak_memory() - memory) / keys, 0)
    some = random.Random(2).choices(puts, k=PUTS)
    yield repeated("put, a key again", lambda: [store.apply(put) for put in some], runs, PUTS)
    hot = puts[0]
    yield repeated("put, one key again and again", lambda: [store.apply(hot) for _ in range(PUTS)], runs, PUTS)
    yield repeated("get", lambda: store.read(Range(hot.key)), runs * 100)
    before = store.revision - 2 * PUTS
    yield repeated("get, of the hot key long ago", lambda: store.read(Range(hot.key, revision=before)), runs * 100)
    yield repeated("range of 1,000", lambda: store.read(FIRST), runs * 20)
    long_ago = Range(FIRST.key, FIRST.range_end, limit=FIRST.limit, revision=before)
    yield repeated(f"range of 1,000, {2 * PUTS:,} changes ago", lambda: store.read(long_ago), runs)
    yield repeated("count of all", lambda: store.read(Range(b"\0", b"\0", count_only=True)), runs * 20)
    yield repeated("1,000 changes, from long ago", lambda: store.changes(before, 1_000), runs * 20)
    yield from measured_whole(store, runs)


def measured_whole(store: Store, runs: int) -> Iterator[Figure]:
    """Measure what is about the whole store."""
    yield repeated("freeze", store.freeze, runs)
    frozen = store.freeze()
    chunks = list(frozen.chunks())
    yield repeated("encode what is frozen", lambda: list(frozen.chunks()), 1)
    yield repeated("thaw", lambda: thaw(chunks), 1)
    yield repeated("hash", store.hash, 1)
    forgotten = store.revision - 1
    yield repeated("compact, for each version forgotten", lambda: store.apply(Compact(store.revision)), 1, forgotten)
    yield repeated("delete all, for each key", lambda: store.apply(DeleteRange(b"\0", b"\0")), 1, len(frozen.keys))


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def table(keys: int, figures: Iterator[Figure]) -> Table:
    """Return the figures to print."""
    result = Table(f"{keys:,} keys", "median, us", "longest, us", "a second", title_justify="left")
    for figure in figures:
        is_time = "memory" not in figure.what
        a_second = f"{1e6 / figure.median:,.0f}" if is_time else ""
        result.add_row(figure.what, f"{figure.median:,.1f}", f"{figure.longest:,.1f}" if is_time else "", a_second)
    return result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, nargs="+", default=SIZES)
    parser.add_argument("--runs", type=int, default=RUNS)
    arguments = parser.parse_args()
    for keys in arguments.keys:
        Console().print(table(keys, measured(keys, arguments.runs)))
        gc.collect()


if __name__ == "__main__":
    main()
