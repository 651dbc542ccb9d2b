"""How fast a server's disk is: records a second, and how long opening takes.

    python -m benchmarks.wal [--seconds S] [FOLDER]

Everything depends on how long the device takes for a sync, so that is measured too, beside each figure. FOLDER decides
which device it is; it is emptied of what was made there.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from raftimpl.messages import Entry
from raftimpl.running.folder import Folder
from raftimpl.step import Persist

COMMAND = b"x" * 200
"""What an entry holds: about a small put."""

SIZES = (1_000, 10_000, 100_000)
"""How many records the folders have that are opened."""


def opened(path: Path) -> Folder:
    """Open a folder, or create it."""
    return Folder.create_or_open(path, 1, 1)


def milliseconds_of_sync(path: Path, seconds: float) -> float:
    """Return how long the device takes to write and sync a record's bytes, in the middle."""
    descriptor, times = os.open(path / "plain", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), []
    end = time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        os.write(descriptor, COMMAND)
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - begin)
    os.close(descriptor)
    return statistics.median(times) * 1000


async def appended(path: Path, batch: int, seconds: float) -> tuple[float, float]:
    """Return records a second, and the milliseconds that a sync of a batch takes, in the middle."""
    folder, times = opened(path), []
    begin = time.perf_counter()
    while time.perf_counter() < begin + seconds:
        for _ in range(batch):
            index = folder.records + 1
            folder.append(Persist(1, 0, index, (Entry(1, COMMAND),)))
        before = time.perf_counter()
        await folder.sync()
        times.append(time.perf_counter() - before)
    rate = folder.records / (time.perf_counter() - begin)
    folder.close()
    return rate, statistics.median(times) * 1000


def opening(path: Path, records: int) -> tuple[float, float, float]:
    """Return how many MiB a log of so many records has, and the milliseconds of opening it: time, and CPU."""
    folder = opened(path)
    for index in range(1, records + 1):
        folder.append(Persist(1, 0, index, (Entry(1, COMMAND),)))
    asyncio.run(folder.sync())
    folder.close()
    size = sum(file.stat().st_size for file in (path / "wal").iterdir())
    begin, begin_cpu = time.perf_counter(), time.process_time()
    opened(path).close()
    return size / (1 << 20), (time.perf_counter() - begin) * 1000, (time.process_time() - begin_cpu) * 1000


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="where to write; by default where temporary files are")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each figure is measured")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        path = Path(name)
        table = Table("records in a sync", "records/s", "ms for a sync", "ms for a bare one", title="Writing")
        for batch in (1, 32):
            bare = milliseconds_of_sync(path, options.seconds)
            rate, sync = asyncio.run(appended(path / f"batches of {batch}", batch, options.seconds))
            table.add_row(str(batch), f"{rate:,.0f}", f"{sync:.3f}", f"{bare:.3f}")
        console.print(table)
        table = Table("records", "MiB", "ms to open", "ms of CPU", title="Opening")
        for records in SIZES:
            size, taken, cpu = opening(path / f"{records} records", records)
            table.add_row(f"{records:,}", f"{size:.1f}", f"{taken:.0f}", f"{cpu:.0f}")
        console.print(table)


if __name__ == "__main__":
    main()
