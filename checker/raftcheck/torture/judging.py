"""What is required of a run: nothing that clients saw is impossible, nothing that servers did, and nothing is lost."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from raftcheck.oracle import Judgement, UnreadableError, judge_history, judge_trace
from raftcheck.torture.clients import Acknowledged, Seen
from raftimpl.store.errors import RequestError
from raftimpl.store.requests import Range
from raftimpl.store.store import Store

HISTORY_SECONDS = 30.0
"""How long the search for a linearization may take."""


class Finding(NamedTuple):
    """What a judge found wrong; if `is_open`, it could only not tell that all is well."""

    judge: str
    what: str
    is_open: bool = False


HISTORY, TRACE, FAULTS = "history.jsonl", "trace.jsonl", "faults.txt"
"""The files of a run."""


def judged_files(folder: Path) -> Iterator[Finding]:
    """Judge the servers' trace, then the clients' history, which are in a folder."""
    try:
        yield from finding("trace", judge_trace(folder / TRACE))
    except UnreadableError as error:
        yield Finding("trace", f"it contradicts itself: {error}")
    yield from finding(
        "history", judge_history(folder / HISTORY, format="json", model="etcd", max_seconds=HISTORY_SECONDS)
    )


def finding(judge: str, judgement: Judgement) -> Iterator[Finding]:
    """Yield what a judgement says, unless it is an accept."""
    if not judgement.is_accepted:
        yield Finding(judge, str(judgement), is_open=judgement.answer == "undecided")


def lost(acknowledged: Sequence[Acknowledged], store: Store) -> Iterator[Finding]:
    """Yield what was acknowledged and is not there, at the revision that its client was told."""
    for write in acknowledged:
        there = changes_at(store, write.revision)
        for key, value in write.keys.items():
            if there.get(key, "nothing") != value:
                what = f"line {write.line + 1} of the history: {key} = {value!r} at revision {write.revision} was"
                yield Finding("acknowledged writes", f"{what} acknowledged; now there is: {there or 'nothing'}")
                return


def changes_at(store: Store, revision: int) -> dict[str, str | None]:
    """Return what was written at a revision; None stands for a deletion."""
    for found, events in store.changes(revision, 1):
        if found == revision:
            return {e.kv.key.decode(): None if e.is_deletion else e.kv.value.decode() for e in events}
    return {}


def untrue(seen: Sequence[Seen], store: Store) -> Iterator[Finding]:
    """Yield a read, be it serializable, that told what was not there at the revision that it told."""
    for read in seen:
        there = as_of(read, store)
        if there != read.told:
            what = f"line {read.line + 1} of the history told of revision {read.revision}: {read.told}"
            yield Finding("reads of the past", f"{what}; but it was: {there}")
            return


def as_of(read: Seen, store: Store) -> object:
    """Return what a read should have told."""
    request: Range = read.asked.request  # type: ignore[assignment]
    try:
        return read.asked.told(store.read(Range(request.key, request.range_end, revision=read.revision)))
    except RequestError as error:
        return error.text
