"""Histories as lines of JSON: raftproof's own format, described by `history.schema.json`.

    {"type": "invoke", "process": 3, "f": "put", "key": "a", "value": 1, "time": 0.25}
    {"type": "ok", "process": 3, "f": "put", "result": null, "revision": 7, "time": 0.31}

The first line may say what there was before: {"schema": "raftproof/history/1", "initial": {...}}.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from raftcheck.oracle.history.events import Event
from raftcheck.oracle.history.values import At, frozen
from raftcheck.oracle.line_schema import line_schema
from raftcheck.oracle.lines import Lines

READS = frozenset({"read", "get", "list"})
"""Functions of which an ok without a result tells nothing."""


class JsonEvent(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A process invokes an operation, or the one that it has under way ends.

    ok: it took effect. fail: it did not. info: nobody knows; it may take effect at any later time, or never.
    """

    type: Literal["invoke", "ok", "fail", "info"]
    process: Annotated[int | str, Meta(description="Who asks; a process has one operation under way at a time.")]
    f: Annotated[str, Meta(description="The function, one that the model knows.")]
    key: Annotated[str | int | None, Meta(description="Of an invocation; a completion may repeat it.")] = None
    value: Annotated[Any, Meta(description="The argument; a completion may repeat it.")] = None
    result: Annotated[Any, Meta(description="Of an ok: what was told. Every ok read needs one, null for nothing.")] = (
        msgspec.UNSET
    )
    revision: Annotated[int | None, Meta(description="Of an ok: the store's revision that was told with it.")] = None
    serializable: Annotated[bool, Meta(description="Of the invocation of a read that may be stale.")] = False
    time: Annotated[float | None, Meta(description="In any unit; it never goes back from line to line.")] = None
    error: Annotated[Any, Meta(description="Of fail and info: why. It is not looked at.")] = None


class JsonHeader(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The first line, if it is no event."""

    schema: Literal["raftproof/history/1"]
    initial: Annotated[
        dict[str, Any] | None, Meta(description="What there was before, as the model has it; without it, nothing.")
    ] = None


EVENT = msgspec.json.Decoder(JsonEvent)
HEADER = msgspec.json.Decoder(JsonHeader)


def read_json_history(lines: Lines) -> Iterator[Event | JsonHeader]:
    """Yield the events of a history. Raises UnreadableError, naming the line, for what is none."""
    latest = None
    for line in lines:
        if not line.strip():
            continue
        try:
            if lines.number == 1 and is_header(line):
                yield HEADER.decode(line)
                continue
            read = EVENT.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise lines.fault(f"no event of a JSON history: {error}") from error
        for fault in faults_of(read):
            raise lines.fault(fault)
        if read.time is not None:
            if latest is not None and read.time < latest:
                raise lines.fault(f"the time goes back from {latest:g} to {read.time:g}: sort the events by time")
            latest = read.time
        yield event_of(read, lines.number)


def faults_of(read: JsonEvent) -> Iterator[str]:
    """Yield what an event tells that it cannot, or does not tell that it has to."""
    if read.type != "ok" and (read.result not in (None, msgspec.UNSET) or read.revision is not None):
        yield f"{read.type} tells no result and no revision: only ok does"
    if read.type == "ok" and read.f in READS and read.result is msgspec.UNSET:
        yield f'a {read.f} that is ok tells its "result": null if there is nothing'
    if read.serializable and read.type != "invoke":
        yield '"serializable" belongs to the invocation'
    if read.serializable and read.f not in READS:
        yield f'"serializable" is said of reads, not of a {read.f}'


def is_header(line: str) -> bool:
    """Tell whether a line is meant to say what there was before."""
    read = msgspec.json.decode(line)
    return isinstance(read, dict) and "schema" in read and "type" not in read


def event_of(read: JsonEvent, line: int) -> Event:
    """Return the event of a line."""
    result = None if read.result is msgspec.UNSET else frozen(read.result)
    return Event(
        read.type,
        read.process,
        read.f,
        key=read.key,
        value=frozen(read.value),
        result=result if read.revision is None else At(result, read.revision),
        time=read.time,
        line=line,
        is_stale=read.serializable,
    )


def event_line(event: JsonEvent) -> bytes:
    """Return the line of an event, for those who write histories."""
    return msgspec.json.encode(event) + b"\n"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a line; `history.schema.json` holds it."""
    return line_schema("A line of a history, as raftproof judge history --format json reads it", JsonHeader, JsonEvent)
