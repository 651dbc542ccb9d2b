"""A process that writes to a folder until it is killed, and says what it was promised.

What it writes follows from how much is there already, so that others can tell what must be.
"""

import asyncio
import hashlib
import sys
from pathlib import Path
from random import Random

from raftimpl.messages import Snapshot
from raftimpl.rules import persisted
from raftimpl.running.folder import Folder
from raftimpl.running.snapshots import name_of
from raftimpl.state import DurableState
from raftimpl.step import Persist
from tests.running.writes import next_write


def opened(path: Path) -> Folder:
    return Folder.create_or_open(path, 7, 1, segment_bytes=20_000)


def content_of(index: int) -> bytes:
    """Return what the snapshot at an index holds."""
    return b"state machine %d" % index * 100


def write_number(number: int, state: DurableState) -> Persist:
    """Return the write that makes record `number`, which comes after a state."""
    if number % 40 or not state.log.entries:
        return next_write(Random(number), state, snapshots=False)
    index = state.log.last_index - 1 if len(state.log.entries) > 1 else state.log.last_index
    name = name_of(index, hashlib.sha256(content_of(index)).hexdigest())
    snapshot = Snapshot(index, state.log.term_at(index), name)
    return Persist(state.current_term, state.voted_for, state.log.last_index + 1, (), snapshot)


async def write_until_killed(path: Path) -> None:
    folder = opened(path)
    state, random = folder.durable, Random(folder.incarnation)
    print(folder.records, flush=True)
    while True:
        for _ in range(random.randrange(1, 8)):
            write = write_number(folder.records + 1, state)
            if write.snapshot is not None:
                index = write.snapshot.last_included_index
                await folder.save_snapshot(index, iter([content_of(index)]))
            folder.append(write)
            state = persisted(state, write)
        await folder.sync()
        print(folder.records, flush=True)
        if folder.durable.log.snapshot != state.log.snapshot:
            folder.discard_before(state.log.snapshot.content)


if __name__ == "__main__":
    asyncio.run(write_until_killed(Path(sys.argv[1])))
