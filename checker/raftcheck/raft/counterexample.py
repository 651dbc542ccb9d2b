"""Counterexample files of Raft models: written so that they can be executed again, on this or another version."""

from pathlib import Path
from typing import Any

import msgspec

from raftcheck.explore import Counterexample, Event
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import counterexample, execute, explained, first_violation
from raftcheck.model import Deliver, ModelError
from raftcheck.model.properties import RAISED
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.build import raft_system
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.mutants import mutant_named
from raftcheck.raft.process import ModelInput
from raftcheck.raft.properties import safety
from raftcheck.report import SCHEMA
from raftcheck.report.document import counterexample_document
from raftimpl.step import Receive


class RecordedEvent(msgspec.Struct, frozen=True):
    """One event in a file. `text` and `changes` are for the reader; only the others are executed."""

    pid: int
    input: ModelInput
    lost: bool = False
    text: str = ""
    changes: tuple[str, ...] = ()


class Recorded(msgspec.Struct, frozen=True):
    """A counterexample as it stands in a file."""

    schema: str
    kind: str
    model: str
    property: str
    mutant: str | None
    bounds: dict[str, Any]
    events: tuple[RecordedEvent, ...]
    error: str | None = None
    explanation: str | None = None
    version: str = ""
    length: int = 0


class Replayed(msgspec.Struct, frozen=True):
    """What came of executing a recorded counterexample.

    `impossible` is the number of the first event that this implementation does not allow; `violated` the
    property that was violated first, and `found` the behaviour up to there (or to its end).
    """

    found: Counterexample
    violated: str | None
    impossible: int | None


def recorded(found: Counterexample, bounds: Bounds, mutant: str | None, version: str) -> dict[str, Any]:
    """Return a counterexample as plain JSON values that `load` can read back."""
    document = counterexample_document(found, RaftLabels())
    for shown, event in zip(document["events"], found.events, strict=True):
        shown["input"] = msgspec.to_builtins(_recorded_input(event))
        shown["lost"] = event.lost
    return {
        "schema": SCHEMA,
        "kind": "counterexample",
        "version": version,
        "model": "raft",
        "mutant": mutant,
        "bounds": bounds.to_dict(),
        **document,
    }


def _recorded_input(event: Event) -> ModelInput:
    if isinstance(event.input, Deliver):
        return Receive(event.input.sender, event.input.message)  # type: ignore[arg-type]
    return event.input  # type: ignore[return-value]


def load(path: Path) -> Recorded:
    """Read a counterexample file. Raises ModelError, naming the file and what is wrong with it."""
    try:
        read = msgspec.json.decode(path.read_bytes(), type=Recorded)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(f"{path} is no counterexample of raftproof: {error}") from error
    if (read.schema, read.kind, read.model) != (SCHEMA, "counterexample", "raft"):
        raise ModelError(
            f"{path} holds a {read.kind!r} of {read.model!r} in schema {read.schema!r}, "
            f"not a counterexample of raft in {SCHEMA!r}"
        )
    return read


def replay(read: Recorded) -> Replayed:
    """Execute a recorded counterexample on the implementation, with the mutant that it names, if any."""
    bounds = Bounds.from_dict(read.bounds)
    rules = mutant_named(read.mutant).rules if read.mutant else None
    claimed = safety(bounds.servers)
    if read.property not in {p.name for p in claimed} | {RAISED}:
        raise ModelError(f"there is no property {read.property!r}; this file may be of another version")
    semantics = Semantics(raft_system(bounds, rules))
    events = [_event(event, bounds) for event in read.events]
    claims = [checked for checked in claimed if checked.name == read.property]
    executed = execute(semantics, events)
    if executed is None:
        possible = next(n for n in range(len(events)) if execute(semantics, events[: n + 1]) is None)
        found = counterexample(semantics, read.property, events[:possible])
        return Replayed(found, None, possible + 1)
    violation = first_violation(semantics, claims, executed)
    length = violation[0] if violation else len(executed)
    found = counterexample(semantics, violation[1] if violation else read.property, events[:length])
    return Replayed(explained(found, claims), violation[1] if violation else None, None)


def _event(read: RecordedEvent, bounds: Bounds) -> Event:
    if not 0 <= read.pid < bounds.servers:
        raise ModelError(f"an event names server {read.pid}; there are {bounds.servers} servers")
    if isinstance(read.input, Receive):
        return Event(read.pid, Deliver(read.input.sender, read.input.message), read.lost)
    return Event(read.pid, read.input, read.lost)
