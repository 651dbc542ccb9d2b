"""Schedules in files: what was asked of a peer and what it did, to be looked at and to be run again."""

from pathlib import Path

import msgspec

from raftcheck.model import ModelError
from raftcheck.oracle.judgement import UnreadableError
from raftcheck.oracle.lockstep.events import Event
from raftcheck.oracle.trace.network import NetworkName
from raftcheck.oracle.trace.steps import Header, Step

FORMAT = "raftproof/lockstep/1"


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schedule, the rule that a peer broke in it, and the trace of that."""

    format: str
    servers: tuple[str, ...]
    network: NetworkName
    seed: int
    events: tuple[Event, ...]
    rule: str
    reason: str
    peer: str
    header: Header
    trace: tuple[Step, ...]


def write(saved: Saved, path: Path) -> None:
    """Write a file. Raises ModelError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=1) + b"\n")
    except OSError as error:
        raise ModelError(f"cannot write {path}: {error.strerror}") from error


def read(path: Path) -> Saved:
    """Read a file. Raises UnreadableError if it is none."""
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=Saved)
    except OSError as error:
        raise UnreadableError(str(path), 0, f"cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError(str(path), 0, f"is no saved schedule: {error}") from error
    if saved.format != FORMAT:
        raise UnreadableError(str(path), 0, f"the format is {saved.format!r}, not {FORMAT!r}")
    return saved
