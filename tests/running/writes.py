"""Writes as the core makes them: entries appended and replaced, terms, votes, snapshots."""

from collections.abc import Iterable
from random import Random

from raftimpl.messages import Entry, Snapshot
from raftimpl.rules import persisted
from raftimpl.state import DurableState
from raftimpl.step import Persist


def folded(writes: Iterable[Persist]) -> DurableState:
    """Return what is on disk after some writes: the contract of the core."""
    state = DurableState()
    for write in writes:
        state = persisted(state, write)
    return state


def next_write(random: Random, state: DurableState, snapshots: bool = True) -> Persist:
    """Return a write that may follow."""
    log, term = state.log, state.current_term + (random.random() < 0.2)
    vote = random.choice([None, 0, 1, 2])
    kind = random.choice(["append", "append", "append", "replace", "vote"] + ["compact", "install"] * snapshots)
    new = tuple(
        Entry(max(term, 1), random.choice([None, b"", random.randbytes(random.randrange(200))]))
        for _ in range(random.randrange(1, 4))
    )
    after = log.last_index + 1
    if kind == "replace":
        return Persist(term, vote, random.randint(log.first_index, after), new)
    if kind == "compact" and log.entries:
        index = random.randint(log.first_index, log.last_index)
        return Persist(term, vote, after, (), Snapshot(index, log.term_at(index), b"snapshot %d" % index))
    if kind == "install":
        index = log.last_index + random.randrange(1, 9)
        return Persist(term, vote, index + 1, (), Snapshot(index, max(term, 1), b"snapshot %d" % index))
    return Persist(term, vote, after, new if kind == "append" else ())


def some_writes(random: Random, count: int, snapshots: bool = True) -> list[Persist]:
    """Return writes that may follow on each other, from an empty disk on."""
    state, writes = DurableState(), []
    for _ in range(count):
        writes.append(next_write(random, state, snapshots))
        state = persisted(state, writes[-1])
    return writes
