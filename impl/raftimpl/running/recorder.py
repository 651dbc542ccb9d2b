"""A server's part of a trace: what it did, with the times of a logical clock, in a file of its own.

A line is written before the sync that makes its step's records durable, and nothing of the step is seen by anybody
before that sync. So the files of all servers together have everything that anybody can have seen, also of a server that
was killed. They have more: steps that were written down, but whose records were lost in a crash. `records` tells them
apart: it is the number of the last record on disk that a step relies on, and a later start tells how many records
were found. Whoever puts the files together leaves out what was lost (see `raftcheck.torture.merging`).

The clock is Lamport's: it grows with each step, and beyond the clock of every message that arrives.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from raftimpl import trace
from raftimpl.log import Log
from raftimpl.state import ServerState
from raftimpl.step import Input, Receive, Step

ENCODER = msgspec.json.Encoder()


class Line(msgspec.Struct, frozen=True):
    """A step of a server (`raftimpl.trace.step_record`): when, and the last record on disk that it relies on."""

    clock: int
    records: int
    step: msgspec.Raw


class Recorder:
    """A node's witness, which writes. `names` are those of all servers; `clock` is the time of the last line."""

    def __init__(self, file: BinaryIO, names: Sequence[str], clock: int = 0) -> None:
        self._file, self._names, self._last = file, names, clock
        self._unwritten: list[bytes] = []

    def started(self, state: ServerState, records: int) -> int:
        """Note a start, with all of the log that was found; return the clock to go on with."""
        self._last += 1
        self._note(self._last, records, trace.start_record(self._names, state, Log((), state.log.snapshot)))
        self.flush()
        return self._last

    def stepped(self, clock: int, before: ServerState, input: Input, step: Step, records: int) -> None:
        """Note a step, unless it is nothing to anybody."""
        self._last = clock
        if step.state == before and not step.outputs and not isinstance(input, Receive):
            return
        self._note(clock, records, trace.step_record(self._names, before, input, step.state, step.outputs))

    def _note(self, clock: int, records: int, step: trace.Json) -> None:
        line = Line(clock, records, msgspec.Raw(ENCODER.encode(step)))
        self._unwritten.append(ENCODER.encode(line) + b"\n")

    def flush(self) -> None:
        """Hand over to the operating system what was noted: it survives this process, if not the machine."""
        if self._unwritten:
            self._file.write(b"".join(self._unwritten))
            self._file.flush()
            self._unwritten.clear()

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.flush()
        self._file.close()


def open_recorder(path: Path, names: Sequence[str]) -> Recorder:
    """Go on with a file, or begin one. A torn last line is cut off.

    Raises OSError, or msgspec.DecodeError for a file that holds something else: it is left as it is.
    """
    file = path.open("a+b")
    try:
        return Recorder(file, names, cut_torn_line(file))
    except BaseException:
        file.close()
        raise


def cut_torn_line(file: BinaryIO) -> int:
    """Cut off the end of a line that a killed process has left; return the clock of the last whole one, 0 if none."""
    end = file.seek(0, os.SEEK_END)
    tail, start = b"", end
    while start > 0 and tail.count(b"\n") < 2:
        start = max(0, start - (1 << 16))
        file.seek(start)
        tail = file.read(end - start)
    whole = tail[: tail.rfind(b"\n") + 1]
    lines = whole.splitlines()
    clock = msgspec.json.decode(lines[-1], type=Line).clock if lines else 0
    file.truncate(start + len(whole))
    file.seek(0, os.SEEK_END)
    return clock
